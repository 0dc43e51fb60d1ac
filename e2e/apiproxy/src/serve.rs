//! The two listeners.

use crate::arguments::Arguments;
use crate::ledger::Ledger;
use crate::upstream::{Line, Upstream};
use crate::{Error, control, proxy, tls};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Mutex;
use tokio_rustls::TlsAcceptor;

/// A proxy that runs, for as long as its runtime does.
#[derive(Debug, Clone, Copy)]
pub struct Server {
    /// Where it serves.
    pub api: SocketAddr,
    /// Where it is steered.
    pub control: SocketAddr,
}

/// Starts it on the current runtime.
///
/// # Errors
/// An address that is taken; a certificate that cannot be read.
pub async fn start(arguments: &Arguments) -> Result<Server, Error> {
    let tls = arguments.authority.as_deref().map(tls::client).transpose()?;
    let upstream = Arc::new(Upstream { address: arguments.upstream.clone(), tls });
    let identity = arguments.identity.as_ref().map(|(certificate, key)| tls::server(certificate, key)).transpose()?;
    let acceptor = identity.map(TlsAcceptor::from);
    let ledger = Arc::new(Ledger::default());
    let (calls, api) = bind(arguments.listen).await?;
    let (steering, control) = bind(arguments.control).await?;
    let shared = Arc::clone(&ledger);
    tokio::spawn(accept(calls, move |stream| {
        let (ledger, upstream, acceptor) = (Arc::clone(&shared), Arc::clone(&upstream), acceptor.clone());
        async move {
            match acceptor {
                None => serve_calls(stream, ledger, upstream).await,
                // A client that cannot be spoken with is told so by TLS itself.
                Some(acceptor) => {
                    if let Ok(stream) = acceptor.accept(stream).await {
                        serve_calls(stream, ledger, upstream).await;
                    }
                }
            }
        }
    }));
    tokio::spawn(accept(steering, move |stream| serve_control(stream, Arc::clone(&ledger))));
    Ok(Server { api, control })
}

async fn bind(address: SocketAddr) -> Result<(TcpListener, SocketAddr), Error> {
    let listener = TcpListener::bind(address).await.map_err(Error::io(address.to_string()))?;
    let bound = listener.local_addr().map_err(Error::io(address.to_string()))?;
    Ok((listener, bound))
}

async fn accept<F, S>(listener: TcpListener, serve: S)
where
    F: Future<Output = ()> + Send + 'static,
    S: Fn(TcpStream) -> F,
{
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                // Small answers wait for nothing; where that cannot be had they only come later.
                let _ = stream.set_nodelay(true);
                tokio::spawn(serve(stream));
            }
            // Too many are open: some will end.
            Err(_) => tokio::time::sleep(std::time::Duration::from_millis(20)).await,
        }
    }
}

async fn serve_calls<S>(stream: S, ledger: Arc<Ledger>, upstream: Arc<Upstream>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let line = Arc::new(Mutex::new(Line::new(upstream)));
    let service = service_fn(move |request| {
        let (ledger, line) = (Arc::clone(&ledger), Arc::clone(&line));
        async move { proxy::handle(&ledger, &mut *line.lock().await, request).await }
    });
    // However a connection ends, its client sees it end.
    let _ = http1::Builder::new().timer(TokioTimer::new()).serve_connection(TokioIo::new(stream), service).await;
}

async fn serve_control(stream: TcpStream, ledger: Arc<Ledger>) {
    let service = service_fn(move |request| {
        let ledger = Arc::clone(&ledger);
        async move { Ok::<_, Infallible>(control::handle(&ledger, request).await) }
    });
    let _ = http1::Builder::new().timer(TokioTimer::new()).serve_connection(TokioIo::new(stream), service).await;
}

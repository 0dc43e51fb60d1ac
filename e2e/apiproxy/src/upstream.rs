//! Connections to the API server: each connection of a client has one of its own behind it.

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// Why a call could not be passed on.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// No connection.
    #[error("the API server cannot be reached: {0}")]
    Connect(#[from] std::io::Error),
    /// Its name is none.
    #[error("the API server's name cannot be verified: {0}")]
    Name(String),
    /// The connection broke, or what came is no HTTP.
    #[error("the API server did not answer: {0}")]
    Exchange(#[from] hyper::Error),
}

/// Where the API server is.
#[derive(Debug)]
pub struct Upstream {
    /// Host and port.
    pub address: String,
    /// For TLS.
    pub tls: Option<Arc<ClientConfig>>,
}

/// A connection to it, opened by the first call.
#[derive(Debug)]
pub struct Line {
    upstream: Arc<Upstream>,
    open: Option<SendRequest<Incoming>>,
}

impl Line {
    /// A connection that is not open yet.
    pub fn new(upstream: Arc<Upstream>) -> Line {
        Line { upstream, open: None }
    }

    /// Passes a call on, and returns the head of the answer; its body streams. A call is sent once at most.
    pub async fn send(&mut self, request: Request<Incoming>) -> Result<Response<Incoming>, Failure> {
        let mut sender = match self.open.take() {
            // It is ready once the answer before was read to its end; otherwise it broke.
            Some(mut sender) => match sender.ready().await {
                Ok(()) => sender,
                Err(_) => self.connect().await?,
            },
            None => self.connect().await?,
        };
        let answer = sender.send_request(request).await?;
        self.open = Some(sender);
        Ok(answer)
    }

    async fn connect(&self) -> Result<SendRequest<Incoming>, Failure> {
        let stream = TcpStream::connect(&self.upstream.address).await?;
        stream.set_nodelay(true)?;
        match &self.upstream.tls {
            None => start(stream).await,
            Some(tls) => {
                let host = self.upstream.address.rsplit_once(':').map_or(self.upstream.address.as_str(), |(h, _)| h);
                let name = ServerName::try_from(host.trim_matches(['[', ']']).to_owned());
                let name = name.map_err(|e| Failure::Name(e.to_string()))?;
                start(TlsConnector::from(Arc::clone(tls)).connect(name, stream).await?).await
            }
        }
    }
}

async fn start<S>(stream: S) -> Result<SendRequest<Incoming>, Failure>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (sender, connection) = handshake(TokioIo::new(stream)).await?;
    // It ends with the sender; how it ended is told to whoever waits for the answer.
    tokio::spawn(async move { connection.await.ok() });
    Ok(sender)
}

//! The client of the API, over the controller's unix socket. A connection for each request: nothing to keep alive.

use std::{
    io,
    marker::PhantomData,
    path::{Path, PathBuf},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::{body::Incoming, client::conn::http1};
use hyper_util::rt::TokioIo;
use serde::de::DeserializeOwned;
use tokio::{net::UnixStream, time::timeout};

use crate::{
    Answer, ApiError, CommandRequest, DeployAnswer, DeployRequest, EventView, LogLine, LogQuery, RolloutDetail,
    RolloutView, StatusView, stream::SILENCE,
};

/// An answer that takes longer never comes.
const PATIENCE: Duration = Duration::from_secs(30);
/// The largest answer that is read at once, and the longest line of a stream.
const MAX_ANSWER_BYTES: usize = 64 << 20;

/// Why a request got no answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nobody listens on the socket.
    #[error("no controller runs for service {service}: start it with serin serve -f {file}")]
    NotRunning {
        /// The service.
        service: String,
        /// The file to start it with.
        file: String,
    },
    /// The socket may not be opened.
    #[error(
        "the controller of service {service} belongs to another user ({socket}): run this as that user, or as root"
    )]
    NotAllowed {
        /// The service.
        service: String,
        /// The socket.
        socket: String,
    },
    /// The connection broke.
    #[error("the controller of service {service} stopped answering: {why}")]
    Broken {
        /// The service.
        service: String,
        /// What happened.
        why: String,
    },
    /// The controller says no.
    #[error(transparent)]
    Api(#[from] ApiError),
}

/// A client of one service's controller.
#[derive(Clone, Debug)]
pub struct Client {
    service: String,
    file: String,
    socket: PathBuf,
}

impl Client {
    /// A client for the controller that listens on `socket`. `service` and `file` are named in errors.
    pub fn new(service: impl Into<String>, file: impl Into<String>, socket: impl Into<PathBuf>) -> Self {
        Client { service: service.into(), file: file.into(), socket: socket.into() }
    }
    /// The socket.
    pub fn socket(&self) -> &Path {
        &self.socket
    }
    /// The service.
    pub fn service(&self) -> &str {
        &self.service
    }

    /// What the service is doing now.
    ///
    /// # Errors
    /// As all methods here: no controller runs, it may not be asked, it went away, or it says no.
    pub async fn status(&self) -> Result<StatusView, ClientError> {
        self.get("/v1/status").await
    }
    /// The same, again with each change.
    #[allow(clippy::missing_errors_doc)]
    pub async fn watch(&self) -> Result<Follow<StatusView>, ClientError> {
        self.follow("/v1/status?watch").await
    }
    /// Events after `after`; with `follow` those that come too.
    #[allow(clippy::missing_errors_doc)]
    pub async fn events(&self, after: u64, follow: bool) -> Result<Follow<EventView>, ClientError> {
        self.follow(&format!("/v1/events?after={after}{}", if follow { "&follow" } else { "" })).await
    }
    /// Gives a command.
    #[allow(clippy::missing_errors_doc)]
    pub async fn command(&self, request: &CommandRequest) -> Result<Answer, ClientError> {
        self.post("/v1/commands", request).await
    }
    /// Hands over a spec.
    #[allow(clippy::missing_errors_doc)]
    pub async fn deploy(&self, request: &DeployRequest) -> Result<DeployAnswer, ClientError> {
        self.post("/v1/deploy", request).await
    }
    /// The last `limit` rollouts, newest first.
    #[allow(clippy::missing_errors_doc)]
    pub async fn history(&self, limit: usize) -> Result<Vec<RolloutView>, ClientError> {
        self.get(&format!("/v1/history?limit={limit}")).await
    }
    /// One rollout.
    #[allow(clippy::missing_errors_doc)]
    pub async fn rollout(&self, number: u64) -> Result<RolloutDetail, ClientError> {
        self.get(&format!("/v1/history/{number}")).await
    }
    /// Lines of output.
    #[allow(clippy::missing_errors_doc)]
    pub async fn logs(&self, query: &LogQuery) -> Result<Follow<LogLine>, ClientError> {
        let instance = query.instance.as_deref().unwrap_or_default();
        if !instance.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b)) {
            return Err(
                ApiError::new(404, format!("there is no instance `{instance}`"), "`serin status` lists them").into()
            );
        }
        self.follow(&format!(
            "/v1/logs?instance={instance}&tail={}{}",
            query.tail,
            if query.follow { "&follow" } else { "" }
        ))
        .await
    }

    async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, ClientError> {
        self.whole(Method::GET, path, Bytes::new()).await
    }

    async fn post<B: serde::Serialize, T: DeserializeOwned>(&self, path: &str, body: &B) -> Result<T, ClientError> {
        let body = serde_json::to_vec(body).map_err(|e| self.broken(e))?;
        self.whole(Method::POST, path, body.into()).await
    }

    async fn whole<T: DeserializeOwned>(&self, method: Method, path: &str, body: Bytes) -> Result<T, ClientError> {
        let work = async {
            let response = self.send(method, path, body).await?;
            let bytes = Limited::new(response.into_body(), MAX_ANSWER_BYTES)
                .collect()
                .await
                .map_err(|e| self.broken(e))?
                .to_bytes();
            serde_json::from_slice(&bytes)
                .map_err(|e| self.broken(format!("its answer is not understood, is it another version? {e}")))
        };
        timeout(PATIENCE, work)
            .await
            .unwrap_or_else(|_| Err(self.broken(format!("no answer within {} s", PATIENCE.as_secs()))))
    }

    async fn follow<T>(&self, path: &str) -> Result<Follow<T>, ClientError> {
        let work = self.send(Method::GET, path, Bytes::new());
        let response = timeout(PATIENCE, work).await.unwrap_or_else(|_| Err(self.broken("no answer")))?;
        Ok(Follow { client: self.clone(), body: response.into_body(), rest: BytesMut::new(), of: PhantomData })
    }

    /// Sends a request; an answer that is an error becomes one.
    async fn send(&self, method: Method, path: &str, body: Bytes) -> Result<Response<Incoming>, ClientError> {
        let stream = UnixStream::connect(&self.socket).await.map_err(|e| self.unreachable(&e))?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(|e| self.broken(e))?;
        tokio::spawn(async move { drop(connection.await) }); // its error reaches us through the response
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", "serin")
            .header("content-type", "application/json");
        let request = request.body(Full::new(body)).map_err(|e| self.broken(e))?;
        let response = sender.send_request(request).await.map_err(|e| self.broken(e))?;
        if response.status() == StatusCode::OK {
            return Ok(response);
        }
        let status = response.status().as_u16();
        let bytes = Limited::new(response.into_body(), MAX_ANSWER_BYTES)
            .collect()
            .await
            .map_err(|e| self.broken(e))?
            .to_bytes();
        let error = serde_json::from_slice::<ApiError>(&bytes)
            .unwrap_or_else(|_| ApiError::new(status, format!("the controller answered {status}"), ""));
        Err(ApiError { status, ..error }.into())
    }

    fn unreachable(&self, e: &io::Error) -> ClientError {
        let (service, socket) = (self.service.clone(), self.socket.display().to_string());
        if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) {
            ClientError::NotRunning { service, file: self.file.clone() }
        } else if e.kind() == io::ErrorKind::PermissionDenied {
            ClientError::NotAllowed { service, socket }
        } else if e.kind() == io::ErrorKind::InvalidInput {
            let text = format!("the state directory is too long: a unix socket cannot have the path {socket}");
            ApiError::new(400, text, "name a shorter one with --state or SERIN_STATE").into()
        } else {
            self.broken(e)
        }
    }

    fn broken(&self, why: impl ToString) -> ClientError {
        ClientError::Broken { service: self.service.clone(), why: why.to_string() }
    }
}

/// A stream of values, as they come.
#[derive(Debug)]
pub struct Follow<T> {
    client: Client,
    body: Incoming,
    rest: BytesMut,
    of: PhantomData<fn() -> T>,
}

impl<T: DeserializeOwned> Follow<T> {
    /// The next value; `None` when the controller has ended the stream. May be dropped at any await.
    ///
    /// # Errors
    /// The connection broke, or the controller gave no sign of life for 20 s.
    pub async fn next(&mut self) -> Result<Option<T>, ClientError> {
        loop {
            if let Some(end) = self.rest.iter().position(|b| *b == b'\n') {
                let line = self.rest.split_to(end + 1);
                if line.iter().all(u8::is_ascii_whitespace) {
                    continue;
                }
                return serde_json::from_slice(&line).map(Some).map_err(|e| {
                    self.client.broken(format!("its answer is not understood, is it another version? {e}"))
                });
            }
            if self.rest.len() > MAX_ANSWER_BYTES {
                return Err(self.client.broken("a line without an end"));
            }
            match timeout(SILENCE, self.body.frame()).await {
                Err(_) => return Err(self.client.broken(format!("no sign of life for {} s", SILENCE.as_secs()))),
                Ok(None) => return Ok(None),
                Ok(Some(Err(e))) => return Err(self.client.broken(e)),
                Ok(Some(Ok(frame))) => {
                    if let Ok(data) = frame.into_data() {
                        self.rest.extend_from_slice(&data);
                    }
                }
            }
        }
    }
}

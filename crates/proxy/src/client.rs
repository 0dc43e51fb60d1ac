//! The controller's side of the control protocol.
use crate::protocol::{Denial, Measures, Report, Request, Response, Table};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;

/// Why a request brought nothing.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The proxy understood and refused; nothing has changed.
    #[error(transparent)]
    Refused(#[from] Denial),
    /// Nobody answers at the socket. Whether the proxy did what was asked is not known.
    #[error("the proxy at {path} cannot be reached: {error}", path = .path.display())]
    Unreachable {
        /// The socket.
        path: PathBuf,
        /// What the system said.
        error: std::io::Error,
    },
    /// No answer in time. Whether the proxy did what was asked is not known.
    #[error("the proxy at {path} did not answer within {limit:?}", path = .path.display())]
    Late {
        /// The socket.
        path: PathBuf,
        /// How long it was waited for.
        limit: Duration,
    },
    /// Something answered that does not speak this protocol.
    #[error("the proxy at {path} answered with something else: {why}", path = .path.display())]
    Strange {
        /// The socket.
        path: PathBuf,
        /// What was not understood.
        why: String,
    },
}

/// Talks to one proxy, over one connection at a time, which it opens when it is needed.
#[derive(Debug)]
pub struct Client {
    path: PathBuf,
    limit: Duration,
    stream: Option<BufReader<UnixStream>>,
}

impl Client {
    /// For the proxy whose control socket is at `path`; every call ends within `limit`. Opens nothing yet.
    pub fn new(path: &Path, limit: Duration) -> Client {
        Client { path: path.to_owned(), limit, stream: None }
    }

    /// Fences lower epochs. Says which version is in force.
    ///
    /// # Errors
    /// See `ClientError`; saying it again is safe.
    pub async fn claim(&mut self, epoch: u64) -> Result<u64, ClientError> {
        let response = self.ask(&Request::Claim { epoch }).await?;
        if let Response::Claimed { version } = response { Ok(version) } else { Err(self.strange(&response)) }
    }

    /// Replaces the table; done means on disk. Saying it again is safe.
    ///
    /// # Errors
    /// See `ClientError`; saying it again is safe.
    pub async fn apply(&mut self, table: &Table) -> Result<u64, ClientError> {
        let response = self.ask(&Request::Apply { table: Box::new(table.clone()) }).await?;
        if let Response::Applied { version } = response { Ok(version) } else { Err(self.strange(&response)) }
    }

    /// Lets the lease begin anew.
    ///
    /// # Errors
    /// See `ClientError`.
    pub async fn renew(&mut self, epoch: u64, version: u64) -> Result<(), ClientError> {
        let response = self.ask(&Request::Renew { epoch, version }).await?;
        if let Response::Renewed { .. } = response { Ok(()) } else { Err(self.strange(&response)) }
    }

    /// What is in force.
    ///
    /// # Errors
    /// See `ClientError`.
    pub async fn report(&mut self) -> Result<Report, ClientError> {
        let response = self.ask(&Request::Report).await?;
        if let Response::Report(report) = response { Ok(*report) } else { Err(self.strange(&response)) }
    }

    /// What was counted.
    ///
    /// # Errors
    /// See `ClientError`.
    pub async fn measure(&mut self) -> Result<Measures, ClientError> {
        let response = self.ask(&Request::Measure).await?;
        if let Response::Measures(measures) = response { Ok(*measures) } else { Err(self.strange(&response)) }
    }

    /// Sends one request and reads its response. A connection that the proxy has left is replaced once: every request
    /// may be said twice.
    async fn ask(&mut self, request: &Request) -> Result<Response, ClientError> {
        let reused = self.stream.is_some();
        let answer = tokio::time::timeout(self.limit, async {
            match self.ask_once(request).await {
                Err(ClientError::Unreachable { .. }) if reused => self.ask_once(request).await,
                answer => answer,
            }
        });
        match answer.await {
            Ok(Ok(Response::Refused(denial))) => Err(denial.into()),
            Ok(answer) => answer,
            Err(_) => {
                self.stream = None; // a late answer must not be taken for the next one
                Err(ClientError::Late { path: self.path.clone(), limit: self.limit })
            }
        }
    }

    async fn ask_once(&mut self, request: &Request) -> Result<Response, ClientError> {
        let unreachable = |error| ClientError::Unreachable { path: self.path.clone(), error };
        let mut stream = match self.stream.take() {
            Some(stream) => stream,
            None => BufReader::new(UnixStream::connect(&self.path).await.map_err(unreachable)?),
        };
        let mut line = serde_json::to_string(request).map_err(|e| unreachable(e.into()))?;
        line.push('\n');
        stream.write_all(line.as_bytes()).await.map_err(unreachable)?;
        line.clear();
        if stream.read_line(&mut line).await.map_err(unreachable)? == 0 || !line.ends_with('\n') {
            return Err(unreachable(std::io::ErrorKind::UnexpectedEof.into()));
        }
        self.stream = Some(stream);
        serde_json::from_str(&line)
            .map_err(|e| ClientError::Strange { path: self.path.clone(), why: format!("{e}, in {}", line.trim_end()) })
    }

    fn strange(&self, response: &Response) -> ClientError {
        ClientError::Strange { path: self.path.clone(), why: format!("{response:?}") }
    }
}

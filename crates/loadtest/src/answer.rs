//! What is answered to a request, whatever it is.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, Method, Response, StatusCode, header};
use http_body_util::Full;

use crate::Settings;
use crate::commands::{Begun, Commands};
use crate::counters::{Counters, count};
use crate::gates::{Gates, Kind};
use crate::log;
use crate::order::Order;
use crate::payload::Payload;
use crate::refusal::Refusal;
use crate::running::Done;
use crate::token::Token;

/// An answer before it is HTTP.
#[derive(Debug)]
pub(crate) struct Answer {
    status: StatusCode,
    text: String,
    /// Whom it was about, as far as that was read.
    whom: Option<String>,
    /// The request was refused. (A closed gate says no, and does what was asked of it.)
    refused: bool,
}

impl Answer {
    fn of(status: StatusCode, text: impl Into<String>) -> Self {
        Self { status, text: text.into(), whom: None, refused: false }
    }

    /// As a response; its body is one line, or the output of a command.
    pub(crate) fn response(self) -> Response<Full<Bytes>> {
        let mut text = self.text;
        if !text.ends_with('\n') {
            text.push('\n');
        }
        let mut response = Response::new(Full::new(Bytes::from(text)));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, header::HeaderValue::from_static("text/plain; charset=utf-8"));
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, header::HeaderValue::from_static("nosniff"));
        if self.status == StatusCode::UNAUTHORIZED {
            headers
                .insert(header::WWW_AUTHENTICATE, header::HeaderValue::from_static("Basic realm=\"serin loadtest\""));
        }
        response
    }
}

impl From<Refusal> for Answer {
    fn from(refusal: Refusal) -> Self {
        Self { refused: true, ..Self::of(refusal.status, refusal.text) }
    }
}

/// What a path is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Path {
    Run,
    Approve,
    Halt,
    Check(Kind),
    Set(Kind, bool),
    Health,
    Metrics,
}

impl Path {
    fn of(path: &str) -> Option<Self> {
        Some(match path {
            "/" => Self::Run,
            "/gate/approve" => Self::Approve,
            "/gate/halt" => Self::Halt,
            "/gate/check" => Self::Check(Kind::Gate),
            "/gate/open" => Self::Set(Kind::Gate, true),
            "/gate/close" => Self::Set(Kind::Gate, false),
            "/rollback/check" => Self::Check(Kind::Rollback),
            "/rollback/open" => Self::Set(Kind::Rollback, true),
            "/rollback/close" => Self::Set(Kind::Rollback, false),
            "/healthz" => Self::Health,
            "/metrics" => Self::Metrics,
            _ => return None,
        })
    }

    /// Read by kubelet and Prometheus, which have no token; they tell nothing but numbers.
    const fn is_open(self) -> bool {
        match self {
            Self::Health | Self::Metrics => true,
            Self::Run | Self::Approve | Self::Halt | Self::Check(_) | Self::Set(..) => false,
        }
    }
}

/// Everything that answers.
pub(crate) struct Answerer {
    settings: Arc<Settings>,
    token: Option<Token>,
    counters: Arc<Counters>,
    gates: Mutex<Gates>,
    /// The commands that run.
    pub(crate) commands: Arc<Commands>,
}

impl Answerer {
    pub(crate) fn new(settings: Arc<Settings>, token: Option<Token>, gates: Gates) -> Self {
        let counters = Arc::new(Counters::default());
        let commands = Commands::new(Arc::clone(&settings), Arc::clone(&counters));
        Self { settings, token, counters, gates: Mutex::new(gates), commands }
    }

    fn gates(&self) -> MutexGuard<'_, Gates> {
        self.gates.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Answers a request whose body is still to be read, by `body`, only if it counts.
    pub(crate) async fn answer(&self, head: &Parts, body: impl Future<Output = Result<Bytes, Refusal>>) -> Answer {
        let path = Path::of(head.uri.path());
        if let Some(path) = path.filter(|path| path.is_open()) {
            return self.look(path, &head.method);
        }
        let answer = match self.act(path, head, body).await {
            Ok(answer) => answer,
            Err(refusal) => refusal.into(),
        };
        self.log(head, &answer);
        answer
    }

    /// Logs and counts an answer, also one that was given before the request was whole.
    fn log(&self, head: &Parts, answer: &Answer) {
        if answer.refused {
            count(&self.counters.refused);
        }
        let said = if answer.refused { log::cut(&answer.text) } else { serde_json::Value::Null };
        log::line(
            "answered",
            [
                ("method", log::cut(head.method.as_str())),
                ("path", log::cut(head.uri.path())),
                ("for", answer.whom.clone().into()),
                ("status", answer.status.as_u16().into()),
                ("refused", said),
            ],
        );
    }

    fn look(&self, path: Path, method: &Method) -> Answer {
        if !matches!(*method, Method::GET | Method::HEAD) {
            return Answer::of(StatusCode::METHOD_NOT_ALLOWED, "this path takes GET");
        }
        if path == Path::Metrics {
            return Answer::of(StatusCode::OK, self.counters.page(self.commands.running(), &self.gates()));
        }
        Answer::of(StatusCode::OK, "ok")
    }

    async fn act(
        &self,
        path: Option<Path>,
        head: &Parts,
        body: impl Future<Output = Result<Bytes, Refusal>>,
    ) -> Result<Answer, Refusal> {
        self.may_command(&head.headers)?;
        let Some(path) = path else {
            return Err(Refusal::new(
                StatusCode::NOT_FOUND,
                "there is nothing at this path; commands go to /, gates are /gate/{approve,halt,check,open,close} and \
                 /rollback/{check,open,close}, beside them /healthz and /metrics",
            ));
        };
        if head.method != Method::POST {
            return Err(Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "this path takes POST, with a webhook's payload"));
        }
        let body = body.await?;
        match path {
            // Whoever asks these is told the same, whatever it sends.
            Path::Approve => Ok(Answer::of(StatusCode::OK, "OK")),
            Path::Halt => Ok(Answer::of(StatusCode::FORBIDDEN, "Forbidden")),
            Path::Run => {
                let payload = Payload::read(&body)?;
                let whom = Some(payload.canary().to_string());
                let answer = match self.run(&payload).await {
                    Ok(answer) => answer,
                    Err(refusal) => refusal.into(),
                };
                Ok(Answer { whom, ..answer })
            }
            Path::Check(kind) => {
                let canary = Payload::read(&body)?.named()?;
                let (status, word) = if self.gates().is_open(kind, &canary) {
                    (StatusCode::OK, "Approved")
                } else {
                    (StatusCode::FORBIDDEN, "Forbidden")
                };
                Ok(Answer { whom: Some(canary.to_string()), ..Answer::of(status, word) })
            }
            Path::Set(kind, open) => {
                let canary = Payload::read(&body)?.named()?;
                self.gates().set(kind, &canary, open)?;
                let text = format!("{} of {canary} is {}", kind.word(), if open { "open" } else { "closed" });
                Ok(Answer { whom: Some(canary.to_string()), ..Answer::of(StatusCode::ACCEPTED, text) })
            }
            Path::Health | Path::Metrics => Ok(self.look(path, &head.method)),
        }
    }

    /// Whether whoever sent this may command. A page in a browser on this machine can send requests to loopback too, and
    /// says by its headers that it is one.
    fn may_command(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        match &self.token {
            Some(token) if token.is_in(headers) => Ok(()),
            Some(_) => Err(Refusal::new(
                StatusCode::UNAUTHORIZED,
                "the token is missing or another one; write it into the webhook's address, http://any:TOKEN@HOST:PORT/, or send \
                 the header Authorization: Bearer TOKEN",
            )),
            None if headers.contains_key(header::ORIGIN) || headers.contains_key("sec-fetch-site") => {
                Err(Refusal::new(
                    StatusCode::FORBIDDEN,
                    "this comes from a page in a browser, and without --token-file no page may command",
                ))
            }
            None => Ok(()),
        }
    }

    async fn run(&self, payload: &Payload) -> Result<Answer, Refusal> {
        let order = Order::of(payload, &self.settings)?;
        let returns = order.return_output;
        match self.commands.begin(order).await? {
            Begun::Started => Ok(Answer::of(StatusCode::ACCEPTED, "started")),
            Begun::Repeated => Ok(Answer::of(StatusCode::ACCEPTED, "it runs already")),
            Begun::Awaited(done) => match done.await {
                Ok(done) => Ok(told(done, returns)),
                Err(_) => Ok(Answer::of(StatusCode::INTERNAL_SERVER_ERROR, "the command was lost")),
            },
        }
    }
}

/// What came of a command that somebody waits for.
fn told(done: Done, returns: bool) -> Answer {
    if done.is_success() {
        return Answer::of(StatusCode::OK, if returns { done.output } else { "OK".to_owned() });
    }
    let text = format!("the command {}\n{}", done.ending, done.output);
    Answer::of(StatusCode::INTERNAL_SERVER_ERROR, text)
}

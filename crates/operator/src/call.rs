//! One exchange with the API server, and what may be concluded when it goes wrong.

use crate::connect::Api;
use http::{Method, Request, Response};
use http_body_util::BodyExt;
use kube::client::Body;
use serde_json::Value;
use std::io;
use std::time::Duration;

/// An answer that says no.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The HTTP status.
    pub code: u16,
    /// The word for machines, such as `Conflict`; empty where there is none.
    pub reason: String,
    /// The server's words for people.
    pub message: String,
}

/// Why a call has no good answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// It was never sent: nothing of it can have happened.
    #[error("{0}")]
    NotSent(String),
    /// The server refused it (4xx): nothing of it has happened.
    #[error("the API server refuses it ({}{}): {}", .0.code, spaced(&.0.reason), .0.message)]
    Refused(Refusal),
    /// It was sent, and nobody knows what came of it: no answer in time, a cut connection, an error of the server's own
    /// (5xx), or an answer that is none.
    #[error("{0}")]
    Unknown(String),
}

fn spaced(reason: &str) -> String {
    if reason.is_empty() { String::new() } else { format!(" {reason}") }
}

/// What is asked.
pub(crate) struct Ask {
    pub method: Method,
    /// Path and query.
    pub path: String,
    /// The media type that is wanted.
    pub accept: &'static str,
    /// The body's media type, and the body.
    pub body: Option<(&'static str, Value)>,
}

/// Plain JSON.
pub(crate) const JSON: &str = "application/json";

impl Ask {
    pub fn get(path: String) -> Ask {
        Ask { method: Method::GET, path, accept: JSON, body: None }
    }
}

impl Api {
    /// Asks, and reads the whole answer as JSON; all of it within `within`, or the timeout of all calls if that is less.
    pub(crate) async fn call(&self, ask: Ask, within: Duration) -> Result<Value, CallError> {
        let within = within.min(self.timeout());
        let path = ask.path.clone();
        let exchange = async {
            let response = self.send(ask).await?;
            let bytes = response.into_body().collect().await.map_err(|e| broken(&path, &e.to_string()))?.to_bytes();
            serde_json::from_slice(&bytes)
                .map_err(|e| CallError::Unknown(format!("the answer of {path} is not the JSON of an object: {e}")))
        };
        match tokio::time::timeout(within, exchange).await {
            Ok(result) => result,
            Err(_) => Err(self.late(&path, within)),
        }
    }

    /// Asks, and returns the answer's body as it comes; its head must be there within the timeout of all calls.
    pub(crate) async fn open(&self, ask: Ask) -> Result<Body, CallError> {
        let path = ask.path.clone();
        match tokio::time::timeout(self.timeout(), self.send(ask)).await {
            Ok(response) => Ok(response?.into_body()),
            Err(_) => Err(self.late(&path, self.timeout())),
        }
    }

    fn late(&self, path: &str, within: Duration) -> CallError {
        CallError::Unknown(format!("{} did not answer {path} within {} ms", self.server(), within.as_millis()))
    }

    async fn send(&self, ask: Ask) -> Result<Response<Body>, CallError> {
        let path = ask.path.clone();
        let mut request = Request::builder().method(ask.method).uri(ask.path).header("accept", ask.accept);
        let body = match ask.body {
            Some((media, value)) => {
                request = request.header("content-type", media);
                Body::from(value.to_string().into_bytes())
            }
            None => Body::empty(),
        };
        let request = request.body(body).map_err(|e| CallError::NotSent(format!("{path} cannot be asked for: {e}")))?;
        let response = self.client().send(request).await.map_err(|e| failed(self.server(), &path, &e))?;
        if response.status().is_success() {
            return Ok(response);
        }
        let code = response.status().as_u16();
        let bytes = response.into_body().collect().await.map_err(|e| broken(&path, &e.to_string()))?.to_bytes();
        let refusal = refusal(code, &bytes);
        if (400..500).contains(&code) {
            return Err(CallError::Refused(refusal));
        }
        Err(CallError::Unknown(format!("the API server answers {path} with {code}: {}", refusal.message)))
    }
}

/// Reads the server's words from its `Status` object, or from whatever it sent instead.
pub(crate) fn refusal(code: u16, bytes: &[u8]) -> Refusal {
    let said: Value = serde_json::from_slice(bytes).unwrap_or(Value::Null);
    let text = |pointer: &str| said.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
    let mut message = text("/message");
    for cause in said.pointer("/details/causes").and_then(Value::as_array).into_iter().flatten() {
        let word = cause.get("message").and_then(Value::as_str).unwrap_or_default();
        if !word.is_empty() && !message.contains(word) {
            message = format!("{message}; {word}");
        }
    }
    if message.is_empty() {
        message = String::from_utf8_lossy(bytes).chars().take(300).collect::<String>().trim().to_owned();
    }
    Refusal { code, reason: text("/reason"), message }
}

fn broken(path: &str, why: &str) -> CallError {
    CallError::Unknown(format!("the connection broke before the answer of {path} was whole: {why}"))
}

/// What an error of the client means. Only what happened before the connection stood is known not to have been sent.
fn failed(server: &str, path: &str, error: &kube::Error) -> CallError {
    let depth = innermost(error);
    if let kube::Error::Auth(_) = error {
        return CallError::NotSent(format!("the credentials for {server} cannot be had: {depth}"));
    }
    let mut next: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(at) = next {
        if at.downcast_ref::<hyper_util::client::legacy::Error>().is_some_and(|e| e.is_connect()) {
            return CallError::NotSent(unreachable(server, at));
        }
        next = at.source();
    }
    CallError::Unknown(format!("the connection to {server} broke after {path} was asked for: {depth}"))
}

/// Why no connection came to be, in a sentence with what to do.
fn unreachable(server: &str, error: &(dyn std::error::Error + 'static)) -> String {
    let mut next = Some(error);
    while let Some(at) = next {
        if let Some(tls) = at.downcast_ref::<rustls::Error>() {
            return certificate(server, tls);
        }
        match at.downcast_ref::<io::Error>().map(io::Error::kind) {
            Some(io::ErrorKind::ConnectionRefused) => {
                return format!(
                    "{server} refuses the connection: nobody listens there; is the API server up, and is the address right?"
                );
            }
            Some(io::ErrorKind::TimedOut) => {
                return format!(
                    "{server} does not take a connection in time: look whether a firewall or a network policy is between"
                );
            }
            _ => next = inner(at),
        }
    }
    format!("{server} cannot be reached: {}", innermost(error))
}

fn certificate(server: &str, error: &rustls::Error) -> String {
    let rustls::Error::InvalidCertificate(why) = error else {
        return format!("no TLS connection to {server}: {error}");
    };
    format!(
        "the certificate of {server} is not to be trusted ({why:?}): put the authority that signed it, and a name that it is \
         for, into the kubeconfig (certificate-authority, tls-server-name)"
    )
}

fn innermost(error: &(dyn std::error::Error + 'static)) -> String {
    let mut at = error;
    while let Some(next) = inner(at) {
        at = next;
    }
    at.to_string()
}

/// The error below. An I/O error that holds another one names as its source what is below that one.
fn inner<'a>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a (dyn std::error::Error + 'static)> {
    match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
        Some(held) => Some(held),
        None => error.source(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_a_status_are_kept_with_its_causes() {
        let status = br#"{"kind":"Status","message":"no","reason":"Invalid","details":{"causes":[{"message":"a: must be b"},{"message":"no"}]}}"#;
        let said = refusal(422, status);
        assert_eq!(said, Refusal { code: 422, reason: "Invalid".into(), message: "no; a: must be b".into() });
    }

    #[test]
    fn what_is_no_status_is_quoted() {
        assert_eq!(refusal(403, b"blocked by a proxy\n").message, "blocked by a proxy");
        assert_eq!(refusal(400, b"").message, "");
    }
}

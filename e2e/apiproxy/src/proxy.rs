//! One call: counted, perhaps made to go wrong, passed on.

use crate::call::Call;
use crate::fault::Action;
use crate::ledger::Ledger;
use crate::upstream::{Failure, Line};
use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_TYPE, TRANSFER_ENCODING, UPGRADE};
use http::{HeaderValue, Request, Response, StatusCode};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use std::time::Duration;

/// The body of an answer: the API server's, as it comes, or our own.
pub type Body = BoxBody<Bytes, hyper::Error>;

/// The connection is to end without an answer.
#[derive(Debug, thiserror::Error)]
#[error("the connection ends here, as a fault wants it")]
pub struct Dropped;

/// Deals with one call.
///
/// # Errors
/// [`Dropped`] where the client is to get no answer.
pub async fn handle(ledger: &Ledger, line: &mut Line, request: Request<Incoming>) -> Result<Response<Body>, Dropped> {
    let call = Call::of(&request);
    match ledger.enter(&call) {
        None => Ok(forward(ledger, line, &call, request).await),
        Some(Action::Delay { millis }) => {
            tokio::time::sleep(Duration::from_millis(millis)).await;
            Ok(forward(ledger, line, &call, request).await)
        }
        Some(Action::KillBefore { pid }) => {
            kill(pid);
            Err(Dropped)
        }
        Some(Action::DropBefore) => Err(Dropped),
        Some(Action::Conflict) => Ok(conflict(&call)),
        Some(Action::KillAfter { pid }) => {
            whole(forward(ledger, line, &call, request).await).await;
            kill(pid);
            Err(Dropped)
        }
        Some(Action::DropAfter) => {
            whole(forward(ledger, line, &call, request).await).await;
            Err(Dropped)
        }
        Some(Action::ErrorAfter) => {
            let status = whole(forward(ledger, line, &call, request).await).await;
            let message = format!("a fault for a test: the API server had answered {status}");
            Ok(failure(StatusCode::INTERNAL_SERVER_ERROR, "InternalError", &message, &call))
        }
    }
}

async fn forward(ledger: &Ledger, line: &mut Line, call: &Call, mut request: Request<Incoming>) -> Response<Body> {
    if request.headers().contains_key(UPGRADE) {
        let why = "this proxy passes no upgrades on (exec, attach, port-forward): ask the API server itself";
        return failure(StatusCode::NOT_IMPLEMENTED, "NotImplemented", why, call);
    }
    hop_by_hop(request.headers_mut());
    ledger.forwarded(call);
    match line.send(request).await {
        Ok(mut answer) => {
            hop_by_hop(answer.headers_mut());
            answer.map(BodyExt::boxed)
        }
        Err(why @ (Failure::Connect(_) | Failure::Name(_) | Failure::Exchange(_))) => {
            failure(StatusCode::BAD_GATEWAY, "ServiceUnavailable", &why.to_string(), call)
        }
    }
}

/// What is said to the other end of one connection, and not passed on.
fn hop_by_hop(headers: &mut http::HeaderMap) {
    headers.remove(CONNECTION);
    headers.remove(TRANSFER_ENCODING);
}

/// Waits for the end of an answer, so that what it answers was done, and returns its status.
async fn whole(answer: Response<Body>) -> StatusCode {
    let status = answer.status();
    // An answer that breaks off was one all the same.
    let _ = answer.into_body().collect().await;
    status
}

fn kill(pid: i32) {
    // A fault holds no other than positive ids; a process that has ended already cannot be killed.
    if let Some(pid) = Pid::from_raw(pid) {
        let _ = kill_process(pid, Signal::KILL);
    }
}

fn conflict(call: &Call) -> Response<Body> {
    let kind = call.resource.split('/').next().unwrap_or_default();
    let full = if call.group.is_empty() { kind.to_owned() } else { format!("{kind}.{}", call.group) };
    let message = format!(
        "Operation cannot be fulfilled on {full} {:?}: the object has been modified; please apply your changes to the \
         latest version and try again",
        call.name
    );
    failure(StatusCode::CONFLICT, "Conflict", &message, call)
}

/// A `Status` object, with which Kubernetes says what went wrong.
fn failure(code: StatusCode, reason: &str, message: &str, call: &Call) -> Response<Body> {
    let status = json!({
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": message,
        "reason": reason,
        "details": {"name": call.name, "group": call.group, "kind": call.resource},
        "code": code.as_u16(),
    });
    answer(code, &status)
}

/// An answer with this JSON in it.
pub fn answer(code: StatusCode, value: &serde_json::Value) -> Response<Body> {
    let text = Full::new(Bytes::from(format!("{value}\n"))).map_err(|never| match never {});
    let mut answer = Response::new(text.boxed());
    *answer.status_mut() = code;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    answer
}

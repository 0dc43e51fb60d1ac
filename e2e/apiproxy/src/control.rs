//! The second address, by which a test steers the proxy: small JSON over HTTP.

use crate::fault::Fault;
use crate::ledger::Ledger;
use crate::proxy::{Body, answer};
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use serde_json::{Value, json};

/// The longest fault.
const LONGEST: usize = 64 * 1024;

/// Answers one request.
pub async fn handle(ledger: &Ledger, request: Request<Incoming>) -> Response<Body> {
    let (code, value) = match (request.method().clone(), request.uri().path()) {
        (Method::GET, "/calls") => (StatusCode::OK, ledger.report()),
        (Method::POST, "/faults") => set(ledger, request).await,
        (Method::DELETE, "/faults") => {
            ledger.clear();
            (StatusCode::OK, json!({}))
        }
        (method, path) => {
            let why = format!("there are GET /calls, POST /faults and DELETE /faults, and no {method} {path}");
            (StatusCode::NOT_FOUND, json!({ "error": why }))
        }
    };
    answer(code, &value)
}

async fn set(ledger: &Ledger, request: Request<Incoming>) -> (StatusCode, Value) {
    let refused = |why: String| (StatusCode::BAD_REQUEST, json!({ "error": why }));
    let body = match Limited::new(request.into_body(), LONGEST).collect().await {
        Ok(body) => body.to_bytes(),
        Err(e) => return refused(format!("the body cannot be read: {e}")),
    };
    match serde_json::from_slice::<Fault>(&body) {
        Ok(fault) => match fault.wrong() {
            None => (StatusCode::OK, json!({ "id": ledger.add(fault) })),
            Some(why) => refused(why.to_owned()),
        },
        Err(e) => refused(format!("this is no fault: {e}")),
    }
}

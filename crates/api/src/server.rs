//! The HTTP side of a [`Controller`], on a unix socket that only its owner may open.

use std::{collections::HashMap, future::Future, io, os::unix::fs::PermissionsExt, path::Path, sync::Arc};

use axum::{
    Json, Router,
    body::Body,
    extract::{DefaultBodyLimit, Path as Segment, Query, State, rejection::BytesRejection},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use bytes::Bytes;
use http::{StatusCode, header};
use serde::de::DeserializeOwned;
use tokio::{
    net::UnixListener,
    time::{Instant, timeout},
};

use crate::{
    controller::{ApiError, Controller, LogQuery},
    stream::{HEARTBEAT, Lines, lines},
};

/// The largest command: it is a few words.
const MAX_COMMAND_BYTES: usize = 64 << 10;
/// The largest spec: config files of 1 MiB each fit in, some of them.
const MAX_SPEC_BYTES: usize = 8 << 20;
/// Events that are read from the controller at once.
const EVENTS_AT_ONCE: usize = 500;
/// Rollouts that are listed when nobody says how many.
const HISTORY: usize = 20;

type Params = Query<HashMap<String, String>>;

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        (status, Json(self)).into_response()
    }
}

/// All routes of the API.
pub fn router<C: Controller>(controller: Arc<C>) -> Router {
    Router::new()
        .route("/healthz", get(async || "ok\n"))
        .route("/v1/status", get(status::<C>))
        .route("/v1/events", get(events::<C>))
        .route("/v1/commands", post(command::<C>).layer(DefaultBodyLimit::max(MAX_COMMAND_BYTES)))
        .route("/v1/deploy", post(deploy::<C>).layer(DefaultBodyLimit::max(MAX_SPEC_BYTES)))
        .route("/v1/history", get(history::<C>))
        .route("/v1/history/{number}", get(rollout::<C>))
        .route("/v1/measures", get(measures::<C>))
        .route("/v1/logs", get(logs::<C>))
        .fallback(async || {
            ApiError::new(
                404,
                "there is nothing at this path",
                "the paths are /v1/status, /v1/events, /v1/commands, /v1/deploy, /v1/history, /v1/measures and /v1/logs",
            )
        })
        .method_not_allowed_fallback(async || {
            ApiError::new(405, "this path takes another method", "commands and deploy are POST, everything else is GET")
        })
        .with_state(controller)
}

/// Serves the API on `socket` until `end` resolves. A socket file that is there already is replaced: the caller holds
/// the lock on the store, so it belongs to nobody. Only the owner may connect.
///
/// # Errors
/// The socket cannot be made.
pub async fn serve<C: Controller>(
    socket: &Path,
    controller: Arc<C>,
    end: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let fresh = socket.with_extension("new");
    if let Err(e) = std::fs::remove_file(&fresh)
        && e.kind() != io::ErrorKind::NotFound
    {
        return Err(e);
    }
    // Under its own name only once nobody else may connect.
    let listener = UnixListener::bind(&fresh)?;
    std::fs::set_permissions(&fresh, std::fs::Permissions::from_mode(0o600))?;
    std::fs::rename(&fresh, socket)?;
    // Followers never end by themselves, so this does not wait for open connections.
    tokio::select! {
        done = async { axum::serve(listener, router(controller)).await } => done,
        () = end => Ok(()),
    }
}

fn body<T: DeserializeOwned>(body: Result<Bytes, BytesRejection>) -> Result<T, ApiError> {
    let bytes =
        body.map_err(|e| ApiError::new(e.status().as_u16(), "the request's body is too large, or was cut off", ""))?;
    serde_json::from_slice(&bytes)
        .map_err(|e| ApiError::new(400, format!("the request's body is not what this path takes: {e}"), ""))
}

fn number<T: std::str::FromStr>(params: &Params, name: &str, default: T) -> Result<T, ApiError> {
    let Some(text) = params.get(name) else { return Ok(default) };
    text.parse().map_err(|_| ApiError::new(400, format!("`{name}={text}` is not a number"), ""))
}

/// A response of lines that `feed` writes in a task of its own. The task ends with the connection.
fn feed<F: Future<Output = ()> + Send + 'static>(write: impl FnOnce(Lines) -> F) -> Response {
    let (send, body) = lines();
    tokio::spawn(write(send));
    ([(header::CONTENT_TYPE, "application/x-ndjson")], Body::new(body)).into_response()
}

async fn status<C: Controller>(State(c): State<Arc<C>>, params: Params) -> Result<Response, ApiError> {
    if !params.contains_key("watch") {
        return Ok(Json(c.status().await?).into_response());
    }
    Ok(feed(async move |lines: Lines| {
        let mut changes = c.changes();
        loop {
            changes.borrow_and_update();
            let Ok(status) = c.status().await else { return };
            if !lines.send(&status).await {
                return;
            }
            if let Ok(Err(_)) = timeout(HEARTBEAT, changes.changed()).await {
                return; // the controller has gone
            }
        }
    }))
}

async fn events<C: Controller>(State(c): State<Arc<C>>, params: Params) -> Result<Response, ApiError> {
    let mut after: u64 = number(&params, "after", 0)?;
    let follow = params.contains_key("follow");
    Ok(feed(async move |lines: Lines| {
        let mut changes = c.changes();
        let mut heard = Instant::now();
        loop {
            changes.borrow_and_update();
            let Ok(events) = c.events(after, EVENTS_AT_ONCE).await else { return };
            for event in &events {
                after = event.seq;
                if !lines.send(event).await {
                    return;
                }
            }
            if events.len() == EVENTS_AT_ONCE {
                continue;
            }
            if !follow {
                return;
            }
            if !events.is_empty() {
                heard = Instant::now();
            } else if heard.elapsed() >= HEARTBEAT {
                // Changes may come so often that none of them brings a line: then this is the sign of life.
                if !lines.beat().await {
                    return;
                }
                heard = Instant::now();
            }
            if let Ok(Err(_)) = timeout(HEARTBEAT, changes.changed()).await {
                return; // the controller has gone
            }
        }
    }))
}

async fn command<C: Controller>(
    State(c): State<Arc<C>>,
    bytes: Result<Bytes, BytesRejection>,
) -> Result<Response, ApiError> {
    Ok(Json(c.command(body(bytes)?).await?).into_response())
}

async fn deploy<C: Controller>(
    State(c): State<Arc<C>>,
    bytes: Result<Bytes, BytesRejection>,
) -> Result<Response, ApiError> {
    Ok(Json(c.deploy(body(bytes)?).await?).into_response())
}

async fn history<C: Controller>(State(c): State<Arc<C>>, params: Params) -> Result<Response, ApiError> {
    Ok(Json(c.history(number(&params, "limit", HISTORY)?).await?).into_response())
}

async fn rollout<C: Controller>(State(c): State<Arc<C>>, Segment(text): Segment<String>) -> Result<Response, ApiError> {
    let missing = || ApiError::new(404, format!("there is no rollout {text}"), "`serin history` lists them");
    let number = text.parse().map_err(|_| missing())?;
    Ok(Json(c.rollout(number).await?.ok_or_else(missing)?).into_response())
}

async fn measures<C: Controller>(State(c): State<Arc<C>>) -> Result<Response, ApiError> {
    Ok(Json(c.measures().await?).into_response())
}

async fn logs<C: Controller>(State(c): State<Arc<C>>, params: Params) -> Result<Response, ApiError> {
    let instance = params.get("instance").filter(|i| !i.is_empty()).cloned();
    let query = LogQuery { instance, tail: number(&params, "tail", 100)?, follow: params.contains_key("follow") };
    let mut from = c.logs(query).await?;
    Ok(feed(async move |lines: Lines| {
        loop {
            let alive = tokio::select! {
                line = timeout(HEARTBEAT, from.recv()) => match line {
                    Ok(Some(line)) => lines.send(&line).await,
                    Ok(None) => false,
                    Err(_) => lines.beat().await,
                },
                () = lines.closed() => false,
            };
            if !alive {
                return;
            }
        }
    }))
}

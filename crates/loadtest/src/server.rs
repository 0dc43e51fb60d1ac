//! The listening side: a request for each connection, everything about it bounded, and an orderly end.

use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{Semaphore, watch};
use tokio::time::{sleep, timeout};

use crate::answer::Answerer;
use crate::gates::Gates;
use crate::log;
use crate::refusal::Refusal;
use crate::token::Token;
use crate::{ALLOWED, Settings};

/// The largest body: a payload is a few names and a command.
const BODY: usize = 64 << 10;
/// The largest head, and the most header fields in it.
const HEAD: usize = 16 << 10;
const FIELDS: usize = 64;
/// Connections beside those of commands that somebody waits for.
const CONNECTIONS: usize = 64;
/// After a failed accept, which a lack of descriptors makes fail again at once.
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);
/// How long answers have to be sent when the load tester ends.
const FAREWELL: Duration = Duration::from_secs(2);

/// Why there is no load tester, or none any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unable {
    /// What is wrong.
    pub what: String,
    /// What to do about it; may be empty.
    pub hint: String,
    /// Whether it is the command line that is wrong, and not the world.
    pub usage: bool,
}

impl Unable {
    fn world(what: impl Into<String>, hint: &str) -> Self {
        Self { what: what.into(), hint: hint.to_owned(), usage: false }
    }

    fn usage(what: impl Into<String>, hint: &str) -> Self {
        Self { what: what.into(), hint: hint.to_owned(), usage: true }
    }
}

/// Answers until SIGTERM or SIGINT, and then ends what was started; a second signal kills it at once.
///
/// # Errors
/// The settings make no sense together, or the system refuses what is needed.
pub fn serve(settings: Settings) -> Result<(), Unable> {
    let token = settings.token_file.as_deref().map(Token::read).transpose();
    let token = token.map_err(|why| Unable::usage(why, "head -c 24 /dev/urandom | base64 prints a good one"))?;
    check(&settings, token.is_some())?;
    let gates = Gates::at(settings.state.as_deref()).map_err(|why| Unable::world(why, ""))?;
    // One thread: the keepers die with the thread that started them no sooner than with the process.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime =
        runtime.map_err(|e| Unable::world(format!("the system refuses what every process needs: {e}"), ""))?;
    runtime.block_on(listen(settings, token, gates))
}

fn check(settings: &Settings, token: bool) -> Result<(), Unable> {
    let address = settings.listen;
    if !token && !address.ip().is_loopback() && !settings.insecure_without_token {
        return Err(Unable::usage(
            format!("without a token anybody who reaches {address} may command this load tester"),
            "give it a token with --token-file FILE, listen on 127.0.0.1, or say --insecure-without-token",
        ));
    }
    if settings.shell.is_none() && settings.allow.is_empty() {
        return Err(Unable::usage("no program is allowed", "name one with --allow PROGRAM"));
    }
    if settings.most == 0 || settings.timeout.is_zero() {
        return Err(Unable::usage("no command could ever run", "--most and --timeout are at least 1 and 1s"));
    }
    Ok(())
}

async fn listen(settings: Settings, token: Option<Token>, gates: Gates) -> Result<(), Unable> {
    let refused = |e: io::Error| Unable::world(format!("the system refuses signal handlers: {e}"), "");
    let mut signals =
        (signal(SignalKind::terminate()).map_err(refused)?, signal(SignalKind::interrupt()).map_err(refused)?);
    let wanted = settings.listen;
    let listener = TcpListener::bind(wanted).await.map_err(|e| {
        Unable::world(format!("{wanted} cannot be listened on: {e}"), "name another one with --listen ADDR:PORT")
    })?;
    let address = listener.local_addr().unwrap_or(wanted);
    hello(&settings, address, token.is_some());
    let places = settings.most.saturating_add(CONNECTIONS).min(Semaphore::MAX_PERMITS);
    let connections = Arc::new(Semaphore::new(places));
    let patience = settings.patience;
    let answerer = Arc::new(Answerer::new(Arc::new(settings), token, gates));
    let end = next(&mut signals);
    tokio::pin!(end);
    tokio::select! {
        never = accept(&listener, &connections, &answerer, patience) => match never {},
        () = &mut end => {}
    }
    drop(listener);
    log::line("ending", [("running", answerer.commands.running().into())]);
    answerer.commands.end();
    let orderly = async {
        answerer.commands.ended().await;
        let all = u32::try_from(places).unwrap_or(u32::MAX);
        drop(timeout(FAREWELL, connections.acquire_many(all)).await);
    };
    let mut again =
        (signal(SignalKind::terminate()).map_err(refused)?, signal(SignalKind::interrupt()).map_err(refused)?);
    let orderly = tokio::select! {
        () = orderly => true,
        () = next(&mut again) => false,
    };
    log::line("ended-itself", [("orderly", orderly.into())]);
    Ok(())
}

async fn next(signals: &mut (Signal, Signal)) {
    tokio::select! {
        _ = signals.0.recv() => {}
        _ = signals.1.recv() => {}
    }
}

/// Says where it listens, and what of its promises is off.
fn hello(settings: &Settings, address: SocketAddr, token: bool) {
    let commands = match &settings.shell {
        Some(shell) => format!("anything, by {}", shell.display()),
        None => settings.allow.join(", "),
    };
    let gates = match &settings.state {
        Some(dir) => format!("kept in {}", dir.display()),
        None => "in memory: a restart closes them; --state DIR keeps them".to_owned(),
    };
    let who = if token {
        "who has the token"
    } else if address.ip().is_loopback() {
        "this machine: --token-file FILE lets others in"
    } else {
        "anybody who reaches the address"
    };
    log::line(
        "listening",
        [
            ("address", address.to_string().into()),
            ("commanded_by", who.into()),
            ("runs", commands.into()),
            ("gates", gates.into()),
        ],
    );
}

async fn accept(
    listener: &TcpListener,
    connections: &Arc<Semaphore>,
    answerer: &Arc<Answerer>,
    patience: Duration,
) -> Infallible {
    loop {
        // The semaphore is never closed; were it, nothing could be accepted.
        let Ok(place) = Arc::clone(connections).acquire_owned().await else {
            sleep(ACCEPT_AGAIN).await;
            continue;
        };
        match listener.accept().await {
            Ok((stream, _)) => {
                let answerer = Arc::clone(answerer);
                tokio::spawn(async move {
                    connection(stream, &answerer, patience).await;
                    drop(place);
                });
            }
            Err(_) => sleep(ACCEPT_AGAIN).await,
        }
    }
}

/// How far a connection has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Reading,
    Working,
    Answering,
}

/// One request and its answer. A client that is slow in either is cut; one that goes away while its command runs is noticed.
async fn connection(stream: TcpStream, answerer: &Answerer, patience: Duration) {
    let (stage, mut stages) = watch::channel(Stage::Reading);
    let stage = &stage;
    let service = service_fn(move |request: Request<Incoming>| async move {
        let answer = respond(request, answerer, stage).await;
        stage.send_replace(Stage::Answering);
        Ok::<_, Infallible>(answer)
    });
    let served = http1::Builder::new()
        .keep_alive(false)
        .max_buf_size(HEAD)
        .max_headers(FIELDS)
        .serve_connection(TokioIo::new(stream), service);
    let too_slow = async {
        if timeout(patience, stages.wait_for(|stage| *stage != Stage::Reading)).await.is_err() {
            return;
        }
        // Both ends of the channel live as long as this connection.
        drop(stages.wait_for(|stage| *stage == Stage::Answering).await);
        sleep(patience).await;
    };
    tokio::select! {
        // A broken connection is its client's affair.
        _ = served => {}
        () = too_slow => {}
    }
}

async fn respond(
    request: Request<Incoming>,
    answerer: &Answerer,
    stage: &watch::Sender<Stage>,
) -> Response<Full<Bytes>> {
    let (head, body) = request.into_parts();
    let announced = head.headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    let read = async {
        let too_large = || {
            let text = format!("the body is larger than {BODY} bytes, and a webhook's payload is small");
            Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, text)
        };
        if announced.is_some_and(|length| length > BODY as u64) {
            return Err(too_large());
        }
        let whole = Limited::new(body, BODY).collect().await;
        stage.send_replace(Stage::Working);
        match whole {
            Ok(whole) => Ok(whole.to_bytes()),
            Err(e) if e.is::<http_body_util::LengthLimitError>() => Err(too_large()),
            Err(e) => Err(Refusal::wrong(format!("the body could not be read: {e}"))),
        }
    };
    answerer.answer(&head, read).await.response()
}

/// Where it listens when nothing else is said: the port of Flagger's load tester, on this machine alone.
impl Default for Settings {
    fn default() -> Self {
        Self {
            listen: (Ipv4Addr::LOCALHOST, 9090).into(),
            token_file: None,
            insecure_without_token: false,
            allow: ALLOWED.map(str::to_owned).to_vec(),
            shell: None,
            timeout: Duration::from_secs(3600),
            most: 16,
            grace: Duration::from_secs(5),
            patience: Duration::from_secs(10),
            state: None,
            keeper: Vec::new(),
        }
    }
}

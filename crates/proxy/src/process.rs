//! The process: one thread per worker, the control socket and the signals on the calling thread.
use crate::control::{self, Control, Hand};
use crate::disk::{self, DiskError};
use crate::protocol::Track;
use crate::sockets::{SocketError, Sockets};
use crate::worker::{self, Aim, Seen, Shared, Worker};
use std::cell::RefCell;
use std::io;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::thread::JoinHandle;
use tokio::net::UnixListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;
use tokio::task::LocalSet;

/// What a proxy is started with.
#[derive(Debug)]
pub struct Options {
    /// Where route.json and control.sock are. One proxy at a time uses it.
    pub dir: PathBuf,
    /// Where it listens; one worker per `main` socket.
    pub sockets: Sockets,
}

/// Why a proxy could not start or go on.
#[derive(Debug, thiserror::Error)]
pub enum ProxyError {
    /// The listening sockets are not usable.
    #[error(transparent)]
    Sockets(#[from] SocketError),
    /// The route on disk is not usable.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// The control socket cannot be had.
    #[error("the control socket {path} cannot be opened: {error}", path = .path.display())]
    Control {
        /// The socket.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// The system refused something that every process needs.
    #[error("cannot start a worker: {0}")]
    Start(#[source] io::Error),
    /// A worker ended by itself.
    #[error("a worker died; whoever started the proxy starts it again")]
    Worker,
}

/// `serin proxy DIR`: takes the sockets that the environment names, and runs until SIGTERM has drained it.
pub fn main(dir: &Path) -> ExitCode {
    let ran = Sockets::from_environment().map_err(ProxyError::from);
    match ran.and_then(|sockets| run(Options { dir: dir.to_owned(), sockets })) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("serin proxy: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Serves until SIGTERM or SIGINT; then accepts no more, finishes what is open, up to the drain deadline, and returns.
///
/// # Errors
/// See `ProxyError`. Nothing was accepted if it could not start.
pub fn run(options: Options) -> Result<(), ProxyError> {
    let kept = disk::load(&options.dir)?;
    let shared = Arc::new(Shared { lease_until: AtomicU64::new(u64::MAX), heard: AtomicU64::new(0) });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(ProxyError::Start)?;
    let (over, mut ended) = mpsc::unbounded_channel();
    let (stop, socket) = runtime.block_on(async { Ok::<_, ProxyError>((stop_signals()?, bind(&options.dir)?)) })?;
    let (hands, starts) = prepare(options.sockets, &shared);
    let control = Rc::new(RefCell::new(Control::new(&options.dir, kept, hands, shared)));
    let threads = start(starts, &over)?;
    let count = threads.len();
    let tasks = LocalSet::new();
    tasks.spawn_local(control::serve(control.clone(), socket));
    tasks.spawn_local(control::look(control.clone()));
    let died = runtime.block_on(tasks.run_until(async {
        let [mut terminate, mut interrupt] = stop;
        let early = tokio::select! {
            _ = terminate.recv() => None,
            _ = interrupt.recv() => None,
            end = ended.recv() => Some(end),
        };
        if early.is_some() {
            return true;
        }
        control.borrow_mut().drain();
        for _ in 0..count {
            if ended.recv().await != Some(true) {
                return true;
            }
        }
        false
    }));
    if died {
        // the threads that are left are ended with the process: half a data plane is worse than a restart
        return Err(ProxyError::Worker);
    }
    for thread in threads {
        if thread.join().is_err() {
            return Err(ProxyError::Worker);
        }
    }
    Ok(())
}

fn stop_signals() -> Result<[Signal; 2], ProxyError> {
    let on = |kind| signal(kind).map_err(ProxyError::Start);
    Ok([on(SignalKind::terminate())?, on(SignalKind::interrupt())?])
}

fn bind(dir: &Path) -> Result<UnixListener, ProxyError> {
    let path = dir.join("control.sock");
    let bound = (|| {
        match std::fs::remove_file(&path) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
            Ok(()) | Err(_) => {}
        }
        let listener = UnixListener::bind(&path)?;
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))?;
        Ok(listener)
    })();
    bound.map_err(|error| ProxyError::Control { path, error })
}

/// What a worker's thread is started with.
struct Start {
    listeners: Vec<(Aim, TcpListener)>,
    orders: mpsc::UnboundedReceiver<worker::Order>,
    shared: Arc<Shared>,
    seen: Seen,
    workers: usize,
}

/// One worker per `main` socket; the tracks' sockets are dealt out.
fn prepare(sockets: Sockets, shared: &Arc<Shared>) -> (Vec<Hand>, Vec<Start>) {
    let workers = sockets.main.len();
    let mut hands = Vec::new();
    let mut starts = Vec::new();
    for listener in sockets.main {
        let (sender, orders) = mpsc::unbounded_channel();
        let seen = Seen { version: Arc::default(), falling_back: Arc::default(), front: Arc::default() };
        hands.push(Hand { orders: sender, seen: seen.clone() });
        starts.push(Start { listeners: vec![(Aim::Split, listener)], orders, shared: shared.clone(), seen, workers });
    }
    for (track, listeners) in [(Track::Stable, sockets.stable), (Track::Canary, sockets.canary)] {
        for (at, listener) in listeners.into_iter().enumerate() {
            starts[at % workers].listeners.push((Aim::Only(track), listener));
        }
    }
    (hands, starts)
}

fn start(starts: Vec<Start>, over: &mpsc::UnboundedSender<bool>) -> Result<Vec<JoinHandle<()>>, ProxyError> {
    /// Says that the thread ended, also if it panicked.
    struct Says(mpsc::UnboundedSender<bool>, bool);
    impl Drop for Says {
        fn drop(&mut self) {
            // nobody listens any more when the process ends anyway
            let _ = self.0.send(self.1);
        }
    }
    let mut threads = Vec::new();
    for (number, start) in starts.into_iter().enumerate() {
        let over = over.clone();
        let thread = std::thread::Builder::new().name(format!("worker-{number}")).spawn(move || {
            let mut says = Says(over, false);
            says.1 = work(start).is_ok();
        });
        threads.push(thread.map_err(ProxyError::Start)?);
    }
    Ok(threads)
}

fn work(start: Start) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    LocalSet::new().block_on(&runtime, async {
        let mut listeners = Vec::new();
        for (aim, listener) in start.listeners {
            listener.set_nonblocking(true)?;
            listeners.push((aim, tokio::net::TcpListener::from_std(listener)?));
        }
        let worker = Rc::new(Worker::new(start.shared, start.seen, start.workers));
        worker::run(worker, listeners, start.orders).await;
        Ok(())
    })
}

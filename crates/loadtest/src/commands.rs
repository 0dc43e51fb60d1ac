//! All commands that run: so many at most, none twice for one canary, and none when the load tester is to end.

use std::collections::HashSet;
use std::future::pending;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http::StatusCode;
use serde_json::Value;
use serin_supervisor::find_command;
use tokio::sync::{oneshot, watch};

use crate::Settings;
use crate::counters::{Counters, count};
use crate::log;
use crate::order::{Kind, Order};
use crate::payload::Canary;
use crate::refusal::Refusal;
use crate::running::{Done, Running};

type Key = (Canary, String);

/// What became of an order.
#[derive(Debug)]
pub(crate) enum Begun {
    /// It runs.
    Started,
    /// It ran already for this canary.
    Repeated,
    /// It runs, and this tells what comes of it. Dropped, it is ended: nobody is left to be told.
    Awaited(oneshot::Receiver<Done>),
}

/// The commands.
#[derive(Debug)]
pub(crate) struct Commands {
    settings: Arc<Settings>,
    counters: Arc<Counters>,
    /// Those that run and nobody waits for.
    unawaited: Mutex<HashSet<Key>>,
    running: watch::Sender<usize>,
    ending: watch::Sender<bool>,
}

/// A place among those that run; it is free again when this is dropped.
struct Place {
    commands: Arc<Commands>,
    key: Option<Key>,
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(key) = &self.key {
            self.commands.unawaited().remove(key);
        }
        self.commands.running.send_modify(|running| *running -= 1);
    }
}

impl Commands {
    pub(crate) fn new(settings: Arc<Settings>, counters: Arc<Counters>) -> Arc<Self> {
        let (running, ending) = (watch::Sender::new(0), watch::Sender::new(false));
        Arc::new(Self { settings, counters, unawaited: Mutex::default(), running, ending })
    }

    fn unawaited(&self) -> MutexGuard<'_, HashSet<Key>> {
        self.unawaited.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many run.
    pub(crate) fn running(&self) -> usize {
        *self.running.borrow()
    }

    /// Tells all to end, and takes no more.
    pub(crate) fn end(&self) {
        self.ending.send_replace(true);
    }

    /// Waits until none is left.
    pub(crate) async fn ended(&self) {
        // The sender is ours, so it is there.
        drop(self.running.subscribe().wait_for(|running| *running == 0).await);
    }

    /// Starts what is ordered.
    ///
    /// # Errors
    /// The load tester is about to end, too many run, or it cannot be started.
    pub(crate) async fn begin(self: &Arc<Self>, order: Order) -> Result<Begun, Refusal> {
        if *self.ending.borrow() {
            return Err(Refusal::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "the load tester is about to end; ask the next one",
            ));
        }
        let key = (order.kind == Kind::Started).then(|| (order.canary.clone(), order.text.clone()));
        if key.as_ref().is_some_and(|key| self.unawaited().contains(key)) {
            count(&self.counters.repeated);
            return Ok(Begun::Repeated);
        }
        if self.running() >= self.settings.most {
            let text = format!(
                "{} commands run already, which is the most; ask again when one has ended, or start the load tester with a \
                 higher --most",
                self.settings.most
            );
            return Err(Refusal::new(StatusCode::TOO_MANY_REQUESTS, text));
        }
        let argv = found(&order.argv)?;
        // Taken before anything can let another request in between.
        self.unawaited().extend(key.clone());
        self.running.send_modify(|running| *running += 1);
        let place = Place { commands: Arc::clone(self), key };
        let running = Running::start(argv, &self.settings).await.map_err(|e| {
            let text = format!("the command was not started, the system refuses it: {e}");
            Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, text)
        })?;
        count(&self.counters.started);
        log::line("started", [("for", order.canary.to_string().into()), ("command", log::cut(&order.text))]);
        let (send, receive) = oneshot::channel();
        let (answer, begun) = match order.kind {
            Kind::Started => (None, Begun::Started),
            Kind::Awaited => (Some(send), Begun::Awaited(receive)),
        };
        tokio::spawn(look_after(place, running, order, answer));
        Ok(begun)
    }
}

/// The program as a path, so that a missing one is said at once.
fn found(argv: &[String]) -> Result<Vec<String>, Refusal> {
    let missing = |why: String| Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, format!("nothing was started: {why}"));
    let (name, arguments) = argv.split_first().ok_or_else(|| missing("the command is empty".to_owned()))?;
    let here = std::env::current_dir().map_err(|e| missing(format!("there is no working directory: {e}")))?;
    let path = find_command(name, std::env::var_os("PATH").as_ref(), &here).map_err(missing)?;
    let path = path.into_os_string().into_string().map_err(|_| missing("PATH is not text".to_owned()))?;
    Ok(std::iter::once(path).chain(arguments.iter().cloned()).collect())
}

async fn look_after(place: Place, running: Running, order: Order, mut answer: Option<oneshot::Sender<Done>>) {
    let commands = Arc::clone(&place.commands);
    let until = async {
        let mut ending = commands.ending.subscribe();
        let gone = async {
            match &mut answer {
                Some(answer) => answer.closed().await,
                None => pending().await,
            }
        };
        tokio::select! {
            _ = ending.wait_for(|ending| *ending) => "the load tester ends",
            () = gone => "whoever asked waits no longer",
        }
    };
    let done = running.finish(commands.settings.timeout, until).await;
    count(if done.is_success() { &commands.counters.succeeded } else { &commands.counters.failed });
    let output = if order.log_output { done.output.as_str().into() } else { Value::Null };
    log::line(
        "ended",
        [
            ("for", order.canary.to_string().into()),
            ("command", log::cut(&order.text)),
            ("success", done.is_success().into()),
            ("how", done.ending.to_string().into()),
            ("secs", done.took.as_secs_f64().into()),
            ("output", output),
        ],
    );
    drop(place);
    if let Some(answer) = answer {
        drop(answer.send(done));
    }
}

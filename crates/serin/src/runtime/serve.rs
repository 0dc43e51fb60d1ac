//! `serin serve`: the controller. It owns nothing that serves: killed at any moment, the next one goes on where it was.
use super::handle::{Asked, Handle};
use super::{convert, events, fail, view};
use crate::cli::serve::Job;
use crate::cli::{Output, exit};
use crate::config::Spec;
use serin_engine::store::{OpenError, Store};
use serin_engine::{Driver, Ordered, Parts, Snapshot, SystemClock};
use serin_journal::Journal;
use serin_local::{Keeper, Layout, LocalFleet, LocalMetrics, LocalRouter, ports};
use serin_rollout::WaitingOn;
use std::io::ErrorKind;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, watch};

/// From round to round while something is going on, and while nothing is.
const BUSY: Duration = Duration::from_millis(100);
const IDLE: Duration = Duration::from_millis(200);
/// What does not work is said when it has not worked for this long: a proxy needs a moment to start.
const PATIENCE: Duration = Duration::from_secs(3);

/// The decision log keeps at most twice this.
const DECISIONS_BYTES: u64 = 16 * 1024 * 1024;

type Local = Driver<Arc<Store>, LocalFleet, LocalRouter, LocalMetrics, SystemClock>;

/// Runs until SIGINT or SIGTERM.
pub(super) fn run(job: Job) -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(exit::FAILED, format!("the system refuses what every process needs: {error}"), ""),
    };
    match runtime.block_on(serve(&job)) {
        Ok(()) => ExitCode::SUCCESS,
        Err((what, hint)) => fail(exit::FAILED, what, &hint),
    }
}

type Stopped = (String, String);

fn stopped(hint: &str) -> impl FnOnce(String) -> Stopped + use<> {
    let hint = hint.to_owned();
    move |what| (what, hint)
}

async fn serve(job: &Job) -> Result<(), Stopped> {
    let layout = Layout::at(&job.place.dir);
    let store = Arc::new(open(&layout)?);
    let spec = wanted(job, &store)?;
    same_store(&layout, &store)?;
    let keeper = Keeper::start(layout.clone(), convert::settings(&spec), store.epoch(), convert::runnable)
        .map_err(|error| error.to_string())
        .map_err(stopped(""))?;
    let (fleet, router, metrics) = ports(keeper);
    let parts = Parts {
        service: job.place.service.clone(),
        ledger: store.clone(),
        fleet: fleet.clone(),
        router,
        metrics: metrics.clone(),
        clock: SystemClock,
        journal: Journal::at(layout.decisions(), DECISIONS_BYTES, store.epoch()),
    };
    let mut driver = Driver::new(parts).await.map_err(|error| error.to_string()).map_err(stopped(""))?;
    let told = Told::new(job.output, *store.subscribe().borrow());
    let (ask, asked) = mpsc::channel(16);
    let (changed, changes) = watch::channel(0);
    let handle = Handle {
        service: job.place.service.clone(),
        layout: layout.clone(),
        store: store.clone(),
        ask,
        snapshots: driver.snapshots(),
        changes,
        metrics,
    };
    let socket = layout.socket();
    let api = tokio::spawn(async move { serin_api::serve(&socket, Arc::new(handle), std::future::pending()).await });
    if let Err(end) = apply_file(job, &spec, &mut driver).await {
        // There is nothing to go on with: nothing is left behind but an empty store.
        if driver.is_empty()
            && let Err(why) = serin_local::down(&layout, Duration::ZERO).await
        {
            eprintln!("serin: {why}; `serin down` ends what was started");
        }
        return Err(end);
    }
    let snapshots = driver.snapshots();
    let mut controller = Loop { driver, snapshots, fleet, store, asked, changed, told };
    controller.told.hello(&job.place.service, &spec, &layout);
    let end = tokio::select! {
        () = controller.run() => Ok(()),
        end = signals() => end,
        ended = api => Err((format!("the API at {} ended: {ended:?}", layout.socket().display()), String::new())),
    };
    let serves = controller.not_up().is_none();
    controller.told.farewell(&job.place.service, &spec, serves);
    end
}

/// Makes the state directory where there is none, and takes its store.
fn open(layout: &Layout) -> Result<Store, Stopped> {
    std::fs::create_dir_all(layout.dir())
        .map_err(|error| format!("{} cannot be made: {error}", layout.dir().display()))
        .map_err(stopped("name another place with --state DIR, or run as a user who may write there"))?;
    Store::open(layout.store()).map_err(|error| {
        let hint = match &error {
            OpenError::Locked { .. } => "one controller runs a service at a time",
            OpenError::Io { source, .. } if source.kind() == ErrorKind::PermissionDenied => {
                "run this as the user whom the directory belongs to, or name another place with --state DIR"
            }
            OpenError::Io { .. } | OpenError::SchemaTooNew { .. } | OpenError::Corrupt { .. } => {
                "what serves goes on serving"
            }
        };
        (error.to_string(), hint.to_owned())
    })
}

/// A store that does not know what runs is not the one that it was started from: by it, all that would have to go.
fn same_store(layout: &Layout, store: &Store) -> Result<(), Stopped> {
    let ordered = serin_local::ordered(layout).map_err(stopped("what serves goes on serving"))?;
    for (rev, hash) in ordered {
        let known = store.revision(rev.0).map_err(|error| error.to_string()).map_err(stopped(""))?;
        if known.is_none_or(|known| known.hash != hash) {
            let short: String = hash.chars().take(10).collect();
            let text = format!(
                "instances of revision {short} run in {}, but {} does not know it: it is not the store that they were started from",
                layout.dir().display(),
                store.path().display()
            );
            let hint =
                "they go on serving. Put the right store back; or end the service with `serin down` and start it again";
            return Err((text, hint.to_owned()));
        }
    }
    Ok(())
}

/// The file's spec, or the stored one.
fn wanted(job: &Job, store: &Store) -> Result<Spec, Stopped> {
    if let Some(loaded) = &job.loaded {
        return Ok(loaded.spec.clone());
    }
    let saved = store.saved().map_err(|error| error.to_string()).map_err(stopped(""))?;
    let saved =
        saved.ok_or("nothing is stored yet".to_owned()).map_err(stopped("start with `serin serve -f serin.yaml`"))?;
    serde_json::from_value(saved.wish.spec)
        .map_err(|error| format!("the stored spec cannot be understood: {error}"))
        .map_err(stopped("start with the file: `serin serve -f serin.yaml`"))
}

/// The store is the truth: the file is applied only when it is another one than the last file applied. One that cannot
/// be applied now stops nothing but a first start: there is a service to look after.
async fn apply_file(job: &Job, spec: &Spec, driver: &mut Local) -> Result<(), Stopped> {
    let Some(loaded) = &job.loaded else { return Ok(()) };
    if driver.applied_file() == Some(loaded.file_hash.as_str()) {
        return Ok(());
    }
    let mut order =
        convert::order(spec, Some(loaded.file_hash.clone()), false).map_err(stopped("`serin lint` says more"))?;
    order.by = "serin serve".to_owned();
    match driver.deploy(&order).await.map_err(|error| error.to_string()).map_err(stopped(""))? {
        Ordered::Refused(why) if driver.is_empty() => Err(stopped("change the file, and start it again")(why)),
        Ordered::Refused(why) => {
            eprintln!("serin: the file was not applied: {why}");
            Ok(())
        }
        Ordered::Accepted { .. } | Ordered::Unchanged { .. } | Ordered::Underway { .. } => Ok(()),
    }
}

async fn signals() -> Result<(), Stopped> {
    let on = |kind| signal(kind).map_err(|error| error.to_string()).map_err(stopped(""));
    let (mut interrupt, mut terminate) = (on(SignalKind::interrupt())?, on(SignalKind::terminate())?);
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    Ok(())
}

struct Loop {
    driver: Local,
    snapshots: watch::Receiver<Option<Arc<Snapshot>>>,
    fleet: LocalFleet,
    store: Arc<Store>,
    asked: mpsc::Receiver<Asked>,
    changed: watch::Sender<u64>,
    told: Told,
}

impl Loop {
    async fn run(&mut self) {
        loop {
            let round = self.driver.round().await;
            self.changed.send_modify(|count| *count += 1);
            self.told.events(&self.store);
            let pause = match &round {
                Ok(WaitingOn::Nothing) => IDLE,
                Ok(_) | Err(_) => BUSY,
            };
            let trouble = round.as_ref().err().map(|error| error.to_string());
            self.told.trouble(trouble.or_else(|| self.not_up()));
            tokio::select! {
                asked = self.asked.recv() => if let Some(asked) = asked { self.take(asked).await },
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// Why the service does not serve as it should, while nothing else is going on.
    fn not_up(&self) -> Option<String> {
        let snapshot = self.snapshots.borrow().clone()?;
        view::not_up(&snapshot)
    }

    async fn take(&mut self, asked: Asked) {
        // Whoever asked may have gone; then nobody needs the answer.
        match asked {
            Asked::Command(command, key, by, answer) => {
                let done = self.driver.command(&command, key, &by).await.map_err(|error| error.to_string());
                let _ = answer.send(done);
            }
            Asked::Deploy(what, answer) => {
                let (spec, order) = *what;
                let done = self.driver.deploy(&order).await.map_err(|error| error.to_string());
                if done.is_ok() {
                    self.fleet.set(convert::settings(&spec)).await;
                }
                let _ = answer.send(done);
            }
        }
    }
}

/// What the controller says on its own terminal.
struct Told {
    output: Output,
    /// The last event that was told.
    seq: u64,
    trouble: Option<(String, Instant, bool)>,
}

impl Told {
    fn new(output: Output, seq: u64) -> Told {
        Told { output, seq, trouble: None }
    }

    fn hello(&self, service: &str, spec: &Spec, layout: &Layout) {
        if self.output == Output::Text {
            println!("serin: {service} on http://{} (state in {})", spec.listen, layout.dir().display());
            println!("serin: Ctrl-C ends the controller and leaves the service up; `serin down` ends the service");
        }
    }

    fn farewell(&self, service: &str, spec: &Spec, serves: bool) {
        if self.output == Output::Text {
            let rest = if serves {
                format!("goes on serving on http://{}", spec.listen)
            } else {
                "is not up, and what of it runs is left running".to_owned()
            };
            println!(
                "serin: the controller ends; {service} {rest}. `serin serve` takes it up again, `serin down` ends it"
            );
        }
    }

    /// The events that have not been told.
    fn events(&mut self, store: &Store) {
        let Ok(stored) = store.events_after(self.seq, 100) else { return };
        for stored in stored {
            self.seq = stored.seq;
            let Some(event) = events::event(&stored) else { continue };
            match self.output {
                Output::Json => println!("{}", serde_json::to_string(&event).unwrap_or_default()),
                Output::Text => {
                    println!("{}", event.message);
                    if let Some(did) = event.did {
                        println!("    → {did}");
                    }
                }
            }
        }
    }

    fn trouble(&mut self, now: Option<String>) {
        self.trouble = match (now, self.trouble.take()) {
            (None, Some((_, _, true))) => {
                eprintln!("serin: that works again");
                None
            }
            (None, _) => None,
            (Some(text), Some((known, since, told))) if known == text => {
                if !told && since.elapsed() > PATIENCE {
                    eprintln!("serin: {text}");
                }
                Some((known, since, told || since.elapsed() > PATIENCE))
            }
            (Some(text), _) => Some((text, Instant::now(), false)),
        };
    }
}

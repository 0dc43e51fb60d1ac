//! A running load: the pacer's thread, a thread with a runtime of its own, and a handle on both.

use crate::config::Config;
use crate::pacer::{self, Brake, Due};
use crate::pool::Pool;
use crate::record::{Record, TICK};
use crate::sockets;
use crate::summary::Summary;
use std::rc::Rc;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::{oneshot, watch};
use tokio::task::{JoinSet, LocalSet};

/// Why a load could not run.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The configuration is no load.
    #[error("this is no load: {0}")]
    Config(&'static str),
    /// The timeline could not be written.
    #[error("the timeline cannot be written: {0}")]
    Timeline(std::io::Error),
    /// The machine refused a thread or a runtime.
    #[error("the load's threads cannot be started: {0}")]
    Threads(std::io::Error),
    /// A request's task panicked, which is a defect of this program.
    #[error("a request's task panicked: {0}")]
    Panicked(tokio::task::JoinError),
    /// The load's own thread ended without a summary, which is a defect of this program.
    #[error("the load's thread ended without a summary")]
    Lost,
}

/// The generator.
#[derive(Debug)]
pub struct Load;

/// A load that runs. When it is dropped, the load stops.
#[derive(Debug)]
pub struct Handle {
    brake: Brake,
    begin: Instant,
    record: Arc<Mutex<Record>>,
    result: Option<oneshot::Receiver<Result<Summary, LoadError>>>,
}

impl Load {
    /// Starts a load; the first request is due at once.
    ///
    /// # Errors
    /// When the configuration makes no sense, the timeline's file cannot be made, or the machine has no threads left.
    pub fn start(config: Config) -> Result<Handle, LoadError> {
        check(&config)?;
        let begin = Instant::now();
        let record = Record::new(&config, begin).map_err(LoadError::Timeline)?;
        let record = Arc::new(Mutex::new(record));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(LoadError::Threads)?;
        let (to, due) = tokio::sync::mpsc::unbounded_channel();
        let (answer, result) = oneshot::channel();
        let (brake, _) = pacer::start(&config, begin, to).map_err(LoadError::Threads)?;
        let shared = Arc::clone(&record);
        let spawned = std::thread::Builder::new().name("load".to_owned()).spawn(move || {
            let outcome = LocalSet::new().block_on(&runtime, run(config, begin, due, shared));
            // Nobody may be waiting any more: the handle was dropped.
            let _ = answer.send(outcome);
        });
        if let Err(e) = spawned {
            brake.pull();
            return Err(LoadError::Threads(e));
        }
        Ok(Handle { brake, begin, record, result: Some(result) })
    }
}

fn check(config: &Config) -> Result<(), LoadError> {
    let share = |s: f64| (0.0..=1.0).contains(&s);
    if !(config.rate.is_finite() && config.rate > 0.0) {
        return Err(LoadError::Config("the rate must be a number of requests a second above 0"));
    }
    if !share(config.post_share) || !share(config.slow_share) || config.post_share + config.slow_share > 1.0 {
        return Err(LoadError::Config(
            "the shares of POSTs and of slow requests must be in 0..1, and so must their sum",
        ));
    }
    if config.connections == 0 {
        return Err(LoadError::Config("there must be at least one connection"));
    }
    Ok(())
}

fn lock(record: &Mutex<Record>) -> MutexGuard<'_, Record> {
    record.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Handle {
    /// Starts no more requests, waits for those that are under way (no longer than the timeout) and says what came.
    ///
    /// # Errors
    /// When the timeline could not be written.
    pub async fn stop(self) -> Result<Summary, LoadError> {
        self.brake.pull();
        self.wait().await
    }

    /// Waits until the load's time is over. A load without an end never ends by itself.
    ///
    /// # Errors
    /// When the timeline could not be written.
    pub async fn wait(mut self) -> Result<Summary, LoadError> {
        match self.result.take() {
            Some(result) => result.await.unwrap_or(Err(LoadError::Lost)),
            None => Err(LoadError::Lost),
        }
    }

    /// What was counted so far.
    pub fn now(&self) -> Summary {
        lock(&self.record).summary(self.begin.elapsed().as_secs_f64())
    }

    /// Starts no more requests; those under way go on.
    pub fn brake(&self) -> impl Fn() + Send + 'static + use<> {
        let brake = self.brake.clone();
        move || brake.pull()
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.brake.pull();
    }
}

async fn run(
    config: Config,
    begin: Instant,
    mut due: UnboundedReceiver<Due>,
    record: Arc<Mutex<Record>>,
) -> Result<Summary, LoadError> {
    let pool = Rc::new(Pool::new(&config));
    let (stop, stopped) = watch::channel(false);
    let mut open = JoinSet::new();
    for number in 0..config.websockets as u64 {
        open.spawn_local(sockets::keep_open(config.clone(), number, Arc::clone(&record), stopped.clone()));
    }
    let mut under_way = JoinSet::new();
    let mut ticks = tokio::time::interval(TICK);
    let mut seconds = 0.0;
    let mut pacing = true;
    while pacing || !under_way.is_empty() {
        tokio::select! {
            next = due.recv(), if pacing => match next {
                Some(next) => {
                    lock(&record).started();
                    under_way.spawn_local(one(Rc::clone(&pool), next, Arc::clone(&record)));
                }
                None => {
                    pacing = false;
                    seconds = begin.elapsed().as_secs_f64();
                    let _ = stop.send(true);
                }
            },
            Some(ended) = under_way.join_next() => if let Err(e) = ended {
                return Err(LoadError::Panicked(e));
            },
            _ = ticks.tick() => lock(&record).close_ticks(Instant::now(), false),
        }
    }
    while open.join_next().await.is_some() {}
    let mut record = lock(&record);
    record.close_ticks(Instant::now(), true);
    match record.take_error() {
        Some(e) => Err(LoadError::Timeline(e)),
        None => Ok(record.summary(seconds)),
    }
}

async fn one(pool: Rc<Pool>, due: Due, record: Arc<Mutex<Record>>) {
    let fate = pool.send(due).await;
    lock(&record).ended(fate, due.intended.elapsed());
}

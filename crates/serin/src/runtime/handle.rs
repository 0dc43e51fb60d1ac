//! The controller as the API sees it: commands go to the driver's task, everything else is read.
use super::{convert, events, view};
use crate::config::Spec;
use serin_api::{
    Answer, ApiError, Command, CommandRequest, Controller, DeployAnswer, DeployRequest, EventView, LogLine, LogQuery,
    RolloutDetail, RolloutView, StatusView,
};
use serin_engine::store::{Store, StoreError};
use serin_engine::{Order, Ordered, Snapshot};
use serin_local::{Layout, LocalMetrics};
use serin_rollout::StepKey;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot, watch};

/// What the driver's task is asked.
pub(crate) enum Asked {
    /// A command, for this step, by somebody.
    Command(serin_engine::Command, StepKey, String, oneshot::Sender<Result<serin_engine::Answer, String>>),
    /// A spec.
    Deploy(Box<(Spec, Order)>, oneshot::Sender<Result<Ordered, String>>),
}

/// A handle on the controller.
pub(crate) struct Handle {
    pub service: String,
    pub layout: Layout,
    pub store: Arc<Store>,
    pub ask: mpsc::Sender<Asked>,
    pub snapshots: watch::Receiver<Option<Arc<Snapshot>>>,
    pub changes: watch::Receiver<u64>,
    pub metrics: LocalMetrics,
}

const ENDING: &str = "the controller is ending";

fn broken(error: impl std::fmt::Display) -> ApiError {
    ApiError::new(500, error.to_string(), "what serves goes on serving; the controller's own output says more")
}

impl Handle {
    fn read<T>(&self, read: impl FnOnce(&Store) -> Result<T, StoreError>) -> Result<T, ApiError> {
        read(&self.store).map_err(broken)
    }

    async fn tell<T>(&self, asked: Asked, answer: oneshot::Receiver<Result<T, String>>) -> Result<T, ApiError> {
        let gone = || ApiError::new(503, ENDING, "start it again with `serin serve`");
        self.ask.send(asked).await.map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?.map_err(broken)
    }
}

impl Controller for Handle {
    async fn status(&self) -> Result<StatusView, ApiError> {
        let wait = ApiError::new(503, "the controller has just begun and knows nothing yet", "ask again in a moment");
        let snapshot = self.snapshots.borrow().clone().ok_or(wait)?;
        let measures = self.metrics.measures().await.ok();
        let record = self.read(|store| store.rollout(u64::from(snapshot.status.rollout)))?;
        let rollout = record.map(|record| self.read(|store| events::rollout(store, &record))).transpose()?;
        let seq = *self.store.subscribe().borrow();
        let beside = view::Beside { service: &self.service, seq, measures: measures.as_ref(), rollout };
        Ok(view::status(&snapshot, beside))
    }

    async fn events(&self, after: u64, limit: usize) -> Result<Vec<EventView>, ApiError> {
        let stored = self.read(|store| store.events_after(after, limit))?;
        Ok(stored.iter().filter_map(events::event).collect())
    }

    fn changes(&self) -> watch::Receiver<u64> {
        self.changes.clone()
    }

    async fn command(&self, request: CommandRequest) -> Result<Answer, ApiError> {
        let k = request.key;
        let key = StepKey { rollout: k.rollout as u32, step: k.step, attempt: k.attempt };
        let (send, receive) = oneshot::channel();
        let answer = self.tell(Asked::Command(command(request.command), key, request.by, send), receive).await?;
        let now = self.snapshots.borrow().as_ref().map(|snapshot| events::step_key(snapshot.status.now()));
        Ok(match answer {
            serin_engine::Answer::Done(message) => Answer::Done { message },
            serin_engine::Answer::Late(message) => Answer::Late { now: now.unwrap_or_default(), message },
            serin_engine::Answer::Already(message) => Answer::Already { message },
            serin_engine::Answer::Refused(why) => {
                Answer::Refused { why, instead: "`serin status` says what is possible now".to_owned() }
            }
        })
    }

    async fn deploy(&self, request: DeployRequest) -> Result<DeployAnswer, ApiError> {
        let spec: Spec = serde_json::from_value(request.spec).map_err(|error| {
            ApiError::new(400, format!("this is no resolved spec: {error}"), "send it with `serin deploy`")
        })?;
        if spec.service != self.service {
            let text = format!("this controller runs {}, not {}", self.service, spec.service);
            return Err(ApiError::new(409, text, "name the file of the right service with -f"));
        }
        let mut order = convert::order(&spec, request.file_hash, request.force)
            .map_err(|why| ApiError::new(400, why, "`serin lint` says more"))?;
        (order.by, order.changes) = (request.by, request.changes);
        let revision = order.hash.clone();
        let after = *self.store.subscribe().borrow();
        let (send, receive) = oneshot::channel();
        let ordered = self.tell(Asked::Deploy(Box::new((spec, order)), send), receive).await?;
        Ok(match ordered {
            Ordered::Accepted { rollout, .. } => DeployAnswer::Started { rollout: u64::from(rollout), revision, after },
            Ordered::Underway { rollout, .. } => {
                DeployAnswer::Underway { rollout: u64::from(rollout), revision, after }
            }
            Ordered::Unchanged { .. } => DeployAnswer::Unchanged {
                revision,
                message: "there is nothing to release; other settings of the file were taken over".to_owned(),
            },
            Ordered::Refused(why) => {
                DeployAnswer::Refused { why, instead: "`serin status` says what is possible now".to_owned() }
            }
        })
    }

    async fn history(&self, limit: usize) -> Result<Vec<RolloutView>, ApiError> {
        self.read(|store| store.rollouts(limit)?.iter().map(|record| events::rollout(store, record)).collect())
    }

    async fn rollout(&self, number: u64) -> Result<Option<RolloutDetail>, ApiError> {
        self.read(|store| events::detail(store, number))
    }

    async fn measures(&self) -> Result<serde_json::Value, ApiError> {
        let measures = self.metrics.measures().await.map_err(broken)?;
        serde_json::to_value(measures).map_err(broken)
    }

    async fn logs(&self, query: LogQuery) -> Result<mpsc::Receiver<LogLine>, ApiError> {
        let dirs = self.layout.log_dirs(query.instance.as_deref()).map_err(broken)?;
        if dirs.is_empty() {
            let what =
                query.instance.map_or("there is no instance".to_owned(), |id| format!("there is no instance {id}"));
            return Err(ApiError::new(404, what, "`serin status` lists the instances"));
        }
        let (send, receive) = mpsc::channel(256);
        for (instance, dir) in dirs {
            let send = send.clone();
            tokio::spawn(async move {
                // A log that cannot be read has no lines; `serin status` says what is wrong with its instance.
                let Ok((lines, mut follow)) = serin_supervisor::logs::tail(&dir, query.tail, None) else { return };
                let mut next = lines;
                loop {
                    for line in next {
                        if send.send(log_line(&instance, line)).await.is_err() {
                            return;
                        }
                    }
                    if !query.follow {
                        return;
                    }
                    tokio::time::sleep(Duration::from_millis(200)).await;
                    if send.is_closed() {
                        return;
                    }
                    next = follow.next_lines().unwrap_or_default();
                }
            });
        }
        Ok(receive)
    }
}

fn log_line(instance: &str, line: serin_supervisor::logs::Line) -> LogLine {
    use serin_supervisor::logs::Stream;
    let at: Option<jiff::Timestamp> = line.at.parse().ok();
    LogLine {
        instance: instance.to_owned(),
        at: at.and_then(|at| u64::try_from(at.as_millisecond()).ok()),
        stream: match line.stream {
            Stream::Stdout => "out",
            Stream::Stderr => "err",
            Stream::Shim => "shim",
        }
        .to_owned(),
        text: line.text,
    }
}

fn command(command: Command) -> serin_engine::Command {
    match command {
        Command::Promote { full } => serin_engine::Command::Promote { full },
        Command::Abort { reason } => serin_engine::Command::Abort { reason },
        Command::Pause => serin_engine::Command::Pause,
        Command::Resume => serin_engine::Command::Resume,
        Command::Approve => serin_engine::Command::Approve,
        Command::Weight { bp } => serin_engine::Command::Weight { share: bp },
        Command::Rollback => serin_engine::Command::Rollback,
        Command::Park { reason } => serin_engine::Command::Park { reason },
    }
}

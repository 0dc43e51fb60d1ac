//! The loop around [`evaluate`]: look, take, renew, give back.

use super::evaluate::{Next, Sight, evaluate};
use super::record::{Record, change, newborn};
use super::{Leadership, Timing};
use crate::call::{Ask, CallError, JSON};
use crate::connect::Api;
use crate::kind::{collection, is_name};
use crate::random::{jittered, number};
use crate::write::MERGE;
use http::Method;
use serde_json::Value;
use serin_engine::{Clock, SystemClock};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::sleep;

/// Somebody who wants to hold a Lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    namespace: String,
    name: String,
    identity: String,
    timing: Timing,
}

impl Candidate {
    /// A candidate for the Lease `namespace/name`. `who` is for people, such as the pod's name; a random part is added, so that
    /// no other process ever has this identity, not even the next one of the same pod.
    ///
    /// # Errors
    /// A sentence on a timing under which two could hold at once, or a name that is none.
    pub fn new(namespace: &str, name: &str, who: &str, timing: Timing) -> Result<Candidate, String> {
        if let Some(why) = timing.wrong() {
            return Err(why);
        }
        if let Some(bad) = [namespace, name].into_iter().find(|text| !is_name(text)) {
            return Err(format!("{bad:?} cannot be the name of a namespace or a Lease"));
        }
        let identity = format!("{who}_{:016x}", number());
        Ok(Candidate { namespace: namespace.into(), name: name.into(), identity, timing })
    }

    /// The name that stands in the Lease while it is held here.
    pub fn identity(&self) -> &str {
        &self.identity
    }

    /// Begins. Needs a tokio runtime.
    pub fn start(self, api: &Api) -> Elected {
        let (say, leadership) = watch::channel(Leadership::Follows { holder: None });
        let (stop, stopped) = oneshot::channel();
        let beat = Arc::new(AtomicU64::new(now()));
        let trouble = Arc::new(Mutex::new(None));
        let timing = self.timing;
        let keeper = Keeper {
            api: api.clone(),
            candidate: self,
            sight: Sight::default(),
            held: None,
            unsure: true,
            say,
            beat: Arc::clone(&beat),
            trouble: Arc::clone(&trouble),
        };
        let task = tokio::spawn(keeper.run(stopped));
        Elected { leadership, stop, task, beat, trouble, timing }
    }
}

/// A candidate at work. When it is dropped the loop ends, and the Lease is not given back: its time runs out.
#[derive(Debug)]
pub struct Elected {
    leadership: watch::Receiver<Leadership>,
    stop: oneshot::Sender<()>,
    task: JoinHandle<Result<(), CallError>>,
    beat: Arc<AtomicU64>,
    trouble: Arc<Mutex<Option<String>>>,
    timing: Timing,
}

impl Elected {
    /// Whether this process may write, now and whenever that changes.
    pub fn leadership(&self) -> watch::Receiver<Leadership> {
        self.leadership.clone()
    }

    /// Whether the loop itself goes on, for liveness. Whether the API server answers it is another question:
    /// [`Elected::trouble`].
    pub fn is_alive(&self) -> bool {
        // No turn takes longer than a call within the renew deadline, and a pause.
        let silent = now().saturating_sub(self.beat.load(Ordering::Relaxed));
        !self.task.is_finished() && u128::from(silent) < self.timing.duration.as_millis() * 2
    }

    /// What is wrong at present, in a sentence.
    pub fn trouble(&self) -> Option<String> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Stops being a candidate, and gives the Lease back if it is held here, so that the next one does not wait for its end.
    /// To be called when nothing of this process writes any more.
    ///
    /// # Errors
    /// When it could not be given back; its time then runs out by itself.
    pub async fn release(self) -> Result<(), CallError> {
        // A loop that is gone already is told by its end.
        let _ = self.stop.send(());
        self.task
            .await
            .unwrap_or_else(|e| Err(CallError::NotSent(format!("the loop of the Lease ended by itself: {e}"))))
    }
}

struct Held {
    transitions: u64,
    epoch: u64,
    until_ms: u64,
}

struct Keeper {
    api: Api,
    candidate: Candidate,
    sight: Sight,
    held: Option<Held>,
    /// Whether the Lease must be read before anything is written: what was written last did not go well, or nothing was.
    unsure: bool,
    say: watch::Sender<Leadership>,
    beat: Arc<AtomicU64>,
    trouble: Arc<Mutex<Option<String>>>,
}

impl Keeper {
    async fn run(mut self, mut stopped: oneshot::Receiver<()>) -> Result<(), CallError> {
        loop {
            self.beat.store(now(), Ordering::Relaxed);
            let turn = async {
                let pause = self.turn().await;
                sleep(pause).await;
            };
            tokio::select! {
                told = &mut stopped => return match told {
                    Ok(()) => self.give_back().await,
                    Err(_) => Ok(()),
                },
                () = turn => {}
            }
        }
    }

    /// One look or one write, and how long to pause afterwards.
    async fn turn(&mut self) -> Duration {
        self.expire();
        let result = if self.unsure { self.look().await } else { Ok(()) };
        let result = match result {
            Ok(()) => self.act().await,
            Err(error) => Err(error),
        };
        self.expire();
        let retry = u64::try_from(self.candidate.timing.retry.as_millis()).unwrap_or(u64::MAX);
        let pause = match result {
            Ok(pause) => {
                self.set_trouble(None);
                pause
            }
            Err(error) => {
                self.unsure = true;
                self.set_trouble(Some(error.to_string()));
                // A conflict says that there is something new to read; everything else is not asked for in haste.
                if is_conflict(&error) { jittered(200) } else { retry }
            }
        };
        let left = self.held.as_ref().map_or(u64::MAX, |held| held.until_ms.saturating_sub(now()));
        Duration::from_millis(pause.min(left))
    }

    async fn act(&mut self) -> Result<u64, CallError> {
        let timing = self.candidate.timing;
        let retry = u64::try_from(timing.retry.as_millis()).unwrap_or(u64::MAX);
        let holding = self.held.as_ref().map(|held| held.transitions);
        match evaluate(&self.sight, &self.candidate.identity, holding, &timing, now()) {
            Next::Create => self.create().await.map(|()| 0),
            Next::Take { transitions, epoch } => {
                let sent = now();
                self.patch(self.candidate.identity.clone(), transitions, timing.duration).await?;
                self.hold(transitions, epoch, sent);
                Ok(retry)
            }
            Next::Renew => {
                let sent = now();
                let Some((transitions, epoch)) = self.held.as_ref().map(|held| (held.transitions, held.epoch)) else {
                    return Ok(retry);
                };
                self.patch(self.candidate.identity.clone(), transitions, timing.duration).await?;
                self.hold(transitions, epoch, sent);
                Ok(retry)
            }
            Next::Wait { ms } => {
                self.unsure = true;
                self.follow();
                Ok(ms.min(jittered(retry)).max(1))
            }
            Next::Stuck(why) => {
                self.follow();
                Err(CallError::NotSent(why))
            }
        }
    }

    /// Reads the Lease. Whoever held it and finds another one's name in it has lost it in this moment.
    async fn look(&mut self) -> Result<(), CallError> {
        let record = match self.call(Method::GET, self.path(), None).await {
            Ok(lease) => Some(Record::read(&lease).map_err(CallError::Unknown)?),
            Err(CallError::Refused(refusal)) if refusal.code == 404 && refusal.reason == "NotFound" => None,
            Err(error) => return Err(error),
        };
        self.saw(record);
        self.unsure = false;
        Ok(())
    }

    async fn create(&mut self) -> Result<(), CallError> {
        let Candidate { namespace, name, timing, .. } = &self.candidate;
        let path = collection("coordination.k8s.io/v1", "leases", Some(namespace));
        let lease = newborn(namespace, name, timing.duration.as_secs());
        let made = self.call(Method::POST, path, Some((JSON, lease))).await?;
        let record = Record::read(&made).map_err(CallError::Unknown)?;
        self.saw(Some(record));
        Ok(())
    }

    /// Writes on the version that was seen.
    async fn patch(&mut self, holder: String, transitions: u64, duration: Duration) -> Result<(), CallError> {
        let Some(seen) = self.sight.record() else {
            return Err(CallError::NotSent("there is no Lease to write".to_owned()));
        };
        let body = change(seen, &holder, transitions, duration.as_secs());
        let lease = self.call(Method::PATCH, self.path(), Some((MERGE, body))).await?;
        let record = Record::read(&lease).map_err(CallError::Unknown)?;
        self.sight.saw(Some(record), now());
        Ok(())
    }

    /// A call that ends while there is still time for another one, and never after the own right.
    async fn call(
        &self,
        method: Method,
        path: String,
        body: Option<(&'static str, Value)>,
    ) -> Result<Value, CallError> {
        let most = self.candidate.timing.renew_deadline / 2;
        let left = self.held.as_ref().map(|held| Duration::from_millis(held.until_ms.saturating_sub(now())));
        self.api.call(Ask { method, path, accept: JSON, body }, left.map_or(most, |left| left.min(most))).await
    }

    fn path(&self) -> String {
        let Candidate { namespace, name, .. } = &self.candidate;
        format!("{}/{name}", collection("coordination.k8s.io/v1", "leases", Some(namespace)))
    }

    fn saw(&mut self, record: Option<Record>) {
        let mine = self.held.as_ref().is_some_and(|held| {
            let same = |before: &Record, now: &Record| before.uid == now.uid;
            let whole = |r: &Record| r.holder == self.candidate.identity && r.transitions == held.transitions;
            record.as_ref().is_some_and(|r| whole(r) && self.sight.record().is_some_and(|before| same(before, r)))
        });
        self.sight.saw(record, now());
        if !mine {
            self.follow();
        }
    }

    fn hold(&mut self, transitions: u64, epoch: u64, sent_ms: u64) {
        let lasts = u64::try_from(self.candidate.timing.renew_deadline.as_millis()).unwrap_or(0);
        let until_ms = sent_ms.saturating_add(lasts);
        self.unsure = false;
        self.held = Some(Held { transitions, epoch, until_ms });
        self.say.send_replace(Leadership::Holds { epoch, until_ms });
        self.expire();
    }

    fn follow(&mut self) {
        self.held = None;
        let follows = Leadership::Follows { holder: self.sight.holder() };
        self.say.send_if_modified(|before| std::mem::replace(before, follows.clone()) != follows);
    }

    /// Ends the own right when its time is over.
    fn expire(&mut self) {
        if self.held.as_ref().is_some_and(|held| now() >= held.until_ms) {
            self.unsure = true;
            self.follow();
        }
    }

    fn set_trouble(&self, why: Option<String>) {
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = why;
    }

    /// Gives the Lease back, if it is held here: it is read first, because a turn may have been cut off in a write.
    async fn give_back(&mut self) -> Result<(), CallError> {
        self.follow();
        let mut last = Ok(());
        for _ in 0..3 {
            last = self.look().await;
            if last.is_err() {
                continue;
            }
            let Some(seen) = self.sight.record().filter(|seen| seen.holder == self.candidate.identity) else {
                return Ok(());
            };
            let transitions = seen.transitions;
            last = self.patch(String::new(), transitions, Duration::from_secs(1)).await;
            if last.is_ok() {
                return Ok(());
            }
        }
        last
    }
}

fn is_conflict(error: &CallError) -> bool {
    match error {
        CallError::Refused(refusal) => refusal.code == 409,
        CallError::NotSent(_) | CallError::Unknown(_) => false,
    }
}

/// Milliseconds since the machine was started, sleep included.
fn now() -> u64 {
    SystemClock.boot_ms()
}

#[cfg(test)]
mod tests;

//! What people ask for, taken in by compare-and-swap and kept as a level.
use crate::driver::{Driver, RoundError};
use crate::ledger::{Change, Ledger};
use crate::ports::{Clock, Fleet, MetricSource, Revision, Router};
use crate::saved::{Note, Notes, Saved, Wish};
use serde::{Deserialize, Serialize};
use serin_analysis::Checks;
use serin_rollout::{
    Bp, Intent, Interrupted, Kind, Leg, Outcome, Phase, Plan, PlanError, Preset, Rev, Status, StepKey, other,
};

/// A command of a person or of a pipeline.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Command {
    /// Do not wait for the acceptance of this step; with `full` for none of the later ones.
    Promote {
        /// Skip all the rest.
        full: bool,
    },
    /// Give the rollout up and return to the last good revision.
    Abort {
        /// Why.
        reason: String,
    },
    /// Stop advancing. Judging goes on.
    Pause,
    /// Go on after a pause or from a parked canary.
    Resume,
    /// Answer the gate of this step.
    Approve,
    /// Give the canary this share during this step.
    Weight {
        /// In basis points.
        share: Bp,
    },
    /// Return to the previous revision: at once while it is warm, else by starting it first.
    Rollback,
    /// Leave the canary live with the share that it has.
    Park {
        /// Why.
        reason: String,
    },
    /// Drain and stop the parked canary.
    Retire,
}

/// What became of a command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// It is saved and will be carried out.
    Done(String),
    /// It was meant for something that is over.
    Late(String),
    /// It has been given before.
    Already(String),
    /// It cannot be.
    Refused(String),
}

/// What is to be released.
#[derive(Clone, Debug)]
pub struct Order {
    /// The revision's full hash.
    pub hash: String,
    /// Everything that it runs.
    pub content: serde_json::Value,
    /// How to get there.
    pub plan: Plan,
    /// How it is judged.
    pub checks: Option<Checks>,
    /// The whole resolved spec.
    pub spec: serde_json::Value,
    /// The hash of the file that it came from.
    pub file_hash: Option<String>,
    /// Who asks for it.
    pub by: String,
    /// How the command line changed the file, by key path.
    pub changes: Vec<String>,
    /// Go on although a canary is parked.
    pub force: bool,
}

/// What became of an order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ordered {
    /// The revision is wanted; the number is that of the rollout that will bring it, 0 for the service's first start.
    Accepted {
        /// The rollout.
        rollout: u32,
        /// The revision.
        rev: Rev,
    },
    /// It runs already. Settings that are no part of a revision were taken over.
    Unchanged {
        /// The revision.
        rev: Rev,
    },
    /// It is being released already.
    Underway {
        /// The rollout.
        rollout: u32,
        /// The revision.
        rev: Rev,
    },
    /// It cannot be.
    Refused(String),
}

impl<L: Ledger, F: Fleet, R: Router, M: MetricSource, C: Clock> Driver<L, F, R, M, C> {
    /// Takes a command of `by` in. `key` is what [`Status::now`] was when it was given.
    ///
    /// # Errors
    /// The state could not be saved; nothing has changed.
    pub async fn command(&mut self, command: &Command, key: StepKey, by: &str) -> Result<Answer, RoundError> {
        self.be_sure().await?;
        let Some(saved) = &self.saved else {
            return Ok(Answer::Refused("nothing has been deployed yet: run `serin deploy` first".into()));
        };
        let status = saved.status;
        if key != status.now() {
            return Ok(Answer::Late(late(key, &status)));
        }
        if let Command::Rollback = command {
            return self.roll_back(status).await;
        }
        let mut intent = saved.intent;
        let answer = apply(command, &status, saved, &mut intent);
        if let Answer::Done(_) = answer {
            let at_ms = self.parts.clock.wall_ms();
            let notes = noted(command, &saved.notes, by, at_ms);
            self.keep(Change::to(Saved { intent, notes, ..saved.clone() }, at_ms)).await?;
        }
        Ok(answer)
    }

    /// Makes a revision wanted.
    ///
    /// # Errors
    /// The state could not be saved; nothing has changed.
    pub async fn deploy(&mut self, order: &Order) -> Result<Ordered, RoundError> {
        if let Some(why) = self.parts.fleet.refuses(&order.content).await {
            return Ok(Ordered::Refused(why));
        }
        self.be_sure().await?;
        let rev = self.parts.ledger.number(&order.hash).await.map_err(RoundError::Load)?;
        let wish = Wish {
            rev,
            plan: order.plan.clone(),
            checks: order.checks.clone(),
            spec: order.spec.clone(),
            file_hash: order.file_hash.clone(),
            by: order.by.clone(),
            changes: order.changes.clone(),
        };
        let (hash, content) = (order.hash.clone(), order.content.clone());
        let revision = Some(Revision { rev, hash, content });
        let at_ms = self.parts.clock.wall_ms();
        let Some(saved) = &self.saved else {
            self.keep(Change { revision, ..Change::to(Saved::first(wish), at_ms) }).await?;
            return Ok(Ordered::Accepted { rollout: 0, rev });
        };
        let status = saved.status;
        if let Phase::Parked { .. } = status.phase
            && !order.force
        {
            let text = "a canary is parked: resume it, abort it, or deploy with --force, which retires it first";
            return Ok(Ordered::Refused(text.into()));
        }
        let intent = wanting(rev, saved, order.force);
        let runs = status.rev[status.good] == Some(rev);
        let comes = !status.is_idle() && status.rev[other(status.good)] == Some(rev);
        let next = Saved { wish, intent, ..saved.clone() };
        self.keep(Change { revision, ..Change::to(next, at_ms) }).await?;
        Ok(match status.phase {
            Phase::Idle | Phase::Settling { step: StepKey::AT_REST, .. } if runs => Ordered::Unchanged { rev },
            Phase::Step(_) if comes => Ordered::Underway { rollout: status.rollout, rev },
            Phase::Settling { .. } if runs => Ordered::Underway { rollout: status.rollout, rev },
            Phase::Idle
            | Phase::Step(_)
            | Phase::Settling { .. }
            | Phase::Back { .. }
            | Phase::Halted { .. }
            | Phase::Parked { .. } => Ordered::Accepted { rollout: next_rollout(&status), rev },
        })
    }

    /// Nothing was ever wanted.
    pub fn is_empty(&self) -> bool {
        self.saved.is_none()
    }

    /// The hash of the file that was applied last.
    pub fn applied_file(&self) -> Option<&str> {
        self.saved.as_ref()?.wish.file_hash.as_deref()
    }

    /// To the revision before the present good one.
    async fn roll_back(&mut self, status: Status) -> Result<Answer, RoundError> {
        let Some(saved) = &self.saved else { return Ok(Answer::Refused("nothing runs".into())) };
        let (intent, wish) = (saved.intent, saved.wish.clone());
        match status.phase {
            Phase::Settling { leg: Leg::Window, .. } => {
                let Some(warm) = status.rev[other(status.good)] else {
                    return Ok(Answer::Refused("the previous revision is not warm any more".into()));
                };
                let intent = Intent { rollback: Some(status.rollout), wanted: warm, ..intent };
                self.want(intent, Wish { rev: warm, ..wish }).await?;
                Ok(Answer::Done("returning to the previous revision, which is still warm, at once".into()))
            }
            Phase::Idle => {
                let before = match status.rev[status.good] {
                    Some(now) => self.parts.ledger.before(now).await.map_err(RoundError::Load)?,
                    None => None,
                };
                let Some(wanted) = before else {
                    return Ok(Answer::Refused("there is no revision before this one in the history".into()));
                };
                let plan = match direct(&wish.plan) {
                    Ok(plan) => plan,
                    Err(error) => return Ok(Answer::Refused(error.to_string())),
                };
                let intent = Intent { wanted, retry: Some(status.rollout), ..intent };
                self.want(intent, Wish { rev: wanted, plan, ..wish }).await?;
                Ok(Answer::Done(format!(
                    "starting the previous revision again, then everything moves to it (rollout {})",
                    status.rollout + 1
                )))
            }
            Phase::Settling { leg: Leg::Home, .. } | Phase::Halted { from: Interrupted::Home { .. } } => {
                Ok(Answer::Refused(
                    "the new revision is being copied to where the service rests: deploy the revision that you want"
                        .into(),
                ))
            }
            Phase::Step(_)
            | Phase::Halted { from: Interrupted::Step { .. } | Interrupted::Back { .. } }
            | Phase::Parked { .. } => {
                Ok(Answer::Refused("a rollout is under way: `serin abort` returns to the stable revision".into()))
            }
            Phase::Settling { leg: Leg::Retire, .. } => {
                Ok(Answer::Refused("the old revision is being stopped: try again in a moment".into()))
            }
            Phase::Back { .. } => Ok(Answer::Already("it is returning to the stable revision already".into())),
        }
    }

    async fn want(&mut self, intent: Intent, wish: Wish) -> Result<(), RoundError> {
        let Some(saved) = &self.saved else { return Ok(()) };
        let next = Saved { intent, wish, ..saved.clone() };
        self.keep(Change::to(next, self.parts.clock.wall_ms())).await
    }
}

/// The plan that leads straight to a revision which was good before, with everything else as in `plan`.
fn direct(plan: &Plan) -> Result<Plan, PlanError> {
    let limits = plan.limits;
    if plan.ceiling != u16::MAX {
        let preset = Preset::InPlace { after: serin_rollout::Accept::default() };
        return Plan::compile(&preset, limits.replicas, 0, true).map(|direct| Plan { times: plan.times, ..direct });
    }
    let unavailable = limits.replicas - limits.floor.min(limits.replicas);
    let direct = Plan::compile(&Preset::Direct, limits.replicas, unavailable, limits.floor == 0)?;
    Ok(Plan { times: plan.times, on_abort: plan.on_abort, window: plan.window, ..direct })
}

fn wanting(rev: Rev, saved: &Saved, force: bool) -> Intent {
    let status = &saved.status;
    let failed = status.last.is_some_and(|last| last.rev == rev && last.outcome != Outcome::Succeeded);
    let parked = matches!(status.phase, Phase::Parked { .. });
    let retry = if failed && status.is_idle() { Some(status.rollout) } else { saved.intent.retry };
    let retire = if parked && force { Some(status.rollout) } else { saved.intent.retire };
    Intent { wanted: rev, retry, retire, ..saved.intent }
}

fn next_rollout(status: &Status) -> u32 {
    if status.is_idle() && !status.proven[status.good] { status.rollout } else { status.rollout + 1 }
}

/// The notes with what this command says.
fn noted(command: &Command, notes: &Notes, by: &str, at_ms: u64) -> Notes {
    let note = |reason: &str| Some(Note { by: by.to_owned(), reason: reason.to_owned(), at_ms });
    let mut notes = notes.clone();
    match command {
        Command::Park { reason } => notes.park = note(reason),
        Command::Abort { reason } => notes.abort = note(reason),
        Command::Pause => notes.pause = note(""),
        Command::Resume => (notes.park, notes.pause) = (None, None),
        Command::Promote { .. } | Command::Approve | Command::Weight { .. } | Command::Rollback | Command::Retire => {}
    }
    notes
}

/// Changes the intent, or says why not.
fn apply(command: &Command, status: &Status, saved: &Saved, intent: &mut Intent) -> Answer {
    let rollout = Some(status.rollout);
    let Some(key) = status.key() else {
        return match (command, status.phase) {
            (Command::Abort { .. }, Phase::Back { .. }) => Answer::Already("it is going back already".into()),
            _ => Answer::Late("no rollout is under way that this could be meant for".into()),
        };
    };
    let (in_step, parked) = (matches!(status.phase, Phase::Step(_)), matches!(status.phase, Phase::Parked { .. }));
    let halted = matches!(status.phase, Phase::Halted { .. });
    match command {
        Command::Promote { full } if in_step || (halted && *full) => {
            set(&mut intent.promote, Some((key, *full)), "promoting")
        }
        Command::Promote { .. } if halted => refuse(
            "the rollout is halted: only `serin promote --full` can make the canary, which serves, the stable one",
        ),
        Command::Promote { .. } if parked => refuse("the canary is parked: `serin resume` first"),
        Command::Promote { .. } => Answer::Already("it is promoted already".into()),
        Command::Abort { .. } | Command::Retire if parked => {
            set(&mut intent.retire, rollout, "retiring the parked canary")
        }
        Command::Retire => refuse("no canary is parked"),
        Command::Abort { .. } => set(&mut intent.abort, rollout, "going back to the stable revision"),
        Command::Pause => set(&mut intent.pause, rollout, "paused; judging goes on"),
        Command::Resume if parked => {
            (intent.park, intent.abort) = (None, None);
            set(&mut intent.resume, Some(key), "resuming")
        }
        Command::Resume if intent.pause == rollout => {
            intent.pause = None;
            Answer::Done("resuming".into())
        }
        Command::Resume => Answer::Already("it is not paused".into()),
        Command::Approve if !waits_for_approval(saved, key) => {
            refuse("this step has no gate that waits for an approval")
        }
        Command::Approve => set(&mut intent.approved, Some(key), "approved"),
        Command::Weight { share } if *share > serin_rollout::FULL => refuse("a weight is at most 100%"),
        Command::Weight { .. } if saved.plan().kind == Kind::Members => {
            refuse("this release moves instances, not weights")
        }
        Command::Weight { share } if in_step => set(&mut intent.weight, Some((key, *share)), "setting the weight"),
        Command::Weight { .. } => refuse("a weight can only be set while a step runs"),
        Command::Park { .. } if in_step => set(&mut intent.park, rollout, "parking the canary"),
        Command::Park { .. } if parked => Answer::Already("it is parked already".into()),
        Command::Park { .. } => refuse("only a canary in a step can be parked"),
        Command::Rollback => refuse("a rollback is asked for the service, not for a step"),
    }
}

fn waits_for_approval(saved: &Saved, key: StepKey) -> bool {
    let step = saved.plan().steps.get(usize::from(key.step));
    matches!(saved.status.phase, Phase::Step(_) | Phase::Halted { from: Interrupted::Step { .. } })
        && step.is_some_and(|step| step.accept.manual)
}

fn refuse(text: &str) -> Answer {
    Answer::Refused(text.to_owned())
}

fn set<T: PartialEq>(level: &mut Option<T>, value: Option<T>, text: &str) -> Answer {
    if *level == value {
        return Answer::Already(format!("asked for before: {text}"));
    }
    *level = value;
    Answer::Done(text.to_owned())
}

fn late(named: StepKey, status: &Status) -> String {
    let place = |key: StepKey| {
        let attempt = u32::from(key.attempt) + 1;
        format!("step {} of rollout {}, attempt {attempt}", key.step.saturating_add(1), key.rollout)
    };
    match status.key() {
        Some(now) => format!("meant for {}, but it is at {} now", place(named), place(now)),
        None => format!("meant for {}, but no rollout is under way now", place(named)),
    }
}

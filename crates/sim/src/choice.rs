//! What the world may say in one round beside what is: verdicts, due timers, healthiness and what people ask for.
//!
//! These are chosen anew in every round, so they are no part of the state. That is more than can happen: a timer that
//! is due stays due, a verdict and an intent are levels. `healthy` is a fact about the past of ready instances, and is
//! chosen in the same way: all that are ready, or none.
use crate::env::{Env, Person};
use serin_rollout::{Intent, Phase, Plan, Rev, Status, StepKey, Timer, Timers, Verdict};

/// A judgement and the key that it carries.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Judged {
    /// None at all.
    Nothing,
    /// About the present step.
    Now(Verdict),
    /// About an attempt that is over.
    Stale(Verdict),
}

/// One round's free choices.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Choice {
    /// The verdict.
    pub judged: Judged,
    /// Which timers are due; only armed ones.
    pub due: Timers,
    /// Whether the ready instances have been ready for long enough.
    pub healthy: bool,
    /// What a person asks for.
    pub person: Option<Person>,
}

impl Choice {
    /// Nothing is due, nothing judged, nothing asked for.
    pub const QUIET: Choice = Choice {
        judged: Judged::Nothing,
        due: Timers { bake: false, healthy: false, progress: false, drain: false, window: false },
        healthy: true,
        person: None,
    };

    /// The verdict as the core gets it.
    pub fn verdict(&self, status: &Status) -> Option<(StepKey, Verdict)> {
        let key = status.key()?;
        match self.judged {
            Judged::Nothing => None,
            Judged::Now(verdict) => Some((key, verdict)),
            Judged::Stale(verdict) => Some((past(key), verdict)),
        }
    }

    /// What people ask for, beside the revision.
    pub fn intent(&self, status: &Status, wanted: Rev) -> Intent {
        let mut intent = Intent::of(wanted);
        let rollout = Some(status.rollout);
        let key = status.key();
        match self.person {
            None => {}
            Some(Person::Abort) => intent.abort = rollout,
            Some(Person::Rollback) => intent.rollback = rollout,
            Some(Person::Park) => intent.park = rollout,
            Some(Person::Retire) => intent.retire = rollout,
            Some(Person::Pause) => intent.pause = rollout,
            Some(Person::Retry) => intent.retry = rollout,
            Some(Person::Resume) => intent.resume = key,
            Some(Person::Approve) => intent.approved = key,
            Some(Person::ApproveLate) => intent.approved = key.map(past),
            Some(Person::Promote) => intent.promote = key.map(|key| (key, false)),
            Some(Person::PromoteLate) => intent.promote = key.map(|key| (past(key), false)),
            Some(Person::PromoteAll) => intent.promote = key.map(|key| (key, true)),
            Some(Person::Weight(share)) => intent.weight = key.map(|key| (key, share)),
        }
        intent
    }
}

/// A key that is no longer the present one.
fn past(key: StepKey) -> StepKey {
    StepKey { attempt: key.attempt.wrapping_add(1), ..key }
}

/// The armed timers, each of which may be due.
pub fn armed(status: &Status) -> Vec<Timer> {
    Timer::ALL.into_iter().filter(|timer| status.timer(*timer).is_some()).collect()
}

/// The set of these timers.
pub fn timers(list: impl IntoIterator<Item = Timer>) -> Timers {
    let mut due = Timers::default();
    for timer in list {
        match timer {
            Timer::Bake => due.bake = true,
            Timer::Healthy => due.healthy = true,
            Timer::Progress => due.progress = true,
            Timer::Drain => due.drain = true,
            Timer::Window => due.window = true,
        }
    }
    due
}

/// Every choice that the world has with this status.
pub fn all(env: &Env, plan: &Plan, status: &Status) -> Vec<Choice> {
    let armed = armed(status);
    let mut list = vec![];
    for judged in judgements(env, status) {
        for subset in 0..1u8 << armed.len() {
            let due = timers(armed.iter().enumerate().filter(|(i, _)| subset >> i & 1 == 1).map(|(_, timer)| *timer));
            for healthy in [true, false] {
                let alone = |person: &Option<Person>| judged == Judged::Nothing || meets_verdicts(*person);
                for person in people(env, plan, status).into_iter().filter(alone) {
                    list.push(Choice { judged, due, healthy, person });
                }
            }
        }
    }
    list
}

/// Whether what a person asks for can change what a verdict leads to. Everything else is obeyed at once, in a round of
/// its own, and the verdict comes in the next.
fn meets_verdicts(person: Option<Person>) -> bool {
    match person {
        None | Some(Person::Pause | Person::Approve | Person::ApproveLate | Person::Abort) => true,
        Some(
            Person::Rollback
            | Person::Park
            | Person::Retire
            | Person::Resume
            | Person::Retry
            | Person::Promote
            | Person::PromoteLate
            | Person::PromoteAll
            | Person::Weight(_),
        ) => false,
    }
}

fn judgements(env: &Env, status: &Status) -> Vec<Judged> {
    if status.key().is_none() {
        return vec![Judged::Nothing];
    }
    let mut list = vec![
        Judged::Nothing,
        Judged::Now(Verdict::Pass),
        Judged::Now(Verdict::Fail),
        Judged::Now(Verdict::Inconclusive),
        Judged::Now(Verdict::Error),
    ];
    if env.stale_verdicts {
        list.extend([Judged::Stale(Verdict::Pass), Judged::Stale(Verdict::Fail)]);
    }
    list
}

fn people(env: &Env, plan: &Plan, status: &Status) -> Vec<Option<Person>> {
    let manual = match status.phase {
        Phase::Step(at) => plan.steps.get(usize::from(at.step)).is_some_and(|step| step.accept.manual),
        Phase::Idle | Phase::Settling { .. } | Phase::Back { .. } | Phase::Halted { .. } | Phase::Parked { .. } => {
            false
        }
    };
    let mut list = vec![None];
    list.extend(env.people.iter().copied().map(Some));
    if manual {
        list.extend([Some(Person::Approve), Some(Person::ApproveLate)]);
    }
    list
}

/// The status with its counters cut: the numbers of rollouts and attempts are only ever compared with the present
/// ones, and the world always names the present one or none, so the present one may always be called 1 and 0.
pub fn canonical(mut status: Status) -> Status {
    use serin_rollout::Interrupted;
    status.rollout = status.rollout.min(1);
    match &mut status.phase {
        Phase::Step(at) => at.attempt = 0,
        Phase::Settling { attempt, .. }
        | Phase::Parked { attempt, .. }
        | Phase::Halted { from: Interrupted::Step { attempt, .. } | Interrupted::Home { attempt, .. } } => *attempt = 0,
        Phase::Idle | Phase::Back { .. } | Phase::Halted { from: Interrupted::Back { .. } } => {}
    }
    status
}

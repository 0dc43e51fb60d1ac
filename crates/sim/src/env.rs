//! What the environment may do. Everything that is on is unbounded, unless it says otherwise.
use crate::state::OLDER;
use serin_rollout::Bp;

/// One thing that a person may ask for in a round.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Person {
    /// Give the rollout up.
    Abort,
    /// Return to the revision before, after the commit.
    Rollback,
    /// Leave the canary live.
    Park,
    /// Stop the parked canary.
    Retire,
    /// Go on with the parked rollout.
    Resume,
    /// Do not advance.
    Pause,
    /// Try the failed revision again.
    Retry,
    /// Approve the present step.
    Approve,
    /// Approve a step that is over.
    ApproveLate,
    /// Skip the present step's acceptance.
    Promote,
    /// Skip the acceptance of a step that is over.
    PromoteLate,
    /// Skip every acceptance.
    PromoteAll,
    /// Another share for the present step.
    Weight(Bp),
}

impl Person {
    /// Everything that people may ask for at any moment. Where a step has a gate, the world adds the approvals itself.
    pub const ALL: &'static [Person] = &[
        Person::Abort,
        Person::Rollback,
        Person::Promote,
        Person::PromoteLate,
        Person::PromoteAll,
        Person::Weight(2_500),
        Person::Weight(0),
        Person::Park,
        Person::Retire,
        Person::Resume,
        Person::Pause,
        Person::Retry,
    ];
}

/// The faults and the people.
#[derive(Clone, Copy, Debug)]
pub struct Env {
    /// Ready instances fail at any time.
    pub down: bool,
    /// Data planes apply and confirm routes late, one by one, or never.
    pub late: bool,
    /// Views lag without bound.
    pub stale: bool,
    /// The controller dies between any two actions.
    pub crash: bool,
    /// One write or save of a dead incarnation may land later, until the next one fences it.
    pub zombie: bool,
    /// A write of the living may be lost. That it lands although an error was answered needs no switch: the core does
    /// not look at the answer, so this is the same as landing. A store that cannot save leaves everything as it is.
    pub lose: bool,
    /// An autoscaler lowers sets without traffic that are not pinned, down to nothing.
    pub lower: bool,
    /// Instances that lose their traffic keep open requests for as long as they like.
    pub busy: bool,
    /// Instances come into being late. Off: at once, not ready.
    pub lazy: bool,
    /// The read directly before a write may not know how a set is: it then tells what was asked for, and the readiness of
    /// the last view.
    pub blind: bool,
    /// The highest revision that people may want; they raise it one by one.
    pub revisions: u8,
    /// People may want the good revision again.
    pub undo: bool,
    /// What people may ask for in each round.
    pub people: &'static [Person],
    /// Verdicts may name an attempt that is over.
    pub stale_verdicts: bool,
    /// Any writer writes what the second key allows, at any time; the first key does nothing.
    pub anybody: bool,
    /// Somebody gives a set another revision from outside, in place. Its instances start anew.
    pub drift: bool,
    /// How often somebody writes the route behind the controller's back: everything to either slot, or half to each.
    pub edits: u8,
    /// How many older generations of the route may be on their way at once.
    pub generations: u8,
    /// The view that a decision was made on excuses it, not only the read directly before the write. For the first key
    /// alone, without the second one.
    pub lenient: bool,
}

impl Env {
    /// Nothing goes wrong, and one new revision is wanted.
    pub const CALM: Env = Env {
        down: false,
        late: false,
        stale: false,
        crash: false,
        zombie: false,
        lose: false,
        lower: false,
        busy: false,
        lazy: false,
        blind: false,
        revisions: 2,
        undo: false,
        people: &[Person::Abort],
        stale_verdicts: false,
        anybody: false,
        drift: false,
        edits: 0,
        generations: OLDER as u8,
        lenient: false,
    };

    /// Everything goes wrong.
    pub const HARSH: Env = Env {
        down: true,
        late: true,
        stale: true,
        crash: true,
        zombie: true,
        lose: true,
        lower: true,
        busy: true,
        lazy: false,
        blind: false,
        revisions: 3,
        undo: true,
        people: &[Person::Abort, Person::Rollback],
        stale_verdicts: true,
        anybody: false,
        drift: false,
        edits: 0,
        generations: OLDER as u8,
        lenient: false,
    };
}

//! Everything that can happen to one plan, class of faults by class of faults: for whoever wants to know it of a plan of
//! their own. The worlds in [`crate::configs`] are the core's own test.
use crate::bfs;
use crate::env::{Env, Person};
use crate::invariants::Rule;
use crate::progress::Meter;
use crate::quiet::Mode;
use crate::story;
use crate::subject::Subject;
use crate::world::World;
use serin_rollout::Plan;

/// One kind of trouble, without bounds.
#[derive(Clone, Copy, Debug)]
pub struct Class {
    /// A word for it.
    pub name: &'static str,
    /// What goes wrong, in words.
    pub words: &'static str,
    /// The same for the world.
    pub env: Env,
}

const LIVING: Env = Env { stale: false, crash: false, zombie: false, revisions: 2, ..Env::HARSH };

/// The trouble of instances, where more of them than one have many more states.
pub const LARGER: Class = Class {
    name: "instances",
    words: "instances fail and come back, the proxy confirms late or never",
    env: Env { undo: false, busy: false, stale_verdicts: false, ..LIVING },
};

/// The classes of trouble.
pub const CLASSES: [Class; 5] = [
    Class {
        name: "instances",
        words: "instances fail and come back, the proxy confirms late or never, requests stay open",
        env: LIVING,
    },
    Class {
        name: "controller",
        words: "the controller dies between any two actions, and its last write or save lands late",
        env: Env { crash: true, zombie: true, busy: false, stale_verdicts: false, undo: false, people: &[], ..LIVING },
    },
    Class {
        name: "old views",
        words: "what the controller sees is arbitrarily old, while instances fail",
        env: Env { stale: true, busy: false, stale_verdicts: false, undo: false, people: &[], ..LIVING },
    },
    Class {
        name: "people",
        words: "people abort, roll back, promote, pause, park, resume and set weights at any moment",
        env: Env { people: Person::ALL, late: false, undo: false, busy: false, stale_verdicts: false, ..LIVING },
    },
    Class {
        name: "versions",
        words: "a newer version is wanted in the middle, or the old one again",
        env: Env {
            revisions: 3,
            busy: false,
            stale_verdicts: false,
            lower: false,
            lose: false,
            people: &[Person::Abort],
            ..LIVING
        },
    },
];

/// What is not as it should be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Flaw {
    /// The rule or promise that is broken.
    pub promise: &'static str,
    /// The shortest way there, in words.
    pub story: String,
}

/// What a search found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Explored {
    /// States that were reached.
    pub states: usize,
    /// Whether these are all.
    pub complete: bool,
    /// What is wrong, if anything.
    pub flaw: Option<Flaw>,
}

/// Searches every state that `plan` can reach from a service at rest, at most `cap` of them, and runs each to its quiet
/// end. A search that was cut says nothing of ends.
pub fn explore(subject: Subject, plan: Plan, env: Env, cap: usize) -> Explored {
    explore_told(subject, plan, env, cap, &Meter::default())
}

/// [`explore`], with `meter` told how far it is.
pub fn explore_told(subject: Subject, plan: Plan, env: Env, cap: usize, meter: &Meter) -> Explored {
    let world = World::new(subject, plan, env);
    let found = bfs::search_told(&world, world.at_rest(), cap, &Mode::ALL, meter);
    let broken = found.broken.map(|id| {
        let way = found.graph.way(id);
        let rule = way.last().and_then(|(_, state)| Rule::of(state.broken));
        Flaw { promise: rule.map_or("", Rule::sentence), story: story::tell(&world, &way) }
    });
    let stuck = found.stuck.as_ref().map(|stuck| {
        let story = story::tell(&world, &found.graph.way(stuck.start));
        let quiet = story::tell_quiet(&world, stuck.mode, stuck.order, found.graph.list[stuck.start as usize]);
        Flaw { promise: stuck.mode.promise(), story: story + &quiet }
    });
    Explored { states: found.graph.list.len(), complete: !found.cut, flaw: broken.or(stuck) }
}

//! What the rules excuse, as named allowances. Each of them is tested twice: a mutant dies by its rule with the exact
//! allowance and survives that rule with the widened one, so that nothing lives on more excuse than it is owed; and in
//! worlds without the fault that it is for, it is nought in every state.
use crate::bfs;
use crate::configs::Flow;
use crate::env::Env;
use crate::foreign;
use crate::invariants::Rule;
use crate::mutants::guards::{NoCap, NoDrain, NoReadyBack, NoReadyForward, NoSurvivor};
use crate::subject::Subject;
use crate::world::World;

/// The allowances. `false` everywhere is exact; each can be widened.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Excuses {
    /// What the world once took is owed for good, although nothing was sent to it or it came back.
    pub debt_stays: bool,
    /// What a route misses when it takes effect is owed, whether it was allowed or not.
    pub owes_anything: bool,
    /// Everything was there at the read that allowed a write.
    pub known: bool,
    /// No route serves less than those in force.
    pub no_worse: bool,
    /// What stops was not ready at the read that allowed it.
    pub unknown: bool,
    /// Something in force gives the revision that is not proven everything already.
    pub share: bool,
    /// After an edit nobody could know of any route.
    pub edited: bool,
    /// Every drain deadline had passed.
    pub drained: bool,
    /// Only this rule is judged.
    pub only: Option<Rule>,
}

/// One allowance and the mutant that it must not excuse.
pub struct Case {
    /// The allowance.
    pub name: &'static str,
    /// The mutant.
    pub subject: Subject,
    /// The strategy.
    pub flow: Flow,
    /// Instances at rest.
    pub replicas: u16,
    /// The faults.
    pub env: Env,
    /// The rule that catches it.
    pub rule: Rule,
    /// The widened allowance.
    pub widened: Excuses,
    /// The faults with which it is widened; others only for [`Env::lenient`].
    pub excused: Env,
}

/// What became of a case.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// The allowance.
    pub name: &'static str,
    /// The mutant dies by the rule with the exact allowance.
    pub dies: bool,
    /// It survives the rule with the widened one.
    pub survives: bool,
    /// States searched.
    pub states: usize,
    /// How it died although the allowance was widened; empty where it survived.
    pub story: String,
}

impl Verdict {
    /// The allowance is as wide as it must be, and no wider.
    pub fn is_exact(&self) -> bool {
        self.dies && self.survives
    }
}

/// The first key alone, with failures and late data planes.
const ALONE: Env = Env { down: true, late: true, lower: true, busy: true, ..Env::CALM };

/// All of them.
pub fn all() -> Vec<Case> {
    let w = Flow::Weights;
    let exact = Excuses::default();
    let old_views = Env { stale: true, ..ALONE };
    let edits = Env { edits: 1, late: true, people: &[crate::env::Person::Abort], ..Env::CALM };
    let case = |name, subject: Subject, replicas, env, rule, widened| Case {
        name,
        subject: subject.alone(),
        flow: w,
        replicas,
        env,
        rule,
        widened,
        excused: env,
    };
    let forward = || Subject::with::<NoReadyForward>("no readiness forwards");
    let back = Subject::with::<NoReadyBack>("no readiness back");
    let survivor = Subject::with::<NoSurvivor>("no survivor");
    let cap = Subject::with::<NoCap>("no cap");
    let drain = Subject::with::<NoDrain>("no drain");
    let bolder = Subject::twisted("bolder-after-a-loss", foreign::ours::bolder_after_a_loss);
    let edit = Subject::twisted("takes-an-edit-for-home", foreign::ours::takes_an_edit_for_home);
    let down = Env { down: true, ..Env::CALM };
    let lenient = Case {
        subject: Subject { name: "first-key-on-old-views", ..Subject::SOUND.alone() },
        excused: Env { lenient: true, ..old_views },
        ..case("lenient", Subject::SOUND, 1, old_views, Rule::RouteWrite, exact)
    };
    vec![
        case("debt is cut", bolder, 2, down, Rule::Capacity, Excuses { debt_stays: true, ..exact }),
        case("debt of what was allowed", forward(), 1, ALONE, Rule::Capacity, Excuses { owes_anything: true, ..exact }),
        case("known", forward(), 1, ALONE, Rule::RouteWrite, Excuses { known: true, ..exact }),
        case("no worse", back, 1, ALONE, Rule::RouteWrite, Excuses { no_worse: true, ..exact }),
        case("unknown", survivor, 1, ALONE, Rule::Destruction, Excuses { unknown: true, ..exact }),
        case("share", cap, 2, ALONE, Rule::Share, Excuses { share: true, ..exact }),
        case("edited", edit, 1, edits, Rule::Destruction, Excuses { edited: true, ..exact }),
        case("drained", drain, 1, ALONE, Rule::Drain, Excuses { drained: true, ..exact }),
        lenient,
    ]
}

const CAP: usize = 3_000_000;

/// Searches a case with the exact allowance and with the widened one.
pub fn run(case: &Case) -> Verdict {
    let search = |env: Env, excuses: Excuses| {
        let excuses = Excuses { only: Some(case.rule), ..excuses };
        let world = World::new(case.subject, case.flow.plan(case.replicas, 0), env).excusing(excuses);
        let found = bfs::search(&world, world.at_rest(), CAP, &[]);
        let story = found.broken.map_or_else(String::new, |id| crate::story::tell(&world, &found.graph.way(id)));
        (found.broken.is_some(), found.cut, found.graph.list.len(), story)
    };
    let (dies, _, few, _) = search(case.env, Excuses::default());
    let (broken, cut, many, story) = search(case.excused, case.widened);
    Verdict { name: case.name, dies, survives: !broken && !cut, states: few + many, story }
}

/// In a world in which nothing fails, drifts, is edited or rescaled nothing is owed in any state, and no write may be
/// excused by what the world did since. The number of states that were looked at, or what is owed without a reason.
///
/// # Errors
/// The state in which something is owed.
pub fn nothing_is_owed_for_nothing(flow: Flow) -> Result<usize, String> {
    let env = Env { down: false, undo: false, stale_verdicts: false, revisions: 2, ..Env::HARSH };
    let world = World::new(Subject::SOUND, flow.plan(1, 0), env);
    let found = bfs::search(&world, world.at_rest(), CAP, &[]);
    let owes =
        |s: &&crate::state::State| s.debt != [0; 2] || [s.flight, s.zombie].iter().any(|f| f.edited != 0 || f.moved);
    match found.graph.list.iter().find(owes) {
        Some(state) => Err(crate::story::describe(&world, state)),
        None if found.cut || found.broken.is_some() => Err("the search did not end well".to_owned()),
        None => Ok(found.graph.list.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_allowance_is_as_wide_as_it_must_be() {
        for case in all() {
            let verdict = run(&case);
            let Verdict { name, dies, .. } = verdict;
            assert!(verdict.is_exact(), "{name}: dies {dies}; widened it ends so:\n{}", verdict.story);
        }
    }

    #[test]
    fn without_a_fault_nothing_is_excused() {
        for flow in [Flow::Direct, Flow::Weights, Flow::OneByOne] {
            let states = nothing_is_owed_for_nothing(flow).unwrap();
            assert!(states > 1_000, "{flow:?}: {states}");
        }
    }
}

//! The crash sweep: at every write and every save of a release, the controller dies in every way that there is, and the
//! release must still end where it would have ended.
use crate::configs::Flow;
use crate::env::Env;
use crate::quiet::{Mode, Order};
use crate::state::State;
use crate::story;
use crate::subject::Subject;
use crate::world::{Happening, World};
use serin_rollout::{Phase, Rev};

/// How the controller or its write dies.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Death {
    /// Before it saves or sends.
    Before,
    /// After it saved.
    AfterSave,
    /// While it saves; the save lands this many steps later, with `None` never.
    WhileSaving(Option<u8>),
    /// After it sent; the write lands this many steps later, with `None` never.
    AfterSend(Option<u8>),
    /// After the answer.
    AfterAnswer,
    /// It lives; the write took effect and the answer was an error.
    AppliedButError,
    /// It lives; somebody else was first, and the write did not happen.
    Conflict,
}

/// A late write lands at most this many steps later.
const LATEST: u8 = 6;

/// All cases of one release.
#[derive(Clone, Debug, Default)]
pub struct Swept {
    /// Writes and saves in the release.
    pub actions: usize,
    /// Deaths tried.
    pub cases: usize,
    /// The stories of those that ended badly.
    pub failures: Vec<String>,
}

/// Every strategy, at two sizes, promoted and rolled back; `progress` hears of each.
pub fn sweep(sizes: &[u16], mut progress: impl FnMut(Flow, u16, Mode, &Swept)) -> Swept {
    let mut all = Swept::default();
    for flow in Flow::ALL {
        for size in sizes {
            for mode in [Mode::Pass, Mode::Fail] {
                let swept = release(flow, *size, mode);
                progress(flow, *size, mode, &swept);
                all.actions += swept.actions;
                all.cases += swept.cases;
                all.failures.extend(swept.failures);
            }
        }
    }
    all
}

fn release(flow: Flow, size: u16, mode: Mode) -> Swept {
    let env = Env { undo: false, people: &[], revisions: 2, ..Env::HARSH };
    let world = World::new(Subject::SOUND, flow.plan(size, 0), env);
    let mut swept = Swept::default();
    let mut state = State { wanted: 2, ..world.at_rest() };
    while let Some((happening, next)) = world.quiet(&state, now(&world, &state, mode), Order::InstancesFirst) {
        swept.actions += usize::from(matches!(happening, Happening::Round(_)));
        for death in deaths(&world, &state, happening, &next) {
            swept.cases += 1;
            if let Err(story) = survive(&world, &state, happening, &next, death, mode) {
                swept.failures.push(format!("{} R={size} {mode:?} {death:?}\n{story}", flow.name()));
            }
        }
        state = next;
    }
    swept
}

/// A release that fails does so at its last step, when the canary has all that it will ever have.
fn now(world: &World, state: &State, mode: Mode) -> Mode {
    let status = world.status(state.status);
    match status.phase {
        Phase::Step(at) if mode == Mode::Fail => {
            let last = usize::from(at.step) + 1 == world.plan.steps.len();
            if last && at.reached { Mode::Fail } else { Mode::Pass }
        }
        Phase::Step(_)
        | Phase::Idle
        | Phase::Settling { .. }
        | Phase::Back { .. }
        | Phase::Halted { .. }
        | Phase::Parked { .. } => mode,
    }
}

fn deaths(world: &World, before: &State, happening: Happening, after: &State) -> Vec<Death> {
    let late = || (0..=LATEST).map(Some).chain([None]);
    let saves = after.status != before.status;
    if let Happening::Land = happening {
        vec![Death::AfterAnswer, Death::AppliedButError]
    } else if !matches!(happening, Happening::Round(_)) {
        vec![]
    } else if saves {
        [Death::Before, Death::AfterSave].into_iter().chain(late().map(Death::WhileSaving)).collect()
    } else {
        let claim = world.write(after.flight.write) == serin_rollout::Write::Claim;
        let mut list = vec![Death::Before, Death::Conflict];
        list.extend(late().filter(|_| !claim).map(Death::AfterSend));
        list
    }
}

fn survive(
    world: &World,
    before: &State,
    happening: Happening,
    after: &State,
    death: Death,
    mode: Mode,
) -> Result<(), String> {
    let (from, fatal, late) = match (death, happening) {
        (Death::Before, _) => (before, Some(Happening::Crash(false)), None),
        (Death::AfterSave | Death::AfterAnswer, _) => (after, Some(Happening::Crash(false)), None),
        (Death::WhileSaving(late), Happening::Round(choice)) => (before, Some(Happening::DieSaving(choice)), late),
        (Death::AfterSend(late), _) => (after, Some(Happening::Crash(true)), late),
        (Death::Conflict, _) => (after, Some(Happening::Lose), None),
        (Death::AppliedButError | Death::WhileSaving(_), _) => (after, None, None),
    };
    let mut state = *from;
    let mut way = vec![(None, state)];
    if let Some(fatal) = fatal {
        state = world.step(&state, fatal).unwrap_or(state);
        way.push((Some(fatal), state));
    }
    for step in 0..20_000u32 {
        let due = late.is_some_and(|late| u32::from(late) == step);
        let pending = if state.zombie_save != 0 { Happening::ZombieSaves } else { Happening::ZombieLands };
        let lands = due && (state.zombie_save != 0 || state.zombie.write != 0);
        let next = if lands { world.step(&state, pending).map(|next| (pending, next)) } else { None };
        let Some((happening, next)) =
            next.or_else(|| world.quiet(&state, now(world, &state, mode), Order::InstancesFirst))
        else {
            return ends_well(world, &state, mode).then_some(()).ok_or_else(|| story::tell(world, &way));
        };
        state = next;
        way.push((Some(happening), state));
        if state.broken != 0 {
            break;
        }
    }
    Err(story::tell(world, &way[way.len().saturating_sub(60)..]))
}

/// The release ended where it would have ended: promoted on revision 2, or back on revision 1.
fn ends_well(world: &World, end: &State, mode: Mode) -> bool {
    let status = world.status(end.status);
    let expected = if mode == Mode::Pass { Rev(2) } else { Rev(1) };
    world.rests(end, &status) && status.rev[status.good] == Some(expected)
}

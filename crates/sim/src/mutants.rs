//! The checker's own test: every guard switched off, and every known bug by name, must be caught.
use crate::bfs;
use crate::configs::Flow;
use crate::env::Env;
use crate::foreign;
use crate::invariants::Rule;
use crate::quiet::Mode;
use crate::story;
use crate::subject::Subject;
use crate::world::World;
use serin_rollout::{Guards, Sound};
use std::time::Instant;

macro_rules! guard_off {
    ($($(#[$doc:meta])* $name:ident: $guard:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug)]
        pub struct $name;
        impl Guards for $name {
            const $guard: bool = false;
        }
    )*};
}

guard_off! {
    /// Writes of a dead incarnation are not fenced.
    NoClaim: CLAIM;
    /// A route is taken for in force when it was accepted.
    NoAck: ACK;
    /// A view older than the own last write is believed.
    NoFresh: FRESH;
    /// Others may lower what carries or will carry traffic.
    NoPin: PIN;
    /// Traffic goes forwards to what is not ready.
    NoReadyForward: READY_FORWARD;
    /// Traffic goes back to what is not ready.
    NoReadyBack: READY_BACK;
    /// A set is retired although nothing else is whole.
    NoSurvivor: SURVIVOR;
    /// The fallback to a set stays while the set is retired.
    NoCleanRoute: CLEAN_ROUTE;
    /// Open requests are not waited for.
    NoDrain: DRAIN;
    /// No failure is a pass.
    NoVerdict: VERDICT;
    /// Old verdicts and commands count.
    NoKeyed: KEYED;
    /// A failure after the commit is ignored.
    NoFailAnywhere: FAIL_ANYWHERE;
    /// A newer revision does not end the older one's rollout.
    NoSupersede: SUPERSEDE;
    /// A dead new set does not lead back to the warm old one.
    NoFlipBack: FLIP_BACK;
    /// Traffic stays on what does not serve.
    NoRescue: RESCUE;
    /// An unproven revision may get more than its step allows.
    NoCap: CAP;
    /// A set that exists is given another revision.
    NoImmutable: IMMUTABLE;
    /// Writes go out without a fresh read.
    NoPermit: PERMIT;
    /// The second key counts instances that are being stopped.
    NoSurplus: SURPLUS;
}

/// A mutant and the smallest world that catches it.
pub struct Mutant {
    /// The subject with its name.
    pub subject: Subject,
    /// The strategy.
    pub flow: Flow,
    /// Instances at rest.
    pub replicas: u16,
    /// The faults.
    pub env: Env,
}

/// What became of a mutant.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// Its name.
    pub name: &'static str,
    /// Whether the sound core is sound in the same world: else the catch proves nothing.
    pub control: bool,
    /// The rule or promise that caught it.
    pub caught: Option<&'static str>,
    /// The length of the shortest way there.
    pub steps: usize,
    /// States searched.
    pub states: usize,
    /// Wall time in seconds.
    pub secs: f64,
    /// The way, in words.
    pub story: String,
}

impl Verdict {
    /// Caught, and for the right reason.
    pub fn is_killed(&self) -> bool {
        self.control && self.caught.is_some()
    }
}

/// The first key alone, on views that are never old, with failures and late data planes: what the guards of the first
/// key are for when nobody stands behind it.
const ALONE: Env = Env { down: true, late: true, lower: true, busy: true, ..Env::CALM };

/// All of them.
pub fn all() -> Vec<Mutant> {
    let mut list = guards();
    list.extend(named());
    list
}

fn guards() -> Vec<Mutant> {
    let mutant = |subject: Subject, flow, replicas, env| Mutant { subject, flow, replicas, env };
    let w = Flow::Weights;
    let deaths = Env { crash: true, zombie: true, down: true, late: true, ..Env::CALM };
    let old_views = Env { stale: true, lenient: true, ..ALONE };
    let three = Env { revisions: 3, ..ALONE };
    let drift = Env { drift: true, ..ALONE };
    let anybody = Env { anybody: true, revisions: 1, generations: 1, down: true, ..Env::CALM };
    let stale_verdicts = Env { stale_verdicts: true, ..Env::CALM };
    vec![
        mutant(Subject::with::<NoClaim>("no claim"), w, 1, deaths),
        mutant(Subject::with::<NoAck>("no acknowledgement").alone(), w, 1, ALONE),
        mutant(Subject::with::<NoFresh>("no read-your-writes").alone(), Flow::Kept, 1, old_views),
        mutant(Subject::with::<NoPin>("no pin").alone(), w, 1, ALONE),
        mutant(Subject::with::<NoReadyForward>("no readiness forwards").alone(), w, 1, ALONE),
        mutant(Subject::with::<NoReadyBack>("no readiness back").alone(), w, 1, ALONE),
        mutant(Subject::with::<NoSurvivor>("no survivor").alone(), w, 1, ALONE),
        mutant(Subject::with::<NoCleanRoute>("no clean route").alone(), w, 1, ALONE),
        mutant(Subject::with::<NoDrain>("no drain").alone(), w, 1, ALONE),
        mutant(Subject::with::<NoVerdict>("no verdict is a pass"), w, 1, Env::CALM),
        mutant(Subject::with::<NoKeyed>("old verdicts count"), w, 1, stale_verdicts),
        mutant(Subject::with::<NoFailAnywhere>("failure after the commit ignored"), w, 1, Env::CALM),
        mutant(Subject::with::<NoSupersede>("not superseded"), w, 1, three),
        mutant(Subject::with::<NoFlipBack>("no way back in the window"), w, 1, ALONE),
        mutant(Subject::with::<NoRescue>("no rescue"), w, 2, ALONE),
        mutant(Subject::with::<NoCap>("no cap"), w, 2, ALONE),
        mutant(Subject::with::<NoImmutable>("sets are rewritten").alone(), w, 1, drift),
        mutant(Subject::with::<NoPermit>("no second key"), w, 1, Env { stale: true, ..ALONE }),
        mutant(Subject::with::<NoSurplus>("second key counts the surplus"), Flow::Direct, 2, anybody),
    ]
}

fn named() -> Vec<Mutant> {
    let mutant = |subject: Subject, flow, replicas, env| Mutant { subject, flow, replicas, env };
    let foreign = Subject::foreign;
    let blind = Subject {
        permit: Some(foreign::blind::permits),
        ..Subject::twisted("lease-expires-while-retiring", foreign::blind::decide)
    };
    let by_readiness =
        Subject { permit: Some(foreign::permit_by_readiness), ..Subject::with::<Sound>("permit-by-readiness") };
    let anybody = Env { anybody: true, revisions: 1, generations: 1, late: true, down: true, ..Env::CALM };
    let (d, w) = (Flow::Direct, Flow::Weights);
    vec![
        mutant(foreign("flagger-1898", foreign::flagger_1898), d, 2, Env { people: &[], ..Env::CALM }),
        mutant(
            foreign("flagger-1931-crash-window", foreign::flagger_1931),
            d,
            2,
            Env { crash: true, people: &[], ..Env::CALM },
        ),
        mutant(foreign("flyctl-4745", foreign::flyctl_4745), d, 1, Env { people: &[], ..Env::CALM }),
        mutant(Subject::twisted("never-promotes", foreign::never_promotes), w, 1, Env::CALM),
        mutant(Subject::twisted("always-halts", foreign::always_halts), w, 1, Env::CALM),
        mutant(blind, w, 1, Env { down: true, late: true, ..Env::CALM }),
        mutant(by_readiness, d, 1, anybody),
    ]
}

const CAP: usize = 3_000_000;

/// Runs one mutant and its control: the sound core with as many keys in the same world.
pub fn run(mutant: &Mutant) -> Verdict {
    let began = Instant::now();
    let modes: &[Mode] = if mutant.env.anybody || mutant.env.drift { &[] } else { &Mode::ALL };
    let plan = mutant.flow.plan(mutant.replicas, 0);
    let alone = mutant.subject.permit.is_none() && mutant.subject.name != "no second key";
    let sound = if alone && mutant.subject.ours { Subject::SOUND.alone() } else { Subject::SOUND };
    let control = World::new(sound, plan.clone(), mutant.env);
    let found = bfs::search(&control, control.at_rest(), CAP, modes);
    let control = found.broken.is_none() && found.stuck.is_none() && !found.cut;
    let world = World::new(mutant.subject, plan, mutant.env);
    let found = bfs::search(&world, world.at_rest(), CAP, modes);
    let mut verdict = Verdict {
        name: mutant.subject.name,
        control,
        caught: None,
        steps: 0,
        states: found.graph.list.len(),
        secs: 0.0,
        story: String::new(),
    };
    if let Some(id) = found.broken {
        let way = found.graph.way(id);
        verdict.caught = Rule::of(found.graph.list[id as usize].broken).map(Rule::sentence);
        (verdict.steps, verdict.story) = (way.len() - 1, story::tell(&world, &way));
    } else if let Some(stuck) = &found.stuck {
        let way = found.graph.way(stuck.start);
        verdict.caught = Some(stuck.mode.promise());
        (verdict.steps, verdict.story) = (way.len() - 1, story::tell(&world, &way));
        verdict.story += &story::tell_quiet(&world, stuck.mode, stuck.order, found.graph.list[stuck.start as usize]);
    }
    verdict.secs = began.elapsed().as_secs_f64();
    verdict
}

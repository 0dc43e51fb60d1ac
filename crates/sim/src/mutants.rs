//! The checker's own test: every guard switched off, and every known outage by name, must be caught, and for the reason
//! that its story gives.
use crate::bfs;
use crate::configs::Flow;
use crate::env::Env;
use crate::invariants::Rule;
use crate::quiet::Mode;
use crate::subject::{Decide, Subject};
use crate::world::World;
use std::num::NonZero;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

mod argo;
mod flagger;
mod fork;
pub mod guards;
mod not_here;
mod ours;
mod peers;
pub mod second_key;
mod telling;
mod wording;

pub use guards::NoAck;
pub use not_here::NOT_HERE;
pub use second_key::NoSurplus;

/// How a mutant must be caught.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Caught {
    /// It breaks this rule.
    Breaks(Rule),
    /// From some state this promise is not kept.
    Stuck(Mode),
}

impl Caught {
    /// The rule or the promise as a sentence.
    pub const fn sentence(self) -> &'static str {
        match self {
            Caught::Breaks(rule) => rule.sentence(),
            Caught::Stuck(mode) => mode.promise(),
        }
    }
}

/// A mutant and the smallest world that catches it.
pub struct Mutant {
    /// The subject with its name.
    pub subject: Subject,
    /// The row of the catalogue of outages that it is, if it is one.
    pub row: Option<u8>,
    /// Reports with the same story: their names and rows.
    pub also: Vec<(&'static str, u8)>,
    /// What happened, as the reports tell it.
    pub told: &'static str,
    /// How it must be caught.
    pub expected: Caught,
    /// The same tool without this hole: it breaks no rule in this world. Where there is none the sound core stands for it.
    pub closed: Option<Subject>,
    /// The strategy.
    pub flow: Flow,
    /// Instances at rest.
    pub replicas: u16,
    /// The faults.
    pub env: Env,
}

impl Mutant {
    fn new(subject: Subject, told: &'static str, expected: Caught) -> Mutant {
        let (flow, env) = (Flow::Direct, CALM);
        Mutant { subject, row: None, also: vec![], told, expected, closed: None, flow, replicas: 1, env }
    }

    /// A mutant that breaks a rule.
    fn breaks(subject: Subject, rule: Rule, told: &'static str) -> Mutant {
        Mutant::new(subject, told, Caught::Breaks(rule))
    }

    /// A mutant that does not get where it should.
    fn sticks(subject: Subject, mode: Mode, told: &'static str) -> Mutant {
        Mutant::new(subject, told, Caught::Stuck(mode))
    }

    fn row(self, row: u8) -> Mutant {
        Mutant { row: Some(row), ..self }
    }

    fn also(mut self, name: &'static str, row: u8) -> Mutant {
        self.also.push((name, row));
        self
    }

    fn closed(self, decide: Decide) -> Mutant {
        Mutant { closed: Some(Subject { decide, ..self.subject }), ..self }
    }

    fn in_world(self, flow: Flow, replicas: u16, env: Env) -> Mutant {
        Mutant { flow, replicas, env, ..self }
    }

    /// Its name.
    pub fn name(&self) -> &'static str {
        self.subject.name
    }

    /// All names that it goes by.
    pub fn names(&self) -> impl Iterator<Item = &'static str> + '_ {
        std::iter::once(self.name()).chain(self.also.iter().map(|(name, _)| *name))
    }

    /// The rows of the catalogue that it stands for.
    pub fn rows(&self) -> impl Iterator<Item = u8> + '_ {
        self.row.into_iter().chain(self.also.iter().map(|(_, row)| *row))
    }

    /// The sound core with as many keys: with the second one wherever that is what another tool does not have.
    pub fn control(&self) -> Subject {
        let alone = self.subject.permit.is_none() && self.subject.ours && self.name() != "no second key";
        if alone { Subject::SOUND.alone() } else { Subject::SOUND }
    }

    /// The promises to look at, the one that must not be kept first.
    fn modes(&self) -> Vec<Mode> {
        if self.env.anybody {
            return vec![];
        }
        let mut list = Mode::ALL.to_vec();
        list.sort_by_key(|mode| self.expected != Caught::Stuck(*mode));
        list
    }

    /// This mutant's world with some pair of keys in it.
    pub fn world(&self, subject: Subject) -> World {
        World::new(subject, self.flow.plan(self.replicas, 0), self.env)
    }
}

/// Nothing fails and nobody asks for anything but one new revision.
const CALM: Env = Env { people: &[], ..Env::CALM };

/// What became of a mutant.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// Its name.
    pub name: &'static str,
    /// Whether the sound core is sound in the same world: else the catch proves nothing.
    pub control: bool,
    /// Whether the same tool without the hole breaks no rule there.
    pub closed: bool,
    /// How it had to be caught.
    pub expected: Caught,
    /// The rule or promise that caught it.
    pub caught: Option<Caught>,
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
    /// Caught, for the right reason, where neither the sound core nor the same tool without the hole is.
    pub fn is_killed(&self) -> bool {
        self.control && self.closed && self.caught == Some(self.expected)
    }
}

/// All of them.
pub fn all() -> Vec<Mutant> {
    let mut list = guards::list();
    list.extend(second_key::list());
    list.extend(ours::list());
    list.extend(flagger::list());
    list.extend(argo::list());
    list.extend(peers::list());
    list
}

/// How many different outages of the catalogue these mutants stand for.
pub fn outages<'a>(list: impl IntoIterator<Item = &'a Mutant>) -> usize {
    let mut rows: Vec<u8> = list.into_iter().flat_map(Mutant::rows).collect();
    rows.sort_unstable();
    rows.dedup();
    rows.len()
}

const CAP: usize = 3_000_000;

/// Runs one mutant, its control and its closed form.
pub fn run(mutant: &Mutant) -> Verdict {
    let began = Instant::now();
    let control = mutant.world(mutant.control());
    let found = bfs::search(&control, control.at_rest(), CAP, &mutant.modes());
    let control = found.broken.is_none() && found.stuck.is_none() && !found.cut;
    drop(found);
    let closed = mutant.closed.is_none_or(|closed| {
        let world = mutant.world(closed);
        let found = bfs::search(&world, world.at_rest(), CAP, &[]);
        found.broken.is_none() && !found.cut
    });
    let world = mutant.world(mutant.subject);
    let found = bfs::search(&world, world.at_rest(), CAP, &mutant.modes());
    let (expected, states) = (mutant.expected, found.graph.list.len());
    let name = mutant.name();
    let story = String::new();
    let mut verdict = Verdict { name, control, closed, expected, caught: None, steps: 0, states, secs: 0.0, story };
    if let Some(id) = found.broken {
        let way = found.graph.way(id);
        verdict.caught = Rule::of(found.graph.list[id as usize].broken).map(Caught::Breaks);
        verdict.steps = way.len() - 1;
        verdict.story = telling::tell(mutant, &world, &way, None);
    } else if let Some(stuck) = &found.stuck {
        let way = found.graph.way(stuck.start);
        verdict.caught = Some(Caught::Stuck(stuck.mode));
        verdict.steps = way.len() - 1;
        verdict.story = telling::tell(mutant, &world, &way, Some((stuck.mode, stuck.order)));
    }
    verdict.secs = began.elapsed().as_secs_f64();
    verdict
}

/// Runs all of them on every core there is; `told` hears of each as it ends. The verdicts are in the order of the list.
pub fn run_all(list: &[&Mutant], told: impl Fn(&Verdict) + Sync) -> Vec<Verdict> {
    let (next, done) = (AtomicUsize::new(0), Mutex::new(vec![None; list.len()]));
    let workers = std::thread::available_parallelism().map_or(1, NonZero::get).min(list.len());
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                while let Some((i, mutant)) = take(&next, list) {
                    let verdict = run(mutant);
                    told(&verdict);
                    done.lock().expect("no worker panics with the list in its hands")[i] = Some(verdict);
                }
            });
        }
    });
    let done = done.into_inner().expect("a worker that panicked has ended the scope");
    done.into_iter().flatten().collect()
}

fn take<'a>(next: &AtomicUsize, list: &[&'a Mutant]) -> Option<(usize, &'a Mutant)> {
    let i = next.fetch_add(1, Ordering::Relaxed);
    list.get(i).map(|mutant| (i, *mutant))
}

/// The mutant that goes by this name, or by a name of which this is a part that no other one has.
///
/// # Errors
/// The names that are nearest to it.
pub fn find<'a>(list: &'a [Mutant], name: &str) -> Result<&'a Mutant, Vec<&'static str>> {
    if let Some(mutant) = list.iter().find(|mutant| mutant.names().any(|known| known == name)) {
        return Ok(mutant);
    }
    let part: Vec<&Mutant> = list.iter().filter(|mutant| mutant.names().any(|known| known.contains(name))).collect();
    match part.as_slice() {
        [mutant] => return Ok(mutant),
        [] => {}
        several => {
            let names = several.iter().flat_map(|mutant| mutant.names());
            return Err(names.filter(|known| known.contains(name)).collect());
        }
    }
    let mut names: Vec<&'static str> = list.iter().flat_map(Mutant::names).collect();
    names.sort_by_key(|known| distance(known, name));
    names.truncate(5);
    Err(names)
}

/// Levenshtein's distance: how many letters must be put in, taken out or changed.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut corner = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let change = corner + usize::from(x != *y);
            corner = row[j + 1];
            row[j + 1] = change.min(row[j] + 1).min(corner + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests;

//! `show zero-loss`: a real program under constant load goes through a good release and three bad ones, and nobody
//! notices but those whom the bad canary itself answered.

use crate::json::Value;
use crate::parts::podinfo;
use crate::run::{Run, Stop, fail};
use crate::stage::abreast::abreast;
use crate::stage::controller::{Released, address, of_slot, slot_of};
use crate::stage::observed::Observed;
use crate::stage::spec::Spec;
use crate::stage::traffic::Shape;
use crate::stage::{Stage, Tools};
use std::path::PathBuf;

/// What is released, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Act {
    /// The other version, sound: promoted.
    Good,
    /// A version that answers 500 (and worse) to a share of the requests: rolled back.
    Errors,
    /// A version that never becomes ready: failed, and the old one is not touched.
    NeverReady,
    /// A version that is sound until it is promoted, and unready then: back on the old one.
    Unready,
}

const ACTS: [Act; 4] = [Act::Good, Act::Errors, Act::NeverReady, Act::Unready];

/// What a run of all acts adds up to.
#[derive(Debug, Clone, Copy, Default)]
struct Sum {
    requests: u64,
    by_canary: u64,
    sockets: u64,
    releases: u64,
}

/// One service of so many replicas, through all acts as often as is asked.
struct Show {
    stage: Stage,
    programs: [PathBuf; 2],
    base: Spec,
    seed: u64,
    releases: u64,
    bake: &'static str,
}

/// Both numbers of replicas, or the one that is named.
pub fn perform(run: &mut Run) -> Result<(), Stop> {
    let replicas = replicas(run.words())?;
    let tools = Tools::build(run)?;
    let programs = [podinfo::build(run, "6.0.1")?, podinfo::build(run, "6.0.2")?];
    let (rounds, bake) = if run.is_long() { (5, "5s") } else { (1, "1s") };
    let mut shows = Vec::new();
    for (at, replicas) in replicas.iter().enumerate() {
        let mut base = Spec::podinfo(&programs[0], *replicas);
        base.service = format!("podinfo-{replicas}");
        let stage = Stage::set(run, &tools, &mut base)?;
        let seed = run.seed() + 1000 * at as u64;
        shows.push(Show { stage, programs: programs.clone(), base, seed, releases: 0, bake });
    }
    let mut all = Sum::default();
    for sum in abreast(shows.len(), shows, |show| show.all(rounds))? {
        all.requests += sum.requests;
        all.by_canary += sum.by_canary;
        all.sockets += sum.sockets;
        all.releases += sum.releases;
    }
    run.fact("replicas", replicas.iter().map(u16::to_string).collect::<Vec<_>>().join(","));
    run.fact("releases", all.releases);
    run.fact("requests", all.requests);
    run.fact("lost", 0u64);
    run.fact("canary_5xx", all.by_canary);
    run.fact("websockets", all.sockets);
    run.fact("ws_lost", 0u64);
    Ok(())
}

/// The words after the verb: `1`, `2`, `--replicas 1`; both where there is none.
fn replicas(words: &[String]) -> Result<Vec<u16>, Stop> {
    let numbers = words.iter().filter(|word| *word != "--replicas");
    let numbers: Result<Vec<u16>, _> = numbers.map(|word| word.parse()).collect();
    match numbers {
        Ok(numbers) if numbers.is_empty() => Ok(vec![1, 2]),
        Ok(numbers) if numbers.iter().all(|n| (1..=8).contains(n)) => Ok(numbers),
        Ok(_) | Err(_) => fail("show zero-loss takes numbers of replicas from 1 to 8"),
    }
}

impl Show {
    fn all(mut self, rounds: u32) -> Result<Sum, Stop> {
        let mut sum = Sum::default();
        self.stage.up()?;
        for round in 0..rounds {
            for act in ACTS {
                self.act(act, round, &mut sum)?;
            }
        }
        self.stage.end()?;
        Ok(sum)
    }

    /// One release under load, from rest to rest.
    fn act(&mut self, act: Act, round: u32, sum: &mut Sum) -> Result<(), Stop> {
        let name = format!("{act:?}, {} replicas, round {}", self.base.replicas, round + 1);
        self.releases += 1;
        let spec = self.spec(act);
        let load = (self.seed + self.releases, Shape::default());
        let then = |released: &Released| if act == Act::Unready { self.disable(released) } else { Ok(()) };
        let seen = self.stage.observe(&name, &spec, load, then)?;
        check(act, &seen)?;
        if act == Act::Good {
            self.base = spec;
        }
        sum.requests += seen.load.count("sent");
        sum.sockets += seen.load.count("ws_opened");
        sum.by_canary += seen.load.server_errors();
        sum.releases += 1;
        Ok(())
    }

    /// What is released in an act. Each is a revision that there has not been.
    fn spec(&self, act: Act) -> Spec {
        let stable = self.base.command.first().map(PathBuf::from);
        let other = self.programs.iter().find(|program| Some(*program) != stable.as_ref()).unwrap_or(&self.programs[0]);
        let bake = format!("weights: {{steps: [{{weight: 20%}}, {{weight: 50%}}], bake: {}}}", self.bake);
        let spec = self.base.clone().with_env("RELEASE", &self.releases.to_string()).with_release(&[&bake]);
        match act {
            Act::Good | Act::Unready => spec.with_program(other, &[]),
            Act::Errors => spec.with_program(other, &[]).failing(),
            Act::NeverReady => spec.with_program(other, &["--unready"]).with_release(&["healthy_deadline: 5s"]),
        }
    }

    /// Makes every instance of the promoted revision unready, by its own address, while the old one is warm.
    fn disable(&self, released: &Released) -> Result<(), Stop> {
        let status = self.stage.status()?;
        let is_warm = |slot: usize| status.find(&format!("slots.{slot}.warm")) == Some(&Value::Bool(true));
        match slot_of(&status, "stable").filter(|_| is_warm(0) || is_warm(1)) {
            Some(slot) => of_slot(&status, slot).try_for_each(|i| podinfo::post(address(i)?, "/readyz/disable")),
            None => fail(format!("the rollback window of rollout {} is over already: {status}", released.rollout)),
        }
    }
}

/// Whether everything was as it should be.
fn check(act: Act, seen: &Observed) -> Result<(), Stop> {
    let canary = seen.canary();
    seen.load.must_be_whole(&seen.name, &seen.counted, (act == Act::Errors).then_some(canary))?;
    match act {
        Act::Good => seen.must_end("promoted", "promoted")?,
        Act::Errors => seen.must_end("rolled_back", "rolled_back")?,
        Act::NeverReady => seen.must_end("failed", "failed")?,
        Act::Unready => seen.must_end("promoted", "rolled_back")?,
    }
    seen.must_run(act != Act::Good)?;
    let took = seen.counted.slots[canary].started;
    let name = &seen.name;
    match act {
        Act::Good | Act::Errors | Act::Unready if took == 0 => fail(format!("{name}: the canary got no request")),
        Act::Errors if seen.counted.slots[canary].server_errors == 0 => fail(format!("{name}: the canary was sound")),
        Act::NeverReady if took > 0 => fail(format!("{name}: a canary that was never ready got {took} requests")),
        Act::Good | Act::Errors | Act::NeverReady | Act::Unready => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_replicas_may_be_named() {
        let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(replicas(&words("")), Ok(vec![1, 2]));
        assert_eq!(replicas(&words("--replicas 2")), Ok(vec![2]));
        assert_eq!(replicas(&words("1 2")), Ok(vec![1, 2]));
        assert!(replicas(&words("0")).is_err() && replicas(&words("many")).is_err());
    }
}

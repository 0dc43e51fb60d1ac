//! `show flow`: every preset on a real program under load, with a good release and a bad one each.

use crate::parts::podinfo;
use crate::run::{Run, Stop, fail};
use crate::stage::abreast::abreast;
use crate::stage::observed::Observed;
use crate::stage::spec::Spec;
use crate::stage::traffic::Shape;
use crate::stage::{Stage, Tools};
use std::net::TcpListener;
use std::path::PathBuf;

/// So many services are released beside each other, to take less time.
const ABREAST: usize = 3;

/// A preset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Flow {
    /// What is typed.
    name: &'static str,
    /// Its line under `release`; nothing for an update in place, which follows from the fixed port.
    strategy: Option<&'static str>,
}

const FLOWS: [Flow; 5] = [
    Flow { name: "weights", strategy: Some("weights: {steps: [{weight: 20%}, {weight: 60%}], bake: 1s}") },
    Flow { name: "blue_green", strategy: Some("blue_green: {before: {bake: 1s}, after: {bake: 2s}}") },
    Flow { name: "canary_kept", strategy: Some("canary_kept: {replace: in_place_after, bake: 2s}") },
    Flow { name: "one_by_one", strategy: Some("canary_kept: {replace: one_by_one, bake: 2s}") },
    Flow { name: "in_place", strategy: None },
];

/// One preset with so many replicas, set up.
struct Show {
    flow: Flow,
    stage: Stage,
    base: Spec,
    other: PathBuf,
    seed: u64,
}

/// What it adds up to.
#[derive(Debug, Clone, Copy, Default)]
struct Sum {
    requests: u64,
    by_canary: u64,
    held: u64,
    releases: u64,
}

/// The presets that are named, or all.
pub fn perform(run: &mut Run) -> Result<(), Stop> {
    let flows = named(run.words())?;
    let tools = Tools::build(run)?;
    let programs = [podinfo::build(run, "6.0.1")?, podinfo::build(run, "6.0.2")?];
    let rounds = if run.is_long() { 5 } else { 1 };
    let mut shows = Vec::new();
    for flow in &flows {
        // An update in place has room for one set on its port only.
        let replicas = if flow.strategy.is_some() { 1..=2 } else { 1..=1 };
        for replicas in replicas {
            let mut base = spec(*flow, &programs[0], replicas)?;
            let stage = Stage::set(run, &tools, &mut base)?;
            let seed = run.seed() + 100 * shows.len() as u64;
            shows.push(Show { flow: *flow, stage, base, other: programs[1].clone(), seed });
        }
    }
    let mut all = Sum::default();
    for sum in abreast(ABREAST, shows, |show| show.all(rounds))? {
        all.requests += sum.requests;
        all.by_canary += sum.by_canary;
        all.held += sum.held;
        all.releases += sum.releases;
    }
    run.fact("flows", flows.iter().map(|flow| flow.name).collect::<Vec<_>>().join(","));
    run.fact("releases", all.releases);
    run.fact("requests", all.requests);
    run.fact("lost", 0u64);
    run.fact("ws_lost", 0u64);
    run.fact("canary_5xx", all.by_canary);
    run.fact("held", all.held);
    Ok(())
}

/// The flows that are named: `all`, none, or some by name.
fn named(words: &[String]) -> Result<Vec<Flow>, Stop> {
    if words.iter().all(|word| word == "all") {
        return Ok(FLOWS.to_vec());
    }
    let find = |word: &String| {
        let names = || FLOWS.map(|flow| flow.name).join(", ");
        let found = FLOWS.iter().find(|flow| flow.name == word).copied();
        found.ok_or_else(|| Stop::Fail(format!("there is no flow {word:?}: there are {} and all", names())))
    };
    words.iter().map(find).collect()
}

fn spec(flow: Flow, program: &std::path::Path, replicas: u16) -> Result<Spec, Stop> {
    let mut spec = Spec::podinfo(program, replicas);
    spec.service = format!("{}-{replicas}", flow.name.replace('_', "-"));
    // podinfo takes three seconds to leave when it is asked by SIGTERM, and none when by SIGHUP: it has been drained.
    spec.run = vec!["stop: {signal: HUP, timeout: 5s}".to_owned()];
    if let Some(strategy) = flow.strategy {
        return Ok(spec.with_release(&[strategy, "window: 1s"]));
    }
    let port = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
    spec.command.iter_mut().filter(|word| *word == "--port={{port}}").for_each(|word| *word = format!("--port={port}"));
    spec.run.push(format!("port: {port}"));
    // Requests wait until the new one has proven itself, and they wait for ten seconds at most.
    spec.health = "{http: {path: /readyz}, interval: 100ms, timeout: 1s, rise: 1, fall: 3}".to_owned();
    spec = spec.with_release(&["min_healthy: 300ms"]);
    spec.release.retain(|line| !line.starts_with("weights"));
    spec.further = vec!["allow_downtime: true".to_owned(), "proxy: {hold: {max: 4000, timeout: 10s}}".to_owned()];
    Ok(spec)
}

impl Show {
    fn all(mut self, rounds: u32) -> Result<Sum, Stop> {
        let mut sum = Sum::default();
        self.stage.up()?;
        for round in 1..=rounds {
            for good in [true, false] {
                let seen = self.release(good, round)?;
                self.check(good, &seen)?;
                sum.requests += seen.load.count("sent");
                sum.by_canary += seen.load.server_errors();
                sum.held += seen.counted.held;
                sum.releases += 1;
            }
        }
        self.stage.end()?;
        Ok(sum)
    }

    fn release(&mut self, good: bool, round: u32) -> Result<Observed, Stop> {
        let word = if good { "good" } else { "bad" };
        let name = format!("{} {word}, {} replicas, round {round}", self.flow.name, self.base.replicas);
        let spec = self.base.clone().with_env("RELEASE", &format!("{word} {round}")).with_program(&self.other, &[]);
        let spec = if good { spec } else { spec.failing() };
        self.seed += 1;
        let seen = self.stage.observe(&name, &spec, (self.seed, self.shape()), |_| Ok(()))?;
        if good {
            let before = self.base.command.first().map(PathBuf::from);
            self.base = spec;
            self.other = before.unwrap_or_default();
        }
        Ok(seen)
    }

    /// While nothing serves, requests wait, each on a connection of its own: at a fifth of the rate, so that it is the
    /// wait that is measured and not a thousand connections at once.
    fn shape(&self) -> Shape {
        match self.flow.strategy {
            Some(_) => Shape { socket_life: Some(1.5), ..Shape::default() },
            None => Shape { rate: 100.0, socket_life: Some(1.0), connections: 2000, ..Shape::default() },
        }
    }

    fn check(&self, good: bool, seen: &Observed) -> Result<(), Stop> {
        let in_place = self.flow.strategy.is_none();
        let bad = (!good).then(|| seen.canary());
        seen.load.must_be_whole(&seen.name, &seen.counted, bad)?;
        let ending = if good { "promoted" } else { "rolled_back" };
        seen.must_end(ending, ending)?;
        // Back in place means that the old one is started again.
        seen.must_run(!good && !in_place)?;
        if seen.counted.slots[seen.canary()].started == 0 {
            return fail(format!("{}: the new version got no request", seen.name));
        }
        if in_place && seen.counted.held == 0 {
            return fail(format!("{}: nothing was held while nothing served", seen.name));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flow_is_found_by_its_name() {
        let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(named(&words("")).map(|f| f.len()), Ok(5));
        assert_eq!(named(&words("all")).map(|f| f.len()), Ok(5));
        assert_eq!(named(&words("one_by_one weights")).map(|f| f[0].name), Ok("one_by_one"));
        assert!(named(&words("weight")).is_err());
    }
}

//! The controller of a stage: started, killed, started again; and releases, as a person makes them.

use super::spec::Spec;
use super::{Asked, PATIENCE, Said, Stage};
use crate::json::Value;
use crate::run::{Stop, fail};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// How a release ended, as `serin deploy` says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Released {
    /// The exit code of `serin deploy`: 0 promoted, 1 rolled back or failed, 3 halted.
    pub code: i32,
    /// The word of its last line: `promoted`, `rolled_back`, `failed`, `halted`, …
    pub outcome: String,
    /// The number of the rollout.
    pub rollout: u64,
}

impl Released {
    /// From what `serin deploy --output json` printed.
    pub fn read(said: &Said) -> Result<Released, Stop> {
        let strange = || Stop::Fail(format!("serin deploy printed {:?} and {:?}", said.out, said.err));
        let last = said.out.lines().last().and_then(|line| Value::parse(line).ok()).ok_or_else(strange)?;
        let outcome = last.get("outcome").or(last.get("answer")).and_then(Value::text).ok_or_else(strange)?;
        let rollout = last.get("rollout").and_then(Value::number).unwrap_or_default() as u64;
        Ok(Released { code: said.code.unwrap_or(-1), outcome: outcome.to_owned(), rollout })
    }
}

/// What `serin deploy` is called with, so that it can be followed.
pub const DEPLOY: [&str; 3] = ["deploy", "--output", "json"];

impl Stage {
    /// Where the controller's output goes.
    pub fn controller_log(&self) -> PathBuf {
        self.place().join("serve.log")
    }

    /// Starts `serin serve`, and waits until it answers.
    ///
    /// # Errors
    /// When it ends, or does not answer.
    pub fn serve(&mut self) -> Result<(), Stop> {
        self.serve_with(&[])?;
        self.answers()
    }

    /// Starts `serin serve` with these variables in its environment, and waits for nothing.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn serve_with(&mut self, env: &[(&str, &str)]) -> Result<(), Stop> {
        let log = std::fs::OpenOptions::new().create(true).append(true).open(self.controller_log())?;
        let mut command = self.serin(&["serve"]);
        command.envs(env.iter().copied()).stdout(log.try_clone()?).stderr(log);
        self.controller = Some(self.start(&mut command)?);
        Ok(())
    }

    /// Waits until the controller answers.
    ///
    /// # Errors
    /// When it has ended, or takes too long.
    pub fn answers(&mut self) -> Result<(), Stop> {
        let begin = std::time::Instant::now();
        while self.status().is_err() {
            if !self.controller_runs()? {
                let log = std::fs::read_to_string(self.controller_log()).unwrap_or_default();
                return fail(format!("serin serve ended: {log}"));
            }
            if begin.elapsed() > PATIENCE {
                return fail("serin serve does not answer");
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    /// Whether the controller runs.
    ///
    /// # Errors
    /// When the system cannot say.
    pub fn controller_runs(&mut self) -> Result<bool, Stop> {
        Ok(match &mut self.controller {
            Some(process) => process.is_running()?,
            None => false,
        })
    }

    /// Starts the controller and waits until the service is up at rest.
    ///
    /// # Errors
    /// When it does not come up.
    pub fn up(&mut self) -> Result<Value, Stop> {
        self.serve()?;
        self.rests("the service is up")
    }

    /// Waits until nothing is going on and nothing is waited for; returns the status.
    ///
    /// # Errors
    /// When that takes too long.
    pub fn rests(&self, what: &str) -> Result<Value, Stop> {
        let at_rest = |status: &Value| {
            let idle = status.find("phase").and_then(Value::text) == Some("idle");
            idle && status.find("waiting").is_none_or(|w| *w == Value::Null) && instances(status, "ready") > 0
        };
        self.wait(what, PATIENCE, at_rest)
    }

    /// Kills the controller as `kill -9` does, and waits until it is gone.
    ///
    /// # Errors
    /// When it did not run.
    pub fn kill_controller(&mut self) -> Result<(), Stop> {
        let Some(mut process) = self.controller.take() else { return fail("no controller runs that could be killed") };
        process.signal("KILL")?;
        match process.wait(PATIENCE)? {
            Some(_) => Ok(()),
            None => fail("the controller does not die"),
        }
    }

    /// Writes `spec` and releases it: `serin deploy`, followed to its end.
    ///
    /// # Errors
    /// When that takes longer than two minutes or makes no sense.
    pub fn release(&self, spec: &Spec) -> Result<Released, Stop> {
        let mut asked = self.begin_release(spec)?;
        Released::read(&asked.end(2 * PATIENCE)?)
    }

    /// Writes `spec` and begins to release it; [`Asked::end`] and [`Released::read`] say how it ended.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn begin_release(&self, spec: &Spec) -> Result<Asked, Stop> {
        self.write(spec)?;
        self.begin(&DEPLOY)
    }
}

/// The name of an instance.
pub fn id(instance: &Value) -> String {
    instance.get("id").and_then(Value::text).unwrap_or_default().to_owned()
}

/// An instance's own address.
///
/// # Errors
/// When it has none.
pub fn address(instance: &Value) -> Result<SocketAddr, Stop> {
    let address = instance.get("address").and_then(Value::text).and_then(|text| text.parse().ok());
    address.ok_or_else(|| Stop::Fail(format!("{instance} has no address")))
}

/// How many instances of both slots there are in `state` (`ready`, `unready`, …).
pub fn instances(status: &Value, state: &str) -> usize {
    every_instance(status).filter(|i| i.find("state").and_then(Value::text) == Some(state)).count()
}

/// All instances of a status.
pub fn every_instance(status: &Value) -> impl Iterator<Item = &Value> {
    [0, 1].into_iter().flat_map(|slot| of_slot(status, slot))
}

/// The instances of one slot of a status.
pub fn of_slot(status: &Value, slot: usize) -> impl Iterator<Item = &Value> {
    status.find(&format!("slots.{slot}.instances")).into_iter().flat_map(Value::items)
}

/// The slot that has this track (`stable` or `canary`) now, if one has.
pub fn slot_of(status: &Value, track: &str) -> Option<usize> {
    [0, 1].into_iter().find(|slot| status.find(&format!("slots.{slot}.track")).and_then(Value::text) == Some(track))
}

/// How the last rollout ended, as a word such as `promoted`.
pub fn last_ending(status: &Value) -> Option<&str> {
    status.find("last.ending").and_then(Value::text)
}

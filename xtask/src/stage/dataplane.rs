//! What the proxy of a stage says about itself, from its own control socket: the controller is not asked.

use super::Stage;
use crate::json::Value;
use crate::run::{Stop, fail};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

const ANSWERS: Duration = Duration::from_secs(10);

/// What the proxy counted for one slot since it started; attempts, not requests.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counted {
    /// Attempts that chose an instance of the slot.
    pub started: u64,
    /// Of those that ended: refused, reset, late or cut off.
    pub failed: u64,
    /// Answers of the class 5xx that instances of the slot gave.
    pub server_errors: u64,
    /// Requests sent after a table without their instance was acknowledged. Anything but 0 is a defect.
    pub after_ack: u64,
}

/// Everything that is compared before and after a release.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// By slot.
    pub slots: [Counted; 2],
    /// Request heads that were understood.
    pub requests: u64,
    /// Requests that had to wait for an instance.
    pub held: u64,
    /// Answers of the proxy's own of the class 5xx.
    pub own_errors: u64,
}

impl Counters {
    /// What was counted since `before`.
    pub fn since(&self, before: &Counters) -> Counters {
        let slot = |n: usize| {
            let (now, then) = (&self.slots[n], &before.slots[n]);
            Counted {
                started: now.started - then.started,
                failed: now.failed - then.failed,
                server_errors: now.server_errors - then.server_errors,
                after_ack: now.after_ack - then.after_ack,
            }
        };
        Counters {
            slots: [slot(0), slot(1)],
            requests: self.requests - before.requests,
            held: self.held - before.held,
            own_errors: self.own_errors - before.own_errors,
        }
    }

    /// Requests sent to an instance after it had left for good.
    pub fn after_ack(&self) -> u64 {
        self.slots[0].after_ack + self.slots[1].after_ack
    }

    fn read(measures: &Value) -> Counters {
        let number = |path: &str| measures.find(path).and_then(Value::number).unwrap_or_default() as u64;
        let slot = |n: usize| Counted {
            started: number(&format!("total.{n}.counts.started")),
            failed: number(&format!("total.{n}.counts.failed")),
            server_errors: number(&format!("total.{n}.counts.status.5")),
            after_ack: number(&format!("total.{n}.counts.started_after_ack")),
        };
        let pair = |pair: &Value, at: usize| pair.items().nth(at).and_then(Value::number).unwrap_or_default() as u64;
        let refused = measures.find("front.refused").into_iter().flat_map(Value::items);
        Counters {
            slots: [slot(0), slot(1)],
            requests: number("front.requests"),
            held: number("front.held"),
            own_errors: refused.filter(|of| pair(of, 0) >= 500).map(|of| pair(of, 1)).sum(),
        }
    }
}

/// The share of a slot in a split, as a report or a status writes it, in basis points.
pub fn share(split: &Value, slot: usize) -> u64 {
    let number = |kind: &str, slot: usize| {
        split.find(&format!("{kind}.{slot}")).and_then(Value::number).unwrap_or_default() as u64
    };
    match number("members", 0) + number("members", 1) {
        0 => number("weighted", slot),
        all => number("members", slot) * 10_000 / all,
    }
}

impl Stage {
    /// One request to the proxy: `report` or `measure`; the answer without its outer name.
    ///
    /// # Errors
    /// When the proxy does not answer, or answers something else.
    pub fn ask_proxy(&self, what: &str) -> Result<Value, Stop> {
        let path = self.state().join("proxy/control.sock");
        let name = if what == "measure" { "measures" } else { what };
        let mut stream = UnixStream::connect(&path)?;
        stream.set_read_timeout(Some(ANSWERS))?;
        writeln!(stream, "\"{what}\"")?;
        let mut line = String::new();
        BufReader::new(stream).read_line(&mut line)?;
        let answer = Value::parse(line.trim()).map_err(|e| Stop::Fail(format!("the proxy answered {line:?}: {e}")))?;
        match answer.get(name) {
            Some(value) => Ok(value.clone()),
            None => fail(format!("the proxy answered {line:?} to {what:?}")),
        }
    }

    /// What is in force, by the proxy's own word.
    ///
    /// # Errors
    /// As [`Stage::ask_proxy`].
    pub fn report(&self) -> Result<Value, Stop> {
        self.ask_proxy("report")
    }

    /// What the proxy has counted since it started.
    ///
    /// # Errors
    /// As [`Stage::ask_proxy`].
    pub fn counters(&self) -> Result<Counters, Stop> {
        Ok(Counters::read(&self.ask_proxy("measure")?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_the_same_in_both_kinds_of_split() {
        let of = |text: &str| {
            let split = Value::parse(text).expect("it is JSON");
            [share(&split, 0), share(&split, 1)]
        };
        assert_eq!(of(r#"{"weighted":[2000,8000]}"#), [2000, 8000]);
        assert_eq!(of(r#"{"members":[1,3]}"#), [2500, 7500]);
        assert_eq!(of(r#"{"members":[0,0]}"#), [0, 0]);
    }

    #[test]
    fn the_counters_are_read_where_the_proxy_writes_them() {
        let slot = |n: u64| {
            format!(
                r#"{{"chosen":1,"counts":{{"started":{n},"failed":1,"status":[0,0,5,0,0,3],"started_after_ack":2}}}}"#
            )
        };
        let text = format!(
            r#"{{"generations":[],"total":[{},{}],"front":{{"requests":9,"held":4,"refused":[[400,7],[503,2],[504,1]]}}}}"#,
            slot(10),
            slot(20)
        );
        let counters = Counters::read(&Value::parse(&text).expect("it is JSON"));
        let of = |started| Counted { started, failed: 1, server_errors: 3, after_ack: 2 };
        assert_eq!(counters, Counters { slots: [of(10), of(20)], requests: 9, held: 4, own_errors: 3 });
        assert_eq!(counters.since(&counters), Counters::default());
        assert_eq!(counters.after_ack(), 4);
    }
}

//! What can go wrong at a call, and at which one.

use crate::call::Call;
use serde::{Deserialize, Serialize};

/// One thing that goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Action {
    /// This process is killed, and the call is not passed on: nothing of it was done.
    KillBefore {
        /// The process.
        pid: i32,
    },
    /// The call is passed on, this process is killed, and nobody is answered: it was done.
    KillAfter {
        /// The process.
        pid: i32,
    },
    /// The call is passed on later.
    Delay {
        /// By so many milliseconds.
        millis: u64,
    },
    /// The connection ends, and the call is not passed on.
    DropBefore,
    /// The call is passed on, and the connection ends without an answer.
    DropAfter,
    /// The call is not passed on; the answer is 409, as if the object had changed meanwhile.
    Conflict,
    /// The call is passed on and done; the answer is 500 all the same.
    ErrorAfter,
}

/// An action, and when it is taken: at the `at`th call that fits, and at the `times - 1` after it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// Only calls with this verb.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verb: Option<String>,
    /// Only calls about this resource; a subresource is another one (`deployments/scale`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource: Option<String>,
    /// Only calls in this namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Only calls about the object of this name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Only calls of programs that have this in the name that they give themselves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    /// At which of the calls that fit, counted from 1 and from when the fault was set.
    #[serde(default = "one")]
    pub at: u64,
    /// At how many calls from there on.
    #[serde(default = "one")]
    pub times: u64,
    /// What goes wrong.
    #[serde(rename = "do")]
    pub action: Action,
}

fn one() -> u64 {
    1
}

impl Fault {
    /// Whether a call is one of those that are counted.
    pub fn fits(&self, call: &Call) -> bool {
        let is = |wanted: &Option<String>, there: &str| wanted.as_ref().is_none_or(|wanted| wanted == there);
        is(&self.verb, &call.verb)
            && is(&self.resource, &call.resource)
            && is(&self.namespace, &call.namespace)
            && is(&self.name, &call.name)
            && self.agent.as_ref().is_none_or(|agent| call.agent.contains(agent))
    }

    /// What is wrong with it, if something is.
    pub fn wrong(&self) -> Option<&'static str> {
        match self.action {
            Action::KillBefore { pid } | Action::KillAfter { pid } if pid <= 1 => {
                Some("a process id is greater than 1")
            }
            _ if self.at == 0 => Some("calls are counted from 1"),
            _ if self.times == 0 => Some("a fault that is taken no time is none"),
            Action::KillBefore { .. }
            | Action::KillAfter { .. }
            | Action::Delay { .. }
            | Action::DropBefore
            | Action::DropAfter
            | Action::Conflict
            | Action::ErrorAfter => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(text: &str) -> Fault {
        serde_json::from_str(text).expect("a fault")
    }

    #[test]
    fn what_is_not_said_fits_every_call() {
        let call = Call { verb: "patch".to_owned(), resource: "pods".to_owned(), ..Call::default() };
        assert!(fault(r#"{"do":"conflict"}"#).fits(&call));
        assert!(fault(r#"{"do":{"delay":{"millis":5}},"verb":"patch","resource":"pods"}"#).fits(&call));
        for not in [r#""verb":"get""#, r#""resource":"pods/status""#, r#""name":"a""#, r#""agent":"serin""#] {
            assert!(!fault(&format!(r#"{{"do":"drop_before",{not}}}"#)).fits(&call), "{not}");
        }
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        assert_eq!(fault(r#"{"do":"drop_after"}"#).wrong(), None);
        for text in [
            r#"{"do":{"kill_before":{"pid":1}}}"#,
            r#"{"do":{"kill_after":{"pid":-5}}}"#,
            r#"{"do":"conflict","at":0}"#,
            r#"{"do":"conflict","times":0}"#,
        ] {
            assert!(fault(text).wrong().is_some(), "{text}");
        }
        assert!(serde_json::from_str::<Fault>(r#"{"do":"conflict","verbs":"get"}"#).is_err());
    }
}

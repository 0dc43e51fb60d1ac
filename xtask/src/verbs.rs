//! The table of verbs. To add one: write its file, name it in `main.rs`, and add a row here.

use crate::run::{Run, Stop};

/// One verb.
#[derive(Debug)]
pub struct Verb {
    /// What is typed after `cargo xtask`; one or two words.
    pub name: &'static str,
    /// Further words that it takes, for the table; empty when it takes none, in brackets when it needs none.
    pub words: &'static str,
    /// What it shows, in one line.
    pub about: &'static str,
    /// Does it. `Ok` is PASS.
    pub perform: fn(&mut Run) -> Result<(), Stop>,
}

impl Verb {
    /// Its name as one word, for the closing line and for files.
    pub fn label(&self) -> String {
        self.name.replace(' ', "-")
    }
}

/// All verbs, in the order in which `list` shows them.
pub const VERBS: &[Verb] = &[
    Verb { name: "list", words: "", about: "prints this table", perform: crate::list::perform },
    Verb {
        name: "test",
        words: "",
        about: "everything that must hold: the README's test command, and what CI runs",
        perform: crate::suite::test,
    },
    Verb {
        name: "tidy",
        words: "",
        about: "formatting, lints, and the walls between the crates",
        perform: crate::tidy::perform,
    },
    Verb { name: "unit", words: "", about: "the tests of every crate", perform: crate::units::perform },
    Verb {
        name: "show all",
        words: "",
        about: "every `show` verb, one after the other",
        perform: crate::suite::show_all,
    },
    Verb {
        name: "show zero-loss",
        words: "[--replicas 1|2]",
        about: "a real program under constant load: a good release and three bad ones, and not one request lost",
        perform: crate::show::zero_loss::perform,
    },
    Verb {
        name: "show rollback",
        words: "",
        about: "a release that answers 500 to a fifth, by a file that says nothing of judging: how soon it is found out",
        perform: crate::show::rollback::perform,
    },
    Verb {
        name: "show drain",
        words: "",
        about: "instances leave under slow requests and WebSockets, and each request ends before its instance is told",
        perform: crate::show::drain::perform,
    },
    Verb {
        name: "show dead-man",
        words: "",
        about: "without a controller the canary's share returns to what is proven, which may be the canary",
        perform: crate::show::dead_man::perform,
    },
    Verb {
        name: "show flow",
        words: "[NAME…|all]",
        about: "every preset on a real program under load, a good release and a bad one each",
        perform: crate::show::flow::perform,
    },
    Verb {
        name: "show examples",
        words: "",
        about: "every example as its page says it: served, released anew under requests, ended",
        perform: crate::examples::perform,
    },
    Verb {
        name: "show first-request",
        words: "",
        about: "from an empty state directory to the first request served; --long: from a fresh clone, build included",
        perform: crate::show::first_request::perform,
    },
    Verb {
        name: "show bad-input",
        words: "",
        about: "broken files, taken ports, full disks, damaged state, programs that cannot run: clear words, nothing lost",
        perform: crate::show::bad_input::perform,
    },
    Verb {
        name: "show kill controller",
        words: "",
        about: "the controller dies at every boundary of every write: releases end as they should, nobody notices",
        perform: crate::show::kill::controller::perform,
    },
    Verb {
        name: "show kill instance",
        words: "",
        about: "an instance is killed under load, one replica included: no retriable request is lost",
        perform: crate::show::kill::instance::perform,
    },
    Verb {
        name: "show kill proxy",
        words: "",
        about: "the proxy is killed under load: nothing is refused, and it is back with its last route within a second",
        perform: crate::show::kill::proxy::perform,
    },
    Verb {
        name: "show kill shim",
        words: "",
        about: "a shim is killed: its instance is replaced; the proxy's is started again",
        perform: crate::show::kill::shim::perform,
    },
    Verb {
        name: "show loadtest",
        words: "",
        about: "the load tester as its guide says: commands, refusals, gates over a restart, and no process left",
        perform: crate::show::loadtest::perform,
    },
    Verb {
        name: "parts podinfo",
        words: "VERSION…",
        about: "builds the application of the examples in several versions and sends each a little load",
        perform: crate::parts::podinfo::perform,
    },
    Verb {
        name: "cluster up",
        words: "[DIR]",
        about: "a real cluster on this machine, for people and for tests; it outlives the command",
        perform: crate::cluster::up,
    },
    Verb {
        name: "cluster down",
        words: "[DIR]",
        about: "ends that cluster, whatever state it is in, and leaves nothing",
        perform: crate::cluster::down,
    },
    Verb {
        name: "cluster status",
        words: "[DIR]",
        about: "whether it is up, and how it is used",
        perform: crate::cluster::status,
    },
    Verb {
        name: "cluster smoke",
        words: "",
        about: "a cluster, podinfo behind a Gateway under load, faults before the API server: all of it counted",
        perform: crate::cluster::smoke,
    },
    Verb {
        name: "cluster api",
        words: "",
        about: "the operator's hands on a real API server: watches, writes and the Lease, while everything goes wrong",
        perform: crate::cluster::api,
    },
    Verb {
        name: "cluster paused",
        words: "",
        about: "a paused Deployment scales, heals and never rolls: the writes of a release on a real cluster",
        perform: crate::cluster::paused,
    },
    Verb {
        name: "fuzz",
        words: "",
        about: "mutated requests, responses and bodies: the proxy's parser holds its invariants",
        perform: crate::hostile::fuzz,
    },
    Verb {
        name: "differential",
        words: "",
        about: "what the proxy sends on is one message, and the same one, to a parser that shares nothing with it",
        perform: crate::hostile::differential,
    },
    Verb {
        name: "check",
        words: "[--writer any|decide] [--cross] [--only NAME] [--table] [--threads N]",
        about: "every reachable state of the decision core in small worlds: no rule broken, and a way to rest from each",
        perform: crate::model::check,
    },
    Verb {
        name: "cross",
        words: "[--only NAME] [--threads N]",
        about: "an independent checker counts the states of the small worlds: as many as `check`",
        perform: crate::model::cross,
    },
    Verb {
        name: "coverage",
        words: "",
        about: "every piece of code of the two keys is executed by the checker and the simulator, or listed with a reason",
        perform: crate::coverage::perform,
    },
    Verb {
        name: "mutants",
        words: "[--only NAME] [--story NAME]",
        about: "every guard of the core taken away, and known outages by name: each must be caught",
        perform: crate::model::mutants,
    },
    Verb {
        name: "sim",
        words: "[--seeds N] [--threads N]",
        about: "seeded runs of the core in larger worlds, under faults and then healed",
        perform: crate::model::sim,
    },
    Verb {
        name: "sweep",
        words: "",
        about: "the controller killed around every write of every flow",
        perform: crate::model::sweep,
    },
    Verb {
        name: "permit",
        words: "",
        about: "the second key on every input up to four instances: what it allows is harmless, what is harmless it allows",
        perform: crate::model::permit,
    },
    Verb {
        name: "fuzz decide",
        words: "",
        about: "both keys on drawn views of states that were reached: what the first asks for the second allows",
        perform: crate::model::fuzz_decide,
    },
    Verb {
        name: "trace",
        words: "DIR",
        about: "what services wrote down below a directory, held against the simulated world; every show does so by itself",
        perform: crate::trace::perform,
    },
    Verb {
        name: "bench proxy",
        words: "",
        about: "the proxy's CPU per request, latency and memory beside HAProxy and nginx",
        perform: crate::bench::perform,
    },
];

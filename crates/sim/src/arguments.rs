//! The command line of `serin-sim`.

/// What a command line asks for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Arguments {
    /// The verb.
    pub verb: Verb,
    /// As much as a figure needs, instead of a minute.
    pub long: bool,
    /// The first seed.
    pub seed: u64,
    /// How many seeds, instead of the usual number.
    pub seeds: Option<u64>,
    /// Only what has this in its name.
    pub only: Option<String>,
    /// How many threads, instead of one for each core.
    pub threads: Option<usize>,
    /// What was reached, counted, on standard error.
    pub table: bool,
    /// Whose story is told.
    pub story: Option<String>,
    /// Where the journals are.
    pub dir: Option<String>,
}

/// The verbs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verb {
    /// Every configuration, all three systems or one of them.
    Check(Option<Writer>),
    /// The count of another checker.
    Cross,
    /// Every mutant.
    Mutants,
    /// The story of one mutant.
    Story,
    /// Random ways.
    Sim,
    /// A death at every action.
    Sweep,
    /// Every input of the second key.
    Permit,
    /// Drawn views of reached states.
    FuzzDecide,
    /// What services wrote down.
    Trace,
    /// How it is used.
    Help,
}

/// Who writes in a system with one key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Writer {
    /// Any writer, any write, any time, behind the second key.
    Any,
    /// The first key, without the second one.
    Decide,
}

impl Verb {
    /// How its closing line begins.
    pub const fn label(self) -> &'static str {
        match self {
            Verb::Check(None) => "check",
            Verb::Check(Some(Writer::Any)) => "check-writer-any",
            Verb::Check(Some(Writer::Decide)) => "check-writer-decide",
            Verb::Cross => "check-cross",
            Verb::Mutants | Verb::Story => "mutants",
            Verb::Sim => "sim",
            Verb::Sweep => "sweep",
            Verb::Permit => "permit",
            Verb::FuzzDecide => "fuzz-decide",
            Verb::Trace => "trace",
            Verb::Help => "help",
        }
    }
}

/// Printed where a command line makes no sense.
pub const USAGE: &str = "\
usage: serin-sim check [--writer any|decide] [--only NAME] [--table]  every reachable state of the small worlds
       serin-sim check --cross [--only NAME]                 the same count by an independent checker
       serin-sim mutants [--only NAME]                       every guard taken away: each must be caught
       serin-sim mutants --story NAME                        how one of them takes a service down
       serin-sim sim [--seed N] [--seeds N]                  random ways through larger worlds
       serin-sim sweep                                       a death at every action of every release
       serin-sim permit                                      the second key on every input of a size
       serin-sim fuzz-decide [--seed N]                      both keys on drawn views of reached states
       serin-sim trace DIR                                   the rules over what services wrote down below DIR
  each with [--quick|--long] [--threads N]; UPDATE=1 serin-sim check writes pinned.txt anew";

/// Reads what follows the program's name.
///
/// # Errors
/// A sentence that says what is wrong with it.
pub fn parse(args: impl IntoIterator<Item = String>) -> Result<Arguments, String> {
    let mut args = args.into_iter();
    let verb = match args.next().as_deref() {
        Some("check") => Verb::Check(None),
        Some("mutants") => Verb::Mutants,
        Some("sim") => Verb::Sim,
        Some("sweep") => Verb::Sweep,
        Some("permit") => Verb::Permit,
        Some("fuzz-decide") => Verb::FuzzDecide,
        Some("trace") => Verb::Trace,
        Some("help" | "--help" | "-h") => Verb::Help,
        Some(other) => return Err(format!("there is no verb {other:?}; write one of those below")),
        None => return Err("no verb is given; write one of those below".to_owned()),
    };
    let mut parsed = Arguments {
        verb,
        long: false,
        seed: 1,
        seeds: None,
        only: None,
        threads: None,
        table: false,
        story: None,
        dir: None,
    };
    while let Some(option) = args.next() {
        let mut value = || args.next().ok_or(format!("{option} needs a value"));
        match (option.as_str(), parsed.verb) {
            ("--quick", _) => parsed.long = false,
            ("--long", _) => parsed.long = true,
            ("--seed", _) => parsed.seed = number(&option, &value()?)?,
            ("--help" | "-h", _) => parsed.verb = Verb::Help,
            ("--threads", _) => parsed.threads = Some(some(&option, number(&option, &value()?)?)?),
            ("--seeds", Verb::Sim) => parsed.seeds = Some(some(&option, number(&option, &value()?)?)?),
            ("--only", Verb::Check(_) | Verb::Cross | Verb::Mutants) => parsed.only = Some(value()?),
            ("--table", Verb::Check(_)) => parsed.table = true,
            ("--story", Verb::Mutants) => (parsed.verb, parsed.story) = (Verb::Story, Some(value()?)),
            ("--cross", Verb::Check(None)) => parsed.verb = Verb::Cross,
            ("--writer", Verb::Check(None)) => parsed.verb = Verb::Check(Some(writer(&value()?)?)),
            (dir, Verb::Trace) if parsed.dir.is_none() && !dir.is_empty() && !dir.starts_with('-') => {
                parsed.dir = Some(dir.to_owned())
            }
            _ => return Err(format!("{option:?} does not belong here")),
        }
    }
    if parsed.verb == Verb::Trace && parsed.dir.is_none() {
        return Err("trace needs a directory: a service's state directory, or one above it".to_owned());
    }
    Ok(parsed)
}

fn number<T: std::str::FromStr>(option: &str, text: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("{option} takes a whole number, not {text:?}"))
}

/// None at all would find nothing.
fn some<T: PartialEq + From<u8>>(option: &str, count: T) -> Result<T, String> {
    if count == T::from(0) { Err(format!("{option} takes 1 or more, not 0")) } else { Ok(count) }
}

fn writer(text: &str) -> Result<Writer, String> {
    match text {
        "any" => Ok(Writer::Any),
        "decide" => Ok(Writer::Decide),
        other => Err(format!("--writer takes `any` or `decide`, not {other:?}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(line: &str) -> Result<Arguments, String> {
        parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn a_command_line_is_read() {
        let args = of("sim --long --seed 7 --seeds 3 --threads 2").expect("it makes sense");
        assert_eq!((args.verb, args.long, args.seed, args.seeds, args.threads), (Verb::Sim, true, 7, Some(3), Some(2)));
        let label = |line: &str| of(line).map(|args| args.verb.label());
        assert_eq!(label("check --writer any --only weights"), Ok("check-writer-any"));
        assert_eq!(label("check --writer decide"), Ok("check-writer-decide"));
        assert_eq!(label("check --quick --cross"), Ok("check-cross"));
    }

    #[test]
    fn who_asks_for_help_gets_it() {
        for line in ["--help", "-h", "help", "check --help", "trace -h"] {
            assert_eq!(of(line).map(|args| args.verb), Ok(Verb::Help), "{line}");
        }
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for line in [
            "",
            "dance",
            "check --fast",
            "check --seeds 3",
            "check --writer",
            "check --writer me",
            "check --cross --writer any",
            "sim --only x",
            "sim --seeds many",
            "sim --seeds 0",
            "check --threads 0",
            "sim extra",
            "trace",
            "trace one two",
        ] {
            assert!(of(line).is_err(), "{line}");
        }
    }
}

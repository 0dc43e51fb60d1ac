//! The command line: a verb, its words, and the four options that every verb has.

use crate::verbs::{VERBS, Verb};

/// How much a verb does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Length {
    /// At most a minute after the build.
    Quick,
    /// As long as the figure needs.
    Long,
}

/// What was asked for beside the verb.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// How much to do.
    pub length: Length,
    /// Decides everything that is random.
    pub seed: u64,
    /// Leave the scratch directory.
    pub keep: bool,
    /// Further words of the verb.
    pub words: Vec<String>,
}

/// Reads what follows `cargo xtask`.
///
/// # Errors
/// A sentence that says what is wrong with it.
pub fn parse(words: &[String]) -> Result<(&'static Verb, Options), String> {
    let mut options = Options { length: Length::Quick, seed: 1, keep: false, words: Vec::new() };
    let mut rest = words.iter();
    while let Some(word) = rest.next() {
        match word.as_str() {
            "--quick" => options.length = Length::Quick,
            "--long" => options.length = Length::Long,
            "--keep" => options.keep = true,
            "--seed" => {
                let seed = rest.next().ok_or("--seed has no number")?;
                options.seed = seed.parse().map_err(|_| format!("--seed must be a number, not {seed:?}"))?;
            }
            plain => options.words.push(plain.to_owned()),
        }
    }
    if options.words.is_empty() {
        return Err("there is no verb".to_owned());
    }
    for length in [3, 2, 1] {
        let Some(name) = options.words.get(..length).map(|w| w.join(" ")) else { continue };
        if let Some(verb) = VERBS.iter().find(|v| v.name == name) {
            options.words.drain(..length);
            let unknown =
                options.words.iter().find(|word| word.starts_with('-') && !verb.words.contains(word.as_str()));
            if let Some(option) = unknown {
                return Err(format!("there is no option {option}"));
            }
            return match options.words.first() {
                Some(word) if verb.words.is_empty() => {
                    Err(format!("{name} takes no further word, and {word:?} is one"))
                }
                _ => Ok((verb, options)),
            };
        }
    }
    Err(format!("there is no verb {:?}", options.words.join(" ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        line.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn a_verb_of_two_words_is_found() {
        let (verb, options) = parse(&words("bench --long proxy --seed 7 --keep")).expect("it makes sense");
        assert_eq!(verb.name, "bench proxy");
        assert_eq!(options, Options { length: Length::Long, seed: 7, keep: true, words: Vec::new() });
    }

    #[test]
    fn further_words_go_to_the_verb_that_takes_them() {
        let (verb, options) = parse(&words("parts podinfo 1 2")).expect("it makes sense");
        assert_eq!((verb.name, options.words), ("parts podinfo", words("1 2")));
    }

    #[test]
    fn an_option_of_the_verbs_own_is_one_of_its_words() {
        let (_, options) = parse(&words("show zero-loss --replicas 2 --seed 3")).expect("it makes sense");
        assert_eq!((options.words, options.seed), (words("--replicas 2"), 3));
        assert!(parse(&words("show zero-loss --fast 2")).is_err());
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for line in ["", "bench", "dance", "tidy now", "tidy --seed", "tidy --seed x", "tidy --fast"] {
            assert!(parse(&words(line)).is_err(), "{line}");
        }
    }

    #[test]
    fn names_are_unique() {
        for (at, verb) in VERBS.iter().enumerate() {
            assert!(VERBS[..at].iter().all(|v| v.name != verb.name), "{} is there twice", verb.name);
        }
    }
}

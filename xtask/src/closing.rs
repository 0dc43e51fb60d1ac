//! The closing line of a verb, the same as JSON in `target/xtask/`, and the exit code.

use crate::json::Value;
use crate::run::Stop;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

/// The exit code where the command line makes no sense.
pub const USAGE: u8 = 2;

/// Prints `NAME PASS|FAIL|SKIP key=value … secs=12.3`, writes it as JSON, and says how the process ends.
pub fn close(
    name: &str,
    result: Result<(), Stop>,
    facts: &[(String, Value)],
    spent: Duration,
    last: Option<String>,
) -> ExitCode {
    let (word, why, code) = match result {
        Ok(()) => ("PASS", None, 0),
        Err(Stop::Fail(why)) => ("FAIL", Some(why), 1),
        Err(Stop::Usage(why)) => ("FAIL", Some(why), USAGE),
        Err(Stop::Skip(why)) => ("SKIP", Some(why), if is_ci() { 1 } else { 3 }),
    };
    let secs = (spent.as_secs_f64() * 10.0).round() / 10.0;
    let mut all = facts.to_vec();
    all.extend(why.map(|why| ("why".to_owned(), Value::from(why))));
    all.push(("secs".to_owned(), Value::from(secs)));
    if let Err(e) = write(name, word, &all) {
        eprintln!("{name}: target/xtask/{name}.json could not be written: {e}");
    }
    println!("{}", line(name, word, &all));
    if let Some(last) = last {
        println!("{last}");
    }
    ExitCode::from(code)
}

/// Whether nobody is there to read a SKIP.
pub fn is_ci() -> bool {
    std::env::var("CI").is_ok_and(|v| v == "true")
}

fn line(name: &str, word: &str, facts: &[(String, Value)]) -> String {
    let mut line = format!("{name} {word}");
    for (key, value) in facts {
        line.push_str(&format!(" {key}={}", value.plain()));
    }
    line
}

fn write(name: &str, word: &str, facts: &[(String, Value)]) -> std::io::Result<()> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/xtask");
    std::fs::create_dir_all(&directory)?;
    let mut members = vec![("name".to_owned(), Value::from(name)), ("result".to_owned(), Value::from(word))];
    members.extend_from_slice(facts);
    std::fs::write(directory.join(format!("{name}.json")), format!("{}\n", Value::Object(members)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_can_be_split_at_its_spaces() {
        let facts = [
            ("sent".to_owned(), Value::from(3u64)),
            ("ratio".to_owned(), Value::from(0.75)),
            ("why".to_owned(), Value::from("it \"said\" no\nand left")),
        ];
        let line = line("show-x", "FAIL", &facts);
        assert_eq!(line, r#"show-x FAIL sent=3 ratio=0.75 why="it \"said\" no\nand left""#);
    }
}

//! `serin simulate` and `serin check` as a person runs them: exit codes, what is printed where, and wrong words.
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples").join(name).join("serin.yaml")
}

fn serin(verb: &str, file: &Path, rest: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_serin"));
    command.arg(verb).arg("-f").arg(file).args(rest).env("NO_COLOR", "1");
    command.output().expect("serin runs")
}

fn guide() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/guides/getting-started.md");
    std::fs::read_to_string(path).expect("the guide")
}

fn simulate(rest: &[&str]) -> (Option<i32>, String, String) {
    let out = serin("simulate", &example("podinfo"), rest);
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
    (out.status.code(), text(out.stdout), text(out.stderr))
}

#[test]
fn exit_codes_are_those_of_deploy() {
    for (faults, code, says) in [
        (vec![], 0, "✔ promoted"),
        (vec!["--fault", "good"], 0, "✔ promoted"),
        (vec!["--fault", "errors=20%@30s"], 1, "✖ rolled back"),
        (vec!["--fault", "never-ready"], 1, "✖ failed"),
        (vec!["--fault", "no-traffic"], 4, "it stands still"),
    ] {
        let (found, out, err) = simulate(&faults);
        assert_eq!(found, Some(code), "{faults:?}: {out}{err}");
        assert!(out.contains(says) && out.contains("seed 1"), "{faults:?}: {out}");
        assert_eq!(err, "", "{faults:?}");
    }
}

#[test]
fn the_guide_shows_what_is_printed() {
    let (_, out, _) = simulate(&["--fault", "errors=20%@30s", "--seed", "7"]);
    let guide = guide();
    let shown = out.lines().all(|line| guide.contains(line));
    assert!(shown, "docs/guides/getting-started.md shows something else than:\n{out}");
}

#[test]
fn the_same_seed_prints_the_same() {
    let args = ["--fault", "instance-lost@20s", "--fault", "errors=3%@25s", "--seed", "42", "--rate", "900"];
    let once = simulate(&args);
    assert_eq!(once, simulate(&args));
    assert!(once.1.contains("seed 42") && once.1.contains("900 requests/s"), "{}", once.1);
    let other =
        simulate(&["--fault", "instance-lost@20s", "--fault", "errors=3%@25s", "--seed", "43", "--rate", "900"]);
    assert_ne!(once.1, other.1);
}

#[test]
fn wrong_words_are_refused_with_what_to_write() {
    for (args, says) in [
        (
            vec!["--fault", "error=20%"],
            "Did you mean `errors`? There are: good, errors, slow, never-ready, instance-lost",
        ),
        (vec!["--fault", "errors=20%@soon"], "the time after @ of `errors=20%@soon`"),
        (vec!["--fault", "slow"], "`slow` needs a value: write for example `slow=800ms@30s`"),
        (vec!["--rate", "0"], "write a whole number of requests per second, from 1 to 100000"),
        (vec!["--rate", "-3"], "write a whole number of requests per second, from 1 to 100000"),
        (vec!["--approve-after", "10"], "`10`"),
        (vec!["--seed", "x"], "a seed is a whole number from 0 to 18446744073709551615: write for example `7`"),
        (vec!["--seed", "-1"], "a seed is a whole number from 0 to"),
        (
            vec!["--fault", "good", "--fault", "slow=1s"],
            "`good` says that nothing goes wrong, and `slow=1s@0s` is given",
        ),
        (vec!["--fault", "never-ready", "--fault", "never-ready"], "`never-ready` is given twice: keep one"),
        (vec!["--fault", "slow=1s", "--fault", "slow=2s"], "`slow=1s@0s` and `slow=2s@0s` begin at the same moment"),
    ] {
        let (code, out, err) = simulate(&args);
        assert_eq!((code, out.as_str()), (Some(2), ""), "{args:?}: {err}");
        assert!(err.contains(says), "{args:?}: {err}");
    }
}

#[test]
fn lines_of_json_are_whole_and_end_with_the_outcome() {
    let (code, out, _) = simulate(&["--fault", "errors=20%@30s", "-o", "json"]);
    let lines: Vec<serde_json::Value> =
        out.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect();
    let (end, events) = lines.split_last().expect("lines");
    assert_eq!((code, end["outcome"].as_str(), end["exit"].as_i64()), (Some(1), Some("rolled_back"), Some(1)));
    assert!(events.len() > 5 && events.iter().all(|line| line["at_ms"].is_u64() && line["scene"]["share"].is_u64()));
    assert!(events.windows(2).all(|pair| pair[0]["at_ms"].as_u64() <= pair[1]["at_ms"].as_u64()));
}

#[test]
fn the_exit_code_is_the_verdict_whoever_reads_it() {
    let verdict = |out: std::process::Stdio| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_serin"));
        command.arg("simulate").arg("-f").arg(example("podinfo")).args(["--fault", "never-ready", "-o", "json"]);
        let done =
            command.stdout(out).stderr(std::process::Stdio::piped()).spawn().and_then(|child| child.wait_with_output());
        let done = done.expect("serin runs");
        (done.status.code(), String::from_utf8(done.stderr).expect("text"))
    };
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    assert_eq!(verdict(writer.into()), (Some(1), String::new()), "nobody reads it");
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").expect("a full disk");
    let (code, said) = verdict(full.into());
    assert!(code == Some(1) && said.contains("the result cannot be written: No space left on device"), "{said}");
}

#[test]
fn a_search_ends_at_once_when_it_is_told_to_and_draws_nothing_into_a_pipe() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_serin"));
    command.arg("check").arg("--deep").arg("-f").arg(example("podinfo"));
    let piped = std::process::Stdio::piped;
    let mut child = command.stdout(piped()).stderr(piped()).spawn().expect("serin runs");
    let mut said = std::io::BufReader::new(child.stderr.take().expect("a pipe"));
    let mut line = String::new();
    std::io::BufRead::read_line(&mut said, &mut line).expect("a sign of life");
    assert!(line.contains(" searches done, ") && !line.contains(['\r', '\x1b', '█', '░']), "{line:?}");
    assert!(!line.contains(" 0 states"), "what runs is counted: {line:?}");
    // not Signal::INT, which whoever runs the tests in the background has made it ignore: nothing handles either of them
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).expect("it is there");
    let done = child.wait_with_output().expect("it ends");
    assert_eq!((std::os::unix::process::ExitStatusExt::signal(&done.status), done.stdout), (Some(15), vec![]));
}

#[test]
fn a_broken_file_fails_as_in_lint() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bad-specs/02-unknown-key.yaml");
    let lint = serin("lint", &file, &["--no-state"]);
    for verb in ["simulate", "check"] {
        let out = serin(verb, &file, &[]);
        assert_eq!((out.status.code(), &out.stderr, &out.stdout), (Some(2), &lint.stderr, &lint.stdout), "{verb}");
    }
}

#[test]
fn check_says_what_is_safe_and_what_is_not_promised() {
    let out = serin("check", &example("fixed-port"), &[]);
    let text = String::from_utf8(out.stdout).expect("text");
    assert_eq!(out.status.code(), Some(0), "{text}");
    assert!(text.contains("\nSafe: ") && text.contains("`allow_downtime: true`: over an update"), "{text}");
    let shown = text.lines().take_while(|line| !line.starts_with("How ")).all(|line| guide().contains(line));
    assert!(shown, "docs/guides/getting-started.md shows something else than:\n{text}");
    let out = serin("check", &example("fixed-port"), &["-o", "json"]);
    let last = String::from_utf8(out.stdout).expect("text").lines().last().map(str::to_owned).expect("lines");
    let end: serde_json::Value = serde_json::from_str(&last).expect("JSON");
    assert_eq!((end["safe"].as_bool(), end["complete"].as_bool()), (Some(true), Some(true)), "{last}");
}

//! Broken files: each is refused in the words of its golden file, by the verbs that would use it too.

use super::{Found, says};
use crate::run::{Run, Stop, fail};
use crate::stage::Tools;
use std::process::{Command, Stdio};

/// All of them; returns how many there are.
pub fn all(run: &mut Run, tools: &Tools, found: &mut Found) -> Result<u64, Stop> {
    let directory = run.root().join("crates/serin/tests/bad-specs");
    let state = run.scratch().join("state");
    let mut names: Vec<String> = std::fs::read_dir(&directory)?
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| name.ends_with(".yaml"))
        .collect();
    names.sort();
    if names.len() < 40 {
        return fail(format!("there are {} broken specs", names.len()));
    }
    for name in &names {
        let golden = std::fs::read_to_string(directory.join(name).with_extension("txt"))?;
        let said = |words: &[&str]| -> Result<(Option<i32>, String), Stop> {
            let mut command = Command::new(&tools.serin);
            command.args(words).args(["-f", name]).current_dir(&directory).stdin(Stdio::null());
            let out = command.env("NO_COLOR", "1").env("SERIN_STATE", &state).output()?;
            Ok((out.status.code(), String::from_utf8_lossy(&out.stderr).into_owned()))
        };
        let outcome = (|| {
            let (code, text) = said(&["lint", "--no-state"])?;
            if code != Some(2) || text != golden {
                return fail(format!("lint ended with {code:?} and said {text:?} instead of {golden:?}"));
            }
            for verb in ["serve", "deploy"] {
                let (code, text) = said(&[verb])?;
                if code != Some(2) {
                    return fail(format!("{verb} ended with {code:?}: {text}"));
                }
                says(verb, &text, &["cannot be used as it is", "nothing was changed"])?;
            }
            Ok(())
        })();
        found.case(name, outcome)?;
    }
    if state.exists() {
        return fail("a broken file made a state directory");
    }
    Ok(names.len() as u64)
}

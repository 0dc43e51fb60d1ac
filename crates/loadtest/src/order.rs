//! From a payload to what is to be run, or to a sentence that says why not and what to write instead.

use std::path::Path;

use http::StatusCode;

use crate::Settings;
use crate::payload::{Canary, Payload};
use crate::refusal::Refusal;
use crate::words::{Unsplit, split};

/// Who waits for a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Nobody: it is answered at once (`cmd`).
    Started,
    /// The webhook: it is answered with what came of it (`bash`).
    Awaited,
}

/// What is to be run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Order {
    /// For whom.
    pub(crate) canary: Canary,
    /// The command as it was written.
    pub(crate) text: String,
    /// The program and its arguments.
    pub(crate) argv: Vec<String>,
    /// Who waits for it.
    pub(crate) kind: Kind,
    /// Whether its output is in the log.
    pub(crate) log_output: bool,
    /// Whether its output is in the answer.
    pub(crate) return_output: bool,
}

impl Order {
    /// Reads what a payload asks for.
    ///
    /// # Errors
    /// It asks for nothing, for what is not carried out here, or for a program that is not allowed.
    pub(crate) fn of(payload: &Payload, settings: &Settings) -> Result<Self, Refusal> {
        let kind = kind(payload.word("type").unwrap_or_default())?;
        let text = payload.word("cmd").unwrap_or_default();
        if text.contains('\0') {
            return Err(Refusal::wrong("metadata.cmd holds a NUL character, which no program can be given; remove it"));
        }
        let argv = match &settings.shell {
            Some(_) if text.trim().is_empty() => return Err(empty()),
            Some(shell) => vec![shown(shell), "-c".to_owned(), text.to_owned()],
            None => direct(text, &settings.allow)?,
        };
        Ok(Self {
            canary: payload.canary(),
            text: text.to_owned(),
            argv,
            kind,
            log_output: payload.says("logCmdOutput"),
            return_output: payload.says("returnCmdOutput"),
        })
    }
}

fn shown(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

fn empty() -> Refusal {
    Refusal::wrong(
        "metadata.cmd is missing: write the command to run, such as cmd: \"hey -z 1m -q 10 http://podinfo:9898/\"",
    )
}

fn kind(word: &str) -> Result<Kind, Refusal> {
    let instead = match word {
        "" | "cmd" => return Ok(Kind::Started),
        "bash" => return Ok(Kind::Awaited),
        "helm" | "helmv3" => "run `helm test` as a Job of the cluster, and ask for its result with type: bash and curl",
        "kubectl" => "run it as a Job of the cluster with an account of its own",
        "concord" | "ngrinder" => "start the test by its HTTP interface, with type: bash and curl",
        _ => {
            return Err(Refusal::wrong(
                "metadata.type is none that there is: write cmd (starts the command and answers at once) or bash (waits for it)",
            ));
        }
    };
    Err(Refusal::wrong(format!("metadata.type {word} is not carried out here: {instead}")))
}

/// The words of a command that runs without a shell.
fn direct(text: &str, allow: &[String]) -> Result<Vec<String>, Refusal> {
    if text.trim().is_empty() {
        return Err(empty());
    }
    let argv = split(text).map_err(|unsplit| match unsplit {
        Unsplit::Broken(what) => Refusal::wrong(format!("metadata.cmd cannot be read as a command: {what}")),
        Unsplit::Shell(piece, what) => Refusal::wrong(format!(
            "metadata.cmd needs a shell, and none runs here: {piece} would be {what}. Put it in quotes if it is meant as it \
             stands, write the command without it, or start the load tester with --shell /bin/sh (which then runs anything)"
        )),
    })?;
    if argv.first().is_some_and(|program| allow.contains(program)) {
        return Ok(argv);
    }
    Err(Refusal::new(
        StatusCode::FORBIDDEN,
        format!(
            "the program that metadata.cmd begins with is not allowed here; allowed are: {}. Write one of these, or start the \
             load tester with --allow PROGRAM",
            allow.join(", ")
        ),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    fn settings(shell: Option<&str>) -> Settings {
        let allow = vec!["hey".to_owned(), "/opt/wrk".to_owned()];
        Settings { allow, shell: shell.map(PathBuf::from), ..Settings::default() }
    }

    fn order(metadata: &str, shell: Option<&str>) -> Result<Order, Refusal> {
        let body = format!(r#"{{"name":"a","namespace":"b","metadata":{metadata}}}"#);
        Order::of(&Payload::read(body.as_bytes()).unwrap(), &settings(shell))
    }

    #[test]
    fn an_allowed_program_is_run_as_it_is_written() {
        let order = order(r#"{"cmd":"hey 'a b'","logCmdOutput":"true"}"#, None).unwrap();
        assert_eq!((order.argv, order.kind), (vec!["hey".to_owned(), "a b".to_owned()], Kind::Started));
        assert!(order.log_output && !order.return_output);
    }

    #[test]
    fn a_name_is_allowed_as_it_stands_and_nothing_that_looks_like_it() {
        for cmd in ["hey", "/opt/wrk -c 1"] {
            assert!(order(&format!(r#"{{"cmd":"{cmd}"}}"#), None).is_ok(), "{cmd}");
        }
        for cmd in ["sh -c hey", "/tmp/hey", "./hey", "HEY", "wrk", "/opt/../opt/wrk", "heyy", "env hey"] {
            let refusal = order(&format!(r#"{{"type":"bash","cmd":"{cmd}"}}"#), None).unwrap_err();
            assert_eq!(refusal.status, 403, "{cmd}");
            assert!(refusal.text.contains("hey, /opt/wrk") && refusal.text.contains("--allow"), "{}", refusal.text);
        }
    }

    #[test]
    fn what_needs_a_shell_is_said_unless_there_is_one() {
        let pipe = r#"{"type":"bash","cmd":"hey a | grep b","returnCmdOutput":"true"}"#;
        let refusal = order(pipe, None).unwrap_err();
        assert_eq!(refusal.status, 400);
        assert!(refusal.text.contains("`|` would be a pipe") && refusal.text.contains("--shell"), "{}", refusal.text);
        let order = order(pipe, Some("/bin/sh")).unwrap();
        assert_eq!(order.argv, ["/bin/sh", "-c", "hey a | grep b"]);
        assert!(order.kind == Kind::Awaited && order.return_output);
    }

    #[test]
    fn types_that_are_not_carried_out_are_refused_with_what_to_write() {
        for kind in ["helm", "helmv3", "kubectl", "concord", "ngrinder"] {
            let refusal = order(&format!(r#"{{"type":"{kind}","cmd":"x"}}"#), None).unwrap_err();
            assert_eq!(refusal.status, 400);
            assert!(refusal.text.contains(kind) && refusal.text.contains("not carried out here: "), "{}", refusal.text);
        }
        for metadata in [r#"{"type":"shell","cmd":"hey"}"#, r#"{"cmd":" "}"#, "{}", r#"{"cmd":"hey \u0000"}"#] {
            for shell in [None, Some("/bin/sh")] {
                assert_eq!(order(metadata, shell).unwrap_err().status, 400, "{metadata}");
            }
        }
    }
}

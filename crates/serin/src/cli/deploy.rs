//! `serin deploy`: release the file's new version, and follow it.

use std::process::ExitCode;

use clap::Args;
use serin_api::{Client, DeployAnswer, DeployRequest, Ending};

use super::{
    Failure, Global, Output, Place, Terminal, exit,
    follow::{End, follow},
    place::who,
    serve::load,
};
use crate::config::{Overrides, quantity::Time};

/// What `serin deploy` takes.
#[derive(Debug, Args)]
pub(super) struct Deploy {
    /// Run this instead of the file's `run.command`.
    #[arg(long, value_name = "COMMAND")]
    command: Option<String>,
    /// Set (NAME=VALUE) or remove (NAME-) an environment variable. May be repeated.
    #[arg(long, value_name = "NAME=VALUE")]
    env: Vec<String>,
    /// Set any key of the file, such as release.window=2m. May be repeated.
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Also while a canary is parked, or when this revision failed before.
    #[arg(long)]
    force: bool,
    /// Return as soon as the release has begun.
    #[arg(long)]
    detach: bool,
    /// Follow no longer than this; the release goes on. Default: until it ends.
    #[arg(long, value_name = "DURATION", value_parser = Time::parse)]
    timeout: Option<Time>,
}

impl Deploy {
    pub(super) async fn run(self, global: &Global, terminal: &Terminal) -> Result<ExitCode, Failure> {
        let overrides = Overrides { command: self.command.clone(), env: self.env.clone(), set: self.set.clone() };
        let loaded = load(global, &overrides, terminal)?;
        let client = Place::of(&loaded.spec.service, global).client();
        if terminal.output == Output::Text && !overrides.is_empty() {
            terminal.print(&differs(&global.file.display().to_string(), &loaded.changes));
        }
        let spec = serde_json::to_value(&loaded.spec).map_err(|e| Failure::new(exit::FAILED, e.to_string(), ""))?;
        let file_hash = Some(loaded.file_hash);
        let request = DeployRequest { spec, force: self.force, file_hash, by: who(), changes: loaded.changes };
        match client.deploy(&request).await? {
            DeployAnswer::Started { rollout, revision, after } => {
                self.begun(&Begun { word: "started", rollout, revision, after }, &client, terminal).await
            }
            DeployAnswer::Underway { rollout, revision, after } => {
                self.begun(&Begun { word: "underway", rollout, revision, after }, &client, terminal).await
            }
            DeployAnswer::Unchanged { revision, message } => {
                let short: String = revision.chars().take(10).collect();
                tell(
                    terminal,
                    &serde_json::json!({ "answer": "unchanged", "revision": revision, "message": message }),
                    &format!("Revision {short} runs already: {message}"),
                );
                Ok(ExitCode::from(exit::DONE))
            }
            DeployAnswer::Refused { why, instead } => Err(Failure::new(exit::REFUSED, why, instead)),
        }
    }

    /// A rollout has begun, now or before: follows it.
    async fn begun(&self, begun: &Begun, client: &Client, terminal: &Terminal) -> Result<ExitCode, Failure> {
        let Begun { word, rollout, revision, after } = begun;
        let (short, service): (String, _) = (revision.chars().take(10).collect(), client.service());
        let text = match *word {
            "underway" => {
                format!("Revision {short} of {service} is being released already, by rollout {rollout}: following it")
            }
            _ if *rollout == 0 => format!("{service} is still starting: following it to revision {short}"),
            _ => format!("Rollout {rollout} of {service}: revision {short}"),
        };
        tell(terminal, &serde_json::json!({ "answer": word, "rollout": rollout, "revision": revision }), &text);
        if self.detach {
            return Ok(ExitCode::from(exit::DONE));
        }
        let end = follow(client, (*rollout, revision), *after, self.timeout.map(Time::get), terminal).await?;
        Ok(report(&end, *rollout, client, terminal))
    }
}

/// What of a controller's answer is needed to follow a rollout.
struct Begun {
    word: &'static str,
    rollout: u64,
    revision: String,
    after: u64,
}

/// How the options changed the file.
pub(super) fn differs(file: &str, changes: &[String]) -> String {
    if changes.is_empty() {
        return format!("The options change nothing in {file}.\n");
    }
    let rows: Vec<_> = changes.iter().map(|c| format!("{c}\n")).collect();
    format!("--- {file}\n+++ as released\n{}", rows.concat())
}

fn tell(terminal: &Terminal, json: &serde_json::Value, text: &str) {
    match terminal.output {
        Output::Json => terminal.json(json),
        Output::Text => terminal.print(&format!("{text}\n")),
    }
}

fn report(end: &End, rollout: u64, client: &Client, terminal: &Terminal) -> ExitCode {
    let (word, text) = sentence(end, rollout, client.service());
    tell(terminal, &serde_json::json!({ "outcome": word, "rollout": rollout, "exit": end.code() }), &text);
    ExitCode::from(end.code())
}

/// How it ended, as a word and as a sentence.
pub(super) fn sentence(end: &End, rollout: u64, service: &str) -> (&'static str, String) {
    match end {
        End::Ended(ending) => {
            let text = match ending {
                Ending::Promoted => format!("✔ {service} was promoted: the new version has all traffic"),
                Ending::RolledBack => format!(
                    "✖ {service} was rolled back: the old version has all traffic. `serin history {rollout}` shows why"
                ),
                Ending::Failed => format!(
                    "✖ the new version of {service} failed: the old one was not touched. `serin history {rollout}` shows why"
                ),
                Ending::Aborted => format!("✖ the release of {service} was aborted: the old version has all traffic"),
                Ending::Superseded => {
                    format!("= a newer revision of {service} has taken the place of rollout {rollout}")
                }
                Ending::Halted => format!(
                    "✖ the release of {service} is halted: everything that serves goes on serving. `serin status` says what is needed"
                ),
                Ending::Parked => {
                    format!("⚑ the canary of {service} is parked: `serin resume` goes on, `serin abort` ends it")
                }
            };
            (ending_word(*ending), text)
        }
        End::Left => (
            "left",
            format!(
                "Following ended; rollout {rollout} of {service} goes on. `serin status -w` shows it, `serin abort` ends it"
            ),
        ),
        End::Late => (
            "timeout",
            format!(
                "Followed for as long as --timeout says; rollout {rollout} of {service} goes on. `serin status -w` shows it"
            ),
        ),
    }
}

/// The ending for programs.
pub(crate) fn ending_word(ending: Ending) -> &'static str {
    match ending {
        Ending::Promoted => "promoted",
        Ending::RolledBack => "rolled_back",
        Ending::Failed => "failed",
        Ending::Aborted => "aborted",
        Ending::Superseded => "superseded",
        Ending::Halted => "halted",
        Ending::Parked => "parked",
    }
}

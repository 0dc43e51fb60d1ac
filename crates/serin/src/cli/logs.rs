//! `serin logs`: the output of the instances.

use std::process::ExitCode;

use clap::Args;
use serin_api::{LogLine, LogQuery};

use super::{Failure, Global, Output, Place, Terminal, exit, terminal::Paint};

/// What `serin logs` takes.
#[derive(Debug, Args)]
pub(super) struct Logs {
    /// Of this instance only (`serin status` lists them).
    #[arg(value_name = "INSTANCE")]
    instance: Option<String>,
    /// So many of the last lines of each instance.
    #[arg(short = 'n', long, default_value_t = 100)]
    tail: usize,
    /// Go on with the lines that follow, until Ctrl-C. (`-f` is the file.)
    #[arg(short = 'F', long)]
    follow: bool,
}

impl Logs {
    pub(super) async fn run(self, global: &Global, terminal: &Terminal) -> Result<ExitCode, Failure> {
        let client = Place::find(global)?.client();
        let mut lines =
            client.logs(&LogQuery { instance: self.instance, tail: self.tail, follow: self.follow }).await?;
        let showing = async {
            while let Some(line) = lines.next().await? {
                match terminal.output {
                    Output::Json => terminal.json(&line),
                    Output::Text => terminal.print(&shown(&line, terminal.paint)),
                }
            }
            Ok(ExitCode::from(exit::DONE))
        };
        tokio::select! {
            done = showing => done,
            _ = tokio::signal::ctrl_c() => Ok(ExitCode::from(exit::DONE)),
        }
    }
}

/// One line, after the name of its instance. Control characters that could move a terminal's cursor are shown as `?`.
fn shown(line: &LogLine, paint: Paint) -> String {
    let text: String = line
        .text
        .chars()
        .map(|c| if c.is_control() && c != '\t' && !(paint.0 && c == '\x1b') { '?' } else { c })
        .collect();
    let name = if line.stream == "err" { paint.red(&line.instance) } else { paint.dim(&line.instance) };
    format!("{name} | {text}\n")
}

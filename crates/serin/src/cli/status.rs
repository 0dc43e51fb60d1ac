//! `serin status`: what the service is doing, and what it waits for.

use std::{process::ExitCode, time::Duration};

use clap::Args;
use serin_api::{ClientError, StatusView};

use super::{Failure, Global, Output, Place, Terminal, exit, tree::tree};

/// How long a watcher waits before it asks again for a controller that is away.
const AGAIN: Duration = Duration::from_secs(1);

/// What `serin status` takes.
#[derive(Debug, Args)]
pub(super) struct Status {
    /// Show it again with each change, until Ctrl-C.
    #[arg(short, long)]
    watch: bool,
}

impl Status {
    pub(super) async fn run(self, global: &Global, terminal: &Terminal) -> Result<ExitCode, Failure> {
        let client = Place::find(global)?.client();
        if !self.watch {
            show(&client.status().await?, terminal, false);
            return Ok(ExitCode::from(exit::DONE));
        }
        let watching = async {
            let mut away = false;
            loop {
                match client.watch().await {
                    Ok(mut watch) => {
                        away = false;
                        while let Ok(Some(status)) = watch.next().await {
                            show(&status, terminal, true);
                        }
                    }
                    Err(e @ (ClientError::NotRunning { .. } | ClientError::Broken { .. })) if away => drop(e),
                    Err(e @ (ClientError::NotRunning { .. } | ClientError::Broken { .. })) => {
                        away = true;
                        terminal.note(&format!(
                            "{e}\n(instances and proxy go on serving; this goes on when the controller is back)"
                        ));
                    }
                    Err(e @ (ClientError::NotAllowed { .. } | ClientError::Api(_))) => return Err(Failure::from(e)),
                }
                tokio::time::sleep(AGAIN).await;
            }
        };
        tokio::select! {
            failed = watching => failed,
            _ = tokio::signal::ctrl_c() => Ok(ExitCode::from(exit::DONE)),
        }
    }
}

fn show(status: &StatusView, terminal: &Terminal, again: bool) {
    match terminal.output {
        Output::Json => terminal.json(status),
        Output::Text if again && terminal.live => {
            terminal.print(&format!("\x1b[H\x1b[2J{}", tree(status, terminal.paint)))
        }
        Output::Text if again => terminal.print(&format!("{}\n", tree(status, terminal.paint))),
        Output::Text => terminal.print(&tree(status, terminal.paint)),
    }
}

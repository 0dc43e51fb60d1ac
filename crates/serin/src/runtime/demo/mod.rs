//! `serin demo`: a good release and a bad one of a built-in program, watched.
//!
//! What is shown is the real thing: `serin serve` and `serin deploy` are run as they are typed, by this very program, in
//! a directory of their own. Only the program that is released and the people who use it are built in. How it went is
//! read from counters: those of the load, the exit codes of `serin deploy`, and the history of the controller.
mod app;
mod load;
mod screen;
mod stage;
mod story;
mod summary;

use super::fail;
use crate::cli::demo::Job;
use crate::cli::{Output, Terminal, exit};
use screen::Screen;
use stage::Stage;
use std::process::ExitCode;
use tokio::signal::unix::{SignalKind, signal};

/// Shows it, or is the built-in program.
pub(super) fn run(job: Job) -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(exit::FAILED, format!("the system refuses what every process needs: {error}"), ""),
    };
    match job.app {
        Some(port) => match runtime.block_on(app::run(port)) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => fail(exit::FAILED, format!("the demo's program cannot serve on port {port}: {error}"), ""),
        },
        None => runtime.block_on(show(&job)),
    }
}

/// Shows it on a stage that is taken down in any case: at the end, on a failure, and on Ctrl-C.
async fn show(job: &Job) -> ExitCode {
    let stage = match Stage::build(job.state.as_deref(), job.rate) {
        Ok(stage) => stage,
        Err(why) => return fail(exit::FAILED, why, "name another place with --state DIR"),
    };
    let terminal = Terminal::new(job.output);
    let screen = Screen::new(terminal, stage.client());
    let ended = tokio::select! {
        ended = story::tell(&stage, &screen, job.rate) => ended,
        interrupted = interruption() => Err(interrupted),
    };
    screen.wipe();
    screen.dim("Taking everything down: `serin down`");
    let down = stage.take_down(job.keep).await;
    match (ended, down) {
        (Ok(facts), Ok(())) => {
            let right = facts.wrong().is_empty();
            match job.output {
                Output::Json => terminal.json(&facts.json()),
                Output::Text => terminal.print(&facts.text(terminal.paint, job.keep.then(|| stage.kept()))),
            }
            ExitCode::from(if right { exit::DONE } else { exit::FAILED })
        }
        (Ok(_), Err(why)) => fail(exit::FAILED, why, "`ps` shows what is left; its directory is named above"),
        (Err(why), down) => {
            let hint = match (down, job.keep) {
                (Err(left), _) => left,
                (Ok(()), true) => stage.kept(),
                (Ok(()), false) => "everything that the demo started has ended; nothing is left".to_owned(),
            };
            fail(exit::FAILED, why, &hint)
        }
    }
}

/// Waits until somebody wants it to end, and says who.
async fn interruption() -> String {
    let on = |kind| signal(kind).map_err(|error| format!("signals cannot be received: {error}"));
    let (mut interrupt, mut terminate, mut hangup) =
        match (on(SignalKind::interrupt()), on(SignalKind::terminate()), on(SignalKind::hangup())) {
            (Ok(interrupt), Ok(terminate), Ok(hangup)) => (interrupt, terminate, hangup),
            (Err(why), _, _) | (_, Err(why), _) | (_, _, Err(why)) => return why,
        };
    tokio::select! {
        _ = interrupt.recv() => "interrupted".to_owned(),
        _ = terminate.recv() => "asked to end (SIGTERM)".to_owned(),
        _ = hangup.recv() => "the terminal was closed".to_owned(),
    }
}

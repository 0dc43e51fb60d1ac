//! Giving a command: look where the service is, cite that, and say what became of it.

use std::process::ExitCode;

use serin_api::{Answer, Command, CommandRequest};

use super::{Failure, Global, Output, Place, Terminal, exit, place::who};

/// Gives `command` for the step at which the service is now.
pub(super) async fn send(command: Command, global: &Global, terminal: &Terminal) -> Result<ExitCode, Failure> {
    let client = Place::find(global)?.client();
    let seen = client.status().await?;
    let verb = command.verb();
    let answer = client.command(&CommandRequest { key: seen.key, by: who(), command }).await?;
    if terminal.output == Output::Json {
        terminal.json(&answer);
    } else {
        terminal.print(&format!("{}\n", said(&answer, verb, &seen.service, terminal)));
    }
    Ok(ExitCode::from(code(&answer)))
}

fn code(answer: &Answer) -> u8 {
    match answer {
        Answer::Done { .. } | Answer::Already { .. } => exit::DONE,
        Answer::Late { .. } => exit::FAILED,
        Answer::Refused { .. } => exit::REFUSED,
    }
}

/// The answer in words.
pub(super) fn said(answer: &Answer, verb: &str, service: &str, terminal: &Terminal) -> String {
    let paint = terminal.paint;
    match answer {
        Answer::Done { message } => format!("{} {verb} {service}: {message}", paint.green("✔")),
        Answer::Already { message } => format!("{} {verb} {service}: nothing to do, {message}", paint.dim("=")),
        Answer::Late { message, .. } => format!(
            "{} {verb} {service}: too late, nothing was done. {message}\n  Look with `serin status`, and give the command again if you still mean it",
            paint.yellow("!")
        ),
        Answer::Refused { why, instead } => format!("{} {verb} {service}: refused, {why}\n  {instead}", paint.red("✖")),
    }
}

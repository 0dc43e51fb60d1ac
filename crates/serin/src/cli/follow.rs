//! Following a release live: its events as they come, how far it is, and how it ends. The release does not depend on
//! anybody following it: Ctrl-C, or a controller that restarts, ends or delays the telling only.

use std::time::Duration;

use jiff::tz::TimeZone;
use serin_api::{Client, ClientError, Ending, EventView, Level, StatusView, Track};

use super::{
    Failure, Output, Terminal, exit,
    moment::{age, clock, length, percent},
    terminal::Paint,
};

/// How often a line that shows how far it is, is drawn again.
const REDRAW: Duration = Duration::from_millis(500);
/// How long a follower waits before it asks again for a controller that is away.
const AGAIN: Duration = Duration::from_millis(500);

/// Why following ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// The release ended, or stands still.
    Ended(Ending),
    /// Nobody wants to follow it any more.
    Left,
    /// It took longer than the follower wanted to wait.
    Late,
}

impl End {
    /// The exit code of `serin deploy`.
    pub(super) fn code(&self) -> u8 {
        match self {
            End::Ended(ending) => exit_of(*ending),
            End::Left | End::Late => exit::OTHERWISE,
        }
    }
}

/// The exit code of a release that ended so.
pub(crate) fn exit_of(ending: Ending) -> u8 {
    match ending {
        Ending::Promoted => exit::DONE,
        Ending::RolledBack | Ending::Failed => exit::FAILED,
        Ending::Halted => exit::HALTED,
        Ending::Aborted | Ending::Superseded | Ending::Parked => exit::OTHERWISE,
    }
}

/// Follows the rollout `number` of `revision` from the events after `after` on.
pub(super) async fn follow(
    client: &Client,
    (number, revision): (u64, &str),
    after: u64,
    patience: Option<Duration>,
    terminal: &Terminal,
) -> Result<End, Failure> {
    let mut telling = Telling { client, number, revision, after, terminal, drawn: false, away: false };
    let patience = async {
        match patience {
            Some(patience) => tokio::time::sleep(patience).await,
            None => std::future::pending().await,
        }
    };
    let end = tokio::select! {
        end = telling.tell() => end,
        _ = tokio::signal::ctrl_c() => Ok(End::Left),
        () = patience => Ok(End::Late),
    };
    telling.wipe();
    end
}

struct Telling<'a> {
    client: &'a Client,
    number: u64,
    /// What it brings.
    revision: &'a str,
    /// Sequence number of the last event that was told.
    after: u64,
    terminal: &'a Terminal,
    /// Whether a line that shows how far it is stands on the terminal.
    drawn: bool,
    /// Whether it was said that the controller is away.
    away: bool,
}

impl Telling<'_> {
    /// Tells until the release ends, over any number of controllers.
    async fn tell(&mut self) -> Result<End, Failure> {
        loop {
            match self.connected().await {
                Ok(Some(ending)) => return Ok(End::Ended(ending)),
                Ok(None) => self.gone("the controller ended"),
                Err(e @ (ClientError::NotRunning { .. } | ClientError::Broken { .. })) => self.gone(&e.to_string()),
                Err(e @ (ClientError::NotAllowed { .. } | ClientError::Api(_))) => return Err(e.into()),
            }
            tokio::time::sleep(AGAIN).await;
        }
    }

    fn gone(&mut self, why: &str) {
        if !std::mem::replace(&mut self.away, true) {
            self.wipe();
            self.terminal.note(&format!("{why}\n(what serves goes on serving, and the release goes on when the controller is back; still following)"));
        }
    }

    /// Tells over one connection; `None` when the controller ended it.
    async fn connected(&mut self) -> Result<Option<Ending>, ClientError> {
        let mut events = self.client.events(self.after, true).await?;
        if std::mem::replace(&mut self.away, false) {
            self.terminal.note("the controller is back");
        }
        let mut redraw = tokio::time::interval(REDRAW);
        redraw.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                event = events.next() => {
                    let Some(event) = event? else { return Ok(None) };
                    self.after = event.seq;
                    self.event(&event);
                    if event.key.is_some_and(|k| k.rollout == self.number) && let Some(ending) = event.ending {
                        if event.kind != "serving" || self.serves().await? {
                            return Ok(Some(ending));
                        }
                        self.number += 1;
                    }
                }
                _ = redraw.tick(), if self.terminal.live => self.draw(&self.client.status().await?),
            }
        }
    }

    /// Whether it is the followed revision that serves. While the first revision of a service had not proved itself, a
    /// deploy may have replaced it or not: then its own rollout is the next one.
    async fn serves(&self) -> Result<bool, ClientError> {
        let status = self.client.status().await?;
        let stable = status.slots.iter().filter(|slot| slot.track == Some(Track::Stable));
        Ok(stable.filter_map(|slot| slot.revision.as_ref()).any(|found| found.long == self.revision))
    }

    fn event(&mut self, event: &EventView) {
        if event.key.is_some_and(|k| k.rollout != self.number) {
            return;
        }
        if self.terminal.output == Output::Json {
            return self.terminal.json(event);
        }
        self.wipe();
        self.terminal.print(&told(event, &TimeZone::system(), self.terminal.paint));
    }

    fn draw(&mut self, status: &StatusView) {
        let line: String = progress(status).chars().take(self.terminal.width() - 1).collect();
        self.terminal.print(&format!("\r\x1b[2K{}", self.terminal.paint.dim(&line)));
        self.drawn = true;
    }

    fn wipe(&mut self) {
        if std::mem::replace(&mut self.drawn, false) {
            self.terminal.print("\r\x1b[2K");
        }
    }
}

/// One event as lines: when, what happened, and below it what Serin did.
pub(crate) fn told(event: &EventView, zone: &TimeZone, paint: Paint) -> String {
    let message = match event.level {
        Level::Info if event.ending == Some(Ending::Promoted) => paint.green(&event.message),
        Level::Info => event.message.clone(),
        Level::Warning => paint.yellow(&event.message),
        Level::Error => paint.red(&event.message),
    };
    let did = event.did.as_ref().map(|did| paint.dim(&format!("          → {did}")) + "\n").unwrap_or_default();
    format!("{}  {message}\n{did}", paint.dim(&clock(event.at, zone)))
}

/// How far a release is, in one line.
pub(super) fn progress(s: &StatusView) -> String {
    let Some(r) = &s.rollout else { return format!("{}: {}", s.service, s.message) };
    let steps = usize::from(r.steps.max(1));
    let done = usize::from(r.step).min(steps);
    let bar: String = (0..steps.min(20)).map(|i| if i * steps < done * steps.min(20) { '█' } else { '░' }).collect();
    let waits = s.waiting.as_ref().map_or(String::new(), |w| {
        let left =
            w.deadline.filter(|d| *d > s.now).map_or(String::new(), |d| format!(" ({} left)", length(d - s.now)));
        format!(" · {}{left}", w.text)
    });
    format!(
        "{bar} step {}/{} · weight {} · {}{waits}",
        u32::from(r.step) + 1,
        r.steps,
        percent(r.weight),
        age(s.now, r.started)
    )
}

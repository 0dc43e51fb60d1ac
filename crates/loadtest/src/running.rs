//! One command under its keeper, as the load tester sees it.

use std::fmt;
use std::io;
use std::os::fd::OwnedFd;
use std::process::Stdio;
use std::time::{Duration, Instant};

use serin_supervisor::Exit;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::net::unix::pipe::Receiver;
use tokio::process::{Child, Command};
use tokio::time::{sleep, timeout};

use crate::Settings;
use crate::keep::{self, Told};
use crate::output::Output;

/// The output of processes that are all gone is there already.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// How a command came to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// By itself.
    Itself(Exit),
    /// It was told to end, because of this.
    Told(String),
    /// Its keeper died, and it with it.
    Lost,
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Itself(exit) => exit.fmt(f),
            Self::Told(why) => write!(f, "was ended: {why}"),
            Self::Lost => f.write_str("was killed together with its keeper"),
        }
    }
}

/// What came of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Done {
    /// How it ended.
    pub(crate) ending: Ending,
    /// The end of its output, both streams in the order in which they came.
    pub(crate) output: String,
    /// How long it took.
    pub(crate) took: Duration,
}

impl Done {
    /// Whether it did what it was to do.
    pub(crate) fn is_success(&self) -> bool {
        match &self.ending {
            Ending::Itself(exit) => exit.is_success(),
            Ending::Told(_) | Ending::Lost => false,
        }
    }
}

/// A command that was started. Dropped, it is killed.
#[derive(Debug)]
pub(crate) struct Running {
    keeper: Child,
    id: Option<u32>,
    control: UnixStream,
    output: Receiver,
    begin: Instant,
}

impl Running {
    /// Starts the program at a path with its arguments.
    ///
    /// # Errors
    /// The system has no process or no descriptors for it.
    pub(crate) async fn start(argv: Vec<String>, settings: &Settings) -> io::Result<Self> {
        let (ours, theirs) = std::os::unix::net::UnixStream::pair()?;
        ours.set_nonblocking(true)?;
        let mut control = UnixStream::from_std(ours)?;
        let (reader, writer) = io::pipe()?;
        let output = Receiver::from_owned_fd(reader.into())?;
        let keeper = {
            // What this holds of the pipe and the socket ends with the block: otherwise neither would ever end.
            let mut command = Command::new("/proc/self/exe");
            command.arg0("serin").args(&settings.keeper).stdin(Stdio::from(OwnedFd::from(theirs)));
            command.stdout(Stdio::from(OwnedFd::from(writer.try_clone()?))).stderr(Stdio::from(OwnedFd::from(writer)));
            // In a session of its own, which it makes itself.
            command.spawn()?
        };
        let grace_ms = u64::try_from(settings.grace.as_millis()).unwrap_or(u64::MAX);
        let mut order = serde_json::to_vec(&Told { argv, grace_ms })?;
        order.push(b'\n');
        let id = keeper.id();
        let begin = Instant::now();
        control.write_all(&order).await?;
        Ok(Self { keeper, id, control, output, begin })
    }

    /// Waits for its end; it is told to end after `longest`, and when `until` says why.
    pub(crate) async fn finish(mut self, longest: Duration, until: impl Future<Output = &'static str>) -> Done {
        let (heard, mut tell) = self.control.split();
        let mut lines = BufReader::new(heard).lines();
        let (mut output, mut bytes, mut open) = (Output::default(), [0; 4096], true);
        let (mut why, mut exit) = (None, None);
        let deadline = sleep(longest.saturating_sub(self.begin.elapsed()));
        tokio::pin!(until, deadline);
        loop {
            let end = tokio::select! {
                read = self.output.read(&mut bytes), if open => {
                    match read {
                        Ok(read) if read > 0 => output.push(&bytes[..read]),
                        Ok(_) | Err(_) => open = false,
                    }
                    continue;
                }
                line = lines.next_line() => match line {
                    Ok(Some(line)) => {
                        exit = serde_json::from_str::<Exit>(&line).ok();
                        continue;
                    }
                    Ok(None) | Err(_) => break,
                },
                () = &mut deadline, if why.is_none() => format!("it took longer than {} s", longest.as_secs_f64()),
                reason = &mut until, if why.is_none() => reason.to_owned(),
            };
            why = Some(end);
            // A keeper that does not hear it is gone, which is the next thing that is heard.
            drop(tell.write_all(&[keep::END]).await);
        }
        if exit.is_none()
            && let Some(id) = self.id
        {
            keep::kill_members(id);
        }
        let rest = async {
            while open && let Ok(read @ 1..) = self.output.read(&mut bytes).await {
                output.push(&bytes[..read]);
            }
        };
        drop(timeout(LAST_WORDS, rest).await);
        // It has closed its socket, so that it has ended or is about to.
        drop(self.keeper.wait().await);
        let ending = match (why, exit) {
            (Some(why), _) => Ending::Told(why),
            (None, Some(exit)) => Ending::Itself(exit),
            (None, None) => Ending::Lost,
        };
        Done { ending, output: output.text(), took: self.begin.elapsed() }
    }
}

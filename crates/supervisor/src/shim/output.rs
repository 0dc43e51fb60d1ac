//! Keeps the program's output on disk and never lets the program wait for it.
//!
//! One line of output is one line of the file, in the way of the Kubernetes container runtimes:
//! `2026-01-02T03:04:05.678Z stdout F text`, with `P` instead of `F` for a piece of a line that goes on in the next.
//! The shim's own remarks have the stream `shim`. What cannot be written is dropped and counted.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::logs::{Stream, timestamp};
use crate::program::Log;

/// A longer line is kept in pieces.
const LONGEST: usize = 16 << 10;

/// How long a log file that cannot be opened, or may have been taken away, is left alone.
const AGAIN: Duration = Duration::from_secs(1);

/// Writes and rotates `log/current`.
#[derive(Debug)]
pub(super) struct Output {
    dir: PathBuf,
    settings: Log,
    file: Option<File>,
    /// The size up to which the file holds whole lines.
    size: u64,
    looked: Option<Instant>,
    /// The beginning of a line whose end has not come: stdout, stderr.
    begun: [Vec<u8>; 2],
    batch: Vec<u8>,
    /// Without the shim's own.
    batch_lines: u64,
    /// Not yet told in the file itself.
    untold_lines: u64,
    pub(super) dropped_lines: u64,
    pub(super) dropped_bytes: u64,
}

impl Output {
    pub(super) fn new(dir: PathBuf, settings: Log) -> Self {
        Self {
            dir,
            settings,
            file: None,
            size: 0,
            looked: None,
            begun: [Vec::new(), Vec::new()],
            batch: Vec::new(),
            batch_lines: 0,
            untold_lines: 0,
            dropped_lines: 0,
            dropped_bytes: 0,
        }
    }

    /// Takes what the program wrote.
    pub(super) fn take(&mut self, stream: Stream, bytes: &[u8]) {
        let Some(at) = place(stream) else { return };
        let mut begun = std::mem::take(&mut self.begun[at]);
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            begun.extend_from_slice(piece);
            while begun.len() > LONGEST {
                let rest = begun.split_off(LONGEST);
                self.line(stream, 'P', &begun);
                begun = rest;
            }
            if begun.last() == Some(&b'\n') {
                begun.pop();
                self.line(stream, 'F', &begun);
                begun.clear();
            }
        }
        self.begun[at] = begun;
        self.write();
    }

    /// A remark of the shim's own.
    pub(super) fn remark(&mut self, text: &str) {
        self.finish();
        self.line(Stream::Shim, 'F', text.as_bytes());
        self.write();
    }

    /// Writes lines that were begun and will not be ended: the program is gone.
    pub(super) fn finish(&mut self) {
        for stream in [Stream::Stdout, Stream::Stderr] {
            let Some(at) = place(stream) else { continue };
            let begun = std::mem::take(&mut self.begun[at]);
            if !begun.is_empty() {
                self.line(stream, 'F', &begun);
            }
        }
        self.write();
    }

    fn line(&mut self, stream: Stream, tag: char, text: &[u8]) {
        // So that a file is full with its last line, and not with its last batch.
        let more = (self.batch.len() + text.len() + 64) as u64;
        if self.size + more > self.settings.max_bytes {
            self.write();
        }
        let head = format!("{} {} {tag} ", timestamp(crate::shim::now_ms()), stream.name());
        self.batch.extend_from_slice(head.as_bytes());
        self.batch.extend_from_slice(text);
        self.batch.push(b'\n');
        self.batch_lines += u64::from(stream != Stream::Shim);
    }

    fn write(&mut self) {
        if self.batch.is_empty() {
            return;
        }
        let batch = std::mem::take(&mut self.batch);
        let lines = std::mem::take(&mut self.batch_lines);
        if self.ready(batch.len() as u64) && self.tell() && self.append(&batch) {
            self.batch = batch;
            self.batch.clear();
        } else {
            self.dropped_lines += lines;
            self.untold_lines += lines;
            self.dropped_bytes += batch.len() as u64;
        }
    }

    /// Says in the file where lines are missing.
    fn tell(&mut self) -> bool {
        if self.untold_lines == 0 {
            return true;
        }
        let text = format!(
            "{} shim F {} lines are missing here: they could not be written\n",
            timestamp(crate::shim::now_ms()),
            self.untold_lines
        );
        let told = self.append(text.as_bytes());
        if told {
            self.untold_lines = 0;
        }
        told
    }

    fn append(&mut self, bytes: &[u8]) -> bool {
        let Some(file) = &mut self.file else { return false };
        if file.write_all(bytes).is_ok() {
            self.size += bytes.len() as u64;
            return true;
        }
        // What was written of it is taken back, so that the file holds whole lines only.
        if file.set_len(self.size).is_err() {
            self.file = None;
        }
        false
    }

    /// Opens the file, or another when this one is full.
    fn ready(&mut self, more: u64) -> bool {
        let rested = self.looked.is_none_or(|then| then.elapsed() >= AGAIN);
        if rested {
            self.looked = Some(Instant::now());
            // Somebody may have removed the file to make room.
            if self.file.as_ref().is_some_and(|file| file.metadata().map_or(true, |meta| meta.nlink() == 0)) {
                self.file = None;
            }
            if self.file.is_none() {
                self.open();
            }
        }
        if self.file.is_some() && self.size > 0 && self.size + more > self.settings.max_bytes {
            self.rotate();
        }
        // A log that cannot be rotated grows to twice its size and no further.
        self.file.is_some() && (self.size == 0 || self.size + more <= self.settings.max_bytes.saturating_mul(2))
    }

    fn open(&mut self) {
        // Where it is there already, or cannot be made, opening the file tells.
        drop(fs::create_dir(&self.dir));
        let opened = OpenOptions::new().create(true).append(true).mode(0o600).open(self.dir.join("current"));
        if let Ok(file) = opened
            && let Ok(meta) = file.metadata()
        {
            self.size = meta.len();
            self.file = Some(file);
        }
    }

    fn rotate(&mut self) {
        let name = |number: u32| match number {
            0 => self.dir.join("current"),
            other => self.dir.join(other.to_string()),
        };
        let oldest = self.settings.files.saturating_sub(1);
        if oldest == 0 {
            if self.file.as_ref().is_some_and(|file| file.set_len(0).is_ok()) {
                self.size = 0;
            }
            return;
        }
        for number in (0..oldest).rev() {
            match fs::rename(name(number), name(number + 1)) {
                Ok(()) => {}
                Err(error) if error.kind() == std::io::ErrorKind::NotFound && number > 0 => {}
                Err(_) => return,
            }
        }
        self.file = None;
        self.open();
    }
}

fn place(stream: Stream) -> Option<usize> {
    match stream {
        Stream::Stdout => Some(0),
        Stream::Stderr => Some(1),
        Stream::Shim => None,
    }
}

#[cfg(test)]
mod tests;

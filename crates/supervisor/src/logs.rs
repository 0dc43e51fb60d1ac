//! Reading a program's output for people: the last lines over rotated files, and what comes after.
//!
//! The format is the shim's (see `shim/output.rs`): `TIME STREAM F|P TEXT`.

use std::fmt;
use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

/// Where a line came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Stream {
    /// The program's standard output.
    Stdout,
    /// The program's standard error.
    Stderr,
    /// A remark of the shim: started, ended, lines missing.
    Shim,
}

impl Stream {
    /// Its word in the file.
    pub fn name(self) -> &'static str {
        match self {
            Self::Stdout => "stdout",
            Self::Stderr => "stderr",
            Self::Shim => "shim",
        }
    }

    fn parse(word: &str) -> Option<Self> {
        [Self::Stdout, Self::Stderr, Self::Shim].into_iter().find(|stream| stream.name() == word)
    }
}

impl fmt::Display for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One line of output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// When the shim read it: UTC in RFC 3339.
    pub at: String,
    /// Where it came from.
    pub stream: Stream,
    /// Whether the next line of this stream goes on with it.
    pub partial: bool,
    /// What the program wrote; bytes that are not UTF-8 are replaced.
    pub text: String,
}

impl Line {
    fn parse(line: &[u8]) -> Option<Self> {
        let line = String::from_utf8_lossy(line);
        let mut fields = line.splitn(4, ' ');
        let at = fields.next()?.to_owned();
        let stream = Stream::parse(fields.next()?)?;
        let partial = fields.next()? == "P";
        Some(Self { at, stream, partial, text: fields.next()?.to_owned() })
    }
}

/// A place in an instance's output from which it can be read on, over rotations.
#[derive(Debug)]
pub struct Follow {
    dir: PathBuf,
    stream: Option<Stream>,
    /// The file that was read last, and how far; kept open, so that it can be read to its end after a rotation.
    at: Option<(File, u64)>,
}

/// The last `count` lines of the instance in `dir`, oldest first, of one stream or of all; and the place after them.
///
/// # Errors
/// When a log file is there and cannot be read.
pub fn tail(dir: &Path, count: usize, stream: Option<Stream>) -> io::Result<(Vec<Line>, Follow)> {
    let mut follow = Follow { dir: dir.join("log"), stream, at: None };
    let mut blocks: Vec<Vec<Line>> = Vec::new();
    let mut have = 0;
    for file in follow.files()? {
        let (lines, end) = follow.read(&file, 0)?;
        if follow.at.is_none() {
            follow.at = Some((file, end));
        }
        have += lines.len();
        blocks.push(lines);
        if have >= count {
            break;
        }
    }
    let mut lines: Vec<Line> = blocks.into_iter().rev().flatten().collect();
    lines.drain(..lines.len().saturating_sub(count));
    Ok((lines, follow))
}

impl Follow {
    /// The whole lines that have come since the last call; to be asked now and then.
    ///
    /// # Errors
    /// When a log file is there and cannot be read.
    pub fn next_lines(&mut self) -> io::Result<Vec<Line>> {
        let files = self.files()?;
        let mut lines = Vec::new();
        let mut newer = files.len();
        if let Some((file, from)) = self.at.take() {
            let meta = file.metadata()?;
            // With one file only the shim empties it instead of putting it aside.
            let from = if meta.len() < from { 0 } else { from };
            let (more, end) = self.read(&file, from)?;
            lines = more;
            for (place, other) in files.iter().enumerate() {
                if other.metadata()?.ino() == meta.ino() {
                    newer = place;
                }
            }
            self.at = Some((file, end));
        }
        for file in files.into_iter().take(newer).rev() {
            let (more, end) = self.read(&file, 0)?;
            lines.extend(more);
            self.at = Some((file, end));
        }
        Ok(lines)
    }

    /// The files, newest first, each once: a rotation meanwhile may show one under two names.
    fn files(&self) -> io::Result<Vec<File>> {
        let mut files: Vec<File> = Vec::new();
        let mut seen = Vec::new();
        for number in 0_u32.. {
            let name = if number == 0 { "current".to_owned() } else { number.to_string() };
            match File::open(self.dir.join(name)) {
                Ok(file) => {
                    let inode = file.metadata()?.ino();
                    if !seen.contains(&inode) {
                        seen.push(inode);
                        files.push(file);
                    }
                }
                // Between two names of a rotation `current` is missing for a moment.
                Err(error) if error.kind() == io::ErrorKind::NotFound && number == 0 => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => break,
                Err(error) => return Err(error),
            }
        }
        Ok(files)
    }

    /// The whole lines from `from` on, and where they end.
    fn read(&self, file: &File, from: u64) -> io::Result<(Vec<Line>, u64)> {
        let length = file.metadata()?.len().saturating_sub(from);
        let mut bytes = vec![0; usize::try_from(length).unwrap_or(usize::MAX)];
        let mut read = 0;
        while read < bytes.len() {
            match file.read_at(&mut bytes[read..], from + read as u64)? {
                0 => break,
                more => read += more,
            }
        }
        let whole = bytes[..read].iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let lines = bytes[..whole]
            .split(|byte| *byte == b'\n')
            .filter_map(Line::parse)
            .filter(|line| self.stream.is_none_or(|stream| line.stream == stream))
            .collect();
        Ok((lines, from + whole as u64))
    }
}

/// UTC in RFC 3339 with milliseconds. Days to dates by the usual shift of the year's begin to March.
pub(crate) fn timestamp(unix_ms: u64) -> String {
    let (seconds, ms) = (unix_ms / 1000, unix_ms % 1000);
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    // Days since 0000-03-01; an era has 400 years.
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{ms:03}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates() {
        // Computed with `date -u -d @SECONDS`.
        assert_eq!(timestamp(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(timestamp(951_782_399_999), "2000-02-28T23:59:59.999Z");
        assert_eq!(timestamp(951_782_400_000), "2000-02-29T00:00:00.000Z");
        assert_eq!(timestamp(1_709_251_199_001), "2024-02-29T23:59:59.001Z");
        assert_eq!(timestamp(4_102_444_799_000), "2099-12-31T23:59:59.000Z");
        assert_eq!(timestamp(4_107_542_400_000), "2100-03-01T00:00:00.000Z");
    }

    fn texts(lines: &[Line]) -> Vec<&str> {
        lines.iter().map(|line| line.text.as_str()).collect()
    }

    #[test]
    fn the_last_lines_over_rotated_files_and_what_follows() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("log");
        std::fs::create_dir(&log).unwrap();
        let write = |name: &str, text: &str| {
            use std::io::Write;
            let mut file = std::fs::OpenOptions::new().create(true).append(true).open(log.join(name)).unwrap();
            file.write_all(text.as_bytes()).unwrap();
        };
        let shift = |from: &str, to: &str| std::fs::rename(log.join(from), log.join(to)).unwrap();
        write("2", "t stdout F a\n");
        write("1", "t stderr F b\nt stdout F c d\n");
        write("current", "t stdout F e\nt stdout F f");
        let (lines, _) = tail(dir.path(), 3, None).unwrap();
        assert_eq!(texts(&lines), ["b", "c d", "e"], "a line that has not ended is not shown");
        let (lines, _) = tail(dir.path(), 3, Some(Stream::Stdout)).unwrap();
        assert_eq!(texts(&lines), ["a", "c d", "e"]);
        let (lines, mut follow) = tail(dir.path(), 0, None).unwrap();
        assert!(lines.is_empty());
        write("current", "f\n");
        assert_eq!(texts(&follow.next_lines().unwrap()), ["ff"]);
        assert!(follow.next_lines().unwrap().is_empty());
        write("current", "t stdout F g\n");
        shift("1", "2");
        shift("current", "1");
        shift("2", "3");
        shift("1", "2");
        write("1", "t stdout F h\n");
        write("current", "t shim P i\n");
        assert_eq!(texts(&follow.next_lines().unwrap()), ["g", "h", "i"], "two rotations between two looks");
        assert!(follow.next_lines().unwrap().is_empty());
        std::fs::write(log.join("current"), "t o P\n").unwrap();
        assert!(follow.next_lines().unwrap().is_empty(), "a line that is none is passed over");
        write("current", "t stdout F k\n");
        assert_eq!(texts(&follow.next_lines().unwrap()), ["k"], "the file was emptied and written anew");
        for name in ["1", "2", "3"] {
            let _ = std::fs::remove_file(log.join(name));
        }
        shift("current", "gone");
        write("current", "t stdout F l\n");
        assert_eq!(texts(&follow.next_lines().unwrap()), ["l"], "our file was rotated away");
    }

    #[test]
    fn no_log_is_no_lines() {
        let dir = tempfile::tempdir().unwrap();
        let (lines, mut follow) = tail(dir.path(), 10, None).unwrap();
        assert!(lines.is_empty() && follow.next_lines().unwrap().is_empty());
        std::fs::create_dir(dir.path().join("log")).unwrap();
        std::fs::write(dir.path().join("log/current"), "t stdout F first\n").unwrap();
        assert_eq!(texts(&follow.next_lines().unwrap()), ["first"]);
    }
}

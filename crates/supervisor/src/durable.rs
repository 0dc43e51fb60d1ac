//! Files that are whole or absent, whatever happens while they are written.

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::fs::{CWD, RenameFlags, renameat_with};

/// Reserved bytes of a [`Slate`]; one page and one block of every usual file system.
pub(crate) const SLATE_BYTES: usize = 4096;

/// A name that nobody else uses, in this process or in another.
fn beside(path: &Path) -> PathBuf {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let mut name = OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(format!(".{}.{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed)));
    path.with_file_name(name)
}

fn write_beside(path: &Path, bytes: &[u8]) -> io::Result<PathBuf> {
    let temporary = beside(path);
    let mut file = OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&temporary)?;
    let written = file.write_all(bytes).and_then(|()| file.sync_all());
    written.inspect_err(|_| drop(std::fs::remove_file(&temporary)))?;
    Ok(temporary)
}

/// Makes the names in `dir` survive a power cut.
pub(crate) fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

/// Replaces the file at `path`, durably.
///
/// # Errors
/// It could not be written; then what was there before is there still, or the new content whole but perhaps not for good.
pub fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let temporary = write_beside(path, bytes)?;
    std::fs::rename(&temporary, path).inspect_err(|_| drop(std::fs::remove_file(&temporary)))?;
    sync_dir(path.parent().unwrap_or(Path::new(".")))
}

/// Writes the file at `path`, durably; fails with `AlreadyExists` when there is one, whoever wrote it.
pub(crate) fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let temporary = write_beside(path, bytes)?;
    let named = match renameat_with(CWD, &temporary, CWD, path, RenameFlags::NOREPLACE) {
        // Not every file system has it; a hard link refuses an existing name too.
        Err(rustix::io::Errno::INVAL) => {
            let linked = std::fs::hard_link(&temporary, path);
            drop(std::fs::remove_file(&temporary));
            linked
        }
        other => other.map_err(io::Error::from),
    };
    named.inspect_err(|_| drop(std::fs::remove_file(&temporary)))?;
    sync_dir(path.parent().unwrap_or(Path::new(".")))
}

/// A small file that can be replaced even when the disk is full: two files of a fixed size, allocated beforehand.
/// The spare one is overwritten in place and then changes names with the one in use.
#[derive(Debug)]
pub(crate) struct Slate {
    path: PathBuf,
    spare: PathBuf,
}

impl Slate {
    /// A slate whose spare file somebody else may have allocated.
    pub(crate) fn at(path: PathBuf) -> Self {
        let mut name = OsString::from(".");
        name.push(path.file_name().unwrap_or_default());
        name.push(".spare");
        Self { spare: path.with_file_name(name), path }
    }

    /// Allocates the spare file. What is at `path` stays.
    pub(crate) fn reserve(path: PathBuf) -> io::Result<Self> {
        let slate = Self::at(path);
        slate.allocate()?;
        Ok(slate)
    }

    /// Takes the file away and keeps its room: it is the spare one now.
    pub(crate) fn take_down(&self) -> io::Result<()> {
        std::fs::rename(&self.path, &self.spare)
    }

    fn allocate(&self) -> io::Result<()> {
        let mut file = OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&self.spare)?;
        file.write_all(&[b' '; SLATE_BYTES])
    }

    /// Writes the file into the room that is reserved for it, and nowhere else. Fails with `NotFound` when there is no
    /// spare file: the last content was not taken down yet.
    pub(crate) fn put_up(&self, bytes: &[u8]) -> io::Result<()> {
        let file = OpenOptions::new().write(true).open(&self.spare)?;
        file.write_all_at(&page(bytes), 0)?;
        std::fs::rename(&self.spare, &self.path)
    }

    /// Replaces the file's content. Longer content than the reserved size needs room on the disk.
    pub(crate) fn write(&self, bytes: &[u8], durable: bool) -> io::Result<()> {
        let page = page(bytes);
        let file = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(&self.spare)?;
        file.write_all_at(&page, 0)?;
        file.set_len(page.len() as u64)?;
        if durable {
            file.sync_all()?;
        }
        match renameat_with(CWD, &self.spare, CWD, &self.path, RenameFlags::EXCHANGE) {
            Ok(()) => Ok(()),
            Err(rustix::io::Errno::NOENT) => {
                std::fs::rename(&self.spare, &self.path)?;
                drop(self.allocate());
                Ok(())
            }
            Err(rustix::io::Errno::INVAL) => std::fs::rename(&self.spare, &self.path),
            Err(error) => Err(error.into()),
        }
    }

    /// Removes the spare file: nothing is written any more.
    pub(crate) fn release(self) {
        drop(std::fs::remove_file(&self.spare));
    }
}

/// JSON ends in white space as well as in anything else, and a file that keeps its size needs no new block.
fn page(bytes: &[u8]) -> Vec<u8> {
    let mut page = bytes.to_vec();
    page.resize(bytes.len().max(SLATE_BYTES), b' ');
    if let Some(last) = page.last_mut().filter(|last| **last == b' ') {
        *last = b'\n';
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_many_writers_of_a_new_file_one_wins_and_its_content_stays() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        let won: Vec<Option<u8>> = std::thread::scope(|scope| {
            let path = &path;
            let write = |number: u8| scope.spawn(move || write_new(path, &[number; 1000]).ok().map(|()| number));
            let threads: Vec<_> = (0..16).map(write).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        let winner = won.iter().flatten().collect::<Vec<_>>();
        assert_eq!(winner.len(), 1, "{won:?}");
        assert_eq!(std::fs::read(&path).unwrap(), vec![*winner[0]; 1000]);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1, "no temporary file is left");
    }

    #[test]
    fn a_slate_holds_what_was_written_last() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state.json");
        let slate = Slate::reserve(path.clone()).unwrap();
        assert!(!path.exists());
        for text in ["{\"a\":1}".to_owned(), "[]".to_owned(), "x".repeat(9000), "[2]".to_owned()] {
            slate.write(text.as_bytes(), false).unwrap();
            assert_eq!(std::fs::read_to_string(&path).unwrap().trim(), text);
        }
        slate.release();
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}

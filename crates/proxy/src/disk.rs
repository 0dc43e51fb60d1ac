//! The route on disk: what the proxy comes back with, whoever ended it and however.
use crate::protocol::Table;
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

const NAME: &str = "route.json";
const TEMPORARY: &str = "route.json.new";

/// What is kept.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Kept {
    /// The highest epoch seen.
    pub(crate) epoch: u64,
    pub(crate) table: Option<Table>,
}

/// The route's file cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{path} cannot be used: {why}; if it is lost, remove it, and the controller writes a new one", path = .path.display())]
pub struct DiskError {
    path: PathBuf,
    why: String,
}

/// Reads what was kept; nothing was if there is no file.
pub(crate) fn load(dir: &Path) -> Result<Kept, DiskError> {
    let path = dir.join(NAME);
    let error = |why: String| DiskError { path: path.clone(), why };
    let text = match std::fs::read(&path) {
        Ok(text) => text,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Kept::default()),
        Err(e) => return Err(error(e.to_string())),
    };
    let kept: Kept = serde_json::from_slice(&text).map_err(|e| error(e.to_string()))?;
    if let Some(table) = &kept.table {
        table.check().map_err(|e| error(e.to_string()))?;
    }
    Ok(kept)
}

/// Replaces what was kept, and returns when it would survive a power cut. After an error the old file is in force.
pub(crate) fn save(dir: &Path, old: &Kept, new: &Kept) -> io::Result<()> {
    write(dir, new)?;
    if let Err(error) = sync(dir) {
        // the new file has its name already, but that may not last; the old content goes back, as it stays in force
        write(dir, old)?;
        return Err(error);
    }
    Ok(())
}

fn write(dir: &Path, kept: &Kept) -> io::Result<()> {
    let temporary = dir.join(TEMPORARY);
    let written = (|| {
        let mut file = File::create(&temporary)?;
        file.write_all(&serde_json::to_vec_pretty(kept)?)?;
        file.sync_all()?;
        std::fs::rename(&temporary, dir.join(NAME))
    })();
    if written.is_err() {
        // a half-written file is of no use, and its room may be needed; load never reads it
        let _ = std::fs::remove_file(&temporary);
    }
    written
}

fn sync(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

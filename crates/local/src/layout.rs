//! Where everything of a service lies on disk.
use std::path::{Path, PathBuf};

/// The state directory of one service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    dir: PathBuf,
}

impl Layout {
    /// In this directory.
    pub fn at(dir: &Path) -> Layout {
        Layout { dir: dir.to_owned() }
    }

    /// The directory itself.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// What the controller must not forget.
    pub fn store(&self) -> PathBuf {
        self.dir.join("store.redb")
    }

    /// The controller's decisions, for whoever asks why.
    pub fn decisions(&self) -> PathBuf {
        self.dir.join(serin_journal::DECISIONS)
    }

    /// What the controller did with instances, likewise.
    pub fn instance_facts(&self) -> PathBuf {
        self.dir.join(serin_journal::INSTANCES)
    }

    /// The controller's API.
    pub fn socket(&self) -> PathBuf {
        self.dir.join("control.sock")
    }

    /// The proxy's directory, which is that of its shim too.
    pub fn proxy(&self) -> PathBuf {
        self.dir.join("proxy")
    }

    /// The proxy's control socket.
    pub fn proxy_socket(&self) -> PathBuf {
        self.proxy().join("control.sock")
    }

    /// One directory per instance.
    pub fn instances(&self) -> PathBuf {
        self.dir.join("instances")
    }

    /// Where what is left of instances that are gone lies: their output.
    pub fn ended(&self) -> PathBuf {
        self.dir.join("ended")
    }

    /// The directories whose output there is, with the names of their instances: of the one that is named, or else of
    /// all that there are. One that is gone is found by its name only.
    ///
    /// # Errors
    /// The instances' directory cannot be read.
    pub fn log_dirs(&self, instance: Option<&str>) -> std::io::Result<Vec<(String, PathBuf)>> {
        if let Some(name) = instance {
            let plain = !name.is_empty() && !name.contains('/') && !name.starts_with('.');
            let places = [self.instances().join(name), self.ended().join(name)];
            let found = places.into_iter().find(|dir| plain && dir.join("log").is_dir());
            return Ok(found.map(|dir| (name.to_owned(), dir)).into_iter().collect());
        }
        let entries = match std::fs::read_dir(self.instances()) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let mut dirs: Vec<_> = entries
            .filter_map(|entry| entry.ok())
            .filter_map(|entry| Some((entry.file_name().into_string().ok()?, entry.path())))
            .filter(|(name, path)| !name.starts_with('.') && path.join("log").is_dir())
            .collect();
        dirs.sort();
        Ok(dirs)
    }

    /// What each slot was told to have.
    pub fn orders(&self) -> PathBuf {
        self.dir.join("slots.json")
    }
}

//! What the demo stands on: a directory, a file, and the processes that are run as a person would.
use crate::cli::state_dir;
use serin_api::Client;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use tokio::process::{Child, Command};

/// What the service of the demo is called.
pub(super) const SERVICE: &str = "demo";

/// A place of its own for one demo.
pub(super) struct Stage {
    program: PathBuf,
    dir: PathBuf,
    /// Made by the demo, so that it is removed with all that is in it.
    own: bool,
    /// Where the service takes requests.
    pub address: SocketAddr,
}

impl Stage {
    /// Makes the directory and writes the file.
    ///
    /// # Errors
    /// What cannot be made, and why.
    pub(super) fn build(state: Option<&Path>, rate: u32) -> Result<Stage, String> {
        let own = state.is_none();
        let dir = match state {
            Some(dir) => state_dir(Some(dir)),
            None => std::env::temp_dir().join(format!("serin-demo-{}", std::process::id())),
        };
        if dir.join(SERVICE).exists() {
            return Err(format!("{} is there already: another demo runs, or was kept", dir.join(SERVICE).display()));
        }
        let failed = |what: &Path, error: std::io::Error| format!("{} cannot be made: {error}", what.display());
        fs::create_dir_all(&dir).map_err(|error| failed(&dir, error))?;
        let program = std::env::current_exe().map_err(|error| format!("this program cannot be found: {error}"))?;
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|listener| listener.local_addr());
        let address = free.map_err(|error| format!("127.0.0.1 has no free port: {error}"))?;
        let stage = Stage { program, dir, own, address };
        let file = stage.file();
        fs::write(&file, stage.spec(rate)).map_err(|error| failed(&file, error))?;
        Ok(stage)
    }

    fn file(&self) -> PathBuf {
        self.dir.join("demo.yaml")
    }

    fn output_of(&self, verb: &str) -> PathBuf {
        self.dir.join(format!("{verb}.log"))
    }

    /// The service's file. With few requests the analysis looks less often, so that each look sees enough of them.
    fn spec(&self, rate: u32) -> String {
        let interval = (100_000 / rate).clamp(1000, 5000);
        let bake = (2 * interval).max(4000);
        // JSON's strings are strings of YAML too.
        let program = serde_json::Value::from(self.program.to_string_lossy().into_owned());
        format!(
            "service: {SERVICE}\n\
             listen: {}\n\
             replicas: 2\n\
             \n\
             run:\n  \
               command: [{program}, demo, --app, \"{{{{port}}}}\"]\n  \
               env: {{{}: \"1\"}}\n\
             \n\
             health:\n  \
               http: {{path: /healthz}}\n  \
               interval: 200ms\n  \
               timeout: 5s\n\
             \n\
             release:\n  \
               weights: {{start: 20%, step: 30%, max: 50%, bake: {bake}ms}}\n  \
               min_healthy: 1s\n  \
               window: 5s\n  \
               drain: 10s\n\
             \n\
             analysis:\n  \
               interval: {interval}ms\n  \
               metrics:\n    \
                 - success_rate: {{min: 99%}}\n      \
                   min_samples: 10\n    \
                 - latency: {{quantile: p99, max: 1s}}\n      \
                   min_samples: 10\n  \
               failures: {{consecutive: 3, total: 5}}\n",
            self.address,
            super::app::VERSION,
        )
    }

    /// A client of the controller, wherever it may be in its life.
    pub(super) fn client(&self) -> Client {
        Client::new(SERVICE, self.file().display().to_string(), self.dir.join(SERVICE).join("control.sock"))
    }

    /// This program with a verb, out of reach of the terminal's Ctrl-C: the demo ends what it started, in order.
    fn command(&self, verb: &str, words: &[&str]) -> Result<Command, String> {
        let path = self.output_of(verb);
        let log = fs::File::options().create(true).append(true).open(&path);
        let log = log.map_err(|error| format!("{} cannot be written: {error}", path.display()))?;
        let both = log.try_clone().map_err(|error| format!("{} cannot be written: {error}", path.display()))?;
        let mut command = Command::new(&self.program);
        command.arg(verb).args(words).arg("--file").arg(self.file()).arg("--state").arg(&self.dir);
        command.stdin(Stdio::null()).stdout(log).stderr(both).process_group(0);
        Ok(command)
    }

    /// Starts one of the verbs.
    ///
    /// # Errors
    /// The system has no process for it.
    pub(super) fn start(&self, verb: &str, words: &[&str]) -> Result<Child, String> {
        let started = self.command(verb, words)?.kill_on_drop(verb == "deploy").spawn();
        started.map_err(|error| format!("`serin {verb}` cannot be started: {error}"))
    }

    /// The last lines of what a verb wrote.
    pub(super) fn said(&self, verb: &str) -> String {
        let text = fs::read_to_string(self.output_of(verb)).unwrap_or_default();
        let lines: Vec<&str> = text.lines().rev().take(5).collect();
        lines.into_iter().rev().collect::<Vec<_>>().join("\n")
    }

    /// Ends everything that was started here, and removes what the demo made unless it is to be kept.
    ///
    /// # Errors
    /// What could not be ended or removed.
    pub(super) async fn take_down(&self, keep: bool) -> Result<(), String> {
        if self.dir.join(SERVICE).exists() {
            let words: &[&str] = if keep { &[] } else { &["--purge"] };
            let ended = self.command("down", words)?.status().await;
            let ended = ended.map_err(|error| format!("`serin down` cannot be started: {error}"))?;
            if !ended.success() {
                return Err(format!("`serin down` failed, and {} is left:\n{}", self.dir.display(), self.said("down")));
            }
        }
        if keep {
            return Ok(());
        }
        let removed = if self.own {
            fs::remove_dir_all(&self.dir)
        } else {
            let all = [self.file(), self.output_of("serve"), self.output_of("deploy"), self.output_of("down")];
            all.iter().filter(|file| file.exists()).try_for_each(fs::remove_file)
        };
        removed.map_err(|error| format!("{} cannot be removed: {error}", self.dir.display()))
    }

    /// What `--keep` has kept.
    pub(super) fn kept(&self) -> String {
        let (dir, file) = (self.dir.display(), self.file());
        format!("kept: {dir} (take it up again: serin serve -f {} --state {dir})", file.display())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Overrides, load};

    #[test]
    fn its_file_is_right_at_any_rate() {
        for rate in [20, 200, 5000] {
            let dir = tempfile::tempdir().unwrap();
            let stage = Stage::build(Some(dir.path()), rate).unwrap();
            let loaded = load(&stage.file(), &Overrides::default(), None);
            let loaded = loaded.unwrap_or_else(|problems| panic!("{}", problems.json()));
            assert!(loaded.warnings.list.is_empty(), "{}", loaded.warnings.json());
            assert_eq!(loaded.spec.listen, stage.address);
        }
    }
}

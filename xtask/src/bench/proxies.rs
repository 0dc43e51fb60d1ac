//! The three proxies, each with the same work to do, and the backend behind them.

use crate::json::Value;
use crate::parts::debian;
use crate::process::Process;
use crate::run::{Run, Stop, fail};
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(10);

/// Which proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// HAProxy.
    Haproxy,
    /// nginx.
    Nginx,
    /// Ours.
    Serin,
}

impl Kind {
    /// All, in the order in which they take turns.
    pub const ALL: [Kind; 3] = [Kind::Haproxy, Kind::Nginx, Kind::Serin];

    /// Its name in the table.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Haproxy => "HAProxy",
            Kind::Nginx => "nginx",
            Kind::Serin => "serin",
        }
    }
}

/// The backend: two addresses, one for each track.
#[derive(Debug)]
pub struct Backend {
    tracks: [SocketAddr; 2],
    _process: Process,
}

impl Backend {
    /// Starts it on core 1.
    pub fn start(run: &mut Run) -> Result<Backend, Stop> {
        let tracks = [free()?, free()?];
        let mut command = pinned(1, &run.built("serin-bench", true));
        command.args(tracks.map(|t| t.to_string())).stdin(Stdio::null());
        let process = run.start(&mut command)?;
        let mut backend = Backend { tracks, _process: process };
        listening(&mut backend._process, tracks[0])?;
        listening(&mut backend._process, tracks[1])?;
        Ok(backend)
    }
}

/// A proxy that runs on core 0.
#[derive(Debug)]
pub struct Proxy {
    /// Where it listens.
    pub address: SocketAddr,
    /// Its process; nginx has a child.
    pub process: Process,
    directory: PathBuf,
}

/// Starts one and waits until it listens.
pub fn start(run: &mut Run, kind: Kind, backend: &Backend) -> Result<Proxy, Stop> {
    let address = free()?;
    let directory = run.scratch().join(kind.name());
    if directory.exists() {
        std::fs::remove_dir_all(&directory)?;
    }
    std::fs::create_dir_all(&directory)?;
    let program = |name: &str| debian::find(name).unwrap_or(PathBuf::from(name));
    let mut command = match kind {
        Kind::Haproxy => {
            let file = directory.join("haproxy.cfg");
            std::fs::write(&file, haproxy(address, backend.tracks))?;
            let mut command = pinned(0, &program("haproxy"));
            command.args(["-db", "-q", "-f"]).arg(file);
            command
        }
        Kind::Nginx => {
            std::fs::write(directory.join("nginx.conf"), nginx(address, backend.tracks))?;
            let mut command = pinned(0, &program("nginx"));
            command.arg("-p").arg(&directory).args(["-e", "/dev/null", "-c", "nginx.conf"]);
            command
        }
        Kind::Serin => {
            let mut command = pinned(0, &run.built("proxy-alone", true));
            command.arg(&directory).arg(address.to_string());
            command
        }
    };
    let log = std::fs::File::create(directory.join("log"))?;
    let mut process = run.start(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log))?;
    listening(&mut process, address)?;
    let proxy = Proxy { address, process, directory };
    if kind == Kind::Serin {
        apply(&proxy, backend)?;
    }
    Ok(proxy)
}

fn pinned(core: u32, program: &Path) -> Command {
    let mut command = Command::new("taskset");
    command.args(["-c", &core.to_string()]).arg(program);
    command
}

fn free() -> Result<SocketAddr, Stop> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?)
}

fn listening(process: &mut Process, address: SocketAddr) -> Result<(), Stop> {
    let begin = Instant::now();
    while TcpStream::connect(address).is_err() {
        if !process.is_running()? || begin.elapsed() > PATIENCE {
            return fail(format!("nothing listens on {address}, where process {} should", process.id()));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

fn haproxy(at: SocketAddr, [stable, canary]: [SocketAddr; 2]) -> String {
    format!(
        "global\n  nbthread 1\n  maxconn 4000\ndefaults\n  mode http\n  timeout connect 5s\n  timeout client 30s\n  \
         timeout server 30s\n  timeout http-request 10s\n  option http-keep-alive\n  http-reuse always\n  \
         option forwardfor\nfrontend f\n  bind {at}\n  default_backend b\nbackend b\n  balance roundrobin\n  \
         server stable {stable} weight 90 pool-max-conn 512\n  server canary {canary} weight 10 pool-max-conn 512\n"
    )
}

fn nginx(at: SocketAddr, [stable, canary]: [SocketAddr; 2]) -> String {
    format!(
        "worker_processes 1;\nerror_log /dev/null;\npid nginx.pid;\ndaemon off;\nevents {{ worker_connections 4096; }}\n\
         http {{\n  access_log off;\n  keepalive_requests 1000000000;\n  client_body_temp_path b; proxy_temp_path p;\n  \
         fastcgi_temp_path f; uwsgi_temp_path u; scgi_temp_path s;\n  upstream up {{\n    server {stable} weight=9;\n    \
         server {canary} weight=1;\n    keepalive 512;\n    keepalive_requests 1000000000;\n  }}\n  server {{\n    \
         listen {at};\n    location / {{\n      proxy_pass http://up;\n      proxy_http_version 1.1;\n      \
         proxy_set_header Connection \"\";\n      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;\n    }}\n  \
         }}\n}}\n"
    )
}

/// 90 % to slot 0 and 10 % to slot 1.
fn apply(proxy: &Proxy, backend: &Backend) -> Result<(), Stop> {
    let slot = |track: &str, address: SocketAddr| {
        format!(r#"{{"track":"{track}","endpoints":[{{"id":"{track}-1","address":"{address}","ready":true}}]}}"#)
    };
    let (stable, canary) = (slot("stable", backend.tracks[0]), slot("canary", backend.tracks[1]));
    ask(proxy, r#"{"claim":{"epoch":1}}"#, "claimed")?;
    let table = format!(
        r#"{{"epoch":1,"version":1,"generation":1,"split":{{"weighted":[9000,1000]}},"slots":[{stable},{canary}]}}"#
    );
    ask(proxy, &format!(r#"{{"apply":{{"table":{table}}}}}"#), "applied")?;
    let begin = Instant::now();
    while ask(proxy, r#""report""#, "report")?.get("acknowledged").and_then(Value::number) != Some(1.0) {
        if begin.elapsed() > PATIENCE {
            return fail("the proxy does not acknowledge its table");
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    Ok(())
}

/// One question on the control socket; the value of the answer that is called `name`.
fn ask(proxy: &Proxy, question: &str, name: &str) -> Result<Value, Stop> {
    let mut stream = UnixStream::connect(proxy.directory.join("control.sock"))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(format!("{question}\n").as_bytes())?;
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line)?;
    let answer = Value::parse(line.trim()).map_err(Stop::Fail)?;
    match answer.get(name) {
        Some(value) => Ok(value.clone()),
        None => fail(format!("the proxy answers {question} with {line}")),
    }
}

/// Our statistics were on, saw every request that wrk saw answered, and the split was the one asked for.
pub fn check_counts(proxy: &Proxy, requests: f64) -> Result<(), Stop> {
    let measures = ask(proxy, r#""measure""#, "measures")?;
    let chosen = |slot: usize| match measures.get("total") {
        Some(Value::Array(slots)) => slots.get(slot).and_then(|s| s.get("chosen")).and_then(Value::number),
        Some(_) | None => None,
    };
    let (Some(stable), Some(canary)) = (chosen(0), chosen(1)) else {
        return fail(format!("the proxy's measures are not as expected: {measures}"));
    };
    let (all, share) = (stable + canary, canary / (stable + canary));
    if all < requests || (share - 0.1).abs() > 0.001 {
        return fail(format!("wrk got {requests} answers; the proxy counted {all}, {share} of them to the canary"));
    }
    Ok(())
}

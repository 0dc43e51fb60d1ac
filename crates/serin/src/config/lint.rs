//! Rules beyond syntax: what contradicts itself, what is unsafe, and what may surprise.
//!
//! Errors refuse the file; warnings are said and no more. Each rule is one function that names its keys.

mod release;

use serin_near::nearest;
use std::path::Path;

use super::{
    file::File,
    placeholders::{CONFIG, KNOWN, placeholders},
    problem::Problem,
    quantity::Time,
    written::FileText,
};

/// The most bytes that the path of a unix socket may have (Linux: 108 with the closing zero).
const SOCKET_PATH_MAX: usize = 107;

/// What the rules may look at besides the file.
#[derive(Clone, Copy, Debug)]
pub struct Surroundings<'a> {
    /// Directory of the file, absolute.
    pub dir: &'a Path,
    /// Where the state of all services lives, when it is known.
    pub state: Option<&'a Path>,
}

/// Everything that the rules have to say about `file`, errors and warnings.
pub fn lint(file: &File, around: Surroundings<'_>) -> Vec<Problem> {
    let mut out = Vec::new();
    sizes(file, &mut out);
    addresses(file, &mut out);
    fixed_port(file, &mut out);
    names_in_braces(file, &mut out);
    program(file, around.dir, &mut out);
    names(file, &mut out);
    privileges(file, &mut out);
    health(file, &mut out);
    release::strategy(file, &mut out);
    release::weights(file, &mut out);
    release::deadlines(file, &mut out);
    release::analysis(file, &mut out);
    proxy(file, &mut out);
    state(file, around.state, &mut out);
    out
}

fn sizes(file: &File, out: &mut Vec<Problem>) {
    if file.replicas > 0 && file.max_unavailable >= file.replicas && !file.allow_downtime {
        let help = if file.replicas == 1 {
            "write 0: with one instance none may be missing (or `allow_downtime: true`, if a gap is acceptable)"
                .to_owned()
        } else {
            format!("write at most {}", file.replicas - 1)
        };
        out.push(
            Problem::error(
                "no-floor",
                "max_unavailable",
                format!(
                    "`max_unavailable: {}` of {} replicas would let the service go down altogether",
                    file.max_unavailable, file.replicas
                ),
            )
            .help(help),
        );
    }
}

fn addresses(file: &File, out: &mut Vec<Problem>) {
    let tracks =
        [("listen.tracks.stable", file.listen.tracks.stable), ("listen.tracks.canary", file.listen.tracks.canary)];
    let mut taken = vec![("listen", file.listen.address)];
    for (path, address) in tracks.into_iter().filter_map(|(p, a)| a.map(|a| (p, a))) {
        if let Some((other, _)) = taken.iter().find(|(_, t)| {
            t.port() != 0
                && t.port() == address.port()
                && (t.ip() == address.ip() || t.ip().is_unspecified() || address.ip().is_unspecified())
        }) {
            out.push(Problem::error("same-address", path, format!("`{path}` is the same address as `{other}`")).help(
                "give it a port of its own, or leave it out: then the kernel chooses one, and `serin status` shows it",
            ));
        }
        taken.push((path, address));
        if address.ip().is_unspecified() {
            out.push(
                Problem::warning(
                    "open-track",
                    path,
                    format!("`{path}` is open on every interface: whoever reaches it chooses the version"),
                )
                .help("write 127.0.0.1 unless others must reach it"),
            );
        }
    }
    for (path, address) in taken {
        let ip = address.ip();
        if !ip.is_unspecified()
            && !ip.is_loopback()
            && std::net::TcpListener::bind((ip, 0)).is_err_and(|e| e.kind() == std::io::ErrorKind::AddrNotAvailable)
        {
            out.push(Problem::warning("not-local", path, format!("{ip} is not an address of this machine, so nothing can listen on it here")).help("write 127.0.0.1 (this machine alone), 0.0.0.0 (every interface), or an address that `ip address` shows"));
        }
    }
}

/// The lowest port that everybody may listen on; below it needs root.
fn first_free_port() -> u16 {
    let told = std::fs::read_to_string("/proc/sys/net/ipv4/ip_unprivileged_port_start");
    told.ok().and_then(|t| t.trim().parse().ok()).unwrap_or(1024)
}

fn privileges(file: &File, out: &mut Vec<Problem>) {
    if rustix::process::geteuid().is_root() {
        return;
    }
    let port = file.listen.address.port();
    if port < first_free_port() {
        out.push(
            Problem::warning("low-port", "listen", format!("only root may listen on port {port}"))
                .help("run `serin serve` as root, or write a port such as 8080"),
        );
    }
    if file.run.user.is_some() || file.run.group.is_some() {
        out.push(
            Problem::warning("needs-root", "run.user", "only root may start a program as another user")
                .help("run `serin serve` as root, or leave `user` and `group` out"),
        );
    }
}

fn fixed_port(file: &File, out: &mut Vec<Problem>) {
    let mentions_port = mentions(file, "port");
    let Some(port) = file.run.port else {
        if !mentions_port {
            out.push(Problem::error("no-port", "run.command", "nothing tells the program its port").help("put {{port}} where the program takes it: `--port {{port}}`, or `env: {PORT: \"{{port}}\"}`. If its port cannot be changed, write `port:` under `run`"));
        }
        return;
    };
    if port == file.listen.address.port() {
        out.push(
            Problem::error(
                "port-is-listen",
                "run.port",
                format!("the program's port {port} is also the port of `listen`, and only one of them can have it"),
            )
            .help("give `listen` another port: Serin's proxy stands in front of the program"),
        );
    }
    if file.replicas > 1 {
        out.push(
            Problem::error(
                "port-replicas",
                "run.port",
                format!("{} instances cannot share the one port {port}", file.replicas),
            )
            .help("write `replicas: 1`, or let each instance have a port of its own with {{port}}"),
        );
    } else if !file.allow_downtime {
        out.push(Problem::error("port-downtime", "run.port", "with a fixed port the old version must stop before the new one can start").help("if that is acceptable write `allow_downtime: true`: requests are held over the gap, for at most `proxy.hold.timeout`. Else let the program take its port as {{port}}"));
    } else {
        let hold = file.proxy.hold.timeout;
        out.push(Problem::warning("downtime", "allow_downtime", format!("no instance serves while the fixed port changes hands: requests are held over the gap, for at most {hold}, then answered with 503")));
    }
    if file.release.weights.is_some() || file.release.blue_green.is_some() || file.release.canary_kept.is_some() {
        out.push(
            Problem::error(
                "port-strategy",
                "release",
                "two versions cannot run side by side on one fixed port, so this strategy cannot be carried out",
            )
            .help("leave the strategy out: with a fixed port the instance is updated in place"),
        );
    }
}

fn mentions(file: &File, name: &str) -> bool {
    texts(file).iter().any(|(_, text)| placeholders(text).contains(&name))
        || file.run.config.values().any(|t| matches!(t, FileText::From(_)))
}

/// Every text in which placeholders count, with its key path.
fn texts(file: &File) -> Vec<(String, &str)> {
    let mut all: Vec<(String, &str)> =
        file.run.command.0.iter().map(|w| ("run.command".to_owned(), w.as_str())).collect();
    all.extend(file.run.env.iter().map(|(k, v)| (format!("run.env.{k}"), v.0.as_str())));
    all.extend(file.health.command.iter().flat_map(|c| &c.0).map(|w| ("health.command".to_owned(), w.as_str())));
    all.extend(file.run.config.iter().filter_map(|(k, v)| match v {
        FileText::Inline(text) => Some((format!("run.config.{k}"), text.as_str())),
        FileText::From(_) => None,
    }));
    all
}

/// Names in double braces that stand for nothing. In config files they may belong to the program, so nothing is said.
fn names_in_braces(file: &File, out: &mut Vec<Problem>) {
    let configs: Vec<String> = file.run.config.keys().map(|name| format!("{CONFIG}{name}")).collect();
    let known: Vec<&str> = KNOWN.into_iter().chain(configs.iter().map(String::as_str)).collect();
    for (path, text) in texts(file).into_iter().filter(|(path, _)| !path.starts_with("run.config")) {
        for name in placeholders(text).into_iter().filter(|n| !known.contains(n)) {
            let message = format!("`{{{{{name}}}}}` stands for nothing that Serin knows");
            let help = match nearest(name, known.iter().copied()) {
                Some(meant) => format!("did you mean {{{{{meant}}}}}?"),
                None => "write {{port}}, {{instance}}, or {{config.NAME}} with the name of a file under `run.config`"
                    .to_owned(),
            };
            out.push(Problem::error("placeholder", &path, message).help(help));
        }
    }
}

fn program(file: &File, dir: &Path, out: &mut Vec<Problem>) {
    let cwd = dir.join(file.run.cwd.as_deref().unwrap_or("."));
    if !cwd.is_dir() {
        out.push(
            Problem::warning("no-cwd", "run.cwd", format!("there is no directory {}", cwd.display()))
                .help("it is looked for beside the file; it must exist when an instance starts"),
        );
    }
    let program = file.run.command.0.first().map(String::as_str).unwrap_or_default();
    if !program.contains("{{") && !found(program, &cwd, file.run.env.get("PATH").map(|v| v.0.as_str())) {
        let place =
            if program.contains('/') { "under that path, seen from the working directory" } else { "on the PATH" };
        out.push(
            Problem::warning("no-program", "run.command", format!("there is no program `{program}` {place}"))
                .help("check the spelling; it must exist when an instance starts"),
        );
    }
    if ["sh", "bash"].contains(&program)
        && !file.run.command.0.iter().any(|w| w.contains("exec "))
        && file.run.command.0.len() > 2
    {
        out.push(
            Problem::warning(
                "shell",
                "run.command",
                "a shell stays between Serin and the program, and does not pass on the signal to stop",
            )
            .help("begin the last command of the script with `exec`"),
        );
    }
}

fn found(program: &str, cwd: &Path, path: Option<&str>) -> bool {
    if program.contains('/') {
        return cwd.join(program).is_file();
    }
    let system = std::env::var("PATH").unwrap_or_default();
    std::env::split_paths(path.unwrap_or(&system)).any(|dir| dir.join(program).is_file())
}

fn names(file: &File, out: &mut Vec<Problem>) {
    if file.run.group.is_some() && file.run.user.is_none() {
        out.push(Problem::warning(
            "group-alone",
            "run.group",
            "`group` without `user`: the user stays who runs `serin serve`",
        ));
    }
    if let Some(user) = &file.run.user
        && let Ok(known) = std::fs::read_to_string("/etc/passwd")
        && user.parse::<u32>().is_err()
        && !known.lines().any(|l| l.split(':').next() == Some(user))
    {
        out.push(Problem::warning(
            "no-user",
            "run.user",
            format!("there is no user `{user}` in /etc/passwd of this machine"),
        ));
    }
}

fn health(file: &File, out: &mut Vec<Problem>) {
    let h = &file.health;
    let chosen = [h.http.is_some(), h.tcp == Some(true), h.command.is_some()].into_iter().filter(|c| *c).count();
    if chosen > 1 {
        out.push(
            Problem::error("two-checks", "health", "there is more than one of `http`, `tcp` and `command`")
                .help("keep one: an HTTP check says most"),
        );
    } else if chosen == 0 && h.tcp == Some(false) {
        out.push(
            Problem::error("no-check", "health.tcp", "`tcp: false` leaves nothing to check")
                .help("leave it out, or write `http: {path: /healthz}`"),
        );
    } else if chosen == 0 {
        out.push(
            Problem::warning(
                "tcp-check",
                "health",
                "no health check is given: an instance counts as ready as soon as its port accepts connections",
            )
            .help("if the program answers a path when it is ready, write\n  health:\n    http: {path: /healthz}"),
        );
    }
    positive("health.interval", h.interval, out);
    positive("health.timeout", h.timeout, out);
}

fn proxy(file: &File, out: &mut Vec<Problem>) {
    let p = &file.proxy;
    if p.hold.timeout > Time::seconds(10) {
        out.push(
            Problem::error(
                "hold",
                "proxy.hold.timeout",
                format!("requests are held for at most 10s, not {}", p.hold.timeout),
            )
            .help("people and load balancers give up by then; write 10s or less"),
        );
    }
    let t = &p.timeouts;
    for (name, time) in
        [("head", t.head), ("body", t.body), ("connect", t.connect), ("response", t.response), ("idle", t.idle)]
    {
        positive(&format!("proxy.timeouts.{name}"), time, out);
    }
}

fn state(file: &File, state: Option<&Path>, out: &mut Vec<Problem>) {
    let Some(state) = state else { return };
    let longest = state.join(&file.service).join("proxy").join("control.sock");
    let length = longest.as_os_str().len();
    if length > SOCKET_PATH_MAX {
        out.push(Problem::error("socket-path", "service", format!("the state directory {} is too long: its unix sockets would have paths of {length} bytes, and {SOCKET_PATH_MAX} are the most", state.display())).help("name a shorter one with --state or SERIN_STATE"));
    }
}

fn positive(path: &str, time: Time, out: &mut Vec<Problem>) {
    if time.is_zero() {
        out.push(Problem::error("zero", path, format!("`{path}` must be longer than 0s")));
    }
}

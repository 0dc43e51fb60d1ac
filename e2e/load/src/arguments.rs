//! The command line: `--name value` pairs, by hand, because two commands with a dozen numbers need no library.

use crate::backend;
use crate::config::{Config, Source};
use std::net::{SocketAddr, ToSocketAddrs};
use std::str::FromStr;
use std::time::Duration;

/// What the program can do.
pub const USAGE: &str = "\
usage: serin-load URL [OPTION VALUE]…        sends load to http://HOST:PORT[/PATH] and prints a JSON summary
         --rate N                 requests a second (100)
         --seconds N              how long; without it until SIGTERM, or until standard input ends
         --post-share X           share of POSTs (0.05)       --post-path PATH (/echo)    --post-bytes N (512)
         --post-echoes BOOL       the answer to a POST holds its body (true)
         --slow-share X           share of slow requests (0.02)   --slow-path PATH (/delay/1)
         --websockets N           kept open all the time (0)      --websocket-path PATH (/ws/echo)
         --websocket-seconds X    how long each is kept before the next is opened (always)
         --connections N          the most at a time (256)        --timeout SECONDS (10)
         --revision SOURCE        who answered: header:NAME, json:NAME or none (json:version)
         --instance SOURCE        the same for the instance (json:hostname)
         --host NAME              the Host field       --timeline FILE       --seed N (1)
       serin-load backend [OPTION VALUE]…    a small service with faults; prints its address
         --port N (0: any)        --version NAME (1)              --hostname NAME
         --fail-share X           --reset-share X                 --truncate-share X
         --delay SECONDS          --ready-after SECONDS";

/// What was asked for.
#[derive(Debug)]
pub enum Command {
    /// Send load.
    Load(Box<Config>),
    /// Be a backend on this address.
    Backend(SocketAddr, backend::Config),
    /// Say how it is used.
    Help,
}

/// Reads the arguments that follow the program's name.
///
/// # Errors
/// A sentence that says what is wrong with them.
pub fn parse(arguments: &[String]) -> Result<Command, String> {
    match arguments.first().map(String::as_str) {
        None => Err("there is no URL".to_owned()),
        Some("-h" | "--help" | "help") => Ok(Command::Help),
        Some("backend") => backend(&arguments[1..]),
        Some(url) => load(url, &arguments[1..]),
    }
}

fn pairs(arguments: &[String]) -> Result<Vec<(&str, &str)>, String> {
    let pair = |words: &'_ [String]| match words {
        [name, ..] if !name.starts_with("--") => Err(format!("{name} is no option: options begin with --")),
        [name] => Err(format!("{name} has no value")),
        _ => Ok(()),
    };
    arguments.chunks(2).try_for_each(pair)?;
    Ok(arguments.chunks_exact(2).map(|words| (words[0].as_str(), words[1].as_str())).collect())
}

fn value<T: FromStr>(name: &str, text: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("{name} cannot be {text:?}"))
}

fn seconds(name: &str, text: &str) -> Result<Duration, String> {
    Duration::try_from_secs_f64(value(name, text)?).map_err(|_| format!("{name} must be a number of seconds"))
}

fn source(name: &str, text: &str) -> Result<Option<Source>, String> {
    match text.split_once(':') {
        None if text == "none" => Ok(None),
        Some(("header", field)) => Ok(Some(Source::Header(field.to_owned()))),
        Some(("json", member)) => Ok(Some(Source::Json(member.to_owned()))),
        _ => Err(format!("{name} must be header:NAME, json:NAME or none, not {text:?}")),
    }
}

fn load(url: &str, options: &[String]) -> Result<Command, String> {
    let rest = url.strip_prefix("http://").ok_or(format!("{url:?} is no URL of the form http://HOST:PORT/PATH"))?;
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let found = host.to_socket_addrs().map_err(|e| format!("{host:?} is no address with a port: {e}"))?.next();
    let mut config = Config::new(found.ok_or(format!("{host:?} has no address"))?, 100.0);
    (config.host, config.path) = (host.to_owned(), format!("/{path}"));
    for (name, text) in pairs(options)? {
        match name {
            "--rate" => config.rate = value(name, text)?,
            "--seconds" => config.duration = Some(seconds(name, text)?),
            "--post-share" => config.post_share = value(name, text)?,
            "--post-path" => config.post_path = text.to_owned(),
            "--post-bytes" => config.post_bytes = value(name, text)?,
            "--post-echoes" => config.post_echoes = value(name, text)?,
            "--slow-share" => config.slow_share = value(name, text)?,
            "--slow-path" => config.slow_path = text.to_owned(),
            "--websockets" => config.websockets = value(name, text)?,
            "--websocket-seconds" => config.websocket_life = Some(seconds(name, text)?),
            "--websocket-path" => config.websocket_path = text.to_owned(),
            "--connections" => config.connections = value(name, text)?,
            "--timeout" => config.timeout = seconds(name, text)?,
            "--revision" => config.revision = source(name, text)?,
            "--instance" => config.instance = source(name, text)?,
            "--host" => config.host = text.to_owned(),
            "--timeline" => config.timeline = Some(text.into()),
            "--seed" => config.seed = value(name, text)?,
            other => return Err(format!("there is no option {other}")),
        }
    }
    Ok(Command::Load(Box::new(config)))
}

fn backend(options: &[String]) -> Result<Command, String> {
    let (mut config, mut port, mut hostname) = (backend::Config::new("1"), 0, None);
    for (name, text) in pairs(options)? {
        match name {
            "--port" => port = value(name, text)?,
            "--version" => config.version = text.to_owned(),
            "--hostname" => hostname = Some(text.to_owned()),
            "--fail-share" => config.faults.fail_share = value(name, text)?,
            "--reset-share" => config.faults.reset_share = value(name, text)?,
            "--truncate-share" => config.faults.truncate_share = value(name, text)?,
            "--delay" => config.faults.delay = seconds(name, text)?,
            "--ready-after" => config.ready_after = seconds(name, text)?,
            other => return Err(format!("there is no option {other}")),
        }
    }
    config.hostname = hostname.unwrap_or(format!("{}-{}", config.version, std::process::id()));
    Ok(Command::Backend(([127, 0, 0, 1], port).into(), config))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        line.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn a_load_is_read() {
        let line = "http://127.0.0.1:8080/a?b --rate 50 --seconds 1.5 --revision header:X-Rev --instance none";
        let Ok(Command::Load(config)) = parse(&words(line)) else { panic!("{line}") };
        assert_eq!((config.rate, config.path.as_str()), (50.0, "/a?b"));
        assert_eq!(config.duration, Some(Duration::from_millis(1500)));
        assert_eq!(config.revision, Some(Source::Header("X-Rev".to_owned())));
        assert_eq!(config.instance, None);
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for line in [
            "",
            "127.0.0.1:1",
            "http://127.0.0.1:1 --rate",
            "http://127.0.0.1:1 --rate x",
            "http://127.0.0.1:1 --speed 1",
            "http://127.0.0.1:1 rate 1",
            "http://127.0.0.1:1 --revision version",
            "http://127.0.0.1:1 --seconds -1",
            "backend --port 70000",
        ] {
            assert!(parse(&words(line)).is_err(), "{line}");
        }
    }
}

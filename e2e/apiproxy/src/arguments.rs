//! The command line: `--name value` pairs.

use crate::Error;
use std::net::SocketAddr;
use std::path::PathBuf;

/// How it is used.
pub const USAGE: &str = "\
usage: serin-apiproxy http[s]://HOST:PORT [OPTION VALUE]…     a proxy before this API server
         --authority FILE         the authority that signed the API server's certificate (PEM); needed for https
         --listen ADDRESS         where it serves (127.0.0.1:0: any free port)
         --control ADDRESS        where it is steered (127.0.0.1:0)
         --certificate FILE --key FILE    serve TLS with these (PEM); without them plain HTTP
It prints one line of JSON, {\"api\":\"ADDRESS\",\"control\":\"ADDRESS\"}, and ends on SIGTERM or with its standard input.";

/// What was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arguments {
    /// Host and port of the API server.
    pub upstream: String,
    /// The authority of its certificate; plain HTTP without one.
    pub authority: Option<PathBuf>,
    /// Where the proxy serves.
    pub listen: SocketAddr,
    /// Where it is steered.
    pub control: SocketAddr,
    /// Certificate and key to serve TLS with.
    pub identity: Option<(PathBuf, PathBuf)>,
}

/// Reads the arguments that follow the program's name.
///
/// # Errors
/// A sentence that says what is wrong with them.
pub fn parse(words: &[String]) -> Result<Arguments, Error> {
    let usage = |why: String| Error::Usage(why);
    let url = words.first().ok_or(usage("there is no URL".to_owned()))?;
    let (secure, upstream) = match (url.strip_prefix("https://"), url.strip_prefix("http://")) {
        (Some(rest), _) => (true, rest),
        (None, Some(rest)) => (false, rest),
        (None, None) => return Err(usage(format!("{url:?} is no URL of the form https://HOST:PORT"))),
    };
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let upstream = upstream.trim_end_matches('/').to_owned();
    let mut arguments = Arguments { upstream, authority: None, listen: any, control: any, identity: None };
    let (mut certificate, mut key) = (None, None);
    for pair in words[1..].chunks(2) {
        let [name, value] = pair else { return Err(usage(format!("{} has no value", pair[0]))) };
        let address = || -> Result<SocketAddr, Error> {
            let address: SocketAddr =
                value.parse().map_err(|_| Error::Usage(format!("{name} must be an address with a port")))?;
            let loopback = address.ip().is_loopback();
            if loopback { Ok(address) } else { Err(Error::Usage(format!("{name} must be on loopback"))) }
        };
        match name.as_str() {
            "--authority" => arguments.authority = Some(value.into()),
            "--listen" => arguments.listen = address()?,
            "--control" => arguments.control = address()?,
            "--certificate" => certificate = Some(value.into()),
            "--key" => key = Some(value.into()),
            other => return Err(usage(format!("there is no option {other}"))),
        }
    }
    arguments.identity = match (certificate, key) {
        (Some(certificate), Some(key)) => Some((certificate, key)),
        (None, None) => None,
        (Some(_), None) | (None, Some(_)) => return Err(usage("--certificate and --key go together".to_owned())),
    };
    if secure != arguments.authority.is_some() {
        return Err(usage("https needs --authority FILE, and http takes none".to_owned()));
    }
    Ok(arguments)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        line.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn all_of_it_can_be_said() {
        let line =
            "https://10.0.0.1:6443/ --authority ca --listen 127.0.0.1:1 --control [::1]:2 --certificate c --key k";
        let arguments = parse(&words(line)).expect("it makes sense");
        assert_eq!(arguments.upstream, "10.0.0.1:6443");
        assert_eq!(arguments.identity, Some(("c".into(), "k".into())));
        assert_eq!((arguments.listen.port(), arguments.control.port()), (1, 2));
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for line in [
            "",
            "10.0.0.1:6443",
            "https://a:1",
            "http://a:1 --authority ca",
            "http://a:1 --listen 0.0.0.0:1",
            "http://a:1 --listen",
            "http://a:1 --key k",
            "http://a:1 --dance x",
        ] {
            assert!(parse(&words(line)).is_err(), "{line}");
        }
    }
}

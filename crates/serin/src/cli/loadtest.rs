//! `serin loadtest`: answers the webhooks that start load and ask for gates. What it does is [`super::Runtime::loadtest`]'s.

use std::{ffi::OsString, net::SocketAddr, path::PathBuf};

use clap::Args;
use serin_loadtest::Settings;

use super::Global;
use crate::config::quantity::Time;

/// The hidden verb that the load tester starts this program with, above each command.
pub(super) const KEEPER: &str = "loadtest-keeper";

/// What `serin loadtest` takes.
#[derive(Debug, Args)]
pub struct Loadtest {
    /// Where to listen.
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:9090")]
    listen: SocketAddr,
    /// A file with the token that requests must bring: as a bearer token, or as the password in the webhook's address.
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// Listen elsewhere than on this machine without a token: whoever reaches the address may command it.
    #[arg(long, conflicts_with = "token_file")]
    insecure_without_token: bool,
    /// A program that commands may be of, as they write it; repeatable.
    #[arg(long, value_name = "PROGRAM", default_values_t = serin_loadtest::ALLOWED.map(str::to_owned))]
    allow: Vec<String>,
    /// Give every command to this shell, which may then run anything.
    #[arg(long, value_name = "PATH", conflicts_with = "allow")]
    shell: Option<PathBuf>,
    /// The longest that a command may take.
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = Time::parse)]
    timeout: Time,
    /// How many commands may run at once.
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=1000))]
    most: u16,
}

impl Loadtest {
    pub(super) fn job(self, global: &Global) -> Settings {
        Settings {
            listen: self.listen,
            token_file: self.token_file,
            insecure_without_token: self.insecure_without_token,
            allow: self.allow,
            shell: self.shell,
            timeout: self.timeout.get(),
            most: usize::from(self.most),
            state: global.state.clone(),
            keeper: vec![KEEPER.into()],
            ..Settings::default()
        }
    }
}

/// What `serin loadtest-keeper` takes.
#[derive(Debug, Args)]
pub struct Keeper {
    /// The keeper's own words.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    words: Vec<OsString>,
}

impl Keeper {
    pub(super) fn job(self) -> Vec<OsString> {
        self.words
    }
}

//! Limits and deadlines, as a table carries them. Every field has a default.
use serde::{Deserialize, Serialize};

/// What the proxy goes by besides the split. All times are milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// How long each phase of an exchange may last without progress.
    pub timeouts: Timeouts,
    /// Requests that wait for an instance.
    pub hold: Hold,
    /// When instances that fail are left alone for a while.
    pub eject: Eject,
    /// Idle connections to instances.
    pub pool: Pool,
    /// How long open requests may go on after SIGTERM. Idle client connections get half of it for a last request.
    pub drain_ms: u64,
    /// Whose X-Forwarded-* fields are kept.
    pub trust: Trust,
}

/// How long each phase may last without progress, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Timeouts {
    /// Until the first byte of a request.
    pub idle_ms: u64,
    /// From the first byte of a request until its head is complete; then 408.
    pub head_ms: u64,
    /// Until an instance accepts a connection.
    pub connect_ms: u64,
    /// From the request until the response head; then 504.
    pub response_ms: u64,
    /// Between two parts of a body, in either direction.
    pub body_ms: u64,
    /// Until the client has closed too, after the last response.
    pub linger_ms: u64,
    /// Between two messages of an upgraded connection.
    pub tunnel_ms: u64,
}

/// Requests that wait for an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Hold {
    /// The most requests that wait at once; more get a 503. 0: none waits.
    pub max: usize,
    /// How long a request waits, at most 10 000; then 503.
    pub ms: u64,
}

/// When an instance that refuses or resets is left alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Eject {
    /// After so many failed attempts in a row, at least 1.
    pub failures: u32,
    /// For so long at first; doubled with each failed try, up to 30 s.
    pub back_off_ms: u64,
}

/// Idle connections to instances.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Pool {
    /// The most that each worker keeps per instance.
    pub max_idle: usize,
    /// How long one is kept without use.
    pub idle_ms: u64,
}

/// Whose X-Forwarded-* fields are kept; everybody else's are replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trust {
    /// Nobody's.
    None,
    /// Those of peers at loopback and private addresses: a TLS terminator beside or before us.
    Private,
    /// Everybody's.
    All,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            timeouts: Timeouts::default(),
            hold: Hold::default(),
            eject: Eject::default(),
            pool: Pool::default(),
            drain_ms: 10_000,
            trust: Trust::Private,
        }
    }
}

impl Default for Timeouts {
    fn default() -> Self {
        Timeouts {
            idle_ms: 60_000,
            head_ms: 10_000,
            connect_ms: 5_000,
            response_ms: 60_000,
            body_ms: 60_000,
            linger_ms: 1_000,
            tunnel_ms: 3_600_000,
        }
    }
}

impl Default for Hold {
    fn default() -> Self {
        Hold { max: 1024, ms: 10_000 }
    }
}

impl Default for Eject {
    fn default() -> Self {
        Eject { failures: 3, back_off_ms: 1_000 }
    }
}

impl Default for Pool {
    fn default() -> Self {
        Pool { max_idle: 256, idle_ms: 30_000 }
    }
}

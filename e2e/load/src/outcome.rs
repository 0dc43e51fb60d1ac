//! How one request ended.

/// How one request ended. Each request ends in exactly one of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// A whole response with this status came, and it says what it should.
    Answered(u16),
    /// A whole response with this status came, but with a body that is not the one asked for.
    WrongBody(u16),
    /// Nobody accepted the connection.
    Refused,
    /// The connection ended before the first byte of the response.
    Reset,
    /// The same, on a connection that had served before: the request crossed its end on the wire.
    ResetReused,
    /// The response began and did not end.
    Truncated,
    /// No whole response within the time allowed.
    Timeout,
    /// What came is not HTTP/1.1.
    Malformed,
    /// This machine could not make the connection: no descriptor, no port.
    Unable,
}

impl Outcome {
    /// Its name in the summary and in the timeline: the status, or one word.
    pub fn name(self) -> String {
        match self {
            Outcome::Answered(status) => status.to_string(),
            Outcome::WrongBody(_) => "wrong_body".to_owned(),
            Outcome::Refused => "refused".to_owned(),
            Outcome::Reset => "reset".to_owned(),
            Outcome::ResetReused => "reset_reused".to_owned(),
            Outcome::Truncated => "truncated".to_owned(),
            Outcome::Timeout => "timeout".to_owned(),
            Outcome::Malformed => "malformed".to_owned(),
            Outcome::Unable => "unable".to_owned(),
        }
    }

    /// Whether a user would have had to try again: anything but a whole answer under 500 that says what it should.
    pub fn is_failure(self) -> bool {
        match self {
            Outcome::Answered(status) => status >= 500,
            Outcome::WrongBody(_)
            | Outcome::Refused
            | Outcome::Reset
            | Outcome::ResetReused
            | Outcome::Truncated
            | Outcome::Timeout
            | Outcome::Malformed
            | Outcome::Unable => true,
        }
    }
}

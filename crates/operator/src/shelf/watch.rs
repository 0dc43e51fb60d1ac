//! One stream: list, watch, come back.
//!
//! A watch goes on where the last one ended. Only when the API server does not know that place any more (410), or what it
//! sends makes no sense again and again, everything is listed anew. However it ends, the next attempt comes after a
//! back-off with jitter; a watch that stood for a second begins it anew.

use super::book::{Ended, event_of};
use super::{Shelf, Watches, now};
use crate::call::{Ask, CallError, JSON};
use crate::connect::Api;
use crate::kind::Kind;
use crate::object::Object;
use crate::random::{jittered, number};
use http::Method;
use http_body_util::BodyExt;
use kube::client::Body;
use serde_json::Value;
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout};

/// The first pause, and the longest one, in milliseconds.
const PAUSE_MS: (u64, u64) = (100, 5_000);
/// A watch that stood so long was a good one.
const STOOD: Duration = Duration::from_secs(1);
/// The longest line of a watch. The API server takes no object near this size.
const LONGEST: usize = 32 << 20;
/// So many senseless answers in a row, and everything is listed.
const SENSELESS: u32 = 3;
/// How long the API server keeps a watch: so many seconds, and a random part of as many more, so that not all end at once.
const HELD_SECS: u64 = 240;

const LIST_METADATA: &str = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json";
const WATCH_METADATA: &str = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json";

pub(super) struct Stream {
    api: Api,
    shelf: Shelf,
    number: usize,
    kind: Kind,
    namespace: Option<String>,
    silence: Duration,
    page: u32,
    again: Duration,
}

impl Stream {
    pub fn new(
        api: &Api,
        shelf: &Shelf,
        watches: &Watches,
        number: usize,
        kind: Kind,
        namespace: Option<String>,
    ) -> Stream {
        let (silence, page, again) = (watches.silence, watches.page, watches.again);
        Stream { api: api.clone(), shelf: shelf.clone(), number, kind, namespace, silence, page, again }
    }

    /// For ever.
    pub async fn run(self) {
        let mut pause = Pause::default();
        let mut senseless = 0;
        let mut list = true;
        loop {
            let ended = if list {
                match self.list().await {
                    Ok(()) => {
                        (list, senseless) = (false, 0);
                        continue;
                    }
                    Err(ended) => ended,
                }
            } else {
                let begun = Instant::now();
                let ended = self.watch().await;
                if begun.elapsed() >= STOOD {
                    pause = Pause::default();
                    senseless = 0;
                }
                ended
            };
            match ended {
                Ended::Over => sleep(pause.next()).await,
                Ended::Asked => list = true,
                Ended::Expired => {
                    list = true;
                    sleep(pause.next()).await;
                }
                Ended::Missing => {
                    list = true;
                    self.shelf.change(|book| book.missing(self.number, now()));
                    // While it is not believed yet, it is looked for more often.
                    let known = self.shelf.contacts()[self.number].standing == super::Standing::Listed;
                    sleep(if known { Duration::from_millis(PAUSE_MS.1) } else { self.again }).await;
                }
                Ended::Refused(why) => {
                    self.shelf.book().trouble(self.number, why);
                    sleep(self.again).await;
                }
                Ended::Senseless(why) => {
                    senseless += 1;
                    list |= senseless >= SENSELESS;
                    self.shelf.book().trouble(self.number, why);
                    sleep(pause.next()).await;
                }
                Ended::Failed(why) => {
                    self.shelf.book().trouble(self.number, why);
                    sleep(pause.next()).await;
                }
            }
        }
    }

    /// Takes a whole list, page by page.
    async fn list(&self) -> Result<(), Ended> {
        let tick = self.shelf.book().begin_list();
        let accept = if self.kind.metadata_only() { LIST_METADATA } else { JSON };
        let collection = self.kind.collection(self.namespace.as_deref());
        let (mut items, mut version, mut next) = (Vec::new(), String::new(), String::new());
        loop {
            let path = format!("{collection}?limit={}{next}", self.page);
            let ask = Ask { method: Method::GET, path, accept, body: None };
            let mut answer = self.api.call(ask, Duration::MAX).await.map_err(why)?;
            let page = match answer.get_mut("items").map(Value::take) {
                Some(Value::Array(page)) => page,
                // So the API server writes an empty list of metadata.
                Some(Value::Null) => Vec::new(),
                _ => return Err(Ended::Senseless(format!("{collection} answers with something that is no list"))),
            };
            items.extend(page.into_iter().map(|item| Object::read(self.kind, item)));
            let text = |field: &str| {
                answer.pointer(&format!("/metadata/{field}")).and_then(Value::as_str).unwrap_or_default().to_owned()
            };
            if version.is_empty() {
                // All pages are of the state that the first one was of.
                version = text("resourceVersion");
            }
            let token = text("continue");
            if token.is_empty() {
                break;
            }
            next = format!("&continue={token}");
        }
        if version.is_empty() {
            return Err(Ended::Senseless(format!("the list of {collection} has no resourceVersion")));
        }
        self.shelf.change(|book| book.listed(self.number, tick, version, items, now()));
        Ok(())
    }

    /// Watches until it ends.
    async fn watch(&self) -> Ended {
        let Some(from) = self.shelf.book().progress(self.number) else { return Ended::Expired };
        let held = HELD_SECS + number() % HELD_SECS;
        let path = format!(
            "{}?watch=true&allowWatchBookmarks=true&resourceVersion={from}&timeoutSeconds={held}",
            self.kind.collection(self.namespace.as_deref())
        );
        let accept = if self.kind.metadata_only() { WATCH_METADATA } else { JSON };
        let body = match self.api.open(Ask { method: Method::GET, path, accept, body: None }).await {
            Ok(body) => body,
            Err(error) => return why(error),
        };
        self.shelf.book().touched(self.number, now());
        tokio::select! {
            ended = self.follow(body) => ended,
            () = self.shelf.inner.relist[self.number].notified() => Ended::Asked,
        }
    }

    async fn follow(&self, mut body: Body) -> Ended {
        let mut lines = Lines::default();
        loop {
            let frame = match timeout(self.silence, body.frame()).await {
                Ok(Some(Ok(frame))) => frame,
                Ok(Some(Err(error))) => return Ended::Failed(format!("the watch was cut: {error}")),
                Ok(None) => return Ended::Over,
                Err(_) => {
                    let secs = self.silence.as_secs_f64();
                    return Ended::Failed(format!("the watch said nothing for {secs:.1} s, and was given up"));
                }
            };
            let Ok(data) = frame.into_data() else { continue };
            if !lines.add(&data) {
                return Ended::Senseless(format!("the watch sent a line of more than {LONGEST} bytes"));
            }
            while let Some(line) = lines.next() {
                let event = match serde_json::from_slice::<Value>(&line) {
                    Ok(value) => event_of(self.kind, value),
                    Err(error) => Err(Ended::Senseless(format!("the watch sent what is no JSON: {error}"))),
                };
                match event {
                    Ok(event) => self.shelf.change(|book| book.event(self.number, event, now())),
                    Err(ended) => return ended,
                }
            }
        }
    }
}

/// What the end of a call is to a stream.
fn why(error: CallError) -> Ended {
    match error {
        CallError::Refused(refusal) => match refusal.code {
            404 => Ended::Missing,
            410 => Ended::Expired,
            401 | 403 => Ended::Refused(format!("{} ({})", refusal.message, refusal.code)),
            _ => Ended::Failed(format!("{} ({})", refusal.message, refusal.code)),
        },
        CallError::NotSent(why) | CallError::Unknown(why) => Ended::Failed(why),
    }
}

/// Longer and longer pauses.
#[derive(Debug)]
struct Pause(u64);

impl Default for Pause {
    fn default() -> Self {
        Pause(PAUSE_MS.0)
    }
}

impl Pause {
    fn next(&mut self) -> Duration {
        let pause = jittered(self.0);
        self.0 = (self.0 * 2).min(PAUSE_MS.1);
        Duration::from_millis(pause)
    }
}

/// Cuts what comes into lines.
#[derive(Debug, Default)]
struct Lines {
    held: Vec<u8>,
    /// Up to here there is no end of a line.
    looked: usize,
}

impl Lines {
    /// Whether it fits.
    fn add(&mut self, data: &[u8]) -> bool {
        self.held.extend_from_slice(data);
        self.held.len() <= LONGEST
    }

    fn next(&mut self) -> Option<Vec<u8>> {
        loop {
            let Some(at) = self.held[self.looked..].iter().position(|byte| *byte == b'\n') else {
                self.looked = self.held.len();
                return None;
            };
            let rest = self.held.split_off(self.looked + at + 1);
            let line = std::mem::replace(&mut self.held, rest);
            self.looked = 0;
            if line.iter().any(|byte| !byte.is_ascii_whitespace()) {
                return Some(line);
            }
        }
    }
}

#[cfg(test)]
mod tests;

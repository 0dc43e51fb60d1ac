//! What the watches said, kept in order. No I/O and no clock: times come in, in milliseconds of one clock that never
//! goes back.
//!
//! A *stream* is one kind in one scope. Its *progress* is the resource version up to which everything was delivered:
//! that of the last list, event or bookmark. A watch delivers in the order of versions, so whoever wrote an object and got
//! version V back reads it no older than V as soon as the progress is V or later, also when it was deleted in between.

use crate::kind::{Key, Kind};
use crate::object::{Broken, Link, Object};
use crate::version::at_least;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// How long a kind that was there must be told as missing until that is believed: an API server that starts may not
/// know of its own custom resources yet.
pub const MISSING_MS: u64 = 30_000;

type Place = (Box<str>, Box<str>);

/// Where a stream stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Its objects are not known yet.
    Unlisted,
    /// Its objects are known.
    Listed,
    /// The API does not have this kind: there are no objects of it.
    Absent,
}

/// What a stream can say of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contact {
    /// The kind.
    pub kind: Kind,
    /// The namespace; all of them where there is none.
    pub namespace: Option<String>,
    /// Where it stands.
    pub standing: Standing,
    /// Milliseconds since the API server said anything; `None` where it never did.
    pub silent_ms: Option<u64>,
    /// What is wrong at present, in a sentence.
    pub trouble: Option<String>,
    /// Objects that could not be read, by name, and why. They do not stop the others.
    pub broken: Vec<(String, String)>,
}

/// How good a read is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Look {
    /// Whether it is no older than what was written through [`Book::wrote`], and the kind is known at all.
    pub fresh: bool,
    /// Where the kind stands in that namespace.
    pub standing: Standing,
    /// The resource version up to which everything is known.
    pub progress: Option<String>,
    /// Milliseconds since the API server said anything about it; `None` where it never did.
    pub silent_ms: Option<u64>,
}

/// One change that subscribers hear of.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Change {
    /// This object is there, changed, or gone.
    Object(Key),
    /// This kind became known, or stands otherwise than before.
    Standing(Kind),
}

/// An event of a watch.
#[derive(Debug)]
pub(crate) enum Event {
    Put(Object),
    Gone(Object),
    Bookmark(String),
    Broken(Broken),
}

#[derive(Debug)]
struct Stream {
    kind: Kind,
    namespace: Option<String>,
    standing: Standing,
    progress: Option<String>,
    contact: Option<u64>,
    /// When a kind that was there was first told as missing.
    missing: Option<u64>,
    trouble: Option<String>,
    broken: BTreeMap<String, String>,
    /// The tick at which the last whole list was begun.
    listed_at: u64,
}

/// The version below which an object is older than what was written.
#[derive(Debug)]
struct Floor {
    version: String,
    tick: u64,
}

#[derive(Debug, Default)]
struct Row {
    objects: BTreeMap<Place, Arc<Object>>,
    links: BTreeMap<Link, BTreeSet<Place>>,
    floors: BTreeMap<Place, Floor>,
}

/// All objects of all streams.
#[derive(Debug)]
pub(crate) struct Book {
    rows: BTreeMap<Kind, Row>,
    streams: Vec<Stream>,
    /// Counts writes that were told and lists that began, so that their order is known.
    tick: u64,
}

impl Book {
    /// One stream for each kind and namespace; one for each kind where no namespace is named.
    pub fn new(kinds: &[Kind], namespaces: &[String]) -> Book {
        let scopes: Vec<Option<String>> =
            if namespaces.is_empty() { vec![None] } else { namespaces.iter().cloned().map(Some).collect() };
        let stream = |kind: Kind, namespace: Option<String>| Stream {
            kind,
            namespace,
            standing: Standing::Unlisted,
            progress: None,
            contact: None,
            missing: None,
            trouble: None,
            broken: BTreeMap::new(),
            listed_at: 0,
        };
        let streams: Vec<Stream> =
            kinds.iter().flat_map(|kind| scopes.iter().map(|scope| stream(*kind, scope.clone()))).collect();
        Book { rows: kinds.iter().map(|kind| (*kind, Row::default())).collect(), streams, tick: 0 }
    }

    /// Kind and namespace of every stream, by its number.
    pub fn scopes(&self) -> Vec<(Kind, Option<String>)> {
        self.streams.iter().map(|stream| (stream.kind, stream.namespace.clone())).collect()
    }

    /// Where to go on watching.
    pub fn progress(&self, stream: usize) -> Option<String> {
        self.streams[stream].progress.clone()
    }

    /// A list is asked for now. Returns what [`Book::listed`] wants back.
    pub fn begin_list(&mut self) -> u64 {
        self.tick += 1;
        self.tick
    }

    /// A whole list that began at `tick` is there.
    pub fn listed(
        &mut self,
        stream: usize,
        tick: u64,
        version: String,
        items: Vec<Result<Object, Broken>>,
        now: u64,
    ) -> Vec<Change> {
        let at = &mut self.streams[stream];
        let (kind, namespace) = (at.kind, at.namespace.clone());
        let mut changes = Vec::new();
        if at.standing != Standing::Listed {
            changes.push(Change::Standing(kind));
        }
        at.standing = Standing::Listed;
        at.progress = Some(version);
        at.contact = Some(now);
        at.listed_at = tick;
        (at.missing, at.trouble) = (None, None);
        at.broken.clear();
        let mut there = BTreeSet::new();
        for item in items {
            match item {
                Ok(object) => {
                    there.insert((object.namespace.clone(), object.name.clone()));
                    changes.extend(self.put(kind, object));
                }
                Err(broken) => {
                    // It is there; what is known of it from before is not thrown away because it cannot be read now.
                    there.insert((broken.namespace.as_str().into(), broken.name.as_str().into()));
                    self.break_one(stream, &broken);
                }
            }
        }
        changes.extend(self.keep_only(kind, namespace.as_deref(), &there));
        self.settle(stream);
        changes
    }

    /// An event of the watch is there.
    pub fn event(&mut self, stream: usize, event: Event, now: u64) -> Vec<Change> {
        let at = &mut self.streams[stream];
        at.contact = Some(now);
        (at.missing, at.trouble) = (None, None);
        let kind = at.kind;
        let changes = match event {
            Event::Put(object) => {
                at.progress = Some(object.version.to_string());
                at.broken.remove(&format!("{}/{}", object.namespace, object.name));
                self.put(kind, object)
            }
            Event::Gone(object) => {
                at.progress = Some(object.version.to_string());
                at.broken.remove(&format!("{}/{}", object.namespace, object.name));
                self.remove(kind, &(object.namespace, object.name))
            }
            Event::Bookmark(version) => {
                at.progress = Some(version);
                None
            }
            Event::Broken(broken) => {
                if !broken.version.is_empty() {
                    at.progress = Some(broken.version.clone());
                }
                self.break_one(stream, &broken);
                None
            }
        };
        self.settle(stream);
        changes.into_iter().collect()
    }

    /// The watch stands: the API server answered, whatever it said.
    pub fn touched(&mut self, stream: usize, now: u64) {
        self.streams[stream].contact = Some(now);
        self.streams[stream].trouble = None;
    }

    /// Something is wrong with a stream; what is known stays, and grows old.
    pub fn trouble(&mut self, stream: usize, why: String) {
        self.streams[stream].trouble = Some(why);
    }

    /// The API says that it does not have the kind.
    pub fn missing(&mut self, stream: usize, now: u64) -> Vec<Change> {
        let at = &mut self.streams[stream];
        let kind = at.kind;
        let since = *at.missing.get_or_insert(now);
        if at.standing == Standing::Listed && now.saturating_sub(since) < MISSING_MS {
            at.trouble =
                Some(format!("the API has no {kind} any more; this is believed after {} s", MISSING_MS / 1000));
            return Vec::new();
        }
        let before = std::mem::replace(&mut at.standing, Standing::Absent);
        at.contact = Some(now);
        at.progress = None;
        at.trouble = None;
        at.broken.clear();
        let namespace = at.namespace.clone();
        let mut changes = self.keep_only(kind, namespace.as_deref(), &BTreeSet::new());
        if before != Standing::Absent {
            changes.push(Change::Standing(kind));
        }
        // There is nothing of which a later version could come.
        if let Some(row) = self.rows.get_mut(&kind) {
            row.floors.retain(|place, _| namespace.as_deref().is_some_and(|n| n != &*place.0));
        }
        changes
    }

    /// An object was written, and this is the version that the API server gave back. Returns the stream that must be
    /// listed anew because its versions cannot be compared.
    pub fn wrote(&mut self, key: &Key, version: &str) -> Option<usize> {
        self.tick += 1;
        let tick = self.tick;
        let stream = self.stream_of(key.kind, &key.namespace)?;
        let row = self.rows.get_mut(&key.kind)?;
        let place: Place = (key.namespace.as_str().into(), key.name.as_str().into());
        let later = row.floors.get(&place).is_some_and(|floor| at_least(&floor.version, version) == Some(true));
        if !later {
            row.floors.insert(place.clone(), Floor { version: version.to_owned(), tick });
        }
        self.settle(stream);
        let waits = self.rows.get(&key.kind)?.floors.get(&place)?;
        let progress = self.streams[stream].progress.as_deref()?;
        at_least(progress, &waits.version).is_none().then_some(stream)
    }

    /// One object.
    pub fn get(&self, key: &Key, now: u64) -> (Option<Arc<Object>>, Look) {
        let place: Place = (key.namespace.as_str().into(), key.name.as_str().into());
        let row = self.rows.get(&key.kind);
        let object = row.and_then(|row| row.objects.get(&place)).cloned();
        let floored = row.is_some_and(|row| row.floors.contains_key(&place));
        (object, self.look(self.stream_of(key.kind, &key.namespace), floored, now))
    }

    /// All objects of a kind in a namespace, or everywhere, that are as is wanted.
    pub fn find(
        &self,
        kind: Kind,
        namespace: Option<&str>,
        wanted: impl Fn(&Object) -> bool,
        now: u64,
    ) -> (Vec<Arc<Object>>, Look) {
        let row = self.rows.get(&kind);
        let found = row.into_iter().flat_map(|row| match namespace {
            Some(namespace) => row.objects.range((namespace.into(), "".into())..),
            None => row.objects.range::<Place, _>(..),
        });
        let found = found.take_while(|((at, _), _)| namespace.is_none_or(|n| n == &**at));
        let found = found.map(|(_, object)| object).filter(|object| wanted(object)).cloned().collect();
        (found, self.look_at(kind, namespace, now))
    }

    /// All objects of a kind that have this link.
    pub fn linked(&self, kind: Kind, link: &Link, namespace: Option<&str>, now: u64) -> (Vec<Arc<Object>>, Look) {
        let row = self.rows.get(&kind);
        let places = row.and_then(|row| row.links.get(link)).into_iter().flatten();
        let places = places.filter(|(at, _)| namespace.is_none_or(|n| n == &**at));
        let found = places.filter_map(|place| row.and_then(|row| row.objects.get(place)).cloned()).collect();
        (found, self.look_at(kind, namespace, now))
    }

    /// What every stream says of itself.
    pub fn contacts(&self, now: u64) -> Vec<Contact> {
        let contact = |stream: &Stream| Contact {
            kind: stream.kind,
            namespace: stream.namespace.clone(),
            standing: stream.standing,
            silent_ms: stream.contact.map(|at| now.saturating_sub(at)),
            trouble: stream.trouble.clone(),
            broken: stream.broken.iter().map(|(name, why)| (name.clone(), why.clone())).collect(),
        };
        self.streams.iter().map(contact).collect()
    }

    /// Whether no kind is unlisted.
    pub fn is_listed(&self) -> bool {
        self.streams.iter().all(|stream| stream.standing != Standing::Unlisted)
    }

    /// Number and bytes of the objects of a kind.
    pub fn size(&self, kind: Kind) -> (usize, usize) {
        let objects = self.rows.get(&kind).into_iter().flat_map(|row| row.objects.values());
        objects.fold((0, 0), |(count, bytes), object| (count + 1, bytes + object.bytes()))
    }

    fn put(&mut self, kind: Kind, object: Object) -> Option<Change> {
        let row = self.rows.get_mut(&kind)?;
        let place: Place = (object.namespace.clone(), object.name.clone());
        let before = row.objects.get(&place);
        if before.is_some_and(|before| before.version == object.version && before.uid == object.uid) {
            return None;
        }
        row.unlink(&place);
        for link in &object.links {
            row.links.entry(link.clone()).or_default().insert(place.clone());
        }
        let key = Key::new(kind, &*object.namespace, &*object.name);
        row.objects.insert(place, Arc::new(object));
        Some(Change::Object(key))
    }

    fn remove(&mut self, kind: Kind, place: &Place) -> Option<Change> {
        let row = self.rows.get_mut(&kind)?;
        row.unlink(place);
        row.objects.remove(place)?;
        Some(Change::Object(Key::new(kind, &*place.0, &*place.1)))
    }

    fn keep_only(&mut self, kind: Kind, namespace: Option<&str>, there: &BTreeSet<Place>) -> Vec<Change> {
        let places = self.rows.get(&kind).into_iter().flat_map(|row| row.objects.keys());
        let gone = places.filter(|p| namespace.is_none_or(|n| n == &*p.0) && !there.contains(*p));
        let gone: Vec<Place> = gone.cloned().collect();
        gone.iter().filter_map(|place| self.remove(kind, place)).collect()
    }

    fn break_one(&mut self, stream: usize, broken: &Broken) {
        let name = format!("{}/{}", broken.namespace, broken.name);
        self.streams[stream].broken.insert(name, broken.why.clone());
    }

    /// Takes away the floors that are reached.
    fn settle(&mut self, stream: usize) {
        let at = &self.streams[stream];
        let Some(row) = self.rows.get_mut(&at.kind) else { return };
        let Row { objects, floors, .. } = row;
        floors.retain(|place, floor| {
            let mine = at.namespace.as_deref().is_none_or(|namespace| namespace == &*place.0);
            let delivered = at.progress.as_deref().and_then(|p| at_least(p, &floor.version)) == Some(true);
            let same = objects.get(place).is_some_and(|object| *object.version == *floor.version);
            !(mine && (delivered || same || at.listed_at > floor.tick))
        });
    }

    fn stream_of(&self, kind: Kind, namespace: &str) -> Option<usize> {
        let covers = |s: &Stream| s.kind == kind && s.namespace.as_deref().is_none_or(|n| n == namespace);
        self.streams.iter().position(covers)
    }

    fn look(&self, stream: Option<usize>, floored: bool, now: u64) -> Look {
        match stream.map(|number| &self.streams[number]) {
            Some(stream) => Look {
                fresh: !floored && stream.standing != Standing::Unlisted,
                standing: stream.standing,
                progress: stream.progress.clone(),
                silent_ms: stream.contact.map(|at| now.saturating_sub(at)),
            },
            None => Look { fresh: false, standing: Standing::Unlisted, progress: None, silent_ms: None },
        }
    }

    /// How good a read of many is: as bad as the worst of the streams that it is from.
    fn look_at(&self, kind: Kind, namespace: Option<&str>, now: u64) -> Look {
        let row = self.rows.get(&kind);
        let floored = row.is_some_and(|r| r.floors.keys().any(|p| namespace.is_none_or(|n| n == &*p.0)));
        if let Some(namespace) = namespace {
            return self.look(self.stream_of(kind, namespace), floored, now);
        }
        let numbers = (0..self.streams.len()).filter(|number| self.streams[*number].kind == kind);
        let looks = numbers.map(|number| self.look(Some(number), floored, now));
        let worse = |a: Look, b: Look| Look {
            fresh: a.fresh && b.fresh,
            standing: if a.standing == Standing::Unlisted { a.standing } else { b.standing },
            // Streams have progresses of their own, and there is none of all together.
            progress: a.progress.filter(|p| Some(p) == b.progress.as_ref()),
            silent_ms: a.silent_ms.zip(b.silent_ms).map(|(a, b)| a.max(b)),
        };
        looks.reduce(worse).unwrap_or_else(|| self.look(None, floored, now))
    }
}

impl Row {
    fn unlink(&mut self, place: &Place) {
        let Some(before) = self.objects.get(place) else { return };
        for link in &before.links {
            if let Some(places) = self.links.get_mut(link) {
                places.remove(place);
                if places.is_empty() {
                    self.links.remove(link);
                }
            }
        }
    }
}

/// Reads an event of a watch: its type and its object.
pub(crate) fn event_of(kind: Kind, mut value: Value) -> Result<Event, Ended> {
    let word = value.get("type").and_then(Value::as_str).unwrap_or_default().to_owned();
    let object = match value.get_mut("object") {
        Some(object) => object.take(),
        None => Value::Null,
    };
    let version = object.pointer("/metadata/resourceVersion").and_then(Value::as_str).unwrap_or_default().to_owned();
    let made = |make: fn(Object) -> Event, object| match Object::read(kind, object) {
        Ok(object) => make(object),
        Err(broken) => Event::Broken(broken),
    };
    match word.as_str() {
        "ADDED" | "MODIFIED" => Ok(made(Event::Put, object)),
        "DELETED" => Ok(made(Event::Gone, object)),
        "BOOKMARK" if !version.is_empty() => Ok(Event::Bookmark(version)),
        "ERROR" => {
            let said = object.get("message").and_then(Value::as_str).unwrap_or("no reason given").to_owned();
            let code = object.get("code").and_then(Value::as_u64);
            Err(if code == Some(410) {
                Ended::Expired
            } else {
                Ended::Senseless(format!("the watch was ended: {said}"))
            })
        }
        other => Err(Ended::Senseless(format!("the watch sent an event of the unknown type {other:?}"))),
    }
}

/// Why a watch came to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// As it should: the server ends every watch after a time.
    Over,
    /// What happened since is not known any more (410): everything is to be listed.
    Expired,
    /// The API does not have the kind (404).
    Missing,
    /// Somebody wants everything to be listed.
    Asked,
    /// This account may not read the kind (401, 403).
    Refused(String),
    /// The API server answered, with something that cannot be followed.
    Senseless(String),
    /// The connection, or the API server itself.
    Failed(String),
}

#[cfg(test)]
mod tests;

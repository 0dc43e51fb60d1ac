//! The shelf: what the API server has of every kind that a release needs, kept up to date by watches that all releases
//! share.
//!
//! There is one watch for each kind and scope, whatever the number of releases; nothing is polled. A read costs no call,
//! and says how good it is ([`Look`]): whether the kind is known at all, up to which version, how long ago the API server
//! was heard of, and whether it is as late as what this process wrote itself ([`Shelf::wrote`]). Nothing should be decided
//! on a read that is not [`Look::fresh`], or whose `silent_ms` is longer than two minutes: on a quiet cluster the API server
//! says something (a bookmark) every 60 to 78 seconds, and a watch that is silent for 100 is begun anew.
//!
//! **Why not kube's runtime.** Its watcher lists, watches and comes back, and does that well. Four things are needed that
//! it keeps to itself: the bookmarks, which are the only sign of life of a quiet watch and say up to where everything was
//! delivered; the beginning of a list, after which an own write cannot be missing; a deadline on the bytes of a connection;
//! and a kind that does not exist as an answer instead of an error. Decoding is by single objects, so that a broken
//! one does not spoil its list.
//!
//! **Lists** are asked for in pages and without a resource version, so that they are the latest state (a consistent read),
//! also after an API server came back with an older cache.

mod book;
mod watch;

use crate::connect::Api;
use crate::kind::{Key, Kind};
use crate::object::{Link, Object};
use book::Book;
use serin_engine::{Clock, SystemClock};
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;
use tokio::sync::{Notify, watch as channel};
use tokio::task::JoinSet;

pub use book::{Change, Contact, Look, MISSING_MS, Standing};

/// What is watched, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Watches {
    /// The kinds.
    pub kinds: Vec<Kind>,
    /// The namespaces; all of them where none is named. Each one costs one connection for each kind.
    pub namespaces: Vec<String>,
    /// How long a watch may say nothing until it is begun anew. API servers send a bookmark every 60 to 78 seconds.
    pub silence: Duration,
    /// How many objects a page of a list has.
    pub page: u32,
    /// After how long it is looked again for a kind that does not exist, or may not be read.
    pub again: Duration,
}

impl Default for Watches {
    fn default() -> Self {
        Watches {
            kinds: Kind::ALL.to_vec(),
            namespaces: Vec::new(),
            silence: Duration::from_secs(100),
            page: 500,
            again: Duration::from_secs(30),
        }
    }
}

/// One object, if there is one, and how good the answer is.
#[derive(Clone, Debug)]
pub struct Reading {
    /// The object.
    pub object: Option<Arc<Object>>,
    /// How good the answer is.
    pub look: Look,
}

/// Several objects, in the order of namespace and name, and how good the answer is.
#[derive(Clone, Debug)]
pub struct Readings {
    /// The objects.
    pub objects: Vec<Arc<Object>>,
    /// How good the answer is: as its worst part.
    pub look: Look,
}

/// The objects of all watches. A clone is the same shelf.
#[derive(Clone, Debug)]
pub struct Shelf {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    book: Mutex<Book>,
    subscribers: Mutex<Vec<Weak<Pending>>>,
    listed: channel::Sender<bool>,
    /// For each stream: somebody wants it to be listed anew.
    relist: Vec<Notify>,
}

/// The watches themselves. They end when this is dropped; the shelf then grows old.
#[derive(Debug)]
pub struct Watching {
    tasks: JoinSet<()>,
    count: usize,
}

impl Watching {
    /// Whether every watch is still looked after, for liveness. Whether the API server answers is another question:
    /// [`Shelf::contacts`].
    pub fn is_alive(&mut self) -> bool {
        while self.tasks.try_join_next().is_some() {}
        self.tasks.len() == self.count
    }
}

impl Shelf {
    /// Begins to watch. Needs a tokio runtime.
    pub fn open(api: &Api, watches: &Watches) -> (Shelf, Watching) {
        let book = Book::new(&watches.kinds, &watches.namespaces);
        let scopes = book.scopes();
        let shelf = Shelf {
            inner: Arc::new(Inner {
                book: Mutex::new(book),
                subscribers: Mutex::new(Vec::new()),
                listed: channel::Sender::new(false),
                relist: scopes.iter().map(|_| Notify::new()).collect(),
            }),
        };
        let mut tasks = JoinSet::new();
        for (number, (kind, namespace)) in scopes.iter().enumerate() {
            let stream = watch::Stream::new(api, &shelf, watches, number, *kind, namespace.clone());
            tasks.spawn(stream.run());
        }
        (shelf, Watching { tasks, count: scopes.len() })
    }

    /// Waits until every kind is listed, or known not to exist. Nothing may be decided before.
    pub async fn listed(&self) {
        let mut seen = self.inner.listed.subscribe();
        // The sender is part of this shelf.
        let _ = seen.wait_for(|listed| *listed).await;
    }

    /// One object.
    pub fn get(&self, key: &Key) -> Reading {
        let (object, look) = self.book().get(key, now());
        Reading { object, look }
    }

    /// All objects of a kind, in a namespace or everywhere.
    pub fn all(&self, kind: Kind, namespace: Option<&str>) -> Readings {
        let (objects, look) = self.book().find(kind, namespace, |_| true, now());
        Readings { objects, look }
    }

    /// The objects of a kind in a namespace that have this label with this value.
    pub fn labelled(&self, kind: Kind, namespace: &str, label: &str, value: &str) -> Readings {
        let (objects, look) = self.book().find(kind, Some(namespace), |o| o.label(label) == Some(value), now());
        Readings { objects, look }
    }

    /// The objects of a kind that the object with this uid owns. Owners are in the namespace of what they own.
    pub fn owned(&self, kind: Kind, namespace: &str, owner_uid: &str) -> Readings {
        let (objects, look) = self.book().linked(kind, &Link::Owner(owner_uid.into()), Some(namespace), now());
        Readings { objects, look }
    }

    /// The HTTPRoutes of any namespace that send (or mirror) to this Service.
    pub fn routes_to(&self, namespace: &str, service: &str) -> Readings {
        let link = Link::Backend(namespace.into(), service.into());
        let (objects, look) = self.book().linked(Kind::HttpRoute, &link, None, now());
        Readings { objects, look }
    }

    /// This process wrote `key`, and the API server answered with `version`. From now on a read of it is not fresh until the
    /// watch has come that far. To be called before anything else is decided about the object; after a write of which nobody
    /// knows, with the version that a read from the API server itself ([`Api::read`]) then finds.
    pub fn wrote(&self, key: &Key, version: &str) {
        let relist = self.book().wrote(key, version);
        if let Some(relist) = relist.and_then(|number| self.inner.relist.get(number)) {
            relist.notify_one();
        }
    }

    /// Hears of every change of these kinds from now on. What is there already is not told: read it after this.
    pub fn subscribe(&self, kinds: &[Kind]) -> Changes {
        let pending = Arc::new(Pending {
            kinds: kinds.iter().copied().collect(),
            changes: Mutex::new(BTreeSet::new()),
            some: Notify::new(),
        });
        lock(&self.inner.subscribers).push(Arc::downgrade(&pending));
        Changes { pending }
    }

    /// What every watch says of itself.
    pub fn contacts(&self) -> Vec<Contact> {
        self.book().contacts(now())
    }

    /// How many objects of a kind are kept, and about how many bytes they take.
    pub fn size(&self, kind: Kind) -> (usize, usize) {
        self.book().size(kind)
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        lock(&self.inner.book)
    }

    /// Changes the book, and tells everybody what changed.
    fn change(&self, change: impl FnOnce(&mut Book) -> Vec<Change>) {
        let (changes, listed) = {
            let mut book = self.book();
            (change(&mut book), book.is_listed())
        };
        if !changes.is_empty() {
            let mut subscribers = lock(&self.inner.subscribers);
            subscribers.retain(|subscriber| match subscriber.upgrade() {
                Some(pending) => {
                    pending.tell(&changes);
                    true
                }
                None => false,
            });
        }
        self.inner.listed.send_if_modified(|before| std::mem::replace(before, listed) != listed);
    }
}

/// What changed since it was asked for the last time. Each change is told once, however often it happened.
#[derive(Debug)]
pub struct Changes {
    pending: Arc<Pending>,
}

impl Changes {
    /// Waits until something changed. It may be cancelled, and nothing is lost.
    pub async fn next(&mut self) -> BTreeSet<Change> {
        loop {
            let changed = self.now();
            if !changed.is_empty() {
                return changed;
            }
            self.pending.some.notified().await;
        }
    }

    /// What changed until now; perhaps nothing.
    pub fn now(&mut self) -> BTreeSet<Change> {
        std::mem::take(&mut *lock(&self.pending.changes))
    }
}

#[derive(Debug)]
struct Pending {
    kinds: BTreeSet<Kind>,
    changes: Mutex<BTreeSet<Change>>,
    some: Notify,
}

impl Pending {
    fn tell(&self, changes: &[Change]) {
        let wanted = |change: &&Change| match change {
            Change::Object(key) => self.kinds.contains(&key.kind),
            Change::Standing(kind) => self.kinds.contains(kind),
        };
        let mut pending = lock(&self.changes);
        pending.extend(changes.iter().filter(wanted).cloned());
        if !pending.is_empty() {
            self.some.notify_one();
        }
    }
}

/// Milliseconds since the machine was started, sleep included.
fn now() -> u64 {
    SystemClock.boot_ms()
}

/// Whoever panicked while holding it left the maps whole: every change of them is a single step of the standard library.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

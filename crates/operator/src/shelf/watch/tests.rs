//! A stream against a server that answers as it is told.

use super::*;
use crate::fake::{Fake, HANG};
use crate::kind::Key;
use crate::shelf::{Change, Standing, Watching};
use std::sync::atomic::{AtomicUsize, Ordering};

const K: Kind = Kind::Service;

fn object(name: &str, version: u32) -> String {
    format!(r#"{{"metadata":{{"namespace":"n","name":"{name}","uid":"u-{name}","resourceVersion":"{version}"}}}}"#)
}

fn list(version: u32, items: &[String]) -> String {
    format!(r#"{{"metadata":{{"resourceVersion":"{version}"}},"items":[{}]}}"#, items.join(","))
}

fn event(word: &str, name: &str, version: u32) -> String {
    format!("{{\"type\":\"{word}\",\"object\":{}}}\n", object(name, version))
}

fn shelf(fake: &Fake, silence_ms: u64) -> (Shelf, Watching) {
    let api = Api::at(&format!("http://{}", fake.address), Duration::from_secs(5));
    let watches = Watches {
        kinds: vec![K],
        silence: Duration::from_millis(silence_ms),
        page: 2,
        again: Duration::from_millis(50),
        ..Watches::default()
    };
    Shelf::open(&api, &watches)
}

/// Waits until an object has this version; the test ends itself otherwise.
async fn until(shelf: &Shelf, name: &str, version: Option<&str>) {
    let mut changes = shelf.subscribe(&[K]);
    let there = || shelf.get(&Key::new(K, "n", name)).object.map(|object| object.version.to_string());
    let wait = async {
        while there().as_deref() != version {
            changes.next().await;
        }
    };
    timeout(Duration::from_secs(60), wait)
        .await
        .unwrap_or_else(|_| panic!("{name}: {:?} {:?}", there(), shelf.contacts()));
}

fn is_watch(request: &str) -> bool {
    request.contains("watch=true")
}

#[tokio::test]
async fn pages_are_one_list_and_the_watch_begins_where_it_ended() {
    let fake = Fake::start(|request| {
        Some(if is_watch(request) {
            Fake::stream(&[(0, &event("ADDED", "d", 11)), (0, HANG)])
        } else if request.contains("continue=next") {
            Fake::answer(200, &list(99, &[object("c", 3)]))
        } else {
            let page = list(10, &[object("a", 1), object("b", 2)]);
            Fake::answer(
                200,
                &page.replace("\"resourceVersion\":\"10\"", "\"resourceVersion\":\"10\",\"continue\":\"next\""),
            )
        })
    })
    .await;
    let (shelf, mut watching) = shelf(&fake, 60_000);
    shelf.listed().await;
    assert!(shelf.all(K, None).objects.len() >= 3);
    until(&shelf, "d", Some("11")).await;
    let watch = fake.asked().into_iter().find(|request| is_watch(request)).expect("a watch");
    assert!(watch.contains("resourceVersion=10&") && watch.contains("allowWatchBookmarks=true"), "{watch}");
    assert!(watching.is_alive());
}

#[tokio::test]
async fn a_cut_watch_goes_on_where_it_was_and_lists_nothing_again() {
    let watches = AtomicUsize::new(0);
    let fake = Fake::start(move |request| {
        if !is_watch(request) {
            return Some(Fake::answer(200, &list(10, &[object("a", 1)])));
        }
        let (first, half) = (event("MODIFIED", "a", 11), &event("MODIFIED", "a", 12)[..30]);
        Some(match watches.fetch_add(1, Ordering::SeqCst) {
            // Cut in the middle of a line.
            0 => Fake::stream(&[(0, &first), (0, half)]),
            1 => Fake::stream(&[]),
            _ => Fake::stream(&[(0, &event("MODIFIED", "a", 12)), (0, HANG)]),
        })
    })
    .await;
    let (shelf, _watching) = shelf(&fake, 60_000);
    until(&shelf, "a", Some("12")).await;
    let asked = fake.asked();
    assert_eq!(asked.iter().filter(|request| !is_watch(request)).count(), 1, "{asked:?}");
    let from = asked.iter().filter(|request| is_watch(request)).map(|r| r.contains("resourceVersion=11&"));
    assert_eq!(from.collect::<Vec<_>>(), [false, true, true]);
}

#[tokio::test]
async fn what_is_too_old_is_listed_anew_also_when_it_is_told_as_an_event() {
    for in_head in [true, false] {
        let lists = AtomicUsize::new(0);
        let fake = Fake::start(move |request| {
            if !is_watch(request) {
                let second = lists.fetch_add(1, Ordering::SeqCst) > 0;
                return Some(Fake::answer(200, &if second { list(20, &[]) } else { list(10, &[object("a", 1)]) }));
            }
            Some(if request.contains("resourceVersion=20&") {
                Fake::stream(&[(0, HANG)])
            } else if in_head {
                Fake::answer(410, r#"{"code":410,"message":"too old","reason":"Expired"}"#)
            } else {
                Fake::stream(&[(0, "{\"type\":\"ERROR\",\"object\":{\"code\":410,\"message\":\"too old\"}}\n")])
            })
        })
        .await;
        let (shelf, _watching) = shelf(&fake, 60_000);
        shelf.listed().await;
        until(&shelf, "a", None).await;
    }
}

#[tokio::test]
async fn a_watch_that_hangs_silently_is_given_up() {
    let watches = AtomicUsize::new(0);
    let fake = Fake::start(move |request| {
        if !is_watch(request) {
            return Some(Fake::answer(200, &list(10, &[])));
        }
        let first = watches.fetch_add(1, Ordering::SeqCst) == 0;
        Some(if first { Fake::stream(&[(0, HANG)]) } else { Fake::stream(&[(0, &event("ADDED", "a", 11)), (0, HANG)]) })
    })
    .await;
    let (shelf, _watching) = shelf(&fake, 100);
    until(&shelf, "a", Some("11")).await;
}

#[tokio::test]
async fn a_kind_that_is_missing_is_looked_for_again() {
    let lists = AtomicUsize::new(0);
    let fake = Fake::start(move |request| {
        Some(match (is_watch(request), lists.fetch_add(1, Ordering::SeqCst)) {
            (true, _) => Fake::stream(&[(0, HANG)]),
            (false, 0 | 1) => Fake::answer(404, "404 page not found"),
            (false, _) => Fake::answer(200, &list(10, &[object("a", 1)])),
        })
    })
    .await;
    let (shelf, _watching) = shelf(&fake, 60_000);
    let mut changes = shelf.subscribe(&[K]);
    shelf.listed().await;
    until(&shelf, "a", Some("1")).await;
    assert_eq!(shelf.get(&Key::new(K, "n", "a")).look.standing, Standing::Listed);
    assert!(changes.now().contains(&Change::Standing(K)));
}

#[tokio::test]
async fn who_may_not_read_a_kind_is_told_so_and_nothing_is_listed() {
    let fake =
        Fake::start(|_| Some(Fake::answer(403, r#"{"message":"services is forbidden","reason":"Forbidden"}"#))).await;
    let (shelf, _watching) = shelf(&fake, 60_000);
    let trouble = async {
        loop {
            match shelf.contacts().remove(0).trouble {
                Some(why) => break why,
                None => sleep(Duration::from_millis(5)).await,
            }
        }
    };
    let why = timeout(Duration::from_secs(60), trouble).await.expect("it is told");
    assert_eq!(why, "services is forbidden (403)");
    assert!(!shelf.get(&Key::new(K, "n", "a")).look.fresh);
}

#[tokio::test]
async fn an_empty_list_of_metadata_is_a_list() {
    let fake = Fake::start(|request| {
        let empty = r#"{"metadata":{"resourceVersion":"10"},"items":null}"#;
        Some(if is_watch(request) { Fake::stream(&[(0, HANG)]) } else { Fake::answer(200, empty) })
    })
    .await;
    let (shelf, _watching) = shelf(&fake, 60_000);
    timeout(Duration::from_secs(60), shelf.listed()).await.expect("it is listed");
}

#[tokio::test]
async fn senseless_events_lead_to_a_list_and_not_to_a_loop() {
    let lists = AtomicUsize::new(0);
    let fake = Fake::start(move |request| {
        if !is_watch(request) {
            let later = lists.fetch_add(1, Ordering::SeqCst) > 0;
            return Some(Fake::answer(200, &if later { list(20, &[object("a", 15)]) } else { list(10, &[]) }));
        }
        let lost = !request.contains("resourceVersion=20&");
        Some(if lost { Fake::stream(&[(0, "this is no JSON\n")]) } else { Fake::stream(&[(0, HANG)]) })
    })
    .await;
    let (shelf, _watching) = shelf(&fake, 60_000);
    until(&shelf, "a", Some("15")).await;
    let watches = fake.asked().iter().filter(|request| request.contains("resourceVersion=10&")).count();
    assert_eq!(watches, SENSELESS as usize);
}

#[tokio::test]
async fn a_slow_subscriber_is_told_each_change_once() {
    let fake = Fake::start(|request| {
        if !is_watch(request) {
            return Some(Fake::answer(200, &list(10, &[])));
        }
        let events: String = (11..=40).map(|v| event("MODIFIED", if v % 2 == 0 { "a" } else { "b" }, v)).collect();
        Some(Fake::stream(&[(0, &events), (0, HANG)]))
    })
    .await;
    let (shelf, _watching) = shelf(&fake, 60_000);
    let mut slow = shelf.subscribe(&[K]);
    let mut other = shelf.subscribe(&[Kind::Secret]);
    until(&shelf, "a", Some("40")).await;
    let told: Vec<Change> = slow.next().await.into_iter().collect();
    let changed = |name: &str| Change::Object(Key::new(K, "n", name));
    assert_eq!(told, [changed("a"), changed("b"), Change::Standing(K)]);
    assert!(other.now().is_empty() && slow.now().is_empty());
}

#[test]
fn lines_are_whole_however_they_come() {
    let mut lines = Lines::default();
    let mut found = Vec::new();
    for byte in b"one\n\n  \ntwo\r\nthr" {
        assert!(lines.add(&[*byte]));
        found.extend(std::iter::from_fn(|| lines.next()));
    }
    assert_eq!(found, [b"one\n".to_vec(), b"two\r\n".to_vec()]);
    assert!(lines.add(b"ee\nfour\n"));
    assert_eq!(lines.next(), Some(b"three\n".to_vec()));
    assert_eq!(lines.next(), Some(b"four\n".to_vec()));
    assert_eq!(lines.next(), None);
}

#[test]
fn pauses_grow_to_a_limit() {
    let mut pause = Pause::default();
    let drawn: Vec<u64> = (0..10).map(|_| pause.next().as_millis() as u64).collect();
    assert!((50..=100).contains(&drawn[0]), "{drawn:?}");
    assert!(drawn[7..].iter().all(|p| (PAUSE_MS.1 / 2..=PAUSE_MS.1).contains(p)), "{drawn:?}");
}

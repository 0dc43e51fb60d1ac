//! What the watches say in every order that hurts.

use super::*;
use serde_json::json;

const K: Kind = Kind::Deployment;

fn object(name: &str, version: &str) -> Object {
    object_of(K, name, version, json!([]))
}

fn object_of(kind: Kind, name: &str, version: &str, owners: Value) -> Object {
    let value = json!({"metadata": {
        "namespace": "n", "name": name, "uid": format!("uid-{name}"), "resourceVersion": version,
        "labels": {"app": name}, "ownerReferences": owners,
    }});
    Object::read(kind, value).expect("an object")
}

fn key(name: &str) -> Key {
    Key::new(K, "n", name)
}

fn changed(name: &str) -> Change {
    Change::Object(key(name))
}

fn list(book: &mut Book, version: &str, items: Vec<Object>) -> Vec<Change> {
    let tick = book.begin_list();
    book.listed(0, tick, version.to_owned(), items.into_iter().map(Ok).collect(), 0)
}

fn one() -> Book {
    let mut book = Book::new(&[K], &[]);
    list(&mut book, "10", vec![object("a", "5")]);
    book
}

fn fresh(book: &Book, name: &str) -> bool {
    book.get(&key(name), 0).1.fresh
}

#[test]
fn nothing_is_fresh_before_it_is_listed() {
    let mut book = Book::new(&[K], &[]);
    assert!(!fresh(&book, "a"));
    assert!(!book.is_listed());
    assert_eq!(list(&mut book, "10", vec![object("a", "5")]), [Change::Standing(K), changed("a")]);
    assert!(fresh(&book, "a") && fresh(&book, "b"));
    assert!(book.is_listed());
    assert!(!book.get(&Key::new(Kind::Service, "n", "a"), 0).1.fresh, "a kind that nobody watches");
}

#[test]
fn a_list_tells_only_what_is_different() {
    let mut book = one();
    let changes = list(&mut book, "20", vec![object("a", "5"), object("b", "15")]);
    assert_eq!(changes, [changed("b")]);
    assert_eq!(list(&mut book, "30", vec![object("b", "15")]), [changed("a")]);
    assert_eq!(book.get(&key("a"), 0).0, None);
}

#[test]
fn an_own_write_is_never_read_older() {
    let mut book = one();
    assert_eq!(book.wrote(&key("a"), "12"), None);
    assert!(!fresh(&book, "a"));
    assert!(fresh(&book, "b"), "others are as they were");
    assert!(!book.find(K, Some("n"), |_| true, 0).1.fresh, "many are as fresh as the worst of them");
    book.event(0, Event::Put(object("a", "11")), 0);
    assert!(!fresh(&book, "a"), "somebody else's earlier write is not it");
    assert_eq!(book.event(0, Event::Put(object("a", "12")), 0), [changed("a")]);
    assert!(fresh(&book, "a"));
}

#[test]
fn a_write_that_was_delivered_before_it_was_told_is_fresh_at_once() {
    let mut book = one();
    book.event(0, Event::Put(object("a", "12")), 0);
    book.wrote(&key("a"), "12");
    assert!(fresh(&book, "a"));
}

#[test]
fn the_later_of_two_writes_counts_whatever_the_order_in_which_they_are_told() {
    for order in [["12", "13"], ["13", "12"]] {
        let mut book = one();
        for version in order {
            book.wrote(&key("a"), version);
        }
        book.event(0, Event::Put(object("a", "12")), 0);
        assert!(!fresh(&book, "a"), "{order:?}");
        book.event(0, Event::Put(object("a", "13")), 0);
        assert!(fresh(&book, "a"), "{order:?}");
    }
}

#[test]
fn a_deletion_in_between_does_not_leave_it_stale() {
    let mut book = one();
    book.wrote(&key("a"), "12");
    assert_eq!(book.event(0, Event::Gone(object("a", "14")), 0), [changed("a")]);
    assert_eq!(book.get(&key("a"), 0).0, None);
    assert!(fresh(&book, "a"));
    // Told only by a list, in which it does not appear.
    let mut book = one();
    book.wrote(&key("a"), "12");
    list(&mut book, "20", vec![]);
    assert!(fresh(&book, "a"));
}

#[test]
fn a_bookmark_says_up_to_where_everything_is_there() {
    let mut book = one();
    book.wrote(&key("new"), "12");
    assert_eq!(book.event(0, Event::Bookmark("11".into()), 0), []);
    assert!(!fresh(&book, "new"));
    book.event(0, Event::Bookmark("12".into()), 0);
    assert!(fresh(&book, "new"));
}

#[test]
fn a_list_that_began_before_the_write_does_not_prove_it() {
    let mut book = Book::new(&[K], &[]);
    let tick = book.begin_list();
    book.wrote(&key("a"), "12");
    book.listed(0, tick, "11".into(), vec![Ok(object("a", "5"))], 0);
    assert!(!fresh(&book, "a"));
    // One that began after it does, also when the numbers went back: the store was restored.
    list(&mut book, "3", vec![object("a", "2")]);
    assert!(fresh(&book, "a"));
}

#[test]
fn versions_that_cannot_be_compared_ask_for_a_list() {
    let mut book = one();
    assert_eq!(book.wrote(&key("a"), "xyz"), Some(0));
    book.event(0, Event::Put(object("a", "99")), 0);
    assert!(!fresh(&book, "a"));
    book.event(0, Event::Put(object("a", "xyz")), 0);
    assert!(fresh(&book, "a"), "the same one is the same one");
    assert_eq!(book.wrote(&key("a"), "abc"), Some(0));
    list(&mut book, "100", vec![object("a", "99")]);
    assert!(fresh(&book, "a"));
}

#[test]
fn a_kind_that_does_not_exist_is_known() {
    let mut book = Book::new(&[K], &[]);
    assert_eq!(book.missing(0, 0), [Change::Standing(K)]);
    let (object, look) = book.get(&key("a"), 0);
    assert_eq!((object, look.fresh, look.standing), (None, true, Standing::Absent));
    assert!(book.is_listed());
    assert_eq!(book.missing(0, 30_000), [], "it is told once");
    assert_eq!(list(&mut book, "10", vec![]), [Change::Standing(K)]);
}

#[test]
fn a_kind_that_was_there_is_not_gone_at_the_first_word() {
    let mut book = one();
    assert_eq!(book.missing(0, 1_000), []);
    assert!(book.get(&key("a"), 1_000).0.is_some());
    assert!(book.contacts(1_000)[0].trouble.is_some());
    // It is there again.
    book.event(0, Event::Bookmark("11".into()), 2_000);
    assert_eq!(book.contacts(2_000)[0].trouble, None);
    assert_eq!(book.missing(0, 3_000), []);
    assert_eq!(book.missing(0, 3_000 + MISSING_MS), [changed("a"), Change::Standing(K)]);
    assert_eq!(book.get(&key("a"), 40_000).0, None);
}

#[test]
fn a_broken_object_stops_no_other_and_is_named() {
    let mut book = one();
    let bad = |version: &str| Broken {
        namespace: "n".into(),
        name: "a".into(),
        version: version.into(),
        why: "it has no metadata.uid".into(),
    };
    let tick = book.begin_list();
    book.listed(0, tick, "20".into(), vec![Err(bad("")), Ok(object("b", "15"))], 0);
    assert!(book.get(&key("b"), 0).0.is_some());
    assert!(book.get(&key("a"), 0).0.is_some(), "what was known of it stays");
    assert_eq!(book.contacts(0)[0].broken, [("n/a".to_owned(), "it has no metadata.uid".to_owned())]);
    book.event(0, Event::Broken(bad("21")), 0);
    assert_eq!(book.progress(0).as_deref(), Some("21"), "it is not asked for again and again");
    book.event(0, Event::Put(object("a", "22")), 0);
    assert_eq!(book.contacts(0)[0].broken, []);
}

#[test]
fn owners_and_backends_are_found_and_forgotten() {
    let mut book = Book::new(&[Kind::ReplicaSet], &[]);
    let owned = |name, version, owner: &str| object_of(Kind::ReplicaSet, name, version, json!([{"uid": owner}]));
    let names = |book: &Book, owner: &str| -> Vec<String> {
        let (found, _) = book.linked(Kind::ReplicaSet, &Link::Owner(owner.into()), Some("n"), 0);
        found.iter().map(|object| object.name.to_string()).collect()
    };
    list(&mut book, "10", vec![owned("a", "1", "x"), owned("b", "2", "x")]);
    assert_eq!(names(&book, "x"), ["a", "b"]);
    book.event(0, Event::Put(owned("a", "11", "y")), 0);
    assert_eq!((names(&book, "x"), names(&book, "y")), (vec!["b".into()], vec!["a".into()]));
    book.event(0, Event::Gone(owned("b", "12", "x")), 0);
    assert_eq!(names(&book, "x"), Vec::<String>::new());
    assert_eq!(book.rows[&Kind::ReplicaSet].links.len(), 1);
}

#[test]
fn namespaces_are_streams_of_their_own() {
    let mut book = Book::new(&[K], &["m".into(), "n".into()]);
    let tick = book.begin_list();
    book.listed(1, tick, "10".into(), vec![Ok(object("a", "5"))], 0);
    assert!(fresh(&book, "a"));
    assert!(!book.is_listed());
    assert!(!book.get(&Key::new(K, "m", "a"), 0).1.fresh);
    assert!(!book.find(K, None, |_| true, 0).1.fresh, "everywhere is as fresh as the worst namespace");
    let tick = book.begin_list();
    assert_eq!(book.listed(0, tick, "12".into(), vec![], 0), [Change::Standing(K)], "the other one keeps its objects");
    let (found, look) = book.find(K, None, |object| object.label("app") == Some("a"), 0);
    assert_eq!((found.len(), look.fresh), (1, true));
    assert!(!book.get(&Key::new(K, "elsewhere", "a"), 0).1.fresh, "a namespace that nobody watches");
}

#[test]
fn events_are_read_as_the_api_sends_them() {
    let event = |value: Value| event_of(K, value);
    assert!(matches!(event(json!({"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": "7"}}})),
        Ok(Event::Bookmark(v)) if v == "7"));
    assert_eq!(
        event(json!({"type": "ERROR", "object": {"code": 410, "message": "too old"}})).err(),
        Some(Ended::Expired)
    );
    assert!(matches!(event(json!({"type": "ERROR", "object": {"code": 500, "message": "etcd"}})),
        Err(Ended::Senseless(why)) if why.contains("etcd")));
    assert!(matches!(event(json!({"type": "DANCED", "object": {}})), Err(Ended::Senseless(_))));
    assert!(matches!(event(json!({"type": "ADDED", "object": {}})), Ok(Event::Broken(_))));
    assert!(event(json!(7)).is_err());
}

//! Candidates against a server that keeps one Lease, and can be made to fail. Nothing here asserts how long something
//! takes; that two never hold at once is asserted at every moment that was looked at.

use super::*;
use crate::fake::{Fake, Said};
use serde_json::json;

/// A Lease behind HTTP, with compare-and-swap, and what goes wrong.
#[derive(Default)]
struct Server {
    lease: Option<Value>,
    version: u64,
    made: u64,
    /// Requests with this text are answered by 503 and not done.
    refused: Option<String>,
    /// So many writes are answered by 500 although they are done.
    lost: u32,
}

impl Server {
    fn answer(&mut self, request: &str) -> Said {
        let (head, body) = request.split_once("\r\n\r\n").expect("a whole request");
        if self.refused.as_ref().is_some_and(|text| request.contains(text)) {
            return Fake::answer(503, "");
        }
        let said =
            |code: u16, reason: &str| Fake::answer(code, &json!({"reason": reason, "message": reason}).to_string());
        if head.starts_with("GET") {
            return self.lease.as_ref().map_or(said(404, "NotFound"), |lease| Fake::answer(200, &lease.to_string()));
        }
        let body: Value = serde_json::from_str(body).expect("JSON");
        if head.starts_with("POST") {
            if self.lease.is_some() {
                return said(409, "AlreadyExists");
            }
            self.made += 1;
            let (uid, made) = (format!("u{}", self.made), format!("2026-01-01T00:{:02}:00Z", self.made));
            let mut lease = body;
            lease["metadata"] = json!({"uid": uid, "creationTimestamp": made});
            self.lease = Some(lease);
        } else {
            let Some(lease) = &mut self.lease else { return said(404, "NotFound") };
            if lease["metadata"]["resourceVersion"] != body["metadata"]["resourceVersion"] {
                return said(409, "Conflict");
            }
            for (name, value) in body["spec"].as_object().expect("a spec") {
                lease["spec"][name] = value.clone();
            }
        }
        self.version += 1;
        let lease = self.lease.as_mut().expect("there");
        lease["metadata"]["resourceVersion"] = json!(self.version.to_string());
        if self.lost > 0 {
            self.lost -= 1;
            return said(500, "InternalError");
        }
        Fake::answer(200, &lease.to_string())
    }
}

struct Place {
    fake: Fake,
    server: Arc<Mutex<Server>>,
}

impl Place {
    async fn new() -> Place {
        let server = Arc::new(Mutex::new(Server::default()));
        let inside = Arc::clone(&server);
        let fake = Fake::start(move |request| Some(inside.lock().expect("whole").answer(request))).await;
        Place { fake, server }
    }

    fn with<T>(&self, f: impl FnOnce(&mut Server) -> T) -> T {
        f(&mut self.server.lock().expect("whole"))
    }

    fn candidate(&self, who: &str) -> Elected {
        let timing = Timing {
            duration: Duration::from_secs(2),
            renew_deadline: Duration::from_millis(1_200),
            retry: Duration::from_millis(100),
        };
        let candidate = Candidate::new("n", "operator", who, timing).expect("a sound timing");
        candidate.start(&Api::at(&format!("http://{}", self.fake.address), Duration::from_secs(5)))
    }
}

fn epoch_of(elected: &Elected) -> Option<u64> {
    elected.leadership().borrow().epoch(now())
}

/// Looks at all of them again and again until one holds that `wanted` likes; never do two at once.
async fn until(all: &[&Elected], wanted: impl Fn(usize, u64) -> bool) -> (usize, u64) {
    let look = async {
        loop {
            let held: Vec<(usize, u64)> =
                all.iter().enumerate().filter_map(|(at, one)| Some((at, epoch_of(one)?))).collect();
            assert!(held.len() < 2, "two hold at once: {held:?}");
            if let Some((at, epoch)) = held.first().copied().filter(|(at, epoch)| wanted(*at, *epoch)) {
                return (at, epoch);
            }
            sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(120), look).await.expect("one holds it after two minutes")
}

#[tokio::test]
async fn one_holds_and_the_next_one_has_a_greater_epoch() {
    let place = Place::new().await;
    let (one, two) = (place.candidate("one"), place.candidate("two"));
    let (first, epoch) = until(&[&one, &two], |_, _| true).await;
    // The holder is cut off from the API server; the other one is not.
    place.with(|server| server.refused = Some(if first == 0 { "one_" } else { "two_" }.to_owned()));
    let (second, later) = until(&[&one, &two], |at, _| at != first).await;
    assert_ne!(first, second);
    assert!(later > epoch, "{later} {epoch}");
    assert!(one.is_alive() && two.is_alive());
}

#[tokio::test]
async fn what_is_given_back_is_taken_by_the_next_one_with_a_greater_epoch() {
    let place = Place::new().await;
    let one = place.candidate("one");
    let (_, epoch) = until(&[&one], |_, _| true).await;
    let mut seen = one.leadership();
    one.release().await.expect("given back");
    assert_eq!(seen.borrow_and_update().epoch(now()), None);
    let spec = place.with(|server| server.lease.as_ref().expect("there")["spec"].clone());
    assert_eq!((&spec["holderIdentity"], &spec["leaseTransitions"]), (&json!(""), &json!(1)));
    let (_, later) = until(&[&place.candidate("two")], |_, _| true).await;
    assert!(later > epoch, "{later} {epoch}");
    assert_eq!(place.with(|server| server.made), 1);
}

#[tokio::test]
async fn a_lease_that_is_deleted_is_lost_and_the_next_epoch_is_greater() {
    let place = Place::new().await;
    let (one, two) = (place.candidate("one"), place.candidate("two"));
    let (_, epoch) = until(&[&one, &two], |_, _| true).await;
    place.with(|server| server.lease = None);
    let (_, later) = until(&[&one, &two], |_, e| e != epoch).await;
    assert!(later > epoch, "{later} {epoch}");
    assert_eq!(place.with(|server| server.made), 2);
}

#[tokio::test]
async fn somebody_elses_name_in_it_ends_the_right() {
    let place = Place::new().await;
    let one = place.candidate("one");
    until(&[&one], |_, _| true).await;
    place.with(|server| {
        server.version += 1;
        let version = server.version.to_string();
        let lease = server.lease.as_mut().expect("there");
        lease["metadata"]["resourceVersion"] = json!(version);
        lease["spec"]["holderIdentity"] = json!("thief");
    });
    let mut leadership = one.leadership();
    let lost = leadership.wait_for(|l| *l == Leadership::Follows { holder: Some("thief".into()) });
    tokio::time::timeout(Duration::from_secs(60), lost).await.expect("it is told").expect("the loop goes on");
}

#[tokio::test]
async fn a_taking_of_which_nobody_knows_is_looked_at_again() {
    let place = Place::new().await;
    // The making of the object, and the first taking.
    place.with(|server| server.lost = 2);
    let one = place.candidate("one");
    let (_, epoch) = until(&[&one], |_, _| true).await;
    let transitions = place.with(|server| server.lease.as_ref().expect("there")["spec"]["leaseTransitions"].clone());
    assert_eq!(transitions, json!(2), "the lost taking is not counted as held");
    assert_eq!(epoch & 0xf_ffff, 2);
    // A renewal of which nobody knows keeps the right.
    place.with(|server| server.lost = 1);
    let renewed = |e: u64| e == epoch && place.with(|server| server.lost == 0);
    until(&[&one], |_, e| renewed(e)).await;
}

#[tokio::test]
async fn a_loop_that_ended_is_not_alive() {
    let place = Place::new().await;
    let one = place.candidate("one");
    assert!(one.is_alive());
    one.task.abort();
    while !one.task.is_finished() {
        sleep(Duration::from_millis(1)).await;
    }
    assert!(!one.is_alive());
}

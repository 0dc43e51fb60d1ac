//! What is sent, and what is made of every answer.

use super::*;
use crate::fake::Fake;
use crate::kind::Kind;

fn key() -> Key {
    Key::new(Kind::Deployment, "n", "a")
}

async fn answered(code: u16, body: &'static str) -> (Fake, Api) {
    let fake = Fake::start(move |_| Some(Fake::answer(code, body))).await;
    let api = Api::at(&format!("http://{}", fake.address), Duration::from_secs(5));
    (fake, api)
}

const OBJECT: &str = r#"{"metadata":{"name":"a","namespace":"n","uid":"u","resourceVersion":"8"}}"#;

#[tokio::test]
async fn a_patch_has_its_precondition_first() {
    let (fake, api) = answered(200, OBJECT).await;
    let changes = [
        Change::Set("/spec/replicas".into(), json!(2)),
        Change::Remove("/x".into()),
        Change::Test("/y".into(), json!(1)),
    ];
    let written = api.patch(&key(), "7", &changes).await.expect("written");
    assert_eq!((written.version.as_str(), written.uid.as_str()), ("8", "u"));
    let asked = &fake.asked()[0];
    assert!(asked.starts_with("PATCH /apis/apps/v1/namespaces/n/deployments/a "), "{asked}");
    assert!(asked.to_lowercase().contains("content-type: application/json-patch+json"), "{asked}");
    let body = r#"[{"op":"replace","path":"/metadata/resourceVersion","value":"7"},{"op":"add","path":"/spec/replicas","value":2},{"op":"remove","path":"/x"},{"op":"test","path":"/y","value":1}]"#;
    assert!(asked.ends_with(body), "{asked}");
}

#[tokio::test]
async fn a_status_a_new_object_and_a_deletion_name_what_they_rely_on() {
    let (fake, api) = answered(200, OBJECT).await;
    api.patch_status(&key(), "7", json!({"phase": "x", "gone": null})).await.expect("written");
    api.create(&key(), json!({"kind": "Other", "metadata": {"name": "b"}, "spec": {}})).await.expect("written");
    api.delete(&key(), &Only { uid: "u".into(), version: Some("7".into()) }).await.expect("deleted");
    let asked = fake.asked();
    assert!(asked[0].starts_with("PATCH /apis/apps/v1/namespaces/n/deployments/a/status "), "{}", asked[0]);
    assert!(
        asked[0].ends_with(r#"{"metadata":{"resourceVersion":"7"},"status":{"phase":"x","gone":null}}"#),
        "{}",
        asked[0]
    );
    assert!(asked[1].starts_with("POST /apis/apps/v1/namespaces/n/deployments "), "{}", asked[1]);
    assert!(asked[1].contains(r#""kind":"Deployment""#) && asked[1].contains(r#""name":"a""#), "{}", asked[1]);
    assert!(asked[2].contains(r#""preconditions":{"uid":"u","resourceVersion":"7"}"#), "{}", asked[2]);
}

#[tokio::test]
async fn every_answer_has_its_meaning() {
    type Is = fn(&WriteError) -> bool;
    let conflict: Is = |e| matches!(e, WriteError::Conflict(..));
    let gone: Is = |e| matches!(e, WriteError::Gone(..));
    let not_allowed: Is = |e| matches!(e, WriteError::NotAllowed(..));
    let invalid: Is = |e| matches!(e, WriteError::Invalid(..));
    let not_done: Is = |e| matches!(e, WriteError::NotDone(..));
    let unknown: Is = |e| matches!(e, WriteError::Unknown(..));
    let table: [(u16, &'static str, Is); 14] = [
        (409, r#"{"reason":"Conflict","message":"modified"}"#, conflict),
        (409, r#"{"reason":"AlreadyExists","message":"exists"}"#, conflict),
        (
            422,
            r#"{"reason":"Invalid","message":"the server rejected our request due to an error in our request"}"#,
            conflict,
        ),
        (422, r#"{"reason":"Invalid","message":"Deployment \"a\" is invalid: spec: Required value"}"#, invalid),
        (400, r#"{"message":"admission webhook \"w\" denied the request: no"}"#, invalid),
        (404, r#"{"reason":"NotFound","message":"not found"}"#, gone),
        (403, r#"{"reason":"Forbidden","message":"forbidden"}"#, not_allowed),
        (401, "", not_allowed),
        (429, r#"{"message":"too many"}"#, not_done),
        (500, r#"{"message":"etcdserver: request timed out"}"#, unknown),
        (503, "", unknown),
        (504, "", unknown),
        (200, "<html>", unknown),
        (200, r#"{"kind":"Status"}"#, unknown),
    ];
    for (code, body, is) in table {
        let (_fake, api) = answered(code, body).await;
        let error = api.patch(&key(), "7", &[]).await.expect_err("no good answer");
        assert!(is(&error), "{code} {body}: {error:?}");
        let conflicts = matches!(PortError::from(error.clone()), PortError::Conflict(_));
        assert_eq!(conflicts, matches!(error, WriteError::Conflict(..)));
    }
}

#[tokio::test]
async fn what_was_cut_off_is_unknown_and_what_was_never_sent_is_not() {
    let cut = Fake::start(|_| Some(vec![(0, "HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\n{".to_owned())])).await;
    let silent = Fake::start(|_| None).await;
    for fake in [cut, silent] {
        let api = Api::at(&format!("http://{}", fake.address), Duration::from_millis(200));
        let error = api.patch(&key(), "7", &[]).await.expect_err("no answer");
        assert!(matches!(error, WriteError::Unknown(..)), "{error:?}");
    }
    let free = std::net::TcpListener::bind("127.0.0.1:0").expect("bound").local_addr().expect("an address");
    let api = Api::at(&format!("http://{free}"), Duration::from_secs(2));
    let error = api.patch(&key(), "7", &[]).await.expect_err("nobody listens");
    assert!(matches!(error, WriteError::NotDone(..)), "{error:?}");
}

#[tokio::test]
async fn a_name_from_a_spec_cannot_reach_another_object() {
    let (fake, api) = answered(200, OBJECT).await;
    let key = Key::new(Kind::Deployment, "n", "../secrets/x");
    assert!(matches!(api.patch(&key, "7", &[]).await, Err(WriteError::Invalid(..))));
    assert!(matches!(api.create(&key, json!({})).await, Err(WriteError::Invalid(..))));
    assert!(api.read(&key).await.is_err());
    assert_eq!(fake.asked().len(), 0);
}

#[tokio::test]
async fn a_read_tells_no_object_from_no_kind() {
    let (_fake, api) = answered(404, r#"{"reason":"NotFound","message":"deployments \"a\" not found"}"#).await;
    assert_eq!(api.read(&key()).await, Ok(None));
    let (_fake, api) = answered(404, "404 page not found").await;
    assert!(api.read(&key()).await.is_err());
    let (_fake, api) = answered(200, OBJECT).await;
    assert_eq!(api.read(&key()).await.expect("read").expect("there")["metadata"]["uid"], "u");
}

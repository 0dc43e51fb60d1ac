//! What the proxy would send, given to another server's parser: exactly one message, the same one.
//!
//! hyper reads heads with the same library as the proxy does, so it says little about heads and much about framing;
//! `cargo xtask differential` asks a parser that shares nothing with ours.

use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serin_fuzz::corpus::{Expect, escape, requests};
use serin_fuzz::message::sent;
use serin_fuzz::mutate::{Random, mutate};
use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use tokio::io::AsyncWriteExt;

/// Method, target, body and whether the body ended, of each message that hyper sees in `bytes`.
async fn understood(bytes: &[u8]) -> Vec<(String, String, Vec<u8>, bool)> {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let note = Arc::clone(&seen);
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        let note = Arc::clone(&note);
        async move {
            let (head, mut body) = request.into_parts();
            let (mut content, mut whole) = (Vec::new(), true);
            while let Some(frame) = body.frame().await {
                match frame {
                    Ok(frame) => content.extend_from_slice(frame.data_ref().unwrap_or(&Bytes::new())),
                    Err(_) => {
                        whole = false;
                        break;
                    }
                }
            }
            let target = head.uri.to_string();
            note.lock().expect("no panic").push((head.method.to_string(), target, content, whole));
            Ok::<_, Infallible>(hyper::Response::new(Empty::<Bytes>::new()))
        }
    });
    let (mut client, server) = tokio::io::duplex(1 << 20);
    client.write_all(bytes).await.expect("the pipe is larger");
    client.shutdown().await.expect("it is open");
    // A refusal is an answer too; what counts is what the service saw.
    let mut builder = hyper::server::conn::http1::Builder::new();
    let _ = builder.half_close(true).serve_connection(TokioIo::new(server), service).await;
    let seen = seen.lock().expect("no panic");
    seen.clone()
}

#[tokio::test]
async fn hyper_sees_exactly_the_message_that_was_sent() {
    // What is refused unchanged says nothing to hyper, however it is changed: mutations of the rest say more.
    let kept = requests().into_iter().filter(|c| c.expect != Expect::Refused);
    let seeds: Vec<Vec<u8>> = kept.map(|c| c.bytes).collect();
    let mut random = Random::new(3);
    let (mut same, mut refused, mut wrong) = (0, 0, Vec::new());
    for run in 0..30_000 {
        let data = seeds.get(run).cloned().unwrap_or_else(|| mutate(&seeds, &mut random));
        let Ok(Some(sent)) = sent(&data) else { continue };
        let seen = understood(&sent.bytes).await;
        match seen.as_slice() {
            [] => refused += 1,
            [(method, target, body, whole)]
                if *method == sent.method && *target == sent.target && *body == sent.body && *whole == sent.whole =>
            {
                same += 1;
            }
            _ => wrong.push(format!("sent: {}\n  hyper sees {seen:?}", escape(&sent.bytes))),
        }
    }
    assert!(wrong.is_empty(), "{} differ, among them\n{}", wrong.len(), wrong[..wrong.len().min(5)].join("\n"));
    assert!(same > 5000, "{same} the same, {refused} refused by hyper");
    assert!(refused * 20 < same, "{refused} refused by hyper and {same} not: too many for a test of what is sent");
}

//! What is told when there is no cluster, and the calls against a server that answers as it is told.

use super::*;
use crate::fake::Fake;

fn kubeconfig(server: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: a\nclusters: [{{name: a, cluster: {{server: \"{server}\"}}}}]\n\
         users: [{{name: a, user: {{token: t}}}}]\ncontexts: [{{name: a, context: {{cluster: a, user: a}}}}]\n"
    )
}

fn written(text: &str) -> (tempfile::TempDir, Source) {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("config");
    std::fs::write(&path, text).expect("written");
    (directory, Source::Files(vec![path]))
}

#[test]
fn the_first_place_that_is_there_is_taken() {
    let home = tempfile::tempdir().expect("a directory");
    std::fs::create_dir(home.path().join(".kube")).expect("made");
    let usual = home.path().join(".kube/config");
    let mut around = Surroundings { home: Some(home.path().into()), ..Surroundings::default() };
    let nowhere = around.source().expect_err("nothing is there").to_string();
    assert!(nowhere.contains("KUBECONFIG is not set") && nowhere.contains(".kube/config"), "{nowhere}");
    around.service_host = Some("10.0.0.1".into());
    assert_eq!(around.source(), Ok(Source::Pod));
    std::fs::write(&usual, "").expect("written");
    assert_eq!(around.source(), Ok(Source::Files(vec![usual.clone()])));
    around.kubeconfig = Some(format!("/does/not/exist:{}", usual.display()));
    assert_eq!(around.source(), Ok(Source::Files(vec![usual])));
    around.kubeconfig = Some("/does/not/exist".into());
    let wrong = around.source().expect_err("no other cluster is taken instead").to_string();
    assert!(wrong.contains("KUBECONFIG=/does/not/exist"), "{wrong}");
}

#[tokio::test]
async fn a_kubeconfig_that_makes_no_sense_is_named() {
    let (_held, source) = written("clusters: 7\n");
    let why = config(&source, None).await.expect_err("it makes no sense").to_string();
    assert!(why.contains("/config does not say"), "{why}");
    let (_held, source) = written(&kubeconfig("https://127.0.0.1:1"));
    let why = config(&source, Some("b")).await.expect_err("no such context").to_string();
    assert!(why.contains("\"b\" was asked for"), "{why}");
    let proxied = kubeconfig("https://127.0.0.1:1\", proxy-url: \"http://127.0.0.1:2");
    let (_held, source) = written(&proxied);
    let why = config(&source, None).await.expect_err("a proxy").to_string();
    assert!(why.contains("proxy-url"), "{why}");
}

#[tokio::test]
async fn nobody_listens_and_no_such_name_are_sentences() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").expect("bound").local_addr().expect("an address");
    let api = Api::at(&format!("http://{free}"), Duration::from_secs(2));
    let error = api.version().await.expect_err("nobody listens");
    assert!(matches!(&error, CallError::NotSent(why) if why.contains("refuses the connection")), "{error:?}");
}

#[tokio::test]
async fn plain_text_instead_of_tls_is_not_taken_for_a_server() {
    let fake = Fake::start(|_| Some(Fake::answer(200, "{}"))).await;
    let api = Api::at(&format!("https://{}", fake.address), Duration::from_secs(2));
    let error = api.version().await.expect_err("no TLS");
    assert!(matches!(&error, CallError::NotSent(why) if why.contains("TLS")), "{error:?}");
}

#[tokio::test]
async fn a_server_that_does_not_answer_leaves_it_unknown() {
    let fake = Fake::start(|_| None).await;
    let api = Api::at(&format!("http://{}", fake.address), Duration::from_millis(100));
    let error = api.version().await.expect_err("no answer");
    assert!(matches!(&error, CallError::Unknown(why) if why.contains("did not answer")), "{error:?}");
}

#[tokio::test]
async fn the_call_says_who_asks_and_is_sent_once_whatever_the_answer() {
    for code in [429, 500, 503, 504] {
        let fake = Fake::start(move |_| Some(Fake::answer(code, r#"{"message":"not now","reason":"R"}"#))).await;
        let api = Api::at(&format!("http://{}", fake.address), Duration::from_secs(2));
        let error = api.version().await.expect_err("refused");
        let unknown = matches!(&error, CallError::Unknown(_));
        assert_eq!(unknown, code >= 500, "{code}: {error:?}");
        let asked = fake.asked();
        assert_eq!(asked.len(), 1, "{code}: {asked:?}");
        assert!(
            asked[0].to_lowercase().contains(concat!("user-agent: serin/", env!("CARGO_PKG_VERSION"))),
            "{asked:?}"
        );
    }
}

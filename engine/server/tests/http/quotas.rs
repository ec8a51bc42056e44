//! Room for files: who may put how much where, and that everybody hears of it in the same words.

use headend_files::{Digest, Sha256Hash};
use headend_server::Quotas;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::support::{Answer, Client, Lab, upload};

async fn lab(private: u64, public: u64) -> Lab {
    Lab::start_with(move |options| options.quotas = Quotas { private: Some(private), public: Some(public) }).await
}

async fn ask(client: &Client, area: &str, files: &[(&str, u64)]) -> Answer {
    let (paths, sizes): (Vec<_>, Vec<_>) = files.iter().copied().unzip();
    client
        .post(&format!("/api/v1/files/{area}/missing"), &json!({ "hashes": [], "paths": paths, "sizes": sizes }))
        .await
}

async fn commit(client: &Client, area: &str, path: &str, text: &str) -> Answer {
    let hash = Digest::Sha256(Sha256Hash::of(text.as_bytes())).to_string();
    let put = client.put_bytes(&format!("/api/v1/blobs/{}", hash.replace(':', "%3A")), text.as_bytes()).await;
    if !put.status.is_success() {
        return put;
    }
    let file = json!({ "path": path, "hash": hash, "size": text.len() });
    client.post(&format!("/api/v1/files/{area}/commit"), &json!({ "put": [file] })).await
}

async fn usage(client: &Client) -> Value {
    client.get("/api/v1/files/usage").await.ok(StatusCode::OK)
}

#[tokio::test]
async fn what_an_area_has_no_room_for_is_refused_before_it_is_sent_and_at_the_commit() {
    let lab = lab(10, 12).await;
    let (ann, bob) = (lab.user("ann").await, lab.user("bob").await);
    upload(&ann, "private", "a.py", "12345678").await;
    let told = ask(&ann, "private", &[("b.py", 3)]).await;
    assert_eq!((told.problem().as_str(), told.status), ("over_quota", StatusCode::PAYLOAD_TOO_LARGE));
    for word in ["ann", "11 bytes", "10 bytes", "--private-quota"] {
        assert!(told.text.contains(word), "{word} is missing: {}", told.text);
    }
    ask(&ann, "private", &[("b.py", 2), ("..", 99)]).await.ok(StatusCode::OK);
    ask(&ann, "private", &[("a.py", 10)]).await.ok(StatusCode::OK);
    assert_eq!(ask(&ann, "private", &[("b.py", u64::MAX), ("c.py", u64::MAX)]).await.problem(), "over_quota");
    assert_eq!(commit(&ann, "private", "b.py", "abc").await.problem(), "over_quota");
    let before = usage(&ann).await;
    assert_eq!(before["private"], json!({ "files": 1, "bytes": 8, "quota": 10 }), "nothing of it is there");
    // What one has used up takes nothing from the others, nor from the public area.
    upload(&bob, "private", "a.py", "0123456789").await;
    upload(&ann, "public", "a.py", "0123456789").await;
    assert_eq!(commit(&bob, "public", "b.py", "abc").await.problem(), "over_quota");
    // The other ways into the public area say the same.
    let convert = json!({ "private": "a.py", "public": "copies" });
    assert_eq!(ann.post("/api/v1/files/convert", &convert).await.problem(), "over_quota");
    let wrong = json!({ "hashes": [], "paths": ["a", "b"], "sizes": [1] });
    assert_eq!(ann.post("/api/v1/files/private/missing", &wrong).await.problem(), "invalid");
}

#[tokio::test]
async fn the_legacy_wire_has_the_same_code() {
    let lab = lab(100, 4).await;
    upload(&lab.client, "private", "a.py", "12345").await;
    let call = "<methodCall><methodName>convertFilesToPublic</methodName><params>\
                <param><value>a.py</value></param><param><value>x</value></param></params></methodCall>";
    let request = lab.client.request(reqwest::Method::POST, "/").header("content-type", "text/xml").body(call);
    let answer = lab.client.send(request).await.text;
    assert!(answer.contains("<int>17</int>") && answer.contains("--public-quota"), "{answer}");
}

#[tokio::test]
async fn an_area_over_a_lowered_quota_may_shrink_and_not_grow() {
    let quota = std::sync::Arc::new(std::sync::atomic::AtomicU64::new(100));
    let now = quota.clone();
    let set = move |options: &mut headend_server::ServeOptions| {
        options.quotas.private = Some(now.load(std::sync::atomic::Ordering::Relaxed));
    };
    let mut lab = Lab::start_with(set).await;
    upload(&lab.client, "private", "a.py", "12345678").await;
    upload(&lab.client, "private", "b.py", "1234").await;
    quota.store(5, std::sync::atomic::Ordering::Relaxed);
    lab.restart().await;
    assert_eq!(commit(&lab.client, "private", "c.py", "x").await.problem(), "over_quota");
    commit(&lab.client, "private", "a.py", "1234567").await.ok(StatusCode::OK);
    let delete = json!({ "delete": ["a.py"] });
    lab.client.post("/api/v1/files/private/commit", &delete).await.ok(StatusCode::OK);
    commit(&lab.client, "private", "c.py", "x").await.ok(StatusCode::OK);
    assert_eq!(usage(&lab.client).await["private"], json!({ "files": 2, "bytes": 5, "quota": 5 }));
}

#[tokio::test]
async fn bytes_that_nobody_commits_are_bounded_for_each_sender() {
    let lab = lab(6, 4).await;
    let (ann, bob) = (lab.user("ann").await, lab.user("bob").await);
    let address = |text: &'static str| format!("/api/v1/blobs/{}", blake3::hash(text.as_bytes()).to_hex());
    ann.put_bytes(&address("123456"), b"123456").await.ok(StatusCode::OK);
    assert_eq!(ann.put_bytes(&address("abcde"), b"abcde").await.problem(), "over_quota");
    let part = |size: u64| format!("/api/v1/uploads/{}?size={size}&offset=0", blake3::hash(b"x").to_hex());
    assert_eq!(ann.put_bytes(&part(5), b"a").await.problem(), "over_quota", "the whole counts before its first byte");
    ann.put_bytes(&part(4), b"ab").await.ok(StatusCode::OK);
    assert_eq!(
        ann.put_bytes(&address("klm"), b"klm").await.problem(),
        "over_quota",
        "parts count as far as they are there"
    );
    bob.put_bytes(&address("abcde"), b"abcde").await.ok(StatusCode::OK);
    // What is committed no longer waits.
    let file = json!({ "path": "a.py", "hash": blake3::hash(b"123456").to_hex().to_string(), "size": 6 });
    ann.post("/api/v1/files/private/commit", &json!({ "put": [file] })).await.ok(StatusCode::OK);
    ann.put_bytes(&address("klm"), b"klm").await.ok(StatusCode::OK);
}

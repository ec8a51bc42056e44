//! Uploads, revisions, what runs are given, and what they leave.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::{Lab, upload};

fn hash(text: &str) -> String {
    blake3::hash(text.as_bytes()).to_hex().to_string()
}

fn file(path: &str, text: &str) -> Value {
    json!({ "path": path, "hash": hash(text), "size": text.len() })
}

#[tokio::test]
async fn an_upload_is_one_revision_whole_or_not_at_all() {
    let lab = Lab::start().await;
    let client = &lab.client;
    let commit = async |body: Value| client.post("/api/v1/files/public/commit", &body).await;
    let empty = client.get("/api/v1/files/public").await.ok(StatusCode::OK);
    assert_eq!((&empty["revision"], &empty["files"]), (&json!(0), &json!([])));

    let both = json!({ "put": [file("a.py", "a"), file("b/c.py", "c")] });
    let refused = commit(both.clone()).await;
    assert_eq!(refused.problem(), "missing_blobs");
    assert!(refused.text.contains("a.py"), "{}", refused.text);
    let missing = client.post("/api/v1/files/public/missing", &json!({ "hashes": [hash("a"), hash("c")] })).await;
    assert_eq!(missing.ok(StatusCode::OK)["missing"].as_array().unwrap().len(), 2);
    for text in ["a", "c"] {
        client.put_bytes(&format!("/api/v1/blobs/{}", hash(text)), text.as_bytes()).await.ok(StatusCode::OK);
    }
    assert_eq!(commit(both.clone()).await.ok(StatusCode::OK)["revision"], json!(1));
    assert_eq!(commit(both).await.ok(StatusCode::OK)["revision"], json!(1), "nothing has changed");

    // One bad name spoils the whole commit.
    for bad in ["../x", "A.PY", "b", "CON", "x\u{7}"] {
        let body = json!({ "put": [file("good.py", "a"), file(bad, "a")] });
        let code = commit(body).await.problem();
        assert!(matches!(code.as_str(), "bad_path" | "case_clash"), "{bad}: {code}");
    }
    assert_eq!(commit(json!({ "put": [{ "path": "d", "hash": hash("a"), "size": 7 }] })).await.problem(), "invalid");
    assert_eq!(commit(json!({ "delete": ["nothing"] })).await.problem(), "not_found");
    assert_eq!(commit(json!({ "delete": ["b"] })).await.ok(StatusCode::OK)["revision"], json!(2));
    let list = client.get("/api/v1/files/public").await.ok(StatusCode::OK);
    let files = list["files"].as_array().unwrap();
    assert_eq!((files.len(), &files[0]["path"], &files[0]["hash"]), (1, &json!("a.py"), &json!(hash("a"))));
    assert_eq!((&files[0]["revision"], &files[0]["by"]), (&json!(1), &json!("admin")));
}

#[tokio::test]
async fn blobs_must_be_what_they_say_and_not_too_large() {
    let lab = Lab::start_with(|options| options.limits.blob_bytes = 1_000).await;
    let put = async |hash: &str, body: &[u8]| lab.client.put_bytes(&format!("/api/v1/blobs/{hash}"), body).await;
    assert_eq!(put(&hash("a"), b"b").await.problem(), "invalid");
    assert_eq!(put(&hash("a").to_uppercase(), b"a").await.problem(), "invalid");
    let large = "x".repeat(1_001);
    assert_eq!(put(&hash(&large), large.as_bytes()).await.problem(), "too_large");
    let missing = lab.client.get(&format!("/api/v1/blobs/{}", hash("a"))).await;
    assert_eq!(missing.problem(), "not_found", "nothing of it was kept");
}

#[tokio::test]
async fn private_files_are_seen_by_their_owner_only() {
    let lab = Lab::start().await;
    let (ann, bob) = (lab.user("ann").await, lab.user("bob").await);
    upload(&ann, "private", "diary.txt", "secret").await;
    let mine = ann.get("/api/v1/files/private").await.ok(StatusCode::OK);
    assert_eq!(mine["files"].as_array().unwrap().len(), 1);
    assert_eq!(bob.get("/api/v1/files/private").await.ok(StatusCode::OK)["files"], json!([]));
    let tree = mine["tree"].as_str().unwrap();
    for path in [format!("/api/v1/blobs/{}", hash("secret")), format!("/api/v1/trees/{tree}")] {
        assert_eq!(ann.get(&path).await.status, StatusCode::OK, "{path}");
        assert_eq!(bob.get(&path).await.problem(), "not_found", "{path}");
    }
    assert_eq!(ann.get(&format!("/api/v1/blobs/{}", hash("secret"))).await.text, "secret");
}

#[tokio::test]
async fn a_run_keeps_the_files_of_the_moment_it_was_leased() {
    let lab = Lab::start().await;
    lab.upload("a.py", "first").await;
    let old = lab.client.get("/api/v1/files/public").await.ok(StatusCode::OK)["tree"].clone();
    let mut rack = lab.rack("rack1", 1).await;
    lab.client.submit("a.py", &[1]).await;
    lab.client.submit("a.py", &[1]).await;
    let first = rack.take().await.remove(0);
    lab.upload("a.py", "second").await;
    let new = lab.client.get("/api/v1/files/public").await.ok(StatusCode::OK)["tree"].clone();
    assert_eq!(json!(first.public_tree), old);
    let next = rack.pass().await.start.remove(0);
    assert_eq!(json!(next.public_tree), new);
    assert_ne!(old, new);
}

#[tokio::test]
async fn what_a_run_leaves_is_bounded_and_safe_to_open() {
    let lab = Lab::start_with(|options| {
        options.limits.artifact_bytes = 1_000;
        options.limits.run_bytes = 1_500;
        options.limits.run_files = 3;
    })
    .await;
    lab.upload("a.py", "").await;
    let mut rack = lab.rack("rack1", 1).await;
    lab.client.submit("a.py", &[1]).await;
    let run = rack.take().await.remove(0).lease.run;
    let base = format!("/api/v1/runs/{run}/files");
    let put =
        async |path: &str, bytes: usize| rack.client.put_bytes(&format!("{base}/{path}"), &vec![b'x'; bytes]).await;
    put("logfile.html", 600).await.ok(StatusCode::OK);
    put("pictures/1.png", 700).await.ok(StatusCode::OK);
    put("logfile.html", 500).await.ok(StatusCode::OK);
    assert_eq!(put("big.bin", 1_001).await.problem(), "too_large");
    assert_eq!(put("more.bin", 400).await.problem(), "too_large", "the run has 300 bytes left");
    put("c.txt", 100).await.ok(StatusCode::OK);
    assert_eq!(put("d.txt", 1).await.problem(), "too_large", "three files are all");
    for bad in ["..%2f..%2fx", "a%00b", "C:%5cx"] {
        assert_eq!(put(bad, 1).await.problem(), "bad_path", "{bad}");
    }
    assert_eq!(put("c.txt/x", 1).await.problem(), "too_large");

    let list = lab.client.get(&base).await.ok(StatusCode::OK);
    let names: Vec<_> = list["files"].as_array().unwrap().iter().map(|file| file["path"].clone()).collect();
    assert_eq!(names, [json!("c.txt"), json!("logfile.html"), json!("pictures/1.png")]);
    let page = lab.client.get(&format!("{base}/logfile.html")).await;
    assert!(page.headers["content-disposition"].to_str().unwrap().starts_with("attachment"));
    assert_eq!(page.headers["x-content-type-options"], "nosniff");
    let picture = lab.client.get(&format!("{base}/pictures/1.png")).await;
    assert_eq!((picture.media.as_str(), picture.text.len()), ("image/png", 700));
    let stranger = lab.user("bob").await;
    assert_eq!(stranger.get(&base).await.problem(), "not_found");
    assert_eq!(stranger.get(&format!("{base}/c.txt")).await.problem(), "not_found");
    let answer = lab.client.send(lab.client.request(Method::GET, &format!("{base}/nothing.txt"))).await;
    assert_eq!(answer.problem(), "not_found");
    // The end of the run changes nothing of that.
    rack.pass().await;
    rack.client.put_bytes(&format!("{base}/c.txt"), b"late").await.ok(StatusCode::OK);
    assert_eq!(lab.client.get(&format!("{base}/c.txt")).await.text, "late");
}

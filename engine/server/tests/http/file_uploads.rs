//! Uploads as `engine/design/0012` has them: digests of two kinds, packs, parts, one commit.

use headend_files::{Digest, Sha256Hash};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::{Answer, Client, Lab, upload};

fn sha(bytes: &[u8]) -> String {
    Digest::Sha256(Sha256Hash::of(bytes)).to_string()
}

fn row(path: &str, text: &str) -> Value {
    json!({ "path": path, "hash": sha(text.as_bytes()), "size": text.len() })
}

fn pack(texts: &[(&str, &str)]) -> Vec<u8> {
    texts.iter().flat_map(|(digest, text)| format!("{digest} {}\n{text}", text.len()).into_bytes()).collect()
}

async fn send_pack(client: &Client, body: Vec<u8>) -> Answer {
    let request = client.request(Method::POST, "/api/v1/blobs").header("content-type", "application/x-headend-pack");
    client.send(request.body(body)).await
}

async fn missing(client: &Client, area: &str, hashes: &[String]) -> Vec<Value> {
    let answer = client.post(&format!("/api/v1/files/{area}/missing"), &json!({ "hashes": hashes })).await;
    answer.ok(StatusCode::OK)["missing"].as_array().unwrap().clone()
}

async fn commit(client: &Client, area: &str, put: Value) -> Answer {
    client.post(&format!("/api/v1/files/{area}/commit"), &json!({ "put": put, "delete": [] })).await
}

fn fields(answer: &Answer) -> Value {
    answer.json()["fields"].clone()
}

#[tokio::test]
async fn small_files_by_sha256_take_three_requests() {
    let lab = Lab::start().await;
    let (a, b) = (sha(b"a"), sha(b"b"));
    let asked = [a.clone(), b.clone(), a.clone()];
    assert_eq!(missing(&lab.client, "public", &asked).await, [json!(a), json!(b)], "each once, as asked for");
    let stored = send_pack(&lab.client, pack(&[(&a, "a"), (&b, "b")])).await.ok(StatusCode::OK);
    assert_eq!(stored, json!({ "stored": 2 }));
    assert_eq!(missing(&lab.client, "public", &asked).await, Vec::<Value>::new());
    let mut first = row("x/a.py", "a");
    first["edited"] = json!("2013-05-03T09:07:57Z");
    let put = json!([first, row("x/b.py", "b")]);
    let done = commit(&lab.client, "public", put.clone()).await.ok(StatusCode::OK);
    assert_eq!(done["revision"], json!(1));
    assert_eq!(commit(&lab.client, "public", put).await.ok(StatusCode::OK), done, "sent twice it is one revision");
    let list = lab.client.get("/api/v1/files/public").await.ok(StatusCode::OK);
    assert_eq!(list["files"][0]["edited"], json!("2013-05-03T09:07:57.000000Z"));
    assert_eq!(list["files"][0]["hash"], json!(blake3::hash(b"a").to_hex().to_string()), "trees know BLAKE3 alone");
    let one = lab.client.get("/api/v1/files/public?path=x%5Cb.py").await.ok(StatusCode::OK);
    assert_eq!(one["files"].as_array().unwrap().len(), 1);
    // By either name, in one piece.
    let path = format!("/api/v1/blobs/{}", sha(b"c").replace(':', "%3A"));
    lab.client.put_bytes(&path, b"c").await.ok(StatusCode::OK);
    assert_eq!(lab.client.put_bytes(&path, b"d").await.problem(), "invalid");
    assert_eq!(missing(&lab.client, "public", &[sha(b"c")]).await, Vec::<Value>::new());
}

#[tokio::test]
async fn a_pack_is_taken_up_to_its_first_fault() {
    let lab = Lab::start().await;
    let (a, b, c) = (sha(b"a"), sha(b"b"), sha(b"c"));
    let bad = send_pack(&lab.client, pack(&[(&a, "a"), (&b, "x"), (&c, "c")])).await;
    assert_eq!((bad.problem().as_str(), fields(&bad)), ("invalid", json!(["/1"])));
    assert_eq!(missing(&lab.client, "public", &[a, b, c]).await.len(), 2);
    let mut cut = pack(&[(&sha(b"dd"), "dd")]);
    cut.pop();
    assert_eq!(send_pack(&lab.client, cut).await.problem(), "bad_request");
    let plain = lab.client.send(lab.client.request(Method::POST, "/api/v1/blobs").body("x")).await;
    assert_eq!(plain.problem(), "media_type");
    assert_eq!(send_pack(&lab.client, vec![b'x'; (8 << 20) + 1]).await.problem(), "too_large");
}

/// Begins a request and cuts the connection in the middle of its body.
async fn cut(lab: &Lab, path: &str, announced: usize, body: &[u8]) {
    let mut wire = tokio::net::TcpStream::connect(lab.address()).await.unwrap();
    let token = lab.client.token.clone().unwrap();
    let head = format!(
        "PUT {path} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {token}\r\ncontent-length: {announced}\r\n\r\n"
    );
    wire.write_all(head.as_bytes()).await.unwrap();
    wire.write_all(body).await.unwrap();
    wire.flush().await.unwrap();
    wire.shutdown().await.unwrap();
    // The server's answer, or the end of the connection.
    let _ = wire.read_to_end(&mut Vec::new()).await;
}

#[tokio::test]
async fn a_large_file_goes_on_after_a_cut_and_after_a_restart() {
    let mut lab = Lab::start().await;
    let bytes: Vec<u8> = (0..700_000_u32).map(|n| (n % 251) as u8).collect();
    let path = format!("/api/v1/uploads/{}?size=700000", sha(&bytes).replace(':', "%3A"));
    let at = |offset: usize| format!("{path}&offset={offset}");
    assert_eq!(lab.client.get(&path).await.ok(StatusCode::OK), json!({ "received": 0, "complete": false }));
    cut(&lab, &at(0), 700_000, &bytes[..400_000]).await;
    let received = loop {
        // The request that was cut may still hold the upload.
        let received = lab.client.get(&path).await.ok(StatusCode::OK)["received"].as_u64().unwrap() as usize;
        let probe = lab.client.put_bytes(&at(received), b"").await;
        if probe.status == StatusCode::OK {
            break received;
        }
        assert_eq!(probe.problem(), "conflict");
    };
    assert!((1..=400_000).contains(&received), "{received} bytes stay");
    lab.restart().await;
    assert_eq!(lab.client.get(&path).await.ok(StatusCode::OK)["received"], json!(received));
    assert_eq!(lab.client.put_bytes(&at(0), &bytes[..10]).await.problem(), "conflict");
    assert_eq!(lab.client.put_bytes(&at(received), &bytes).await.problem(), "too_large");
    let half = usize::midpoint(received, 700_000);
    let answer = lab.client.put_bytes(&at(received), &bytes[received..half]).await.ok(StatusCode::OK);
    assert_eq!(answer, json!({ "received": half, "complete": false }));
    let answer = lab.client.put_bytes(&at(half), &bytes[half..]).await.ok(StatusCode::OK);
    assert_eq!(answer, json!({ "received": 700_000, "complete": true }));
    assert_eq!(lab.client.get(&path).await.ok(StatusCode::OK), json!({ "received": 700_000, "complete": true }));
    let put = json!([{ "path": "film.ts", "hash": sha(&bytes), "size": 700_000 }]);
    commit(&lab.client, "public", put).await.ok(StatusCode::OK);
}

#[tokio::test]
async fn uploads_are_bounded_and_wrong_bytes_are_dropped() {
    let lab = Lab::start_with(|options| options.limits.blob_bytes = 1_000).await;
    let at = |digest: &str, size: u64, offset: u64| format!("/api/v1/uploads/{digest}?size={size}&offset={offset}");
    let put = async |path: String, body: &[u8]| lab.client.put_bytes(&path, body).await;
    let other = sha(b"other");
    assert_eq!(put(at(&other, 1_001, 0), b"x").await.problem(), "too_large");
    assert_eq!(put(at(&other, 10, 0), &[7; 10]).await.problem(), "invalid");
    let fresh = lab.client.get(&format!("/api/v1/uploads/{other}?size=10")).await.ok(StatusCode::OK);
    assert_eq!(fresh["received"], json!(0));
    for n in 0..16_u8 {
        put(at(&sha(&[n]), 10, 0), b"x").await.ok(StatusCode::OK);
    }
    assert_eq!(put(at(&sha(b"one more"), 10, 0), b"x").await.problem(), "too_many");
    assert_eq!(put("/api/v1/uploads/nonsense?size=1&offset=0".to_owned(), b"x").await.problem(), "invalid");
    assert_eq!(lab.client.get(&format!("/api/v1/uploads/{other}")).await.problem(), "bad_request");
    let chunked = lab.client.request(Method::PUT, &at(&sha(&[0]), 10, 1));
    let stream = futures::stream::iter([Ok::<_, std::io::Error>("y")]);
    let chunked = lab.client.send(chunked.body(reqwest::Body::wrap_stream(stream))).await;
    assert_eq!(chunked.problem(), "bad_request");
}

#[tokio::test]
async fn a_refusal_names_all_entries_at_fault() {
    let lab = Lab::start().await;
    upload(&lab.client, "public", "Test.py", "old").await;
    let ask = json!({ "hashes": [], "paths": ["ok.py", "samples/CON", "test.py", "a.py", "A.py", "x/../y"] });
    let answer = lab.client.post("/api/v1/files/public/missing", &ask).await.ok(StatusCode::OK);
    let refused: Vec<_> = answer["refused"].as_array().unwrap().iter().map(|r| (&r["path"], &r["code"])).collect();
    let (bad, clash) = (json!("bad_path"), json!("case_clash"));
    let names = ["samples/CON", "x/../y", "test.py", "a.py", "A.py"].map(|name| json!(name));
    assert_eq!(
        refused,
        [(&names[0], &bad), (&names[1], &bad), (&names[2], &clash), (&names[3], &clash), (&names[4], &clash)]
    );

    let at_fault = async |put: Value| {
        let answer = commit(&lab.client, "public", put).await;
        (answer.problem(), fields(&answer))
    };
    let put = json!([row("a/nul", "old"), row("ok.py", "old"), row("..", "old")]);
    assert_eq!(at_fault(put).await, ("bad_path".into(), json!(["/put/0/path", "/put/2/path"])));
    let put = json!([row("a.py", "old"), row("ok.py", "old"), row("A.py", "old"), row("test.py", "old")]);
    let wanted = json!(["/put/0/path", "/put/2/path", "/put/3/path"]);
    assert_eq!(at_fault(put).await, ("case_clash".into(), wanted));
    let put = json!([row("a.py", "1"), row("b.py", "old"), row("c.py", "2")]);
    assert_eq!(at_fault(put).await, ("missing_blobs".into(), json!(["/put/0/hash", "/put/2/hash"])));
    let mut wrong = row("a.py", "old");
    wrong["edited"] = json!("yesterday");
    assert_eq!(at_fault(json!([wrong])).await, ("invalid".into(), json!(["/put/0/edited"])));
    let answer = lab.client.post("/api/v1/files/public/commit", &json!({ "delete": ["*.py"] })).await;
    assert_eq!((answer.problem(), fields(&answer)), ("bad_path".into(), json!(["/delete/0"])));
    assert!(answer.text.contains("wildcards"), "{}", answer.text);
    let list = lab.client.get("/api/v1/files/public").await.ok(StatusCode::OK);
    assert_eq!(list["revision"], json!(1), "nothing of it was done");
}

#[tokio::test]
async fn nobody_learns_of_others_files_by_guessing_their_bytes() {
    let lab = Lab::start().await;
    let (ann, bob) = (lab.user("ann").await, lab.user("bob").await);
    upload(&ann, "private", "diary.txt", "secret").await;
    let names = [sha(b"secret"), blake3::hash(b"secret").to_hex().to_string()];
    for area in ["public", "private"] {
        assert_eq!(missing(&ann, area, &names).await, Vec::<Value>::new());
        assert_eq!(missing(&bob, area, &names).await.len(), 2, "{area}: bob has neither sent nor seen it");
    }
    for name in &names {
        let put = json!([{ "path": "x", "hash": name, "size": 6 }]);
        assert_eq!(commit(&bob, "private", put).await.problem(), "missing_blobs");
        let path = format!("/api/v1/uploads/{name}?size=6");
        assert_eq!(bob.get(&path).await.ok(StatusCode::OK), json!({ "received": 0, "complete": false }));
        assert_eq!(ann.get(&path).await.ok(StatusCode::OK)["complete"], json!(true));
        assert_eq!(bob.get(&format!("/api/v1/blobs/{}", names[1])).await.problem(), "not_found");
    }
    // Sending what is there already works as if it were not.
    send_pack(&bob, pack(&[(&names[0], "secret")])).await.ok(StatusCode::OK);
    commit(&bob, "private", json!([row("x", "secret")])).await.ok(StatusCode::OK);
}

#[tokio::test]
async fn overlapping_uploads_are_each_whole() {
    // Each of the writers puts its number into all files at once; a reader never sees two numbers (E2, E3).
    let lab = Lab::start().await;
    let files: Vec<String> = (0..20).map(|n| format!("tree/{n}.txt")).collect();
    let writers = (0..4_u32).map(|writer| {
        let (client, files) = (lab.client.clone(), files.clone());
        tokio::spawn(async move {
            for round in 0..5_u32 {
                let text = format!("{writer} {round}");
                send_pack(&client, pack(&[(&sha(text.as_bytes()), &text)])).await.ok(StatusCode::OK);
                let put: Vec<Value> = files.iter().map(|path| row(path, &text)).collect();
                commit(&client, "public", json!(put)).await.ok(StatusCode::OK);
            }
        })
    });
    let writers: Vec<_> = writers.collect();
    while !writers.iter().all(tokio::task::JoinHandle::is_finished) {
        let list = lab.client.get("/api/v1/files/public").await.ok(StatusCode::OK);
        let hashes: std::collections::BTreeSet<_> =
            list["files"].as_array().unwrap().iter().map(|file| file["hash"].to_string()).collect();
        assert!(hashes.len() <= 1, "{list}");
    }
    for writer in writers {
        writer.await.unwrap();
    }
    let history = lab.client.get("/api/v1/files/public/history?path=tree/7.txt").await.ok(StatusCode::OK);
    assert_eq!(history["changes"].as_array().unwrap().len(), 20, "every upload is in the history");
}

//! An upload sends what the server lacks, and then one commit.

use std::fs;

use serde_json::{Value, json};

use crate::fake::Fake;

#[test]
fn only_missing_files_are_sent_and_all_are_committed() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("zap")).unwrap();
    fs::write(folder.path().join("zap/zap.rhai"), "press(\"UP\")").unwrap();
    fs::write(folder.path().join("menu.py"), "print('menu')").unwrap();
    let hash = |text: &str| blake3::hash(text.as_bytes()).to_hex().to_string();
    let lacking = hash("press(\"UP\")");
    let fake = Fake::start()
        .on("POST /api/v1/files/public/missing", 200, &json!({ "missing": [lacking] }))
        .on("POST /api/v1/blobs", 200, &json!({ "stored": 1 }))
        .on("POST /api/v1/files/public/commit", 200, &json!({ "revision": 4, "tree": "t" }));
    let said = fake.headend(&["files", "upload", folder.path().to_str().unwrap(), "--to", "lab"]);
    assert_eq!(said, "exit 0\n--- out\nrevision 4\n--- err\n2 files in the public area, 1 of them sent\n");

    let seen = fake.seen();
    let lines: Vec<_> = seen.iter().map(|request| request.line.split("/v1").nth(1).unwrap().to_owned()).collect();
    assert_eq!(lines, ["/files/public/missing", "/blobs", "/files/public/commit"]);
    assert_eq!(seen[1].body, format!("{lacking} 11\npress(\"UP\")").into_bytes());
    assert_eq!(seen[1].headers["content-type"], "application/x-headend-pack");
    let commit: Value = serde_json::from_slice(&seen[2].body).unwrap();
    let edited = commit["put"][0]["edited"].as_str().unwrap();
    assert!(edited.ends_with('Z'), "{edited}");
    let first = json!({ "path": "lab/menu.py", "hash": hash("print('menu')"), "size": 13, "edited": edited });
    assert_eq!(commit["put"][0], first);
    assert_eq!(commit["put"][1]["path"], "lab/zap/zap.rhai");
}

#[cfg(unix)]
#[test]
fn a_link_is_refused_before_anything_is_sent() {
    let folder = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink("/etc/hostname", folder.path().join("link.py")).unwrap();
    let fake = Fake::start();
    let said = fake.headend(&["files", "upload", folder.path().to_str().unwrap()]);
    assert!(said.starts_with("exit 2") && said.contains("is a symbolic link"), "{said}");
    assert_eq!(fake.seen().len(), 0);
}

#[test]
fn a_large_file_goes_on_where_it_was_cut() {
    let folder = tempfile::tempdir().unwrap();
    let bytes: Vec<u8> = (0..300_000_u32).map(|n| (n % 251) as u8).collect();
    fs::write(folder.path().join("film.ts"), &bytes).unwrap();
    let hash = blake3::hash(&bytes).to_hex().to_string();
    let upload = format!("/api/v1/uploads/{hash}");
    let fake = Fake::start()
        .on("POST /api/v1/files/private/missing", 200, &json!({ "missing": [hash] }))
        .on(&format!("GET {upload}"), 200, &json!({ "received": 280_000, "complete": false }))
        .on(&format!("PUT {upload}"), 200, &json!({ "received": 300_000, "complete": true }))
        .on("POST /api/v1/files/private/commit", 200, &json!({ "revision": 1, "tree": "t" }));
    let said = fake.headend(&["files", "upload", folder.path().to_str().unwrap(), "--private"]);
    assert!(said.starts_with("exit 0"), "{said}");
    let seen = fake.seen();
    assert_eq!(seen[1].line, format!("GET {upload}?size=300000"));
    assert_eq!(seen[2].line, format!("PUT {upload}?size=300000&offset=280000"));
    assert_eq!(seen[2].body, bytes[280_000..]);
}

#[test]
fn what_is_over_a_quota_is_not_sent_and_the_room_is_shown() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a.py"), "12345").unwrap();
    let problem = json!({
        "type": "/problems/over_quota", "title": "The area of files would be over its quota", "status": 413,
        "detail": "the private area of ann would have 5 bytes, and its quota is 4 bytes", "code": "over_quota", "number": 17
    });
    let fake = Fake::start().on("POST /api/v1/files/private/missing", 413, &problem).on(
        "GET /api/v1/files/usage",
        200,
        &json!({
            "public": { "files": 2, "bytes": 10, "quota": null }, "private": { "files": 1, "bytes": 3, "quota": 4 }
        }),
    );
    let said = fake.headend(&["files", "upload", folder.path().to_str().unwrap(), "--private"]);
    assert!(!said.starts_with("exit 0") && said.contains("its quota is 4 bytes"), "{said}");
    let asked: serde_json::Value = serde_json::from_slice(&fake.seen()[0].body).unwrap();
    assert_eq!((&asked["paths"], &asked["sizes"]), (&json!(["a.py"]), &json!([5])));
    assert_eq!(fake.seen().len(), 1, "no byte of it was sent");
    let said = fake.headend(&["files", "usage"]);
    let rows: Vec<Vec<&str>> = said.lines().map(|line| line.split_whitespace().collect()).collect();
    assert!(
        rows.contains(&vec!["public", "2", "10", "none"]) && rows.contains(&vec!["private", "1", "3", "4"]),
        "{said}"
    );
}

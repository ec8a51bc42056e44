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
        .on(&format!("PUT /api/v1/blobs/{lacking}"), 200, &Value::Null)
        .on("POST /api/v1/files/public/commit", 200, &json!({ "revision": 4, "tree": "t" }));
    let said = fake.headend(&["files", "upload", folder.path().to_str().unwrap(), "--to", "lab"]);
    assert_eq!(said, "exit 0\n--- out\nrevision 4\n--- err\n2 files in the public area, 1 of them sent\n");

    let seen = fake.seen();
    let lines: Vec<_> = seen.iter().map(|request| request.line.split("/v1").nth(1).unwrap().to_owned()).collect();
    assert_eq!(
        lines,
        ["/files/public/missing".to_owned(), format!("/blobs/{lacking}"), "/files/public/commit".to_owned()]
    );
    assert_eq!(seen[1].body, b"press(\"UP\")");
    let commit: Value = serde_json::from_slice(&seen[2].body).unwrap();
    assert_eq!(commit["put"][0], json!({ "path": "lab/menu.py", "hash": hash("print('menu')"), "size": 13 }));
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

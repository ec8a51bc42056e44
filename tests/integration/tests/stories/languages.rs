//! Tests in Rhai, WASM and Python, side by side in one job, under a policy that was loaded from a file.

use std::path::Path;

use headend_integration::client::{request, slots, test};
use headend_integration::lab::{guests, repository};
use headend_integration::{Client, Lab, witness};
use headend_wire::api::{ModeRef, TestRequest};
use serde_json::json;

/// Uploads the examples as the demo does; gives the scripts by language. The legacy one runs where there is a
/// Python 2.7, which the test command looks for.
async fn upload_examples(client: &Client) -> Vec<&'static str> {
    let mut wanted = vec![
        ("rhai-zap/zap.rhai", repository().join("examples/rhai-zap/zap.rhai")),
        ("wasm-menu/menu.wasm", guests().join("examples/wasm-menu/menu.wasm")),
        ("python-zap/zap.py", repository().join("examples/python-zap/zap.py")),
    ];
    if std::env::var_os("HEADEND_PYTHON2").is_some() {
        let legacy = repository().join("examples/python27-legacy");
        client.upload("public", &[("python27-legacy/keys.py", &read(&legacy.join("keys.py")))]).await;
        wanted.push(("python27-legacy/menu_walk.py", legacy.join("menu_walk.py")));
    }
    for (path, file) in &wanted {
        client.upload("public", &[(path, &read(file))]).await;
    }
    wanted.into_iter().map(|(path, _)| path).collect()
}

fn read(file: &Path) -> Vec<u8> {
    std::fs::read(file).unwrap_or_else(|e| panic!("{}: {e}", file.display()))
}

#[tokio::test]
async fn one_job_in_every_language_under_a_loaded_policy() {
    let lab = Lab::start(4).await;
    let plugin = guests().join("plugins/test-coverage");
    let loaded = lab.client.post("/plugins/load", &json!({"path": plugin})).await;
    assert!(loaded.status.is_success(), "{}", loaded.text());
    let scripts = upload_examples(&lab.client).await;
    let tests =
        scripts.iter().map(|script| TestRequest { mode: ModeRef::Name("test-coverage".into()), ..test(script) });
    let job = lab.client.submit(&request("languages", &slots("rack1", 1..=4), tests)).await.job;
    let detail = lab.client.finished(job).await;
    for run in &detail.run_list {
        assert_eq!(run.result, 111, "{}: {}\n{}", run.script, run.comment, lab.logs());
        assert!(run.why.contains("test-coverage"), "{}", run.why);
    }
    assert_eq!(detail.run_list.len(), 4 * scripts.len());
    witness::judge(&witness::read(&lab.witness()));
}

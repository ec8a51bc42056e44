//! Tests in Rhai, WASM and Python, side by side in one job, under a policy that was loaded from a file.

use std::path::Path;

use headend_integration::client::{request, slots, test};
use headend_integration::lab::{guests, repository};
use headend_integration::{Client, Lab, witness};
use headend_wire::api::{ModeRef, TestRequest};
use serde_json::json;

/// Uploads the examples as the demo does; gives the scripts by language.
async fn upload_examples(client: &Client) -> Vec<&'static str> {
    let wanted = [
        ("rhai-zap/zap.rhai", repository().join("examples/rhai-zap/zap.rhai")),
        ("wasm-menu/menu.wasm", guests().join("examples/wasm-menu/menu.wasm")),
        ("python-zap/zap.py", repository().join("examples/python-zap/zap.py")),
    ];
    for (path, file) in &wanted {
        client.upload("public", &[(path, &read(file))]).await;
    }
    wanted.map(|(path, _)| path).to_vec()
}

fn read(file: &Path) -> Vec<u8> {
    std::fs::read(file).unwrap_or_else(|e| panic!("{}: {e}", file.display()))
}

#[tokio::test]
async fn one_job_in_three_languages_under_a_loaded_policy() {
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
    assert_eq!(detail.run_list.len(), 12);
    witness::judge(&witness::read(&lab.witness()));
}

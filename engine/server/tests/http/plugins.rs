//! Plugins over HTTP: what cannot be loaded is refused with the step that failed, and shown.

use reqwest::StatusCode;
use serde_json::json;

use crate::support::{Lab, PATIENCE};

#[tokio::test]
async fn what_cannot_be_loaded_is_refused_with_the_reason() {
    let lab = Lab::start().await;
    let load = async |client: &crate::support::Client, path: &str| {
        client.post("/api/v1/plugins/load", &json!({ "path": path })).await
    };
    let folder = lab.folder.path().join("plugins").join("broken");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("headend-plugin.toml"), "this is no manifest").unwrap();
    let refused = load(&lab.client, "broken").await;
    assert_eq!(refused.problem(), "bad_plugin");
    assert!(refused.text.contains("headend-plugin.toml"), "{}", refused.text);
    for path in ["nothing", "", "a\u{0}b"] {
        assert_eq!(load(&lab.client, path).await.problem(), "bad_plugin", "{path:?}");
    }
    let user = lab.user("ann").await;
    for outside in ["/etc", "../.."] {
        assert_eq!(load(&user, outside).await.problem(), "forbidden", "{outside}");
        assert_eq!(load(&lab.client, outside).await.problem(), "bad_plugin", "{outside}");
    }
    for verb in ["reload", "disable", "enable"] {
        let answer = lab.client.post(&format!("/api/v1/plugins/nothing/{verb}"), &json!({})).await;
        assert_eq!(answer.problem(), "unknown_plugin");
    }
}

#[tokio::test]
async fn a_broken_plugin_in_the_folder_is_shown_and_stops_nothing() {
    let lab = Lab::start_with(|options| {
        let folder = options.plugin_folder().join("broken");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("headend-plugin.toml"), "name = 7").unwrap();
    })
    .await;
    let list = lab.client.get("/api/v1/plugins").await.ok(StatusCode::OK);
    let plugin = &list["plugins"][0];
    assert_eq!((&plugin["name"], &plugin["state"]), (&json!("broken"), &json!("broken")), "{list}");
    assert!(!plugin["reason"].as_str().unwrap().is_empty());
    assert_eq!(lab.client.get("/readyz").await.status, StatusCode::OK);
    std::fs::remove_dir_all(lab.folder.path().join("plugins").join("broken")).unwrap();
    let began = std::time::Instant::now();
    while lab.client.get("/api/v1/plugins").await.ok(StatusCode::OK)["plugins"] != json!([]) {
        assert!(began.elapsed() < PATIENCE, "what has gone is not complained of any more");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}

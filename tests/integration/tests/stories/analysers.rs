//! An analyser that is installed on the server: racks look with it, with another version of it, and with the old one again, also after
//! both were started anew.

use std::process::{Command, Output};

use headend_integration::client::{request, slots, test};
use headend_integration::lab::program;
use headend_integration::{Lab, eventually};
use headend_wire::api::PluginList;
use headend_wire::plugins::PluginDetail;

/// Asks, and ends with what it is told.
const LOOKS: &str = r#"
    connect("box", "");
    reserve_slot(1);
    let seen = look_for("my-eye", #{});
    result(if seen.passed { PASS } else { FAIL }, seen.sentence);
"#;

async fn plugin(lab: &Lab, words: &[&str]) -> String {
    let mut command = Command::new(program());
    command.arg("plugin").args(words).env("NO_COLOR", "1");
    command.env("HEADEND_CONFIG", lab.server_data().join("credentials.toml"));
    let Output { status, stdout, stderr } =
        tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let said = String::from_utf8_lossy(&stdout).into_owned();
    assert!(status.success(), "{words:?}: {said}{}", String::from_utf8_lossy(&stderr));
    said
}

fn write(lab: &Lab, version: &str, sentence: &str) -> String {
    let folder = lab.folder.path().join("my-eye");
    std::fs::create_dir_all(&folder).unwrap();
    let manifest = format!(
        "name = \"my-eye\"\nversion = \"{version}\"\nkind = \"analyser\"\nworld = \"1.0.0\"\nfile = \"analyser.rhai\"\n\
         limits.deadline_ms = 5000\n"
    );
    std::fs::write(folder.join("headend-plugin.toml"), manifest).unwrap();
    let code = format!("fn feed(frame) {{ #{{ passed: true, sentence: \"{sentence}\" }} }}\n");
    std::fs::write(folder.join("analyser.rhai"), code).unwrap();
    folder.to_str().unwrap().to_owned()
}

/// What a test that looks ends with.
async fn comment(lab: &Lab) -> String {
    let job = lab.client.submit(&request("look", &slots("rack1", [1]), [test("look.rhai")])).await.job;
    lab.client.finished(job).await.run_list[0].comment.clone()
}

/// A rack asks the server once a second at most.
async fn becomes(lab: &Lab, wanted: &str) {
    eventually(&format!("a test to be told {wanted:?}"), || async {
        comment(lab).await.contains(wanted).then_some(())
    })
    .await;
}

#[tokio::test]
async fn what_is_in_force_on_the_server_is_what_tests_look_with() {
    let mut lab = Lab::start(1).await;
    lab.client.upload("public", &[("look.rhai", LOOKS.as_bytes())]).await;
    assert!(comment(&lab).await.contains("there is no analyser \"my-eye\""));

    let said = plugin(&lab, &["install", &write(&lab, "1.0.0", "seen by one")]).await;
    assert!(said.contains("my-eye 1.0.0 is live"), "{said}");
    becomes(&lab, "seen by one").await;
    plugin(&lab, &["install", &write(&lab, "2.0.0", "seen by two")]).await;
    becomes(&lab, "seen by two").await;
    let said = plugin(&lab, &["rollback", "my-eye"]).await;
    assert!(said.contains("my-eye 1.0.0 is live"), "{said}");
    becomes(&lab, "seen by one").await;

    lab.rack.as_mut().unwrap().stop();
    lab.server.as_mut().unwrap().stop();
    lab.start_server(&[]);
    lab.server_ready().await;
    lab.start_rack(&[]).await;
    lab.rack_online().await;
    assert_eq!(comment(&lab).await, "seen by one", "{}", lab.logs());
    let detail: PluginDetail = lab.client.get("/plugins/my-eye").await.json();
    let versions: Vec<_> = detail.versions.iter().map(|kept| (kept.version.as_str(), kept.current)).collect();
    assert_eq!((detail.item.kind.as_str(), versions), ("analyser", vec![("1.0.0", true), ("2.0.0", false)]));

    plugin(&lab, &["rollback", "my-eye", "--to", &detail.versions[1].hash[..12]]).await;
    becomes(&lab, "seen by two").await;
    plugin(&lab, &["disable", "my-eye"]).await;
    becomes(&lab, "my-eye is disabled").await;
    plugin(&lab, &["enable", "my-eye"]).await;
    becomes(&lab, "seen by two").await;
    plugin(&lab, &["remove", "my-eye"]).await;
    becomes(&lab, "there is no analyser \"my-eye\"").await;
    let list: PluginList = lab.client.get("/plugins").await.json();
    assert!(list.plugins.is_empty());
}

#[tokio::test]
async fn an_analyser_is_no_policy_and_no_shadow() {
    let lab = Lab::start(1).await;
    plugin(&lab, &["install", &write(&lab, "1.0.0", "one")]).await;
    let shadow = serde_json::json!({ "plugin": "my-eye", "beside": "my-eye" });
    let refused = lab.client.post("/shadows", &shadow).await;
    assert!(refused.status.is_client_error(), "{}", refused.text());
    let order = lab.client.request(reqwest::Method::PUT, "/queue-policy");
    let order = lab.client.send(order.json(&serde_json::json!({ "policy": "my-eye" }))).await.unwrap();
    assert!(order.text().contains("of kind analyser"), "{}", order.text());
    let mut wanted = request("x", &slots("rack1", [1]), [test("a.rhai")]);
    wanted.tests[0].mode = headend_wire::api::ModeRef::Name("my-eye".into());
    let refused = lab.client.post("/jobs", &wanted).await;
    assert!(refused.status.is_client_error(), "{}", refused.text());
}

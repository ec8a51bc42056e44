//! Policies come, fail and go while jobs run.

use headend_integration::client::{request, slots, test};
use headend_integration::lab::guests;
use headend_integration::{Lab, eventually};
use headend_wire::api::{ModeRef, PluginItem, PluginList, TestRequest};
use serde_json::json;

use super::scripts;

async fn plugin(lab: &Lab, name: &str) -> Option<PluginItem> {
    lab.client.get("/plugins").await.json::<PluginList>().plugins.into_iter().find(|plugin| plugin.name == name)
}

async fn run_under(lab: &Lab, policy: &str) -> headend_wire::api::JobDetail {
    let pass = scripts::PASS.as_bytes();
    lab.client.upload("public", &[("a.rhai", pass), ("b.rhai", pass)]).await;
    let tests = ["a.rhai", "b.rhai"].map(|s| TestRequest { mode: ModeRef::Name(policy.into()), ..test(s) });
    let job = lab.client.submit(&request(policy, &slots("rack1", 1..=2), tests)).await.job;
    lab.client.finished(job).await
}

#[tokio::test]
async fn a_plugin_put_into_the_folder_serves_the_next_job() {
    let lab = Lab::start(2).await;
    let from = guests().join("plugins/test-coverage");
    let to = lab.server_data().join("plugins/test-coverage");
    std::fs::create_dir_all(&to).unwrap();
    for file in std::fs::read_dir(from).unwrap().flatten() {
        std::fs::copy(file.path(), to.join(file.file_name())).unwrap();
    }
    eventually("the plugin to be live", || async { plugin(&lab, "test-coverage").await.filter(|p| p.state == "live") })
        .await;
    let detail = run_under(&lab, "test-coverage").await;
    assert_eq!(detail.item.passed, 4, "{:#?}", detail.run_list);
}

/// Writes a Rhai policy into a folder beside the lab and loads it.
async fn load_rhai(lab: &Lab, name: &str, source: &str) {
    write_rhai(lab, name, source);
    let answer = lab.client.post("/plugins/load", &json!({"path": lab.folder.path().join(name)})).await;
    assert!(answer.status.is_success(), "{}", answer.text());
}

fn write_rhai(lab: &Lab, name: &str, source: &str) {
    let folder = lab.folder.path().join(name);
    std::fs::create_dir_all(&folder).unwrap();
    let example = guests().join("plugins/spread/headend-plugin.toml");
    let manifest = std::fs::read_to_string(&example).unwrap_or_else(|e| panic!("{}: {e}", example.display()));
    let manifest = manifest.replace("\"spread\"", &format!("{name:?}")).replace("spread.rhai", "policy.rhai");
    std::fs::write(folder.join("headend-plugin.toml"), manifest).unwrap();
    std::fs::write(folder.join("policy.rhai"), source).unwrap();
}

/// SIGKILL, and a new life on the same folder.
async fn restart_server(lab: &mut Lab) {
    lab.server.take().unwrap().kill();
    lab.start_server(&[]);
    lab.server_ready().await;
    lab.rack_online().await;
}

/// Behaves while it is checked at load, and throws on the racks of a lab.
const TRAITOR: &str = r#"
    fn propose(plan, free) {
        for target in plan.targets {
            if `${target.rack}` != "self-check" { throw "no"; }
        }
        []
    }
"#;

#[tokio::test]
async fn a_policy_that_fails_three_times_is_put_aside_and_the_job_goes_on() {
    let mut lab = Lab::start(2).await;
    load_rhai(&lab, "traitor", TRAITOR).await;
    let detail = run_under(&lab, "traitor").await;
    assert_eq!(detail.item.passed, 4, "the job went on under the built-in rule: {:#?}", detail.run_list);
    let traitor = plugin(&lab, "traitor").await.expect("it is still listed");
    assert_eq!(traitor.state, "quarantined", "{traitor:?}");
    assert!(traitor.reason.is_some());

    restart_server(&mut lab).await;
    let after = plugin(&lab, "traitor").await.expect("it is loaded again");
    assert_eq!((&after.state, &after.reason, after.strikes), (&traitor.state, &traitor.reason, traitor.strikes));
    let detail = run_under(&lab, "traitor").await;
    assert_eq!(detail.item.passed, 4);
    assert_eq!(strikes_told(&lab, "traitor").await, 3, "it was not asked after the restart");

    let answer = lab.client.post("/plugins/traitor/reload", &json!({})).await;
    assert_eq!(answer.json::<PluginItem>().state, "live", "a person ends it");
    run_under(&lab, "traitor").await;
    assert_eq!(plugin(&lab, "traitor").await.unwrap().state, "quarantined");
    write_rhai(&lab, "traitor", "fn propose(plan, free) { [] }");
    restart_server(&mut lab).await;
    assert_eq!(plugin(&lab, "traitor").await.unwrap().state, "live", "another content is another plugin");
}

/// How often the feed has told of a failure of the policy.
async fn strikes_told(lab: &Lab, policy: &str) -> usize {
    let request = lab.client.request(reqwest::Method::GET, "/events?after=0");
    let mut stream = request.send().await.unwrap();
    let newest = lab.client.get("/server").await.json::<headend_wire::api::ServerInfo>().event;
    let (mut text, mut told) = (String::new(), 0);
    // Up to the newest event of this moment; the stream itself has no end.
    loop {
        let chunk = stream.chunk().await.unwrap().expect("the stream goes on");
        text.push_str(&String::from_utf8_lossy(&chunk));
        while let Some(end) = text.find("\n\n") {
            let event: String = text.drain(..end + 2).collect();
            let Some(data) = event.lines().find_map(|line| line.strip_prefix("data:")) else { continue };
            let event: headend_wire::api::EventItem = serde_json::from_str(data).unwrap();
            told += usize::from(event.kind == "policy_struck" && event.data["policy"] == policy);
            if event.number >= newest {
                return told;
            }
        }
    }
}

#[tokio::test]
async fn a_disabled_plugin_stays_disabled_over_restarts() {
    let mut lab = Lab::start(1).await;
    load_rhai(&lab, "idle", "fn propose(plan, free) { [] }").await;
    assert!(lab.client.post("/plugins/idle/disable", &json!({})).await.status.is_success());
    for life in 1..=2 {
        restart_server(&mut lab).await;
        assert_eq!(plugin(&lab, "idle").await.unwrap().state, "disabled", "life {life}");
    }
}

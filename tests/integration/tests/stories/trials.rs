//! Policies on trial: a shadow that changes nothing, and a canary that goes back by itself; both over a SIGKILL of the server.

use headend_integration::client::{Answer, request, slots, test};
use headend_integration::lab::guests;
use headend_integration::{Lab, eventually};
use headend_wire::api::{JobDetail, ModeRef, PluginItem, PluginList, TestRequest};
use headend_wire::trials::{CanaryItem, CanaryList, ShadowDetail};
use reqwest::Method;
use serde_json::{Value, json};

use super::plugins::policy;
use super::scripts;

/// Runs outlive the server's restart, and a policy answers, however long that takes on a busy machine.
const PATIENT: &[(&str, &str)] = &[("HEADEND_LEASE_MS", "60000"), ("HEADEND_POLICY_DEADLINE_MS", "60000")];

async fn send(lab: &Lab, file: &str, source: &str, beside: bool) -> Answer {
    let request = lab.client.request(Method::POST, "/plugins").query(&[("file", file)]).query(&[("beside", beside)]);
    let request = request.header("content-type", "application/octet-stream").body(source.to_owned());
    lab.client.send(request).await.unwrap()
}

/// Version 1 of `order` in force, version 2 kept beside it; the hash of that.
async fn two_versions(lab: &Lab, second: &str) -> String {
    let first: PluginItem = send(lab, "order.rhai", &policy("1.0.0", false, ""), false).await.json();
    let still: PluginItem = send(lab, "order.rhai", second, true).await.json();
    assert_eq!(still.hash, first.hash, "what is in force stays so");
    let detail: headend_wire::plugins::PluginDetail = lab.client.get("/plugins/order").await.json();
    let other = detail.versions.iter().find(|version| version.hash != first.hash);
    other.expect("the second version is kept").hash.clone()
}

async fn submit(lab: &Lab, slot: u16) -> u64 {
    let tests = ["a.rhai", "b.rhai", "c.rhai"];
    let tests = tests.map(|name| TestRequest { mode: ModeRef::Name("order".into()), ..test(name) });
    lab.client.submit(&request("order", &slots("rack1", [slot]), tests)).await.job
}

async fn upload(lab: &Lab) {
    let pass = scripts::PASS.as_bytes();
    lab.client.upload("public", &[("a.rhai", pass), ("b.rhai", pass), ("c.rhai", pass)]).await;
}

async fn kill_and_restart(lab: &mut Lab) {
    lab.server.take().unwrap().kill();
    lab.start_server(PATIENT);
    lab.server_ready().await;
    lab.rack_online().await;
}

fn passed(detail: &JobDetail) {
    assert_eq!(detail.item.passed, 3, "{:#?}", detail.run_list);
}

#[tokio::test]
async fn a_new_version_shadows_the_old_one_and_changes_nothing() {
    let mut lab = Lab::start_with(1, PATIENT).await;
    upload(&lab).await;
    let hash = two_versions(&lab, &policy("2.0.0", true, "")).await;
    let begin = json!({ "plugin": "order", "version": "2.0.0", "beside": "order" });
    let answer = lab.client.post("/shadows", &begin).await;
    assert!(answer.status.is_success(), "{}", answer.text());
    assert_eq!(lab.client.post("/shadows", &begin).await.problem().code, "conflict");

    let job = submit(&lab, 1).await;
    let detail = lab.client.finished(job).await;
    passed(&detail);
    let mut runs: Vec<_> = detail.run_list.iter().map(|run| (run.started.clone(), run.script.clone())).collect();
    runs.sort();
    assert!(runs[0].1.ends_with("a.rhai"), "the live policy decides: {runs:?}");

    let compared = |detail: &ShadowDetail| detail.item.figures.compared >= 3;
    let shadow = eventually("three answers to be compared", || async {
        let detail: ShadowDetail = lab.client.get("/shadows/order").await.json();
        Some(detail).filter(compared)
    })
    .await;
    assert_eq!(shadow.item.policy, format!("order.{}", &hash[..12]));
    let first = shadow.differences.last().expect("the first question was answered otherwise");
    assert_eq!((first.job, first.what.as_str()), (job, "other_placements"), "{shadow:#?}");
    assert_eq!(first.live, "starts test 0 on target 0");
    assert_eq!(first.shadow, "starts test 2 on target 0");
    assert_eq!((shadow.item.figures.faults, shadow.item.figures.broken_rules), (0, 0), "{shadow:#?}");
    assert!(shadow.item.figures.p99_us.is_some() && shadow.item.figures.live_p50_us.is_some());

    let list: PluginList = lab.client.get("/plugins").await.json();
    assert!(list.trials.iter().any(|trial| trial.trial == "shadow" && trial.state == "running"), "{list:?}");
    // An orderly end writes what is left; what a SIGKILL takes along is half a second of figures at most.
    lab.server.take().unwrap().stop();
    lab.start_server(PATIENT);
    lab.server_ready().await;
    kill_and_restart(&mut lab).await;
    let after: ShadowDetail = lab.client.get("/shadows/order").await.json();
    assert_eq!(after, shadow, "readable after a SIGKILL");

    passed(&lab.client.finished(submit(&lab, 1).await).await);
    eventually("the shadow to be asked on", || async {
        let detail: ShadowDetail = lab.client.get("/shadows/order").await.json();
        (detail.item.figures.compared >= 6).then_some(())
    })
    .await;
    let stopped = lab.client.post("/shadows/order/stop", &json!({})).await;
    assert_eq!(stopped.json::<Value>()["state"], "stopped");
    assert_eq!(lab.client.post("/shadows/order/stop", &json!({})).await.problem().code, "conflict");
}

/// Behaves while it is checked, and throws on the racks of a lab.
fn traitor() -> String {
    let throws =
        "for target in plan.targets { if `${target.rack}` != \"self-check\" { throw \"no\"; } }\n    let answer = [];";
    policy("2.0.0", false, "").replace("let answer = [];", throws)
}

#[tokio::test]
async fn a_canary_that_fails_goes_back_by_itself_and_all_jobs_finish() {
    let mut lab = Lab::start_with(2, PATIENT).await;
    upload(&lab).await;
    let hash = two_versions(&lab, &traitor()).await;
    let begin = json!({ "plugin": "order", "hash": &hash[..8], "beside": "order",
        "terms": { "share_permille": 1000, "length_s": 7200, "max_faults": 0, "min_runs": 1 } });
    let answer: CanaryItem = lab.client.post("/canaries", &begin).await.json();
    assert_eq!((answer.state.as_str(), answer.terms.share_permille), ("running", 1000));
    assert_eq!(lab.client.post("/canaries", &begin).await.problem().code, "conflict");

    kill_and_restart(&mut lab).await;
    let list: CanaryList = lab.client.get("/canaries").await.json();
    assert_eq!(list.canaries[0].state, "running", "it outlives the server: {list:?}");

    let jobs = [submit(&lab, 1).await, submit(&lab, 2).await];
    for job in jobs {
        passed(&lab.client.finished(job).await);
    }
    let broken: CanaryItem = lab.client.get("/canaries/order").await.json();
    assert_eq!(broken.state, "broken", "{broken:#?}");
    assert!(broken.reason.as_deref().unwrap().contains("at most 0 were allowed"), "{broken:#?}");
    let why: Value = lab.client.get(&format!("/jobs/{}/why", jobs[0])).await.json();
    let told = why["canaries"][0]["text"].as_str().unwrap();
    assert!(told.starts_with("order serves it since") && told.contains("broken off"), "{told}");
    let plugin: PluginList = lab.client.get("/plugins").await.json();
    let order = plugin.plugins.iter().find(|plugin| plugin.name == "order").unwrap();
    assert_eq!((order.state.as_str(), order.strikes), ("live", 0), "its failures are its own");
    assert!(plugin.trials.iter().any(|trial| trial.trial == "canary" && trial.state == "broken"), "{plugin:?}");

    kill_and_restart(&mut lab).await;
    let after: CanaryItem = lab.client.get("/canaries/order").await.json();
    assert_eq!((after.state, after.reason), (broken.state, broken.reason), "and it does not come back by itself");
    let next = submit(&lab, 1).await;
    passed(&lab.client.finished(next).await);
    let after: CanaryItem = lab.client.get("/canaries/order").await.json();
    assert_eq!(after.own.jobs, broken.own.jobs);
}

#[tokio::test]
async fn a_canary_is_promoted_and_one_of_queue_policies_is_refused() {
    let lab = Lab::start_with(1, PATIENT).await;
    upload(&lab).await;
    let hash = two_versions(&lab, &policy("2.0.0", true, "")).await;
    let terms = json!({ "share_permille": 1000, "length_s": 7200 });
    let begin = json!({ "plugin": "order", "hash": hash, "beside": "order", "terms": terms });
    assert!(lab.client.post("/canaries", &begin).await.status.is_success());
    let job = submit(&lab, 1).await;
    passed(&lab.client.finished(job).await);
    let early = lab.client.post("/canaries/order/promote", &json!({})).await.problem();
    assert!(early.code == "conflict" && early.detail.contains("--force"), "{}", early.detail);
    let promoted = lab.client.post("/canaries/order/promote", &json!({ "force": true })).await;
    assert_eq!(promoted.json::<CanaryItem>().state, "promoted");
    let list: PluginList = lab.client.get("/plugins").await.json();
    assert_eq!(list.plugins.iter().find(|plugin| plugin.name == "order").unwrap().hash, hash, "it is in force");

    let queue = guests().join("plugins/people-first");
    let queue = if queue.is_dir() {
        queue
    } else {
        headend_integration::lab::repository().join("plugins/policies/people-first")
    };
    assert!(lab.client.post("/plugins/load", &json!({ "path": queue })).await.status.is_success());
    let begin = json!({ "plugin": "people-first", "beside": "priority-fifo", "terms": terms });
    let refused = lab.client.post("/canaries", &begin).await.problem();
    assert!(refused.code == "invalid" && refused.detail.contains("headend plugin shadow"), "{}", refused.detail);
    let begin = json!({ "plugin": "people-first", "beside": "priority-fifo" });
    let answer = lab.client.post("/shadows", &begin).await;
    assert!(answer.status.is_success(), "{}", answer.text());
    let job = submit(&lab, 1).await;
    eventually("the orders to be compared", || async {
        let detail: ShadowDetail = lab.client.get("/shadows/people-first").await.json();
        (detail.item.figures.compared >= 1).then_some(())
    })
    .await;
    passed(&lab.client.finished(job).await);
}

/// Jobs that queue, and slots that they queue for.
const QUEUED: usize = 40;
const BOXES: u16 = 4;

async fn load(lab: &Lab, name: &str) {
    let answer = lab.client.post("/plugins/load", &json!({ "path": guests().join("plugins").join(name) })).await;
    assert!(answer.status.is_success(), "{name}: {}", answer.text());
}

/// A canary in WebAssembly gets half of what queues and a shadow is asked beside it, while the server is killed in mid-work: each run happens
/// once, each job ends, and all of them are counted on one side or the other.
#[tokio::test]
async fn a_canary_and_a_shadow_at_work_when_the_server_is_killed() {
    if !guests().join("plugins/test-coverage").is_dir() {
        return;
    }
    let mut lab = Lab::start_with(BOXES, PATIENT).await;
    upload(&lab).await;
    let hash = two_versions(&lab, &policy("2.0.0", true, "")).await;
    load(&lab, "test-coverage").await;
    let terms = json!({ "share_permille": 500, "length_s": 7200, "max_faults": 0 });
    let canary = json!({ "plugin": "test-coverage", "beside": "order", "terms": terms });
    let answer = lab.client.post("/canaries", &canary).await;
    assert!(answer.status.is_success(), "{}", answer.text());
    let answer = lab.client.post("/shadows", &json!({ "plugin": "order", "hash": hash, "beside": "order" })).await;
    assert!(answer.status.is_success(), "{}", answer.text());

    let mut jobs = Vec::new();
    for number in 0..QUEUED {
        jobs.push(submit(&lab, number as u16 % BOXES + 1).await);
    }
    lab.client.finished(jobs[0]).await;
    kill_and_restart(&mut lab).await;
    for job in &jobs {
        let detail = lab.client.finished(*job).await;
        passed(&detail);
        assert_eq!(detail.run_list.len(), 3, "each test once: {:#?}", detail.run_list);
    }
    let canary: CanaryItem = lab.client.get("/canaries/test-coverage").await.json();
    assert_eq!(canary.state, "running", "{canary:#?}");
    assert_eq!((canary.own.faults, canary.others.faults), (0, 0), "{canary:#?}");
    assert!(canary.own.jobs > 0 && canary.others.jobs > 0, "both get a share: {canary:#?}");
    assert_eq!((canary.own.jobs + canary.others.jobs) as usize, QUEUED, "{canary:#?}");
    assert_eq!((canary.own.ended + canary.others.ended) as usize, QUEUED * 3, "{canary:#?}");
    eventually("the shadow to be asked after the restart", || async {
        let shadow: ShadowDetail = lab.client.get("/shadows/order").await.json();
        assert_eq!((shadow.item.figures.faults, shadow.item.figures.broken_rules), (0, 0), "{shadow:#?}");
        (shadow.item.figures.compared > 0).then_some(())
    })
    .await;
}

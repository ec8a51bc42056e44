//! Which job gets the slot next: the built-in rule, or a queue policy plugin in its place.

use headend_integration::client::{Answer, request, slots, test};
use headend_integration::lab::repository;
use headend_integration::{Client, Lab, eventually};
use headend_wire::api::{JobDetail, PluginList, QueueInfo, WhyAnswer};
use serde_json::json;

use super::scripts;

/// Holds its slot until it is killed.
const PATIENT: &str = r#"
    connect("any server", "story");
    reserve_slot(1);
    loop { press("Menu"); wait(1.0); }
"#;

/// The run on the slot outlives the server's restart, however long that takes.
const LEASES: &[(&str, &str)] = &[("HEADEND_LEASE_MS", "60000")];

async fn queue(lab: &Lab) -> QueueInfo {
    lab.client.get("/queue-policy").await.json()
}

async fn order_by(lab: &Lab, policy: &str) -> Answer {
    let request = lab.client.request(reqwest::Method::PUT, "/queue-policy").json(&json!({ "policy": policy }));
    lab.client.send(request).await.unwrap()
}

async fn in_force(lab: &Lab, policy: &str) {
    assert!(order_by(lab, policy).await.status.is_success());
    eventually(&format!("{policy} to order the jobs"), || async {
        let info = queue(lab).await;
        (info.in_force == policy && info.state == "in_force").then_some(())
    })
    .await;
}

async fn load(lab: &Lab, folder: &std::path::Path) {
    let answer = lab.client.post("/plugins/load", &json!({ "path": folder })).await;
    assert!(answer.status.is_success(), "{}", answer.text());
}

async fn user(lab: &Lab, name: &str) -> Client {
    let answer = lab.client.post("/tokens", &json!({ "user": name })).await;
    let token: serde_json::Value = answer.json();
    lab.client.with_token(token["token"].as_str().unwrap())
}

/// A job of one short test on slot 1.
async fn short(client: &Client, name: &str) -> u64 {
    client.submit(&request(name, &slots("rack1", [1]), [test("a.rhai")])).await.job
}

/// The slot is driven, and stays so until the answer is killed.
async fn occupy(lab: &Lab) -> u64 {
    let job = lab.client.submit(&request("holder", &slots("rack1", [1]), [test("patient.rhai")])).await.job;
    eventually("the slot to be driven", || async { (lab.client.job(job).await.item.status == 1).then_some(()) }).await;
    job
}

async fn release(lab: &Lab, holder: u64) {
    lab.client.post(&format!("/jobs/{holder}/kill"), &json!({})).await;
}

/// When its only run started.
fn started(detail: &JobDetail) -> &str {
    assert_eq!(detail.item.passed, 1, "{:#?}", detail.run_list);
    detail.run_list[0].started.as_deref().unwrap()
}

/// Lets the slot go; whether the person's job was started before the machine's.
async fn person_goes_first(lab: &Lab, holder: u64, machine: u64, person: u64) -> bool {
    release(lab, holder).await;
    let (machine, person) = (lab.client.finished(machine).await, lab.client.finished(person).await);
    assert_ne!(started(&person), started(&machine));
    started(&person) < started(&machine)
}

async fn rank_of(lab: &Lab, job: u64) -> (String, Option<i64>) {
    let why: WhyAnswer = lab.client.get(&format!("/jobs/{job}/why")).await.json();
    let queue = why.queue.expect("the job waits");
    (queue.policy, queue.rank)
}

#[tokio::test]
async fn a_queue_policy_orders_the_jobs_until_it_is_taken_back() {
    let mut lab = Lab::start_with(1, LEASES).await;
    let files = [("a.rhai", scripts::PASS.as_bytes()), ("patient.rhai", PATIENT.as_bytes())];
    lab.client.upload("public", &files).await;
    load(&lab, &repository().join("plugins/policies/people-first")).await;
    let (machine, person) = (user(&lab, "nightly").await, user(&lab, "ann").await);

    let holder = occupy(&lab).await;
    let (first, second) = (short(&machine, "nightly").await, short(&person, "fix").await);
    assert_eq!(rank_of(&lab, second).await.0, "priority-fifo");
    assert!(!person_goes_first(&lab, holder, first, second).await, "the built-in rule: who came first");

    let holder = occupy(&lab).await;
    let first = short(&machine, "nightly").await;
    in_force(&lab, "people-first").await;
    let second = short(&person, "fix").await;
    let ranked = eventually("the new job to be ranked", || async {
        Some(rank_of(&lab, second).await).filter(|(_, rank)| rank.is_some())
    });
    assert_eq!(ranked.await, ("people-first".to_owned(), Some(5)));
    lab.server.take().unwrap().kill();
    lab.start_server(LEASES);
    lab.server_ready().await;
    let info = queue(&lab).await;
    assert_eq!((info.policy.as_str(), info.in_force.as_str()), ("people-first", "people-first"), "{info:?}");
    assert_eq!(rank_of(&lab, first).await, ("people-first".to_owned(), Some(15)), "kept over the kill");
    assert!(person_goes_first(&lab, holder, first, second).await, "people first");
    let why: WhyAnswer = lab.client.get(&format!("/jobs/{second}/why")).await.json();
    assert!(why.started[0].reason.contains("rank 5 by queue policy people-first"), "{why:#?}");

    let holder = occupy(&lab).await;
    let (first, second) = (short(&machine, "nightly").await, short(&person, "fix").await);
    in_force(&lab, "priority-fifo").await;
    assert!(!person_goes_first(&lab, holder, first, second).await, "back to who came first");
}

/// Behaves while it is checked at load, and throws in the lab.
const TRAITOR: &str =
    r#"fn rank(job) { if job.owner != "self-check" && job.owner != "self-check-too" { throw "no"; } 0 }"#;

#[tokio::test]
async fn a_queue_policy_that_fails_gives_the_order_back_and_is_put_aside() {
    let lab = Lab::start(1).await;
    lab.client.upload("public", &[("a.rhai", scripts::PASS.as_bytes()), ("patient.rhai", PATIENT.as_bytes())]).await;
    let from = repository().join("plugins/policies/people-first/headend-plugin.toml");
    let folder = lab.folder.path().join("traitor");
    std::fs::create_dir_all(&folder).unwrap();
    let manifest = std::fs::read_to_string(from).unwrap().replace("people-first", "traitor");
    std::fs::write(folder.join("headend-plugin.toml"), manifest).unwrap();
    std::fs::write(folder.join("traitor.rhai"), TRAITOR).unwrap();
    load(&lab, &folder).await;
    for (name, code) in [("nothing", "unknown_plugin"), ("", "unknown_plugin")] {
        assert_eq!(order_by(&lab, name).await.problem().code, code);
    }

    let holder = occupy(&lab).await;
    assert!(order_by(&lab, "traitor").await.status.is_success());
    let info = eventually("the built-in rule to stand in", || async {
        Some(queue(&lab).await).filter(|info| info.state == "stood_in")
    })
    .await;
    assert_eq!((info.policy.as_str(), info.in_force.as_str()), ("traitor", "priority-fifo"));
    assert!(info.reason.unwrap().contains("in quarantine"));
    let list: PluginList = lab.client.get("/plugins").await.json();
    let traitor = list.plugins.iter().find(|plugin| plugin.name == "traitor").unwrap();
    assert_eq!((traitor.state.as_str(), traitor.strikes), ("quarantined", 3));
    assert!(traitor.reason.is_some(), "{traitor:?}");
    let again = order_by(&lab, "traitor").await.problem();
    assert_eq!(again.code, "conflict");
    assert!(again.detail.contains("headend plugin reload traitor"));
    let job = short(&lab.client, "goes on").await;
    release(&lab, holder).await;
    assert_eq!(lab.client.finished(job).await.item.passed, 1);
}

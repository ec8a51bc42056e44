//! See before you switch: what was recorded is played again, under other policies; and what is to come is foretold.

use std::path::Path;
use std::process::Output;

use headend_integration::client::{request, slots, test};
use headend_integration::lab::{guests, program, repository};
use headend_integration::{Lab, eventually};
use headend_wire::api::WhyAnswer;
use headend_wire::whatif::{ChangeAnswer, EtaAnswer, PlanDoc, WhyNotAnswer};
use serde_json::{Value, json};

use super::scripts;

/// Holds its slot until it is killed.
const PATIENT: &str = r#"
    connect("any server", "story");
    reserve_slot(1);
    loop { press("Menu"); wait(1.0); }
"#;

fn headend(state: &Path, arguments: &[&str]) -> Output {
    let mut command = std::process::Command::new(program());
    command.args(arguments).env("XDG_STATE_HOME", state).env("NO_COLOR", "1");
    command.output().expect("`headend` starts")
}

fn said(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    text
}

fn as_json(output: &Output) -> Value {
    serde_json::from_str(&said(output)).unwrap()
}

const PLAN: &str = r#"
seed = 7
[[rack]]
name = "rack1"
slots = 4
[[job]]
name = "nightly"
owner = "anna"
count = 12
every = 20
on = ["rack1/*"]
[[job.test]]
script = "a.rhai"
slots_needed = 2
lasts = { p50 = 30, p90 = 90 }
[[job.test]]
script = "b.rhai"
slots_needed = 2
lasts = 20
[[job]]
name = "fix"
owner = "bert"
priority = 2
at = 100
on = ["rack1/1"]
[[job.test]]
script = "c.rhai"
lasts = { uniform = [5, 15] }
"#;

#[test]
fn a_plan_under_several_policies_side_by_side_and_twice_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let plan = folder.path().join("plan.toml");
    std::fs::write(&plan, PLAN).unwrap();
    let policies = repository().join("plugins/policies");
    let rhai = policies.join("people-first");
    let page = |name: &str| folder.path().join(name);
    let simulate = |report: &str| {
        headend(
            folder.path(),
            &[
                "simulate",
                plan.to_str().unwrap(),
                "--coverage",
                "dut-coverage",
                "--coverage",
                "test-coverage",
                "--queue",
                "native",
                "--queue",
                rhai.to_str().unwrap(),
                "--report",
                page(report).to_str().unwrap(),
                "--svg",
                page("plot.svg").to_str().unwrap(),
            ],
        )
    };
    let (first, second) = (said(&simulate("1.html")), said(&simulate("2.html")));
    assert_eq!(first, second);
    assert!(first.contains("13 jobs on 4 slots, seed 7"), "{first}");
    assert!(first.contains("test-coverage / people-first (plugin)") && first.contains("fairness"), "{first}");
    let read = |name: &str| std::fs::read_to_string(page(name)).unwrap();
    assert_eq!(read("1.html"), read("2.html"));
    assert!(read("1.html").contains("<svg") && read("plot.svg").contains("polyline"));
    let other = headend(folder.path(), &["simulate", plan.to_str().unwrap(), "--seed", "8", "--json"]);
    let usual = headend(folder.path(), &["simulate", plan.to_str().unwrap(), "--json"]);
    assert_ne!(as_json(&usual)["cases"][0]["decisions"], as_json(&other)["cases"][0]["decisions"]);
}

#[test]
fn a_webassembly_policy_decides_as_its_native_twin() {
    let plugin = guests().join("plugins/dut-coverage");
    if !plugin.is_dir() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let plan = folder.path().join("plan.toml");
    std::fs::write(&plan, PLAN).unwrap();
    let arguments = ["simulate", plan.to_str().unwrap(), "--coverage", "dut-coverage", "--coverage"];
    let answer = headend(folder.path(), &[&arguments[..], &[plugin.to_str().unwrap(), "--json"]].concat());
    let answer = as_json(&answer);
    let (native, wasm) = (&answer["cases"][0], &answer["cases"][1]);
    assert_eq!(wasm["case"], "dut-coverage (plugin)");
    assert_eq!((&wasm["failures"], &wasm["stood_in"]), (&json!({}), &json!(0)));
    for figure in ["wait", "makespan", "coverage", "turnaround", "idle", "owners"] {
        assert_eq!(native[figure], wasm[figure], "{figure}");
    }
}

#[tokio::test]
async fn what_was_recorded_is_played_again_and_every_decision_stands() {
    let mut lab = Lab::start_with(2, &[("HEADEND_SNAPSHOT_EVERY", "10")]).await;
    lab.client.upload("public", &[("a.rhai", scripts::PASS.as_bytes())]).await;
    let all = slots("rack1", [1, 2]);
    for name in ["one", "two", "three"] {
        let job = lab.client.submit(&request(name, &all, [test("a.rhai"), test("a.rhai")])).await.job;
        lab.client.finished(job).await;
    }
    let load: PlanDoc = lab.client.get("/load").await.json();
    assert_eq!((load.jobs.len(), load.racks[0].list.len()), (3, 2));
    assert_eq!(load.history["a.rhai"].len(), 12);
    let person: Value = lab.client.post("/tokens", &json!({ "user": "ann" })).await.json();
    let person = lab.client.with_token(person["token"].as_str().unwrap());
    assert_eq!(person.get("/load").await.problem().code, "forbidden");

    assert!(lab.server.take().unwrap().stop().success());
    let data = lab.server_data();
    let state = lab.folder.path();
    let saved = state.join("load.toml");
    let folder =
        ["simulate", "--data", data.to_str().unwrap(), "--coverage", "as-planned", "--coverage", "test-coverage"];
    let answer = as_json(&headend(state, &[&folder[..], &["--json", "--save-plan", saved.to_str().unwrap()]].concat()));
    assert_eq!((&answer["jobs"], &answer["cases"][1]["runs"]), (&json!(3), &json!(12)));
    let again =
        as_json(&headend(state, &["simulate", saved.to_str().unwrap(), "--coverage", "test-coverage", "--json"]));
    assert_eq!(
        again["cases"][0]["decisions"], answer["cases"][1]["decisions"],
        "the plan that was written is the load"
    );

    let checked = as_json(&headend(state, &["replay-check", "--data", data.to_str().unwrap(), "--json"]));
    assert_eq!((&checked["different"], &checked["differences"]), (&json!(0), &json!([])), "{checked}");
    assert!(checked["events"].as_u64().unwrap() > 0 && checked["snapshots"].as_u64().unwrap() > 0, "{checked}");
    let nowhere = headend(state, &["replay-check", "--data", state.to_str().unwrap()]);
    assert_eq!(nowhere.status.code(), Some(4));
}

#[tokio::test]
async fn why_not_there_when_and_what_would_help() {
    let lab = Lab::start(2).await;
    let files = [("a.rhai", scripts::PASS.as_bytes()), ("patient.rhai", PATIENT.as_bytes())];
    lab.client.upload("public", &files).await;
    let known = lab.client.submit(&request("known", &slots("rack1", [2]), [test("a.rhai")])).await.job;
    lab.client.finished(known).await;
    let holder = lab.client.submit(&request("holder", &slots("rack1", [1]), [test("patient.rhai")])).await.job;
    eventually("the slot to be driven", || async { (lab.client.job(holder).await.item.status == 1).then_some(()) })
        .await;
    let waits = lab.client.submit(&request("waits", &slots("rack1", [1]), [test("a.rhai")])).await.job;
    let why: WhyAnswer = lab.client.get(&format!("/jobs/{waits}/why")).await.json();
    let run = why.waiting[0].next_run;

    // A rack on a loaded machine may miss its heartbeats for a moment: then that is the reason.
    let held = eventually("the slot to be what binds", || async {
        let held: WhyNotAnswer = lab.client.get(&format!("/runs/{run}/why-not?rack=rack1&slot=1")).await.json();
        (held.code == "slot_held").then_some(held)
    })
    .await;
    assert_eq!((held.job, held.slot.as_str()), (waits, "rack1/1"), "{held:?}");
    let other: WhyNotAnswer = lab.client.get(&format!("/runs/{run}/why-not?rack=rack1&slot=2")).await.json();
    assert_eq!(other.code, "not_a_target");
    assert_eq!(lab.client.get(&format!("/runs/{run}/why-not?rack=rack1&slot=9")).await.problem().code, "unknown_slot");
    assert_eq!(lab.client.get("/runs/4711/why-not?rack=rack1&slot=1").await.problem().code, "not_found");
    let change = eventually("another slot to be the smallest change", || async {
        let change: ChangeAnswer = lab.client.get(&format!("/jobs/{waits}/change")).await.json();
        (change.code == "allow_slot").then_some(change)
    })
    .await;
    assert_eq!(change.starts_on, ["rack1/2"]);
    let eta = eventually("all plays to come to the end of the job", || async {
        let eta: EtaAnswer = lab.client.get(&format!("/jobs/{waits}/eta?samples=5")).await.json();
        (eta.samples > 0 && eta.open == 0).then_some(eta)
    })
    .await;
    assert!(eta.start.is_some() && eta.end.is_some(), "{eta:?}");
    assert!(eta.unknown.iter().any(|what| what.contains("patient.rhai has no past runs")), "{eta:?}");

    lab.client.post(&format!("/jobs/{holder}/kill"), &json!({})).await;
    lab.client.finished(waits).await;
    let over: WhyNotAnswer = lab.client.get(&format!("/runs/{run}/why-not?rack=rack1&slot=1")).await.json();
    assert_eq!(over.code, "over");
    let why: WhyAnswer = lab.client.get(&format!("/jobs/{waits}/why")).await.json();
    assert_eq!((why.started[0].run, why.started[0].inputs.len()), (run, 16), "{why:?}");
    let over: EtaAnswer = lab.client.get(&format!("/jobs/{waits}/eta")).await.json();
    assert_eq!((over.samples, over.end), (0, None));
}

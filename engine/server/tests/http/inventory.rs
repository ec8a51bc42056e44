//! The lab's devices: one document, searches, moves.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::Lab;

fn doc() -> Value {
    json!({
        "model": [{ "name": "HD+", "manufacturer": "Pace", "hardware_version": "07" }],
        "ir_set": [{ "name": "nec", "description": "NEC codes" }],
        "smartcard": [{ "number": "0042", "param_name": "tier", "param_value": "gold" }],
        "dut": [
            { "dut": 3822, "name": "TP200686A-L-80", "model": "HD+", "ir_set": "nec", "smartcard": "0042", "place": "rack1/1" },
            { "name": "Grundig-1", "serial_number": "x 7" },
        ],
    })
}

async fn names(lab: &Lab, query: &str) -> Vec<String> {
    let list = lab.client.get(&format!("/api/v1/duts{query}")).await.ok(StatusCode::OK);
    list["duts"].as_array().unwrap().iter().map(|dut| dut["name"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_document_makes_the_lab_and_a_restart_keeps_it() {
    let mut lab = Lab::start().await;
    let _rack = lab.rack("rack1", 1).await;
    let boxed = names(&lab, "").await;

    let dry = lab.client.post("/api/v1/inventory?dry_run=true", &doc()).await.ok(StatusCode::OK);
    assert_eq!((&dry["dry_run"], names(&lab, "").await), (&json!(true), boxed), "a dry run stores nothing");

    let done = lab.client.post("/api/v1/inventory", &doc()).await.ok(StatusCode::OK);
    assert_eq!(done["changes"], dry["changes"], "and tells the truth");
    let again = lab.client.post("/api/v1/inventory", &doc()).await.ok(StatusCode::OK);
    assert_eq!(again["changes"], json!([]));

    lab.restart().await;
    let kept = lab.client.get("/api/v1/inventory").await.ok(StatusCode::OK);
    let same = lab.client.post("/api/v1/inventory", &kept).await.ok(StatusCode::OK);
    assert_eq!(same["changes"], json!([]));
    let found = lab.client.get("/api/v1/duts?filter=Name==TP*").await.ok(StatusCode::OK);
    let dut = &found["duts"][0];
    assert_eq!((&dut["dut"], &dut["manufacturer"], &dut["place"]["slot"]), (&json!(3822), &json!("Pace"), &json!(1)));
    assert!(dut["ir_created"].is_string() && dut["model_id"].is_number(), "{dut}");
}

#[tokio::test]
async fn searches_look_at_every_field_and_say_what_they_cannot_read() {
    let lab = Lab::start().await;
    let _rack = lab.rack("rack1", 1).await;
    lab.client.post("/api/v1/inventory", &doc()).await.ok(StatusCode::OK);
    assert_eq!(names(&lab, "?filter=SmartcardParamValue==GOLD&filter=HardwareVersion==07").await, ["TP200686A-L-80"]);
    assert_eq!(names(&lab, "?filter=SerialNumber==x%207").await, ["Grundig-1"]);
    assert_eq!(names(&lab, "?filter=Name==TP*&filter=Manufacturer==Grundig").await, [] as [&str; 0]);
    let refused = |query: &'static str| {
        let client = lab.client.clone();
        async move { client.get(&format!("/api/v1/duts{query}")).await.problem() }
    };
    assert_eq!(refused("?filter=Name==%22TP*").await, "bad_filter");
    assert_eq!(refused("?filter=Colour==red").await, "bad_filter");
    assert_eq!(refused("?name=TP").await, "bad_request");
}

#[tokio::test]
async fn a_bad_line_stores_nothing_and_only_administrators_may_write() {
    let lab = Lab::start().await;
    let before = lab.client.get("/api/v1/inventory").await.ok(StatusCode::OK);
    let bad = json!({ "model": [{ "name": "HD+" }], "dut": [{ "name": "A", "place": "rack9/1" }] });
    assert_eq!(lab.client.post("/api/v1/inventory", &bad).await.problem(), "unknown_slot");
    let odd = json!({ "box": [] });
    assert_eq!(lab.client.post("/api/v1/inventory", &odd).await.problem(), "invalid");
    assert_eq!(lab.client.get("/api/v1/inventory").await.ok(StatusCode::OK), before);

    let user = lab.user("ann").await;
    assert_eq!(user.post("/api/v1/inventory", &doc()).await.problem(), "forbidden");
    user.get("/api/v1/inventory").await.ok(StatusCode::OK);
}

/// A DUT leaves the lab for good: not while something needs it, and then altogether.
#[tokio::test]
async fn a_dut_in_use_stays_and_the_refusal_names_what_uses_it() {
    let mut lab = Lab::start().await;
    let mut rack = lab.rack("rack1", 1).await;
    lab.upload("a.py", "print(1)").await;
    let doc = json!({ "dut": [{ "dut": 501, "name": "Grundig-1", "place": "rack1/1" }, { "dut": 502, "name": "Grundig-2" }] });
    lab.client.post("/api/v1/inventory", &doc).await.ok(StatusCode::OK);
    let timing = json!({ "type": "Daily", "start_date": "2900-01-01", "start_time": "10:00", "end_time": "20:00" });
    let made = lab.client.post("/api/v1/schedules", &json!({ "name": "nightly", "timing": timing })).await;
    let schedule = made.ok(StatusCode::CREATED)["schedule"].as_u64().unwrap();
    let on_it = format!("/api/v1/schedules/{schedule}/duts/502");
    lab.client.send(lab.client.request(Method::PUT, &on_it)).await.ok(StatusCode::OK);
    let job = json!({ "name": "j", "duts": [501], "tests": [{ "script": "a.py" }] });
    let job = lab.client.post("/api/v1/jobs", &job).await.ok(StatusCode::CREATED)["job"].as_u64().unwrap();
    let run = rack.take().await.remove(0).lease.run;

    let remove = async |lab: &Lab, duts: &[u64], query: &str| {
        let keys: Vec<_> = duts.iter().map(|dut| json!({ "kind": "dut", "key": dut.to_string() })).collect();
        lab.client.post(&format!("/api/v1/inventory{query}"), &json!({ "remove": keys })).await
    };
    for (dut, names) in [
        (501, vec![format!("run {run} of job {job} drives it"), format!("job {job} names it")]),
        (502, vec![format!("schedule {schedule} (\"nightly\" of admin) names it")]),
    ] {
        for query in ["", "?dry_run=true"] {
            let answer = remove(&lab, &[dut], query).await;
            assert_eq!(answer.problem(), "conflict");
            let detail = answer.json()["detail"].as_str().unwrap().to_owned();
            assert!(names.iter().all(|name| detail.contains(name)), "{detail}");
        }
    }
    rack.pass().await;
    // One that is in use keeps the other one as well.
    assert_eq!(remove(&lab, &[501, 502], "").await.problem(), "conflict");
    let there = async |lab: &Lab| names(lab, "").await.iter().filter(|name| name.starts_with("Grundig")).count();
    assert_eq!(there(&lab).await, 2);
    lab.client.send(lab.client.request(Method::DELETE, &on_it)).await.ok(StatusCode::OK);
    remove(&lab, &[501, 502], "").await.ok(StatusCode::OK);
    let job = json!({ "name": "j", "duts": [501], "tests": [{ "script": "a.py" }] });
    for _ in 0..2 {
        assert_eq!(there(&lab).await, 0);
        assert_eq!(lab.client.post("/api/v1/jobs", &job).await.problem(), "unknown_dut");
        lab.restart().await;
    }
}

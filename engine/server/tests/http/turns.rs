//! Changes that meet.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::Lab;

/// Enough that two changes meet in the middle now and then.
const ROUNDS: u32 = 40;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changes_of_different_fields_of_a_scheduled_test_both_take_effect() {
    let lab = Lab::start().await;
    let me = &lab.client;
    let timing =
        json!({ "type": "Daily", "start_date": "2090-01-01", "start_time": "10:00:00", "end_time": "11:00:00" });
    let made =
        me.post("/api/v1/schedules", &json!({ "name": "nightly", "timing": timing })).await.ok(StatusCode::CREATED);
    let schedule = made["schedule"].as_u64().unwrap();
    let schedule = format!("/api/v1/schedules/{schedule}");
    let added = me.post(&format!("{schedule}/tests"), &json!({ "script": "a.rhai" })).await.ok(StatusCode::CREATED);
    let address = format!("/api/v1/scheduled-tests/{}", added["test"].as_u64().unwrap());
    for round in 0..ROUNDS {
        let (priority, slots, line) = (1 + round % 9, 1 + round, format!("round {round}"));
        let patch = |body: Value| {
            let (me, address) = (me.clone(), address.clone());
            tokio::spawn(async move { me.send(me.request(Method::PATCH, &address).json(&body)).await.status })
        };
        let changes =
            [json!({ "priority": priority }), json!({ "slots_needed": slots }), json!({ "args": line })].map(patch);
        for change in changes {
            assert_eq!(change.await.unwrap(), StatusCode::OK);
        }
        let shown = me.get(&schedule).await.ok(StatusCode::OK);
        let test = &shown["test_list"][0];
        let found = (&test["priority"], &test["slots_needed"], &test["args"]);
        assert_eq!(found, (&json!(priority), &json!(slots), &json!(["round", round.to_string()])), "round {round}");
    }
}

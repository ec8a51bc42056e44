//! `headend schedule`: what it sends and what it shows.

use serde_json::{Value, json};

use crate::fake::{Fake, headend, show};

fn nightly() -> Value {
    json!({
        "schedule": 17, "name": "nightly", "owner": "ada", "created": "2026-11-22T03:00:00.000001Z",
        "timing": { "type": "Weekly", "start_date": "2026-11-23", "start_time": "22:00:00", "end_time": "06:00:00",
            "repeat_count": 0, "repeat_rate": 2, "repeat_days": ["Mon", "Fri"], "time_zone": "Europe/Dublin" },
        "at_window_end": "wait", "while_former_runs": "queue", "revision": 4,
        "first": "2026-11-23T22:00:00Z", "last": null, "next": "2026-11-27T22:00:00Z",
        "next_local": "2026-11-27 22:00:00+00:00", "targets": 3, "tests": 1,
        "active": { "occurrence": 1, "began": "2026-11-23T22:00:00Z", "window_end": "2026-11-24T06:00:00Z", "paused": true,
            "jobs": [20] },
        "waiting": null,
        "slots": [{ "rack": "rack1", "slot": 1 }, { "rack": "rack1", "slot": 2 }], "duts": [148],
        "test_list": [{ "test": 18, "script": "public/zap.py", "public": true, "slots_needed": 3, "priority": 1, "mode": 1,
            "args": ["-s", "x"], "status": "waiting", "loops_completed": 0, "by": "ada", "created": "2026-11-22T03:00:00Z",
            "last_start": null, "last_end": null, "last_job": 20 }],
    })
}

fn server() -> Fake {
    Fake::start().on("GET /api/v1/schedules", 200, &json!({ "schedules": [nightly()] }))
}

#[test]
fn schedules_are_listed_and_shown() {
    let fake = server().on("GET /api/v1/schedules/17", 200, &nightly());
    insta::assert_snapshot!(fake.headend(&["schedule"]));
    insta::assert_snapshot!(fake.headend(&["schedule", "show", "nightly"]));
    assert_eq!(fake.seen()[1].line, "GET /api/v1/schedules?name=nightly");
}

#[test]
fn what_comes_and_what_was() {
    let coming = json!({ "schedule": 17, "time_zone": "Europe/Dublin", "coming": [{ "starts": "2026-11-27T22:00:00Z",
        "starts_local": "2026-11-27 22:00:00+00:00", "ends": "2026-11-28T06:00:00Z", "ends_local": "2026-11-28 06:00:00+00:00" }] });
    let record = |first: u64, last: u64, fate: &str, reason: Value| {
        json!({ "first": first, "last": last, "planned": "2026-11-23T22:00:00Z", "planned_local": "2026-11-23 22:00:00+00:00",
            "planned_last": "2026-11-23T22:00:00Z", "window_end": null, "fate": fate, "reason": reason, "began": null,
            "ended": "2026-11-24T06:00:00Z", "jobs": [] })
    };
    let past = [record(2, 4, "missed", json!("the server was not running")), record(1, 1, "ran", Value::Null)];
    let fake = server().on("GET /api/v1/schedules/17/coming", 200, &coming);
    let fake =
        fake.on("GET /api/v1/schedules/17/past", 200, &json!({ "schedule": 17, "time_zone": "UTC", "past": past }));
    insta::assert_snapshot!(fake.headend(&["schedule", "next", "17", "--most", "1"]));
    insta::assert_snapshot!(fake.headend(&["schedule", "past", "17"]));
    assert_eq!(fake.seen()[0].line, "GET /api/v1/schedules/17/coming?most=1");
}

#[test]
fn modify_sends_a_whole_calendar_and_keeps_what_was_not_given() {
    let noted = json!({ "schedule": 17, "revision": 5, "changed": true });
    let fake = server().on("GET /api/v1/schedules/17", 200, &nightly());
    let fake = fake.on("PUT /api/v1/schedules/17/timing", 200, &noted);
    let said = fake.headend(&["schedule", "modify", "nightly", "--type", "Daily", "--count", "5", "--from", "21:00"]);
    assert!(said.contains("schedule 17 is changed"), "{said}");
    let sent: Value = serde_json::from_slice(&fake.seen().last().unwrap().body).unwrap();
    assert_eq!(
        sent,
        json!({ "type": "Daily", "start_date": "2026-11-23", "start_time": "21:00", "end_time": "06:00:00",
            "repeat_count": 5, "repeat_rate": 1, "repeat_days": [], "time_zone": "Europe/Dublin" })
    );
    assert!(fake.headend(&["schedule", "modify", "nightly"]).contains("nothing is to be changed"));
}

#[test]
fn what_is_asked_of_one_policy_is_sent_alone() {
    let noted = json!({ "schedule": 17, "revision": 5, "changed": true });
    let fake = server().on("PATCH /api/v1/schedules/17", 200, &noted);
    let said = fake.headend(&["schedule", "parameters", "nightly", "pairwise", r#"{"fields": ["ModelName"]}"#]);
    assert!(said.contains("schedule 17 asks other things of pairwise"), "{said}");
    let sent: Value = serde_json::from_slice(&fake.seen().last().unwrap().body).unwrap();
    assert_eq!(sent, json!({ "parameters": { "pairwise": { "fields": ["ModelName"] } } }));
    fake.headend(&["schedule", "parameters", "17", "pairwise", "null"]);
    let sent: Value = serde_json::from_slice(&fake.seen().last().unwrap().body).unwrap();
    assert_eq!(sent, json!({ "parameters": { "pairwise": null } }));
}

#[test]
fn a_name_that_nobody_gave_is_not_found() {
    let fake = Fake::start().on("GET /api/v1/schedules", 200, &json!({ "schedules": [] }));
    insta::assert_snapshot!(fake.headend(&["schedule", "show", "weekly"]));
}

#[test]
fn help() {
    insta::assert_snapshot!("create", show(&headend(&["schedule", "create", "-h"]).output().unwrap()));
    insta::assert_snapshot!("commands", show(&headend(&["schedule", "-h"]).output().unwrap()));
}

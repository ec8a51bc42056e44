//! Why not, when, and what would help: as people read it.

use serde_json::json;

use crate::fake::Fake;

#[test]
fn why_not_says_the_reason_until_when_and_who_is_first() {
    let fake = Fake::start().on(
        "GET /api/v1/runs/12/why-not",
        200,
        &json!({
            "run": 12, "job": 7, "script": "public/zap.rhai", "slot": "rack1/3", "code": "slot_held",
            "reason": "the slot is driven by run 9 of job 5", "until": null, "ahead": [3, 4, 5, 6, 8], "ahead_in_all": 7,
        }),
    );
    let shown = fake.headend(&["why-not", "12", "rack1/3"]);
    assert!(
        shown.contains("run 12 (job 7, public/zap.rhai) on rack1/3: the slot is driven by run 9 of job 5 [slot_held]")
    );
    assert!(shown.contains("these jobs get the slot first: 3, 4, 5, 6, 8 and 2 more"), "{shown}");
    assert_eq!(fake.seen()[0].line, "GET /api/v1/runs/12/why-not?rack=rack1&slot=3");
    let wrong = fake.headend(&["why-not", "12", "rack1"]);
    assert!(wrong.contains("write it as rack1/3"), "{wrong}");
}

#[test]
fn eta_says_how_it_knows_and_what_it_does_not() {
    let fake = Fake::start().on(
        "GET /api/v1/jobs/7/eta",
        200,
        &json!({
            "job": 7, "status_text": "idle", "now": "2026-11-22T03:00:00Z", "samples": 20, "open": 0,
            "start": { "p50": "2026-11-22T03:10:00Z", "p90": "2026-11-22T03:20:00Z" },
            "end": { "p50": "2026-11-22T03:30:00Z", "p90": "2026-11-22T03:40:00Z" },
            "unknown": ["rack2 is not heard of; it was taken to stay away"],
        }),
    );
    let shown = fake.headend(&["eta", "7", "--samples", "20"]);
    assert!(shown.contains("starts  about") && shown.contains("in nine of ten plays"), "{shown}");
    assert!(shown.contains("from 20 plays of the farm") && shown.contains("rack2 is not heard of"), "{shown}");
    assert_eq!(fake.seen()[0].line, "GET /api/v1/jobs/7/eta?samples=20");
}

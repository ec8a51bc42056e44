//! Tables and the words around them.

use serde_json::{Value, json};

use crate::fake::Fake;

fn job(status: u8, text: &str) -> Value {
    json!({
        "job": 7, "name": "nightly", "owner": "ada", "priority": 5, "status": status, "status_text": text,
        "stop_requested": false, "accepted": "2026-11-22T03:00:00.000001Z", "started": "2026-11-22T03:00:01Z", "ended": null,
        "runs": 4, "queued": 1, "running": 1, "passed": 1, "failed": 1, "incomplete": 0,
        "tests": [{"test": 0, "script": "zap/zap.rhai", "public": true, "slots_needed": 4, "mode": "test-coverage", "args": []}],
        "run_list": [
            run(11, 0, 111, "Test has run to completion", 1),
            run(12, 0, 100, "no picture\u{1b}[2J after 5 s", 2),
            run(13, 1, 0, "", 3),
            {"run": 0, "test": 0, "state": 2, "result": 0, "comment": "", "started": null, "ended": null,
             "script": "public/zap/zap.rhai", "log_url": null, "slots": [], "attempt": 1, "why": ""},
        ],
    })
}

fn run(number: u64, state: u8, result: u16, comment: &str, slot: u16) -> Value {
    json!({
        "run": number, "test": 0, "state": state, "result": result, "comment": comment, "started": "2026-11-22T03:00:01Z",
        "ended": if state == 0 { json!("2026-11-22T03:01:00Z") } else { Value::Null }, "script": "public/zap/zap.rhai",
        "log_url": null, "slots": [{"rack": "rack1", "slot": slot, "dut": 100 + slot, "epoch": 1}], "attempt": 1, "why": "first",
    })
}

/// The same job at its end, with these results.
fn ended(status: u8, passed: u32, failed: u32) -> Value {
    let mut job = job(status, "completed");
    let runs: Vec<Value> = (0..passed).map(|i| run(11 + u64::from(i), 0, 111, "ok", 1 + i as u16)).collect();
    let more = (0..failed).map(|i| run(30 + u64::from(i), 0, 100, "no picture", 9 + i as u16));
    job["run_list"] = runs.into_iter().chain(more).collect();
    job["ended"] = json!("2026-11-22T03:02:00Z");
    for (key, value) in
        [("runs", passed + failed), ("passed", passed), ("failed", failed), ("queued", 0), ("running", 0)]
    {
        job[key] = json!(value);
    }
    job
}

fn server() -> Fake {
    let info = json!({"version": "0.1.0", "started": "2026-11-22T00:00:00Z", "user": "ada", "role": "admin", "open_jobs": 1, "event": 9});
    Fake::start().on("GET /api/v1/server", 200, &info)
}

#[test]
fn jobs() {
    let fake = server().on("GET /api/v1/jobs", 200, &json!({"jobs": [job(1, "running")], "next": 5}));
    insta::assert_snapshot!(fake.headend(&["jobs", "--limit", "1"]));
    assert_eq!(fake.seen()[0].line, "GET /api/v1/jobs?state=open&limit=1");
    assert_eq!(fake.seen()[0].headers["authorization"], "Bearer secret-1");
}

#[test]
fn status_shows_every_run_and_keeps_the_terminal_safe() {
    let fake = server().on("GET /api/v1/jobs/7", 200, &job(1, "running"));
    insta::assert_snapshot!(fake.headend(&["status", "7"]));
}

#[test]
fn a_large_job_is_put_together_from_its_pages() {
    let mut first = job(1, "running");
    first["next"] = json!(13);
    let page = json!({ "runs": [run(14, 0, 111, "ok", 4), run(15, 1, 0, "", 5)], "next": null });
    let fake = server().on("GET /api/v1/jobs/7", 200, &first).on("GET /api/v1/jobs/7/runs", 200, &page);
    let said = fake.headend(&["status", "7"]);
    assert_eq!(said.lines().filter(|line| line.contains("zap.rhai")).count(), 6, "{said}");
    assert_eq!(fake.seen()[1].line, "GET /api/v1/jobs/7/runs?after=13");

    let mut last = ended(2, 3, 0);
    last["next"] = json!(13);
    let fake = server().on("GET /api/v1/jobs/7", 200, &last).on("GET /api/v1/jobs/7/runs", 200, &page);
    let said = fake.headend(&["watch", "7"]);
    for number in [11, 12, 13, 14, 15] {
        assert!(said.contains(&format!("run {number} ")), "{said}");
    }
}

#[test]
fn status_as_json_is_what_the_server_said() {
    let fake = server().on("GET /api/v1/jobs/7", 200, &job(1, "running"));
    let said = fake.headend(&["status", "7", "--json"]);
    let data = said.split("--- out\n").nth(1).unwrap().split("--- err").next().unwrap();
    let mut expected = job(1, "running");
    expected["next"] = Value::Null;
    assert_eq!(serde_json::from_str::<Value>(data).unwrap(), expected);
}

#[test]
fn watch_tells_what_happened_and_how_it_ended() {
    let fake = server().on("GET /api/v1/jobs/7", 200, &ended(2, 1, 1));
    insta::assert_snapshot!(fake.headend(&["watch", "7"]));
}

#[test]
fn the_exit_code_of_a_wait_is_the_job_s() {
    let exit = |detail: &Value| {
        let said = server().on("GET /api/v1/jobs/7", 200, detail).headend(&["watch", "7", "-q"]);
        said.lines().next().unwrap().to_owned()
    };
    assert_eq!(exit(&ended(2, 3, 0)), "exit 0");
    assert_eq!(exit(&ended(2, 3, 1)), "exit 1");
    assert_eq!(exit(&ended(3, 1, 0)), "exit 1");
    assert_eq!(exit(&ended(5, 0, 0)), "exit 3");
}

#[test]
fn a_wait_has_an_end_of_its_own() {
    let fake = server().on("GET /api/v1/jobs/7", 200, &job(1, "running"));
    insta::assert_snapshot!(fake.headend(&["watch", "7", "--timeout", "0"]));
}

#[test]
fn why() {
    let answer = json!({
        "job": 7, "status_text": "running",
        "started": [{"run": 11, "script": "public/zap/zap.rhai", "place": "rack1/1 (DUT 101)", "chosen_by": "plugin test-coverage",
                     "reason": "started least (0 times); first of 1 job"}],
        "waiting": [{"script": "public/zap/menu.py", "runs": 2,
                     "at": [{"target": "rack1/2", "code": "slot_held", "reason": "the slot is driven by run 12 of job 6"}]}],
        "queue": {"policy": "people-first", "rank": 5, "text": "rank 5 by queue policy people-first; smaller ranks get slots first"},
    });
    let reports = json!({"job": 7, "reports": []});
    let change = json!({"job": 7, "code": "free_slot", "text": "free rack1/2, which run 12 of job 6 drives", "starts_on": ["rack1/2"],
                        "tried": 3, "left_out": 0});
    let server = server().on("GET /api/v1/jobs/7/why", 200, &answer).on("GET /api/v1/jobs/7/report", 200, &reports);
    insta::assert_snapshot!(server.on("GET /api/v1/jobs/7/change", 200, &change).headend(&["why", "7"]));
}

#[test]
fn racks() {
    let slot = |slot: u16, dut: Option<u64>, state: &str, detail: &str| json!({"slot": slot, "dut": dut, "dut_name": dut.map(|_| "virtual"), "state": state, "detail": detail, "epoch": 3});
    let list = json!({"racks": [
        {"rack": "rack1", "online": true, "draining": false, "last_seen": "2026-11-22T03:00:00Z", "cpu_percent": 91,
         "gate": "closed until 03:00:30", "slots": [slot(1, Some(101), "leased", "run 11 of job 7"), slot(2, None, "free", "")]},
        {"rack": "rack2", "online": false, "draining": false, "last_seen": "2026-11-21T22:10:00Z", "cpu_percent": 0, "gate": null, "slots": []},
    ]});
    insta::assert_snapshot!(server().on("GET /api/v1/racks", 200, &list).headend(&["racks"]));
}

#[test]
fn plugins() {
    let plugin = |name: &str, state: &str, reason: Option<&str>| {
        json!({"name": name, "version": "1.0.0", "kind": "coverage-policy", "language": "wasm", "world": "1.0.0", "state": state,
               "reason": reason, "hash": "0123456789abcdef0123", "strikes": 0, "loaded": "2026-11-22T03:00:00Z"})
    };
    let list = json!({"plugins": [plugin("test-coverage", "live", None), plugin("silly", "quarantined", Some("trapped three times"))]});
    insta::assert_snapshot!(server().on("GET /api/v1/plugins", 200, &list).headend(&["plugin"]));
}

#[test]
fn the_order_of_the_jobs_is_switched_and_shown() {
    let info = json!({"policy": "people-first", "in_force": "priority-fifo", "state": "ranking", "reason": null,
                      "text": "people-first is asked for the ranks of 3 open jobs; until then the order stays"});
    let fake = server().on("PUT /api/v1/queue-policy", 200, &info).on("GET /api/v1/queue-policy", 200, &info);
    insta::assert_snapshot!(fake.headend(&["plugin", "use", "people-first"]));
    assert_eq!(fake.headend(&["plugin", "use"]), fake.headend(&["plugin", "use", "people-first"]));
}

#[test]
fn submit_sends_one_request_under_a_key() {
    let warning = json!({"number": -3, "code": "slot_busy", "message": "Another user has work on this slot or DUT", "parameter": "rack1/2"});
    let fake = server().on("POST /api/v1/jobs", 201, &json!({"job": 8, "warnings": [warning], "repeated": false}));
    let said = fake.headend(&[
        "submit",
        "--slot",
        "rack1/1-2",
        "--test",
        "zap.rhai:--fast",
        "--accept-warnings",
        "--key",
        "k1",
    ]);
    insta::assert_snapshot!(said);
    let seen = &fake.seen()[0];
    assert_eq!(seen.headers["idempotency-key"], "k1");
    insta::assert_json_snapshot!(serde_json::from_slice::<Value>(&seen.body).unwrap());
}

#[test]
fn the_server_tells_its_version_its_start_and_who_one_is() {
    let said = server().headend(&["server"]);
    assert!(said.contains("2026-11-22 00:00:00Z") && said.contains("ada") && said.contains("admin"), "{said}");
}

fn lab() -> Fake {
    let item = |dut: u64, place: Value| json!({"dut": dut, "name": format!("box-{dut}"), "place": place});
    let at = json!({"rack": "rack1", "slot": 2});
    server()
        .on("GET /api/v1/duts", 200, &json!({"duts": [item(1, Value::Null), item(2, at.clone())]}))
        .on("PUT /api/v1/duts/1/place", 200, &item(1, at.clone()))
        .on("PUT /api/v1/duts/2/place", 200, &item(2, at.clone()))
        .on("POST /api/v1/duts", 201, &item(3, at))
        .on("POST /api/v1/inventory", 200, &json!({"changes": [], "dry_run": false}))
}

#[test]
fn whoever_takes_a_slot_is_told_whom_it_pushed_out() {
    let told = "DUT 2 (box-2), which was there, is on the shelf now";
    for command in [&["duts", "place", "1", "rack1/2"][..], &["duts", "add", "new", "--place", "rack1/2"]] {
        let said = lab().headend(command);
        assert!(said.starts_with("exit 0") && said.contains(told), "{said}");
    }
    for command in
        [["duts", "place", "2", "rack1/2"], ["duts", "place", "1", "rack1/3"], ["duts", "place", "1", "shelf"]]
    {
        let said = lab().headend(&command);
        assert!(said.starts_with("exit 0") && !said.contains("which was there"), "{said}");
    }
}

#[test]
fn a_dut_that_is_not_there_is_not_made_by_a_change() {
    let fake = lab();
    let said = fake.headend(&["duts", "set", "9", "name=x"]);
    assert!(said.starts_with("exit 4") && said.contains("there is no DUT 9"), "{said}");
    assert!(fake.seen().iter().all(|request| !request.line.contains("/inventory")));
    assert!(fake.headend(&["duts", "set", "2", "name=x"]).starts_with("exit 0"));
}

#[test]
fn an_empty_variable_says_as_little_as_none() {
    let run = crate::fake::headend(&["jobs"])
        .envs([("HEADEND_TOKEN", ""), ("HEADEND_SERVER", " "), ("HEADEND_CONFIG", "")])
        .output();
    let said = crate::fake::show(&run.unwrap());
    assert!(said.contains("no token for http://127.0.0.1:8001"), "{said}");
}

//! Bad input gets a clear error and leaves nothing half done.

use std::io::{Read, Write};
use std::net::TcpStream;

use headend_integration::Lab;
use headend_integration::client::{request, slots, test};
use headend_wire::api::{JobList, ModeRef, SubmitRequest, TestRequest};
use reqwest::Method;
use serde_json::{Value, json};

use super::scripts;

async fn lab() -> Lab {
    let lab = Lab::start(2).await;
    lab.client.upload("public", &[("a.rhai", scripts::PASS.as_bytes())]).await;
    lab
}

async fn jobs(lab: &Lab) -> usize {
    lab.client.get("/jobs?state=all").await.json::<JobList>().jobs.len()
}

#[tokio::test]
async fn each_bad_submit_names_the_thing_and_stores_nothing() {
    let lab = lab().await;
    let good = || request("job", &slots("rack1", 1..=2), [test("a.rhai")]);
    let with = |change: &dyn Fn(&mut SubmitRequest)| {
        let mut request = good();
        change(&mut request);
        request
    };
    let needs = |n: i64| with(&|r| r.tests[0].slots_needed = Some(n));
    let path = |p: &str| with(&|r| r.tests[0].script = p.to_owned());
    let long = "x".repeat(300);
    let cases: Vec<(SubmitRequest, &str, &str)> = vec![
        (with(&|r| r.slots = slots("rack1", [9])), "unknown_slot", "9"),
        (with(&|r| r.slots = slots("nowhere", [1])), "unknown_rack", "nowhere"),
        (with(&|r| r.duts = vec![4711]), "unknown_dut", "4711"),
        (with(&|r| r.tests[0].mode = ModeRef::Number(9)), "unknown_mode", "9"),
        (with(&|r| r.tests[0].mode = ModeRef::Name("nonesuch".into())), "unknown_policy", "nonesuch"),
        (with(&|r| r.tests.clear()), "no_tests", "tests"),
        (with(&|r| r.slots.clear()), "no_targets", "slots"),
        (with(&|r| r.slots = slots("rack1", [1, 1])), "duplicate_target", "1"),
        (needs(0), "bad_slots_needed", "0"),
        (needs(-1), "bad_slots_needed", "-1"),
        (needs(1 << 31), "bad_slots_needed", "2147483648"),
        (path("../a.rhai"), "bad_path", ".."),
        (path("C:\\a.rhai"), "bad_path", "C:"),
        (path("a\0.rhai"), "bad_path", "a"),
        (path(&long), "bad_path", "300"),
        (with(&|r| r.tests[0].args = "one \"two".into()), "bad_arguments", "character 5"),
        (
            with(&|r| {
                r.fail_on_warning = true;
                r.tests[0].script = "missing.rhai".into();
            }),
            "failed_on_warning",
            "missing.rhai",
        ),
    ];
    for (request, code, named) in cases {
        let answer = lab.client.post("/jobs", &request).await;
        let problem = answer.problem();
        assert_eq!(problem.code, code, "{}", answer.text());
        assert!(answer.text().contains(named), "{code}: the answer does not name {named}: {}", answer.text());
        assert_eq!(u16::from(answer.status), problem.status);
    }
    assert_eq!(jobs(&lab).await, 0, "a refused submit left a job behind");
}

#[tokio::test]
async fn a_missing_script_is_a_warning_and_its_test_does_not_run() {
    let lab = lab().await;
    let answer =
        lab.client.submit(&request("job", &slots("rack1", 1..=2), [test("missing.rhai"), test("a.rhai")])).await;
    assert_eq!(answer.warnings[0].code, "script_missing");
    assert!(answer.warnings[0].parameter.contains("missing.rhai"));
    let detail = lab.client.finished(answer.job).await;
    let of = |test: u32| detail.run_list.iter().filter(|r| r.test == test).map(|r| r.result).collect::<Vec<_>>();
    assert_eq!((of(0), of(1)), (vec![1, 1], vec![111, 111]));
}

#[tokio::test]
async fn unreadable_bodies_are_told_what_is_wrong() {
    let lab = lab().await;
    let deep = format!("{}1{}", "[".repeat(5_000), "]".repeat(5_000));
    for (body, named) in [("{", "line 1"), (r#"{"name":"x","test":[]}"#, "test"), (deep.as_str(), "")] {
        let send =
            lab.client.request(Method::POST, "/jobs").header("content-type", "application/json").body(body.to_owned());
        let answer = lab.client.send(send).await.unwrap();
        let problem = answer.problem();
        assert!(matches!(problem.code.as_str(), "bad_request" | "invalid"), "{}", answer.text());
        assert!(problem.detail.contains(named), "{}", answer.text());
    }
    let unknown = lab.client.get("/nonesuch").await;
    assert_eq!(unknown.problem().code, "not_found");
    assert_eq!(jobs(&lab).await, 0);
}

#[tokio::test]
async fn a_body_of_ten_gibibytes_is_refused_before_it_is_read() {
    let lab = lab().await;
    let mut socket = TcpStream::connect(("127.0.0.1", lab.port)).unwrap();
    socket.set_read_timeout(Some(headend_integration::DEADLINE)).unwrap();
    let token = token_of(&lab);
    let head = format!(
        "POST /api/v1/jobs HTTP/1.1\r\nhost: 127.0.0.1:{}\r\nauthorization: Bearer {token}\r\ncontent-type: application/json\r\n\
         content-length: 10737418240\r\n\r\n{{",
        lab.port
    );
    socket.write_all(head.as_bytes()).unwrap();
    let mut answer = [0; 1024];
    let read = socket.read(&mut answer).unwrap();
    let answer = String::from_utf8_lossy(&answer[..read]).into_owned();
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
}

fn token_of(lab: &Lab) -> String {
    let text = std::fs::read_to_string(lab.server_data().join("credentials.toml")).unwrap();
    let value: toml::Table = text.parse().unwrap();
    value["token"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn foreign_hosts_and_origins_are_turned_away() {
    let lab = lab().await;
    for (header, value) in [("host", "evil.example"), ("origin", "http://evil.example")] {
        let send = lab.client.request(Method::GET, "/jobs").header(header, value);
        let answer = lab.client.send(send).await.unwrap();
        assert_eq!(answer.problem().code, "wrong_host", "{header}: {}", answer.text());
    }
}

#[tokio::test]
async fn killing_a_job_that_has_ended_changes_nothing() {
    let lab = lab().await;
    let job = lab.client.submit(&request("job", &slots("rack1", 1..=2), [test("a.rhai")])).await.job;
    let before = lab.client.finished(job).await;
    let answer: Value = lab.client.post(&format!("/jobs/{job}/kill"), &json!({})).await.json();
    assert_eq!(answer["status"], json!(2));
    assert_eq!(lab.client.job(job).await, before);
    let unknown = lab.client.post("/jobs/999999/kill", &json!({})).await;
    assert_eq!(unknown.problem().code, "not_found");
}

#[tokio::test]
async fn one_key_is_one_job() {
    let lab = lab().await;
    let first = request("job", &slots("rack1", 1..=2), [test("a.rhai")]);
    let a = lab.client.submit_until_acknowledged(&first, "k1").await;
    let b = lab.client.submit_until_acknowledged(&first, "k1").await;
    assert_eq!((a.job, a.repeated, b.job, b.repeated), (b.job, false, a.job, true));
    let other = SubmitRequest { name: "another".into(), ..first };
    let send = lab.client.request(Method::POST, "/jobs").header("idempotency-key", "k1").json(&other);
    assert_eq!(lab.client.send(send).await.unwrap().problem().code, "key_reused");
}

#[tokio::test]
async fn a_script_over_its_time_limit_is_stopped() {
    let lab = lab().await;
    lab.client.upload("public", &[("loop.rhai", b"loop { }")]).await;
    let looping = TestRequest { time_limit_s: Some(1), slots_needed: Some(1), ..test("loop.rhai") };
    let job = lab.client.submit(&request("loop", &slots("rack1", [1]), [looping])).await.job;
    let detail = lab.client.finished(job).await;
    assert_eq!(detail.run_list[0].result, 1);
    assert!(detail.run_list[0].comment.contains("limit"), "{}", detail.run_list[0].comment);
}

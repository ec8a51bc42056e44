//! REST against its own description: schemathesis makes requests from `/api/openapi.json`, good and bad ones, with ids of
//! what is in the lab and of what is not, and checks each answer. See `tests/rest`.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use headend_integration::client::{request, slots, test};
use headend_integration::lab::repository;
use headend_integration::{DEADLINE, Lab};
use headend_wire::api::{ArtifactList, DutList, EventItem, JobDetail, TokenAnswer, TokenList};
use headend_wire::files::FileList;
use headend_wire::schedules::{ScheduleItem, ScheduleNoted};
use reqwest::{Method, StatusCode};
use serde::Serialize;
use serde_json::json;

use super::scripts;

/// Where `st` of schemathesis is. `cargo xtask test` sets it.
const PROGRAM: &str = "HEADEND_SCHEMATHESIS";
/// Seconds of a run, cases per operation, and where chance begins, unless the environment says otherwise.
const BOUNDS: [(&str, &str, &str); 3] = [
    ("--max-time", "HEADEND_REST_SECONDS", "75"),
    ("--max-examples", "HEADEND_REST_EXAMPLES", "10"),
    ("--seed", "HEADEND_REST_SEED", "20131117"),
];
/// Schedules in the lab: the tool deletes some of them.
const SCHEDULES: usize = 20;

/// Ids of what is in the lab, as dictionaries of the tool.
#[derive(Default, Serialize)]
struct Ids {
    jobs: Vec<u64>,
    runs: Vec<u64>,
    schedules: Vec<u64>,
    tests: Vec<u64>,
    duts: Vec<u64>,
    racks: Vec<String>,
    slots: Vec<u16>,
    tokens: Vec<String>,
    hashes: Vec<String>,
    artifacts: Vec<String>,
    scripts: Vec<String>,
}

/// What the tool is told in its environment.
struct Tokens {
    rack: String,
    newcomer: String,
}

#[tokio::test]
async fn every_answer_is_as_the_description_says() {
    let Some(program) = std::env::var_os(PROGRAM).map(PathBuf::from) else {
        println!(
            "SKIPPED: REST was not tried against its description, since {PROGRAM} does not say where `st` of \
                  schemathesis is; `cargo xtask test` sets it up"
        );
        return;
    };
    // Nothing gets lost here, whatever the load of the machine.
    let lab = Lab::start_with(2, &[("HEADEND_LEASE_MS", "120000"), ("HEADEND_HEARTBEAT_MS", "2000")]).await;
    let tokens = tokens(&lab).await;
    let ids = furnish(&lab).await;
    let config = configure(&lab, &ids);
    let played = play(&lab, &program, &config, &tokens).await;
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (out, err) = (said(&played.stdout), said(&played.stderr));
    assert!(played.status.success(), "{out}\n{err}\n{}", lab.logs());
    println!("{}", out.lines().skip_while(|line| !line.contains("SUMMARY")).collect::<Vec<_>>().join("\n"));
    nothing_failed(&lab).await;
}

/// The server counts its failures itself: also of answers that the tool did not look at.
async fn nothing_failed(lab: &Lab) {
    let answer = lab.client.get("/../../metrics").await;
    let text = answer.text();
    let failures = text.lines().find(|line| line.starts_with("headend_request_failures_total "));
    assert_eq!(failures, Some("headend_request_failures_total 0"), "{}", lab.logs());
}

async fn tokens(lab: &Lab) -> Tokens {
    let enrol = json!({ "protocol": headend_wire::PROTOCOL, "name": "rack9" });
    let once = lab.client.with_token(&lab.enrol_token().await);
    let enrolled: serde_json::Value = once.post("/racks/enrol", &enrol).await.json();
    let rack = enrolled["token"].as_str().unwrap().to_owned();
    Tokens { rack, newcomer: lab.enrol_token().await }
}

/// Puts a job that has run, one that waits, schedules with tests, files, users and boxes into the lab.
async fn furnish(lab: &Lab) -> Ids {
    let pass = scripts::PASS.as_bytes();
    lab.client.upload("public", &[("tests/a.rhai", pass), ("tests/b.rhai", pass)]).await;
    lab.client.upload("private", &[("own/c.rhai", pass)]).await;
    let made: TokenAnswer = lab.client.post("/tokens", &json!({ "user": "mary" })).await.json();
    let mary = lab.client.with_token(&made.token);
    let mut ids = Ids { racks: vec!["rack1".to_owned(), "rack9".to_owned()], slots: vec![1, 2], ..Ids::default() };
    ids.scripts = ["tests/a.rhai", "tests/b.rhai", "own/c.rhai"].map(str::to_owned).into();
    for (client, name) in [(&lab.client, "mine"), (&mary, "hers")] {
        let tests = [test("tests/a.rhai"), test("tests/b.rhai")];
        let job = client.submit(&request(name, &slots("rack1", 1..=2), tests)).await.job;
        let ended: JobDetail = lab.client.finished(job).await;
        ids.jobs.push(job);
        ids.runs.extend(ended.run_list.iter().map(|run| run.run));
    }
    for at in 0..SCHEDULES {
        let (schedule, test) = schedule(lab, &format!("nightly {at}")).await;
        ids.schedules.push(schedule);
        ids.tests.push(test);
    }
    let files: ArtifactList = lab.client.get(&format!("/runs/{}/files", ids.runs[0])).await.json();
    ids.artifacts = files.files.into_iter().map(|file| file.path).collect();
    for area in ["public", "private"] {
        let list: FileList = lab.client.get(&format!("/files/{area}")).await.json();
        ids.hashes.push(list.tree);
        ids.hashes.extend(list.files.into_iter().map(|file| file.hash));
    }
    let duts: DutList = lab.client.get("/duts").await.json();
    ids.duts = duts.duts.iter().map(|dut| dut.dut).collect();
    let known: TokenList = lab.client.get("/tokens").await.json();
    ids.tokens = known.tokens.into_iter().map(|token| token.id).collect();
    ids
}

/// A schedule that is not due for long, with a slot and a test.
async fn schedule(lab: &Lab, name: &str) -> (u64, u64) {
    let timing =
        json!({ "type": "Daily", "start_date": "2090-01-01", "start_time": "10:00:00", "end_time": "11:00:00" });
    let made: ScheduleItem = lab.client.post("/schedules", &json!({ "name": name, "timing": timing })).await.json();
    let schedule = made.schedule;
    let put = lab.client.request(Method::PUT, &format!("/schedules/{schedule}/slots/rack1/1"));
    assert!(lab.client.send(put).await.unwrap().status.is_success());
    let body = json!({ "script": "tests/a.rhai" });
    let added: ScheduleNoted = lab.client.post(&format!("/schedules/{schedule}/tests"), &body).await.json();
    (schedule, added.test.unwrap())
}

/// The committed configuration with the lab's ids.
fn configure(lab: &Lab, ids: &Ids) -> PathBuf {
    let base = std::fs::read_to_string(repository().join("tests/rest/schemathesis.toml")).unwrap();
    let serde_json::Value::Object(ids) = serde_json::to_value(ids).unwrap() else { unreachable!("a struct") };
    // A list of numbers or plain names is written alike in JSON and TOML.
    let dictionaries = ids.iter().map(|(name, values)| format!("\n[dictionaries.{name}]\nvalues = {values}\n"));
    let path = lab.folder.path().join("schemathesis.toml");
    std::fs::write(&path, base + &dictionaries.collect::<String>()).unwrap();
    path
}

async fn play(lab: &Lab, program: &Path, config: &Path, tokens: &Tokens) -> Output {
    let base = format!("http://127.0.0.1:{}", lab.port);
    let description = lab.folder.path().join("openapi.json");
    std::fs::write(&description, lab.client.get("/../openapi.json").await.text()).unwrap();
    let mut command = Command::new(program);
    command.arg("--config-file").arg(config).args(["--no-color", "run"]).arg(description).args(["--url", &base]);
    for (flag, variable, usual) in BOUNDS {
        command.arg(flag).arg(std::env::var(variable).unwrap_or_else(|_| usual.to_owned()));
    }
    command.env("HEADEND_REST_PERSON", lab.client.token());
    command.env("HEADEND_REST_RACK", &tokens.rack).env("HEADEND_REST_NEWCOMER", &tokens.newcomer);
    command.env("SCHEMATHESIS_HOOKS", "hooks").env("PYTHONPATH", repository().join("tests/rest"));
    command.env("PYTHONDONTWRITEBYTECODE", "1").current_dir(lab.folder.path());
    tokio::task::spawn_blocking(move || command.output().expect("`st` of schemathesis starts")).await.unwrap()
}

/// The feed never ends, so the tool, which reads answers to their end, leaves it out.
#[tokio::test]
async fn the_feed_is_a_stream_of_events_and_refuses_what_it_does_not_know() {
    let lab = Lab::start(1).await;
    for query in ["after=-1", "after=x", "job=1.5", "since=1", "after=1&after=2"] {
        let answer = lab.client.get(&format!("/events?{query}")).await;
        assert_eq!((answer.status, answer.problem().status), (StatusCode::BAD_REQUEST, 400), "{query}");
    }
    let mut stream = lab.client.request(Method::GET, "/events?after=0").send().await.unwrap();
    assert_eq!(stream.headers()["content-type"], "text/event-stream");
    let mut text = String::new();
    while !(text.contains("data:") && text.ends_with("\n\n")) {
        let piece = tokio::time::timeout(DEADLINE, stream.chunk()).await.expect("the feed goes on").unwrap();
        text.push_str(std::str::from_utf8(&piece.expect("the feed does not end")).unwrap());
    }
    let data = text.lines().find_map(|line| line.strip_prefix("data:")).unwrap();
    let item: EventItem = serde_json::from_str(data).unwrap();
    assert!(item.number > 0 && !item.kind.is_empty(), "{item:?}");
}

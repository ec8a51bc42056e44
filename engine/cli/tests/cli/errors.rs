//! An error says what was tried, on what, and what helps; the exit code tells programs.

use serde_json::{Value, json};

use crate::fake::{Fake, headend, show};

fn problem(status: u16, code: &str, detail: &str) -> Value {
    json!({"type": format!("/problems/{code}"), "title": code, "status": status, "detail": detail, "code": code})
}

#[test]
fn an_unknown_job() {
    let fake = Fake::start().on("GET /api/v1/jobs/99", 404, &problem(404, "not_found", "there is no job 99"));
    insta::assert_snapshot!(fake.headend(&["status", "99"]));
}

#[test]
fn a_job_refused_for_its_warnings() {
    let detail = "there were warnings: no DUT in rack1/4";
    let fake = Fake::start().on("POST /api/v1/jobs", 422, &problem(422, "failed_on_warning", detail));
    insta::assert_snapshot!(fake.headend(&["submit", "--slot", "rack1/4", "--test", "zap.rhai"]));
}

#[test]
fn errors_for_programs_are_json() {
    let fake = Fake::start().on("POST /api/v1/jobs/3/kill", 403, &problem(403, "forbidden", "job 3 is bob's"));
    insta::assert_snapshot!(fake.headend(&["kill", "3", "--json"]));
}

#[test]
fn no_server() {
    // Port 1 of loopback: nobody listens there.
    let mut command = headend(&["jobs", "--server", "http://127.0.0.1:1", "--token", "x"]);
    insta::assert_snapshot!(show(&command.output().unwrap()));
}

#[test]
fn no_token() {
    insta::assert_snapshot!(show(&headend(&["jobs"]).output().unwrap()));
}

#[test]
fn a_slot_that_is_none() {
    insta::assert_snapshot!(show(&headend(&["submit", "--slot", "rack1", "--test", "x"]).output().unwrap()));
}

#[test]
fn a_reader_that_has_seen_enough_is_no_error() {
    use std::process::Stdio;
    let mut child = headend(&["completions", "bash"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stderr.len()), (Some(0), 0), "{}", show(&output));
}

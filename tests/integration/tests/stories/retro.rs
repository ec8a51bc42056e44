//! A changed analyser over the captures of past runs: the verdicts that change, and only those.

use std::path::Path;
use std::process::{Command, Output};

use headend_integration::client::{request, slots, test};
use headend_integration::lab::{guests, program};
use headend_integration::{Lab, eventually};
use headend_wire::api::ArtifactList;
use serde_json::Value;

/// Looks twice at live television: it is not black, and stays so whatever the level.
const SCRIPT: &str = r#"
connect("", "is it black?");
reserve_slot(1);
press_digits(5);
press("Ok");
wait(8);
for level in [24, 8] {
    wait_for("black", #{ level: level }, 0);
}
capture();
result(PASS, "looked");
disconnect();
"#;

/// Takes a capture for black if it was asked with a level above 16.
const CHANGED: &str = r"
fn feed(frame) {
    let black = this.parameters.level > 16;
    #{ passed: black, score: if black { 1.0 } else { 0.25 }, sentence: `asked with level ${this.parameters.level}` }
}
";

fn changed(folder: &Path) {
    let manifest = "name = \"black\"\nversion = \"2.0.0\"\nkind = \"analyser\"\nworld = \"1.0.0\"\nfile = \"black.rhai\"\n\
                    [limits]\nmemory_mib = 32\ndeadline_ms = 2000\n[parameters]\ntype = \"object\"\n\
                    properties.level = { type = \"integer\", default = 24 }\n";
    std::fs::create_dir_all(folder).unwrap();
    std::fs::write(folder.join("headend-plugin.toml"), manifest).unwrap();
    std::fs::write(folder.join("black.rhai"), CHANGED).unwrap();
}

async fn analyse(lab: &Lab, words: &[&str]) -> Output {
    let mut command = Command::new(program());
    command.arg("analyse").args(words).env("HEADEND_CONFIG", lab.server_data().join("credentials.toml"));
    command.env("NO_COLOR", "1").env("HOME", lab.folder.path()).env("HEADEND_ANALYSERS", guests().join("analysers"));
    tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// The run, once its log and its captures are on the server.
async fn looked(lab: &Lab) -> (u64, u64) {
    lab.client.upload("public", &[("looks.rhai", SCRIPT.as_bytes())]).await;
    let job = lab.client.submit(&request("looks", &slots("rack1", [1]), [test("looks.rhai")])).await.job;
    let detail = lab.client.finished(job).await;
    let run = &detail.run_list[0];
    assert_eq!(run.result, 111, "{}\n{}", run.comment, lab.logs());
    let id = run.run;
    eventually("what the run has left to be on the server", || async {
        let answer = lab.client.get(&format!("/runs/{id}/files")).await;
        let list: ArtifactList = answer.json();
        let all = ["log.jsonl", "black_1.png", "black_1_1.png", "capture_1.png"];
        all.iter().all(|name| list.files.iter().any(|file| file.path == *name)).then_some(())
    })
    .await;
    (job, id)
}

#[tokio::test]
async fn verdicts_that_change_are_listed_with_what_they_were() {
    let lab = Lab::start(1).await;
    let (job, run) = looked(&lab).await;
    let (job, run) = (job.to_string(), run.to_string());

    // The same analyser, by its name among those that are installed, says the same again.
    let same = analyse(&lab, &["black", "--runs", &run]).await;
    assert_eq!(same.status.code(), Some(0), "{}", said(&same));
    assert!(said(&same).contains("over 2 captures of 1 run: 0 changed"), "{}", said(&same));

    let folder = lab.folder.path().join("changed");
    changed(&folder);
    let path = folder.to_str().unwrap();
    let other = analyse(&lab, &["--analyser", path, "--job", &job, "--format", "json"]).await;
    assert_eq!(other.status.code(), Some(1), "{}", said(&other));
    let report: Value = serde_json::from_slice(&other.stdout).unwrap();
    assert_eq!(
        (&report["captures"], &report["changed"], &report["now_passed"]),
        (&Value::from(2), &Value::from(1), &Value::from(1))
    );
    let [row] = report["verdicts"].as_array().unwrap().as_slice() else { panic!("{report}") };
    assert_eq!(
        (&row["was"], &row["now"], &row["capture"]),
        (&Value::from(false), &Value::from(true), &Value::from("black_1.png"))
    );
    assert_eq!(row["sentence"], "asked with level 24", "it is asked as it was asked then");
    assert!(row["was_sentence"].as_str().unwrap().contains("black") && row["was_version"].is_string(), "{row}");

    let table = analyse(&lab, &[path, "--since", "1h", "--all"]).await;
    let lines = String::from_utf8_lossy(&table.stdout).lines().filter(|line| line.contains("black_1")).count();
    assert_eq!(lines, 2, "{}", said(&table));
    let csv = analyse(&lab, &[path, "--runs", &run, "--format", "csv", "--quiet"]).await;
    let csv = String::from_utf8_lossy(&csv.stdout).into_owned();
    assert!(
        csv.starts_with("run,slot,capture") && csv.contains("\"black_1.png\"") && csv.lines().count() == 2,
        "{csv}"
    );
}

#[tokio::test]
async fn an_analyser_that_nobody_asked_may_look_at_every_capture() {
    let lab = Lab::start(1).await;
    let (_, run) = looked(&lab).await;
    let run = run.to_string();
    let none = analyse(&lab, &["blur", "--runs", &run]).await;
    assert_eq!(none.status.code(), Some(4), "{}", said(&none));
    assert!(said(&none).contains("--captures"), "{}", said(&none));
    let all = analyse(&lab, &["blur", "--runs", &run, "--captures", "--json"]).await;
    let report: Value = serde_json::from_slice(&all.stdout).unwrap();
    assert_eq!((all.status.code(), &report["captures"]), (Some(1), &Value::from(3)), "{}", said(&all));
    assert!(report["verdicts"].as_array().unwrap().iter().all(|row| row["was"].is_null()), "{report}");
    // A film of one picture: what judges streams says nothing, and that is told.
    let stream = analyse(&lab, &["motion", "--runs", &run, "--captures"]).await;
    assert_eq!(stream.status.code(), Some(4), "{}", said(&stream));
    assert!(said(&stream).contains("it judges streams"), "{}", said(&stream));
    let gone = analyse(&lab, &["black", "--runs", "900..901"]).await;
    assert_eq!(gone.status.code(), Some(4), "{}", said(&gone));
}

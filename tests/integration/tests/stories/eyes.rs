//! Tests that look and listen: television checked and timed by an unchanged script, a fault that is found, and what both leave behind.

use std::path::PathBuf;

use headend_integration::client::{request, slots, test};
use headend_integration::lab::{program, repository};
use headend_integration::{Lab, eventually};

/// What the first attempt of a run has left on the rack, once it is all there.
async fn left_by(lab: &Lab, run: u64, last: &str) -> PathBuf {
    let folder = lab.folder.path().join(format!("rack1/runs/{run}-1"));
    eventually(&format!("{last} of run {run}"), || async { folder.join(last).is_file().then_some(()) }).await;
    folder
}

async fn run(lab: &Lab, script: &str) -> (u64, i64, String) {
    let source = std::fs::read(repository().join("examples").join(script)).unwrap();
    lab.client.upload("public", &[(script, &source)]).await;
    let job = lab.client.submit(&request("eyes", &slots("rack1", [1]), [test(script)])).await.job;
    let detail = lab.client.finished(job).await;
    let run = &detail.run_list[0];
    (run.run, i64::from(run.result), run.comment.clone())
}

/// Events of a kind in a run's log.
fn events(folder: &std::path::Path, kind: &str) -> Vec<serde_json::Value> {
    let log = std::fs::read_to_string(folder.join("log.jsonl")).unwrap();
    let events = log.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    events.filter(|event| event["kind"] == kind).collect()
}

#[tokio::test]
async fn live_television_is_checked_step_by_step() {
    if std::process::Command::new("tesseract").arg("--version").output().is_err() {
        return;
    }
    let lab = Lab::start(1).await;
    let (id, result, comment) = run(&lab, "python-checks/live_tv.py").await;
    let folder = left_by(&lab, id, "logfile.html").await;
    let steps = events(&folder, "step_end");
    assert_eq!(result, 111, "{comment}: {steps:#?}\n{}", lab.logs());
    let names: Vec<_> = steps.iter().filter_map(|step| step["name"].as_str()).collect();
    let zaps = ["zap with Channel+", "zap with Channel+", "zap with Channel-"];
    assert_eq!(names, [["moving pictures", "sound"].as_slice(), &zaps, &["banner"]].concat());
    assert!(steps.iter().all(|step| step["result"] == 111), "{steps:#?}");
    let page = std::fs::read_to_string(folder.join("logfile.html")).unwrap();
    assert!(page.contains("zap with Channel-") && page.contains("motion_1"), "the page tells and shows it");
}

#[tokio::test]
async fn a_frozen_picture_is_found_and_leaves_a_film_strip() {
    let lab = Lab::start(1).await;
    let (id, result, comment) = run(&lab, "rhai-frozen/frozen.rhai").await;
    assert_eq!(result, 100, "{comment}\n{}", lab.logs());
    assert!(comment.contains("stands still"), "{comment}");
    let folder = left_by(&lab, id, "logfile.html").await;
    let strip = image_size(&std::fs::read(folder.join("filmstrip_1.png")).unwrap());
    assert!(strip.0 > 300 && strip.1 > 150, "several pictures: {strip:?}");
    assert_eq!(events(&folder, "measure").len(), 1);
    assert!(std::fs::read_to_string(folder.join("serial.txt")).unwrap().contains("zap 5"), "the box said where it was");
}

/// `python script.py`, nobody scheduling: the package starts `headend session --local` by itself.
#[test]
fn a_script_at_a_prompt_gets_a_box_of_its_own() {
    let Some(python) = std::env::var_os("HEADEND_PYTHON3") else { return };
    let folder = tempfile::tempdir().unwrap();
    let script = repository().join("examples/python-zap/zap.py");
    let output = std::process::Command::new(python)
        .arg(script)
        .arg("4")
        .current_dir(folder.path())
        .env("PYTHONPATH", repository().join("sdk/python"))
        .env("HEADEND_PROGRAM", program())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let mut left = Vec::new();
    collect(folder.path(), &mut left);
    for name in ["channel-4.png", "menu.png", "logfile.html", "src/zap.py"] {
        assert!(left.iter().any(|path| path.ends_with(name)), "{name} is not in {left:?}\n{said}");
    }
}

fn collect(folder: &std::path::Path, into: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { collect(&path, into) } else { into.push(path) }
    }
}

/// Width and height, from a PNG's header.
fn image_size(png: &[u8]) -> (u32, u32) {
    let side = |at: usize| u32::from_be_bytes(png[at..at + 4].try_into().unwrap());
    assert_eq!(&png[1..4], b"PNG");
    (side(16), side(20))
}

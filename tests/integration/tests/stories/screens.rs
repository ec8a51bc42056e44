//! One test of screens in three languages: by hand, as runs of a job, on a reserved slot (`run_there`).

use std::path::{Path, PathBuf};
use std::process::Command;

use headend_integration::client::{request, slots, test};
use headend_integration::lab::{guests, program};
use headend_integration::{Lab, eventually};
use serde_json::Value;

/// The example, all languages in one folder.
pub(super) fn example() -> PathBuf {
    guests().join("examples/screens")
}

/// Its regions of text need it.
pub(super) fn texts_are_read() -> bool {
    Command::new("tesseract").arg("--version").output().is_ok()
}

/// What a log says of screens: their names, and whether they were there.
pub(super) fn screens_of(folder: &Path) -> Vec<(String, bool)> {
    let log = std::fs::read_to_string(folder.join("log.jsonl")).unwrap();
    let events = log.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let screens = events.filter(|event| event["kind"] == "screen");
    screens.map(|event| (event["name"].as_str().unwrap().to_owned(), event["met"] == true)).collect()
}

pub(super) fn as_the_example_says() -> Vec<(String, bool)> {
    [("Guide", true), ("Main menu", true), ("Guide", false)].map(|(name, met)| (name.to_owned(), met)).into()
}

#[test]
fn the_same_screens_are_known_by_hand_in_three_languages() {
    if !texts_are_read() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    for language in ["rhai", "wasm", "py"] {
        let mut command = Command::new(program());
        command.arg("run").args(["--out", language]).arg(example().join(format!("screens.{language}")));
        let output = command.current_dir(folder.path()).output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && said.contains("PASS: 2 of 2 screens"), "{language}: {said}");
        let out = folder.path().join(language);
        // The package of legacy scripts puts its screens together from single looks.
        if language != "py" {
            assert_eq!(screens_of(&out), as_the_example_says(), "{language}");
        }
        let page = std::fs::read_to_string(out.join("logfile.html")).unwrap();
        assert!(page.contains("television goes on beside it"), "{language}: the page names the regions");
    }
}

#[tokio::test]
async fn runs_find_screens_beside_them_and_what_all_share_in_the_public_area() {
    if !texts_are_read() {
        return;
    }
    let lab = Lab::start(1).await;
    let read = |name: &str| std::fs::read(example().join(name)).unwrap();
    for name in ["screens.rhai", "screens.wasm", "guide.stscreen", "menus.json"] {
        lab.client.upload("public", &[(&format!("screens/{name}"), &read(name))]).await;
    }
    lab.client.upload("public", &[("resources/UI.json", &read("resources/UI.json"))]).await;
    let tests = ["screens/screens.rhai", "screens/screens.wasm"].map(test);
    let job = lab.client.submit(&request("screens", &slots("rack1", [1]), tests)).await.job;
    let detail = lab.client.finished(job).await;
    assert_eq!(detail.run_list.len(), 2);
    for run in &detail.run_list {
        assert_eq!((run.result, run.comment.as_str()), (111, "2 of 2 screens"), "{}\n{}", run.script, lab.logs());
        let folder = lab.folder.path().join(format!("rack1/runs/{}-1", run.run));
        let page = folder.join("logfile.html");
        eventually("the run's page", || async { page.is_file().then_some(()) }).await;
        assert_eq!(screens_of(&folder), as_the_example_says(), "{}", run.script);
    }
}

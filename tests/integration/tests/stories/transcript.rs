//! Every example of the document's chapters 4, 5 and 7, in its order, against a real server with two racks: by the Python
//! package and by Python's own XML-RPC library, in Python 2.7 and 3.

use std::path::PathBuf;
use std::process::Command;

use headend_integration::lab::repository;
use headend_integration::{Lab, Process, eventually};
use headend_wire::api::{DutList, RackList};
use serde_json::json;

/// The second rack that the document's examples speak of.
async fn second_rack(lab: &Lab) -> Process {
    let (server, token) = (format!("http://127.0.0.1:{}", lab.port), lab.enrol_token().await);
    let data = lab.folder.path().join("stormtest16");
    let data = data.to_str().unwrap();
    let arguments = ["rack", "--server", &server, "--name", "stormtest16", "--data", data, "--slots", "4"];
    let mut arguments = arguments.to_vec();
    arguments.extend(["--virtual-time", "--token", &token]);
    let rack = Process::spawn(&arguments, &[], &lab.folder.path().join("stormtest16.log"));
    eventually("the second rack to have its boxes", || async {
        let list: RackList = lab.client.get("/racks").await.json();
        let found = list.racks.into_iter().find(|rack| rack.rack == "stormtest16")?;
        (found.online && found.slots.iter().filter(|slot| slot.dut.is_some()).count() == 4).then_some(())
    })
    .await;
    rack
}

async fn stage() -> (Lab, Process) {
    // Nothing gets lost here, and the answers must not depend on how quickly a loaded machine sends its heartbeats.
    let calm = [("HEADEND_LEASE_MS", "120000"), ("HEADEND_HEARTBEAT_MS", "2000")];
    let lab = Lab::start_with(8, &calm).await;
    let second = second_rack(&lab).await;
    let duts: DutList = lab.client.get("/duts").await.json();
    let named = json!({ "dut": [{ "dut": duts.duts[0].dut, "name": "TP200686A-L-80" }] });
    let answer = lab.client.post("/inventory", &named).await;
    assert!(answer.status.is_success(), "{}", answer.text());
    (lab, second)
}

async fn play(interpreter: &str, via: &str) {
    let Some(python) = std::env::var_os(interpreter).map(PathBuf::from) else {
        println!("skipped: {interpreter} names no interpreter");
        return;
    };
    let (lab, _second) = stage().await;
    let script = repository().join("tests/python/transcript/transcript.py");
    let server = format!("127.0.0.1:{}", lab.port);
    let mut command = Command::new(python);
    command.arg(script).args(["--server", &server, "--via", via, "--patience", "90"]);
    command.env("HEADEND_TOKEN", lab.client.token()).env("PYTHONDONTWRITEBYTECODE", "1");
    let played = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(played.status.success(), "{}\n{}\n{}", said(&played.stdout), said(&played.stderr), lab.logs());
}

#[tokio::test]
async fn every_example_by_the_package_in_python_3() {
    play("HEADEND_PYTHON3", "package").await;
}

#[tokio::test]
async fn every_example_by_the_package_in_python_2() {
    play("HEADEND_PYTHON2", "package").await;
}

#[tokio::test]
async fn every_example_over_the_wire_in_python_3() {
    play("HEADEND_PYTHON3", "wire").await;
}

#[tokio::test]
async fn every_example_over_the_wire_in_python_2() {
    play("HEADEND_PYTHON2", "wire").await;
}

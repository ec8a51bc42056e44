//! Tests that wait for what a box says on its serial port, in two languages, with the line in the result; and its log, read again.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use headend_integration::client::{request, slots, test};
use headend_integration::lab::{guests, program};
use headend_integration::{Lab, eventually};
use serde_json::Value;

const PYTHON: &str = r#"
import stormtest.ClientAPI as StormTest
from stormtest.ClientAPI import TM

StormTest.ConnectToServer("rack1", "does it boot?")
StormTest.ReserveSlot(1, "default", [], True)
StormTest.PowerOffSTB(1)
StormTest.PowerOnSTB()
booted = StormTest.WaitAnalyser("serial-pattern", {"pattern": r"network up, (\S+)", "regex": True}, timeToWait=60)[0]
calm = StormTest.WaitAnalyser("serial-pattern", {"pattern": "panic", "absent": True}, timeToWait=20)[0]
StormTest.PressButton("Channel+")
zap = StormTest.WaitAnalyser("serial-pattern", {"pattern": "zap ", "back_s": 1}, timeToWait=5)[0]
address = booted[2]["found"][1]["label"]
met = booted[1] and calm[1] and zap[1] and address == "192.0.2.17"
StormTest.ReleaseServerConnection()
StormTest.ReturnTestResult(TM.PASS if met else TM.FAIL)
"#;

const RHAI: &str = r#"
connect("", "does it boot?");
reserve_slot(1);
power(false);
wait(1);
power(true);
let booted = wait_for("serial-pattern", #{ pattern: "network up, (\\S+)", regex: true }, 60);
let calm = wait_for("serial-pattern", #{ pattern: "panic", absent: true }, 20);
press("Channel+");
let zap = wait_for("serial-pattern", #{ pattern: "zap ", back_s: 1 }, 5);
let met = booted.met && calm.met && zap.met && booted.found[1].label == "192.0.2.17";
result(if met { PASS } else { FAIL }, `${booted.sentence}; ${calm.sentence}; ${zap.sentence}`);
disconnect();
"#;

async fn boots(lab: &Lab, file: &str, source: &str) -> PathBuf {
    lab.client.upload("public", &[(file, source.as_bytes())]).await;
    let job = lab.client.submit(&request("boots", &slots("rack1", [1]), [test(file)])).await.job;
    let detail = lab.client.finished(job).await;
    let run = &detail.run_list[0];
    let folder = lab.folder.path().join(format!("rack1/runs/{}-1", run.run));
    eventually("the page of the run", || async { folder.join("logfile.html").is_file().then_some(()) }).await;
    let log = std::fs::read_to_string(folder.join("log.jsonl")).unwrap();
    assert_eq!(run.result, 111, "{file}: {}\n{log}\n{}", run.comment, lab.logs());
    folder
}

async fn analyse(lab: &Lab, words: &[&str], folder: &Path) -> Output {
    let mut command = Command::new(program());
    command.args(["analyse", "serial-pattern"]).arg(folder).args(words);
    command.env("NO_COLOR", "1").env("HOME", lab.folder.path()).env("HEADEND_ANALYSERS", guests().join("analysers"));
    tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
}

#[tokio::test]
async fn a_boot_line_is_waited_for_and_stands_in_the_result() {
    let lab = Lab::start(1).await;
    for (file, source) in [("boots.py", PYTHON), ("boots.rhai", RHAI)] {
        let folder = boots(&lab, file, source).await;
        let log = std::fs::read_to_string(folder.join("log.jsonl")).unwrap();
        let events: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let watched: Vec<&Value> = events.iter().filter(|event| event["kind"] == "watch").collect();
        let sentence = watched[0]["sentence"].as_str().unwrap();
        assert!(sentence.contains("boot: network up, 192.0.2.17"), "{file}: {sentence}");
        let value = |name: &str| watched[0]["values"][name].as_f64().unwrap();
        let off_s = value("line_s") - watched[0]["at_us"].as_f64().unwrap() / 1e6;
        assert!(value("matches") > 0.0 && off_s.abs() < 1e-6, "the verdict is of the line: {:#}", watched[0]);
        let page = std::fs::read_to_string(folder.join("logfile.html")).unwrap();
        assert!(page.contains("192.0.2.17"), "the page tells it");
        let again = analyse(&lab, &["--parameters", r#"{"pattern": "network up"}"#, "--json"], &folder).await;
        let said: Value = serde_json::from_slice(&again.stdout).unwrap();
        assert_eq!((again.status.code(), &said["verdicts"][0]["slot"]), (Some(0), &Value::from(1)), "{said:#}");
        let calm = analyse(&lab, &["--parameters", r#"{"pattern": "network up", "absent": true}"#], &folder).await;
        assert_eq!(calm.status.code(), Some(1), "{calm:?}");
    }
}

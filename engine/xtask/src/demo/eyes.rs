//! Tests that look at a box instead of only driving it: live television checked and timed, and a fault that is found, with what it left to see.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::lab::Lab;
use super::report::{Job, Run};
use crate::shell::{Context, Result};
use crate::toolchain;

/// Passes when pictures move, sound is heard, zaps are quick and the banner can be read.
const LIVE: &str = "python-checks/live_tv.py";
/// Orders a frozen picture and fails because of it.
const FROZEN: &str = "rhai-frozen/frozen.rhai";

const PASS: u64 = 111;
const FAIL: u64 = 100;

/// Shows both; what is not as it should be.
pub(crate) fn show(lab: &Lab) -> Result<Vec<String>> {
    let mut faults = Vec::new();
    if toolchain::on_path("tesseract").is_some() {
        let run = one_run(lab, LIVE)?;
        faults.extend(result(&run, LIVE, PASS));
        let steps = steps(&lab.left_by(run.id))?;
        println!("\n{LIVE}, step by step:");
        for Step { name, result, comment } in &steps {
            println!("  {:<5} {name:<20} {comment}", if *result == PASS { "pass" } else { "fail" });
        }
        if steps.len() < 6 {
            faults.push(format!("{LIVE} took {} steps, not 6", steps.len()));
        }
    } else {
        println!("No tesseract here, which reads the banner: {LIVE} is left out.");
    }
    let run = one_run(lab, FROZEN)?;
    faults.extend(result(&run, FROZEN, FAIL));
    println!("\n{FROZEN}, a fault found: {}", run.comment);
    let left = lab.left_by(run.id);
    for name in ["logfile.html", "filmstrip_1.png"] {
        match left.iter().find(|path| path.ends_with(name)) {
            Some(path) => println!("  {}", path.display()),
            None => faults.push(format!("{FROZEN} left no {name}")),
        }
    }
    Ok(faults)
}

/// Runs a script on the first box.
fn one_run(lab: &Lab, script: &str) -> Result<Run> {
    let name = Path::new(script).file_stem().and_then(|stem| stem.to_str()).unwrap_or("eyes");
    let submitted = lab.ask(&["submit", "--json", "--name", name, "--slot", "rack1/1", "--test", script])?;
    let id = submitted["job"].as_u64().context("`headend submit` gave no job")?.to_string();
    // Its exit code says what the result says, which is looked at below.
    lab.watch(&id).ok();
    let job = Job::read(&lab.ask(&["status", &id, "--json"])?)?;
    job.runs.into_iter().next().context(format_args!("job {id} has no run"))
}

fn result(run: &Run, script: &str, wanted: u64) -> Option<String> {
    let fault = || format!("{script} (run {}) gave {}, not {wanted}: {}", run.id, run.result, run.comment);
    (run.result != wanted).then(fault)
}

/// A step that has ended.
struct Step {
    name: String,
    result: u64,
    comment: String,
}

/// From the run's log, one event a line.
fn steps(left: &[PathBuf]) -> Result<Vec<Step>> {
    let log = left.iter().find(|path| path.ends_with("log.jsonl")).context("the run left no log")?;
    let text = fs::read_to_string(log).context(format_args!("cannot read {}", log.display()))?;
    let events = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let step = |event: Value| {
        let word = |key: &str| event[key].as_str().unwrap_or_default().to_owned();
        Step { name: word("name"), result: event["result"].as_u64().unwrap_or_default(), comment: word("comment") }
    };
    Ok(events.filter(|event| event["kind"] == "step_end").map(step).collect())
}

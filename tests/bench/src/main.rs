//! End-to-end figures, each beside its baseline in the same run: durable no-op runs per second for WASM, Rhai and
//! Python next to HyperQueue's null tasks, and the time from submit to the first start on an idle rack.
//!
//! Run by `cargo xtask bench`, which builds `headend` with optimisation and names it in `HEADEND_PROGRAM`. A Python
//! with HyperQueue is taken from `HEADEND_HQ`; without it the figures stand alone and the output says so.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a program that measures: it stops at the first fault"
)]

mod baseline;
mod cold;
mod measure;

use headend_integration::Lab;
use headend_integration::lab::{guests, repository};

/// Boxes of the rack, and runs measured per box.
const SLOTS: u16 = 32;
const RUNS_PER_SLOT: usize = 200;
const PYTHON_RUNS_PER_SLOT: usize = 12;

#[tokio::main]
async fn main() {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    println!("{cores} cores; {SLOTS} virtual boxes; every result durable (SQLite, synchronous=FULL)\n");
    let null = baseline::tasks_per_second(8_000, &["true"]);
    let python = baseline::tasks_per_second(400, &["python3", "-c", "pass"]);
    let lab = Lab::start(SLOTS).await;
    upload_noops(&lab).await;
    for (name, script) in [("WASM", "noop.wasm"), ("Rhai", "noop.rhai")] {
        measure::runs_per_second(&lab, script, 20).await;
        let rate = measure::runs_per_second(&lab, script, RUNS_PER_SLOT).await;
        report(&format!("no-op runs, {name}"), rate, "HyperQueue, `true`", null, 5.0);
    }
    measure::runs_per_second(&lab, "noop.py", 2).await;
    let rate = measure::runs_per_second(&lab, "noop.py", PYTHON_RUNS_PER_SLOT).await;
    report("no-op runs, Python 3", rate, "HyperQueue, `python3 -c pass`", python, 4.0);
    let one_box = Lab::start(1).await;
    upload_noops(&one_box).await;
    for (name, script, cold, what) in [
        ("Rhai in a warm guest", "noop.rhai", cold::guest_ms(), "a cold guest process up to its first word"),
        ("Python from the zygote", "noop.py", cold::python_ms(), "`python3 -c pass`"),
    ] {
        measure::runs_per_second(&one_box, script, 5).await;
        let run = 1e3 / measure::runs_per_second(&one_box, script, 100).await;
        println!("{name}, whole run on one box: {run:.2} ms; {what}: {cold:.2} ms; ratio {:.2}", cold / run);
    }
    drop(one_box);
    let waits = measure::submit_to_start(&lab, "noop.wasm", 300).await;
    println!(
        "submit to first start, idle rack: median {:.1} ms, p99 {:.1} ms (budget: p99 20 ms)",
        waits[waits.len() / 2],
        waits[waits.len() * 99 / 100]
    );
}

async fn upload_noops(lab: &Lab) {
    let read = |path: std::path::PathBuf| std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let wasm = read(guests().join("examples/noop/noop.wasm"));
    let rhai = read(repository().join("examples/noop/noop.rhai"));
    let python = b"from stormtest.ClientAPI import *\nReturnTestResult(TM.PASS)\n";
    lab.client.upload("public", &[("noop.wasm", &wasm), ("noop.rhai", &rhai), ("noop.py", python)]).await;
}

fn report(what: &str, rate: f64, baseline: &str, other: Option<f64>, budget: f64) {
    match other {
        Some(other) => {
            println!("{what}: {rate:.0}/s; {baseline}: {other:.0}/s; ratio {:.2} (budget {budget})", rate / other);
        }
        None => println!("{what}: {rate:.0}/s; no baseline: name a Python that has HyperQueue in HEADEND_HQ"),
    }
}

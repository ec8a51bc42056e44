//! End-to-end figures, each beside its baseline in the same run: durable no-op runs per second for WASM, Rhai and
//! Python next to HyperQueue's null tasks, the time from submit to the first start on an idle rack, the memory that uploads
//! take, and the pauses in dispatch while a policy is replaced. At the end each budget of the design with its verdict.
//! With the name of a part (`uploads`, `reload`, `hostile`: what an attack costs those beside it): that part alone.
//!
//! Run by `cargo xtask bench`, which builds `headend` with optimisation and names it in `HEADEND_PROGRAM`. A Python
//! with HyperQueue is taken from `HEADEND_HQ`; without it the figures stand alone and the output says so.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::exit,
    reason = "a program that measures: it stops at the first fault"
)]

mod baseline;
mod budgets;
mod cold;
mod hostile;
mod measure;
mod reload;
mod uploads;

use budgets::{Budgets, Limit};
use headend_integration::Lab;
use headend_integration::lab::{guests, repository};

/// Boxes of the rack, and runs measured per box.
const SLOTS: u16 = 32;
const RUNS_PER_SLOT: usize = 200;
const PYTHON_RUNS_PER_SLOT: usize = 12;
/// No-op runs that each core must manage in a second.
const RUNS_PER_CORE: f64 = 2_000.0;

#[tokio::main]
async fn main() {
    let mut budgets = Budgets::default();
    if let Some(part) = std::env::args().nth(1) {
        match part.as_str() {
            "uploads" => uploads::run(&mut budgets).await,
            "reload" => reload::run(&mut budgets).await,
            "hostile" => hostile::run(&mut budgets).await,
            other => {
                eprintln!("there is no part {other:?}; name one of uploads, reload, hostile, or nothing for all");
                std::process::exit(2);
            }
        }
        return budgets.print();
    }
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    println!("{cores} cores; {SLOTS} virtual boxes; every result durable (SQLite, synchronous=FULL)\n");
    let null = baseline::tasks_per_second(8_000, &["true"]);
    let python = baseline::tasks_per_second(400, &["python3", "-c", "pass"]);
    let lab = Lab::start(SLOTS).await;
    upload_noops(&lab).await;
    for (name, script) in [("WASM", "noop.wasm"), ("Rhai", "noop.rhai")] {
        measure::runs_per_second(&lab, script, 20).await;
        let rate = measure::runs_per_second(&lab, script, RUNS_PER_SLOT).await;
        let what = format!("no-op runs, {name}");
        budgets.judge(what.as_str(), rate, Limit::AtLeast(RUNS_PER_CORE * cores as f64), "/s");
        beside(&mut budgets, &what, rate, ("HyperQueue, `true`", null), 5.0);
    }
    measure::runs_per_second(&lab, "noop.py", 2).await;
    let rate = measure::runs_per_second(&lab, "noop.py", PYTHON_RUNS_PER_SLOT).await;
    beside(&mut budgets, "no-op runs, Python 3", rate, ("HyperQueue, `python3 -c pass`", python), 4.0);
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
    let (median, p99) = (waits[waits.len() / 2], waits[waits.len() * 99 / 100]);
    println!("submit to first start, idle rack: median {median:.1} ms, p99 {p99:.1} ms");
    budgets.judge("submit to first start, idle rack, p99", p99, Limit::AtMost(20.0), " ms");
    drop(lab);
    uploads::run(&mut budgets).await;
    reload::run(&mut budgets).await;
    hostile::run(&mut budgets).await;
    plugins(&mut budgets);
    budgets.print();
    let file = budgets.save().expect("the figures can be kept");
    println!("kept in {}", file.display());
}

/// Policies as plugins, from the benches that `cargo xtask bench` ran before.
fn plugins(budgets: &mut Budgets) {
    for policy in ["dut-coverage", "test-coverage"] {
        let what = format!("{policy} in WebAssembly beside its native twin, whole job");
        match budgets::plugin_ratio(policy) {
            Some(ratio) => budgets.judge(what, ratio, Limit::AtMost(2.0), " times"),
            None => budgets.unknown(
                what,
                "the benches of headend-plugin-host have not been run",
                Limit::AtMost(2.0),
                " times",
            ),
        }
    }
}

async fn upload_noops(lab: &Lab) {
    let read = |path: std::path::PathBuf| std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let wasm = read(guests().join("examples/noop/noop.wasm"));
    let rhai = read(repository().join("examples/noop/noop.rhai"));
    let python = b"from stormtest.ClientAPI import *\nReturnTestResult(TM.PASS)\n";
    lab.client.upload("public", &[("noop.wasm", &wasm), ("noop.rhai", &rhai), ("noop.py", python)]).await;
}

fn beside(budgets: &mut Budgets, what: &str, rate: f64, (name, other): (&str, Option<f64>), times: f64) {
    let (limit, against) = (Limit::AtLeast(times), format!("{what}, beside {name}"));
    if let Some(other) = other {
        println!("{what}: {rate:.0}/s; {name}: {other:.0}/s; ratio {:.2}", rate / other);
        budgets.judge(against, rate / other, limit, " times");
    } else {
        println!("{what}: {rate:.0}/s; no baseline: name a Python that has HyperQueue in HEADEND_HQ");
        budgets.unknown(against, "no baseline", limit, " times");
    }
}

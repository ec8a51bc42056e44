//! `cargo xtask demo`: the whole way of a job, shown and checked. It uses `headend` as a person would.

mod check;
mod eyes;
mod lab;
mod matrix;
mod person;
mod report;

use std::path::{Path, PathBuf};

use self::lab::Lab;
use self::report::Job;
use crate::program::{self, Profile};
use crate::shell::{self, Context, Failure, Result, Shell};
use crate::{guests, pythons, setup};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Where server and rack keep their data, kept afterwards; a temporary folder unless given.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Leave everything running, to look around, until Ctrl-C.
    #[arg(long)]
    stay: bool,
    /// Keep the data.
    #[arg(long)]
    keep: bool,
    /// Leave the set-up out: everything is here.
    #[arg(long)]
    no_setup: bool,
}

/// Boxes of the virtual rack.
const BOXES: u16 = 4;

/// A test of the demo: its language and its script among the examples.
struct Test {
    language: &'static str,
    script: &'static str,
}

const TESTS: [Test; 3] = [
    Test { language: "Rhai", script: "rhai-zap/zap.rhai" },
    Test { language: "WASM", script: "wasm-menu/menu.wasm" },
    Test { language: "Python 3", script: "python-zap/zap.py" },
];
const PYTHON_2: Test = Test { language: "Python 2.7", script: "python27-legacy/menu_walk.py" };

/// A coverage policy, loaded from its folder, and what it promises.
struct Policy {
    name: &'static str,
    promise: &'static str,
    check: fn(&Job) -> Vec<String>,
}

const POLICIES: [Policy; 2] = [
    Policy {
        name: "test-coverage",
        promise: "no test starts again on a box that could take one which has started less",
        check: check::test_coverage,
    },
    Policy { name: "dut-coverage", promise: "on each box the tests in list order", check: check::dut_coverage },
];

/// Shows it all; an error names the first thing that is not as it should be.
pub(crate) fn run(shell: &Shell, args: &Args) -> Result<()> {
    if !args.no_setup {
        setup::for_the_demo(shell)?;
    }
    let program = program::build(shell, Profile::Dev)?;
    let guests = guests::run(shell)?;
    let tests = tests(shell, &guests);
    let temporary = tempfile::Builder::new().prefix("headend-demo-").tempdir().context("cannot make a folder")?;
    let data = args.data.clone().unwrap_or_else(|| temporary.path().to_owned());
    if args.keep || args.stay {
        // From here on nobody removes it.
        let _ = temporary.keep();
    }
    let lab = shell::step("headend up", || Lab::start(shell, &program, &data, BOXES))?;
    let shown = show(&lab, &guests, &tests);
    if shown.is_err() {
        eprintln!("\nNot as it should be; the log of server and rack ends with:\n{}", lab.log_tail());
    } else if args.stay {
        stay(&lab, &program)?;
    }
    shell::step("stop", || lab.stop())?;
    shown?;
    if args.keep || args.stay || args.data.is_some() {
        println!("Everything is kept in {}", data.display());
    } else {
        println!("Logs, captures and results are removed now; --keep keeps them.");
    }
    println!("\nThe demo went as it should.");
    Ok(())
}

/// Those that can run here; Python 2.7 where there is one.
fn tests(shell: &Shell, guests: &Path) -> Vec<Test> {
    let has_python_2 = pythons::find(shell).iter().any(|python| python.version.0 == 2);
    let mut tests = Vec::from(TESTS);
    if has_python_2 && guests.join("examples").join(PYTHON_2.script).exists() {
        tests.push(PYTHON_2);
    } else {
        println!("No Python 2.7 here: its test is left out.");
    }
    tests
}

fn show(lab: &Lab, guests: &Path, tests: &[Test]) -> Result<()> {
    shell::step("upload the examples, load the policies", || {
        lab.show(&["files", "upload", &guests.join("examples").to_string_lossy()])?;
        for policy in &POLICIES {
            lab.show(&["plugin", "load", &guests.join("plugins").join(policy.name).to_string_lossy()])?;
        }
        lab.show(&["plugin", "list"])
    })?;
    let mut faults = Vec::new();
    for policy in &POLICIES {
        let title = format!("{} tests on {BOXES} boxes, policy {}", tests.len(), policy.name);
        faults.append(&mut shell::step(&title, || one_job(lab, tests, policy))?);
    }
    faults.append(&mut shell::step("tests that see, hear and time", || eyes::show(lab))?);
    faults.append(&mut shell::step("a person takes a box for a while", || person::show(lab))?);
    lab.tell_where_evidence_lies();
    if faults.is_empty() { Ok(()) } else { Err(Failure::new(format!("not as expected:\n  {}", faults.join("\n  ")))) }
}

/// Runs every test on every box under a policy, shows what came of it, and gives what is wrong with it.
fn one_job(lab: &Lab, tests: &[Test], policy: &Policy) -> Result<Vec<String>> {
    let slots = format!("rack1/1-{BOXES}");
    let mut words = vec!["submit", "--json", "--name", policy.name, "--slot", &slots, "--mode", policy.name];
    words.extend(tests.iter().flat_map(|test| ["--test", test.script]));
    let id = lab.ask(&words)?["job"].as_u64().context("`headend submit` gave no job")?.to_string();
    let watched = lab.watch(&id);
    let job = Job::read(&lab.ask(&["status", &id, "--json"])?)?;
    let languages: Vec<_> = tests.iter().map(|test| test.language).collect();
    println!("\n{}", matrix::results(&job, &languages, BOXES));
    println!("\n{}", matrix::orders(&job, &languages, BOXES));
    println!("\nWhy the last run started there and then:");
    println!("{}", lab.last_why(&id, policy.name)?);
    let mut faults = check::results(&job, tests.len(), BOXES);
    faults.extend((policy.check)(&job));
    faults.extend(check::chosen_by(&lab.ask(&["why", &id, "--json"])?, policy.name));
    if faults.is_empty() {
        watched?;
        println!("\nAs promised: every result is PASS, and {}.", policy.promise);
    }
    Ok(faults.into_iter().map(|fault| format!("{} (job {id}): {fault}", policy.name)).collect())
}

fn stay(lab: &Lab, program: &Path) -> Result<()> {
    println!("\nEverything stays up until Ctrl-C. In another window:\n");
    println!("  export HEADEND_CONFIG={}", lab.credentials().display());
    println!("  {} jobs --all\n", program.display());
    lab.wait()
}

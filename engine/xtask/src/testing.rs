//! `cargo xtask test`: every test there is, from a fresh clone.

use std::process::Command;
use std::time::Instant;

use crate::compilers;
use crate::devices;
use crate::guests;
use crate::pythons::Python;
use crate::rest;
use crate::setup::{self, Tools};
use crate::shell::{self, Result, Shell};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Leave the set-up out: everything is here.
    #[arg(long)]
    no_setup: bool,
    /// Only tests whose name has this in it (Rust tests).
    filter: Option<String>,
}

impl Args {
    /// Every test there is.
    pub(crate) const fn all(no_setup: bool) -> Self {
        Self { no_setup, filter: None }
    }
}

/// Runs all tests and ends with one line that says so.
pub(crate) fn run(shell: &Shell, args: &Args) -> Result<()> {
    let began = Instant::now();
    let tools = if args.no_setup { present(shell) } else { setup::run(shell)? };
    guests::run(shell)?;
    shell::step("tests in Rust", || rust(shell, &tools, args.filter.as_deref()))?;
    if args.filter.is_none() {
        shell::step("examples in the documentation", || {
            shell::run(&mut shell.cargo(["test", "--workspace", "--doc"]))
        })?;
        shell::step("unit tests of guests", || guest_tests(shell))?;
        shell::step("tests in Python", || python(shell, &tools.pythons))?;
    }
    eprintln!("\nall tests passed in {:.0} s", began.elapsed().as_secs_f64());
    Ok(())
}

fn present(shell: &Shell) -> Tools {
    let nextest = shell::answers(&mut shell.cargo(["nextest", "--version"]));
    Tools { nextest, pythons: crate::pythons::find(shell), schemathesis: rest::program(shell).is_file() }
}

/// All crates at once, so that nothing is compiled twice. This builds `headend` too, which tests with real processes start.
fn rust(shell: &Shell, tools: &Tools, filter: Option<&str>) -> Result<()> {
    let mut command = if tools.nextest {
        let mut command = shell.cargo(["nextest", "run", "--no-tests", "fail"]);
        if std::env::var_os("CI").is_some() {
            command.args(["--profile", "ci"]);
        }
        command
    } else {
        shell.cargo(["test", "--lib", "--bins", "--tests"])
    };
    command.arg("--workspace").args(filter).env("INSTA_UPDATE", "no");
    tell_where(shell, &mut command, &tools.pythons);
    devices::tell(shell, &mut command);
    if tools.schemathesis {
        command.env(rest::PROGRAM, rest::program(shell));
    } else {
        eprintln!("NOT TRIED: the REST API against its description; schemathesis is missing, see the set-up");
    }
    shell::run(&mut command)
}

/// Guests' own tests run on this machine: they are about what decides, not about what asks the host.
fn guest_tests(shell: &Shell) -> Result<()> {
    for manifest in guests::workspaces(shell)? {
        shell::run(shell.cargo(["test", "--workspace", "--manifest-path"]).arg(&manifest))?;
    }
    Ok(())
}

fn python(shell: &Shell, pythons: &[Python]) -> Result<()> {
    let runner = shell.path("tests/python/run.py");
    if !runner.exists() {
        eprintln!("no tests/python/run.py: nothing to run");
        return Ok(());
    }
    let Some(newest) = pythons.iter().rev().find(|python| python.version.0 == 3) else { return Ok(()) };
    // It finds the other interpreters by itself.
    let mut command = shell.program(&newest.path);
    command.arg(runner);
    tell_where(shell, &mut command, pythons);
    shell::run(&mut command)
}

/// Tests find the guests and the interpreters by these.
fn tell_where(shell: &Shell, command: &mut Command, pythons: &[Python]) {
    command.env("HEADEND_GUESTS", guests::folder(shell));
    if let Some(zig) = compilers::zig_folder(shell) {
        command.env(compilers::ZIG, zig);
    }
    for (major, name) in [(2, "HEADEND_PYTHON2"), (3, "HEADEND_PYTHON3")] {
        if let Some(python) = pythons.iter().rev().find(|python| python.version.0 == major)
            && std::env::var_os(name).is_none()
        {
            command.env(name, &python.path);
        }
    }
}

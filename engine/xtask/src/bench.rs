//! `cargo xtask bench`: the promises of the design, each measured beside its baseline, with optimised code. It installs
//! what it needs, prints each budget as met or missed, and leaves the figures in `target/bench`.

use std::path::{Path, PathBuf};

use crate::program::{self, Profile};
use crate::shell::{self, Result, Shell};
use crate::{guests, opencv, pythons, setup};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Only benches of decisions and policies whose name has this in it; leaves the end-to-end figures out. Or one of these alone:
    /// `uploads`, `reload`, `hostile` (what an attack costs those beside it), `analysers` (each beside `OpenCV`, and as a plugin beside native code).
    filter: Option<String>,
}

/// The version that stands in our figures: another one would be another baseline.
const HYPERQUEUE: &str = "0.27.0";
/// Crates with benches of their own.
const CRATES: [&str; 3] = ["headend-scheduler", "headend-whatif", "headend-plugin-host"];

/// The analysers beside `OpenCV`, alone.
const ANALYSERS: &str = "analysers";

/// Parts of the end-to-end figures that can be measured alone.
const PARTS: [&str; 3] = ["uploads", "reload", "hostile"];

/// Builds everything with optimisation and measures.
pub(crate) fn run(shell: &Shell, args: &Args) -> Result<()> {
    setup::for_building(shell)?;
    guests::run(shell)?;
    if args.filter.as_deref() == Some(ANALYSERS) {
        return analysers(shell);
    }
    if let Some(part) = args.filter.as_deref().filter(|part| PARTS.contains(part)) {
        return end_to_end(shell, None, Some(part));
    }
    for name in CRATES {
        shell::step(&format!("benches of {name}"), || {
            let mut command = shell.cargo(["bench", "--package", name, "--benches"]);
            if let Some(filter) = &args.filter {
                command.args(["--", filter]);
            }
            shell::run(&mut command)
        })?;
    }
    if args.filter.is_some() {
        return Ok(());
    }
    analysers(shell)?;
    end_to_end(shell, hyperqueue(shell), None)
}

/// Each analyser on the same pictures: native, as a plugin in the program, by `OpenCV` or stb-tester.
fn analysers(shell: &Shell) -> Result<()> {
    let python = opencv::python(shell);
    let program = program::build(shell, Profile::Release)?;
    shell::step("analysers", || {
        shell::run(&mut shell.cargo(["bench", "--package", "headend-media", "--bench", "find"]))?;
        let mut command = shell.cargo(["bench", "--package", "headend-media", "--bench", "opencv"]);
        command.env("HEADEND_PROGRAM", program).env("HEADEND_GUESTS", guests::folder(shell));
        if let Some(python) = python {
            command.env(opencv::PYTHON, python);
        }
        shell::run(&mut command)
    })
}

/// The figures of whole labs: all, or one part.
fn end_to_end(shell: &Shell, baseline: Option<PathBuf>, part: Option<&str>) -> Result<()> {
    let program = program::build(shell, Profile::Release)?;
    shell::step("end to end", || {
        let mut command = shell.cargo(["run", "--release", "--package", "headend-bench"]);
        command.args(part.map(|part| ["--", part]).into_iter().flatten());
        command.env("HEADEND_PROGRAM", program);
        if let Some(hq) = baseline {
            command.env("HEADEND_HQ", hq);
        }
        shell::run(&mut command)
    })
}

/// `HyperQueue`, the baseline of a task queue: a Python that has it, named in `HEADEND_HQ` or made in a folder of its own.
fn hyperqueue(shell: &Shell) -> Option<PathBuf> {
    if let Some(python) = std::env::var_os("HEADEND_HQ") {
        return Some(python.into());
    }
    let own = shell.target().join("tools/hyperqueue");
    let python = own.join("bin/python");
    if has_hyperqueue(shell, &python) {
        return Some(python);
    }
    eprintln!("\ninstalling HyperQueue {HYPERQUEUE} into {}: the figures stand beside its tasks", own.display());
    // The newest first; a version that it has no package for passes on to the next.
    for found in pythons::find(shell).into_iter().rev().filter(|python| python.version.0 == 3) {
        match install(shell, &found.path, &own) {
            Ok(()) if has_hyperqueue(shell, &python) => return Some(python),
            Ok(()) => eprintln!("HyperQueue cannot be used with {}", found.path.display()),
            Err(failure) => eprintln!("{failure}"),
        }
    }
    eprintln!(
        "HyperQueue could not be installed, so the figures stand alone; name a Python that has it in HEADEND_HQ \
         (Debian's own needs the package python3-venv first)"
    );
    None
}

fn install(shell: &Shell, python: &Path, own: &Path) -> Result<()> {
    // `--clear`: what a former try left half made is of no use.
    shell::run(shell.program(python).args(["-m", "venv", "--clear"]).arg(own))?;
    let mut pip = shell.program(own.join("bin/python"));
    let package = format!("hyperqueue=={HYPERQUEUE}");
    shell::run(
        pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--only-binary", ":all:"])
            .arg(package),
    )
}

fn has_hyperqueue(shell: &Shell, python: &Path) -> bool {
    let print = format!("import importlib.metadata as m, hyperqueue; assert m.version('hyperqueue') == '{HYPERQUEUE}'");
    shell::answers(shell.program(python).args(["-c", &print]))
}

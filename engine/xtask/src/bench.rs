//! `cargo xtask bench`: the promises of the design, each measured beside its baseline, with optimised code.

use std::path::PathBuf;

use crate::program::{self, Profile};
use crate::shell::{self, Result, Shell};
use crate::{guests, pythons};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Only benches of decisions and policies whose name has this in it; leaves the end-to-end figures out.
    filter: Option<String>,
}

/// Crates with benches of their own.
const CRATES: [&str; 2] = ["headend-scheduler", "headend-plugin-host"];

/// Builds everything with optimisation and measures.
pub(crate) fn run(shell: &Shell, args: &Args) -> Result<()> {
    guests::run(shell)?;
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
    let program = program::build(shell, Profile::Release)?;
    let baseline = hyperqueue(shell);
    shell::step("end to end", || {
        let mut command = shell.cargo(["run", "--release", "--package", "headend-bench"]);
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
    let folder = shell.path("target/tools/hyperqueue");
    let own = folder.join("bin/python");
    let has_it = |own: &PathBuf| shell::answers(shell.program(own).args(["-c", "import hyperqueue"]));
    if !has_it(&own) {
        let python = pythons::find(shell).into_iter().rev().find(|python| python.version.0 == 3)?;
        eprintln!("installing HyperQueue with pip: the figures stand beside its null tasks");
        let made = shell::run(shell.program(&python.path).args(["-m", "venv"]).arg(&folder));
        let mut pip = shell.program(&own);
        let installed = made.and_then(|()| shell::run(pip.args(["-m", "pip", "install", "--quiet", "hyperqueue"])));
        installed.inspect_err(|failure| eprintln!("{failure}; the figures stand alone")).ok()?;
    }
    has_it(&own).then_some(own)
}

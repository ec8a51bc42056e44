//! `cargo xtask bench`: the promises of the design, each measured beside its baseline.

use crate::guests;
use crate::shell::{self, Result, Shell};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Only benches whose name has this in it.
    filter: Option<String>,
}

/// Builds the guests and runs all benches with optimised code.
pub(crate) fn run(shell: &Shell, args: &Args) -> Result<()> {
    let folder = guests::run(shell)?;
    shell::step("benches", || {
        let mut command = shell.cargo(["bench", "--workspace", "--benches"]);
        command.env("HEADEND_GUESTS", folder);
        if let Some(filter) = &args.filter {
            command.args(["--", filter]);
        }
        shell::run(&mut command)
    })
}

//! `cargo xtask ci`: everything that a change must pass, in the order in which a fault is found cheapest.

use crate::shell::{self, Result, Shell};
use crate::{arrow, guests, licences, testing};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// The tests have been run already.
    #[arg(long)]
    skip_tests: bool,
    /// Leave the set-up out: everything is here.
    #[arg(long)]
    no_setup: bool,
}

/// Runs all checks; stops at the first that fails.
pub(crate) fn run(shell: &Shell, args: &Args) -> Result<()> {
    shell::step("format", || shell::run(&mut shell.cargo(["fmt", "--all", "--check"])))?;
    shell::step("arrow between crates", || arrow::check(shell))?;
    shell::step("lints", || lints(shell))?;
    shell::step("format and lints of guests", || guest_lints(shell))?;
    if args.skip_tests {
        guests::run(shell)?;
    } else {
        testing::run(shell, &testing::Args::all(args.no_setup))?;
    }
    shell::step("documentation", || {
        let mut doc = shell.cargo(["doc", "--workspace", "--no-deps", "--document-private-items"]);
        shell::run(doc.env("RUSTDOCFLAGS", "-D warnings"))
    })?;
    shell::step("licences and sources of dependencies", || deny(shell))?;
    eprintln!("\nall checks passed");
    Ok(())
}

fn lints(shell: &Shell) -> Result<()> {
    shell::run(&mut shell.cargo(["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]))
}

/// Guests build for WebAssembly only, but the compiler can check them for any target.
fn guest_lints(shell: &Shell) -> Result<()> {
    for manifest in guests::workspaces(shell)? {
        shell::run(shell.cargo(["fmt", "--all", "--check", "--manifest-path"]).arg(&manifest))?;
        let mut clippy = shell.cargo(["clippy", "--all-targets", "--manifest-path"]);
        shell::run(clippy.arg(&manifest).args(["--", "-D", "warnings"]))?;
    }
    Ok(())
}

/// Advisories need a database from the network, so they are for people: `cargo deny check advisories`.
fn deny(shell: &Shell) -> Result<()> {
    let has_deny = shell::answers(&mut shell.cargo(["deny", "--version"]));
    if !has_deny {
        eprintln!(
            "cargo-deny is not installed (`cargo install cargo-deny --locked` gets it): packages are taken at their word"
        );
    }
    let own = shell.path("Cargo.toml");
    for manifest in std::iter::once(own).chain(guests::workspaces(shell)?) {
        if !has_deny {
            let packages = licences::check(shell, &manifest)?;
            eprintln!("{}: {packages} packages may come into the tree", manifest.display());
            continue;
        }
        let mut deny = shell.cargo(["deny", "--config"]);
        deny.arg(shell.path("deny.toml")).arg("--manifest-path").arg(&manifest);
        shell::run(deny.args(["check", "bans", "licenses", "sources"]))?;
    }
    Ok(())
}

//! `cargo xtask`: everything that a person or a CI machine does with this repository, each as one command.
//!
//! Meet [`shell`] first: it runs programs, says what it runs, and names what failed. Every other module is one command.

mod arrow;
mod bench;
mod ci;
mod compilers;
mod demo;
mod devices;
mod freestanding;
mod guests;
mod layout;
mod licences;
mod opencv;
mod program;
mod pythons;
mod rest;
mod setup;
mod shell;
mod testing;
mod toolchain;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::shell::Shell;

#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", about = "Set up, build, test and show Headend")]
struct Args {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Look for what building and testing need, and install what is missing.
    Setup,
    /// Build the guests (plugins and examples in WebAssembly) and lay them out ready to load.
    Plugins,
    /// Show it all: tests in four languages on four virtual boxes under two policies, checked.
    Demo(demo::Args),
    /// Set up, build the guests, and run every test: Rust, documentation and Python.
    Test(testing::Args),
    /// All that CI checks: format, lints, the arrow between crates, tests, documentation, guests, licences.
    Ci(ci::Args),
    /// Measure the promises of the design, each beside its baseline.
    Bench(bench::Args),
}

fn main() -> ExitCode {
    let args = Args::parse();
    let outcome = Shell::new().and_then(|shell| match args.task {
        Task::Setup => setup::run(&shell).map(drop),
        Task::Plugins => guests::run(&shell).map(drop),
        Task::Demo(args) => demo::run(&shell, &args),
        Task::Test(args) => testing::run(&shell, &args),
        Task::Ci(args) => ci::run(&shell, &args),
        Task::Bench(args) => bench::run(&shell, &args),
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("\nxtask: {failure}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_command_line_holds_together() {
        <super::Args as clap::CommandFactory>::command().debug_assert();
    }
}

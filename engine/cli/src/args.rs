//! The command line.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

use crate::commands::{
    duts, files, inventory, jobs, pins, plugin, racks, reserve, results, schedule, submit, submit_file, users,
};
use crate::credentials::ServerArgs;
use crate::exit;
use crate::ui::ColorChoice;

const AFTER: &str = "\
Start with `headend up`, then `headend files upload`, `headend submit`, `headend watch`.
Exit codes: `headend help exit-codes`.";

/// Remote job dispatcher and plugin host for device labs.
#[derive(Debug, Parser)]
#[command(name = "headend", version, after_help = AFTER, max_term_width = 110, disable_help_subcommand = false)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) server: ServerArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// How to talk.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(crate) struct OutputArgs {
    /// Data as JSON.
    #[arg(long, global = true, help_heading = "Output")]
    pub(crate) json: bool,
    /// No talk, only data and errors.
    #[arg(short, long, global = true, help_heading = "Output")]
    pub(crate) quiet: bool,
    /// More of the log (again for yet more); `RUST_LOG` goes before it.
    #[arg(short, long, global = true, action = clap::ArgAction::Count, help_heading = "Output")]
    pub(crate) verbose: u8,
    /// When to colour; `NO_COLOR` is respected.
    #[arg(long, global = true, value_enum, default_value_t, value_name = "WHEN", help_heading = "Output")]
    pub(crate) color: ColorChoice,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Server and a rack in one: everything on this machine.
    #[cfg(feature = "host")]
    Up(crate::host::up::Args),
    /// The server alone.
    #[cfg(feature = "host")]
    Serve(crate::host::serve::Args),
    /// A rack of boxes that works for a server.
    #[cfg(feature = "host")]
    Rack(crate::host::rack::Args),
    /// Run a script here and now, without a server.
    #[cfg(feature = "host")]
    Run(crate::host::run::Args),
    /// Boxes or real tools for a script that is started by hand, such as `python script.py`.
    #[cfg(feature = "host")]
    Session(crate::host::session::Args),
    /// Hand in a job.
    #[command(after_long_help = submit_file::SCHEMA)]
    Submit(Box<submit::Args>),
    /// A job and its runs.
    Status {
        /// The job.
        #[arg(value_parser = job)]
        job: u64,
    },
    /// Follow a job to its end; the exit code tells how it ended.
    Watch {
        /// The job.
        #[arg(value_parser = job)]
        job: u64,
        /// Give up after so many seconds (exit code 124). The job goes on.
        #[arg(long, value_name = "SECONDS")]
        timeout: Option<u64>,
    },
    /// Stop jobs.
    Kill {
        /// The jobs.
        #[arg(required = true, value_name = "JOB", value_parser = job)]
        jobs: Vec<u64>,
    },
    /// Why each run started there and then, and what the others wait for.
    Why {
        /// The job.
        #[arg(value_parser = job)]
        job: u64,
    },
    /// The one reason why a run does not run on a slot now.
    WhyNot {
        /// The run.
        run: u64,
        /// The slot: rack1/3.
        slot: String,
    },
    /// When a job will start and end, from the past durations of its scripts.
    Eta {
        /// The job.
        #[arg(value_parser = job)]
        job: u64,
        /// Plays of the farm on a virtual clock [default: 20].
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=200))]
        samples: Option<u32>,
    },
    /// What would become of a load under other policies: a plan, or what a server recorded.
    #[cfg(feature = "host")]
    Simulate(Box<crate::commands::simulate::Args>),
    /// An analyser over stored pictures, or over the captures of past runs: what it says of each.
    #[cfg(feature = "host")]
    Analyse(Box<crate::commands::analyse::Args>),
    /// Decide what a server's journal keeps a second time, and compare.
    #[cfg(feature = "host")]
    ReplayCheck(crate::commands::replay_check::Args),
    /// Open jobs, newest first.
    Jobs(jobs::Args),
    /// What runs have found out: verdicts, steps, measurements, files; as a table, JSON, CSV or JUnit.
    Results(Box<results::Args>),
    /// Runs that are to stay: pin, unpin, list.
    Runs {
        #[command(subcommand)]
        command: Option<pins::Command>,
    },
    /// What is kept of runs and for how long, what would go now, and what has gone.
    Retention,
    /// Schedules: jobs that start by themselves, again and again.
    #[command(visible_alias = "schedules")]
    Schedule {
        #[command(subcommand)]
        command: Option<schedule::Command>,
    },
    /// Scripts on the server: list, upload, publish, delete, history, diff.
    Files {
        #[command(subcommand)]
        command: Option<files::Command>,
    },
    /// The server: its version, its start, and as whom it knows you.
    Server,
    /// Racks and their slots: list, drain, enrol.
    Racks {
        #[command(subcommand)]
        command: Option<racks::Command>,
    },
    /// Take a slot for yourself for a while; jobs wait meanwhile.
    Reserve(reserve::Args),
    /// Slots that people have: list, extend, release, kick.
    #[command(visible_alias = "reservation")]
    Reservations {
        #[command(subcommand)]
        command: Option<reserve::Command>,
    },
    /// Devices under test: list, find, add, change, move.
    #[command(visible_alias = "dut")]
    Duts {
        #[command(subcommand)]
        command: Option<duts::Command>,
    },
    /// The lab's devices as one file: export, import, remove.
    Inventory {
        #[command(subcommand)]
        command: inventory::Command,
    },
    /// Tokens of people: list, make, revoke.
    #[command(visible_alias = "users")]
    User {
        #[command(subcommand)]
        command: Option<users::Command>,
    },
    /// Plugins: new, check; on the server: install, verify, list, show, reload, roll back, remove, parameters, grants, use.
    Plugin {
        #[command(subcommand)]
        command: Option<plugin::Command>,
    },
    /// Print a completion script for a shell.
    Completions {
        /// For this shell.
        shell: clap_complete::Shell,
    },
    /// What the exit codes mean.
    #[command(long_about = exit::HELP)]
    ExitCodes,
}

fn job(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| "a job is named by its number; `headend jobs --all` shows them".to_owned())
}

/// Where the credentials file of a data folder is.
#[cfg_attr(not(feature = "host"), allow(dead_code, reason = "only a server has a data folder"))]
pub(crate) fn credentials_in(data: &std::path::Path) -> PathBuf {
    data.join("credentials.toml")
}

//! `headend run`: a script here and now on virtual boxes, or on slots of a rack file, without a server.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use headend_model::run::Incomplete;
use headend_model::{Outcome, RunId};
use headend_rack::local::{LocalError, LocalOptions, LocalReport, boxes, run_script};
use headend_rack::options::{GuestProgram, PythonOptions};
use headend_rack::session::Watcher;
use headend_wire::session::GuestLimits;
use tokio_util::sync::CancellationToken;

use super::life::{self, Signals};
use super::rack_file::{self, Borrowed};
use crate::args::OutputArgs;
use crate::exit::Exit;
use crate::failure::{Failure, Result};
use crate::ui::{Ui, plain};

const AFTER: &str = "\
Options of this command come before the script. What the script prints goes to standard error, its result to \
standard output. Exit code 0: passed; 1: any other result, or none; 3: it could not be started.";

#[derive(Debug, clap::Args)]
#[command(after_help = AFTER)]
pub(crate) struct Args {
    /// The script: .rhai, .wasm or .py. Modules beside it can be imported.
    script: PathBuf,
    /// Its arguments; write -- before the first if that begins with a dash.
    #[arg(value_name = "ARGS", trailing_var_arg = true, allow_hyphen_values = true)]
    words: Vec<String>,
    /// Virtual boxes.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=64))]
    slots: u16,
    /// Waits take as long as they say; without it they cost nothing.
    #[arg(long)]
    real_time: bool,
    /// A rack file: the script drives slots of it instead, with their real tools. Not while a rack is up with it.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["slots", "real_time"])]
    file: Option<PathBuf>,
    /// Which slot of the rack file [default: its only one]. May be given several times.
    #[arg(long = "slot", value_name = "N", requires = "file")]
    of_file: Vec<u16>,
    /// Where log and captures go [default: a new folder below headend-runs].
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// A Python interpreter to use, besides those that are found. May be given several times.
    #[arg(long = "python", value_name = "FILE", value_parser = super::interpreter)]
    pythons: Vec<PathBuf>,
    /// Stop it after so many seconds.
    #[arg(long, value_name = "SECONDS")]
    time_limit: Option<u64>,
}

/// Shows what the script says, as it comes.
struct Listener(Ui);

impl Watcher for Listener {
    fn note(&self, _: RunId, text: String) {
        self.0.say(&format!("  {}", plain(&text)));
    }

    fn console(&self, _: RunId, text: &str) {
        let mut stderr = std::io::stderr().lock();
        // Nobody to hear it is no failure.
        stderr.write_all(text.as_bytes()).ok();
    }
}

/// Runs the script; the exit code tells how it ended.
pub(crate) fn run(args: &Args, output: OutputArgs, ui: Ui) -> Result<()> {
    life::log(ui, output, "warn");
    if args.script.is_dir() {
        let message = format!("{} is a folder, not a script", args.script.display());
        return Err(Failure::usage(message).help("name the script in it: a .rhai, .wasm or .py file"));
    }
    let stop = CancellationToken::new();
    let borrowed = args.file.as_deref().map(|file| rack_file::borrow(file, &args.of_file)).transpose()?;
    let out = Out::reserve(args)?;
    let options = options(args, borrowed.as_ref(), out.folder.clone(), ui, stop.clone());
    let report = life::runtime()?.block_on(async {
        let mut signals = Signals::catch()?;
        let running = run_script(options);
        tokio::pin!(running);
        tokio::select! {
            report = &mut running => report.map_err(failed),
            () = signals.next() => {
                stop.cancel();
                tokio::select! {
                    report = &mut running => report.map_err(failed),
                    () = signals.next() => Err(Failure::silent(Exit::Interrupted)),
                }
            }
        }
    })?;
    tell(ui, &report)?;
    match exit_of(&report.outcome) {
        Exit::Ok => Ok(()),
        other => Err(Failure::silent(other)),
    }
}

/// Where log and captures go. A folder of our own naming is ours alone, and gone again if nothing came into it.
struct Out {
    folder: PathBuf,
    reserved: bool,
}

impl Out {
    fn reserve(args: &Args) -> Result<Self> {
        match &args.out {
            Some(folder) => Ok(Self { folder: folder.clone(), reserved: false }),
            None => Self::make(&first_name(&args.script)),
        }
    }

    /// Two runs within one second get two folders.
    fn make(first: &Path) -> Result<Self> {
        let failed = |error| {
            Failure::file("make", first, error).help("go to a folder that you can write to, or name one with --out")
        };
        std::fs::create_dir_all(first.parent().unwrap_or(Path::new("."))).map_err(failed)?;
        let mut folder = first.to_owned();
        for number in 2.. {
            match std::fs::create_dir(&folder) {
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
                    let mut name = first.as_os_str().to_owned();
                    name.push(format!("-{number}"));
                    folder = name.into();
                }
                made => {
                    made.map_err(failed)?;
                    break;
                }
            }
        }
        Ok(Self { folder, reserved: true })
    }
}

impl Drop for Out {
    fn drop(&mut self) {
        if self.reserved {
            // Each refuses to go while there is anything in it.
            let _ = std::fs::remove_dir(&self.folder);
            let _ = self.folder.parent().map(std::fs::remove_dir);
        }
    }
}

fn options(args: &Args, borrowed: Option<&Borrowed>, out: PathBuf, ui: Ui, stop: CancellationToken) -> LocalOptions {
    let slots = borrowed.map_or_else(|| boxes(args.slots, !args.real_time), |borrowed| borrowed.slots.clone());
    LocalOptions {
        script: args.script.clone(),
        args: args.words.clone(),
        slots,
        out,
        guest: GuestProgram::default(),
        python: PythonOptions { interpreters: args.pythons.clone(), ..PythonOptions::default() },
        limits: GuestLimits::default(),
        time_limit: args.time_limit.map(Duration::from_secs),
        watcher: Arc::new(Listener(ui)),
        stop,
    }
}

/// `headend-runs/zap-20261122-031500`.
fn first_name(script: &Path) -> PathBuf {
    let stem = script.file_stem().unwrap_or_default().to_string_lossy();
    let now = jiff::Zoned::now().strftime("%Y%m%d-%H%M%S");
    Path::new("headend-runs").join(format!("{stem}-{now}"))
}

fn tell(ui: Ui, report: &LocalReport) -> Result<()> {
    let result = word(&report.outcome);
    if ui.json {
        return ui.print_json(&serde_json::json!({
            "result": report.outcome.code(), "text": result, "comment": report.outcome.to_string(), "out": report.out,
        }));
    }
    ui.print(&format!("{result}: {}", lines(&report.outcome.to_string())))?;
    if let Some(out) = &report.out {
        ui.say(&format!("log and captures are in {}", out.display()));
    }
    Ok(())
}

/// The lines of a text from outside, such as the place of a fault in a script, indented below the first.
fn lines(text: &str) -> String {
    text.trim_end().lines().map(plain).collect::<Vec<_>>().join("\n    ")
}

fn word(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Done { result, .. } => result.to_string().to_uppercase(),
        Outcome::Incomplete(_) => "INCOMPLETE".to_owned(),
        Outcome::Killed => "STOPPED".to_owned(),
    }
}

const fn exit_of(outcome: &Outcome) -> Exit {
    match outcome {
        outcome if outcome.is_pass() => Exit::Ok,
        Outcome::Incomplete(Incomplete::CannotStart(_)) => Exit::CouldNotRun,
        Outcome::Killed => Exit::Interrupted,
        Outcome::Done { .. } | Outcome::Incomplete(_) => Exit::Failed,
    }
}

fn failed(error: LocalError) -> Failure {
    let exit = match &error {
        LocalError::Script { .. } => Exit::NotFound,
        LocalError::Kind(_) => Exit::Usage,
        LocalError::Tools { .. } => Exit::CouldNotRun,
        LocalError::Line(_) => Exit::Unavailable,
        LocalError::SetUp { .. } => Exit::Io,
    };
    Failure::new(exit, "run", "the script was not run").because(error)
}

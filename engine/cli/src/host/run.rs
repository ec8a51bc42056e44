//! `headend run`: a script here and now, on virtual boxes, on slots of a rack file, or on a slot that its person has reserved on a server.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use headend_model::run::Incomplete;
use headend_model::{Outcome, RunId};
use headend_rack::local::{LocalError, LocalOptions, LocalReport, boxes, run_script};
use headend_rack::options::{GuestProgram, PythonOptions, SlotDriver};
use headend_rack::session::Watcher;
use headend_wire::api::SlotRef;
use headend_wire::session::{ENV_SOCKET, GuestLimits};
use tokio_util::sync::CancellationToken;

use super::far::{self, Wanted};
use super::life::{self, Signals};
use super::rack_file;
use super::run_there;
use crate::args::OutputArgs;
use crate::credentials::ServerArgs;
use crate::exit::Exit;
use crate::failure::{Failure, Result};
use crate::ui::{Ui, plain};

const AFTER: &str = "\
Options of this command come before the script. What the script prints goes to standard error, its result to \
standard output. Exit code 0: passed; 1: any other result, or none; 3: it could not be started.

If the command line does not say where, the environment may: HEADEND_RACK_FILE is --file, HEADEND_SLOT is --slot (numbers with commas). \
Of a session on a reserved slot log and captures stay on this machine: the server keeps none of it.";

/// Slot of a server, or numbers of slots of a rack file.
const ENV_SLOT: &str = "HEADEND_SLOT";
/// A rack file.
const ENV_RACK_FILE: &str = "HEADEND_RACK_FILE";

#[derive(Debug, clap::Args)]
#[command(after_help = AFTER)]
pub(crate) struct Args {
    /// The script: .rhai, .wasm or .py. Modules beside it can be imported.
    pub(super) script: PathBuf,
    /// Its arguments; write -- before the first if that begins with a dash.
    #[arg(value_name = "ARGS", trailing_var_arg = true, allow_hyphen_values = true)]
    words: Vec<String>,
    /// Virtual boxes [default: 1].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=64))]
    slots: Option<u16>,
    /// Waits take as long as they say; without it they cost nothing.
    #[arg(long)]
    real_time: bool,
    /// A rack file: the script drives slots of it instead, with their real tools. Not while a rack is up with it.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["slots", "real_time"])]
    file: Option<PathBuf>,
    /// A slot of the server that you have reserved (`headend reserve rack1/4 --for 30m`): a Rhai or WASM script runs here and drives it. With --file:
    /// the number of a slot in it [default: its only one]; may be given several times.
    #[arg(long, value_name = "SLOT", conflicts_with_all = ["slots", "real_time"])]
    slot: Vec<Wanted>,
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
pub(crate) fn run(args: &Args, server: &ServerArgs, output: OutputArgs, ui: Ui) -> Result<()> {
    life::log(ui, output, "warn");
    if args.script.is_dir() {
        let message = format!("{} is a folder, not a script", args.script.display());
        return Err(Failure::usage(message).help("name the script in it: a .rhai, .wasm or .py file"));
    }
    match place(args, |name| std::env::var(name).ok())? {
        Place::Boxes(count) => here(args, boxes(count, !args.real_time), ui),
        Place::File { file, slots } => {
            let borrowed = rack_file::borrow(&file, &slots)?;
            here(args, borrowed.slots.clone(), ui)
        }
        Place::Server(slot) => run_there::run(args, &slot, server, ui),
    }
}

/// Where a script is to run.
#[derive(Debug, PartialEq, Eq)]
enum Place {
    /// On so many virtual boxes.
    Boxes(u16),
    /// On slots of a rack file, the only one if none is named.
    File { file: PathBuf, slots: Vec<u16> },
    /// On a reserved slot.
    Server(SlotRef),
}

/// What the command line says, else the environment.
fn place(args: &Args, environment: impl Fn(&str) -> Option<String>) -> Result<Place> {
    if let Some(file) = args.file.clone() {
        return Ok(Place::File { file, slots: far::of_file(&args.slot)? });
    }
    if let Some(slot) = far::of_server(&args.slot)? {
        return Ok(Place::Server(slot.clone()));
    }
    let said = |name: &str| environment(name).filter(|text| !text.trim().is_empty());
    // A rack's own runs have slots of another kind in there.
    if args.slots.is_some() || args.real_time || said(ENV_SOCKET).is_some() {
        return Ok(Place::Boxes(args.slots.unwrap_or(1)));
    }
    let slots = said(ENV_SLOT).unwrap_or_default();
    let words = slots.split(',').map(str::trim).filter(|word| !word.is_empty());
    let wrong = |why: String| Failure::usage(format!("{ENV_SLOT}: {why}"));
    let slots = words.map(|word| word.parse().map_err(wrong)).collect::<Result<Vec<Wanted>>>()?;
    match said(ENV_RACK_FILE) {
        Some(file) => Ok(Place::File { file: file.into(), slots: far::of_file(&slots)? }),
        None => Ok(far::of_server(&slots)?.map_or(Place::Boxes(1), |slot| Place::Server(slot.clone()))),
    }
}

/// On devices of this machine.
fn here(args: &Args, slots: BTreeMap<u16, SlotDriver>, ui: Ui) -> Result<()> {
    let stop = CancellationToken::new();
    let out = Out::reserve(args)?;
    let options = options(args, slots, out.folder.clone(), ui, stop.clone());
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
    ended(&report.outcome)
}

/// What the exit code says of it; all else has been said.
pub(super) fn ended(outcome: &Outcome) -> Result<()> {
    match exit_of(outcome) {
        Exit::Ok => Ok(()),
        other => Err(Failure::silent(other)),
    }
}

/// Where log and captures go. A folder of our own naming is ours alone, and gone again if nothing came into it.
pub(super) struct Out {
    pub(super) folder: PathBuf,
    reserved: bool,
}

impl Out {
    pub(super) fn reserve(args: &Args) -> Result<Self> {
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

pub(super) fn options(
    args: &Args,
    slots: BTreeMap<u16, SlotDriver>,
    out: PathBuf,
    ui: Ui,
    stop: CancellationToken,
) -> LocalOptions {
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
    if ui.json {
        return ui.print_json(&as_json(&report.outcome, report.out.as_deref()));
    }
    ui.print(&as_text(&report.outcome))?;
    if let Some(out) = &report.out {
        ui.say(&format!("log and captures are in {}", out.display()));
    }
    Ok(())
}

/// For programs.
pub(super) fn as_json(outcome: &Outcome, out: Option<&Path>) -> serde_json::Value {
    serde_json::json!({
        "result": outcome.code(), "text": word(outcome), "comment": outcome.to_string(), "out": out,
    })
}

/// For people.
pub(super) fn as_text(outcome: &Outcome) -> String {
    format!("{}: {}", word(outcome), lines(&outcome.to_string()))
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

pub(super) fn failed(error: LocalError) -> Failure {
    let exit = match &error {
        LocalError::Script { .. } => Exit::NotFound,
        LocalError::Kind(_) => Exit::Usage,
        LocalError::Tools { .. } => Exit::CouldNotRun,
        LocalError::Line(_) => Exit::Unavailable,
        LocalError::SetUp { .. } => Exit::Io,
    };
    Failure::new(exit, "run", "the script was not run").because(error)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        args: Args,
    }

    /// Command line, environment, and what comes of them.
    type Case<'a, T> = (&'a [&'a str], &'a [(&'a str, &'a str)], T);

    fn placed(words: &[&str], environment: &[(&str, &str)]) -> Result<Place> {
        let line = Line::try_parse_from(["run"].iter().chain(words).chain(&["a.rhai"])).unwrap();
        let of = |name: &str| environment.iter().find(|(known, _)| *known == name).map(|(_, text)| (*text).to_owned());
        place(&line.args, of)
    }

    #[test]
    fn where_a_script_runs_is_said_by_the_command_line_or_else_by_the_environment() {
        let far = || Place::Server(SlotRef { rack: "rack1".to_owned(), slot: 4 });
        let file = |slots: &[u16]| Place::File { file: "r.toml".into(), slots: slots.to_vec() };
        let slot = [(ENV_SLOT, "rack1/4")];
        let both = [(ENV_SLOT, "2, 4"), (ENV_RACK_FILE, "r.toml")];
        let beneath = [(ENV_SLOT, "2"), (ENV_SOCKET, "/run/s")];
        let cases: [Case<'_, Place>; 11] = [
            (&[], &[], Place::Boxes(1)),
            (&["--slots", "3"], &slot, Place::Boxes(3)),
            (&["--real-time"], &both, Place::Boxes(1)),
            (&["--slot", "rack1/4"], &both, far()),
            (&["--file", "r.toml", "--slot", "2"], &slot, file(&[2])),
            (&["--file", "r.toml"], &slot, file(&[])),
            (&[], &slot, far()),
            (&[], &both, file(&[2, 4])),
            (&[], &[(ENV_RACK_FILE, "r.toml")], file(&[])),
            (&[], &[(ENV_SLOT, " ")], Place::Boxes(1)),
            (&[], &beneath, Place::Boxes(1)),
        ];
        for (words, environment, place) in cases {
            assert_eq!(placed(words, environment).unwrap(), place, "{words:?} {environment:?}");
        }
        let refusals: [Case<'_, &str>; 5] = [
            (&["--slot", "2"], &[], "2 is no slot of a server"),
            (&[], &[(ENV_SLOT, "2")], "2 is no slot of a server"),
            (&[], &[(ENV_SLOT, "rack1/1,rack1/2")], "one slot of a server"),
            (&[], &[(ENV_SLOT, "rack1")], "HEADEND_SLOT"),
            (&["--file", "r.toml", "--slot", "rack1/2"], &[], "rack1/2 is a slot of a server"),
        ];
        for (words, environment, word) in refusals {
            let refused = placed(words, environment).unwrap_err().to_string();
            assert!(refused.contains(word), "{words:?} {environment:?}: {refused}");
        }
    }
}

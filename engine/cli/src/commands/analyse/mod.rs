//! `headend analyse`: an analyser over stored pictures or serial logs, which needs no server, or over the captures of past runs.

mod film;
mod named;
mod overlay;
mod retro;
mod serial;
mod stream;
mod timing;

use std::path::{Path, PathBuf};

use comfy_table::Color;
use headend_model::PolicyName;
use headend_plugin_host::analyser::Verdict;
use headend_plugin_host::lifecycle::{Grant, Upload};
use headend_plugin_host::policy::PluginInfo;
use headend_plugin_host::{AnalyserHost, AnalyserHostConfig, AnalyserInstance, Capability, GuestProgram, LoadError};
use serde::Serialize;
use serde_json::Value;

use self::stream::Stream;
use super::Context;
use super::plugin_pack::pack;
use crate::client::Client;
use crate::credentials::{ServerArgs, default_data};
use crate::exit::Exit;
use crate::failure::{Failure, Result};
use crate::ui::{self, Ui, cell, plain, verdict as shown};

const AFTER: &str = "\
Several files are a stream, in the order in which they are named; a folder stands for the pictures in it, in the order of their names. \
A verdict stands beside the file that shows it.
An analyser that reads is given serial logs: `serial.txt` of a run, its folder, or any text. Each slot of each file is a stream of its own.
Exit code 0: the last verdict passed, of each stream; 1: it did not, or there was none; 2: the plugin does not take this.

With --runs, --job or --since the captures of past runs are looked at again, each with the parameters and references that were recorded with it, and the verdicts \
that change are listed. Exit code 0: none does; 1: some do; 4: there was nothing to look at.";

#[derive(Debug, clap::Args)]
#[command(after_help = AFTER)]
pub(crate) struct Args {
    /// The analyser: its folder, a bundle, a file, or the name of an installed one, with `@VERSION` if it must be that.
    #[arg(value_name = "ANALYSER", required_unless_present = "analyser")]
    plugin: Option<PathBuf>,
    /// Pictures, PNG or JPEG, at most 4096 pixels a side, or folders of them; a film of a run (AVI); serial logs for an analyser that reads.
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The analyser, said by name: all other words are files then.
    #[arg(long, value_name = "ANALYSER")]
    analyser: Option<PathBuf>,
    /// Its parameters: a JSON object, or @FILE with one.
    #[arg(long, value_name = "JSON")]
    parameters: Option<String>,
    /// A picture to compare with, under a name. What is transparent in it does not count. May be given several times.
    #[arg(long = "reference", value_name = "NAME=FILE", value_parser = stream::named)]
    references: Vec<(String, PathBuf)>,
    /// Frames per second of the stream: what the time of each file is. A film has its own.
    #[arg(long, value_name = "N", default_value_t = 25.0, value_parser = stream::fps)]
    fps: f64,
    /// Of serial logs: the lines of this slot alone.
    #[arg(long, value_name = "SLOT")]
    slot: Option<u32>,
    /// What it may do beyond looking, such as `ocr`: have text read. May be given several times.
    #[arg(long = "grant", value_name = "CAPABILITY", value_parser = Capability::parse)]
    grants: Vec<Capability>,
    /// Write the frame of the last verdict, with what was found drawn over it, as PNG.
    #[arg(long, value_name = "FILE")]
    overlay: Option<PathBuf>,
    /// Feed the stream so often, each time from its beginning, and tell how long the analyser takes for each frame.
    #[arg(long, value_name = "TIMES", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    timing: Option<u32>,
    #[command(flatten, next_help_heading = "Past runs")]
    past: retro::Past,
}

impl Args {
    /// The analyser, and the files.
    fn words(&self) -> (&Path, Vec<PathBuf>) {
        match (&self.analyser, &self.plugin) {
            (Some(analyser), first) => (analyser, first.iter().chain(&self.files).cloned().collect()),
            (None, Some(plugin)) => (plugin, self.files.clone()),
            // Not without either, says the command line.
            (None, None) => (Path::new(""), self.files.clone()),
        }
    }
}

/// A verdict and the file that shows it.
#[derive(Debug, Serialize)]
struct Item {
    /// `None`: the end of the stream, before any frame.
    file: Option<String>,
    #[serde(flatten)]
    verdict: Verdict,
}

#[derive(Debug, Serialize)]
struct Report {
    plugin: String,
    version: String,
    frames: usize,
    verdicts: Vec<Item>,
    /// How long the analyser takes for each frame: the quickest of all times, in microseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    frame_us: Option<Vec<f64>>,
}

/// Runs the analyser; the exit code tells what the last verdict was, or whether one changed.
pub(crate) fn run(args: &Args, server: &ServerArgs, ui: Ui) -> Result<()> {
    let (wanted, files) = args.words();
    match (args.past.is_asked(), files.is_empty()) {
        (true, false) => return Err(Failure::usage("files and past runs cannot be looked at together; name one")),
        (false, true) => {
            return Err(Failure::usage("there is nothing to look at")
                .help("name pictures or serial logs, or past runs with --runs, --job or --since"));
        }
        (_, _) => {}
    }
    let host = host(&args.grants)?;
    let info = load(wanted, &host)?;
    if args.past.is_asked() {
        return past(args, server, ui, &host, &info);
    }
    // One that looks as well is shown pictures: they are what there are more of.
    let reads = info.senses.serial && !info.senses.sight;
    if args.slot.is_some() && !reads {
        let what = format!("{} reads no serial logs; --slot is for them", info.name);
        return Err(Failure::usage(what).help("leave it out, or name an analyser that reads"));
    }
    if reads { serial::run(args, &files, ui, &host, &info) } else { stored(args, &files, ui, &host, &info) }
}

fn load(wanted: &Path, host: &AnalyserHost) -> Result<PluginInfo> {
    let named = named::find(wanted)?;
    let packed = pack(&named.path)?;
    let upload = Upload { file: packed.file, bytes: packed.bytes, signature: packed.signature };
    let info = host.install(upload, Value::Null).map_err(|error| not_loaded(wanted, error))?;
    named.check(&info.version)?;
    Ok(info)
}

fn stored(args: &Args, files: &[PathBuf], ui: Ui, host: &AnalyserHost, info: &PluginInfo) -> Result<()> {
    let stream = stream::open(files, args.fps)?;
    let verdicts = verdicts(args, &stream, host, &info.name)?;
    let frame_us = args.timing.map(|times| timing::measure(args, &stream, host, &info.name, times)).transpose()?;
    let (plugin, version) = (info.name.to_string(), info.version.clone());
    let report = Report { plugin, version, frames: stream.files.len(), verdicts, frame_us };
    if let (Some(path), Some(last)) = (&args.overlay, report.verdicts.last()) {
        overlay::write(path, &stream.files, &last.verdict)?;
    }
    ui.show(&report, |report| people(ui, report))?;
    if let Some(times) = &report.frame_us {
        ui.say(&timing::people(times));
    }
    match report.verdicts.last() {
        Some(Item { verdict: Verdict { passed: true, .. }, .. }) => Ok(()),
        _ => Err(Failure::silent(Exit::Failed)),
    }
}

/// The captures of past runs.
fn past(args: &Args, server: &ServerArgs, ui: Ui, host: &AnalyserHost, info: &PluginInfo) -> Result<()> {
    let parameters = match args.parameters.as_deref().map(super::plugin_life::json).transpose()? {
        None => serde_json::Map::new(),
        Some(Value::Object(parameters)) => parameters,
        Some(_) => return Err(Failure::usage("--parameters must be a JSON object")),
    };
    let references = stream::references(&args.references)?;
    let context = Context { client: Client::new(server)?, ui };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::new(Exit::Fault, "runtime", "cannot start").because(error))?;
    runtime.block_on(async {
        tokio::select! {
            result = retro::run(&context, &args.past, retro::Candidate { host, info, parameters, references }) => result,
            _ = tokio::signal::ctrl_c() => Err(Failure::silent(Exit::Interrupted)),
        }
    })
}

fn not_loaded(wanted: &Path, error: LoadError) -> Failure {
    let failure = |what: String| Failure::new(Exit::Usage, "bad_plugin", what);
    match error {
        LoadError::Capability { plugin, missing, .. } => {
            let names: Vec<&str> = missing.iter().map(|asked| asked.as_str()).collect();
            failure(format!("{plugin} asks for {}, which it was not granted", names.join(", ")))
                .help(format!("add --grant {}", names.join(" --grant ")))
        }
        error => failure(format!("cannot load {}", wanted.display())).because(error),
    }
}

/// A host of its own, as for checks.
fn host(grants: &[Capability]) -> Result<AnalyserHost> {
    let broken = |what: &str| Failure::new(Exit::Fault, "plugins", what);
    let program = std::env::current_exe().map_err(|error| broken("cannot find this program").because(error))?;
    let folder = default_data()?.join("check");
    std::fs::create_dir_all(&folder).map_err(|error| Failure::file("make", &folder, error))?;
    let mut config = AnalyserHostConfig::new(GuestProgram::headend(program), folder.join("compiled"));
    config.grants.0.extend(grants.iter().map(|capability| Grant { plugin: None, capability: *capability }));
    AnalyserHost::new(config).map_err(|error| broken("the plugin host cannot start").because(error))
}

fn verdicts(args: &Args, stream: &Stream, host: &AnalyserHost, name: &PolicyName) -> Result<Vec<Item>> {
    let mut instance = instance(args, host, name)?;
    let mut verdicts = Vec::new();
    for frame in stream::frames(&stream.files, stream.fps) {
        verdicts.extend(instance.feed(&frame?).map_err(fault)?.map(|verdict| item(stream, verdict)));
    }
    verdicts.extend(finish(&mut *instance).map_err(fault)?.map(|verdict| item(stream, verdict)));
    Ok(verdicts)
}

/// At the beginning of a stream.
fn instance(args: &Args, host: &AnalyserHost, name: &PolicyName) -> Result<Box<dyn AnalyserInstance>> {
    let parameters = args.parameters.as_deref().map(super::plugin_life::json).transpose()?;
    let parameters = parameters.map_or_else(|| "{}".to_owned(), |parameters| parameters.to_string());
    let references = stream::references(&args.references)?;
    host.instance(name, &references, &parameters).map_err(fault)
}

fn fault(error: headend_plugin_host::AnalyserFault) -> Failure {
    Failure::new(Exit::Usage, "analyser", "the analyser gave no verdict").because(error)
}

fn finish(
    instance: &mut dyn AnalyserInstance,
) -> std::result::Result<Option<Verdict>, headend_plugin_host::AnalyserFault> {
    instance.finish()
}

fn item(stream: &Stream, verdict: Verdict) -> Item {
    Item { file: stream.name(verdict.frame), verdict }
}

fn people(ui: Ui, report: &Report) -> String {
    if report.verdicts.is_empty() {
        return format!("{} {} has nothing to say", report.plugin, report.version);
    }
    let mut table = ui.table(&["FILE", "SECONDS", "VERDICT", "SCORE", "WHERE", "WHAT"]);
    for Item { file, verdict } in &report.verdicts {
        let (word, color) = if verdict.passed { ("passed", Color::Green) } else { ("failed", Color::Red) };
        let place = verdict
            .area
            .map_or_else(|| "-".to_owned(), |area| format!("{},{} {}x{}", area.x, area.y, area.width, area.height));
        table.add_row([
            cell(file.as_deref().unwrap_or("-")),
            cell(&format!("{:.3}", verdict.at_us as f64 / 1e6)),
            shown(word, color),
            cell(&format!("{:.4}", verdict.score)),
            cell(&place),
            cell(&plain(&verdict.sentence)),
        ]);
    }
    ui::text(&table)
}

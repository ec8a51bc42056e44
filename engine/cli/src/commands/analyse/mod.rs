//! `headend analyse`: an analyser over stored pictures. Needs no server.

mod overlay;
mod stream;

use std::path::PathBuf;

use comfy_table::Color;
use headend_model::PolicyName;
use headend_plugin_host::analyser::Verdict;
use headend_plugin_host::lifecycle::{Grant, Upload};
use headend_plugin_host::{AnalyserHost, AnalyserHostConfig, AnalyserInstance, Capability, GuestProgram, LoadError};
use serde::Serialize;
use serde_json::Value;

use super::plugin_pack::pack;
use crate::credentials::default_data;
use crate::exit::Exit;
use crate::failure::{Failure, Result};
use crate::ui::{self, Ui, cell, plain, verdict as shown};

const AFTER: &str = "\
Several files are a stream, in the order in which they are named; a folder stands for the pictures in it, in the order of their names. \
A verdict stands beside the file that shows it.
Exit code 0: the last verdict passed; 1: it did not, or there was none; 2: the plugin does not take this.";

#[derive(Debug, clap::Args)]
#[command(after_help = AFTER)]
pub(crate) struct Args {
    /// The analyser: its folder, a bundle, or a file.
    plugin: PathBuf,
    /// Pictures, PNG or JPEG, at most 4096 pixels a side, or folders of them.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Its parameters: a JSON object, or @FILE with one.
    #[arg(long, value_name = "JSON")]
    parameters: Option<String>,
    /// A picture to compare with, under a name. What is transparent in it does not count. May be given several times.
    #[arg(long = "reference", value_name = "NAME=FILE", value_parser = stream::named)]
    references: Vec<(String, PathBuf)>,
    /// Frames per second of the stream: what the time of each file is.
    #[arg(long, value_name = "N", default_value_t = 25.0, value_parser = stream::fps)]
    fps: f64,
    /// What it may do beyond looking, such as `ocr`: have text read. May be given several times.
    #[arg(long = "grant", value_name = "CAPABILITY", value_parser = Capability::parse)]
    grants: Vec<Capability>,
    /// Write the frame of the last verdict, with what was found drawn over it, as PNG.
    #[arg(long, value_name = "FILE")]
    overlay: Option<PathBuf>,
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
}

/// Runs the analyser; the exit code tells what the last verdict was.
pub(crate) fn run(args: &Args, ui: Ui) -> Result<()> {
    let files = stream::files(&args.files)?;
    let host = host(&args.grants)?;
    let packed = pack(&args.plugin)?;
    let upload = Upload { file: packed.file, bytes: packed.bytes, signature: packed.signature };
    let info = host.install(upload, Value::Null).map_err(|error| not_loaded(args, error))?;
    let verdicts = verdicts(args, &files, &host, &info.name)?;
    let report = Report { plugin: info.name.to_string(), version: info.version, frames: files.len(), verdicts };
    if let (Some(path), Some(last)) = (&args.overlay, report.verdicts.last()) {
        overlay::write(path, &files, &last.verdict)?;
    }
    ui.show(&report, |report| people(ui, report))?;
    match report.verdicts.last() {
        Some(Item { verdict: Verdict { passed: true, .. }, .. }) => Ok(()),
        _ => Err(Failure::silent(Exit::Failed)),
    }
}

fn not_loaded(args: &Args, error: LoadError) -> Failure {
    let failure = |what: String| Failure::new(Exit::Usage, "bad_plugin", what);
    match error {
        LoadError::Capability { plugin, missing, .. } => {
            let names: Vec<&str> = missing.iter().map(|asked| asked.as_str()).collect();
            failure(format!("{plugin} asks for {}, which it was not granted", names.join(", ")))
                .help(format!("add --grant {}", names.join(" --grant ")))
        }
        error => failure(format!("cannot load {}", args.plugin.display())).because(error),
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

fn verdicts(args: &Args, files: &[PathBuf], host: &AnalyserHost, name: &PolicyName) -> Result<Vec<Item>> {
    let parameters = args.parameters.as_deref().map(super::plugin_life::json).transpose()?;
    let parameters = parameters.map_or_else(|| "{}".to_owned(), |parameters| parameters.to_string());
    let references = stream::references(&args.references)?;
    let fault = |error| Failure::new(Exit::Usage, "analyser", "the analyser gave no verdict").because(error);
    let mut instance = host.instance(name, &references, &parameters).map_err(fault)?;
    let mut verdicts = Vec::new();
    for frame in stream::frames(files, args.fps) {
        verdicts.extend(instance.feed(&frame?).map_err(fault)?.map(|verdict| item(files, verdict)));
    }
    verdicts.extend(finish(&mut *instance).map_err(fault)?.map(|verdict| item(files, verdict)));
    Ok(verdicts)
}

fn finish(
    instance: &mut dyn AnalyserInstance,
) -> std::result::Result<Option<Verdict>, headend_plugin_host::AnalyserFault> {
    instance.finish()
}

fn item(files: &[PathBuf], verdict: Verdict) -> Item {
    let file = usize::try_from(verdict.frame).ok().and_then(|frame| files.get(frame));
    Item { file: file.map(|file| file.display().to_string()), verdict }
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

//! Retro-analysis: a new or changed analyser over the captures of past runs, beside the verdicts that stand recorded.
//!
//! ```text
//!  runs ─► log.jsonl of each ─► what an analyser said of which capture, how it was asked, what it compared with
//!            └► that capture, from the server ─► the analyser of this machine, asked the same ─► verdicts that change
//! ```
//!
//! The server and the runs stay as they are: nothing is written there.

mod judge;
mod recorded;
mod select;
mod table;

use std::time::{Duration, Instant};

use headend_plugin_host::AnalyserHost;
use headend_wire::api::ArtifactList;
use indicatif::{ProgressBar, ProgressStyle};

use self::judge::{Judge, Judged};
use self::recorded::Asked;
use self::table::{Format, Report, Row};
use super::super::Context;
use crate::exit::Exit;
use crate::failure::{Failure, Result};
use crate::ui::{Ui, count};

/// From one line of progress to the next, where there is no bar.
const QUIET: Duration = Duration::from_secs(5);
/// Troubles that are told one by one.
const MOST_TROUBLES: usize = 20;

/// Which runs, and what of them.
#[derive(Debug, clap::Args)]
pub(super) struct Past {
    /// Instead of files: the captures of these past runs, from the server. A run, or `10..40` with both of them; several with commas.
    #[arg(long, value_name = "RUNS", value_delimiter = ',', value_parser = select::span)]
    runs: Vec<select::Span>,
    /// The captures of all runs of this job. May be given several times.
    #[arg(long = "job", value_name = "JOB")]
    jobs: Vec<u64>,
    /// The captures of all jobs that were accepted since: `2026-11-20`, `2026-11-20T08:00:00Z`, or so long ago: `12h`, `3d`.
    #[arg(long, value_name = "TIME", value_parser = select::since)]
    since: Option<jiff::Timestamp>,
    /// Whose recorded verdicts it is held against; that of its own name if this is left out.
    #[arg(long, value_name = "NAME")]
    beside: Option<String>,
    /// All captures of the runs, also those that nobody was asked about: for an analyser that is new.
    #[arg(long)]
    captures: bool,
    /// Show verdicts that stay as they are, too.
    #[arg(long)]
    all: bool,
    /// How it is shown; `--json` is `--format json`.
    #[arg(long, value_name = "FORMAT")]
    format: Option<Format>,
}

impl Past {
    /// Runs were asked for.
    pub(super) fn is_asked(&self) -> bool {
        !self.runs.is_empty() || !self.jobs.is_empty() || self.since.is_some()
    }

    fn format(&self, ui: Ui) -> Format {
        self.format.unwrap_or(if ui.json { Format::Json } else { Format::Table })
    }
}

/// The analyser, and what the command line says about how to ask it.
pub(super) struct Candidate<'a> {
    pub(super) host: &'a AnalyserHost,
    pub(super) info: &'a headend_plugin_host::policy::PluginInfo,
    /// Over those that were recorded.
    pub(super) parameters: serde_json::Map<String, serde_json::Value>,
    /// Instead of those of that name that were recorded.
    pub(super) references: Vec<headend_plugin_host::analyser::Reference>,
}

/// Looks again. The exit code tells whether a verdict changed.
pub(super) async fn run(context: &Context, past: &Past, candidate: Candidate<'_>) -> Result<()> {
    if !candidate.info.senses.sight {
        let what = format!("{} does not look, and what is looked at again are pictures", candidate.info.name);
        return Err(
            Failure::usage(what).help("name an analyser that looks; one that reads takes serial.txt of runs as a file")
        );
    }
    let name = past.beside.clone().unwrap_or_else(|| candidate.info.name.to_string());
    let runs = select::runs(context, &past.runs, &past.jobs, past.since).await?;
    let mut report = Report::new(candidate.info, &name, runs.len());
    let judge = Judge::new(context, candidate);
    let mut progress = Progress::new(context.ui, runs.len());
    for run in runs {
        look_again(context, past, &name, &judge, run, &mut report).await?;
        progress.step(report.captures, report.changed);
    }
    progress.end();
    report.show(context.ui, past.format(context.ui), past.all)?;
    if report.captures == 0 {
        return Err(nothing(&report, &name));
    }
    if report.changed > 0 { Err(Failure::silent(Exit::Failed)) } else { Ok(()) }
}

fn nothing(report: &Report, name: &str) -> Failure {
    let runs = count(report.runs as u64, "run");
    let what = format!("of {runs}, none has a capture on the server of which {name} can say something");
    Failure::new(Exit::NotFound, "no_captures", what)
        .help("name more runs, another analyser with --beside NAME, or take every capture with --captures")
}

/// One run: all that was asked of its captures.
async fn look_again(
    context: &Context,
    past: &Past,
    name: &str,
    judge: &Judge<'_>,
    run: u64,
    report: &mut Report,
) -> Result<()> {
    let list: ArtifactList = match context.client.get(&format!("/runs/{run}/files")).await {
        Err(failure) if failure.exit() == Exit::NotFound => {
            report.skipped.runs += 1;
            return Ok(());
        }
        list => list?,
    };
    if !list.files.iter().any(|file| file.path == recorded::LOG) {
        report.skipped.runs += 1;
        return Ok(());
    }
    let log = context.client.bytes(&recorded::address(run, recorded::LOG)).await?;
    for asked in recorded::asked(&log, name, past.captures) {
        let Some(path) = recorded::on_the_server(&list.files, &asked.path) else {
            report.skipped.no_capture += 1;
            continue;
        };
        match judge.again(run, path, &asked).await? {
            Judged::Verdict(verdict) => report.add(Row::new(run, path, asked, &verdict)),
            Judged::NeedsStream => report.skipped.needs_stream += 1,
            Judged::NoReference => report.skipped.no_reference += 1,
            Judged::Trouble(what) => trouble(report, run, path, what),
        }
    }
    Ok(())
}

fn trouble(report: &mut Report, run: u64, path: &str, what: String) {
    report.skipped.troubles += 1;
    if report.troubles.len() < MOST_TROUBLES {
        report.troubles.push(table::Trouble { run, capture: path.to_owned(), what });
    }
}

/// A bar on a terminal, lines now and then elsewhere.
struct Progress {
    ui: Ui,
    bar: ProgressBar,
    runs: usize,
    done: usize,
    told: Instant,
}

impl Progress {
    fn new(ui: Ui, runs: usize) -> Self {
        let bar = if ui.has_bars() { ProgressBar::new(runs as u64) } else { ProgressBar::hidden() };
        if let Ok(style) = ProgressStyle::with_template("{bar:30.green} {pos}/{len} runs, {msg}") {
            bar.set_style(style);
        }
        Self { ui, bar, runs, done: 0, told: Instant::now() }
    }

    fn step(&mut self, captures: usize, changed: usize) {
        self.done += 1;
        let so_far = format!("{}, {changed} changed", count(captures as u64, "capture"));
        self.bar.set_position(self.done as u64);
        self.bar.set_message(so_far.clone());
        if !self.ui.has_bars() && self.told.elapsed() >= QUIET {
            self.told = Instant::now();
            self.ui.say(&format!("{} of {}: {so_far}", self.done, count(self.runs as u64, "run")));
        }
    }

    fn end(&self) {
        self.bar.finish_and_clear();
    }
}

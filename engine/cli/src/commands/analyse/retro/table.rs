//! The verdicts that change: for people, for programs, for spreadsheets.

use comfy_table::Color;
use headend_plugin_host::analyser::Verdict;
use headend_plugin_host::policy::PluginInfo;
use serde::Serialize;

use super::Asked;
use crate::failure::Result;
use crate::ui::{self, Ui, cell, count, plain, verdict as shown};

/// How it is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Format {
    /// For people.
    Table,
    /// One document with all of it.
    Json,
    /// A line for each verdict, below a line with names.
    Csv,
}

/// A capture with the verdict of then and that of now.
#[derive(Debug, Serialize)]
pub(super) struct Row {
    pub(super) run: u64,
    pub(super) slot: Option<u32>,
    pub(super) capture: String,
    /// Of the device's clock, in microseconds.
    pub(super) at_us: i64,
    pub(super) changed: bool,
    pub(super) was: Option<bool>,
    pub(super) now: bool,
    pub(super) was_score: Option<f64>,
    pub(super) score: f64,
    pub(super) was_sentence: Option<String>,
    pub(super) sentence: String,
    /// Of the analyser that spoke then.
    pub(super) was_version: Option<String>,
}

impl Row {
    pub(super) fn new(run: u64, path: &str, asked: Asked, verdict: &Verdict) -> Self {
        let Asked { slot, at_us, was, .. } = asked;
        let passed = was.as_ref().map(|was| was.passed);
        Self {
            run,
            slot,
            capture: path.to_owned(),
            at_us,
            // Where nothing was said, something is said now.
            changed: passed != Some(verdict.passed),
            was: passed,
            now: verdict.passed,
            was_score: was.as_ref().map(|was| was.score),
            score: verdict.score,
            sentence: verdict.sentence.clone(),
            was_version: was.as_ref().and_then(|was| was.version.clone()),
            was_sentence: was.map(|was| was.sentence),
        }
    }

    fn csv(&self) -> String {
        let word = |passed| if passed { "passed" } else { "failed" };
        let number = |number: f64| format!("{number:.6}");
        [
            self.run.to_string(),
            self.slot.map(|slot| slot.to_string()).unwrap_or_default(),
            quoted(&self.capture),
            self.at_us.to_string(),
            self.changed.to_string(),
            self.was.map(word).unwrap_or_default().to_owned(),
            word(self.now).to_owned(),
            self.was_score.map(number).unwrap_or_default(),
            number(self.score),
            quoted(self.was_sentence.as_deref().unwrap_or_default()),
            quoted(&self.sentence),
        ]
        .join(",")
    }
}

const HEADS: &str = "run,slot,capture,at_us,changed,was,now,was_score,score,was_sentence,sentence";

/// As RFC 4180 wants it. A spreadsheet must not take text of a script for a formula.
fn quoted(text: &str) -> String {
    let text = plain(text).replace('"', "\"\"");
    let guard = if text.starts_with(['=', '+', '-', '@']) { "'" } else { "" };
    format!("\"{guard}{text}\"")
}

/// What could not be looked at again.
#[derive(Debug, Default, Serialize)]
pub(super) struct Skipped {
    /// Runs that are not there, or have left no log.
    pub(super) runs: usize,
    /// Verdicts whose capture is not on the server.
    pub(super) no_capture: usize,
    /// Verdicts whose references are not.
    pub(super) no_reference: usize,
    /// The analyser says nothing of one picture alone.
    pub(super) needs_stream: usize,
    /// The capture cannot be read, or the analyser failed.
    pub(super) troubles: usize,
}

/// One of them.
#[derive(Debug, Serialize)]
pub(super) struct Trouble {
    pub(super) run: u64,
    pub(super) capture: String,
    pub(super) what: String,
}

/// All of it.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    plugin: String,
    version: String,
    beside: String,
    pub(super) runs: usize,
    /// Captures that were looked at again.
    pub(super) captures: usize,
    /// Verdicts that are not what they were.
    pub(super) changed: usize,
    /// Of these: failed then, passed now.
    now_passed: usize,
    /// Passed then, failed now.
    now_failed: usize,
    pub(super) skipped: Skipped,
    pub(super) troubles: Vec<Trouble>,
    verdicts: Vec<Row>,
}

impl Report {
    pub(super) fn new(info: &PluginInfo, beside: &str, runs: usize) -> Self {
        Self {
            plugin: info.name.to_string(),
            version: info.version.clone(),
            beside: beside.to_owned(),
            runs,
            captures: 0,
            changed: 0,
            now_passed: 0,
            now_failed: 0,
            skipped: Skipped::default(),
            troubles: Vec::new(),
            verdicts: Vec::new(),
        }
    }

    pub(super) fn add(&mut self, row: Row) {
        self.captures += 1;
        self.changed += usize::from(row.changed);
        self.now_passed += usize::from(row.was == Some(false) && row.now);
        self.now_failed += usize::from(row.was == Some(true) && !row.now);
        self.verdicts.push(row);
    }

    /// `all`: those that stay as they are, too.
    pub(super) fn show(&mut self, ui: Ui, format: Format, all: bool) -> Result<()> {
        self.verdicts.retain(|row| all || row.changed);
        match format {
            Format::Json => ui.print_json(self)?,
            Format::Csv => {
                let lines = self.verdicts.iter().map(Row::csv);
                let all: Vec<String> = std::iter::once(HEADS.to_owned()).chain(lines).collect();
                ui.print(&all.join("\n"))?;
            }
            Format::Table if self.verdicts.is_empty() => {}
            Format::Table => ui.print(&self.table(ui))?,
        }
        self.summary(ui);
        Ok(())
    }

    fn table(&self, ui: Ui) -> String {
        let mut table = ui.table(&["RUN", "CAPTURE", "SECONDS", "WAS", "NOW", "SCORE", "WHAT"]);
        let word = |passed| if passed { shown("passed", Color::Green) } else { shown("failed", Color::Red) };
        for row in &self.verdicts {
            let was = row.was_score.map_or_else(|| "-".to_owned(), |score| format!("{score:.4}"));
            table.add_row([
                cell(&row.run.to_string()),
                cell(&row.capture),
                cell(&format!("{:.3}", row.at_us as f64 / 1e6)),
                row.was.map_or_else(|| cell("-"), word),
                word(row.now),
                cell(&format!("{was} -> {:.4}", row.score)),
                cell(&row.sentence),
            ]);
        }
        ui::text(&table)
    }

    fn summary(&self, ui: Ui) {
        let (plugin, version) = (&self.plugin, &self.version);
        ui.say(&format!(
            "{plugin} {version} over {} of {}: {} changed, {} passed before and not now, {} passed now and not before",
            count(self.captures as u64, "capture"),
            count(self.runs as u64, "run"),
            self.changed,
            self.now_failed,
            self.now_passed,
        ));
        let Skipped { runs, no_capture, no_reference, needs_stream, troubles } = self.skipped;
        for (number, what) in [
            (runs, "runs are not there, or have left no log"),
            (no_capture, "verdicts have no capture on the server"),
            (no_reference, "verdicts are about references that are not on the server; give them with --reference"),
            (needs_stream, "captures say nothing to it alone: it judges streams"),
            (troubles, "captures could not be looked at"),
        ] {
            if number > 0 {
                ui.say(&format!("left out: {number} {what}"));
            }
        }
        for Trouble { run, capture, what } in &self.troubles {
            ui.say(&format!("  run {run}, {}: {}", plain(capture), plain(what)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_from_scripts_is_no_formula() {
        assert_eq!(quoted("=1+1"), "\"'=1+1\"");
        assert_eq!(quoted("say \"yes\", now"), "\"say \"\"yes\"\", now\"");
    }
}

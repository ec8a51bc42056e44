//! Stored lines of serial ports: `serial.txt` of runs, and plain logs of anybody's.
//!
//! A run's log has the slots beside each other; each slot of each file is a stream of its own, as it was on the rack.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use comfy_table::Color;
use headend_plugin_host::AnalyserHost;
use headend_plugin_host::analyser::Verdict;
use headend_plugin_host::analyser::serial::{Line, News};
use headend_plugin_host::policy::PluginInfo;
use serde::Serialize;

use super::{Args, fault, instance};
use crate::exit::Exit;
use crate::failure::{Failure, Result};
use crate::ui::{self, Ui, cell, plain, verdict as shown};

/// What a run leaves, in its folder.
const LOG: &str = "serial.txt";
/// Most bytes of a file: a run keeps less.
const MAX_FILE: u64 = 256 << 20;

/// A verdict, and whose lines it is about.
#[derive(Debug, Serialize)]
struct Item {
    file: String,
    /// `None`: the file does not tell slots apart.
    slot: Option<u32>,
    #[serde(flatten)]
    verdict: Verdict,
}

#[derive(Debug, Serialize)]
struct Report {
    plugin: String,
    version: String,
    lines: usize,
    verdicts: Vec<Item>,
    /// The last verdict of every stream passed.
    passed: bool,
}

/// Reads the files again. The exit code tells whether the last verdict of each stream passed.
pub(super) fn run(args: &Args, files: &[PathBuf], ui: Ui, host: &AnalyserHost, info: &PluginInfo) -> Result<()> {
    if args.overlay.is_some() || args.timing.is_some() {
        let what = format!("{} reads lines; there are no frames to draw over or to time", info.name);
        return Err(Failure::usage(what).help("leave out --overlay and --timing"));
    }
    let (plugin, version) = (info.name.to_string(), info.version.clone());
    let mut report = Report { plugin, version, lines: 0, verdicts: Vec::new(), passed: true };
    for file in files.iter().map(|named| log_of(named)) {
        let streams = streams(&text(&file)?, args.slot);
        if let (true, Some(slot)) = (streams.is_empty(), args.slot) {
            let what = format!("{} has no line of slot {slot}", file.display());
            return Err(Failure::new(Exit::NotFound, "lines", what).help("leave out --slot to read all of them"));
        }
        for (slot, lines) in streams {
            report.lines += lines.len();
            let verdicts = verdicts(args, host, info, lines)?;
            report.passed &= verdicts.last().is_some_and(|verdict| verdict.passed);
            let file = file.display().to_string();
            report.verdicts.extend(verdicts.into_iter().map(|verdict| Item { file: file.clone(), slot, verdict }));
        }
    }
    ui.show(&report, |report| people(ui, report))?;
    if report.passed { Ok(()) } else { Err(Failure::silent(Exit::Failed)) }
}

/// A folder is that of a run.
fn log_of(named: &Path) -> PathBuf {
    if named.is_dir() { named.join(LOG) } else { named.to_owned() }
}

fn text(file: &Path) -> Result<String> {
    let meta = std::fs::metadata(file).map_err(|error| Failure::file("read", file, error))?;
    if !meta.is_file() || meta.len() > MAX_FILE {
        let what = format!("cannot read {}: it is no file of at most {} MiB", file.display(), MAX_FILE >> 20);
        return Err(Failure::new(Exit::Usage, "file", what).help("name a serial log, or split it"));
    }
    let bytes = std::fs::read(file).map_err(|error| Failure::file("read", file, error))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The lines of each slot, in their order. A file without lines is one stream that says nothing, unless one slot is asked for.
fn streams(text: &str, only: Option<u32>) -> BTreeMap<Option<u32>, Vec<Line>> {
    let mut streams: BTreeMap<Option<u32>, Vec<Line>> = BTreeMap::new();
    let mut at_us = 0;
    for line in text.lines() {
        let (slot, line) = match recorded(line) {
            Some((at, slot, text)) => {
                at_us = at;
                (Some(slot), text)
            }
            None => (None, line),
        };
        if only.is_none() || only == slot {
            streams.entry(slot).or_default().push(Line { at_us, text: line.to_owned() });
        }
    }
    if streams.is_empty() && only.is_none() {
        streams.insert(None, Vec::new());
    }
    streams
}

/// `[12.345] slot 3: text`, as runs keep it: microseconds, slot, text.
fn recorded(line: &str) -> Option<(i64, u32, &str)> {
    let (seconds, rest) = line.strip_prefix('[')?.split_once("] slot ")?;
    let (slot, text) = rest.split_once(": ").or_else(|| Some((rest.strip_suffix(':')?, "")))?;
    let seconds = seconds.parse::<f64>().ok().filter(|seconds| seconds.is_finite())?;
    Some(((seconds * 1e6).round() as i64, slot.parse().ok()?, text))
}

/// One line a call: what is said of it is then said of no other.
fn verdicts(args: &Args, host: &AnalyserHost, info: &PluginInfo, lines: Vec<Line>) -> Result<Vec<Verdict>> {
    let mut instance = instance(args, host, &info.name)?;
    let mut verdicts = Vec::new();
    for line in lines {
        let at_us = line.at_us;
        for news in News::of([line], 0, at_us) {
            verdicts.extend(instance.read(&news).map_err(fault)?);
        }
    }
    verdicts.extend(instance.finish().map_err(fault)?);
    Ok(verdicts)
}

fn people(ui: Ui, report: &Report) -> String {
    if report.verdicts.is_empty() {
        return format!("{} {} has nothing to say", report.plugin, report.version);
    }
    let mut table = ui.table(&["FILE", "SLOT", "SECONDS", "VERDICT", "SCORE", "WHAT"]);
    for Item { file, slot, verdict } in &report.verdicts {
        let (word, color) = if verdict.passed { ("passed", Color::Green) } else { ("failed", Color::Red) };
        table.add_row([
            cell(file),
            cell(&slot.map_or_else(|| "-".to_owned(), |slot| slot.to_string())),
            cell(&format!("{:.3}", verdict.at_us as f64 / 1e6)),
            shown(word, color),
            cell(&format!("{:.4}", verdict.score)),
            cell(&plain(&verdict.sentence)),
        ]);
    }
    ui::text(&table)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_runs_have_time_and_slot_and_others_stand_as_they_are() {
        assert_eq!(recorded("[12.345] slot 3: zap 5: One"), Some((12_345_000, 3, "zap 5: One")));
        assert_eq!(recorded("[0.000] slot 1: "), Some((0, 1, "")));
        assert_eq!(recorded("[0.000] slot 1:"), Some((0, 1, "")), "an editor may have cut the blank");
        for other in ["[12.345] kernel: slot 3: x", "[x] slot 1: y", "[1.0] slot one: y", "plain", ""] {
            assert_eq!(recorded(other), None, "{other}");
        }
        let log = "[1.000] slot 1: a\n[1.500] slot 2: b\nof nobody\n[2.000] slot 1: c\n";
        let all = streams(log, None);
        let shape: Vec<_> = all.iter().map(|(slot, lines)| (*slot, lines.len(), lines[0].at_us)).collect();
        assert_eq!(shape, [(None, 1, 1_500_000), (Some(1), 2, 1_000_000), (Some(2), 1, 1_500_000)]);
        assert_eq!(streams(log, Some(2)).len(), 1);
        assert!(streams(log, Some(3)).is_empty());
        assert_eq!(streams("", None).len(), 1);
    }
}

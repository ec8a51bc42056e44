//! What was measured, for people and for programs.

use serde_json::{Value, json};

use super::Measured;
use super::cases::Case;

/// One line.
pub(crate) struct Row {
    pub(crate) size: &'static str,
    pub(crate) analyser: &'static str,
    pub(crate) word: &'static str,
    pub(crate) native: Measured,
    pub(crate) plugin: Option<Measured>,
    pub(crate) one: Option<Measured>,
    pub(crate) many: Option<Measured>,
    /// All that answered said what is so.
    pub(crate) right: bool,
}

impl Row {
    pub(crate) fn new(
        case: &Case,
        native: Measured,
        plugin: Option<Measured>,
        [one, many]: [Option<Measured>; 2],
    ) -> Self {
        let all = [Some(&native), plugin.as_ref(), one.as_ref(), many.as_ref()];
        let right = all.into_iter().flatten().all(|measured| measured.answer == case.expected);
        Self { size: case.size, analyser: case.analyser, word: case.word, native, plugin, one, many, right }
    }

    /// How many times faster than the baseline with one thread it must be.
    fn target(&self) -> f64 {
        if self.analyser == "image-match" { 5.0 } else { 1.0 }
    }

    fn ratio(&self) -> Option<f64> {
        Some(self.one.as_ref()?.us / self.native.us)
    }

    pub(crate) fn text(&self) -> String {
        let ms =
            |measured: &Option<Measured>| measured.as_ref().map_or("-".to_owned(), |it| format!("{:.2}", it.us / 1e3));
        let times = |over: Option<f64>| over.map_or("-".to_owned(), |ratio| format!("{ratio:.1}x"));
        let met = self.ratio().map_or("-", |ratio| if ratio >= self.target() { "met" } else { "MISSED" });
        let guest = self.plugin.as_ref().map(|plugin| plugin.us / self.native.us);
        let many = self.many.as_ref().map(|many| many.us / self.native.us);
        let by = self.one.as_ref().map_or("-", |one| one.by.as_str());
        format!(
            "{:<6} {:<12} {:<11} {:>8.2} {:>8} {:>7} {:>9} {:>8} {:>9} {:>8}  {:<6} {:<8} {}",
            self.size,
            self.analyser,
            self.word,
            self.native.us / 1e3,
            ms(&self.plugin),
            times(guest),
            ms(&self.one),
            times(self.ratio()),
            ms(&self.many),
            times(many),
            met,
            if self.right { "same" } else { "DIFFER" },
            by,
        )
    }

    pub(crate) fn json(&self) -> Value {
        let us = |measured: &Option<Measured>| measured.as_ref().map(|measured| measured.us);
        json!({
            "size": self.size, "analyser": self.analyser, "case": self.word, "native_us": self.native.us,
            "plugin_us": us(&self.plugin), "baseline_us": us(&self.one), "baseline_all_threads_us": us(&self.many),
            "baseline": self.one.as_ref().map(|one| one.by.as_str()), "same_verdict": self.right, "target": self.target(),
        })
    }
}

pub(crate) const HEAD: &str = "\
                                   native   plugin plugin/  baseline baseline/ all threads
size   analyser     case            ms       ms  native    1 thr.   native      ms  /native  target verdicts baseline";

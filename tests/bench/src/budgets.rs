//! The promises of the design, each beside what was measured: met or missed.

use std::path::PathBuf;

/// Which side of a limit is the good one.
#[derive(Clone, Copy)]
pub(crate) enum Limit {
    AtLeast(f64),
    AtMost(f64),
}

/// What was promised and what was found.
struct Entry {
    what: String,
    /// `None`: it could not be measured here; the text says why.
    found: Result<f64, &'static str>,
    limit: Limit,
    unit: &'static str,
}

/// All promises that this run could judge.
#[derive(Default)]
pub(crate) struct Budgets(Vec<Entry>);

impl Budgets {
    /// A figure and its limit.
    pub(crate) fn judge(&mut self, what: impl Into<String>, found: f64, limit: Limit, unit: &'static str) {
        self.0.push(Entry { what: what.into(), found: Ok(found), limit, unit });
    }

    /// A promise that cannot be judged here.
    pub(crate) fn unknown(&mut self, what: impl Into<String>, why: &'static str, limit: Limit, unit: &'static str) {
        self.0.push(Entry { what: what.into(), found: Err(why), limit, unit });
    }

    /// A line for each, and how many were missed.
    pub(crate) fn print(&self) {
        println!("\nBudgets");
        self.0.iter().for_each(|entry| println!("{}", entry.line()));
        let missed = self.0.iter().filter(|entry| entry.met() == Some(false)).count();
        let unknown = self.0.iter().filter(|entry| entry.met().is_none()).count();
        println!("{} met, {missed} missed, {unknown} not measured", self.0.len() - missed - unknown);
    }

    /// The same for programs, in `bench/budgets.json` of the target folder.
    pub(crate) fn save(&self) -> std::io::Result<PathBuf> {
        let folder = target().join("bench");
        std::fs::create_dir_all(&folder)?;
        let file = folder.join("budgets.json");
        let entries: Vec<_> = self.0.iter().map(Entry::json).collect();
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let all = serde_json::json!({ "cores": cores, "budgets": entries });
        std::fs::write(&file, format!("{all:#}\n"))?;
        Ok(file)
    }
}

impl Entry {
    fn met(&self) -> Option<bool> {
        let found = self.found.ok()?;
        Some(match self.limit {
            Limit::AtLeast(least) => found >= least,
            Limit::AtMost(most) => found <= most,
        })
    }

    fn json(&self) -> serde_json::Value {
        let (side, limit) = match self.limit {
            Limit::AtLeast(least) => ("at_least", least),
            Limit::AtMost(most) => ("at_most", most),
        };
        serde_json::json!({
            "what": self.what, "found": self.found.ok(), "why_unknown": self.found.err(), side: limit,
            "unit": self.unit.trim(), "met": self.met(),
        })
    }

    fn line(&self) -> String {
        let verdict = match self.met() {
            Some(true) => "met     ",
            Some(false) => "MISSED  ",
            None => "unknown ",
        };
        let found = self.found.map_or_else(str::to_owned, |found| format!("{}{}", figure(found), self.unit));
        let (side, limit) = match self.limit {
            Limit::AtLeast(least) => ("at least", least),
            Limit::AtMost(most) => ("at most", most),
        };
        format!("{verdict}{}: {found}; {side} {}{}", self.what, figure(limit), self.unit)
    }
}

/// Whole numbers where they are large, two places where they are not.
fn figure(number: f64) -> String {
    if number >= 100.0 { format!("{number:.0}") } else { format!("{number:.2}") }
}

/// How many times as long a coverage policy takes as a plugin than as native code, from the medians that the benches of the plugin host
/// left behind. `None` when they have not been run here.
pub(crate) fn plugin_ratio(policy: &str) -> Option<f64> {
    Some(median(policy, "wasm")? / median(policy, "native")?)
}

fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| headend_integration::lab::repository().join("target"), PathBuf::from)
}

/// Nanoseconds.
fn median(policy: &str, kind: &str) -> Option<f64> {
    let file = target().join("criterion/job_100x16").join(format!("{policy}_{kind}")).join("new/estimates.json");
    let text = std::fs::read(file).ok()?;
    let estimates: serde_json::Value = serde_json::from_slice(&text).ok()?;
    estimates["median"]["point_estimate"].as_f64()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_what_was_found_and_what_was_promised() {
        let mut budgets = Budgets::default();
        budgets.judge("runs", 3_194.0, Limit::AtLeast(4_000.0), "/s");
        budgets.judge("waits", 2.6, Limit::AtMost(20.0), " ms");
        budgets.unknown("ratio", "no baseline", Limit::AtLeast(5.0), " times");
        assert_eq!(budgets.0[0].json()["met"], false);
        assert_eq!(budgets.0[2].json()["why_unknown"], "no baseline");
        let lines: Vec<String> = budgets.0.iter().map(Entry::line).collect();
        assert_eq!(
            lines,
            [
                "MISSED  runs: 3194/s; at least 4000/s",
                "met     waits: 2.60 ms; at most 20.00 ms",
                "unknown ratio: no baseline; at least 5.00 times",
            ]
        );
    }
}

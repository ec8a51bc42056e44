//! Longest test first, by past durations: a long test that starts last is what a job waits for at its end.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use headend_sdk::policy::{Books, CoveragePolicy, Instant, Millis, Placement, Plan, TargetIx, Test, TestIx};
use serde::Deserialize;

/// As the manifest's `[parameters]` says it.
#[derive(Deserialize)]
struct Settings {
    measure: Measure,
    unknown: Unknown,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Measure {
    P50,
    P90,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Unknown {
    First,
    Last,
}

/// Each target takes the longest test that it has not run; the order of the list breaks ties.
pub struct LongestFirst {
    /// Of the plan with its tests in our order.
    books: Books,
    lengths: BTreeMap<TestIx, Millis>,
}

impl Settings {
    fn length(&self, test: &Test) -> Option<Millis> {
        test.history.as_ref().map(|history| match self.measure {
            Measure::P50 => history.p50_ms,
            Measure::P90 => history.p90_ms,
        })
    }

    /// Smaller comes first.
    fn rank(&self, test: &Test) -> Reverse<Millis> {
        Reverse(self.length(test).unwrap_or(match self.unknown {
            Unknown::First => Millis::MAX,
            Unknown::Last => 0,
        }))
    }
}

impl CoveragePolicy for LongestFirst {
    type Proposal = Vec<Placement>;

    fn build(plan: &Plan) -> Result<Self, String> {
        let settings: Settings = plan.settings()?;
        let mut sorted = plan.clone();
        // A stable sort: equal ones stay in list order.
        sorted.tests.sort_by_key(|test| settings.rank(test));
        let lengths = plan.tests.iter().filter_map(|test| Some((test.ix, settings.length(test)?))).collect();
        Ok(Self { books: Books::new(&sorted), lengths })
    }

    fn started(&mut self, placement: Placement, _at: Instant) {
        self.books.start(placement);
    }

    fn dropped(&mut self, test: TestIx, runs: u32, _at: Instant) {
        self.books.drop_runs(test, runs);
    }

    fn propose(&mut self, _now: Instant, free: &[TargetIx]) -> Vec<Placement> {
        self.books.propose(free, |books, target| books.in_order(target).next())
    }

    fn reason(&self, of: Placement) -> String {
        let Placement { test, target } = of;
        match self.lengths.get(&test) {
            Some(ms) => {
                let (whole, tenth) = (ms / 1_000, ms % 1_000 / 100);
                format!(
                    "test {test} takes longest ({whole}.{tenth} s so far) of those that target {target} has not run"
                )
            }
            None => format!(
                "nobody knows how long test {test} takes; that is its place among those that target {target} has not run"
            ),
        }
    }
}

headend_sdk::export_policy!(LongestFirst);

#[cfg(test)]
mod tests;

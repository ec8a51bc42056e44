//! What is remembered of one script.

use std::collections::{BTreeMap, VecDeque};

use headend_model::{DutId, Span, Timestamp};

use super::{LAST_RUNS, MOST_DUTS};

/// A script's past in short.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScriptHistory {
    /// Runs that are remembered, at least 1.
    pub runs: u32,
    /// Of these, so many passed (or passed in part).
    pub passed: u32,
    /// The document's return status of the last one.
    pub last_code: u16,
    /// So many in a row have not passed, up to the last one.
    pub failures_in_a_row: u32,
    /// Half of the last [`LAST_RUNS`] runs took at most so long, from lease to end.
    pub p50: Span,
    /// Nine of ten of them took at most so long.
    pub p90: Span,
}

/// How a script ended when it last ran on a DUT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(from = "(u16, Timestamp)", into = "(u16, Timestamp)")
)]
pub struct LastOutcome {
    /// The document's return status.
    pub code: u16,
    /// When.
    pub at: Timestamp,
}

impl From<(u16, Timestamp)> for LastOutcome {
    fn from((code, at): (u16, Timestamp)) -> Self {
        Self { code, at }
    }
}

impl From<LastOutcome> for (u16, Timestamp) {
    fn from(last: LastOutcome) -> Self {
        (last.code, last.at)
    }
}

#[derive(Clone, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(super) struct Script {
    runs: u32,
    passed: u32,
    last_code: u16,
    failures_in_a_row: u32,
    /// Of the last runs in ms, oldest first; four weeks are as good as for ever.
    took_ms: VecDeque<u32>,
    on: BTreeMap<DutId, LastOutcome>,
}

impl Script {
    pub(super) fn note(&mut self, duts: impl Iterator<Item = DutId>, outcome: LastOutcome, passed: bool, took: Span) {
        self.runs = self.runs.saturating_add(1);
        self.passed = self.passed.saturating_add(u32::from(passed));
        self.failures_in_a_row = if passed { 0 } else { self.failures_in_a_row.saturating_add(1) };
        self.last_code = outcome.code;
        if self.took_ms.len() == LAST_RUNS {
            self.took_ms.pop_front();
        }
        self.took_ms.push_back(u32::try_from(took.as_millis().max(0)).unwrap_or(u32::MAX));
        for dut in duts {
            self.on.insert(dut, outcome);
            self.forget_oldest();
        }
    }

    fn forget_oldest(&mut self) {
        if self.on.len() > MOST_DUTS
            && let Some((oldest, _)) = self.on.iter().min_by_key(|(dut, last)| (last.at, **dut)).map(|(d, l)| (*d, *l))
        {
            self.on.remove(&oldest);
        }
    }

    pub(super) fn pairs(&self) -> usize {
        self.on.len()
    }

    pub(super) fn outcomes(&self) -> impl Iterator<Item = (DutId, LastOutcome)> + '_ {
        self.on.iter().map(|(dut, last)| (*dut, *last))
    }

    pub(super) fn summary(&self) -> ScriptHistory {
        let mut took: Vec<u32> = self.took_ms.iter().copied().collect();
        took.sort_unstable();
        ScriptHistory {
            runs: self.runs,
            passed: self.passed,
            last_code: self.last_code,
            failures_in_a_row: self.failures_in_a_row,
            p50: quantile(&took, 50),
            p90: quantile(&took, 90),
        }
    }
}

/// By nearest rank: the smallest value that at least `percent` of all do not exceed.
fn quantile(sorted: &[u32], percent: usize) -> Span {
    let rank = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
    Span::millis(sorted.get(rank).copied().unwrap_or_default().into())
}

//! What a play has shown, in numbers.

use std::collections::BTreeMap;

use headend_model::Span;

/// The figures of one case.
#[derive(Clone, Debug, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Figures {
    /// The case.
    pub case: String,
    /// Jobs that were accepted.
    pub jobs: u64,
    /// Runs that were started.
    pub runs: u64,
    /// Runs that ended without a start.
    pub never_started: u64,
    /// Jobs that had not ended when nothing more would happen.
    pub left_open: u64,
    /// From acceptance of its job to the start of a run; microseconds.
    pub wait: Quantiles,
    /// From acceptance of a job to its first start; microseconds.
    pub first_start: Quantiles,
    /// From acceptance of a job to its end; microseconds.
    pub turnaround: Quantiles,
    /// Share of slot time, from the first arrival to the last end, in which no run had the slot.
    pub idle: f64,
    /// From the first arrival to the last end; microseconds.
    pub makespan: Span,
    /// After how long so many per cent of all tests of all jobs have been started once; index 0 to 100; microseconds.
    pub coverage: Vec<Option<Span>>,
    /// Jain's index over the owners' shares of run time in waiting and running: 1 if all are served alike, 1/n if one alone.
    pub fairness: f64,
    /// Per owner: runs, and the share of its time in which they ran.
    pub owners: BTreeMap<String, Owner>,
    /// Per policy and reason: placements that were turned down.
    pub refused: BTreeMap<String, BTreeMap<String, u64>>,
    /// Per policy: failures.
    pub failures: BTreeMap<String, u64>,
    /// Starts that the core chose in place of a plugin.
    pub stood_in: u64,
    /// Events that the farm took.
    pub steps: u64,
    /// Digest of all decisions: equal ones mean the same starts in the same order for the same reasons.
    pub decisions: String,
}

/// An owner in a play.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Owner {
    /// Runs that have ended.
    pub runs: u64,
    /// Their time under leases, as a share of that and their waiting.
    pub share: f64,
}

/// Quantiles by nearest rank. Zeros if there was nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Quantiles {
    /// Half of them are at most so long.
    pub p50: Span,
    /// Nine in ten.
    pub p90: Span,
    /// 19 in 20.
    pub p95: Span,
    /// The longest.
    pub max: Span,
}

impl Quantiles {
    /// Of these.
    pub fn of(mut all: Vec<Span>) -> Self {
        all.sort_unstable();
        let at = |percent| quantile(&all, percent).unwrap_or_default();
        Self { p50: at(50), p90: at(90), p95: at(95), max: at(100) }
    }
}

/// Nearest rank in a sorted list.
pub(crate) fn quantile(sorted: &[Span], percent: usize) -> Option<Span> {
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).copied()
}

/// Jain's index. 1 if there is nothing to compare.
pub(crate) fn jain(shares: &[f64]) -> f64 {
    let sum: f64 = shares.iter().sum();
    let squares: f64 = shares.iter().map(|share| share * share).sum();
    if squares == 0.0 { 1.0 } else { sum * sum / (shares.len() as f64 * squares) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_and_jain_by_hand() {
        let tens = Quantiles::of((1..=20).map(|n| Span::seconds(n * 10)).collect());
        assert_eq!((tens.p50, tens.p90), (Span::seconds(100), Span::seconds(180)));
        assert_eq!((tens.p95, tens.max), (Span::seconds(190), Span::seconds(200)));
        assert_eq!(Quantiles::of(Vec::new()), Quantiles::default());
        assert!((jain(&[1.0, 1.0, 1.0]) - 1.0).abs() < 1e-12);
        assert!((jain(&[1.0, 0.0, 0.0, 0.0]) - 0.25).abs() < 1e-12);
        assert!((jain(&[]) - 1.0).abs() < 1e-12);
    }
}

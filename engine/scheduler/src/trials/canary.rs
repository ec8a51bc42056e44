//! A canary: a share of the new jobs of a coverage policy goes to another one, within bounds.

use std::collections::VecDeque;
use std::fmt;

use headend_model::{JobId, PolicyName, Span, UserName};

use crate::digest::Digest;

/// Waits that are remembered of each group; older ones make room.
const MOST_WAITS: usize = 512;
/// Waits shorter than this are as good as none: a ratio of two of them says nothing.
const SHORT: Span = Span::seconds(1);

/// Thousandths.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Permille(pub u16);

impl fmt::Display for Permille {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, tenths) = (self.0 / 10, self.0 % 10);
        if tenths == 0 { write!(f, "{whole}%") } else { write!(f, "{whole}.{tenths}%") }
    }
}

/// How much a canary gets, for how long, and what ends it before.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct CanaryTerms {
    /// Share of the new jobs, 1 to 1,000.
    pub share: Permille,
    /// How long it gets new jobs.
    pub length: Span,
    /// More failures and broken rules than this end it; `None`: only a quarantine does.
    pub max_faults: Option<u32>,
    /// A larger share of its runs that end incomplete ends it, if it is also larger than that of the others.
    pub max_incomplete: Option<Permille>,
    /// In percent of the others' median wait: a longer one ends it.
    pub max_wait_ratio: Option<u32>,
    /// Shares and waits count from so many runs on, at least 1.
    pub min_runs: u32,
}

impl CanaryTerms {
    /// Whether a new job goes to the canary of this number: by the handle alone, so that a replay decides alike.
    pub fn takes(&self, canary: u64, job: JobId) -> bool {
        Digest::after(0).word(canary).word(job.0).value() % 1_000 < u64::from(self.share.0)
    }
}

/// A canary that is to begin. Whoever sends it has looked up the plugin and its version.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct CanaryRequest {
    /// What the farm asks: the plugin's name, or a name of its own for another version of the same plugin.
    pub policy: PolicyName,
    /// The plugin.
    pub plugin: PolicyName,
    /// Its content.
    pub hash: String,
    /// Major version of its contract.
    pub contract: u32,
    /// The policy whose jobs it gets a share of.
    pub beside: PolicyName,
    /// How much, how long, within which bounds.
    pub terms: CanaryTerms,
    /// Who asked.
    pub by: UserName,
}

/// Why a canary is not begun, stopped or promoted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[allow(missing_docs, reason = "each message says it")]
pub enum CanaryRefusal {
    #[error("{policy} runs beside {beside} already; stop it first: `headend plugin canary stop {policy}`")]
    Busy { policy: PolicyName, beside: PolicyName },
    #[error("{policy} cannot be asked: {reason}")]
    NotAsked { policy: PolicyName, reason: String },
    #[error("{0} is the live policy itself; name another version of it with --hash, or another policy")]
    Itself(PolicyName),
    #[error("there is no canary {0}; `headend plugin canary list` shows those that there are")]
    Unknown(PolicyName),
    #[error("the canary {policy} is {state}; {help}")]
    State { policy: PolicyName, state: String, help: String },
}

/// How a canary stands.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum CanaryState {
    /// It gets its share of the new jobs.
    Running,
    /// Its time is over and no bound was broken. It gets no new jobs; those that it has, it keeps.
    Passed,
    /// Its time is over and too few of its runs have ended to tell. As [`CanaryState::Passed`] otherwise.
    Unproven,
    /// A bound was broken: its jobs went on under the live policy.
    Broken(Breach),
    /// A person stopped it: as if a bound was broken.
    Stopped {
        /// Who.
        by: UserName,
    },
    /// A person has found it good. Another policy than the live one gets all jobs that name that one from then on.
    Promoted {
        /// Who.
        by: UserName,
    },
}

impl CanaryState {
    /// In one word.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Passed => "passed",
            Self::Unproven => "unproven",
            Self::Broken(_) => "broken",
            Self::Stopped { .. } => "stopped",
            Self::Promoted { .. } => "promoted",
        }
    }
}

/// Which bound was broken, by what.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
#[allow(missing_docs, reason = "each message says it")]
pub enum Breach {
    #[error("{faults} failures or broken rules, at most {most} were allowed; the last: {last}")]
    Faults { faults: u32, most: u32, last: String },
    #[error("{incomplete} of its {ended} runs ended incomplete, at most {most} were allowed")]
    Incomplete { incomplete: u32, ended: u32, most: Permille },
    #[error(
        "its runs waited {canary} at the median and the others {live}, at most {most_percent}% of that were allowed (of {live_floor} at least)",
        live_floor = SHORT
    )]
    Wait { canary: Span, live: Span, most_percent: u32 },
    #[error("it was put into quarantine: {0}")]
    Quarantined(String),
    #[error("{0} was disabled or removed")]
    Gone(PolicyName),
    #[error("another version of {0} came into force meanwhile")]
    Changed(PolicyName),
}

/// What has come of one group of jobs: those of the canary, or the others that are new.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default))]
pub struct Arm {
    /// Jobs.
    pub jobs: u32,
    /// Runs that were started.
    pub started: u32,
    /// Runs that ended, killed ones aside,
    pub ended: u32,
    /// and those of them without a result.
    pub incomplete: u32,
    /// Failures of the policy and rules of the contract that it broke.
    pub faults: u32,
    /// The last of them.
    pub last_fault: String,
    /// Plans that the policy declined: they went on under the live one.
    pub declined: u32,
    /// From a job's acceptance to the start of its run.
    pub waits: Waits,
}

/// The last waits, for their median.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Waits(VecDeque<Span>);

impl Waits {
    /// One more.
    pub fn note(&mut self, wait: Span) {
        if self.0.len() == MOST_WAITS {
            self.0.pop_front();
        }
        self.0.push_back(wait);
    }

    /// The median by nearest rank: a wait that really occurred.
    pub fn median(&self) -> Option<Span> {
        let mut all: Vec<Span> = self.0.iter().copied().collect();
        all.sort_unstable();
        all.get(all.len().checked_sub(1)? / 2).copied()
    }

    /// So many are remembered.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// None is.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl CanaryTerms {
    /// The first bound that is broken, if one is.
    pub fn judge(&self, canary: &Arm, live: &Arm) -> Option<Breach> {
        self.judge_faults(canary)
            .or_else(|| self.judge_incomplete(canary, live))
            .or_else(|| self.judge_wait(canary, live))
    }

    /// Whether so many of its runs have ended that shares say something.
    pub const fn is_proven(&self, canary: &Arm) -> bool {
        canary.ended >= self.min_runs
    }

    fn judge_faults(&self, canary: &Arm) -> Option<Breach> {
        let (faults, most) = (canary.faults, self.max_faults?);
        (faults > most).then(|| Breach::Faults { faults, most, last: canary.last_fault.clone() })
    }

    fn judge_incomplete(&self, canary: &Arm, live: &Arm) -> Option<Breach> {
        let most = self.max_incomplete?;
        let (ended, incomplete) = (canary.ended, canary.incomplete);
        let over = u64::from(incomplete) * 1_000 > u64::from(most.0) * u64::from(ended);
        // Where runs of all jobs end incomplete, the lab is at fault and not the policy.
        let worse =
            u64::from(incomplete) * u64::from(live.ended.max(1)) > u64::from(live.incomplete) * u64::from(ended);
        (ended >= self.min_runs && over && worse).then_some(Breach::Incomplete { incomplete, ended, most })
    }

    fn judge_wait(&self, canary: &Arm, live: &Arm) -> Option<Breach> {
        let most_percent = self.max_wait_ratio?;
        let enough = self.min_runs as usize;
        if canary.waits.len() < enough.min(MOST_WAITS) || live.waits.len() < enough.min(MOST_WAITS) {
            return None;
        }
        let (canary, live) = (canary.waits.median()?, live.waits.median()?);
        let most = live.max(SHORT).as_micros().saturating_mul(i64::from(most_percent)) / 100;
        (canary.as_micros() > most).then_some(Breach::Wait { canary, live, most_percent })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn terms() -> CanaryTerms {
        CanaryTerms {
            share: Permille(100),
            length: Span::seconds(7_200),
            max_faults: Some(0),
            max_incomplete: Some(Permille(20)),
            max_wait_ratio: Some(150),
            min_runs: 20,
        }
    }

    fn arm(ended: u32, incomplete: u32) -> Arm {
        Arm { ended, incomplete, ..Arm::default() }
    }

    fn waited(seconds: i64, runs: usize) -> Arm {
        let mut arm = Arm::default();
        (0..runs).for_each(|_| arm.waits.note(Span::seconds(seconds)));
        arm
    }

    #[test]
    fn the_share_is_that_of_the_jobs_and_follows_from_the_handle() {
        for share in [1, 100, 500, 999, 1_000] {
            let terms = CanaryTerms { share: Permille(share), ..terms() };
            let taken = (1..=10_000).filter(|job| terms.takes(7, JobId(*job))).count();
            let wanted = usize::from(share) * 10;
            assert!(taken.abs_diff(wanted) < 200, "{share}: {taken} of 10,000");
            assert_eq!(taken, (1..=10_000).filter(|job| terms.takes(7, JobId(*job))).count());
        }
        let (one, other) = (terms(), CanaryTerms { share: Permille(500), ..terms() });
        assert!(
            (1..=1_000).all(|job| !one.takes(7, JobId(job)) || other.takes(7, JobId(job))),
            "a larger share has more"
        );
        assert!((1..=1_000).any(|job| other.takes(7, JobId(job)) != other.takes(8, JobId(job))), "the next has others");
    }

    #[test]
    fn a_fault_more_than_allowed_breaks() {
        let (mut terms, faulty) = (terms(), Arm { faults: 1, last_fault: "trap".to_owned(), ..Arm::default() });
        assert_eq!(terms.judge(&Arm::default(), &faulty), None, "the others' faults are not its own");
        let breach = terms.judge(&faulty, &Arm::default()).unwrap();
        assert_eq!(breach.to_string(), "1 failures or broken rules, at most 0 were allowed; the last: trap");
        terms.max_faults = Some(1);
        assert_eq!(terms.judge(&faulty, &Arm::default()), None);
        terms.max_faults = None;
        assert_eq!(terms.judge(&Arm { faults: 9, ..faulty }, &Arm::default()), None);
    }

    #[test]
    fn incomplete_runs_count_from_enough_runs_on_and_against_the_others() {
        let terms = terms();
        assert_eq!(terms.judge(&arm(19, 19), &arm(0, 0)), None, "too few to tell");
        assert!(matches!(
            terms.judge(&arm(20, 1), &arm(0, 0)),
            Some(Breach::Incomplete { incomplete: 1, ended: 20, .. })
        ));
        assert_eq!(terms.judge(&arm(50, 1), &arm(100, 0)), None, "2% are allowed");
        assert!(terms.judge(&arm(50, 2), &arm(100, 0)).is_some());
        assert_eq!(terms.judge(&arm(50, 2), &arm(100, 4)), None, "the others fare no better");
        assert!(terms.judge(&arm(50, 3), &arm(100, 4)).is_some());
    }

    #[test]
    fn waits_are_compared_once_both_have_enough() {
        let terms = terms();
        assert_eq!(terms.judge(&waited(100, 20), &waited(10, 19)), None);
        assert_eq!(terms.judge(&waited(100, 19), &waited(10, 20)), None);
        assert_eq!(terms.judge(&waited(15, 20), &waited(10, 20)), None, "as long as allowed");
        assert!(matches!(terms.judge(&waited(16, 20), &waited(10, 20)), Some(Breach::Wait { .. })));
        assert_eq!(terms.judge(&waited(1, 20), &waited(0, 20)), None, "a second is no wait");
        assert!(terms.judge(&waited(2, 20), &waited(0, 20)).is_some());
    }

    #[test]
    fn the_median_is_of_the_last_ones_and_one_that_occurred() {
        let mut waits = Waits::default();
        assert_eq!(waits.median(), None);
        for seconds in [5, 1, 9, 3] {
            waits.note(Span::seconds(seconds));
        }
        assert_eq!(waits.median(), Some(Span::seconds(3)));
        (0..MOST_WAITS).for_each(|_| waits.note(Span::seconds(7)));
        assert_eq!((waits.len(), waits.median()), (MOST_WAITS, Some(Span::seconds(7))));
    }
}

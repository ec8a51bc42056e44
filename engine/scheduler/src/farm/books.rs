//! The plan of one group of a job's tests: what is left, what was started where.

use std::collections::{BTreeMap, BTreeSet};

use headend_model::{Mode, PolicyName, RunId, TargetIx, TestIx, Timestamp};

use super::trials::OnTrial;
use crate::action::{Noted, PlanChange};
use crate::policy::PlanBooks;

/// Runs of one test. They are numbered from `first`; started ones are counted from the front, dropped ones (ended
/// without a start) from the back, so no run needs a record of its own while it waits.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(super) struct TestBook {
    pub first: RunId,
    pub total: u32,
    pub started: u32,
    pub dropped: u32,
    pub group: u32,
}

impl TestBook {
    pub(super) const fn left(&self) -> u32 {
        self.total.saturating_sub(self.started).saturating_sub(self.dropped)
    }

    /// As `left`; `None` if the books are wrong (S4).
    pub(super) fn checked_left(&self) -> Option<u32> {
        self.total.checked_sub(self.started)?.checked_sub(self.dropped)
    }
}

/// What chooses within a group.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(super) enum Rule {
    DutCoverage,
    TestCoverage,
    Gang,
    Policy(PolicyName),
}

impl Rule {
    pub(super) fn of(mode: &Mode) -> Self {
        match mode {
            Mode::SingleProcess => Self::Gang,
            Mode::DutCoverage => Self::DutCoverage,
            Mode::TestCoverage => Self::TestCoverage,
            Mode::Policy(name) => Self::Policy(name.clone()),
        }
    }
}

/// Tests of one job with the same mode.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(super) struct Group {
    pub rule: Rule,
    pub tests: Vec<TestIx>,
    /// Tests with runs left, and how often each was started.
    left: BTreeMap<TestIx, Count>,
    /// The same, fewest starts first.
    by_starts: BTreeSet<(u32, TestIx)>,
    was_on: BTreeSet<(TestIx, TargetIx)>,
    /// Runs of the group under a lease.
    pub running: u32,
    pub talk: Talk,
    /// What it has to do with a canary.
    #[cfg_attr(feature = "serde", serde(default))]
    pub trial: Option<OnTrial>,
}

#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
struct Count {
    left: u32,
    starts: u32,
}

/// Where the conversation with a policy plugin stands.
#[derive(Clone, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(super) struct Talk {
    pub turn: Turn,
    /// Targets it had nothing for; cleared when something of the group changes.
    pub deferred: BTreeSet<TargetIx>,
    /// Targets that became free while it was thinking; they come next.
    pub missed: BTreeSet<TargetIx>,
    /// All that has happened, oldest first.
    pub past: Vec<Noted>,
    /// So many of `past` were told already.
    pub told: usize,
    /// The policy was asked at least once.
    #[cfg_attr(feature = "serde", serde(default))]
    pub met: bool,
    /// It was asked what has come of the plan.
    #[cfg_attr(feature = "serde", serde(default))]
    pub reporting: bool,
    /// It cannot serve this plan, for this reason: it is not asked again unless it is loaded again.
    #[cfg_attr(feature = "serde", serde(default))]
    pub declined: Option<String>,
}

#[derive(Clone, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(super) enum Turn {
    /// Nobody waits.
    #[default]
    Idle,
    /// Asked, and not answered yet.
    Asking,
    /// Answered; used up in the same step.
    Answer(BTreeMap<TargetIx, TestIx>),
    /// The core goes on by itself on these targets, in the same step.
    Fallback { targets: BTreeSet<TargetIx>, reason: String },
}

impl Group {
    pub(super) fn new(rule: Rule) -> Self {
        Self {
            rule,
            tests: Vec::new(),
            left: BTreeMap::new(),
            by_starts: BTreeSet::new(),
            was_on: BTreeSet::new(),
            running: 0,
            talk: Talk::default(),
            trial: None,
        }
    }

    pub(super) fn add(&mut self, test: TestIx, runs: u32) {
        self.tests.push(test);
        if runs > 0 {
            self.left.insert(test, Count { left: runs, starts: 0 });
            self.by_starts.insert((0, test));
        }
    }

    /// One run of the test less to start; `on` says where it was started, if it was.
    pub(super) fn take(&mut self, test: TestIx, runs: u32, on: Option<&[TargetIx]>) {
        let Some(count) = self.left.get_mut(&test) else { return };
        self.by_starts.remove(&(count.starts, test));
        count.left = count.left.saturating_sub(runs);
        if let Some(targets) = on {
            count.starts += 1;
            self.was_on.extend(targets.iter().map(|target| (test, *target)));
        }
        if count.left > 0 {
            self.by_starts.insert((count.starts, test));
        } else {
            self.left.remove(&test);
        }
    }

    pub(super) fn is_done(&self) -> bool {
        self.left.is_empty()
    }

    /// The policy that the job names, for which its parameters are meant; another one may serve it.
    pub(super) fn named_policy(&self) -> Option<&PolicyName> {
        let Rule::Policy(name) = &self.rule else { return None };
        Some(self.trial.as_ref().map_or(name, |trial| &trial.beside))
    }

    /// Some test of the group could still run on the target.
    pub(super) fn wants(&self, target: TargetIx) -> bool {
        self.in_order().any(|test| !self.was_on(test, target))
    }

    /// Tells the policy of the group, if it has one.
    pub(super) fn note(&mut self, at: Timestamp, change: PlanChange) {
        if matches!(self.rule, Rule::Policy(_)) {
            self.talk.past.push(change.at(at));
        }
    }
}

impl PlanBooks for Group {
    fn tests(&self) -> &[TestIx] {
        &self.tests
    }

    fn runs_left(&self, test: TestIx) -> u32 {
        self.left.get(&test).map_or(0, |count| count.left)
    }

    fn starts(&self, test: TestIx) -> u32 {
        self.left.get(&test).map_or_else(
            || self.was_on.range((test, TargetIx(0))..=(test, TargetIx(u32::MAX))).count() as u32,
            |count| count.starts,
        )
    }

    fn was_on(&self, test: TestIx, target: TargetIx) -> bool {
        self.was_on.contains(&(test, target))
    }

    fn least_started(&self) -> Box<dyn Iterator<Item = TestIx> + '_> {
        Box::new(self.by_starts.iter().map(|(_, test)| *test))
    }

    fn in_order(&self) -> Box<dyn Iterator<Item = TestIx> + '_> {
        Box::new(self.left.keys().copied())
    }
}

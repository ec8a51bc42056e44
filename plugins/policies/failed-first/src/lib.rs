//! Failed first: what failed last time, on the very device where it failed; then what failed elsewhere; then the rest.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use headend_sdk::policy::{
    Books, Counts, CoveragePolicy, History, Instant, Outcome, Placement, Plan, TargetIx, TestIx,
};
use serde::Deserialize;

const MICROS_PER_DAY: i64 = 86_400_000_000;

/// As the manifest's `[parameters]` says it.
#[derive(Deserialize)]
struct Settings {
    within_days: u16,
    follow: bool,
}

/// The order on a device: failed there, failed in this job, failed elsewhere, never run, passed.
pub struct FailedFirst {
    /// Of the plan with its tests in the order of their past.
    books: Books,
    /// Failures in a row by test, where there are any.
    streaks: BTreeMap<TestIx, u32>,
    failed: Failures,
    follow: bool,
}

/// What has failed where, beside what the books count.
#[derive(Default)]
struct Failures {
    /// Tests that failed on this target when they last ran there, the latest failure first.
    there: BTreeMap<TargetIx, Vec<TestIx>>,
    /// The other way round.
    of: BTreeMap<TestIx, Vec<TargetIx>>,
    /// Tests whose last end in this job was a failure, the first of them first.
    now: Vec<TestIx>,
    lost: BTreeSet<TargetIx>,
}

/// Passed, or passed in part.
fn has_passed(code: u16) -> bool {
    matches!(code, 110 | 111)
}

/// Smaller comes first: failures, the longest row of them first; tests without a past; and those that passed, the shakiest first.
fn rank(history: Option<&History>) -> (u8, Reverse<u64>) {
    match history {
        Some(history) if history.failures_in_a_row > 0 => (0, Reverse(history.failures_in_a_row.into())),
        None => (1, Reverse(0)),
        Some(history) => {
            let failed = u64::from(history.runs.saturating_sub(history.passed));
            (2, Reverse(failed * 1_000_000 / u64::from(history.runs.max(1))))
        }
    }
}

impl Failures {
    fn of_plan(plan: &Plan, since: Instant) -> Self {
        let mut recent: Vec<&Outcome> =
            plan.outcomes.iter().filter(|outcome| !has_passed(outcome.code) && outcome.at >= since).collect();
        recent.sort_by_key(|outcome| Reverse(outcome.at));
        let mut failures = Self::default();
        for Outcome { of, .. } in recent {
            failures.there.entry(of.target).or_default().push(of.test);
            failures.of.entry(of.test).or_default().push(of.target);
        }
        failures
    }

    /// The latest failure of this device that can be run again.
    fn again(&self, books: &Counts, target: TargetIx) -> Option<TestIx> {
        let open = |test: &&TestIx| books.runs_left(**test) > 0 && !books.was_on(**test, target);
        self.there.get(&target)?.iter().find(open).copied()
    }

    /// All runs that are left of the test are meant for devices where it failed.
    fn is_spoken_for(&self, books: &Counts, test: TestIx) -> bool {
        let Some(targets) = self.of.get(&test) else { return false };
        let waiting = targets.iter().filter(|target| !self.lost.contains(target) && !books.was_on(test, **target));
        waiting.count() >= books.runs_left(test) as usize
    }

    fn choose(&self, books: &Counts, target: TargetIx) -> Option<TestIx> {
        if let Some(test) = self.again(books, target) {
            return Some(test);
        }
        let open = |test: &TestIx| books.runs_left(*test) > 0 && !books.was_on(*test, target);
        let now = self.now.iter().copied().filter(open);
        let mut others = now.chain(books.in_order(target));
        others.find(|test| !self.is_spoken_for(books, *test)).or_else(|| books.in_order(target).next())
    }
}

impl CoveragePolicy for FailedFirst {
    type Proposal = Vec<Placement>;

    fn build(plan: &Plan) -> Result<Self, String> {
        let Settings { within_days, follow } = plan.settings()?;
        let since = plan.accepted.saturating_sub(i64::from(within_days) * MICROS_PER_DAY);
        let mut sorted = plan.clone();
        // A stable sort: equal ones stay in list order.
        sorted.tests.sort_by_key(|test| rank(test.history.as_ref()));
        let streak = |history: &History| Some(history.failures_in_a_row).filter(|failures| *failures > 0);
        let streaks = plan.tests.iter().filter_map(|test| Some((test.ix, streak(test.history.as_ref()?)?))).collect();
        Ok(Self { books: Books::new(&sorted), streaks, failed: Failures::of_plan(plan, since), follow })
    }

    fn started(&mut self, placement: Placement, _at: Instant) {
        self.books.start(placement);
    }

    fn ended(&mut self, placement: Placement, code: u16, _at: Instant) {
        // 1 is also what a person stopped or a rack lost: that says nothing about the script.
        let has_failed = !has_passed(code) && code != 1;
        let known = self.failed.now.iter().position(|test| *test == placement.test);
        match known {
            None if has_failed && self.follow => self.failed.now.push(placement.test),
            Some(at) if has_passed(code) => {
                self.failed.now.remove(at);
            }
            _ => {}
        }
    }

    fn target_lost(&mut self, target: TargetIx, _at: Instant) {
        self.failed.lost.insert(target);
    }

    fn dropped(&mut self, test: TestIx, runs: u32, _at: Instant) {
        self.books.drop_runs(test, runs);
    }

    fn propose(&mut self, _now: Instant, free: &[TargetIx]) -> Vec<Placement> {
        let mut free = free.to_vec();
        // Who has a failure to repeat chooses first: another device might take its last run.
        free.sort_by_key(|target| !self.failed.there.contains_key(target));
        let failed = &self.failed;
        self.books.propose(&free, |books, target| failed.choose(books, target))
    }

    fn reason(&self, of: Placement) -> String {
        let Placement { test, target } = of;
        if self.failed.there.get(&target).is_some_and(|tests| tests.contains(&test)) {
            return format!("test {test} failed on target {target} when it last ran there");
        }
        if self.failed.now.contains(&test) {
            return format!("test {test} has just failed in this job; target {target} shows whether it is the device");
        }
        match self.streaks.get(&test) {
            Some(1) => format!("test {test} failed when it last ran"),
            Some(failures) => format!("test {test} failed the last {failures} times"),
            None => {
                format!("target {target} has no failure to repeat, and test {test} is next in the order of the past")
            }
        }
    }
}

headend_sdk::export_policy!(FailedFirst);

#[cfg(test)]
mod tests;

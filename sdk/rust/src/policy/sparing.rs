//! Books of policies that leave runs out.

use std::collections::BTreeSet;
use std::ops::{Deref, DerefMut};

use super::{Books, Placement, Plan, Skip, TargetIx, TestIx};

/// [`Books`] of a policy that leaves out what can bring nothing any more: besides the counts it keeps what runs, which targets are out, and
/// of which tests runs may have become useless since they were last looked at.
///
/// ```
/// # use headend_sdk::policy::{Plan, SparingBooks, Target, Test, Placement};
/// # let test = |ix| Test { ix, runs: 2, name: "zap.py".into(), history: None };
/// # let target = |ix| Target { ix, place: None, dut: None };
/// # let (tests, targets) = (vec![test(0), test(1)], vec![target(0), target(1)]);
/// # let plan = Plan { parameters: "{}".into(), accepted: 0, tests, targets, outcomes: vec![], past: vec![] };
/// let mut books = SparingBooks::new(&plan);
/// books.start(Placement { test: 0, target: 1 });
/// books.end(Placement { test: 0, target: 1 });
/// // One result per test is enough for this policy.
/// let skips = books.skips(|books, test| usize::from(books.starts(test) == 0), |_, test| format!("test {test} has run"));
/// assert_eq!(skips.iter().map(|skip| (skip.test, skip.runs)).collect::<Vec<_>>(), [(0, 1), (1, 1)]);
/// ```
#[derive(Clone, Debug, Default)]
pub struct SparingBooks {
    books: Books,
    /// Test numbers and script names, in list order.
    tests: Vec<(TestIx, String)>,
    running: BTreeSet<(TestIx, TargetIx)>,
    lost: BTreeSet<TargetIx>,
    suspects: BTreeSet<TestIx>,
    dropped: u64,
}

impl SparingBooks {
    /// Books of a plan in which nothing has happened. All tests are suspects: there may be more runs than are of use from the beginning.
    pub fn new(plan: &Plan) -> Self {
        Self {
            books: Books::new(plan),
            tests: plan.tests.iter().map(|test| (test.ix, test.name.clone())).collect(),
            suspects: plan.tests.iter().map(|test| test.ix).collect(),
            ..Self::default()
        }
    }

    /// A test was started on a target.
    pub fn start(&mut self, placement: Placement) {
        self.books.start(placement);
        self.running.insert((placement.test, placement.target));
    }

    /// A run has ended, in whatever way. If that makes other runs useless, say so with [`SparingBooks::suspect`].
    pub fn end(&mut self, placement: Placement) {
        self.running.remove(&(placement.test, placement.target));
    }

    /// The target is out for good: all tests are suspects.
    pub fn lose(&mut self, target: TargetIx) {
        self.lost.insert(target);
        self.suspect_all();
    }

    /// So many runs of the test will never be started.
    pub fn drop_runs(&mut self, test: TestIx, runs: u32) {
        self.books.drop_runs(test, runs);
        self.dropped += u64::from(runs);
    }

    /// Runs of this test may have become useless.
    pub fn suspect(&mut self, test: TestIx) {
        self.suspects.insert(test);
    }

    /// Runs of any test may have become useless.
    pub fn suspect_all(&mut self) {
        self.suspects.extend(self.tests.iter().map(|(test, _)| *test));
    }

    /// Runs to leave out: of each suspect those that are left beyond the useful ones. `useful`: how many more runs of the test can bring
    /// anything; `why`: the sentence for those that cannot.
    ///
    /// What is left out stays a suspect until that has come true, so the answer is the same until it is told as dropped.
    pub fn skips(
        &mut self,
        useful: impl Fn(&Self, TestIx) -> usize,
        why: impl Fn(&Self, TestIx) -> String,
    ) -> Vec<Skip> {
        let mut skips = Vec::new();
        for test in self.suspects.clone() {
            let useful = u32::try_from(useful(self, test)).unwrap_or(u32::MAX);
            let runs = self.books.runs_left(test).saturating_sub(useful);
            if runs > 0 {
                skips.push(Skip { test, runs, reason: why(self, test) });
            } else {
                self.suspects.remove(&test);
            }
        }
        skips
    }

    /// The test may still be started on this target: it has not been there, and the target is not out.
    pub fn is_open(&self, test: TestIx, target: TargetIx) -> bool {
        !self.lost.contains(&target) && !self.books.was_on(test, target)
    }

    /// The target is out for good.
    pub fn is_lost(&self, target: TargetIx) -> bool {
        self.lost.contains(&target)
    }

    /// Nothing of the plan runs.
    pub fn is_idle(&self) -> bool {
        self.running.is_empty()
    }

    /// What runs, by test and target.
    pub fn running(&self) -> impl Iterator<Item = Placement> + '_ {
        self.running.iter().map(|(test, target)| Placement { test: *test, target: *target })
    }

    /// Numbers and script names of the tests, in list order.
    pub fn tests(&self) -> &[(TestIx, String)] {
        &self.tests
    }

    /// Runs that were left out, or fitted no more.
    pub fn runs_dropped(&self) -> u64 {
        self.dropped
    }
}

/// For all questions that [`Books`] answer.
impl Deref for SparingBooks {
    type Target = Books;

    fn deref(&self) -> &Books {
        &self.books
    }
}

impl DerefMut for SparingBooks {
    fn deref_mut(&mut self) -> &mut Books {
        &mut self.books
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Target, Test};
    use super::*;

    fn books(tests: u32, runs: u32) -> SparingBooks {
        let test = |ix| Test { ix, runs, name: format!("{ix}.py"), history: None };
        let target = |ix| Target { ix, place: None, dut: None };
        SparingBooks::new(&Plan {
            parameters: "{}".to_owned(),
            accepted: 0,
            tests: (0..tests).map(test).collect(),
            targets: (0..runs).map(target).collect(),
            outcomes: Vec::new(),
            past: Vec::new(),
        })
    }

    fn skipped(books: &mut SparingBooks, useful: usize) -> Vec<(TestIx, u32)> {
        books.skips(|_, _| useful, |_, _| String::new()).iter().map(|skip| (skip.test, skip.runs)).collect()
    }

    #[test]
    fn a_skip_is_said_again_until_it_is_told_as_dropped() {
        let mut books = books(2, 3);
        assert_eq!(skipped(&mut books, 2), [(0, 1), (1, 1)]);
        assert_eq!(skipped(&mut books, 2), [(0, 1), (1, 1)]);
        books.drop_runs(0, 1);
        assert_eq!((skipped(&mut books, 2), books.runs_dropped()), (vec![(1, 1)], 1));
    }

    #[test]
    fn only_suspects_are_looked_at() {
        let mut books = books(3, 1);
        assert_eq!(skipped(&mut books, 1), []);
        assert_eq!(skipped(&mut books, 0), [], "nothing has happened since");
        books.suspect(1);
        assert_eq!(skipped(&mut books, 0), [(1, 1)]);
        books.lose(0);
        assert!(books.is_lost(0) && !books.is_open(2, 0));
        assert_eq!(skipped(&mut books, 0), [(0, 1), (1, 1), (2, 1)]);
    }

    #[test]
    fn what_runs_is_known_until_it_ends() {
        let mut books = books(1, 2);
        let of = Placement { test: 0, target: 1 };
        books.start(of);
        assert_eq!(
            (books.running().collect::<Vec<_>>(), books.is_open(0, 1), books.is_open(0, 0)),
            (vec![of], false, true)
        );
        books.end(of);
        assert!(books.is_idle() && books.was_on(0, 1));
    }
}

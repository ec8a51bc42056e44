//! Counts that most coverage policies need, kept so that a question costs O(log n).

use std::collections::{BTreeMap, BTreeSet};

use super::{Placement, Plan, TargetIx, TestIx};

/// Runs left, starts, and which test was where. Feed it from `started`; take back what was only tried with [`Books::undo`].
#[derive(Clone, Debug, Default)]
pub struct Books {
    /// By place in the list.
    tests: Vec<Row>,
    place: BTreeMap<TestIx, usize>,
    /// Places of tests with runs left, in list order.
    open: BTreeSet<usize>,
    /// The same, fewest starts first.
    by_starts: BTreeSet<(u32, usize)>,
    /// Per target: places of the tests that were there.
    been: BTreeMap<TargetIx, BTreeSet<usize>>,
}

#[derive(Clone, Debug)]
struct Row {
    ix: TestIx,
    runs: u32,
    starts: u32,
}

impl Books {
    /// Books of a plan in which nothing has happened.
    pub fn new(plan: &Plan) -> Self {
        let tests: Vec<Row> = plan.tests.iter().map(|test| Row { ix: test.ix, runs: test.runs, starts: 0 }).collect();
        let places = || tests.iter().enumerate();
        Self {
            place: places().map(|(place, row)| (row.ix, place)).collect(),
            open: places().filter(|(_, row)| row.runs > 0).map(|(place, _)| place).collect(),
            by_starts: places().filter(|(_, row)| row.runs > 0).map(|(place, _)| (0, place)).collect(),
            been: BTreeMap::new(),
            tests,
        }
    }

    /// A test was started on a target.
    pub fn start(&mut self, placement: Placement) {
        self.count(placement.test, |starts| starts + 1);
        if let Some(place) = self.place.get(&placement.test) {
            self.been.entry(placement.target).or_default().insert(*place);
        }
    }

    /// Takes a [`Books::start`] back.
    pub fn undo(&mut self, placement: Placement) {
        self.count(placement.test, |starts| starts.saturating_sub(1));
        if let (Some(place), Some(been)) = (self.place.get(&placement.test), self.been.get_mut(&placement.target)) {
            been.remove(place);
        }
    }

    fn count(&mut self, test: TestIx, change: impl FnOnce(u32) -> u32) {
        let Some(&place) = self.place.get(&test) else { return };
        let Some(row) = self.tests.get_mut(place) else { return };
        self.by_starts.remove(&(row.starts, place));
        row.starts = change(row.starts);
        if row.starts < row.runs {
            self.by_starts.insert((row.starts, place));
            self.open.insert(place);
        } else {
            self.open.remove(&place);
        }
    }

    /// How often the test was started.
    pub fn starts(&self, test: TestIx) -> u32 {
        self.row(test).map_or(0, |row| row.starts)
    }

    /// Runs that have not been started.
    pub fn runs_left(&self, test: TestIx) -> u32 {
        self.row(test).map_or(0, |row| row.runs.saturating_sub(row.starts))
    }

    /// The test was started on this target.
    pub fn was_on(&self, test: TestIx, target: TargetIx) -> bool {
        match (self.place.get(&test), self.been.get(&target)) {
            (Some(place), Some(been)) => been.contains(place),
            _ => false,
        }
    }

    /// Tests with runs left, in list order, that the target has not run.
    pub fn in_order(&self, target: TargetIx) -> impl Iterator<Item = TestIx> + '_ {
        let been = self.been.get(&target);
        let fresh = move |place: &&usize| been.is_none_or(|been| !been.contains(place));
        self.open.iter().filter(fresh).filter_map(|place| self.tests.get(*place)).map(|row| row.ix)
    }

    /// The same, fewest starts first, list order breaking ties.
    pub fn least_started(&self, target: TargetIx) -> impl Iterator<Item = TestIx> + '_ {
        let been = self.been.get(&target);
        let fresh = move |entry: &&(u32, usize)| been.is_none_or(|been| !been.contains(&entry.1));
        self.by_starts.iter().filter(fresh).filter_map(|(_, place)| self.tests.get(*place)).map(|row| row.ix)
    }

    /// One test per free target, each choice seeing those before it; the books are as before afterwards.
    pub fn propose(&mut self, free: &[TargetIx], choose: impl Fn(&Self, TargetIx) -> Option<TestIx>) -> Vec<Placement> {
        let mut answer = Vec::with_capacity(free.len());
        for &target in free {
            if let Some(test) = choose(self, target) {
                let placement = Placement { test, target };
                self.start(placement);
                answer.push(placement);
            }
        }
        answer.iter().rev().for_each(|placement| self.undo(*placement));
        answer
    }

    fn row(&self, test: TestIx) -> Option<&Row> {
        self.tests.get(*self.place.get(&test)?)
    }
}

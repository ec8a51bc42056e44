//! What is left, what was started how often and where.
//!
//! Tests are places in the list, and sets of tests are bits: telling a start moves three bits, a question looks at 64 tests a step.
//! They take a bit for each test and target, and a bit for each test and number of starts that some test just has.

use super::super::{Placement, Plan, TargetIx, TestIx};
use super::bits::Bits;

/// Runs left, starts, and which test was where, as a choice within [`Books::propose`](super::Books::propose) sees them: with the choices before it.
#[derive(Clone, Debug, Default)]
pub struct Counts {
    /// By place in the list.
    tests: Vec<Row>,
    /// Places in the order of their test's number. Empty while the numbers follow one another, which is the usual case.
    by_ix: Vec<usize>,
    /// Places of tests with runs left.
    open: Bits,
    /// The same, by number of starts.
    levels: Vec<Bits>,
    /// No level below this one has a test.
    lowest: usize,
    /// Levels that were left by their last test: empty, with their memory.
    spare: Vec<Bits>,
    /// Per target, in rising order: places of the tests that were there.
    been: Vec<(TargetIx, Bits)>,
    nowhere: Bits,
}

#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) ix: TestIx,
    pub(super) runs: u32,
    pub(super) starts: u32,
}

impl Counts {
    /// Books of a plan in which nothing has happened.
    pub(super) fn new(plan: &Plan) -> Self {
        let tests: Vec<Row> = plan.tests.iter().map(|test| Row { ix: test.ix, runs: test.runs, starts: 0 }).collect();
        let mut been: Vec<_> = plan.targets.iter().map(|target| (target.ix, Bits::default())).collect();
        been.sort_by_key(|(target, _)| *target);
        been.dedup_by_key(|(target, _)| *target);
        let mut books = Self { by_ix: by_ix(&tests), tests, been, ..Self::default() };
        for place in 0..books.tests.len() {
            books.open(place);
        }
        books
    }

    /// A test was started on a target.
    pub(super) fn start(&mut self, placement: Placement) {
        let Some(place) = self.place(placement.test) else { return };
        self.count(place, |starts| starts.saturating_add(1));
        self.been_mut(placement.target).insert(place);
    }

    /// Takes a start back.
    pub(super) fn undo(&mut self, placement: Placement) {
        let Some(place) = self.place(placement.test) else { return };
        self.count(place, |starts| starts.saturating_sub(1));
        self.been_mut(placement.target).remove(place);
    }

    fn count(&mut self, place: usize, change: impl FnOnce(u32) -> u32) {
        self.close(place);
        if let Some(row) = self.tests.get_mut(place) {
            row.starts = change(row.starts);
        }
        self.open(place);
    }

    /// Into the sets, when the test has runs left.
    fn open(&mut self, place: usize) {
        let Some(row) = self.tests.get(place).filter(|row| row.starts < row.runs) else { return };
        let level = row.starts as usize;
        if level >= self.levels.len() {
            self.levels.resize_with(level + 1, Bits::default);
        }
        self.lowest = self.lowest.min(level);
        if let Some(level) = self.levels.get_mut(level) {
            if level.is_empty()
                && let Some(spare) = self.spare.pop()
            {
                *level = spare;
            }
            level.insert(place);
        }
        self.open.insert(place);
    }

    /// Out of the sets.
    fn close(&mut self, place: usize) {
        let Some(row) = self.tests.get(place) else { return };
        let at = row.starts as usize;
        self.open.remove(place);
        if let Some(level) = self.levels.get_mut(at)
            && level.contains(place)
        {
            level.remove(place);
            if level.is_empty() {
                self.spare.push(std::mem::take(level));
                self.lowest += self.levels.iter().skip(self.lowest).take_while(|level| level.is_empty()).count();
            }
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
        self.place(test).is_some_and(|place| self.been(target).contains(place))
    }

    /// Tests with runs left, in list order, that the target has not run.
    pub fn in_order(&self, target: TargetIx) -> impl Iterator<Item = TestIx> + '_ {
        self.named(self.open.without(self.been(target)))
    }

    /// The same, fewest starts first, list order breaking ties.
    pub fn least_started(&self, target: TargetIx) -> impl Iterator<Item = TestIx> + '_ {
        let been = self.been(target);
        let levels = self.levels.iter().skip(self.lowest);
        self.named(levels.flat_map(|level| level.without(been)))
    }

    fn named<'a>(&'a self, places: impl Iterator<Item = usize> + 'a) -> impl Iterator<Item = TestIx> + 'a {
        places.filter_map(|place| self.tests.get(place)).map(|row| row.ix)
    }

    /// So many runs of the test will never be started.
    pub(super) fn drop_runs(&mut self, test: TestIx, runs: u32) {
        let Some(place) = self.place(test) else { return };
        self.close(place);
        if let Some(row) = self.tests.get_mut(place) {
            row.runs = row.runs.saturating_sub(runs);
        }
        self.open(place);
    }

    fn row(&self, test: TestIx) -> Option<&Row> {
        self.tests.get(self.place(test)?)
    }

    fn place(&self, test: TestIx) -> Option<usize> {
        if self.by_ix.is_empty() {
            let place = test.checked_sub(self.tests.first()?.ix)? as usize;
            return (place < self.tests.len()).then_some(place);
        }
        let ix = |place: &usize| self.tests.get(*place).map(|row| row.ix);
        let found = self.by_ix.binary_search_by_key(&Some(test), ix).ok()?;
        self.by_ix.get(found).copied()
    }

    fn been(&self, target: TargetIx) -> &Bits {
        let found = self.seat(target).ok().and_then(|seat| self.been.get(seat));
        found.map_or(&self.nowhere, |(_, been)| been)
    }

    fn been_mut(&mut self, target: TargetIx) -> &mut Bits {
        let seat = self.seat(target).unwrap_or_else(|seat| {
            // Not of the plan: counted all the same.
            self.been.insert(seat, (target, Bits::default()));
            seat
        });
        &mut self.been[seat].1
    }

    /// Where the target's set is, or belongs.
    fn seat(&self, target: TargetIx) -> Result<usize, usize> {
        let is_at = |seat: usize| self.been.get(seat).is_some_and(|(there, _)| *there == target);
        // Most plans name their targets 0, 1, 2.
        let guess = target as usize;
        if is_at(guess) { Ok(guess) } else { self.been.binary_search_by_key(&target, |(there, _)| *there) }
    }
}

/// Places in the order of their test's number; empty when place and number rise together one by one.
fn by_ix(tests: &[Row]) -> Vec<usize> {
    let follow = |pair: &[Row]| matches!(pair, [one, next] if one.ix.checked_add(1) == Some(next.ix));
    if tests.windows(2).all(follow) {
        return Vec::new();
    }
    let mut places: Vec<usize> = (0..tests.len()).collect();
    places.sort_by_key(|place| tests.get(*place).map(|row| row.ix));
    places
}

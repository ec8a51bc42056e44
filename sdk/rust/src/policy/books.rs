//! Counts that most coverage policies need, kept so that a question costs next to nothing.

mod bits;
mod counts;

pub use counts::Counts;

use super::{Placement, Plan, TargetIx, TestIx};

/// Runs left, starts, and which test was where. Feed it from `started` and `dropped`.
///
/// What was proposed is nearly always what is started next, so it is counted at once and only taken back when something else happens. No
/// answer of these books shows that.
#[derive(Clone, Debug, Default)]
pub struct Books {
    counts: Counts,
    /// Counted, and not started yet: the last proposal from `heard` on.
    tried: Vec<Placement>,
    heard: usize,
}

impl Books {
    /// Books of a plan in which nothing has happened.
    pub fn new(plan: &Plan) -> Self {
        Self { counts: Counts::new(plan), ..Self::default() }
    }

    /// A test was started on a target.
    pub fn start(&mut self, placement: Placement) {
        if self.tried.get(self.heard) == Some(&placement) {
            self.heard += 1;
            return;
        }
        self.settle();
        self.counts.start(placement);
    }

    /// So many runs of the test will never be started.
    pub fn drop_runs(&mut self, test: TestIx, runs: u32) {
        self.settle();
        self.counts.drop_runs(test, runs);
    }

    /// Takes a [`Books::start`] back.
    pub fn undo(&mut self, placement: Placement) {
        self.settle();
        self.counts.undo(placement);
    }

    /// Takes back what was proposed and did not happen.
    fn settle(&mut self) {
        for placement in self.tried.drain(..).skip(self.heard).rev() {
            self.counts.undo(placement);
        }
        self.heard = 0;
    }

    fn pending(&self) -> impl Iterator<Item = &Placement> {
        self.tried.iter().skip(self.heard)
    }

    /// How often the test was started.
    pub fn starts(&self, test: TestIx) -> u32 {
        self.counts.starts(test) - self.tried_of(test)
    }

    /// Runs that have not been started, and may be.
    pub fn runs_left(&self, test: TestIx) -> u32 {
        self.counts.runs_left(test) + self.tried_of(test)
    }

    fn tried_of(&self, test: TestIx) -> u32 {
        u32::try_from(self.pending().filter(|tried| tried.test == test).count()).unwrap_or_default()
    }

    /// The test was started on this target.
    pub fn was_on(&self, test: TestIx, target: TargetIx) -> bool {
        self.counts.was_on(test, target) && !self.pending().any(|tried| *tried == Placement { test, target })
    }

    /// Tests with runs left, in list order, that the target has not run.
    pub fn in_order(&mut self, target: TargetIx) -> impl Iterator<Item = TestIx> + '_ {
        self.settle();
        self.counts.in_order(target)
    }

    /// The same, fewest starts first, list order breaking ties.
    pub fn least_started(&mut self, target: TargetIx) -> impl Iterator<Item = TestIx> + '_ {
        self.settle();
        self.counts.least_started(target)
    }

    /// One test per free target, each choice seeing those before it.
    pub fn propose(
        &mut self,
        free: &[TargetIx],
        choose: impl Fn(&Counts, TargetIx) -> Option<TestIx>,
    ) -> Vec<Placement> {
        self.settle();
        let mut answer = Vec::with_capacity(free.len());
        for &target in free {
            let Some(test) = choose(&self.counts, target) else { continue };
            let placement = Placement { test, target };
            // A careless policy may name what had been started before, or has no run left: that is not to be counted twice.
            if self.counts.runs_left(test) > 0 && !self.counts.was_on(test, target) {
                self.counts.start(placement);
                self.tried.push(placement);
            }
            answer.push(placement);
        }
        answer
    }
}

#[cfg(test)]
mod tests;

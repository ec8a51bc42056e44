//! Mode 2: the least-started test first, so that all tests are executed as soon as possible.

use headend_sdk::policy::{Books, CoveragePolicy, Instant, Placement, Plan, TargetIx, TestIx};

/// Each target takes the test with the fewest starts that it has not run; the order of the list breaks ties.
pub struct TestCoverage(Books);

impl CoveragePolicy for TestCoverage {
    type Proposal = Vec<Placement>;

    fn build(plan: &Plan) -> Result<Self, String> {
        Ok(Self(Books::new(plan)))
    }

    fn started(&mut self, placement: Placement, _at: Instant) {
        self.0.start(placement);
    }

    fn dropped(&mut self, test: TestIx, runs: u32, _at: Instant) {
        self.0.drop_runs(test, runs);
    }

    fn propose(&mut self, _now: Instant, free: &[TargetIx]) -> Vec<Placement> {
        self.0.propose(free, |books, target| books.least_started(target).next())
    }

    fn reason(&self, of: Placement) -> String {
        let starts = self.0.starts(of.test);
        format!("test {} has the fewest starts ({starts}) of those that target {} has not run", of.test, of.target)
    }
}

headend_sdk::export_policy!(TestCoverage);

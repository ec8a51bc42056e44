//! Mode 1: on each DUT the tests in list order.

use headend_sdk::policy::{Books, CoveragePolicy, Instant, Placement, Plan, TargetIx, TestIx};

/// Each target takes the first test of the list that it has not run.
pub struct DutCoverage(Books);

impl CoveragePolicy for DutCoverage {
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
        self.0.propose(free, |books, target| books.in_order(target).next())
    }

    fn reason(&self, of: Placement) -> String {
        format!("test {} is the first of the list that target {} has not run", of.test, of.target)
    }
}

headend_sdk::export_policy!(DutCoverage);

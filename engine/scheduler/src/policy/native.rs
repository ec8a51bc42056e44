//! The rules of the document's chapter 4.6.1 and the order between jobs. They serve as default and as fallback.

use headend_model::{Span, TargetIx, TestIx};

use super::{CoveragePolicy, PlanBooks, QueuePolicy, QueuedJob};

/// Mode 1: on each DUT the tests in list order.
#[derive(Clone, Copy, Debug, Default)]
pub struct DutCoverage;

impl CoveragePolicy for DutCoverage {
    fn name(&self) -> &'static str {
        "dut-coverage"
    }

    fn choose(&self, books: &dyn PlanBooks, target: TargetIx) -> Option<TestIx> {
        books.in_order().find(|test| !books.was_on(*test, target))
    }

    fn reason(&self, _books: &dyn PlanBooks, test: TestIx, target: TargetIx) -> String {
        format!("test {} is the first of the list that target {} has not run", test.0, target.0)
    }
}

/// Mode 2: the least-started test first, list order breaking ties.
#[derive(Clone, Copy, Debug, Default)]
pub struct TestCoverage;

impl CoveragePolicy for TestCoverage {
    fn name(&self) -> &'static str {
        "test-coverage"
    }

    fn choose(&self, books: &dyn PlanBooks, target: TargetIx) -> Option<TestIx> {
        books.least_started().find(|test| !books.was_on(*test, target))
    }

    fn reason(&self, books: &dyn PlanBooks, test: TestIx, target: TargetIx) -> String {
        let starts = books.starts(test);
        format!("test {} has the fewest starts ({starts}) of those that target {} has not run", test.0, target.0)
    }
}

/// The built-in coverage policy of this name.
pub fn native(name: &str) -> Option<&'static dyn CoveragePolicy> {
    match name {
        "dut-coverage" => Some(&DutCoverage),
        "test-coverage" => Some(&TestCoverage),
        _ => None,
    }
}

/// Priority first, then acceptance; a job gains one priority per `ageing_step` of waiting.
///
/// Ageing is continuous, so two waiting jobs never change places: the rank is fixed at acceptance.
#[derive(Clone, Copy, Debug)]
pub struct PriorityFifo {
    /// Waiting that is worth one priority; `None`: strict priority.
    pub ageing_step: Option<Span>,
}

impl QueuePolicy for PriorityFifo {
    fn name(&self) -> &'static str {
        "priority-fifo"
    }

    fn rank(&self, job: &QueuedJob<'_>) -> i64 {
        let steps = i64::from(job.priority.0.saturating_sub(1));
        match self.ageing_step {
            Some(step) => job.accepted.micros().saturating_add(step.times(steps).as_micros()),
            None => steps,
        }
    }
}

//! What a policy is: it proposes, the core disposes.
//!
//! Native policies answer from the core's own books ([`PlanBooks`]) and are the fallback; plugins are asked by
//! [`crate::Action::Ask`] and answer by [`crate::Event::Proposed`]. Both kinds see the same plan and the same changes.

mod native;

pub use native::{DutCoverage, PriorityFifo, TestCoverage, native};

use headend_model::{JobId, Priority, TargetIx, TestIx, Timestamp, UserName};

/// The state of one group of a job's tests, as a coverage policy may read it. All questions are cheap: O(log n).
pub trait PlanBooks {
    /// Tests of the group in list order.
    fn tests(&self) -> &[TestIx];
    /// Runs of the test that have not been leased yet.
    fn runs_left(&self, test: TestIx) -> u32;
    /// How often the test has been leased.
    fn starts(&self, test: TestIx) -> u32;
    /// The test was leased on this target already.
    fn was_on(&self, test: TestIx, target: TargetIx) -> bool;
    /// Tests with runs left, fewest starts first, list order breaking ties.
    fn least_started(&self) -> Box<dyn Iterator<Item = TestIx> + '_>;
    /// Tests with runs left, in list order.
    fn in_order(&self) -> Box<dyn Iterator<Item = TestIx> + '_>;
}

/// Which test of a job next on a free target. Called once per free target and round, in slot order; must be a pure
/// function of the books.
pub trait CoveragePolicy: Send + Sync {
    /// Name as in `chosen_by`.
    fn name(&self) -> &'static str;
    /// The test to start on `target`, if any.
    fn choose(&self, books: &dyn PlanBooks, target: TargetIx) -> Option<TestIx>;
    /// Why that test, in one sentence for people.
    fn reason(&self, books: &dyn PlanBooks, test: TestIx, target: TargetIx) -> String;
}

/// What a queue policy knows of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueuedJob<'a> {
    /// Which.
    pub job: JobId,
    /// Whose.
    pub owner: &'a UserName,
    /// As asked.
    pub priority: Priority,
    /// When it was accepted.
    pub accepted: Timestamp,
}

/// Which job gets a free slot first: smaller ranks first, acceptance order breaking ties. Called once per job at
/// acceptance, and for all open jobs when the policy changes; a rank that does not depend on `now` keeps a decision
/// at O(log n).
///
/// The core's own rule is [`PriorityFifo`]. A plugin in its place is asked by [`crate::Action::AskRanks`] and answers by
/// [`crate::Event::Ranked`]; until it has, a job stands behind all that it has ranked.
pub trait QueuePolicy: Send + Sync {
    /// Name as shown in reasons.
    fn name(&self) -> &'static str;
    /// The rank.
    fn rank(&self, job: &QueuedJob<'_>) -> i64;
}

//! Policies: which test of a job next on a free target ([`CoveragePolicy`]), which job gets a free slot first ([`QueuePolicy`]).
//!
//! ```ignore
//! use headend_sdk::policy::{CoveragePolicy, Instant, Placement, Plan, TargetIx};
//!
//! struct FirstFit { /* your books */ }
//!
//! impl CoveragePolicy for FirstFit {
//!     fn build(plan: &Plan) -> Self { /* tests and targets; the past is told as changes right after */ }
//!     fn started(&mut self, placement: Placement) { /* one run less, and this pair never again */ }
//!     fn propose(&mut self, now: Instant, free: &[TargetIx]) -> Vec<Placement> { /* ... */ }
//! }
//!
//! headend_sdk::export_coverage_policy!(FirstFit);
//! ```
//!
//! There is no clock, no randomness, no file, no network. Same plan, same changes, same questions: the same answers. A panic ends the instance;
//! the server goes on with its own rule and builds another instance.

mod books;
#[doc(hidden)]
pub mod coverage;
#[doc(hidden)]
pub mod queue;

pub use books::Books;
pub use coverage::bindings::headend::policy::types::{
    Change, Ending, Instant, Place, Placement, Plan, Target, TargetIx, Test, TestIx,
};
pub use queue::bindings::exports::headend::policy::queue::Job;

/// A policy that spreads the tests of a job over its targets. One value serves one plan; calls come one after another.
pub trait CoveragePolicy: Sized + 'static {
    /// Builds the books from the plan's tests and targets. Called once, first. What has happened before is told right after, by
    /// [`started`](Self::started) and the others: there is one way of counting only.
    fn build(plan: &Plan) -> Self;

    /// A test was started on a target, proposed by this policy or not: one run less is left, and the pair will not be accepted again.
    fn started(&mut self, placement: Placement);

    /// A run has ended. `code` is its return status: 2 passed, 1 incomplete, and so on.
    fn ended(&mut self, placement: Placement, code: u16) {
        let _ = (placement, code);
    }

    /// The target is out for good.
    fn target_lost(&mut self, target: TargetIx) {
        let _ = target;
    }

    /// What to start on these free targets, which are in slot order. Each target at most once, only from `free`, only tests with runs left
    /// (less the entries of this answer), never a test that has been on the target. Only what comes back as `started` has happened.
    fn propose(&mut self, now: Instant, free: &[TargetIx]) -> Vec<Placement>;

    /// Why, in one sentence for people. Asked after the `propose` that named it, before anything else is told.
    fn reason(&self, of: Placement) -> String {
        format!("the policy chose test {} for target {}", of.test, of.target)
    }
}

/// A policy that orders jobs. It keeps nothing between calls.
pub trait QueuePolicy {
    /// Smaller ranks get slots first; equal ones in the order of acceptance.
    fn rank(job: &Job) -> i64;
}

/// Writes a line to the server's log. The manifest must ask for the capability `log`.
pub fn log(line: &str) {
    coverage::bindings::headend::policy::log::line(line);
}

/// Makes the component's entry from a type that implements [`CoveragePolicy`]. Once per crate.
#[macro_export]
macro_rules! export_coverage_policy {
    ($policy:ty) => {
        const _: () = {
            $crate::policy::coverage::instance_of!($policy);
        };
    };
}

/// Makes the component's entry from a type that implements [`QueuePolicy`]. Once per crate.
#[macro_export]
macro_rules! export_queue_policy {
    ($policy:ty) => {
        const _: () = {
            type Exported = $crate::policy::queue::Adapter<$policy>;
    $crate::policy::queue::bindings::export!(Exported with_types_in $crate::policy::queue::bindings);
        };
    };
}

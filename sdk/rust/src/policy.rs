//! Policies: which test of a job next on a free target ([`CoveragePolicy`]), which job gets a free slot first ([`QueuePolicy`]).
//!
//! A coverage policy is one `impl` block:
//!
//! ```
//! use headend_sdk::policy::{Books, CoveragePolicy, Instant, Placement, Plan, TargetIx};
//! use serde::Deserialize;
//!
//! /// What a job may ask for; the manifest's `[parameters]` says the same as JSON Schema, with defaults.
//! #[derive(Deserialize)]
//! struct Settings {
//!     backwards: bool,
//! }
//!
//! struct ListOrder {
//!     books: Books,
//!     backwards: bool,
//! }
//!
//! impl CoveragePolicy for ListOrder {
//!     type Proposal = Vec<Placement>;
//!
//!     fn build(plan: &Plan) -> Result<Self, String> {
//!         let Settings { backwards } = plan.settings()?;
//!         Ok(Self { books: Books::new(plan), backwards })
//!     }
//!
//!     fn started(&mut self, placement: Placement, _at: Instant) {
//!         self.books.start(placement);
//!     }
//!
//!     fn dropped(&mut self, test: u32, runs: u32, _at: Instant) {
//!         self.books.drop_runs(test, runs);
//!     }
//!
//!     fn propose(&mut self, _now: Instant, free: &[TargetIx]) -> Vec<Placement> {
//!         let backwards = self.backwards;
//!         self.books.propose(free, |books, target| {
//!             let mut tests = books.in_order(target);
//!             if backwards { tests.last() } else { tests.next() }
//!         })
//!     }
//! }
//!
//! # // On a component: headend_sdk::export_policy!(ListOrder);
//! # let test = |ix| headend_sdk::policy::Test { ix, runs: 1, name: "zap.py".into(), history: None };
//! # let target = headend_sdk::policy::Target { ix: 0, place: None, dut: None };
//! # let parameters = r#"{"backwards": true}"#.into();
//! # let (tests, targets) = (vec![test(0), test(1)], vec![target]);
//! # let plan = Plan { parameters, accepted: 0, tests, targets, outcomes: vec![], past: vec![] };
//! let mut policy = ListOrder::build(&plan).unwrap();
//! assert_eq!(policy.propose(0, &[0]), [Placement { test: 1, target: 0 }]);
//! ```
//!
//! and one line that makes a component of it: `headend_sdk::export_policy!(ListOrder);`
//!
//! There is no clock, no randomness, no file, no network. Same plan, same changes, same questions: the same answers. A panic ends the instance;
//! the server goes on with its own rule and builds another instance.

mod books;
#[doc(hidden)]
pub mod coverage;
#[doc(hidden)]
pub mod queue;
mod sparing;

pub use books::{Books, Counts};
pub use coverage::bindings::headend::policy::plans::{
    Answer, Change, Dropped, Dut, Ending, Field, History, News, Outcome, Plan, Skip, Target, Test,
};
pub use coverage::bindings::headend::policy::types::{Instant, Millis, Place, Placement, TargetIx, TestIx};
pub use queue::bindings::exports::headend::policy::queue::{Device, Job, Usage};
pub use sparing::SparingBooks;

/// A policy that spreads the tests of a job over its targets. One value serves one plan; calls come one after another.
pub trait CoveragePolicy: Sized + 'static {
    /// What [`propose`](Self::propose) answers with: `Vec<Placement>`, or [`Answer`] for a policy that also leaves runs out.
    type Proposal: Into<Answer>;

    /// Builds the books from the plan's tests and targets. Called once, first. What has happened before is told right after, by
    /// [`started`](Self::started) and the others: there is one way of counting only.
    ///
    /// # Errors
    /// A sentence for the job's owner, when the policy cannot serve this plan: the server's own rule does then.
    fn build(plan: &Plan) -> Result<Self, String>;

    /// A test was started on a target, proposed by this policy or not: one run less is left, and the pair will not be accepted again.
    fn started(&mut self, placement: Placement, at: Instant);

    /// A run has ended. `code` is its return status: 111 pass, 110 partial pass, 101 not run, 100 fail, 1 incomplete.
    fn ended(&mut self, placement: Placement, code: u16, at: Instant) {
        let _ = (placement, code, at);
    }

    /// The target is out for good.
    fn target_lost(&mut self, target: TargetIx, at: Instant) {
        let _ = (target, at);
    }

    /// So many runs of the test will never be started: they were left out, or do not fit on the targets any more.
    fn dropped(&mut self, test: TestIx, runs: u32, at: Instant) {
        let _ = (test, runs, at);
    }

    /// What to start on these free targets, which are in slot order. Each target at most once, only from `free`, only tests with runs left
    /// (less the entries of this answer), never a test that has been on the target. Only what comes back as `started` has happened.
    fn propose(&mut self, now: Instant, free: &[TargetIx]) -> Self::Proposal;

    /// Why, in one sentence of at most 300 bytes for people: `headend why` shows it. Asked right after the `propose` that named it, in the
    /// time that this has left. Empty: the server has a sentence of its own.
    fn reason(&self, of: Placement) -> String {
        let _ = of;
        String::new()
    }

    /// What has come of the plan, as JSON text; empty: nothing to say. Asked once, when all runs have ended.
    fn report(&mut self) -> String {
        String::new()
    }
}

impl From<Vec<Placement>> for Answer {
    fn from(start: Vec<Placement>) -> Self {
        Self { start, skip: Vec::new() }
    }
}

impl Plan {
    /// What the job's owner asks for, in the author's own form.
    ///
    /// # Errors
    /// What does not fit. The host has checked the parameters against the manifest's schema, so schema and form differ then.
    pub fn settings<T: serde::de::DeserializeOwned>(&self) -> Result<T, String> {
        settings(&self.parameters)
    }
}

/// Parameters in the author's own form.
///
/// # Errors
/// What does not fit.
pub fn settings<T: serde::de::DeserializeOwned>(parameters: &str) -> Result<T, String> {
    let text = if parameters.is_empty() { "{}" } else { parameters };
    serde_json::from_str(text).map_err(|error| format!("the parameters cannot be read: {error}"))
}

/// A policy that orders jobs and free slots.
///
/// ```
/// use headend_sdk::policy::{Device, Job, QueuePolicy};
///
/// /// Who has used least comes first; boxes that were driven least, too.
/// struct Fair;
///
/// impl QueuePolicy for Fair {
///     fn build(_parameters: &str) -> Result<Self, String> {
///         Ok(Self)
///     }
///
///     fn rank(&self, job: &Job) -> i64 {
///         job.usage.device_ms.try_into().unwrap_or(i64::MAX)
///     }
///
///     fn slot_rank(&self, device: &Device) -> i64 {
///         device.device_ms.try_into().unwrap_or(i64::MAX)
///     }
/// }
/// ```
pub trait QueuePolicy: Sized + 'static {
    /// From its parameters, JSON text of an object (see [`settings`]).
    ///
    /// # Errors
    /// A sentence for the administrator; the policy does not come into force.
    fn build(parameters: &str) -> Result<Self, String>;

    /// Smaller ranks get slots first; equal ones in the order of acceptance. Must depend on nothing but parameters and argument.
    fn rank(&self, job: &Job) -> i64;

    /// Of several free slots a job gets those with smaller ranks first. All alike, unless said otherwise.
    fn slot_rank(&self, device: &Device) -> i64 {
        let _ = device;
        0
    }
}

/// Writes a line to the server's log. The manifest must ask for the capability `log`.
pub fn log(line: &str) {
    coverage::bindings::headend::policy::log::line(line);
}

/// Makes the component's entry from a type that implements [`CoveragePolicy`]. Once per crate.
#[macro_export]
macro_rules! export_policy {
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
            $crate::policy::queue::instance_of!($policy);
        };
    };
}

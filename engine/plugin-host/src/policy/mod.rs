//! Policies as plugins.
//!
//! [`PolicyHost`] keeps the loaded plugins; [`PolicyHost::instance`] builds an instance for one plan of one job. The server calls it
//! from a thread that may wait up to the plugin's deadline, never from its event loop:
//!
//! ```text
//!  Action::Ask ─► instance.apply(change)*, instance.propose(now, free) ─► Event::Proposed
//!                                                   └─ PolicyFault ─────► Event::PolicyFailed, instance dropped,
//!                                                                         next time built again from plan and past
//! ```

mod fault;
mod host;
mod info;
mod scripted;
mod selfcheck;
mod version;
mod wasm;

pub use fault::PolicyFault;
pub use host::{PolicyHost, PolicyHostConfig, UnknownPlugin};
pub use info::{PluginInfo, PluginState, VersionInUse};
pub use scripted::guest_main;

use headend_model::{TargetIx, Timestamp};
use headend_scheduler::action::PlanChange;
use headend_scheduler::event::Placement;
use headend_scheduler::policy::QueuedJob;

/// A coverage policy at work on one plan. Used by one thread at a time; calls wait at most for the plugin's deadline.
///
/// After a [`PolicyFault`] the instance answers nothing but that fault: drop it, and build another one from the plan and its past.
pub trait PolicyInstance: Send {
    /// What has happened in the plan since the last call. Told to the plugin together, right before the next question.
    fn apply(&mut self, change: &PlanChange);

    /// What the plugin would start on these free targets. Unchecked: the scheduler takes what holds and refuses the rest.
    ///
    /// # Errors
    /// [`PolicyFault`] when it trapped, overran, asked for too much, or its process died.
    fn propose(&mut self, now: Timestamp, free: &[TargetIx]) -> Result<Vec<Placement>, PolicyFault>;

    /// Why it proposed that, in one sentence of at most 300 bytes. To be asked before the next `apply`.
    ///
    /// # Errors
    /// As [`PolicyInstance::propose`].
    fn reason(&mut self, of: Placement) -> Result<String, PolicyFault>;

    /// Name, version and the start of the content hash of the plugin that answers, for the record: a plugin may have been replaced since.
    fn plugin_version(&self) -> &str;
}

/// A queue policy at work. As [`PolicyInstance`], for all jobs.
pub trait QueueInstance: Send {
    /// The rank of a job: smaller ones get slots first.
    ///
    /// # Errors
    /// As [`PolicyInstance::propose`].
    fn rank(&mut self, job: &QueuedJob<'_>) -> Result<i64, PolicyFault>;

    /// As [`PolicyInstance::plugin_version`].
    fn plugin_version(&self) -> &str;
}

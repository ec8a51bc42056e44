//! Policies as plugins.
//!
//! [`PolicyHost`] keeps the loaded plugins; [`PolicyHost::instance`] builds an instance for one plan of one job. The server calls it
//! from a thread that may wait up to the plugin's deadline, never from its event loop:
//!
//! ```text
//!  Action::Ask ─► instance.apply(change)*, .propose(now, free), .reasons(..) ─► Event::Proposed
//!                                                   └─ PolicyFault ─────► Event::PolicyFailed, instance dropped,
//!                                                                         next time built again from plan and past
//! ```

mod fault;
pub(crate) mod host;
mod info;
mod queue;
pub(crate) mod scripted;
pub(crate) mod selfcheck;
pub(crate) mod version;
pub(crate) mod wasm;
mod words;

pub use fault::PolicyFault;
pub use host::{PolicyHost, PolicyHostConfig, UnknownPlugin};
pub use info::{KeptVersion, PluginInfo, PluginState, VersionInUse};
pub use queue::QueueInstance;
pub use scripted::{definitions, guest_main};

use std::time::Duration;

use headend_model::{TargetIx, Timestamp};
use headend_scheduler::action::Noted;
use headend_scheduler::event::{Placement, Skip};

/// Most bytes of a report.
pub const MAX_REPORT: usize = 256 << 10;

/// What a coverage policy wants.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// To be started.
    pub start: Vec<Placement>,
    /// Never to be started.
    pub skip: Vec<Skip>,
}

/// An instance, whatever it is written in and against which version of the contract. As [`PolicyInstance`], which says more.
pub(crate) trait Serves: Send {
    fn apply(&mut self, news: &Noted);
    fn propose(&mut self, now: Timestamp, free: &[TargetIx]) -> Result<Answer, PolicyFault>;
    fn reason(&mut self, of: Placement) -> Result<String, PolicyFault>;
    fn reasons(&mut self, of: &[Placement], left: Duration) -> Reasons;
    fn report(&mut self) -> Result<String, PolicyFault>;
}

/// Why a policy wants what it wants.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reasons {
    /// Sentences of at most 300 bytes for the first placements that were asked about, in their order; empty: nothing to say. Shorter than the
    /// question when its time, or what it may use up, was spent.
    pub texts: Vec<String>,
    /// What it did wrong. The instance is of no use any more.
    pub fault: Option<PolicyFault>,
}

/// A coverage policy at work on one plan. Used by one thread at a time; calls wait at most for the plugin's deadline.
///
/// After a [`PolicyFault`] the instance answers nothing but that fault: drop it, and build another one from the plan and its past.
pub trait PolicyInstance: Send {
    /// What has happened in the plan since the last call. Told to the plugin together, right before the next question.
    fn apply(&mut self, news: &Noted);

    /// What the plugin would start on these free targets. Unchecked: the scheduler takes what holds and refuses the rest.
    ///
    /// # Errors
    /// [`PolicyFault`] when it trapped, overran, asked for too much, or its process died.
    fn propose(&mut self, now: Timestamp, free: &[TargetIx]) -> Result<Answer, PolicyFault>;

    /// Why it proposed these: to be asked right after the `propose` whose answer they are from. Shares the deadline, the fuel and the
    /// host calls of that question, and is given up when half of the time left, half of the fuel, or all host calls are spent. `left`:
    /// the time that its caller can spare.
    fn reasons(&mut self, of: &[Placement], left: Duration) -> Reasons;

    /// Why it proposed that, as a question of its own: for those who try a policy.
    ///
    /// # Errors
    /// As [`PolicyInstance::propose`].
    fn reason(&mut self, of: Placement) -> Result<String, PolicyFault>;

    /// What has come of the plan: JSON text of at most [`MAX_REPORT`] bytes, empty for nothing to say. To be asked once, at the end.
    ///
    /// # Errors
    /// As [`PolicyInstance::propose`], and when it is no JSON.
    fn report(&mut self) -> Result<String, PolicyFault>;

    /// Name, version and the start of the content hash of the plugin that answers, for the record: a plugin may have been replaced since.
    fn plugin_version(&self) -> &str;

    /// The whole content hash of the version that answers.
    fn content(&self) -> &str;
}

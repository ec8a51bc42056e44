//! The farm: everything the scheduler knows, and `step`.

use headend_model::{Inventory, JobId, Lease, RackId, RunId, TestIx, Timestamp};

use crate::action::{Action, StartReason};
use crate::config::FarmConfig;
use crate::event::Event;
use crate::view::{JobView, PlanView, RackView, Waiting};

/// The state machine.
#[derive(Clone, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Farm {
    config: FarmConfig,
    inventory: Inventory,
}

/// A broken invariant: our own bug. The writer stops and says so.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invariant {id} is broken: {what}")]
pub struct Violation {
    /// `S1` to `S13`, `O1` to `O6`.
    pub id: &'static str,
    /// What was seen.
    pub what: String,
}

impl Farm {
    /// An empty farm.
    pub fn new(config: FarmConfig) -> Self {
        Self { config, ..Self::default() }
    }

    /// Takes one event and says what to do. Same state, time and event: same actions.
    ///
    /// `now` never decreases between calls; an earlier one counts as the latest seen.
    pub fn step(&mut self, now: Timestamp, event: &Event) -> Vec<Action> {
        let _ = (now, event);
        Vec::new()
    }

    /// When the next `Tick` is due, if anything waits for time to pass.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        None
    }

    /// Settings in force.
    pub fn config(&self) -> &FarmConfig {
        &self.config
    }

    /// Racks, slots and DUTs.
    pub fn inventory(&self) -> &Inventory {
        &self.inventory
    }

    /// An open job, or one that became final less than a minute ago.
    pub fn job(&self, job: JobId) -> Option<JobView<'_>> {
        let _ = job;
        None
    }

    /// Open jobs in acceptance order.
    pub fn open_jobs(&self) -> Box<dyn Iterator<Item = JobView<'_>> + '_> {
        Box::new(std::iter::empty())
    }

    /// All racks.
    pub fn racks(&self) -> Vec<RackView<'_>> {
        Vec::new()
    }

    /// Leases granted on a rack and not yet reported as ended. What of these the rack does not hold is to be offered
    /// (again): level-triggered, so a lost message costs one exchange and no state.
    pub fn leases_on(&self, rack: RackId) -> Vec<Granted<'_>> {
        let _ = rack;
        Vec::new()
    }

    /// Why the waiting runs of an open job wait.
    pub fn why(&self, now: Timestamp, job: JobId) -> Vec<Waiting> {
        let _ = (now, job);
        Vec::new()
    }

    /// What a policy instance for this group is built from.
    pub fn plan(&self, job: JobId, group: u32) -> Option<PlanView> {
        let _ = (job, group);
        None
    }

    /// Checks the invariants that the state itself can show.
    ///
    /// # Errors
    /// The first [`Violation`] found.
    pub fn check_invariants(&self) -> Result<(), Violation> {
        Ok(())
    }
}

/// A lease with what its rack needs to start the run.
#[derive(Clone, Debug)]
pub struct Granted<'a> {
    /// The lease.
    pub lease: &'a Lease,
    /// Which test of the job.
    pub test: TestIx,
    /// The run is to be stopped.
    pub stopping: bool,
    /// Why it was started.
    pub why: &'a StartReason,
    /// The run.
    pub run: RunId,
}

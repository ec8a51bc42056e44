//! What people know of the devices of a plan. The farm knows where they are, not what they are.

use headend_scheduler::view::PlanView;
use headend_store::Store;
use tokio::runtime::Handle;

use crate::http::problem::Chain;

/// Describes devices, on threads that may wait.
pub(crate) struct Devices {
    store: Store,
    runtime: Handle,
}

impl Devices {
    /// As the store has them at the time of asking. To be made within the runtime.
    pub(crate) fn new(store: Store) -> Self {
        Self { store, runtime: Handle::current() }
    }

    /// The plan with its devices' fields. Waits for the store: not for a thread of the runtime.
    ///
    /// # Errors
    /// When the store cannot be read, in words.
    pub(crate) fn described(&self, mut plan: PlanView) -> Result<PlanView, String> {
        let mut wanted: Vec<_> = plan.targets.iter().filter_map(|target| target.dut).collect();
        if wanted.is_empty() {
            return Ok(plan);
        }
        wanted.sort_unstable();
        let rows = self.runtime.block_on(self.store.duts());
        let rows = rows.map_err(|error| format!("the devices cannot be read: {}", Chain(&error)))?;
        let mine = rows.into_iter().filter(|row| wanted.binary_search(&row.dut).is_ok());
        plan.duts = mine.map(|row| (row.dut, row.fields)).collect();
        Ok(plan)
    }
}

//! What the parts of a rack share.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use headend_files::WorkingCopies;
use headend_model::{Epoch, LeaseTerms, RunId, SlotId, SlotNo};
use headend_scheduler::fence::Fence;

use super::outbox::Outbox;
use crate::analysers::Analysers;
use crate::clock::boot_now;
use crate::driver::Driver;
use crate::folder::DataFolder;
use crate::guest::GuestPool;
use crate::options::RackOptions;
use crate::python::Pythons;
use crate::session::Guard;
use crate::wiring::Users;
use crate::witness::Witness;

/// The fence. The core steps it; sessions ask it before each drive.
#[derive(Clone, Debug)]
pub(crate) struct SharedFence(Arc<Mutex<Fence>>);

impl SharedFence {
    pub(crate) fn new(fence: Fence) -> Self {
        Self(Arc::new(Mutex::new(fence)))
    }

    /// Held for a step or a question, never over a disk or a network.
    pub(crate) fn lock(&self) -> MutexGuard<'_, Fence> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Guard for SharedFence {
    fn may_drive(&self, run: RunId, slot: SlotId) -> Option<Epoch> {
        self.lock().may_drive(boot_now(), run, slot)
    }
}

/// A slot of this rack.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) no: SlotNo,
    pub(crate) driver: Arc<dyn Driver>,
}

/// One per rack.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) options: RackOptions,
    pub(crate) folder: DataFolder,
    pub(crate) incarnation: u64,
    /// By number.
    pub(crate) drivers: BTreeMap<u16, Arc<dyn Driver>>,
    /// Who uses which slot, for those who watch over tools.
    pub(crate) users: Users,
    pub(crate) fence: SharedFence,
    pub(crate) outbox: Arc<Outbox>,
    pub(crate) witness: Arc<Witness>,
    pub(crate) files: WorkingCopies,
    pub(crate) guests: GuestPool,
    pub(crate) pythons: Pythons,
    pub(crate) analysers: Arc<Analysers>,
    /// Numbers that the server has given our slots.
    pub(crate) slots: RwLock<BTreeMap<SlotId, SlotNo>>,
    pub(crate) terms: Mutex<LeaseTerms>,
}

impl Shared {
    /// The slot that a lease speaks of, if it is ours.
    pub(crate) fn place(&self, slot: SlotId) -> Option<Place> {
        let no = self.slots.read().unwrap_or_else(PoisonError::into_inner).get(&slot).copied()?;
        let driver = self.drivers.get(&no.0)?.clone();
        Some(Place { no, driver })
    }

    /// Slots that the server takes for ours, and that are not there (any more).
    pub(crate) fn slots_without_driver(&self) -> Vec<u16> {
        let slots = self.slots.read().unwrap_or_else(PoisonError::into_inner);
        slots.values().map(|no| no.0).filter(|no| !self.drivers.contains_key(no)).collect()
    }

    /// The server has said which of its slots are ours.
    pub(crate) fn set_slots(&self, slots: &[(u32, u16)]) {
        let new: BTreeMap<_, _> = slots.iter().map(|(id, no)| (SlotId(*id), SlotNo(*no))).collect();
        let mut map = self.slots.write().unwrap_or_else(PoisonError::into_inner);
        if *map != new {
            self.folder.save_slots(&new);
            *map = new;
        }
    }

    /// Terms of leases now.
    pub(crate) fn terms(&self) -> LeaseTerms {
        *self.terms.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

//! What each DUT has been through: starts, time under a lease, last use. Goes with the DUT, wherever it sits.

use std::collections::BTreeMap;

use headend_model::{DutId, LeasedTarget, SlotId, Timestamp};

use super::Farm;
use super::state::Held;
use crate::action::RankedSlot;

/// The books of all DUTs that were ever leased. Bounded by the DUTs of the system.
#[derive(Clone, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(transparent))]
pub(super) struct Wear {
    duts: BTreeMap<DutId, DutWear>,
}

#[derive(Clone, Copy, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
struct DutWear {
    starts: u64,
    /// Microseconds under leases that have ended.
    used: u64,
    last_used: Option<Timestamp>,
}

impl Wear {
    /// It has left the lab.
    pub(super) fn forget(&mut self, dut: DutId) {
        self.duts.remove(&dut);
    }
}

impl Farm {
    /// These were leased.
    pub(super) fn wear_of_start(&mut self, targets: &[LeasedTarget]) {
        for target in targets {
            let wear = self.wear.duts.entry(target.dut).or_default();
            wear.starts = wear.starts.saturating_add(1);
            wear.last_used = Some(self.now);
        }
    }

    /// A lease has ended.
    pub(super) fn wear_of_end(&mut self, held: &Held) {
        let span = self.now.since(held.leased).as_micros().unsigned_abs();
        for target in &held.lease.targets {
            let wear = self.wear.duts.entry(target.dut).or_default();
            wear.used = wear.used.saturating_add(span);
            wear.last_used = Some(self.now);
            self.slot_changed(target.slot);
            // The DUT may have been moved while it was driven.
            if let Some(slot) = self.inventory.slot_of(target.dut).filter(|slot| *slot != target.slot) {
                self.slot_changed(slot);
            }
        }
    }

    /// A slot and what its DUT has been through; `None`: there is no such slot. An empty one has been through nothing.
    pub fn slot_wear(&self, slot: SlotId) -> Option<RankedSlot> {
        let place = self.inventory.slots.get(&slot)?;
        let dut = self.inventory.dut_in(slot);
        let wear = dut.and_then(|dut| self.wear.duts.get(&dut)).copied().unwrap_or_default();
        Some(RankedSlot {
            slot,
            rack: self.inventory.racks.get(&place.rack)?.clone(),
            no: place.no,
            dut,
            starts: wear.starts,
            device_ms: wear.used / 1_000,
            last_used: wear.last_used,
        })
    }
}

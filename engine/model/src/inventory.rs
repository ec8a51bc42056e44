//! Racks, slots and DUTs as the lab has them.

use std::collections::BTreeMap;

use crate::ids::{DutId, RackId, RackName, SlotId, SlotNo};

/// The descriptive fields of a DUT: those of `findStb` (document 4.5) that a person fills in, in the document's order.
/// Blank fields stay blank.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default, deny_unknown_fields))]
#[allow(missing_docs, reason = "the names are the document's own")]
pub struct DutFields {
    pub name: String,
    pub description: String,
    pub serial_number: String,
    pub model_name: String,
    pub model_description: String,
    pub manufacturer: String,
    pub manufacturer_model: String,
    pub hardware_version: String,
    pub type_name: String,
    pub type_description: String,
    pub broadcaster: String,
    pub ir_name: String,
    pub ir_description: String,
    pub smartcard_number: String,
    pub smartcard_param_name: String,
    pub smartcard_param_value: String,
}

/// A slot and where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct SlotPlace {
    /// The rack that owns the slot.
    pub rack: RackId,
    /// Its number there, from 1.
    pub no: SlotNo,
}

/// Which slots exist, which rack owns each, and which DUT sits where. At most one DUT in a slot and one slot for a DUT.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Inventory {
    /// Names of racks.
    pub racks: BTreeMap<RackId, RackName>,
    /// Every slot that a rack has declared.
    pub slots: BTreeMap<SlotId, SlotPlace>,
    /// Where each known DUT is; `None`: on the shelf.
    pub duts: BTreeMap<DutId, Option<SlotId>>,
    occupants: BTreeMap<SlotId, DutId>,
}

impl Inventory {
    /// The DUT in a slot.
    pub fn dut_in(&self, slot: SlotId) -> Option<DutId> {
        self.occupants.get(&slot).copied()
    }

    /// The slot of a DUT, unless it is unknown or on the shelf.
    pub fn slot_of(&self, dut: DutId) -> Option<SlotId> {
        self.duts.get(&dut).copied().flatten()
    }

    /// The rack that owns a slot.
    pub fn rack_of(&self, slot: SlotId) -> Option<RackId> {
        self.slots.get(&slot).map(|place| place.rack)
    }

    /// Declares a slot; declaring it again changes nothing.
    pub fn declare_slot(&mut self, slot: SlotId, place: SlotPlace) {
        self.slots.insert(slot, place);
    }

    /// Puts a DUT into a slot or on the shelf. Whatever sat in the slot goes on the shelf.
    pub fn place(&mut self, dut: DutId, slot: Option<SlotId>) {
        if let Some(old) = self.slot_of(dut) {
            self.occupants.remove(&old);
        }
        if let Some(slot) = slot
            && let Some(evicted) = self.occupants.insert(slot, dut)
        {
            self.duts.insert(evicted, None);
        }
        self.duts.insert(dut, slot);
    }

    /// Forgets a DUT. Unknown already: nothing changes.
    pub fn remove(&mut self, dut: DutId) {
        if let Some(slot) = self.duts.remove(&dut).flatten() {
            self.occupants.remove(&slot);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_holds_one_dut_and_a_dut_one_slot() {
        let mut lab = Inventory::default();
        lab.place(DutId(1), Some(SlotId(4)));
        lab.place(DutId(2), Some(SlotId(4)));
        assert_eq!((lab.dut_in(SlotId(4)), lab.slot_of(DutId(1))), (Some(DutId(2)), None));
        lab.place(DutId(2), Some(SlotId(5)));
        assert_eq!((lab.dut_in(SlotId(4)), lab.dut_in(SlotId(5))), (None, Some(DutId(2))));
        lab.remove(DutId(2));
        assert_eq!((lab.dut_in(SlotId(5)), lab.duts.keys().count()), (None, 1));
    }
}

//! Racks, slots and DUTs.

use std::collections::BTreeMap;

use headend_model::{DutFields, DutId, Timestamp};
use headend_scheduler::Farm;
use headend_scheduler::view::{RackView, SlotState, SlotView};
use headend_store::DutRow;
use headend_wire::api::{DutItem, RackItem, SlotItem, SlotRef};

use super::time;
use crate::clock::rfc3339;

/// All racks. `names`: of the DUTs.
pub(crate) fn racks(farm: &Farm, names: &BTreeMap<DutId, String>) -> Vec<RackItem> {
    farm.racks().iter().map(|rack| one_rack(rack, names)).collect()
}

fn one_rack(rack: &RackView<'_>, names: &BTreeMap<DutId, String>) -> RackItem {
    RackItem {
        rack: rack.name.to_string(),
        online: rack.online,
        draining: rack.draining,
        last_seen: time(rack.last_seen),
        cpu_percent: rack.cpu_percent,
        gate: gate(rack),
        slots: rack.slots.iter().map(|slot| one_slot(slot, names)).collect(),
    }
}

/// Why a rack that is there takes nothing, for people.
fn gate(rack: &RackView<'_>) -> Option<String> {
    let refusal =
        rack.not_taking.map(|(since, reason)| format!("takes no new runs since {}: {reason}", rfc3339(since)));
    refusal.or_else(|| {
        let (since, next) = rack.gate_closed?;
        Some(format!("busy since {}; takes no new runs before {}", rfc3339(since), rfc3339(next)))
    })
}

fn one_slot(slot: &SlotView, names: &BTreeMap<DutId, String>) -> SlotItem {
    let (state, detail) = match &slot.state {
        SlotState::Free => ("free", String::new()),
        SlotState::Leased { run, job } => ("leased", format!("run {run} of job {job}")),
        SlotState::Held { job, until } => ("held", format!("for job {job} until {}", rfc3339(*until))),
        SlotState::Offered { job } => ("offered", format!("to the policy of job {job}")),
        SlotState::Cooling { until } => ("cooling", format!("until {} at the latest", rfc3339(*until))),
        SlotState::Reserved(view) => ("reserved", super::reservations::who(view)),
        SlotState::Quarantined => {
            ("quarantined", "something there could not be stopped; look at it, then clear it".into())
        }
        SlotState::Out { since, reason } => ("out", format!("since {}: {reason}", rfc3339(*since))),
    };
    SlotItem {
        slot: slot.no.0,
        dut: slot.dut.map(|dut| dut.0),
        dut_name: slot.dut.and_then(|dut| names.get(&dut).cloned()),
        state: state.to_owned(),
        detail,
        epoch: slot.epoch.0,
    }
}

/// Where a DUT is, in people's words.
pub(crate) fn place_of(farm: &Farm, dut: DutId) -> Option<SlotRef> {
    let inventory = farm.inventory();
    let place = inventory.slots.get(&inventory.slot_of(dut)?)?;
    Some(SlotRef { rack: super::rack_text(farm, place.rack), slot: place.no.0 })
}

/// A DUT and where it is. `ir_created`: when its infrared set was made known.
pub(crate) fn dut(row: DutRow, place: Option<SlotRef>, ir_created: Option<Timestamp>) -> DutItem {
    let f = row.fields;
    DutItem {
        dut: row.dut.0,
        name: f.name,
        description: f.description,
        serial_number: f.serial_number,
        model_name: f.model_name,
        model_description: f.model_description,
        manufacturer: f.manufacturer,
        manufacturer_model: f.manufacturer_model,
        hardware_version: f.hardware_version,
        type_name: f.type_name,
        type_description: f.type_description,
        broadcaster: f.broadcaster,
        ir_name: f.ir_name,
        ir_description: f.ir_description,
        smartcard_number: f.smartcard_number,
        smartcard_param_name: f.smartcard_param_name,
        smartcard_param_value: f.smartcard_param_value,
        place,
        model_id: row.refs.model,
        ir_created: ir_created.map(rfc3339),
    }
}

/// What a person has written about a DUT.
pub(crate) fn fields(item: DutItem) -> DutFields {
    DutFields {
        name: item.name,
        description: item.description,
        serial_number: item.serial_number,
        model_name: item.model_name,
        model_description: item.model_description,
        manufacturer: item.manufacturer,
        manufacturer_model: item.manufacturer_model,
        hardware_version: item.hardware_version,
        type_name: item.type_name,
        type_description: item.type_description,
        broadcaster: item.broadcaster,
        ir_name: item.ir_name,
        ir_description: item.ir_description,
        smartcard_number: item.smartcard_number,
        smartcard_param_name: item.smartcard_param_name,
        smartcard_param_value: item.smartcard_param_value,
    }
}

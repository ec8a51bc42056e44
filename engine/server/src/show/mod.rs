//! The farm and the store in the API's words: plain functions from model types to wire types.

pub(crate) mod jobs;
pub(crate) mod queue;
pub(crate) mod racks;
pub(crate) mod reservations;
pub(crate) mod runs;
pub(crate) mod trials;
pub(crate) mod warnings;
pub(crate) mod what_if;
pub(crate) mod why;

use headend_model::{Lease, RackId, SlotId, Timestamp};
use headend_scheduler::Farm;
use headend_scheduler::action::ChosenBy;

use crate::clock::rfc3339;

/// `rack1`, or its number if it has no name.
pub(crate) fn rack_text(farm: &Farm, rack: RackId) -> String {
    farm.inventory().racks.get(&rack).map_or_else(|| format!("rack {rack}"), ToString::to_string)
}

/// `rack1/4`.
pub(crate) fn slot_text(farm: &Farm, slot: SlotId) -> String {
    let place = farm.inventory().slots.get(&slot);
    place.map_or_else(|| format!("slot id {slot}"), |place| format!("{}/{}", rack_text(farm, place.rack), place.no))
}

/// `rack1/4 (DUT 12), rack1/5 (DUT 13)`.
pub(crate) fn places_text(farm: &Farm, lease: &Lease) -> String {
    let places = lease.targets.iter().map(|target| format!("{} (DUT {})", slot_text(farm, target.slot), target.dut));
    places.collect::<Vec<_>>().join(", ")
}

/// Rule or plugin, in words.
pub(crate) fn chosen_by(chosen: &ChosenBy) -> String {
    match chosen {
        ChosenBy::BuiltIn(rule) => rule.clone(),
        ChosenBy::Plugin(policy) => format!("plugin {policy}"),
        ChosenBy::Fallback { policy, reason } => format!("built-in rule in place of plugin {policy}: {reason}"),
    }
}

/// A time that may be missing.
pub(crate) fn time(at: Option<Timestamp>) -> Option<String> {
    at.map(rfc3339)
}

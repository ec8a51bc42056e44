//! Racks, slots and DUTs as people name them.

use headend_model::{DutId, RackId, SlotId};
use headend_scheduler::Farm;
use headend_wire::api::SlotRef;
use headend_wire::codes;

use crate::http::ApiError;

/// Most names that an error lists.
const LISTED: usize = 12;

/// The rack of a name. Names of hosts know no letter case, so another one will do if it leaves no doubt.
///
/// # Errors
/// `unknown_rack` with those that there are.
pub(crate) fn rack(farm: &Farm, name: &str) -> Result<RackId, ApiError> {
    let racks = &farm.inventory().racks;
    let exact = racks.iter().find(|(_, known)| known.as_str() == name);
    let only = || {
        let mut like = racks.iter().filter(|(_, known)| known.as_str().eq_ignore_ascii_case(name));
        like.next().filter(|_| like.next().is_none())
    };
    exact.or_else(only).map(|(id, _)| *id).ok_or_else(|| {
        let known = listed(racks.values().map(ToString::to_string));
        ApiError::new(&codes::UNKNOWN_RACK, format!("there is no rack {:?}; there are: {known}", cut(name)))
    })
}

/// The slot of a name and number.
///
/// # Errors
/// `unknown_rack`, `unknown_slot`, each with those that there are.
pub(crate) fn slot(farm: &Farm, named: &SlotRef) -> Result<SlotId, ApiError> {
    let rack = rack(farm, &named.rack)?;
    let slots = || farm.inventory().slots.iter().filter(move |(_, place)| place.rack == rack);
    slots().find(|(_, place)| place.no.0 == named.slot).map(|(id, _)| *id).ok_or_else(|| {
        let mut numbers: Vec<u16> = slots().map(|(_, place)| place.no.0).collect();
        numbers.sort_unstable();
        let known = listed(numbers.iter().map(ToString::to_string));
        let detail = format!("rack {:?} has no slot {}; it has: {known}", named.rack, named.slot);
        ApiError::new(&codes::UNKNOWN_SLOT, detail)
    })
}

/// A DUT that the farm knows.
///
/// # Errors
/// `unknown_dut` with those that there are.
pub(crate) fn dut(farm: &Farm, number: u64) -> Result<DutId, ApiError> {
    let duts = &farm.inventory().duts;
    if duts.contains_key(&DutId(number)) {
        return Ok(DutId(number));
    }
    let known = listed(duts.keys().map(ToString::to_string));
    Err(ApiError::new(&codes::UNKNOWN_DUT, format!("there is no DUT {number}; there are: {known}")))
}

/// `a, b, c and 17 more`, or `none`.
pub(crate) fn listed(names: impl Iterator<Item = String>) -> String {
    let mut names: Vec<String> = names.collect();
    if names.is_empty() {
        return "none".to_owned();
    }
    let more = names.len().saturating_sub(LISTED);
    names.truncate(LISTED);
    let text = names.join(", ");
    if more > 0 { format!("{text} and {more} more") } else { text }
}

/// What a client wrote, short enough to be quoted.
pub(crate) fn cut(text: &str) -> String {
    text.chars().take(80).collect()
}

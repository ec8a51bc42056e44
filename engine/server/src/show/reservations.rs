//! Slots that people have, in words.

use headend_model::{SlotId, Timestamp};
use headend_scheduler::Farm;
use headend_scheduler::reservation::{Obstacle, ReservationAction, ReservationEnd, ReservationRefusal};
use headend_scheduler::view::ReservationView;
use headend_wire::api::{ReservationItem, SlotRef};
use headend_wire::codes;
use serde_json::{Value, json};

use super::{slot_text, what_if};
use crate::clock::rfc3339;
use crate::http::ApiError;

/// `reserved by anna until 2026-02-03T10:00:00Z (a look at the banner)`.
pub(crate) fn who(view: &ReservationView) -> String {
    let note = if view.note.is_empty() { String::new() } else { format!(" ({})", view.note) };
    if view.over {
        return format!("the reservation of {} is over; its session is being ended", view.user);
    }
    format!("reserved by {} until {}{note}", view.user, rfc3339(view.until))
}

/// A reservation; `None`: its slot is not known any more.
pub(crate) fn item(farm: &Farm, view: &ReservationView) -> Option<ReservationItem> {
    let place = farm.inventory().slots.get(&view.slot)?;
    Some(ReservationItem {
        reservation: view.reservation.0,
        user: view.user.to_string(),
        slot: SlotRef { rack: super::rack_text(farm, place.rack), slot: place.no.0 },
        note: view.note.clone(),
        begun: rfc3339(view.begun),
        until: rfc3339(view.until),
        in_session: view.session.is_some(),
        over: view.over,
    })
}

/// Why nothing was changed, with who has the slot and when it is free as far as anybody can tell.
pub(crate) fn refusal(farm: &Farm, now: Timestamp, refusal: &ReservationRefusal) -> ApiError {
    match refusal {
        ReservationRefusal::UnknownSlot { .. } => ApiError::new(&codes::UNKNOWN_SLOT, refusal.to_string()).at("/slot"),
        ReservationRefusal::Unknown { reservation } => ApiError::not_found(format!("reservation {reservation}")),
        ReservationRefusal::TooLong { .. } => {
            ApiError::new(&codes::RESERVATION_LIMIT, refusal.to_string()).at("/seconds")
        }
        ReservationRefusal::TooMany { .. } => ApiError::new(&codes::RESERVATION_LIMIT, refusal.to_string()),
        ReservationRefusal::SessionOpen { .. } => ApiError::new(&codes::SESSION_OPEN, refusal.to_string()),
        ReservationRefusal::Busy { slot, why } => {
            ApiError::new(&codes::SLOT_TAKEN, format!("{}: {}", slot_text(farm, *slot), busy(farm, now, *slot, why)))
        }
    }
}

fn busy(farm: &Farm, now: Timestamp, slot: SlotId, why: &Obstacle) -> String {
    match why {
        Obstacle::Reserved { user, over: true, .. } => {
            format!("the reservation of {user} is over; its session is being ended, try again in a moment")
        }
        Obstacle::Reserved { user, until, .. } => format!("reserved by {user} until {}", rfc3339(*until)),
        Obstacle::Driven { run, job } => {
            let ends = what_if::run_ends(farm, now, *job, *run);
            let ends = ends.map_or("nobody knows until when".to_owned(), |at| format!("about until {}", rfc3339(at)));
            format!("driven by run {run} of job {job}, {ends}")
        }
        Obstacle::DutElsewhere { run } => format!("run {run} still drives the DUT that was put there"),
        Obstacle::Held { job, until } => {
            format!("held for the single-process test of job {job} until {}", rfc3339(*until))
        }
        Obstacle::Offered { job } => format!("the policy of job {job} is being asked about it; try again in a moment"),
        Obstacle::Cooling { until } => {
            format!("lost with its rack; free at {} at the latest", rfc3339(*until))
        }
        Obstacle::Quarantined => "in quarantine; an operator has to look at it and clear it".to_owned(),
        Obstacle::Out { reason } => format!("out: {reason}"),
        Obstacle::NoRack => format!("the rack of {} is not heard of; start its daemon", slot_text(farm, slot)),
        Obstacle::NoDut => "there is no DUT in it; place one there".to_owned(),
        Obstacle::Draining => "its rack takes no new work".to_owned(),
        Obstacle::NotTaking { reason } => format!("its rack takes nothing new: {reason}"),
    }
}

/// What has become of a reservation, for the feed: kind, text, data.
pub(crate) fn news(farm: &Farm, news: &ReservationAction) -> Option<(&'static str, String, Value)> {
    let data = |id: &headend_model::ReservationId, user: &headend_model::UserName, slot: SlotId| json!({ "reservation": id.0, "user": user.as_str(), "slot": slot_text(farm, slot) });
    match news {
        ReservationAction::Made { reservation, user, slot, until } => {
            let text = format!("{} is reserved by {user} until {}", slot_text(farm, *slot), rfc3339(*until));
            Some(("reservation_made", text, data(reservation, user, *slot)))
        }
        ReservationAction::Extended { reservation, user, slot, until } => {
            let text = format!("{} is reserved by {user} until {} now", slot_text(farm, *slot), rfc3339(*until));
            Some(("reservation_extended", text, data(reservation, user, *slot)))
        }
        ReservationAction::Ended { reservation, user, slot, why } => {
            let text = format!("{}: the reservation of {user} {}", slot_text(farm, *slot), end(why));
            Some(("reservation_ended", text, data(reservation, user, *slot)))
        }
        ReservationAction::SessionBegun { reservation, user, lease } => {
            let slot = lease.targets.first()?.slot;
            let text = format!("{}: {user} opens a session", slot_text(farm, slot));
            Some(("session_begun", text, data(reservation, user, slot)))
        }
        ReservationAction::SessionEnded { reservation, user, slot, outcome, .. } => {
            let text = format!("{}: the session of {user} has ended: {outcome}", slot_text(farm, *slot));
            Some(("session_ended", text, data(reservation, user, *slot)))
        }
        ReservationAction::Refused(_) => None,
    }
}

fn end(why: &ReservationEnd) -> String {
    match why {
        ReservationEnd::Released => "was released".to_owned(),
        ReservationEnd::Expired => "has run out".to_owned(),
        ReservationEnd::Kicked { by, reason } if reason.is_empty() => format!("was ended by {by}"),
        ReservationEnd::Kicked { by, reason } => format!("was ended by {by}: {reason}"),
    }
}

//! Slots that people have for a while.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::SlotRef;

/// `POST /reservations`: this slot, now, for so long.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReservationRequest {
    /// Which.
    pub slot: SlotRef,
    /// How long, in seconds.
    #[schema(minimum = 1)]
    pub seconds: u32,
    /// What for, at most 200 characters; others see it.
    #[serde(default)]
    #[schema(max_length = 200)]
    pub note: String,
}

/// `POST /reservations/{reservation}/extend`: so much longer than it was to last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ExtendRequest {
    /// By this, in seconds.
    #[schema(minimum = 1)]
    pub seconds: u32,
}

/// `POST /reservations/{reservation}/kick` (administrators).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct KickRequest {
    /// Why, for its owner; at most 200 characters.
    #[serde(default)]
    #[schema(max_length = 200)]
    pub reason: String,
}

/// `GET /reservations`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReservationList {
    /// In the order in which they were made.
    pub reservations: Vec<ReservationItem>,
}

/// A slot that a person has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReservationItem {
    /// Its number.
    pub reservation: u64,
    /// Whose.
    pub user: String,
    /// Of which slot.
    pub slot: SlotRef,
    /// What for, in the person's words.
    pub note: String,
    /// Since.
    pub begun: String,
    /// It ends then, unless it is extended.
    pub until: String,
    /// A script drives the slot in a session now.
    pub in_session: bool,
    /// It is over, and its session is being ended: the slot is free after that.
    pub over: bool,
}

//! Slots that people have for a while: what they may ask for, and what becomes of it.
//!
//! A reservation is the farm's beside runs (design 0026). It keeps jobs off a slot until it is released, taken away or over.
//! The right to *drive* the device is a lease of its own, granted when a session is opened: the same epochs, heartbeats and
//! deadlines as for a run, so a rack ends a session exactly as it ends a run.

use headend_model::{Lease, Outcome, RackId, ReservationId, RunId, SlotId, Span, Timestamp, UserName};

/// What a person wants.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum ReservationCommand {
    /// This slot, now, for so long.
    Reserve {
        /// Which.
        slot: SlotId,
        /// How long, more than nothing.
        length: Span,
        /// What for; may be empty.
        note: String,
    },
    /// So much longer than it was to last.
    Extend {
        /// Which.
        reservation: ReservationId,
        /// By this.
        by: Span,
    },
    /// No more; its session ends.
    Release {
        /// Which.
        reservation: ReservationId,
    },
    /// As `Release`, by somebody else.
    Kick {
        /// Which.
        reservation: ReservationId,
        /// Why, for its owner; may be empty.
        reason: String,
    },
    /// A session in which a script drives the slot.
    Open {
        /// Which.
        reservation: ReservationId,
    },
    /// The script has gone: its session ends, the reservation stays.
    Close {
        /// Of which reservation.
        reservation: ReservationId,
        /// Which session; a late word about a former one closes none.
        session: RunId,
    },
}

/// What has become of a reservation.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum ReservationAction {
    /// The slot is the person's.
    Made {
        /// Which.
        reservation: ReservationId,
        /// Whose.
        user: UserName,
        /// Of which slot.
        slot: SlotId,
        /// Until then.
        until: Timestamp,
    },
    /// It lasts longer.
    Extended {
        /// Which.
        reservation: ReservationId,
        /// Whose.
        user: UserName,
        /// Of which slot.
        slot: SlotId,
        /// Until then.
        until: Timestamp,
    },
    /// It is over. Its session, if one is open, ends.
    Ended {
        /// Which.
        reservation: ReservationId,
        /// Whose it was.
        user: UserName,
        /// Of which slot.
        slot: SlotId,
        /// Why.
        why: ReservationEnd,
    },
    /// To a rack: let the person drive the slot under this lease.
    SessionBegun {
        /// Which reservation.
        reservation: ReservationId,
        /// Whose.
        user: UserName,
        /// The right to drive.
        lease: Lease,
    },
    /// A session has ended; nothing of it drives the device any more.
    SessionEnded {
        /// Of which reservation.
        reservation: ReservationId,
        /// Whose.
        user: UserName,
        /// Of which slot.
        slot: SlotId,
        /// Where.
        rack: RackId,
        /// The session, as its rack knew it.
        run: RunId,
        /// How it ended.
        outcome: Outcome,
    },
    /// Nothing was changed.
    Refused(ReservationRefusal),
}

/// Why a reservation is over.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum ReservationEnd {
    /// Its owner gave it back.
    Released,
    /// Somebody took it away.
    Kicked {
        /// Who.
        by: UserName,
        /// Why; may be empty.
        reason: String,
    },
    /// Its time was up.
    Expired,
}

/// Why nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
#[allow(missing_docs, reason = "each message says it")]
pub enum ReservationRefusal {
    #[error("there is no slot {slot}")]
    UnknownSlot { slot: SlotId },
    #[error("there is no reservation {reservation}; it may be over")]
    Unknown { reservation: ReservationId },
    #[error("a reservation may last {longest} from now at most; ask for less, and extend it later")]
    TooLong { longest: Span },
    #[error("{user} has {most} slots reserved, and no more are allowed; release one")]
    TooMany { user: UserName, most: u32 },
    #[error("slot {slot} is not free")]
    Busy { slot: SlotId, why: Box<Obstacle> },
    #[error("a session of reservation {reservation} is open; end it first")]
    SessionOpen { reservation: ReservationId, run: RunId },
}

/// What stands between a person and a slot.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
#[allow(missing_docs, reason = "each name says it")]
pub enum Obstacle {
    Reserved { reservation: ReservationId, user: UserName, until: Timestamp, over: bool },
    Driven { run: RunId, job: headend_model::JobId },
    DutElsewhere { run: RunId },
    Held { job: headend_model::JobId, until: Timestamp },
    Offered { job: headend_model::JobId },
    Cooling { until: Timestamp },
    Quarantined,
    Out { reason: String },
    NoRack,
    NoDut,
    Draining,
    NotTaking { reason: String },
}

impl Obstacle {
    /// Somebody works there, and will be done one day.
    pub const fn passes(&self) -> bool {
        match self {
            Self::Reserved { .. }
            | Self::Driven { .. }
            | Self::DutElsewhere { .. }
            | Self::Held { .. }
            | Self::Offered { .. }
            | Self::Cooling { .. } => true,
            Self::Quarantined
            | Self::Out { .. }
            | Self::NoRack
            | Self::NoDut
            | Self::Draining
            | Self::NotTaking { .. } => false,
        }
    }
}

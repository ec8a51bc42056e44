//! The right to drive a slot and its DUT, with an epoch that only rises and an end.

use crate::ids::{DutId, JobId, RackId, RunId, SlotId};
use crate::time::{Span, Timestamp};

/// Raised by one each time a slot or a DUT is leased. A rack refuses any epoch it has seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(transparent))]
pub struct Epoch(pub u64);

impl Epoch {
    /// The one after this.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

/// One slot with its DUT, leased together, each under its own epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct LeasedTarget {
    /// The slot.
    pub slot: SlotId,
    /// Epoch of the slot.
    pub slot_epoch: Epoch,
    /// The DUT in it.
    pub dut: DutId,
    /// Epoch of the DUT.
    pub dut_epoch: Epoch,
}

/// A run's right to drive its targets, all on one rack.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Lease {
    /// The job of the run.
    pub job: JobId,
    /// The run that holds it.
    pub run: RunId,
    /// Which try of the run, from 1.
    pub attempt: u32,
    /// The rack that drives.
    pub rack: RackId,
    /// One target, or several for a single-process test.
    pub targets: Vec<LeasedTarget>,
    /// The server may not lease these again before `until` + kill bound + margin, unless the rack reports the end.
    pub until: Timestamp,
}

/// The timing rule that keeps two tests off one device (H, L, K, ρ and margin).
///
/// The rack counts its deadline from the moment it *sent* the heartbeat that was answered: sent + L·(1 − 2ρ), and has
/// killed and confirmed by deadline + K. The server counts from receipt: until = now + L, and leases again only after
/// until + K + margin. Sending precedes receipt and clock rates differ by at most ρ, so the process is gone by then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct LeaseTerms {
    /// H: time between heartbeats.
    pub heartbeat: Span,
    /// L: length of a lease, at least ten heartbeats outside tests.
    pub length: Span,
    /// K: bound for a confirmed kill.
    pub kill_bound: Span,
    /// What the server waits on top.
    pub margin: Span,
    /// ρ: bound on the error of a clock's rate, in parts per million.
    pub drift_ppm: u32,
}

impl Default for LeaseTerms {
    /// H 1 s, L 15 s, K 8 s (5 s grace for SIGTERM, then SIGKILL), margin 1 s, ρ 0.1 %.
    fn default() -> Self {
        Self {
            heartbeat: Span::seconds(1),
            length: Span::seconds(15),
            kill_bound: Span::seconds(8),
            margin: Span::seconds(1),
            drift_ppm: 1_000,
        }
    }
}

impl LeaseTerms {
    /// When a rack must begin to stop its tests, counted from sending the last answered heartbeat.
    pub fn rack_deadline(&self, sent: Timestamp) -> Timestamp {
        let length = i128::from(self.length.as_micros());
        let shortened = length * (1_000_000 - 2 * i128::from(self.drift_ppm)) / 1_000_000;
        sent + Span::micros(shortened as i64)
    }

    /// When the server may lease the targets of a lost lease again.
    pub fn reusable_at(&self, until: Timestamp) -> Timestamp {
        until + self.kill_bound + self.margin
    }
}

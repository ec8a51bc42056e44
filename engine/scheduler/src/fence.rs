//! The rack's half of the lease rule, as pure as the farm: which offer may start, when a run must stop by itself, what
//! has to be told to the server and until when it has to be kept.

use headend_model::{DutId, Epoch, Lease, LeaseTerms, Outcome, RunId, SlotId, Timestamp};

use crate::event::Claim;

/// What reaches the fence. `now` beside it is the rack's own monotonic clock and means nothing elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FenceEvent {
    /// The journal of a former life, in order, before anything else. Runs that were started and have no end in it get
    /// one: their processes were killed before the daemon reported ready.
    Recovered(Vec<FenceRecord>),
    /// The server offers a lease.
    Offered(Lease),
    /// The server wants a run stopped.
    StopAsked {
        /// Which.
        run: RunId,
    },
    /// A heartbeat was answered: the leases of what was held when it was *sent* live on, counted from then.
    Renewed {
        /// When it was sent, on the rack's clock.
        sent: Timestamp,
        /// What it named.
        held: Vec<Claim>,
    },
    /// A run has ended and nothing of it is left.
    Ended {
        /// Which.
        run: RunId,
        /// How.
        outcome: Outcome,
        /// Something of it could not be killed.
        unkillable: bool,
    },
    /// The server has made the ends up to and with this sequence number durable.
    Acknowledged {
        /// Sequence number.
        seq: u64,
    },
    /// Time has passed.
    Tick,
}

/// What the fence wants done, in this order: every `Write` is durable before the next other action is carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FenceAction {
    /// Append to the rack's journal, durably.
    Write(FenceRecord),
    /// Start the run.
    Start(Lease),
    /// Begin to kill the run (SIGTERM, grace, SIGKILL); `Ended` follows.
    Stop {
        /// Which.
        run: RunId,
        /// Why: decides the outcome unless the script has reported one.
        why: StopReason,
    },
    /// Tell the server at the next exchange that this offer is not taken.
    Decline {
        /// Which run.
        run: RunId,
        /// Why, for people.
        reason: String,
    },
}

/// Why a run is stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopReason {
    /// A user asked.
    Asked,
    /// The lease ran out.
    LeaseExpired,
}

/// One line of the rack's journal.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum FenceRecord {
    /// These epochs are used up; the run is about to start.
    Starting(Lease),
    /// A run has ended; to be told under this sequence number.
    Ended(EndReport),
    /// The server has all ends up to this.
    Acknowledged(u64),
}

/// The end of a run, kept until the server has it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct EndReport {
    /// Rises by one per report of this rack, over restarts too.
    pub seq: u64,
    /// Which run, try and epoch.
    pub claim: Claim,
    /// How it ended.
    pub outcome: Outcome,
    /// Something of it could not be killed.
    pub unkillable: bool,
}

/// The state machine of one rack.
#[derive(Clone, Debug, Default)]
pub struct Fence {
    terms: LeaseTerms,
}

impl Fence {
    /// A fence that has seen nothing yet.
    pub fn new(terms: LeaseTerms) -> Self {
        Self { terms }
    }

    /// Takes one event and says what to do.
    pub fn step(&mut self, now: Timestamp, event: &FenceEvent) -> Vec<FenceAction> {
        let _ = (now, event, &self.terms);
        Vec::new()
    }

    /// What is held: taken and not ended. This is what a heartbeat names.
    pub fn held(&self) -> Vec<Claim> {
        Vec::new()
    }

    /// Ends that the server has not acknowledged, oldest first.
    pub fn unacknowledged(&self) -> Vec<EndReport> {
        Vec::new()
    }

    /// Highest epochs seen, for `RackReady`.
    pub fn seen(&self) -> (Vec<(SlotId, Epoch)>, Vec<(DutId, Epoch)>) {
        (Vec::new(), Vec::new())
    }

    /// The epoch under which this run may drive this slot now; `None`: its calls are refused.
    pub fn may_drive(&self, now: Timestamp, run: RunId, slot: SlotId) -> Option<Epoch> {
        let _ = (now, run, slot);
        None
    }

    /// When the next `Tick` is due.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        None
    }

    /// The records that a compacted journal needs: the same future as the whole one.
    pub fn compacted(&self) -> Vec<FenceRecord> {
        Vec::new()
    }
}

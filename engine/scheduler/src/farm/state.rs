//! What the farm remembers, part by part.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use headend_model::run::Incomplete;
use headend_model::{
    DutId, Epoch, JobId, JobSpec, JobStatus, Lease, PolicyName, RackId, ReservationId, RunId, ScheduleId, SlotId,
    SlotNo, TargetIx, TestIx, Timestamp, UserName,
};

use super::books::{Group, TestBook};
use super::queues::{Key, QueueId};
use crate::action::{Action, StartReason, Warning};
use crate::event::PolicyKind;
use crate::schedule::Origin;

/// The next number of each kind. All start at 1 and only rise.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(super) struct Counters {
    pub job: u64,
    pub run: u64,
    pub ask: u64,
    pub rack: u32,
    pub slot: u32,
    /// How often a part of the past was lost; epochs are counted in eras.
    #[cfg_attr(feature = "serde", serde(default))]
    pub era: u32,
    /// The highest epoch of any DUT that was taken out of the inventory.
    #[cfg_attr(feature = "serde", serde(default))]
    pub removed_epoch: Epoch,
}

impl Default for Counters {
    fn default() -> Self {
        Self { job: 1, run: 1, ask: 1, rack: 1, slot: 1, era: 0, removed_epoch: Epoch::default() }
    }
}

#[derive(Clone, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(super) struct Rack {
    pub incarnation: Option<u64>,
    pub last_seen: Option<Timestamp>,
    pub online: bool,
    pub draining: bool,
    pub cpu_percent: u8,
    pub gate: Option<Gate>,
    pub refusal: Option<Refusal>,
    pub slots: BTreeMap<SlotNo, SlotId>,
    pub leases: BTreeSet<RunId>,
    /// Slots under a lease, to turn gangs down quickly.
    pub busy: usize,
}

/// The CPU gate while it is closed.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(super) struct Gate {
    pub since: Timestamp,
    pub next: Timestamp,
}

/// The rack itself takes no new runs for the time being.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(super) struct Refusal {
    pub since: Timestamp,
    pub reason: String,
}

#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(super) struct Slot {
    pub rack: RackId,
    pub epoch: Epoch,
    pub lease: Option<RunId>,
    /// Number of the question in which it is offered to a policy.
    pub offered: Option<u64>,
    /// The job whose gang test it waits for.
    pub hold: Option<JobId>,
    pub quarantined: bool,
    /// Its rack cannot drive the device for the time being.
    #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "Option::is_none"))]
    pub out: Option<Refusal>,
}

#[derive(Clone, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(super) struct DutBook {
    pub epoch: Epoch,
    pub lease: Option<RunId>,
    /// In quarantine together with this slot.
    pub quarantined: Option<SlotId>,
}

/// A target that cannot run anything now, whoever asks.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(super) struct Away {
    pub since: Timestamp,
    pub why: AwayWhy,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(super) enum AwayWhy {
    NoDaemon,
    NoDut,
}

impl AwayWhy {
    pub(super) const fn incomplete(self) -> Incomplete {
        match self {
            Self::NoDaemon => Incomplete::NoDaemon,
            Self::NoDut => Incomplete::NoDut,
        }
    }
}

/// A lease and what the farm knows of its run.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(super) struct Held {
    pub lease: Lease,
    pub test: TestIx,
    pub group: u32,
    pub targets: Vec<TargetIx>,
    pub leased: Timestamp,
    /// The rack has said that it took it.
    pub confirmed: bool,
    pub stopping: bool,
    /// The life of the rack's daemon that it was granted to.
    pub incarnation: Option<u64>,
    pub why: StartReason,
}

#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(super) struct Job {
    pub spec: JobSpec,
    pub accepted: Timestamp,
    pub key: Key,
    pub queue: QueueId,
    pub first_run: RunId,
    pub tests: Vec<TestBook>,
    pub groups: Vec<Group>,
    /// Targets that are out for this job for good.
    pub lost: BTreeMap<TargetIx, AwayWhy>,
    pub status: JobStatus,
    pub stop: Option<UserName>,
    pub started: Option<Timestamp>,
    pub ended: Option<Timestamp>,
    pub running: BTreeSet<RunId>,
    pub tally: Tally,
    pub gang: GangBook,
    /// The schedule that made it.
    #[cfg_attr(feature = "serde", serde(default))]
    pub origin: Option<Origin>,
    /// The era in which it was accepted.
    #[cfg_attr(feature = "serde", serde(default))]
    pub era: u32,
    /// The window of its schedule is closed: what waits is not in the queue.
    #[cfg_attr(feature = "serde", serde(default))]
    pub parked: bool,
}

impl Job {
    pub(super) fn queued(&self) -> u32 {
        self.tests.iter().map(TestBook::left).sum()
    }
}

/// How the runs of a job have ended so far, as far as its status depends on it.
#[derive(Clone, Copy, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(super) struct Tally {
    pub total: u32,
    pub ended: u32,
    pub no_daemon: u32,
    pub no_dut: u32,
    pub several_racks: u32,
}

/// How a job's single-process tests wait.
#[derive(Clone, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(super) struct GangBook {
    /// Rounds in which a slot was free for it and it could not start.
    pub skips: u32,
    pub hold: Option<GangHold>,
}

#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(super) struct GangHold {
    pub rack: RackId,
    pub until: Timestamp,
    pub slots: BTreeSet<SlotId>,
}

#[derive(Clone, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default))]
pub(super) struct PolicyBook {
    pub loaded: bool,
    /// Failures since the last good answer.
    pub strikes: u32,
    /// The last 32 answers, the newest in the lowest bit: 1 for a failure.
    pub recent: u32,
    pub quarantined: bool,
    pub kind: PolicyKind,
    /// Of the content that the failures are counted for; empty if nobody has told.
    pub hash: String,
    /// Major version of its contract; 0: nobody has told, which counts as the first.
    pub contract: u32,
    /// The last failure; empty if there was none since the last good answer.
    pub reason: String,
}

impl PolicyBook {
    pub(super) fn may_be_asked(&self, kind: PolicyKind) -> bool {
        self.loaded && !self.quarantined && self.kind == kind
    }

    /// All is forgotten: a person says so, or it is another plugin by now.
    pub(super) fn pardon(&mut self) {
        self.recent = 0;
        self.quarantined = false;
        self.clear_strikes();
    }

    /// A failure more. `most`: so many in a row are too many, and three times as many among the last 32 answers.
    pub(super) fn strike(&mut self, reason: &str, most: u32) {
        self.strikes = self.strikes.saturating_add(1);
        self.recent = self.recent << 1 | 1;
        reason.clone_into(&mut self.reason);
        let failed = self.recent.count_ones();
        let too_often = failed >= most.saturating_mul(3);
        if too_often && self.strikes < most {
            self.reason = format!("{reason} ({failed} of its last 32 answers were failures)");
        }
        // An answer to an earlier question may still come in; it ends no quarantine.
        self.quarantined |= too_often || self.strikes >= most;
    }

    /// A good answer. What failed before is remembered for a while: one that fails every other time is not sound.
    pub(super) fn forgive(&mut self) {
        self.recent <<= 1;
        self.clear_strikes();
    }

    fn clear_strikes(&mut self) {
        self.strikes = 0;
        self.reason.clear();
    }
}

/// A question that waits for its answer.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(super) struct AskBook {
    pub job: JobId,
    pub group: u32,
    pub free: Vec<(TargetIx, SlotId)>,
}

/// A policy that was asked what has come of its plan.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(super) struct ReportBook {
    pub job: JobId,
    pub group: u32,
    pub policy: PolicyName,
}

/// What an idempotency key has led to.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(super) struct KeyBook {
    pub digest: u64,
    pub job: JobId,
    pub warnings: Vec<Warning>,
}

/// A lease that ran out without word from its rack; kept a while in case the rack has bad news.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(super) struct LostLease {
    pub run: RunId,
    pub rack: RackId,
    pub epoch: Epoch,
    pub places: Vec<(SlotId, DutId)>,
}

/// What may be due. A timer that no longer applies does nothing when it fires, so none is ever searched for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(super) enum Timer {
    /// A lease may have run out.
    Lease(RunId),
    /// A rack may have fallen silent.
    Silent(RackId),
    /// The CPU gate is looked at again.
    Gate(RackId),
    /// A slot has been away for the patience.
    SlotAway(SlotId),
    /// A DUT has been away for the patience.
    DutAway(DutId),
    /// A job found targets away when it came.
    Patience(JobId),
    /// A policy has had its time.
    Ask(u64),
    /// The hold of a job's single-process test ends.
    Hold(JobId),
    /// Something of a schedule is due.
    Schedule(ScheduleId),
    /// A queue policy that has failed is asked again.
    Ranks,
    /// A queue policy is asked again because usage or wear has changed.
    RanksAgain,
    /// The leases of a lost past have run out.
    Quiet,
    /// The time of a canary is over.
    Canary(u64),
    /// A reservation may be over.
    Reservation(ReservationId),
}

/// Bookkeeping of one step; empty between steps.
#[derive(Clone, Debug, Default)]
pub(super) struct Round {
    pub out: Vec<Action>,
    /// Slots to be looked at.
    pub dirty: BTreeSet<SlotId>,
    /// Jobs whose status may have changed.
    pub touched: BTreeSet<JobId>,
    /// Jobs whose single-process test was passed over in this round.
    pub passed_over: BTreeSet<JobId>,
    /// Most slots that jobs of this queue can have at once on this rack now.
    pub room: BTreeMap<(QueueId, RackId), usize>,
    /// Groups with an answer in hand.
    pub answered: BTreeSet<(JobId, u32)>,
    /// Policies that were put into quarantine.
    pub quarantined: BTreeSet<PolicyName>,
    /// Why policies want what they want, in their words.
    pub words: BTreeMap<(JobId, TargetIx), String>,
}

/// Jobs that became final, newest last.
pub(super) type Recent = VecDeque<(JobId, Job)>;

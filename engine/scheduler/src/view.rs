//! What the farm shows of itself: plain data for the API, the page and the CLI.

use std::collections::BTreeMap;

use headend_model::{
    DutFields, DutId, Epoch, JobId, JobSpec, JobStatus, Lease, PolicyName, RackId, RackName, ReservationId, RunId,
    ScheduleId, SlotId, SlotNo, TargetIx, TestIx, Timestamp, UserName,
};

use crate::action::{Noted, QueueState, StartReason};
use crate::event::Placement;
use crate::history::{LastOutcome, ScriptHistory};
use crate::schedule::Origin;

/// An open job (or one that became final since the last snapshot).
#[derive(Clone, Debug)]
pub struct JobView<'a> {
    /// The handle.
    pub job: JobId,
    /// As accepted.
    pub spec: &'a JobSpec,
    /// The schedule that made it.
    pub origin: Option<&'a Origin>,
    /// Its first run; test `t` has the runs that follow those of the tests before it, `slots_needed` each
    /// (one for a single-process test).
    pub first_run: RunId,
    /// Status now.
    pub status: JobStatus,
    /// A user has asked to stop it, and something of it may still run.
    pub stop_requested: Option<&'a UserName>,
    /// When it was accepted.
    pub accepted: Timestamp,
    /// When its first run was leased.
    pub started: Option<Timestamp>,
    /// When it became final.
    pub ended: Option<Timestamp>,
    /// Runs not leased yet.
    pub queued: u32,
    /// Runs under a lease, in run order.
    pub running: Vec<RunningView<'a>>,
}

/// A run under a lease.
#[derive(Clone, Debug)]
pub struct RunningView<'a> {
    /// The lease.
    pub lease: &'a Lease,
    /// Which test.
    pub test: TestIx,
    /// When it was leased.
    pub leased: Timestamp,
    /// The rack has said that it started.
    pub confirmed: bool,
    /// The rack has not been heard of for three heartbeats.
    pub stalled: bool,
    /// A stop is on its way.
    pub stopping: bool,
    /// Why it was started.
    pub why: &'a StartReason,
}

/// A rack.
#[derive(Clone, Debug)]
pub struct RackView<'a> {
    /// Its id.
    pub rack: RackId,
    /// Its name.
    pub name: &'a RackName,
    /// Its daemon was heard of within three heartbeats.
    pub online: bool,
    /// The last word from it.
    pub last_seen: Option<Timestamp>,
    /// Takes no new runs.
    pub draining: bool,
    /// CPU use at the last heartbeat.
    pub cpu_percent: u8,
    /// The CPU gate is closed since, and is looked at again at.
    pub gate_closed: Option<(Timestamp, Timestamp)>,
    /// It says itself that it takes no new runs: since when, and why.
    pub not_taking: Option<(Timestamp, &'a str)>,
    /// Its slots.
    pub slots: Vec<SlotView>,
}

/// A slot.
#[derive(Clone, Debug)]
pub struct SlotView {
    /// Its id.
    pub slot: SlotId,
    /// Its number in the rack.
    pub no: SlotNo,
    /// The DUT in it.
    pub dut: Option<DutId>,
    /// Epoch of its last lease.
    pub epoch: Epoch,
    /// What it is doing.
    pub state: SlotState,
}

/// What a slot is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SlotState {
    /// Nothing.
    Free,
    /// Under a lease.
    Leased {
        /// By this run,
        run: RunId,
        /// of this job.
        job: JobId,
    },
    /// Held for a single-process test until the given time at most.
    Held {
        /// The job.
        job: JobId,
        /// The end of the hold.
        until: Timestamp,
    },
    /// Offered to a policy, which is thinking.
    Offered {
        /// For this job.
        job: JobId,
    },
    /// Lost with its rack; free at the given time at the latest.
    Cooling {
        /// When.
        until: Timestamp,
    },
    /// A person has it.
    Reserved(ReservationView),
    /// Out of use until an operator says otherwise.
    Quarantined,
    /// Its rack cannot drive the device for the time being.
    Out {
        /// Since.
        since: Timestamp,
        /// In the rack's words.
        reason: String,
    },
}

/// A slot that a person has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReservationView {
    /// Which reservation.
    pub reservation: ReservationId,
    /// Whose.
    pub user: UserName,
    /// Of which slot.
    pub slot: SlotId,
    /// What for, in the person's words; may be empty.
    pub note: String,
    /// Since.
    pub begun: Timestamp,
    /// It ends then, unless it is extended.
    pub until: Timestamp,
    /// The session that is open on it, as its rack knows it.
    pub session: Option<RunId>,
    /// It is over, and its session is being ended.
    pub over: bool,
}

/// The session of a reservation, for its rack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionView<'a> {
    /// Of which reservation.
    pub reservation: ReservationId,
    /// Whose.
    pub user: &'a UserName,
}

/// Why a waiting run of a job does not run now, per test: the reason that binds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// Which test.
    pub test: TestIx,
    /// How many of its runs wait.
    pub runs: u32,
    /// Per target that could still take one: what stands in the way there.
    pub at: Vec<(TargetIx, WaitReason)>,
    /// So many targets could still take one; more than are in `at`, if only some were asked for.
    pub targets: u32,
}

/// Which part of the reasons is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WhyPage {
    /// The first test that is looked at.
    pub from: TestIx,
    /// At most so many tests that wait.
    pub tests: usize,
    /// At most so many targets of each.
    pub targets: usize,
}

/// What stands in the way of a run at a target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WaitReason {
    /// The window of its schedule is closed.
    WindowClosed {
        /// The schedule.
        schedule: ScheduleId,
        /// When its next window opens.
        next: Option<Timestamp>,
    },
    /// The rack is away since (or was never there).
    NoRack {
        /// Which, if the target's slot is known.
        rack: Option<RackId>,
        /// When it ends incomplete.
        gives_up: Timestamp,
    },
    /// No DUT in the slot, or the DUT is on the shelf.
    NoDut {
        /// When it ends incomplete.
        gives_up: Timestamp,
    },
    /// The slot is leased.
    SlotHeld {
        /// By this run
        run: RunId,
        /// of this job.
        job: JobId,
    },
    /// The DUT is leased elsewhere (it was moved while its test runs).
    DutHeld {
        /// By this run
        run: RunId,
        /// of this job.
        job: JobId,
    },
    /// Another job comes first here.
    Behind {
        /// Which.
        job: JobId,
    },
    /// Held for a single-process test.
    GangHold {
        /// Of this job.
        job: JobId,
        /// Until.
        until: Timestamp,
    },
    /// A single-process test waits until all its slots are free at once.
    GangWaits {
        /// Free now.
        free: u32,
        /// Needed.
        needed: u32,
    },
    /// The rack's CPU is too busy (document 6.2).
    CpuGate {
        /// Which rack.
        rack: RackId,
        /// How busy.
        cpu_percent: u8,
        /// Since.
        since: Timestamp,
        /// Next look.
        next_try: Timestamp,
    },
    /// The rack takes no new runs.
    Draining {
        /// Which rack.
        rack: RackId,
    },
    /// The rack says itself that it can take no new runs for the time being.
    NotTaking {
        /// Which rack.
        rack: RackId,
        /// Since.
        since: Timestamp,
        /// In its words.
        reason: String,
    },
    /// The slot was lost with its rack and cools down.
    Cooling {
        /// Until.
        until: Timestamp,
    },
    /// A person has the slot, or drives its DUT.
    Reserved(ReservationView),
    /// The slot is in quarantine.
    Quarantined,
    /// The rack cannot drive the slot's device for the time being.
    SlotOut {
        /// Since.
        since: Timestamp,
        /// In the rack's words.
        reason: String,
    },
    /// The policy is being asked.
    PolicyThinks {
        /// Which.
        policy: PolicyName,
    },
    /// The coverage rule gives the target to another test of the job first.
    CoverageOrder {
        /// Which.
        first: TestIx,
    },
    /// The policy had nothing for this target in the last round.
    PolicyDeferred {
        /// Which.
        policy: PolicyName,
    },
    /// It will be started within moments.
    AboutToStart,
}

/// The rule that orders the jobs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueView<'a> {
    /// The plugin that is to order them; `None`: the built-in `priority-fifo`.
    pub wanted: Option<&'a PolicyName>,
    /// The plugin whose ranks are in force; `None`: the built-in rule's.
    pub ranked_by: Option<&'a PolicyName>,
    /// How far the wanted one has come.
    pub state: QueueState,
}

/// Where a job stands in the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QueueRank<'a> {
    /// By the built-in `priority-fifo`.
    BuiltIn(i64),
    /// By a plugin.
    Plugin {
        /// Which.
        policy: &'a PolicyName,
        /// The rank: smaller ones get slots first.
        rank: i64,
    },
    /// The plugin has not ranked it yet: behind all that it has, by the built-in rule among its like.
    NotYet {
        /// Which.
        policy: &'a PolicyName,
    },
}

/// What the farm knows of a policy plugin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PolicyView<'a> {
    /// It may be asked, if it is not in quarantine.
    pub loaded: bool,
    /// Failures in a row.
    pub strikes: u32,
    /// The last of them, for people; empty if there is none.
    pub reason: &'a str,
    /// It failed too often, and is not asked.
    pub quarantined: bool,
}

/// All that a coverage policy instance is built from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PlanView {
    /// JSON text of an object: what the job's owner asks of the policy. Empty: nothing.
    pub parameters: String,
    /// When the job was accepted.
    pub accepted: Timestamp,
    /// Tests of the group in list order.
    pub tests: Vec<TestView>,
    /// Targets of the job.
    pub targets: Vec<TargetView>,
    /// What the lab knows of the targets' devices. The farm knows none of it: the server adds it.
    pub duts: BTreeMap<DutId, DutFields>,
    /// How scripts of the plan ended when they last ran on its devices, by test and target; only what is remembered.
    pub outcomes: Vec<(Placement, LastOutcome)>,
    /// What has happened so far, oldest first.
    pub past: Vec<Noted>,
}

/// A test as a policy sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TestView {
    /// Position in the job.
    pub test: TestIx,
    /// Runs that were planned.
    pub runs: u32,
    /// Path of its script in its area.
    pub name: String,
    /// What is remembered of the script.
    pub history: Option<ScriptHistory>,
}

/// A target as a policy sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetView {
    /// Position in the job.
    pub target: TargetIx,
    /// Rack and slot number now, unless it is nowhere.
    pub place: Option<(RackName, SlotNo)>,
    /// The DUT there now.
    pub dut: Option<DutId>,
}

//! All that the farm wants done. Whoever carries these out has made the event durable first.

use headend_model::{
    DutId, JobId, JobStatus, Lease, Outcome, PolicyName, Priority, RackId, RackName, RunId, ScheduleId, SlotId, SlotNo,
    TargetIx, TestIx, Timestamp, UserName,
};

use crate::event::{Placement, Skip};
use crate::policy::QueuedJob;
use crate::reservation::ReservationAction;
use crate::schedule::ScheduleAction;
use crate::trials::CanaryRefusal;

/// Something to do or to tell.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum Action {
    /// The answer to a submit: the job is in. Also given, with the first handle, to a retry under the same key.
    Accepted {
        /// The handle.
        job: JobId,
        /// What the submitter should know.
        warnings: Vec<Warning>,
        /// A retry: nothing new was stored.
        repeated: bool,
    },
    /// The answer to a submit: nothing was stored.
    Refused(Refusal),
    /// About a schedule: the answer to a command, or for the record.
    Schedule(Box<ScheduleAction>),
    /// About a reservation: the answer to a command, for the record, or to a rack.
    Reservation(Box<ReservationAction>),
    /// The answer to a kill: where the job stands now. `None`: there is no such open job.
    KillNoted {
        /// Which job.
        job: JobId,
        /// Its status, still open while a process of it may run.
        status: Option<JobStatus>,
    },
    /// The answer to an enrolment.
    RackEnrolled {
        /// The id.
        rack: RackId,
        /// The name.
        name: RackName,
    },

    /// To a rack: start this run under this lease.
    Start {
        /// The right to do so.
        lease: Lease,
        /// Which test of the job.
        test: TestIx,
        /// Why this one here and now.
        why: StartReason,
    },
    /// To a rack: stop this run and report its end.
    Stop {
        /// Which rack.
        rack: RackId,
        /// Which run.
        run: RunId,
        /// Which try.
        attempt: u32,
    },
    /// To a policy plugin: what next on these free targets? Answered by `Proposed` or `PolicyFailed` before `deadline`.
    Ask(Ask),
    /// To a policy plugin: what has come of this plan? Answered by `Reported` or `PolicyFailed` before `deadline`.
    AskReport(AskReport),
    /// To a queue policy plugin: the ranks of these jobs? Answered by `Ranked` or `PolicyFailed` before `deadline`.
    AskRanks(AskRanks),

    /// For the record: a run has come to its end. Each run of a job appears exactly once.
    RunEnded(RunRecord),
    /// For the record: a job has a new status.
    JobChanged {
        /// Which.
        job: JobId,
        /// What it is now.
        status: JobStatus,
        /// When its first run was leased.
        started: Option<Timestamp>,
        /// When it became final.
        ended: Option<Timestamp>,
        /// Who stopped it.
        stopped_by: Option<UserName>,
    },
    /// For the record: part of a policy's answer was turned down.
    ProposalRefused {
        /// Whose.
        policy: PolicyName,
        /// The job it spoke for.
        job: JobId,
        /// What it wanted.
        placement: Placement,
        /// Why not.
        reason: PlacementFault,
    },
    /// For the record: what a policy wanted to leave out for good was turned down.
    SkipRefused {
        /// Whose.
        policy: PolicyName,
        /// The job it spoke for.
        job: JobId,
        /// What it wanted.
        skip: Skip,
        /// Why not.
        reason: PlacementFault,
    },
    /// For the record: what a policy says has come of its plan.
    PolicyReport(PolicyReport),
    /// For the record: a policy failed (once more).
    PolicyStruck {
        /// Which.
        policy: PolicyName,
        /// Failures in a row so far.
        strikes: u32,
        /// The last one, for people.
        reason: String,
        /// It is not asked any more until a person loads it again, or its content changes.
        quarantined: bool,
    },
    /// For the record, and the answer to `UseQueuePolicy`: the rule that orders the jobs was changed, or its ranks have
    /// come into force or gone out of it.
    QueueOrder {
        /// The plugin that is to order them; `None`: the built-in `priority-fifo`.
        policy: Option<PolicyName>,
        /// How far that has come.
        state: QueueState,
        /// Who asked for it, if this is the answer.
        by: Option<UserName>,
    },
    /// For the record, and the answer to `BeginCanary`, `StopCanary` and `PromoteCanary`: a canary stands otherwise.
    CanaryChanged {
        /// Which.
        policy: PolicyName,
    },
    /// The answer to `BeginCanary`, `StopCanary` and `PromoteCanary`: nothing was changed.
    CanaryRefused(CanaryRefusal),
    /// For the record: a job was taken off a canary and goes on under the policy that it names.
    PolicyMoved {
        /// Which job.
        job: JobId,
        /// The canary.
        from: PolicyName,
        /// The live policy.
        to: PolicyName,
        /// Why, for people.
        reason: String,
    },
    /// For the record: a rack came, went, drained, or its gate moved.
    RackChanged {
        /// Which.
        rack: RackId,
    },
    /// The answer to `RemoveDuts`: this one is forgotten.
    DutRemoved {
        /// Which.
        dut: DutId,
    },
    /// The answer to `RemoveDuts`: nothing was changed, this one is in use.
    DutInUse {
        /// Which.
        dut: DutId,
        /// By whom.
        uses: DutUses,
    },
    /// For the record: a slot was put into or taken out of quarantine.
    SlotQuarantined {
        /// Which.
        slot: SlotId,
        /// In or out.
        on: bool,
    },
}

/// What keeps a DUT in the inventory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct DutUses {
    /// The run that drives it, or may, and its job.
    pub run: Option<(RunId, JobId)>,
    /// The first open jobs that name it among their targets,
    pub jobs: Vec<JobId>,
    /// and how many there are.
    pub all_jobs: u64,
    /// The first schedules that it is on,
    pub schedules: Vec<ScheduleId>,
    /// and how many there are.
    pub all_schedules: u64,
}

impl DutUses {
    /// Nothing keeps it.
    pub fn is_free(&self) -> bool {
        self.run.is_none() && self.all_jobs == 0 && self.all_schedules == 0
    }
}

/// A question to a coverage policy.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Ask {
    /// Number of the question; the answer names it.
    pub ask: u64,
    /// Whom to ask.
    pub policy: PolicyName,
    /// For which job,
    pub job: JobId,
    /// and which group of its tests (tests of one mode form a group).
    pub group: u32,
    /// Free targets of the job, none of them driven by anybody.
    pub free: Vec<TargetIx>,
    /// What happened in this group since the last question.
    pub changes: Vec<Noted>,
    /// When the core goes on without an answer.
    pub deadline: Timestamp,
}

/// The last question to a coverage policy: all runs of its plan have ended. Nothing waits for the answer.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct AskReport {
    /// Number of the question; the answer names it.
    pub ask: u64,
    /// Whom to ask.
    pub policy: PolicyName,
    /// About which job
    pub job: JobId,
    /// and which group of its tests.
    pub group: u32,
    /// What happened in this group since the last question.
    pub changes: Vec<Noted>,
    /// When the core goes on without an answer.
    pub deadline: Timestamp,
}

/// What a policy says has come of its plan.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct PolicyReport {
    /// Which job
    pub job: JobId,
    /// and which group of its tests.
    pub group: u32,
    /// Whose word it is.
    pub policy: PolicyName,
    /// JSON text, never empty; or why there is none, for people.
    pub report: Result<String, String>,
}

/// A question to a queue policy. Nothing waits for it: until it is answered, the jobs stand where they stand.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct AskRanks {
    /// Number of the question; the answer names it.
    pub ask: u64,
    /// Whom to ask.
    pub policy: PolicyName,
    /// About which jobs; all of them are to be ranked.
    pub jobs: Vec<RankedJob>,
    /// About which slots; all of them are to be ranked. None for a policy of the first contract.
    #[cfg_attr(feature = "serde", serde(default))]
    pub slots: Vec<RankedSlot>,
    /// When the core goes on without an answer.
    pub deadline: Timestamp,
}

/// What a queue policy is told of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct RankedJob {
    /// Which.
    pub job: JobId,
    /// Whose.
    pub owner: UserName,
    /// As asked.
    pub priority: Priority,
    /// When it was accepted.
    pub accepted: Timestamp,
    /// What its owner has of the farm, when it is asked.
    #[cfg_attr(feature = "serde", serde(default))]
    pub usage: OwnerUsage,
}

/// What an owner has of the farm.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct OwnerUsage {
    /// Runs under a lease.
    pub running: u32,
    /// Devices times time under leases, running ones included, in milliseconds. Forgotten by half per
    /// [`usage_half_life`](crate::FarmConfig::usage_half_life).
    pub device_ms: u64,
    /// Jobs that have not ended.
    pub open_jobs: u32,
}

/// What a queue policy is told of a slot and the DUT in it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct RankedSlot {
    /// Which.
    pub slot: SlotId,
    /// Name of its rack.
    pub rack: RackName,
    /// Its number there.
    pub no: SlotNo,
    /// The DUT in it.
    pub dut: Option<DutId>,
    /// How often the DUT was leased, wherever it sat.
    pub starts: u64,
    /// How long it was under leases that have ended, in milliseconds.
    pub device_ms: u64,
    /// When it was last leased or given back.
    pub last_used: Option<Timestamp>,
}

impl RankedJob {
    /// As a native queue policy sees it.
    pub fn as_queued(&self) -> QueuedJob<'_> {
        QueuedJob { job: self.job, owner: &self.owner, priority: self.priority, accepted: self.accepted }
    }
}

/// Whether the rule that is wanted orders the jobs already.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum QueueState {
    /// It does.
    InForce,
    /// Not yet: so many open jobs are still to be ranked. The former order holds until all of them are.
    Ranking(u32),
    /// It cannot: the built-in rule does in its place.
    StoodIn {
        /// Why, for people.
        reason: String,
    },
}

/// What a policy instance is told of its own plan.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum PlanChange {
    /// A test was leased on a target.
    Started(Placement),
    /// It has ended there.
    Ended {
        /// What ended where.
        placement: Placement,
        /// The document's return status.
        code: u16,
    },
    /// A target is out for good (no DUT, no rack).
    TargetLost(TargetIx),
    /// So many runs of the test will never be started.
    Dropped {
        /// Which test.
        test: TestIx,
        /// How many.
        runs: u32,
    },
}

impl PlanChange {
    /// With its time.
    pub const fn at(self, at: Timestamp) -> Noted {
        Noted { at, change: self }
    }
}

/// A change of the plan, and when it happened.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(from = "NotedForm"))]
pub struct Noted {
    /// When.
    pub at: Timestamp,
    /// What.
    pub change: PlanChange,
}

/// Former releases kept no time; what they noted is as old as can be.
#[cfg(feature = "serde")]
#[derive(serde::Deserialize)]
#[serde(untagged)]
enum NotedForm {
    Timed { at: Timestamp, change: PlanChange },
    Plain(PlanChange),
}

#[cfg(feature = "serde")]
impl From<NotedForm> for Noted {
    fn from(form: NotedForm) -> Self {
        match form {
            NotedForm::Timed { at, change } => Self { at, change },
            NotedForm::Plain(change) => change.at(Timestamp::EPOCH),
        }
    }
}

/// Everything about a run that is kept after its end.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct RunRecord {
    /// Which run
    pub run: RunId,
    /// of which job
    pub job: JobId,
    /// and test.
    pub test: TestIx,
    /// What it held; `None`: never executed, shown as `[['NULL','NULL','NULL']]`.
    pub lease: Option<Lease>,
    /// When it was leased.
    pub leased: Option<Timestamp>,
    /// When it ended.
    pub ended: Timestamp,
    /// How.
    pub outcome: Outcome,
    /// Why it was started there and then.
    pub why: Option<StartReason>,
}

/// Why a start was decided.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct StartReason {
    /// The rule or plugin that chose the test.
    pub chosen_by: ChosenBy,
    /// What made this job the one: its rank among those that wanted the slot.
    pub queue: String,
    /// What made this test the one, in one sentence.
    pub test: String,
    /// Digest of what it was decided from, and of all starts before: a replay of the journal gives the same. 0: not kept.
    #[cfg_attr(feature = "serde", serde(default))]
    pub inputs: u64,
}

/// Who chose.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum ChosenBy {
    /// A rule of the core: `dut-coverage`, `test-coverage` or `single-process`.
    BuiltIn(String),
    /// A plugin.
    Plugin(PolicyName),
    /// The core's rule, in place of a plugin that failed this round.
    Fallback {
        /// The plugin.
        policy: PolicyName,
        /// What it did.
        reason: String,
    },
}

/// A warning at submission: accepted, but the submitter should know (document 4.4).
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum Warning {
    /// The script is not in its area: the test will not run (document 4.8).
    ScriptMissing(TestIx),
    /// More slots needed than targets given: the surplus is reported as incomplete.
    Surplus {
        /// Which test.
        test: TestIx,
        /// Asked for.
        needed: u32,
        /// Given.
        given: u32,
    },
    /// Another user has work on this target; this job may have to wait.
    Busy {
        /// Which target.
        target: TargetIx,
        /// Whose work.
        holder: UserName,
    },
    /// No DUT at this target now.
    NoDut(TargetIx),
    /// The target's rack has no daemon now.
    NoDaemon(TargetIx),
    /// A single-process test over several racks: it cannot start (status 7).
    SeveralRacks(TestIx),
}

/// Why nothing was stored.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
#[allow(missing_docs, reason = "each message says it")]
pub enum Refusal {
    #[error("the job has no tests; give at least one")]
    NoTests,
    #[error("the job has no slots and no DUTs; give at least one")]
    NoTargets,
    #[error("target {} is given twice; name each slot or DUT once", .0.0)]
    DuplicateTarget(TargetIx),
    #[error("slot of target {} is not declared by any rack", .0.0)]
    UnknownSlot(TargetIx),
    #[error("DUT of target {} is not in the system", .0.0)]
    UnknownDut(TargetIx),
    #[error("test {} needs 0 slots; ask for at least 1", .0.0)]
    ZeroSlots(TestIx),
    #[error("the job would have {runs} runs; at most {most} are taken, split it")]
    TooManyRuns { runs: u64, most: u32 },
    #[error("this key was used for another request, which became job {job}; use a new key")]
    KeyReused { job: JobId },
    #[error("there were warnings, and the job was to fail on warnings")]
    Warnings(Vec<Warning>),
}

/// Why a placement of a policy was turned down.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
#[allow(missing_docs, reason = "each message says it")]
pub enum PlacementFault {
    #[error("the job has no such test in this group")]
    UnknownTest,
    #[error("the target was not offered")]
    NotOffered,
    #[error("the target was given twice in one answer")]
    TargetTwice,
    #[error("the test has run or runs on this target already")]
    AlreadyThere,
    #[error("the test has no run left")]
    NothingLeft,
    #[error("the target is not free any more")]
    NoLongerFree,
}

impl PlacementFault {
    /// A fault that a sound policy cannot commit: counts as a strike. (A target may honestly be gone by the time.)
    pub const fn is_lie(&self) -> bool {
        !matches!(self, Self::NoLongerFree)
    }
}

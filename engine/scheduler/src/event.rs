//! All that can happen to the farm, one enum. The journal keeps these and nothing else.

use std::collections::BTreeSet;

use headend_model::{
    DutId, Epoch, JobId, JobSpec, Outcome, PolicyName, RackId, RackName, RunId, SlotId, SlotNo, TargetIx, TestIx,
    UserName, ZoneName,
};

use crate::config::FarmConfig;
use crate::reservation::ReservationCommand;
use crate::schedule::{ScheduleCommand, ZoneData};
use crate::trials::CanaryRequest;

/// Something that happened. Facts only: whoever sends it has already checked its form at the edge.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum Event {
    /// The server process has started. Every live lease gets a fresh full term: the wall clock may have moved meanwhile.
    ServerStarted {
        /// Settings from now on.
        config: FarmConfig,
    },
    /// Time has passed; sent at [`crate::Farm::next_deadline`].
    Tick,

    /// A client hands in a job.
    Submit(Box<Submission>),
    /// A client creates or changes a schedule.
    Schedule {
        /// Who asked; kept for the record.
        by: UserName,
        /// What is wanted.
        command: Box<ScheduleCommand>,
    },
    /// A person reserves a slot, or changes, uses or gives back what was reserved.
    Reservation {
        /// Who asked.
        by: UserName,
        /// What is wanted.
        command: ReservationCommand,
    },
    /// The rules of a time zone, before the first schedule in it and whenever they have changed.
    ZoneRules {
        /// Its name, as schedules name it.
        zone: ZoneName,
        /// Its rules from now on.
        rules: ZoneData,
    },
    /// A client stops a job.
    Kill {
        /// Which.
        job: JobId,
        /// Who asked; kept for the record.
        by: UserName,
    },

    /// A rack gets its place in the farm. Enrolling a known name again gives the same id.
    EnrolRack {
        /// Its name.
        name: RackName,
    },
    /// A rack's daemon has started, has cleaned up after its former life, and is ready.
    RackReady(RackReady),
    /// The life of a rack's daemon that has just said ready goes on with the journal of these former ones, whose processes
    /// are gone: what was granted to one of them and is not in that journal was never started there, and never will be.
    RackContinues {
        /// Which rack.
        rack: RackId,
        /// The life that goes on.
        incarnation: u64,
        /// Those before it, in any order.
        former: Vec<u64>,
    },
    /// A rack is alive: renews the leases of what it holds.
    Heartbeat(Heartbeat),
    /// A rack takes no new runs (`true`) or takes them again.
    Drain {
        /// Which rack.
        rack: RackId,
        /// On or off.
        on: bool,
    },
    /// A DUT was put into a slot, or on the shelf.
    PlaceDut {
        /// The device.
        dut: DutId,
        /// Where it is now.
        slot: Option<SlotId>,
    },
    /// DUTs have left the lab for good: all of these are forgotten or, if one of them is in use, none.
    RemoveDuts {
        /// Which.
        duts: Vec<DutId>,
    },
    /// An operator has looked: nothing drives this slot, it may be used again.
    ClearQuarantine {
        /// Which slot.
        slot: SlotId,
    },

    /// The rack has written the epochs to its journal and started the run.
    RunStarted {
        /// The rack that says so.
        rack: RackId,
        /// The run and which try of it.
        claim: Claim,
    },
    /// The rack has not started the run and never will: it refuses the epochs of this lease from now on.
    NotStarted {
        /// The rack that says so.
        rack: RackId,
        /// The run and which try of it.
        claim: Claim,
        /// Why, for people.
        reason: String,
    },
    /// The run has ended on the rack; nothing of it drives the device any more.
    RunEnded {
        /// The rack that says so.
        rack: RackId,
        /// The run and which try of it.
        claim: Claim,
        /// How.
        outcome: Outcome,
        /// A process of it could not be killed: its slots go into quarantine.
        unkillable: bool,
    },

    /// A policy plugin lies ready: the server has started, or what is in its folder has changed. It may be asked from
    /// now on, unless it is in quarantine with this very content.
    PolicyFound {
        /// Its name, as jobs name it.
        policy: PolicyName,
        /// What it is asked for.
        kind: PolicyKind,
        /// Hash of its content. Another one is another plugin: its failures are not those of this one.
        hash: String,
        /// Major version of the contract that it was written against. A queue policy of the second one is told of usage and
        /// wear and asked again when they change.
        #[cfg_attr(feature = "serde", serde(default = "first_contract"))]
        contract: u32,
    },
    /// A person wants a policy plugin to be asked (again): ends its quarantine.
    PolicyLoaded {
        /// Its name, as jobs name it.
        policy: PolicyName,
    },
    /// A policy plugin was disabled or removed; its jobs fall back to the built-in rule.
    PolicyRemoved {
        /// Its name.
        policy: PolicyName,
    },
    /// A policy answers an [`crate::Action::Ask`].
    Proposed {
        /// Number of the question.
        ask: u64,
        /// What it would start. What no longer holds is refused in parts.
        placements: Vec<Placement>,
        /// What is never to be started.
        #[cfg_attr(feature = "serde", serde(default))]
        skips: Vec<Skip>,
        /// What it says of them.
        #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "Said::is_empty"))]
        said: Said,
    },
    /// A coverage policy cannot serve the plan that it was asked about, and says so: no failure of its own.
    PolicyDeclined {
        /// Number of the question.
        ask: u64,
        /// Why, for people.
        reason: String,
    },
    /// A policy answers an [`crate::Action::AskReport`].
    Reported {
        /// Number of the question.
        ask: u64,
        /// JSON text; empty: it has nothing to say.
        report: String,
    },
    /// A queue policy answers an [`crate::Action::AskRanks`].
    Ranked {
        /// Number of the question.
        ask: u64,
        /// The rank of each job that was asked about: smaller ones get slots first.
        ranks: Vec<(JobId, i64)>,
        /// The rank of each slot that was asked about: of several free ones a job gets those with smaller ranks first.
        #[cfg_attr(feature = "serde", serde(default))]
        slots: Vec<(SlotId, i64)>,
    },
    /// A policy of either kind trapped, overran or could not be asked.
    PolicyFailed {
        /// Number of the question.
        ask: u64,
        /// What happened, for people.
        reason: String,
    },
    /// Another rule is to order the jobs.
    UseQueuePolicy {
        /// A plugin; `None`: the built-in `priority-fifo`.
        policy: Option<PolicyName>,
        /// Who asked; kept for the record.
        by: UserName,
    },
    /// A share of the new jobs of a coverage policy is to go to another one, within bounds.
    BeginCanary(Box<CanaryRequest>),
    /// A canary is to end: its jobs go on under the live policy.
    StopCanary {
        /// Which.
        policy: PolicyName,
        /// Who asked; kept for the record.
        by: UserName,
    },
    /// A canary was found good. Another version of the live policy is put into force by whoever sends this; another
    /// policy gets all new jobs that name the live one from now on.
    PromoteCanary {
        /// Which.
        policy: PolicyName,
        /// Although it has not passed.
        force: bool,
        /// Who asked; kept for the record.
        by: UserName,
    },
}

/// Of plugins that nobody has told about.
#[cfg(feature = "serde")]
const fn first_contract() -> u32 {
    1
}

/// What a policy plugin is asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum PolicyKind {
    /// Which test of a job next on a free target.
    #[default]
    Coverage,
    /// Which job gets a free slot first.
    Queue,
}

/// A job on its way in.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Submission {
    /// The job.
    pub spec: JobSpec,
    /// Tests whose script is not in the area they name: a warning, and their runs end incomplete (document 4.8).
    pub missing_scripts: BTreeSet<TestIx>,
    /// With any warning nothing is stored (document 4.4).
    pub fail_on_warning: bool,
    /// Same key and same digest: same handle.
    pub key: Option<IdempotencyKey>,
}

/// A client's own name for one submission.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct IdempotencyKey {
    /// The owner's key; keys of different owners never meet.
    pub key: String,
    /// Hash of the whole request, to tell a retry from another request under the same key.
    pub digest: u64,
}

/// A run as its rack knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Claim {
    /// Which run.
    pub run: RunId,
    /// Which try.
    pub attempt: u32,
    /// Epoch of its first slot; a late report from a former lease carries an older one.
    pub epoch: Epoch,
}

/// A rack's first word after a start.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct RackReady {
    /// Which rack.
    pub rack: RackId,
    /// Random per process of the daemon: what an older process says is ignored from now on.
    pub incarnation: u64,
    /// Its slots, with the highest epoch its journal has seen on each (0: none).
    pub slots: Vec<(SlotNo, Epoch)>,
    /// Highest epoch that its journal has seen per DUT.
    pub dut_epochs: Vec<(DutId, Epoch)>,
    /// Why it takes no new runs for the time being; `None`: it takes them.
    #[cfg_attr(feature = "serde", serde(default))]
    pub not_taking: Option<String>,
    /// Slots whose devices it cannot drive for the time being, each with the reason, for people. All others are in order.
    #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "Vec::is_empty"))]
    pub out: Vec<(SlotNo, String)>,
}

/// A rack's sign of life.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Heartbeat {
    /// Which rack.
    pub rack: RackId,
    /// Which life of its daemon.
    pub incarnation: u64,
    /// CPU use over the last seconds, 0 to 100.
    pub cpu_percent: u8,
    /// What it holds: received and not yet reported as ended.
    pub holds: Vec<Claim>,
    /// Why it takes no new runs for the time being; `None`: it takes them.
    #[cfg_attr(feature = "serde", serde(default))]
    pub not_taking: Option<String>,
    /// Slots whose devices it cannot drive for the time being, each with the reason, for people. All others are in order.
    #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "Vec::is_empty"))]
    pub out: Vec<(SlotNo, String)>,
}

/// A policy's word: so many runs of the test will never be started.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Skip {
    /// Which test of the job.
    pub test: TestIx,
    /// How many, at least 1.
    pub runs: u32,
    /// Why, in one sentence for people.
    pub reason: String,
}

/// What a policy says of its answer, for people. Decides nothing about the answer itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default))]
pub struct Said {
    /// Why something is to start on this target, in one sentence. Targets of which it has nothing to say are not here.
    pub reasons: Vec<(TargetIx, String)>,
    /// It failed while it was asked for these. What it has answered holds; the failure counts like any other.
    pub fault: Option<String>,
}

impl Said {
    /// Nothing was said.
    pub fn is_empty(&self) -> bool {
        self.reasons.is_empty() && self.fault.is_none()
    }
}

/// A policy's wish: this test on this target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Placement {
    /// Which test of the job.
    pub test: TestIx,
    /// On which target of the job.
    pub target: TargetIx,
}

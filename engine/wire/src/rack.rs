//! Between a rack and the server. The rack dials out; plain HTTP.
//!
//! * `POST /api/v1/racks/enrol` with [`Enrol`] and the one-use token as bearer gives [`Enrolled`] with the rack's own token.
//! * `POST /api/v1/racks/exchange` with [`Exchange`] gives [`Orders`]. Everything goes through this one call: the first
//!   one of a life carries `ready`; one that carries `beat` is a heartbeat; `ends` and `logs` are reports in batches; with
//!   `wait_ms` it is a long poll that is answered as soon as there is something to start or stop. A rack keeps two
//!   in flight: the heartbeat/report one, and the waiting one.
//! * `GET /api/v1/blobs/{hash}` and `GET /api/v1/snapshots/{id}` fetch files.
//!
//! The state is level-triggered: the rack says what it holds, the server answers with what it should hold besides and
//! what it should stop. A lost or doubled message changes nothing.

use headend_model::{JobId, Lease, LeaseTerms, Priority, RackId, RunId, Timestamp};
use headend_scheduler::event::Claim;
use headend_scheduler::fence::EndReport;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Asks to become a rack of this server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Enrol {
    /// [`crate::PROTOCOL`].
    #[schema(minimum = 1, maximum = 1)]
    pub protocol: u32,
    /// The name it wants.
    #[schema(pattern = "^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
    pub name: String,
}

/// Answer to [`Enrol`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Enrolled {
    /// Its id.
    #[schema(value_type = u32)]
    pub rack: RackId,
    /// Its token for everything else; shown once.
    pub token: String,
}

/// One message of a rack. `rack` follows from the token.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Exchange {
    /// [`crate::PROTOCOL`].
    #[schema(minimum = 1, maximum = 1)]
    pub protocol: u32,
    /// Random per process of the daemon.
    pub incarnation: u64,
    /// First exchange of a life, after clean-up.
    pub ready: Option<Ready>,
    /// A sign of life: renews the leases of what it names.
    pub beat: Option<Beat>,
    /// Runs that have started since the last acknowledged report.
    #[schema(value_type = Vec<Object>)]
    pub started: Vec<Claim>,
    /// Offers and refusals (see [`Orders::refuse`]) that were not taken and never will be, with the reason.
    pub declined: Vec<Declined>,
    /// Ends not acknowledged yet, oldest first, at most 1,000.
    #[schema(value_type = Vec<Object>)]
    pub ends: Vec<EndReport>,
    /// News of running scripts, for whoever watches. May be lost.
    pub notes: Vec<Note>,
    /// What the rack holds: the answer leaves these out of `start`.
    #[schema(value_type = Vec<Object>)]
    pub holds: Vec<Claim>,
    /// Of these, what it was told to stop and is stopping: that is no news, so a long poll is not answered because of it.
    #[schema(value_type = Vec<u64>)]
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stopping: Vec<RunId>,
    /// Wait this long for orders when there are none, in milliseconds (at most 30,000).
    pub wait_ms: u64,
}

/// What a rack is, at the start of its life.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Ready {
    /// Version of the binary.
    pub version: String,
    /// Its slots, by number.
    pub slots: Vec<ReadySlot>,
    /// Highest epoch seen per DUT.
    pub dut_epochs: Vec<(u64, u64)>,
    /// Base address under which its logs can be had, if it serves them itself.
    pub logs: Option<String>,
    /// Former lives (`incarnation`) whose journal this one goes on with and whose processes are gone: what was granted to
    /// one of them and lies above the epochs told here was never started.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub former: Vec<u64>,
}

/// A slot of a rack.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReadySlot {
    /// Its number, from 1.
    #[schema(minimum = 1)]
    pub no: u16,
    /// Highest epoch seen on it.
    pub epoch: u64,
    /// The driver behind it, such as `virtual`.
    pub driver: String,
    /// Name of the DUT that the driver brings along (virtual boxes do): made and placed at the first sight.
    pub builtin_dut: Option<String>,
}

/// A sign of life.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Beat {
    /// CPU use over the last seconds, 0 to 100.
    pub cpu_percent: u8,
    /// Why the rack takes no new runs for the time being, for people: its outbox is full, its journal cannot be written.
    /// Absent: it takes them. A server offers nothing new meanwhile; an offer that is on its way is left lying.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_taking: Option<String>,
    /// Slots whose devices it cannot drive for the time being: nothing is offered for them until a beat leaves them out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub out: Vec<SlotOut>,
}

/// A slot whose device the rack cannot drive for the time being.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SlotOut {
    /// Its number in the rack.
    #[schema(minimum = 1)]
    pub no: u16,
    /// Why, for people: which tool failed, and how.
    pub reason: String,
}

/// A lease that was not taken. Its epochs are in the rack's journal before this is told, so nothing starts under it later.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Declined {
    /// Which.
    #[schema(value_type = Object)]
    pub claim: Claim,
    /// Why: an epoch seen before, no room, journal not writable.
    pub reason: String,
}

/// News of a running script.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Note {
    /// Which run.
    #[schema(value_type = u64)]
    pub run: RunId,
    /// When, on the rack's wall clock.
    #[schema(value_type = i64)]
    pub at: Timestamp,
    /// One line: a log line, a step, a region.
    pub text: String,
}

/// Answer to an [`Exchange`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Orders {
    /// Ends up to and with this are durable.
    pub acknowledged: Option<u64>,
    /// The heartbeat counted: leases of what it named were renewed. `false`: the server knows another incarnation or
    /// wants `ready` first.
    pub renewed: bool,
    /// Send `ready` (again): the server does not know this life.
    pub say_ready: bool,
    /// Start these.
    pub start: Vec<StartOrder>,
    /// Let people drive these.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sessions: Vec<SessionOrder>,
    /// Stop these.
    #[schema(value_type = Vec<u64>)]
    pub stop: Vec<RunId>,
    /// Leases that are to end and that the rack, as far as the server knows, has not taken. It stops the run if it has;
    /// if not, it refuses the epochs for ever and says so in [`Exchange::declined`], and the slot is free at once.
    #[schema(value_type = Vec<Object>)]
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refuse: Vec<Lease>,
    /// Terms of leases, at the first exchange and after a change.
    #[schema(value_type = Option<Object>)]
    pub terms: Option<LeaseTerms>,
    /// Your id.
    #[schema(value_type = Option<u32>)]
    pub rack: Option<RackId>,
    /// Numbers of your slots in leases: (slot id, slot number), with the first exchange.
    pub slots: Vec<(u32, u16)>,
    /// End by yourself when nothing runs any more.
    pub drain: bool,
}

/// Let a person drive a slot: the rack takes the lease like that of a run, and then fetches the person's end of the session
/// with `GET /api/v1/sessions/{run}/rack` (see [`crate::relay`]).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SessionOrder {
    /// The right to do so. Its job is 0.
    #[schema(value_type = Object)]
    pub lease: Lease,
    /// Of which reservation, for the log.
    pub reservation: u64,
    /// Whose, for the log.
    pub user: String,
}

/// Start a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StartOrder {
    /// The right to do so.
    #[schema(value_type = Object)]
    pub lease: Lease,
    /// The job's priority, for the log.
    #[schema(value_type = u8)]
    pub priority: Priority,
    /// Script path inside its area.
    pub script: String,
    /// In the public area?
    pub public: bool,
    /// Arguments, split.
    pub args: Vec<String>,
    /// Stop it after this long, in milliseconds.
    pub time_limit_ms: u64,
    /// Snapshot of the public area: hash of its tree.
    pub public_tree: String,
    /// Snapshot of the owner's private area, for private scripts.
    pub private_tree: Option<String>,
    /// The handle.
    #[schema(value_type = u64)]
    pub job: JobId,
    /// Its name, for the log.
    pub job_name: String,
    /// The owner, for the log.
    pub owner: String,
}

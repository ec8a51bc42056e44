//! What is kept for pages and CLI: one type per kind of row, and the [`Projection`]s that write them.

use headend_model::{
    CatalogueEntry, DutFields, DutId, DutRefs, JobId, JobSpec, JobStatus, Outcome, Priority, RackId, RackName, RunId,
    SlotId, SlotNo, TestIx, Timestamp, UserName,
};
use headend_scheduler::Event;
use headend_scheduler::action::StartReason;

use crate::occurrences::OccurrenceRow;
use crate::reports::ReportRow;
use crate::results::OriginRow;
use crate::retention::KeepRow;
use crate::shadows::ShadowRow;

/// One step of the scheduler on its way to the disk: the event, and the rows that show what came of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// The `now` that the farm was given.
    pub at: Timestamp,
    /// What happened.
    pub event: Event,
    /// Rows to write in the same transaction, in order.
    pub projections: Vec<Projection>,
}

/// An event as it comes out of the journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Journaled {
    /// Its number, without gaps.
    pub seq: u64,
    /// The `now` that the farm was given.
    pub at: Timestamp,
    /// What happened.
    pub event: Event,
}

/// The farm as it was after the event `seq`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// Number of the last event in it.
    pub seq: u64,
    /// When it was taken.
    pub at: Timestamp,
    /// The serialised farm, opaque here.
    pub farm: Vec<u8>,
}

/// What a restart needs: the newest sound snapshot, and what happened after it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recovered {
    /// `None`: start from an empty farm.
    pub snapshot: Option<Snapshot>,
    /// Events after it, in order, without gaps.
    pub events: Vec<Journaled>,
}

/// What a request has become.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Committed {
    /// Number of its last event in the journal; of the last one before, if it had none.
    pub seq: u64,
    /// Numbers of its [`Projection::Feed`] rows, in order.
    pub feed: std::ops::Range<u64>,
}

/// One row to write.
#[derive(Clone, Debug, PartialEq)]
pub enum Projection {
    /// A job was accepted.
    JobAccepted(Box<JobRow>),
    /// A job has a new status.
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
    /// A run was leased and is given these trees to its end (an earlier pin of the run is replaced).
    RunPinned(Pin),
    /// A run has ended. Its pin goes; the counts of its job rise.
    RunEnded(Box<RunRow>),
    /// What became of an occurrence of a schedule, or of several that were missed.
    OccurrenceEnded(Box<OccurrenceRow>),
    /// A schedule has made a job. Known already: nothing changes.
    JobOrigin(OriginRow),
    /// A run is to be kept, whatever its age; kept already: by this person and with this note now.
    RunKept(KeepRow),
    /// It need not be kept any more. Not kept: no error.
    RunNotKept(RunId),
    /// A policy has said what has come of its plan.
    PolicyReport(Box<ReportRow>),
    /// What has come of a policy that is asked aside, new or changed.
    Shadow(Box<ShadowRow>),
    /// It is forgotten. Gone already: no error.
    ShadowRemoved {
        /// Its name.
        policy: String,
    },
    /// Something for the feed. It gets the next number.
    Feed(FeedItem),
    /// Descriptive fields of a DUT, new or changed.
    Dut(Box<DutRow>),
    /// A DUT has left the lab.
    DutRemoved(DutId),
    /// A model, infrared set or smartcard, new or changed.
    Catalogue(Box<CatalogueRow>),
    /// An entry is gone. Gone already: no error.
    CatalogueRemoved {
        /// Its id.
        id: u64,
    },
    /// A rack, new or changed.
    Rack(RackRow),
    /// A slot, new or changed.
    Slot(SlotRow),
    /// A token of a person, new or changed.
    Token(TokenRow),
    /// A token is void. Gone already: no error.
    TokenRemoved {
        /// Its hash.
        hash: String,
    },
    /// A one-use token for a rack.
    EnrolToken {
        /// Its hash.
        hash: String,
        /// When it becomes void.
        expires: Timestamp,
    },
    /// A plugin, new or changed.
    Plugin(PluginRow),
    /// A plugin was removed. Gone already: no error.
    PluginRemoved {
        /// Its name.
        name: String,
    },
    /// A capability was granted; granted already: by this person now.
    Grant(GrantRow),
    /// A grant was taken back. Gone already: no error.
    GrantRemoved {
        /// Name of the plugin; `*`: all.
        plugin: String,
        /// Name of the capability.
        capability: String,
    },
}

/// A job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobRow {
    /// The handle.
    pub job: JobId,
    /// As submitted: name, owner, priority, targets, tests.
    pub spec: JobSpec,
    /// Its runs are numbered from here,
    pub first_run: RunId,
    /// so many of them.
    pub runs: u32,
    /// When it was accepted.
    pub accepted: Timestamp,
    /// Where it stands.
    pub status: JobStatus,
    /// Priority in force; the submitted one unless it was changed.
    pub priority: Priority,
    /// When its first run was leased.
    pub started: Option<Timestamp>,
    /// When it became final.
    pub ended: Option<Timestamp>,
    /// Who stopped it.
    pub stopped_by: Option<UserName>,
    /// Runs that ended with pass or partial pass. Counted here, from [`Projection::RunEnded`].
    pub passed: u32,
    /// Runs that ended with fail.
    pub failed: u32,
    /// Runs that ended otherwise.
    pub incomplete: u32,
}

impl JobRow {
    /// A job as it is when it is accepted.
    pub fn accepted(job: JobId, spec: JobSpec, first_run: RunId, runs: u32, at: Timestamp) -> Self {
        Self {
            job,
            priority: spec.priority,
            spec,
            first_run,
            runs,
            accepted: at,
            status: JobStatus::Idle,
            started: None,
            ended: None,
            stopped_by: None,
            passed: 0,
            failed: 0,
            incomplete: 0,
        }
    }
}

/// Where a run ran.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct RunPlace {
    /// Number of the slot in its rack.
    pub slot: SlotNo,
    /// Epoch of the slot's lease.
    pub slot_epoch: u64,
    /// The DUT.
    pub dut: DutId,
    /// Epoch of the DUT's lease.
    pub dut_epoch: u64,
}

/// A run that has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunRow {
    /// The run
    pub run: RunId,
    /// of this job
    pub job: JobId,
    /// and test.
    pub test: TestIx,
    /// Which try, from 1; 0 if it was never leased.
    pub attempt: u32,
    /// The rack it ran on; `None`: never executed.
    pub rack: Option<RackName>,
    /// Where it ran; empty: never executed.
    pub places: Vec<RunPlace>,
    /// When it was leased.
    pub leased: Option<Timestamp>,
    /// When it ended.
    pub ended: Timestamp,
    /// How. Code and comment follow from it.
    pub outcome: Outcome,
    /// Why it was started there and then.
    pub why: Option<StartReason>,
    /// Tree of the public area it was given, 64 hex digits.
    pub public_tree: Option<String>,
    /// Tree of its owner's private area it was given.
    pub private_tree: Option<String>,
}

/// The trees that a leased run was given. A restart offers the same ones again, and the sweep spares their blobs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pin {
    /// The run.
    pub run: RunId,
    /// Tree of the public area, 64 hex digits.
    pub public_tree: String,
    /// Tree of its owner's private area, for private scripts.
    pub private_tree: Option<String>,
}

/// An item of the feed (`GET /events`) before it has a number.
#[derive(Clone, Debug, PartialEq)]
pub struct FeedItem {
    /// When.
    pub at: Timestamp,
    /// Stable word, see `headend_wire::api::EventItem`.
    pub kind: String,
    /// The job, if it is about one.
    pub job: Option<JobId>,
    /// The run, if it is about one.
    pub run: Option<RunId>,
    /// For people.
    pub text: String,
    /// The rest, by kind.
    pub data: serde_json::Value,
}

/// An item of the feed.
#[derive(Clone, Debug, PartialEq)]
pub struct FeedRow {
    /// Rises by one per item.
    pub number: u64,
    /// The item.
    pub item: FeedItem,
}

/// A DUT. Where it is: the farm's inventory knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DutRow {
    /// Its id.
    pub dut: DutId,
    /// What people have written about it.
    pub fields: DutFields,
    /// Whose texts some of these are.
    pub refs: DutRefs,
    /// When it was made known.
    pub created: Timestamp,
}

/// A model, an infrared set or a smartcard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CatalogueRow {
    /// Its id, unique over all kinds.
    pub id: u64,
    /// What it says.
    pub entry: CatalogueEntry,
    /// When it was made known.
    pub created: Timestamp,
}

/// A rack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RackRow {
    /// Its id, as the farm gave it.
    pub rack: RackId,
    /// Its name, unique.
    pub name: RackName,
    /// Hash of its token, unique.
    pub token_hash: String,
    /// When it was enrolled (last).
    pub enrolled: Timestamp,
}

/// A slot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlotRow {
    /// Its id.
    pub slot: SlotId,
    /// Its rack,
    pub rack: RackId,
    /// and its number there.
    pub no: SlotNo,
}

/// A token of a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenRow {
    /// Hash of the token; the token itself is never stored.
    pub hash: String,
    /// Whose.
    pub user: UserName,
    /// `admin` or `user`.
    pub role: String,
    /// When it becomes void; `None`: never.
    pub expires: Option<Timestamp>,
    /// What people call it.
    pub label: String,
    /// When it was made.
    pub created: Timestamp,
    /// Its holder may act for others.
    pub act_as: bool,
}

/// A plugin and how it was last left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PluginRow {
    /// Its name.
    pub name: String,
    /// BLAKE3 of what was loaded.
    pub hash: String,
    /// Where it was loaded from.
    pub path: String,
    /// To be loaded at the next start.
    pub enabled: bool,
    /// How else it was left: JSON text of the server's own making; `{}` in rows of an older release.
    pub details: String,
}

/// What a plugin may do beyond answering, as it was granted while the server ran.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GrantRow {
    /// Name of the plugin; `*`: all.
    pub plugin: String,
    /// Name of the capability.
    pub capability: String,
    /// Who granted it.
    pub by: UserName,
    /// When.
    pub at: Timestamp,
}

/// A file area: the public one, or a user's private one by number (a user's name is never a path).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AreaId(pub u32);

impl AreaId {
    /// The public area.
    pub const PUBLIC: Self = Self(0);
}

/// A revision of an area.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AreaHead {
    /// Which area.
    pub area: AreaId,
    /// Its revision, from 1; 0: nothing was ever put there.
    pub revision: u64,
    /// Hash of its tree, 64 hex digits.
    pub tree: String,
    /// Who made it.
    pub by: UserName,
    /// When.
    pub at: Timestamp,
}

/// Facts of the server itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerMeta {
    /// Random, given at the birth of the database: 32 hex digits.
    pub server_id: String,
    /// Raised each time the database was restored from a backup.
    pub generation: u64,
}

/// Which jobs to list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JobQuery {
    /// Only older ones than this handle.
    pub before: Option<JobId>,
    /// Only this owner's.
    pub owner: Option<UserName>,
    /// Only those that are not final.
    pub open: bool,
    /// At most so many; 1,000 at the very most.
    pub limit: u32,
}

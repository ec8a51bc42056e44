//! Keeps what must not be lost: the scheduler's journal, its snapshots, and the rows that pages and CLI read.
//!
//! ```text
//!  Store::append ──► bounded queue ──► writer task ──► one transaction for all that waits ──► all acknowledged
//!  Store::jobs, runs_of, feed_after … ──► reader connections (they see only what is committed)
//! ```
//!
//! Meet [`Store`] first, then [`Entry`] and [`Projection`]. An entry and its rows are in one transaction; nobody is told
//! "stored" before the disk has it (SQLite, WAL, `synchronous=FULL`). A full disk refuses the request and leaves
//! nothing of it behind; a failing disk stops the store for good.
//!
//! Absent on purpose: decisions, clocks (times are arguments), and the farm's own types beyond its events: a
//! snapshot is opaque bytes here.

mod checkpoint;
mod codec;
mod error;
mod fault;
mod files;
mod occurrences;
mod open;
mod options;
mod rare;
mod read;
mod reports;
mod results;
mod results_read;
mod retention;
mod rows;
mod shadows;
mod sheet;
mod store;
mod tx;
mod wal;
mod writer;

pub use error::StoreError;
pub use files::{AreaRow, DigestRow, FileChange, FileDiffRow, FileHistoryQuery, FileHistoryRow, FileRow};
pub use occurrences::OccurrenceRow;
pub use options::{Fault, FaultHook, StoreOptions, WriteStep};
pub use reports::ReportRow;
pub use results::{
    ArtifactRow, DeviceRow, KeptClass, MeasurementRow, OUTCOMES, OriginRow, PerClass, ResultCounts, ResultRow,
    RunNumbers, RunResults, StepRow, outcome_word, result_word,
};
pub use results_read::{OfRun, ResultQuery};
pub use retention::{HeldRow, KeepRow, Removal, RetentionLogRow};
pub use rows::{
    AreaHead, AreaId, CatalogueRow, Committed, DutRow, Entry, FeedItem, FeedRow, GrantRow, JobQuery, JobRow, Journaled,
    Pin, PluginRow, Projection, RackRow, Recovered, RunPlace, RunRow, ServerMeta, SlotRow, Snapshot, TokenRow,
};
pub use shadows::ShadowRow;
pub use store::{Store, Ticket};

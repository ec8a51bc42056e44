//! The words of Headend as types: ids, names, inventory, jobs, leases, outcomes, paths.
//!
//! Everything else stands on this crate and it stands on nothing: no clock, no I/O, no async. A value of these types
//! is already valid; parsing happens once, in the constructors here. (`serde` is an optional feature for the journal,
//! see `engine/design/0002-serde-behind-a-feature.md`; wire types live in `headend-wire`.)
//!
//! Meet [`job::JobSpec`] first: it is what a client hands in. It becomes runs ([`ids::RunId`]); a run gets a
//! [`lease::Lease`] on slots and DUTs, is driven by a rack, and ends in exactly one [`run::Outcome`].

pub mod catalogue;
pub mod ids;
pub mod inventory;
pub mod job;
pub mod lease;
pub mod path;
pub mod pattern;
pub mod run;
pub mod schedule;
pub mod search;
pub mod time;

pub use catalogue::{Catalogue, CatalogueEntry, DeviceModel, DutRefs, IrSet, Smartcard};
pub use ids::{
    BadName, DutId, JobId, OccurrenceNo, PolicyName, RackId, RackName, ReservationId, RunId, ScheduleId,
    ScheduledTestId, SlotId, SlotNo, UserName,
};
pub use inventory::{DutFields, Inventory};
pub use job::{JobSpec, JobStatus, Mode, Priority, Target, TargetIx, TestIx, TestSpec};
pub use lease::{Epoch, Lease, LeaseTerms, LeasedTarget};
pub use path::{BadPath, TreePath};
pub use pattern::Pattern;
pub use run::{Outcome, RunState, TestResult};
pub use schedule::{NewSchedule, ScheduleKind, ScheduleName, ScheduleSettings, ScheduledTest, Timing, ZoneName};
pub use search::{BadFilter, Field, Filter};
pub use time::{Span, Timestamp};

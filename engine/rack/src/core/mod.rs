//! The heart of the daemon: one thread that owns the fence and its journal.
//!
//! ```text
//!  answers of the server ─┐                       ┌─► journal, one sync per batch
//!  ends of runs ──────────┼─► fence (pure) ─► actions ─► starts and stops of runs
//!  deadlines ─────────────┘                       └─► outbox, read by the link
//! ```
//!
//! Everything that waits is taken as one batch, so that a burst of ends and starts costs one sync of the disk. What the
//! link tells the server is what the journal holds, never more.

mod outbox;
mod shared;
mod thread;

pub(crate) use outbox::{Outbox, Report};
pub(crate) use shared::{Shared, SharedFence};
pub(crate) use thread::{Answer, Core, Msg, chain};

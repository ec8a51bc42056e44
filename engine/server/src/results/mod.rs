//! What runs have found out, as rows: made from a run's row and from the files that it has left, once it has ended, and made
//! anew whenever files come in later.
//!
//! ```text
//!  a run ends ─(trigger)─► results_due ─► survey (files, hashes, events) ─► derive (pure) ─► one transaction
//!  a file comes in later ─────▲                 └─ parse (pure)
//! ```
//!
//! The list of what is due is in the database: a server that is killed finds it there. The rows say nothing that the run's row
//! and files do not say, so they can be made again from these at any time.

mod derive;
mod due;
mod parse;
mod query;
pub(crate) mod show;
mod survey;
pub(crate) mod task;

use std::sync::atomic::{AtomicI64, Ordering};

use headend_model::Timestamp;

use due::DueRuns;
pub(crate) use query::ResultParams;

/// What handlers and the task share.
#[derive(Debug, Default)]
pub(crate) struct Results {
    /// Runs whose files have just come in.
    pub(crate) due: DueRuns,
    next_retention: AtomicI64,
}

impl Results {
    /// When retention begins next.
    pub(crate) fn next_retention(&self) -> Timestamp {
        Timestamp::from_micros(self.next_retention.load(Ordering::Relaxed))
    }

    /// It begins then.
    pub(crate) fn tell_next(&self, at: Timestamp) {
        self.next_retention.store(at.micros(), Ordering::Relaxed);
    }
}

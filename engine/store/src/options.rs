//! What a caller may set when it opens a store, and the hook by which tests make writes fail.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// Settings. The defaults suit a server.
#[derive(Clone, Debug)]
pub struct StoreOptions {
    /// Requests that may wait for the writer; more make the caller wait.
    pub queue: usize,
    /// Most entries in one transaction.
    pub batch: usize,
    /// Connections for reading.
    pub readers: u32,
    /// How long to wait for a lock that another program holds.
    pub busy_timeout: Duration,
    /// Items of the feed that are kept, at least.
    pub feed_kept: u64,
    /// Largest database, in bytes: beyond it writes end with [`crate::StoreError::Full`]. `None`: as the disk allows.
    pub max_bytes: Option<u64>,
    /// Called before each step of a write; for tests and crash drills.
    pub faults: Option<FaultHook>,
}

impl Default for StoreOptions {
    fn default() -> Self {
        Self {
            queue: 4_096,
            batch: 1_024,
            readers: 4,
            busy_timeout: Duration::from_secs(5),
            feed_kept: 100_000,
            max_bytes: None,
            faults: None,
        }
    }
}

/// A step of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WriteStep {
    /// The transaction is about to begin.
    Begin,
    /// A statement is about to run.
    Statement,
    /// The transaction is about to commit.
    Commit,
    /// It is durable, and nobody has been told.
    Committed,
}

/// What a step meets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The disk is full.
    Full,
    /// The disk fails.
    Io,
}

/// Decides before each step whether it fails. It may also end the process, for crash drills.
#[derive(Clone)]
pub struct FaultHook(Arc<dyn Fn(WriteStep) -> Option<Fault> + Send + Sync>);

impl FaultHook {
    /// Wraps a function.
    pub fn new(hook: impl Fn(WriteStep) -> Option<Fault> + Send + Sync + 'static) -> Self {
        Self(Arc::new(hook))
    }

    pub(crate) fn at(&self, step: WriteStep) -> Option<Fault> {
        (self.0)(step)
    }
}

impl fmt::Debug for FaultHook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FaultHook")
    }
}

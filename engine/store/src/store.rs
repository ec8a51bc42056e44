//! The facade. Cheap to clone; every clone shares one writer.

use std::path::Path;

use headend_model::{DutFields, DutId, JobId, RackId, RunId, Timestamp, UserName};

use crate::error::StoreError;
use crate::options::StoreOptions;
use crate::rows::{
    AreaHead, AreaId, Committed, DutRow, Entry, FeedRow, JobQuery, JobRow, Pin, PluginRow, Projection, RackRow,
    Recovered, RunRow, ServerMeta, SlotRow, TokenRow,
};

/// The server's database.
#[derive(Clone, Debug)]
pub struct Store {}

/// An entry on its way to the disk. Await [`Ticket::committed`] before telling anybody.
#[derive(Debug)]
pub struct Ticket {}

impl Ticket {
    /// Waits until the request is durable.
    ///
    /// # Errors
    /// As [`Store::append`].
    pub async fn committed(self) -> Result<Committed, StoreError> {
        pending()
    }
}

fn pending<T>() -> Result<T, StoreError> {
    Err(StoreError::Stopped { reason: "not built yet".to_owned() })
}

#[allow(clippy::unused_async, unused_variables, reason = "signatures first")]
impl Store {
    /// Opens the database in a data folder; makes folder and database when there are none.
    ///
    /// # Errors
    /// [`StoreError::InUse`] when another process has the folder; [`StoreError::Damaged`], [`StoreError::Foreign`],
    /// [`StoreError::Newer`] and [`StoreError::Missing`] when what is there cannot be used (it is left as it is).
    pub async fn open(folder: impl AsRef<Path>) -> Result<Self, StoreError> {
        Self::open_with(folder, StoreOptions::default()).await
    }

    /// [`Store::open`] with settings.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub async fn open_with(folder: impl AsRef<Path>, options: StoreOptions) -> Result<Self, StoreError> {
        pending()
    }

    /// Writes what waits, closes the connections and gives the folder free.
    pub async fn close(&self) {}

    /// Reads every page of the history (jobs, runs, feed) and reports damage. Opening checks only what recovery
    /// needs, so that a long history does not slow it; run this in the background.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] with the first fault.
    pub async fn check_history(&self) -> Result<(), StoreError> {
        pending()
    }

    // ---- journal ------------------------------------------------------------------------------------------------

    /// Hands entries to the writer, in order, without waiting for the disk. All of one call are in one transaction.
    /// Waits only while the queue is full. Calls that follow each other are stored in that order.
    ///
    /// # Errors
    /// [`StoreError::Stopped`].
    pub async fn enqueue(&self, entries: Vec<Entry>) -> Result<Ticket, StoreError> {
        pending()
    }

    /// Stores entries in one transaction, all or none, and returns when they are durable.
    ///
    /// # Errors
    /// [`StoreError::Full`], [`StoreError::Busy`], [`StoreError::Conflict`]: nothing of the call is stored, later calls
    /// may succeed. [`StoreError::Stopped`]: the disk failed; what was under way may or may not be stored.
    pub async fn append(&self, entries: Vec<Entry>) -> Result<Committed, StoreError> {
        self.enqueue(entries).await?.committed().await
    }

    /// Stores rows that belong to no event of the scheduler (tokens, plugins, feed items), in one transaction.
    ///
    /// # Errors
    /// As [`Store::append`].
    pub async fn write(&self, rows: Vec<Projection>) -> Result<Committed, StoreError> {
        pending()
    }

    /// The newest sound snapshot and the events after it.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] when there are snapshots and none is sound, or an event is missing or cannot be read.
    pub async fn recover(&self) -> Result<Recovered, StoreError> {
        pending()
    }

    /// Keeps the farm as it was after event `seq`. The two newest snapshots stay, and the journal behind the older one;
    /// what is older goes, in small steps.
    ///
    /// # Errors
    /// As [`Store::append`]; [`StoreError::Conflict`] when `seq` is not in the journal.
    pub async fn save_snapshot(&self, seq: u64, at: Timestamp, farm: Vec<u8>) -> Result<(), StoreError> {
        pending()
    }

    // ---- writes that answer -------------------------------------------------------------------------------------

    /// Uses up a one-use token: `true` exactly once, and only before it expires.
    ///
    /// # Errors
    /// As [`Store::append`].
    pub async fn redeem_enrol_token(&self, hash: &str, now: Timestamp) -> Result<bool, StoreError> {
        pending()
    }

    /// Takes a new DUT in. Ids are never given twice.
    ///
    /// # Errors
    /// As [`Store::append`].
    pub async fn create_dut(&self, fields: DutFields, at: Timestamp) -> Result<DutId, StoreError> {
        pending()
    }

    /// The number of a user's private area, given at the first call.
    ///
    /// # Errors
    /// As [`Store::append`].
    pub async fn private_area(&self, user: &UserName) -> Result<AreaId, StoreError> {
        pending()
    }

    /// Makes `tree` the area's head if it is still at revision `expected`. `also` is stored in the same transaction.
    /// The blobs of the tree must be durable already.
    ///
    /// # Errors
    /// [`StoreError::StaleRevision`] when somebody was faster; else as [`Store::append`].
    pub async fn commit_area(
        &self,
        expected: u64,
        head: AreaHead,
        also: Vec<Projection>,
    ) -> Result<Committed, StoreError> {
        pending()
    }

    /// Says that the database was restored from a backup; gives the new generation.
    ///
    /// # Errors
    /// As [`Store::append`].
    pub async fn raise_generation(&self) -> Result<u64, StoreError> {
        pending()
    }

    // ---- reads: each may fail with `Damaged` or `Database` -------------------------------------------------------

    /// A job.
    pub async fn job(&self, job: JobId) -> Result<Option<JobRow>, StoreError> {
        pending()
    }

    /// Jobs, newest first.
    pub async fn jobs(&self, query: &JobQuery) -> Result<Vec<JobRow>, StoreError> {
        pending()
    }

    /// Ended runs of a job in the order of their numbers, after the given one.
    pub async fn runs_of(&self, job: JobId, after: Option<RunId>, limit: u32) -> Result<Vec<RunRow>, StoreError> {
        pending()
    }

    /// An ended run.
    pub async fn run(&self, run: RunId) -> Result<Option<RunRow>, StoreError> {
        pending()
    }

    /// The pin of a leased run.
    pub async fn pin(&self, run: RunId) -> Result<Option<Pin>, StoreError> {
        pending()
    }

    /// Pins of all leased runs.
    pub async fn pins(&self) -> Result<Vec<Pin>, StoreError> {
        pending()
    }

    /// Items of the feed after a number, oldest first.
    pub async fn feed_after(&self, number: u64, limit: u32) -> Result<Vec<FeedRow>, StoreError> {
        pending()
    }

    /// Number of the newest item of the feed; 0: none yet.
    pub async fn last_feed(&self) -> Result<u64, StoreError> {
        pending()
    }

    /// All DUTs, by id.
    pub async fn duts(&self) -> Result<Vec<DutRow>, StoreError> {
        pending()
    }

    /// A DUT.
    pub async fn dut(&self, dut: DutId) -> Result<Option<DutRow>, StoreError> {
        pending()
    }

    /// All racks, by id.
    pub async fn racks(&self) -> Result<Vec<RackRow>, StoreError> {
        pending()
    }

    /// The rack with this token.
    pub async fn rack_by_token(&self, hash: &str) -> Result<Option<RackRow>, StoreError> {
        pending()
    }

    /// All slots, by id; or those of a rack.
    pub async fn slots(&self, rack: Option<RackId>) -> Result<Vec<SlotRow>, StoreError> {
        pending()
    }

    /// A person's token, unless it has expired.
    pub async fn token(&self, hash: &str, now: Timestamp) -> Result<Option<TokenRow>, StoreError> {
        pending()
    }

    /// All tokens of people, by user.
    pub async fn tokens(&self) -> Result<Vec<TokenRow>, StoreError> {
        pending()
    }

    /// The head of an area; `None`: nothing was ever put there.
    pub async fn area(&self, area: AreaId) -> Result<Option<AreaHead>, StoreError> {
        pending()
    }

    /// Revisions of an area, newest first, older than `before`.
    pub async fn area_history(
        &self,
        area: AreaId,
        before: Option<u64>,
        limit: u32,
    ) -> Result<Vec<AreaHead>, StoreError> {
        pending()
    }

    /// Hashes of all trees whose blobs must stay: every head, the newest `revisions` of each area, and all pins.
    pub async fn live_trees(&self, revisions: u32) -> Result<Vec<String>, StoreError> {
        pending()
    }

    /// All plugins, by name.
    pub async fn plugins(&self) -> Result<Vec<PluginRow>, StoreError> {
        pending()
    }

    /// Facts of the server itself.
    pub async fn meta(&self) -> Result<ServerMeta, StoreError> {
        pending()
    }
}

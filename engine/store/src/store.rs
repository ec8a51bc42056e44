//! The facade. Cheap to clone; every clone shares one writer.

use std::path::Path;
use std::sync::{Arc, OnceLock};

use headend_model::{DutFields, DutId, JobId, RackId, RunId, Timestamp, UserName};

use tokio::sync::{Mutex, mpsc, oneshot};
use tokio::task::JoinHandle;

use crate::error::StoreError;
use crate::open::{self, Places};
use crate::options::StoreOptions;
use crate::read::Reader;
use crate::rows::{
    AreaHead, AreaId, CatalogueRow, Committed, DutRow, Entry, FeedRow, GrantRow, JobQuery, JobRow, Journaled, Pin,
    PluginRow, Projection, RackRow, Recovered, RunRow, ServerMeta, SlotRow, Snapshot, TokenRow,
};
use crate::writer::{Answer, Request, StopReason, Work, Writer};

/// Tables that recovery does not need.
const HISTORY: [&str; 9] = [
    "jobs",
    "runs",
    "results",
    "result_devices",
    "result_steps",
    "result_measurements",
    "result_artifacts",
    "occurrences",
    "feed",
];

/// The server's database.
#[derive(Clone, Debug)]
pub struct Store {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    /// Gone once the store is closed.
    inbox: std::sync::RwLock<Option<mpsc::Sender<Request>>>,
    reader: Reader,
    stopped: StopReason,
    writer: Mutex<Option<JoinHandle<()>>>,
}

/// A request on its way to the disk. Await [`Ticket::committed`] before telling anybody.
#[derive(Debug)]
pub struct Ticket {
    answer: oneshot::Receiver<Result<Answer, StoreError>>,
    stopped: StopReason,
}

impl Ticket {
    /// Waits until the request is durable.
    ///
    /// # Errors
    /// As [`Store::append`].
    pub async fn committed(self) -> Result<Committed, StoreError> {
        match self.answer().await? {
            Answer::Committed(committed) => Ok(committed),
            other => Err(odd(&other)),
        }
    }

    pub(crate) async fn answer(self) -> Result<Answer, StoreError> {
        match self.answer.await {
            Ok(answer) => answer,
            Err(_) => Err(closed(&self.stopped)),
        }
    }
}

fn closed(stopped: &StopReason) -> StoreError {
    stopped.get().cloned().unwrap_or_else(|| StoreError::Stopped { reason: "it was closed".to_owned() })
}

/// The writer answers each kind of work with its own kind of answer; anything else is a fault of ours.
pub(crate) fn odd(answer: &Answer) -> StoreError {
    StoreError::Stopped { reason: format!("the writer gave an answer to another question ({answer:?})") }
}

fn encode(entries: Vec<Entry>) -> Result<Work, StoreError> {
    let mut events = Vec::with_capacity(entries.len());
    let mut rows = Vec::new();
    for entry in entries {
        let text = serde_json::to_string(&entry.event);
        events.push((entry.at, text.map_err(|e| StoreError::Conflict { what: format!("the event: {e}") })?));
        rows.extend(entry.projections);
    }
    Ok(Work::Append { events, rows })
}

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
        let places = Places::of(folder.as_ref());
        let opened = open::open(&places, &options).await?;
        let stopped: StopReason = Arc::new(OnceLock::new());
        let (inbox, requests) = mpsc::channel(options.queue.max(1));
        let writer =
            Writer::new(opened.writer, opened.checkpoints, places.clone(), options, stopped.clone(), opened.lock)
                .await?;
        let reader = Reader { pool: opened.readers, places };
        let writer = Mutex::new(Some(tokio::spawn(writer.run(requests))));
        let inbox = std::sync::RwLock::new(Some(inbox));
        Ok(Self { inner: Arc::new(Inner { inbox, reader, stopped, writer }) })
    }

    /// Writes what waits, closes the connections and gives the folder free.
    pub async fn close(&self) {
        if let Ok(mut inbox) = self.inner.inbox.write() {
            inbox.take();
        }
        // Readers first: the last connection to close is the writer, which then clears the log away.
        self.inner.reader.pool.close().await;
        if let Some(writer) = self.inner.writer.lock().await.take()
            && let Err(error) = writer.await
        {
            tracing::error!(%error, "the writer of the database has failed");
        }
    }

    /// Why nothing is acknowledged any more, if that is so. A server with such a store ends itself.
    pub fn stopped(&self) -> Option<StoreError> {
        self.inner.stopped.get().cloned()
    }

    /// The reader connections.
    pub(crate) fn reader(&self) -> &Reader {
        &self.inner.reader
    }

    pub(crate) async fn ask(&self, work: Work) -> Result<Ticket, StoreError> {
        if let Some(reason) = self.stopped() {
            return Err(reason);
        }
        let inbox = self.inner.inbox.read().ok().and_then(|inbox| inbox.clone());
        let (reply, answer) = oneshot::channel();
        let sent = match inbox {
            Some(inbox) => inbox.send(Request { work, reply }).await.is_ok(),
            None => false,
        };
        if sent { Ok(Ticket { answer, stopped: self.inner.stopped.clone() }) } else { Err(closed(&self.inner.stopped)) }
    }

    /// Reads every page of the history (jobs, runs, results, occurrences, feed) and reports damage. Opening checks only what recovery
    /// needs, so that a long history does not slow it; run this in the background.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] with the first fault.
    pub async fn check_history(&self) -> Result<(), StoreError> {
        let mut connection = self.inner.reader.connection().await?;
        open::quick_check(&self.inner.reader.places, &mut connection, &HISTORY).await
    }

    // ---- journal ------------------------------------------------------------------------------------------------

    /// Hands entries to the writer, in order, without waiting for the disk. All of one call are in one transaction.
    /// Waits only while the queue is full. Calls that follow each other are stored in that order.
    ///
    /// # Errors
    /// [`StoreError::Stopped`].
    pub async fn enqueue(&self, entries: Vec<Entry>) -> Result<Ticket, StoreError> {
        self.ask(encode(entries)?).await
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
        self.ask(Work::Append { events: Vec::new(), rows }).await?.committed().await
    }

    /// The newest sound snapshot and the events after it.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] when there are snapshots and none is sound, or an event is missing or cannot be read.
    pub async fn recover(&self) -> Result<Recovered, StoreError> {
        self.inner.reader.recover().await
    }

    /// All sound snapshots, oldest first, and all events after the first of them: what there is to decide again.
    ///
    /// # Errors
    /// As [`Store::recover`].
    pub async fn whole_journal(&self) -> Result<(Vec<Snapshot>, Vec<Journaled>), StoreError> {
        self.inner.reader.whole_journal().await
    }

    /// Keeps the farm as it was after event `seq`. The two newest snapshots stay, and the journal behind the older one;
    /// what is older goes, in small steps.
    ///
    /// # Errors
    /// As [`Store::append`]; [`StoreError::Conflict`] when `seq` is not in the journal.
    pub async fn save_snapshot(&self, seq: u64, at: Timestamp, farm: Vec<u8>) -> Result<(), StoreError> {
        let hash = blake3::hash(&farm).to_hex().to_string();
        self.ask(Work::Snapshot { seq, at, hash, farm }).await?.committed().await.map(drop)
    }

    // ---- writes that answer -------------------------------------------------------------------------------------

    /// Uses up a one-use token: `true` exactly once, and only before it expires.
    ///
    /// # Errors
    /// As [`Store::append`].
    pub async fn redeem_enrol_token(&self, hash: &str, now: Timestamp) -> Result<bool, StoreError> {
        let work = Work::Redeem { hash: hash.to_owned(), now };
        match self.ask(work).await?.answer().await? {
            Answer::Redeemed(answer) => Ok(answer),
            other => Err(odd(&other)),
        }
    }

    /// Reserves ids for DUTs; the first of them. An id is never given twice, used or not.
    ///
    /// # Errors
    /// As [`Store::append`].
    pub async fn take_dut_ids(&self, count: u64) -> Result<u64, StoreError> {
        self.take_ids("next_dut", count).await
    }

    /// Reserves ids for models, infrared sets and smartcards; the first of them.
    ///
    /// # Errors
    /// As [`Store::append`].
    pub async fn take_catalogue_ids(&self, count: u64) -> Result<u64, StoreError> {
        self.take_ids("next_catalogue", count).await
    }

    async fn take_ids(&self, counter: &'static str, count: u64) -> Result<u64, StoreError> {
        match self.ask(Work::TakeIds { counter, count }).await?.answer().await? {
            Answer::FirstId(first) => Ok(first),
            other => Err(odd(&other)),
        }
    }

    /// Takes a new DUT in. Ids are never given twice.
    ///
    /// # Errors
    /// As [`Store::append`].
    pub async fn create_dut(&self, fields: DutFields, at: Timestamp) -> Result<DutId, StoreError> {
        let work = Work::CreateDut { fields: Box::new(fields), at };
        match self.ask(work).await?.answer().await? {
            Answer::Dut(answer) => Ok(answer),
            other => Err(odd(&other)),
        }
    }

    /// The number of a user's private area, given at the first call.
    ///
    /// # Errors
    /// As [`Store::append`].
    pub async fn private_area(&self, user: &UserName) -> Result<AreaId, StoreError> {
        let work = Work::PrivateArea { user: user.clone() };
        match self.ask(work).await?.answer().await? {
            Answer::Area(answer) => Ok(answer),
            other => Err(odd(&other)),
        }
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
        self.ask(Work::CommitArea { expected, head, also }).await?.committed().await
    }

    /// Says that the database was restored from a backup; gives the new generation.
    ///
    /// # Errors
    /// As [`Store::append`].
    pub async fn raise_generation(&self) -> Result<u64, StoreError> {
        let work = Work::RaiseGeneration;
        match self.ask(work).await?.answer().await? {
            Answer::Generation(answer) => Ok(answer),
            other => Err(odd(&other)),
        }
    }

    // ---- reads: each may fail with `Damaged` or `Database` -------------------------------------------------------

    /// A job.
    pub async fn job(&self, job: JobId) -> Result<Option<JobRow>, StoreError> {
        self.inner.reader.job(job).await
    }

    /// Jobs, newest first.
    pub async fn jobs(&self, query: &JobQuery) -> Result<Vec<JobRow>, StoreError> {
        self.inner.reader.jobs(query).await
    }

    /// Ended runs of a job in the order of their numbers, after the given one.
    pub async fn runs_of(&self, job: JobId, after: Option<RunId>, limit: u32) -> Result<Vec<RunRow>, StoreError> {
        self.inner.reader.runs_of(job, after, limit).await
    }

    /// An ended run.
    pub async fn run(&self, run: RunId) -> Result<Option<RunRow>, StoreError> {
        self.inner.reader.run(run).await
    }

    /// The pin of a leased run.
    pub async fn pin(&self, run: RunId) -> Result<Option<Pin>, StoreError> {
        self.inner.reader.pin(run).await
    }

    /// Pins of all leased runs.
    pub async fn pins(&self) -> Result<Vec<Pin>, StoreError> {
        self.inner.reader.pins().await
    }

    /// Items of the feed after a number, oldest first.
    pub async fn feed_after(&self, number: u64, limit: u32) -> Result<Vec<FeedRow>, StoreError> {
        self.inner.reader.feed_after(number, limit).await
    }

    /// Number of the newest item of the feed; 0: none yet.
    pub async fn last_feed(&self) -> Result<u64, StoreError> {
        self.inner.reader.last_feed().await
    }

    /// All DUTs, by id.
    pub async fn duts(&self) -> Result<Vec<DutRow>, StoreError> {
        self.inner.reader.duts().await
    }

    /// Models, infrared sets and smartcards, by id.
    pub async fn catalogue(&self) -> Result<Vec<CatalogueRow>, StoreError> {
        self.inner.reader.catalogue().await
    }

    /// A DUT.
    pub async fn dut(&self, dut: DutId) -> Result<Option<DutRow>, StoreError> {
        self.inner.reader.dut(dut).await
    }

    /// All racks, by id.
    pub async fn racks(&self) -> Result<Vec<RackRow>, StoreError> {
        self.inner.reader.racks().await
    }

    /// The rack with this token.
    pub async fn rack_by_token(&self, hash: &str) -> Result<Option<RackRow>, StoreError> {
        self.inner.reader.rack_by_token(hash).await
    }

    /// All slots, by id; or those of a rack.
    pub async fn slots(&self, rack: Option<RackId>) -> Result<Vec<SlotRow>, StoreError> {
        self.inner.reader.slots(rack).await
    }

    /// A person's token, unless it has expired.
    pub async fn token(&self, hash: &str, now: Timestamp) -> Result<Option<TokenRow>, StoreError> {
        self.inner.reader.token(hash, now).await
    }

    /// Whether [`Store::redeem_enrol_token`] would take this token. It stays good.
    pub async fn knows_enrol_token(&self, hash: &str, now: Timestamp) -> Result<bool, StoreError> {
        self.inner.reader.enrol_token(hash, now).await
    }

    /// All tokens of people, by user.
    pub async fn tokens(&self) -> Result<Vec<TokenRow>, StoreError> {
        self.inner.reader.tokens().await
    }

    /// The head of an area; `None`: nothing was ever put there.
    pub async fn area(&self, area: AreaId) -> Result<Option<AreaHead>, StoreError> {
        self.inner.reader.area(area).await
    }

    /// Revisions of an area, newest first, older than `before`.
    pub async fn area_history(
        &self,
        area: AreaId,
        before: Option<u64>,
        limit: u32,
    ) -> Result<Vec<AreaHead>, StoreError> {
        self.inner.reader.area_history(area, before, limit).await
    }

    /// Hashes of all trees whose blobs must stay: every head, the newest `revisions` of each area, and all pins.
    pub async fn live_trees(&self, revisions: u32) -> Result<Vec<String>, StoreError> {
        self.inner.reader.live_trees(revisions).await
    }

    /// What was granted to plugins while the server ran.
    pub async fn plugin_grants(&self) -> Result<Vec<GrantRow>, StoreError> {
        self.inner.reader.grants().await
    }

    /// All plugins, by name.
    pub async fn plugins(&self) -> Result<Vec<PluginRow>, StoreError> {
        self.inner.reader.plugins().await
    }

    /// Facts of the server itself.
    pub async fn meta(&self) -> Result<ServerMeta, StoreError> {
        self.inner.reader.meta().await
    }
}

//! The task that owns the one writing connection: takes all that waits, writes it in one transaction, tells all.

use std::sync::{Arc, OnceLock};

use headend_model::{DutFields, DutId, RunId, Timestamp, UserName};
use sqlx::{Connection, SqliteConnection};
use tokio::sync::{mpsc, oneshot};

use crate::checkpoint::Checkpoints;
use crate::codec::{Columns, Values};
use crate::error::StoreError;
use crate::files::{self, DigestRow, FileRow};
use crate::occurrences;
use crate::open::{FolderLock, Places};
use crate::options::StoreOptions;
use crate::rare;
use crate::results::{self, RunResults};
use crate::retention::{self, Removal};
use crate::rows::{AreaHead, AreaId, Committed, Projection};
use crate::sheet::Sheet;
use crate::tx::Tx;

/// Rows that one transaction prunes at most: pruning must not make anybody wait.
const PRUNED_AT_ONCE: u64 = 2_000;
/// The feed grows so far beyond what is kept before it is cut.
const FEED_SLACK: u64 = 500;

/// Something to write. Pure data: it may be tried again alone after a transaction with others has failed.
#[derive(Debug)]
pub(crate) enum Work {
    Append {
        events: Vec<(Timestamp, String)>,
        rows: Vec<Projection>,
    },
    Snapshot {
        seq: u64,
        at: Timestamp,
        hash: String,
        farm: Vec<u8>,
    },
    Redeem {
        hash: String,
        now: Timestamp,
    },
    CreateDut {
        fields: Box<DutFields>,
        at: Timestamp,
    },
    /// Of the counter `next_dut` or `next_catalogue`.
    TakeIds {
        counter: &'static str,
        count: u64,
    },
    PrivateArea {
        user: UserName,
    },
    CommitArea {
        expected: u64,
        head: AreaHead,
        also: Vec<Projection>,
    },
    /// What a revision that is not committed yet does to files. `first`: an earlier try may have left rows.
    FileRows {
        area: AreaId,
        revision: u64,
        first: bool,
        rows: Vec<FileRow>,
    },
    Digests {
        rows: Vec<DigestRow>,
    },
    DigestsGone {
        sha256: Vec<String>,
    },
    OccurrencesGone {
        keys: Vec<(u64, u64)>,
    },
    Results {
        runs: Vec<RunResults>,
    },
    ResultsChanged {
        run: RunId,
    },
    Remove {
        removals: Vec<Removal>,
        at: Timestamp,
    },
    /// The files of these that were to go are gone.
    RemovalsDone {
        runs: Vec<RunId>,
    },
    RaiseGeneration,
}

/// What came of it.
#[derive(Debug)]
pub(crate) enum Answer {
    Committed(Committed),
    Redeemed(bool),
    Dut(DutId),
    Area(AreaId),
    Generation(u64),
    FirstId(u64),
    Removed(Vec<Removal>),
}

pub(crate) struct Request {
    pub(crate) work: Work,
    pub(crate) reply: oneshot::Sender<Result<Answer, StoreError>>,
}

/// Why nothing is acknowledged any more, once that is so.
pub(crate) type StopReason = Arc<OnceLock<StoreError>>;

/// Where the numbers stand.
#[derive(Clone, Copy, Debug, Default)]
struct Marks {
    next_seq: u64,
    next_feed: u64,
    oldest_seq: u64,
    oldest_feed: u64,
    /// The journal may go up to and with this event.
    prune_to: u64,
}

pub(crate) struct Writer {
    connection: SqliteConnection,
    checkpoints: Checkpoints,
    places: Places,
    options: StoreOptions,
    stopped: StopReason,
    marks: Marks,
    lock: FolderLock,
}

impl Writer {
    pub(crate) async fn new(
        mut connection: SqliteConnection,
        checkpoints: SqliteConnection,
        places: Places,
        options: StoreOptions,
        stopped: StopReason,
        lock: FolderLock,
    ) -> Result<Self, StoreError> {
        let marks = read_marks(&mut connection, &places).await?;
        let checkpoints = Checkpoints::start(checkpoints);
        Ok(Self { connection, checkpoints, places, options, stopped, marks, lock })
    }

    /// Works until all senders are gone.
    pub(crate) async fn run(mut self, mut inbox: mpsc::Receiver<Request>) {
        let most = self.options.batch.max(1);
        let mut batch = Vec::with_capacity(most);
        let mut may_tidy = true;
        loop {
            if may_tidy && self.is_untidy() && inbox.is_empty() {
                may_tidy = self.attempt(&[]).await.is_ok();
                continue;
            }
            if inbox.recv_many(&mut batch, most).await == 0 {
                break;
            }
            self.serve(std::mem::take(&mut batch)).await;
            self.checkpoints.committed(&mut self.connection).await;
            may_tidy = self.stopped.get().is_none();
        }
        self.checkpoints.end().await;
        if let Err(error) = self.connection.close().await {
            tracing::warn!(%error, "the database was not closed in good order");
        }
        // Only now may another server come in.
        drop(self.lock);
    }

    async fn serve(&mut self, batch: Vec<Request>) {
        let (works, replies): (Vec<Work>, Vec<_>) = batch.into_iter().map(|r| (r.work, r.reply)).unzip();
        match self.attempt(&works).await {
            Ok(answers) => replies.into_iter().zip(answers).for_each(|(reply, answer)| tell(reply, Ok(answer))),
            // One bad request must not take the others along: each on its own.
            Err(error) if works.len() > 1 && !error.is_general() => {
                for (work, reply) in works.iter().zip(replies) {
                    let done = self.attempt(std::slice::from_ref(work)).await;
                    tell(reply, done.and_then(|mut answers| answers.pop().ok_or(error.clone())));
                }
            }
            Err(error) => replies.into_iter().for_each(|reply| tell(reply, Err(error.clone()))),
        }
    }

    /// One transaction for all of it: all or none.
    async fn attempt(&mut self, works: &[Work]) -> Result<Vec<Answer>, StoreError> {
        if let Some(reason) = self.stopped.get() {
            return Err(reason.clone());
        }
        let mut tx =
            Tx { connection: &mut self.connection, places: &self.places, faults: self.options.faults.as_ref() };
        let mut marks = self.marks;
        let done = transact(&mut tx, works, &mut marks, &self.options).await;
        match &done {
            Ok(_) => self.marks = marks,
            Err(error) if error.is_final() => {
                tracing::error!(%error, "the store stops: nothing is acknowledged from now on");
                let _ = self.stopped.set(error.clone());
            }
            Err(_) => tx.rollback().await,
        }
        done
    }

    fn is_untidy(&self) -> bool {
        self.marks.oldest_seq <= self.marks.prune_to
    }
}

fn tell(reply: oneshot::Sender<Result<Answer, StoreError>>, answer: Result<Answer, StoreError>) {
    // Whoever does not wait any more needs no answer.
    let _ = reply.send(answer);
}

async fn transact(
    tx: &mut Tx<'_>,
    works: &[Work],
    marks: &mut Marks,
    options: &StoreOptions,
) -> Result<Vec<Answer>, StoreError> {
    tx.begin().await?;
    let mut sheet = Sheet::new(marks.next_seq, marks.next_feed);
    let mut answers = Vec::with_capacity(works.len());
    for work in works {
        answers.push(apply(tx, &mut sheet, marks, work).await?);
    }
    (marks.next_seq, marks.next_feed) = (sheet.next_seq, sheet.next_feed);
    sheet.flush(tx).await?;
    prune_journal(tx, marks).await?;
    prune_feed(tx, marks, options.feed_kept).await?;
    tx.commit().await?;
    Ok(answers)
}

async fn apply<'a>(
    tx: &mut Tx<'_>,
    sheet: &mut Sheet<'a>,
    marks: &mut Marks,
    work: &'a Work,
) -> Result<Answer, StoreError> {
    match work {
        Work::Append { events, rows } => {
            for (at, event) in events {
                sheet.event(*at, event);
            }
            write_rows(tx, sheet, rows).await
        }
        Work::Snapshot { seq, at, hash, farm } => {
            let last = sheet.next_seq - 1;
            if *seq > last {
                let what = format!("a snapshot after event {seq}: the journal ends with {last}");
                return Err(StoreError::Conflict { what });
            }
            marks.prune_to = save_snapshot(tx, *seq, *at, hash, farm).await?;
            Ok(Answer::Committed(Committed { seq: last, feed: sheet.next_feed..sheet.next_feed }))
        }
        Work::Redeem { hash, now } => rare::redeem(tx, hash, *now).await.map(Answer::Redeemed),
        Work::CreateDut { fields, at } => rare::create_dut(tx, fields, *at).await.map(Answer::Dut),
        Work::TakeIds { counter, count } => rare::take_ids(tx, counter, *count).await.map(Answer::FirstId),
        Work::PrivateArea { user } => rare::private_area(tx, user).await.map(Answer::Area),
        Work::CommitArea { expected, head, also } => {
            rare::commit_area(tx, *expected, head).await?;
            write_rows(tx, sheet, also).await
        }
        Work::FileRows { area, revision, first, rows } => {
            files::write_rows(tx, (*area, *revision), *first, rows).await?;
            write_rows(tx, sheet, &[]).await
        }
        Work::Digests { rows } => {
            files::write_digests(tx, rows).await?;
            write_rows(tx, sheet, &[]).await
        }
        Work::DigestsGone { sha256 } => {
            files::forget_digests(tx, sha256).await?;
            write_rows(tx, sheet, &[]).await
        }
        Work::OccurrencesGone { keys } => {
            occurrences::forget(tx, keys).await?;
            write_rows(tx, sheet, &[]).await
        }
        Work::Results { runs } => {
            results::save(tx, runs).await?;
            write_rows(tx, sheet, &[]).await
        }
        Work::ResultsChanged { run } => {
            results::changed(tx, *run).await?;
            write_rows(tx, sheet, &[]).await
        }
        Work::Remove { removals, at } => retention::remove(tx, removals, *at).await.map(Answer::Removed),
        Work::RemovalsDone { runs } => {
            retention::done(tx, runs).await?;
            write_rows(tx, sheet, &[]).await
        }
        Work::RaiseGeneration => rare::raise(tx, "generation").await.map(Answer::Generation),
    }
}

async fn write_rows<'a>(tx: &mut Tx<'_>, sheet: &mut Sheet<'a>, rows: &'a [Projection]) -> Result<Answer, StoreError> {
    let first = sheet.next_feed;
    for row in rows {
        sheet.row(tx, row).await?;
    }
    Ok(Answer::Committed(Committed { seq: sheet.next_seq - 1, feed: first..sheet.next_feed }))
}

/// Stores it, keeps the two newest, and tells up to where the journal may go.
async fn save_snapshot(tx: &mut Tx<'_>, seq: u64, at: Timestamp, hash: &str, farm: &[u8]) -> Result<u64, StoreError> {
    let mut values = Values::default();
    values.number(seq).time(at).text(hash).bytes(farm.to_vec());
    let sql = "INSERT INTO snapshots (seq, at, hash, farm) VALUES ($1, $2, $3, $4) \
               ON CONFLICT (seq) DO UPDATE SET at = excluded.at, hash = excluded.hash, farm = excluded.farm";
    tx.run(sql, values).await?;
    let sql = "DELETE FROM snapshots WHERE seq NOT IN (SELECT seq FROM snapshots ORDER BY seq DESC LIMIT 2)";
    tx.run(sql, Values::default()).await?;
    match tx.one(OLDER_OF_TWO, Values::default()).await? {
        Some(row) => row.number("seq"),
        None => Ok(0),
    }
}

const OLDER_OF_TWO: &str = "SELECT seq FROM snapshots ORDER BY seq DESC LIMIT 1 OFFSET 1";

async fn prune_journal(tx: &mut Tx<'_>, marks: &mut Marks) -> Result<(), StoreError> {
    if marks.oldest_seq > marks.prune_to {
        return Ok(());
    }
    let to = marks.prune_to.min(marks.oldest_seq + PRUNED_AT_ONCE - 1);
    let mut values = Values::default();
    values.number(to);
    tx.run("DELETE FROM journal WHERE seq <= $1", values).await?;
    marks.oldest_seq = to + 1;
    Ok(())
}

async fn prune_feed(tx: &mut Tx<'_>, marks: &mut Marks, kept: u64) -> Result<(), StoreError> {
    let there = marks.next_feed - marks.oldest_feed;
    // The newest stays in any case: the next number is read off it after a restart.
    let kept = kept.max(1);
    if there <= kept + FEED_SLACK {
        return Ok(());
    }
    let oldest = (marks.next_feed - kept).min(marks.oldest_feed + PRUNED_AT_ONCE);
    let mut values = Values::default();
    values.number(oldest);
    tx.run("DELETE FROM feed WHERE number < $1", values).await?;
    marks.oldest_feed = oldest;
    Ok(())
}

async fn read_marks(connection: &mut SqliteConnection, places: &Places) -> Result<Marks, StoreError> {
    let mut tx = Tx { connection, places, faults: None };
    let snapshot = number(&mut tx, "SELECT max(seq) AS n FROM snapshots").await?;
    let older = match tx.one(OLDER_OF_TWO, Values::default()).await? {
        Some(row) => row.number("seq")?,
        None => 0,
    };
    let last = number(&mut tx, "SELECT max(seq) AS n FROM journal").await?;
    let first = number(&mut tx, "SELECT min(seq) AS n FROM journal").await?;
    let last_feed = number(&mut tx, "SELECT max(number) AS n FROM feed").await?;
    let first_feed = number(&mut tx, "SELECT min(number) AS n FROM feed").await?;
    let next_seq = last.max(snapshot).unwrap_or(0) + 1;
    let next_feed = last_feed.unwrap_or(0) + 1;
    Ok(Marks {
        next_seq,
        next_feed,
        oldest_seq: first.unwrap_or(next_seq),
        oldest_feed: first_feed.unwrap_or(next_feed),
        prune_to: older,
    })
}

async fn number(tx: &mut Tx<'_>, sql: &'static str) -> Result<Option<u64>, StoreError> {
    let row: Option<Columns<'_>> = tx.one(sql, Values::default()).await?;
    row.map_or(Ok(None), |row| row.maybe_number("n"))
}

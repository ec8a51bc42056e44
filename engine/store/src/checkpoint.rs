//! Moves what stands in the write-ahead log into the database, beside the writer instead of within its commits.
//!
//! By itself SQLite does this in the commit that makes the log long, and whoever waits for that commit waits for all those pages
//! and the sync of the database: a few milliseconds on an idle disk, tens on a busy one. A passive checkpoint on a connection of its
//! own holds up nobody. The log begins again from its start only when nothing is left in it, which never happens beside
//! a writer that goes on; so once the log is long, the writer does the small rest itself, between two transactions.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use sqlx::{Connection, SqliteConnection};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// Transactions from one checkpoint to the next. One of the farm has about ten pages of 4 KiB.
const COMMITS: u32 = 100;
/// The log may have so many pages, and those of [`COMMITS`] on top, before it begins again: 16 MiB.
const LONG: i64 = 4_096;

/// What the writer has of it.
pub(crate) struct Checkpoints {
    commits: u32,
    due: mpsc::Sender<()>,
    log_is_long: Arc<AtomicBool>,
    task: JoinHandle<()>,
}

impl Checkpoints {
    /// Begins, on a connection of its own.
    pub(crate) fn start(connection: SqliteConnection) -> Self {
        // One that is due and has not begun counts for all that come meanwhile.
        let (due, asked) = mpsc::channel(1);
        let log_is_long = Arc::new(AtomicBool::new(false));
        let task = tokio::spawn(work(connection, asked, log_is_long.clone()));
        Self { commits: 0, due, log_is_long, task }
    }

    /// To be called after each transaction, with the connection that wrote it.
    pub(crate) async fn committed(&mut self, writer: &mut SqliteConnection) {
        self.commits += 1;
        if self.commits >= COMMITS {
            self.commits = 0;
            let _ = self.due.try_send(());
        }
        if self.log_is_long.swap(false, Ordering::Relaxed) {
            checkpoint(writer).await;
        }
    }

    /// Ends, and closes its connection: the writer's is to be the last.
    pub(crate) async fn end(self) {
        drop(self.due);
        if let Err(error) = self.task.await {
            tracing::error!(%error, "the task of checkpoints has failed");
        }
    }
}

async fn work(mut connection: SqliteConnection, mut asked: mpsc::Receiver<()>, log_is_long: Arc<AtomicBool>) {
    while asked.recv().await.is_some() {
        if checkpoint(&mut connection).await.is_some_and(|pages| pages >= LONG) {
            log_is_long.store(true, Ordering::Relaxed);
        }
    }
    if let Err(error) = connection.close().await {
        tracing::debug!(%error, "the connection of checkpoints was not closed in good order");
    }
}

/// Pages in the log. `None`: not now, for example on a full disk. Nothing is lost by that, and the next one is not far.
async fn checkpoint(connection: &mut SqliteConnection) -> Option<i64> {
    let done: Result<(i64, i64, i64), _> = sqlx::query_as("PRAGMA wal_checkpoint(PASSIVE)").fetch_one(connection).await;
    match done {
        Ok((_busy, pages, _moved)) => Some(pages),
        Err(error) => {
            tracing::debug!(%error, "no checkpoint");
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use headend_model::Timestamp;
    use headend_scheduler::Event;

    use crate::{Entry, Store};

    #[tokio::test]
    async fn the_log_begins_again_while_the_writer_goes_on() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).await.unwrap();
        let at = Timestamp::from_micros(1);
        store.append(vec![Entry { at, event: Event::Tick, projections: vec![] }]).await.unwrap();
        // Each is more than 40 kB of log, so 60 MB in all.
        for _ in 0..1_500 {
            store.save_snapshot(1, at, vec![0; 40_000]).await.unwrap();
        }
        let log = folder.path().join("headend.db-wal").metadata().unwrap().len();
        assert!(log < 35_000_000, "{log} bytes");
        store.close().await;
    }
}

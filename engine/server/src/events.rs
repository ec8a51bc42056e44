//! The feed, live: everything that has just become durable, for whoever watches.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use headend_store::FeedRow;
use headend_wire::api::EventItem;
use tokio::sync::broadcast;

use crate::clock::rfc3339;

/// Items that a slow watcher may lag behind before it has to read from the store again.
const BOUND: usize = 1_024;

/// Sends what happens to all who watch. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Bus {
    sender: broadcast::Sender<Arc<EventItem>>,
    last: Arc<AtomicU64>,
}

impl Bus {
    /// A bus that goes on after item `last`.
    pub(crate) fn after(last: u64) -> Self {
        Self { sender: broadcast::Sender::new(BOUND), last: Arc::new(AtomicU64::new(last)) }
    }

    /// Number of the newest stored item.
    pub(crate) fn last(&self) -> u64 {
        self.last.load(Ordering::Acquire)
    }

    /// Tells everybody of a stored item.
    pub(crate) fn publish(&self, row: FeedRow) {
        self.last.fetch_max(row.number, Ordering::AcqRel);
        // Nobody watches: fine.
        let _ = self.sender.send(Arc::new(item_of(row)));
    }

    /// Tells those who watch right now; not stored, so it has no number of its own.
    pub(crate) fn whisper(&self, mut item: EventItem) {
        item.number = 0;
        let _ = self.sender.send(Arc::new(item));
    }

    /// All items from now on.
    pub(crate) fn watch(&self) -> broadcast::Receiver<Arc<EventItem>> {
        self.sender.subscribe()
    }
}

/// A stored item as the API shows it.
pub(crate) fn item_of(row: FeedRow) -> EventItem {
    let item = row.item;
    EventItem {
        number: row.number,
        at: rfc3339(item.at),
        kind: item.kind,
        job: item.job.map(|job| job.0),
        run: item.run.map(|run| run.0),
        text: item.text,
        data: item.data,
    }
}

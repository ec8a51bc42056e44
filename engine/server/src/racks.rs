//! Which racks wait for orders, and what was offered to whom lately.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use headend_model::{RackId, RunId};
use tokio::sync::Notify;

/// One entry per rack that has ever spoken in this life of the server; racks are enrolled, so they are bounded.
#[derive(Default)]
pub(crate) struct Board {
    racks: Mutex<HashMap<RackId, Arc<RackDesk>>>,
}

/// What a rack is told about a lease that it does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Word {
    /// Start it.
    Start,
    /// Never start it.
    Refuse,
}

/// A run, which try of it, and what is said of it.
type Said = (RunId, u32, Word);

/// A rack's wake-up, and its memory of offers.
#[derive(Default)]
pub(crate) struct RackDesk {
    /// Rings when the rack may have something to do.
    pub(crate) news: Notify,
    /// One process at a time may say `ready` for a rack.
    pub(crate) ready: tokio::sync::Mutex<()>,
    /// The process that speaks for the rack, as far as this life of the server knows: 0 if not yet.
    pub(crate) life: std::sync::atomic::AtomicU64,
    /// Words that are on their way, and offers known to be held: when that was last so.
    offers: Mutex<HashMap<Said, Instant>>,
}

impl Board {
    /// The desk of a rack.
    pub(crate) fn desk(&self, rack: RackId) -> Arc<RackDesk> {
        self.racks.lock().unwrap_or_else(PoisonError::into_inner).entry(rack).or_default().clone()
    }

    /// Something may be there for this rack.
    pub(crate) fn wake(&self, rack: RackId) {
        self.desk(rack).news.notify_waiters();
    }
}

impl RackDesk {
    /// The rack has named these as held.
    pub(crate) fn saw(&self, held: impl IntoIterator<Item = Said>) {
        let now = Instant::now();
        self.lock().extend(held.into_iter().map(|key| (key, now)));
    }

    /// Whether to say this now: not again while the last word may still be on its way. Counts as said if so.
    pub(crate) fn offer(&self, key: Said, patience: Duration) -> bool {
        let now = Instant::now();
        let mut offers = self.lock();
        let fresh = offers.get(&key).is_some_and(|seen| now.duration_since(*seen) < patience);
        if !fresh {
            offers.insert(key, now);
        }
        !fresh
    }

    /// Forgets all but these runs.
    pub(crate) fn keep(&self, live: impl Fn(RunId) -> bool) {
        self.lock().retain(|(run, ..), _| live(*run));
    }

    /// A new life of the rack holds nothing.
    pub(crate) fn forget(&self) {
        self.lock().clear();
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Said, Instant>> {
        self.offers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

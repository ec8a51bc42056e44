//! Which slots are in use by a run: a tool is not taken away under one.

use std::collections::BTreeMap;

use tokio::sync::watch;

/// Counts per slot.
#[derive(Debug)]
pub(crate) struct Users(BTreeMap<u16, watch::Sender<usize>>);

/// Slots in use until this is dropped.
#[derive(Debug)]
pub(crate) struct Using(Vec<watch::Sender<usize>>);

impl Users {
    pub(crate) fn new(slots: impl IntoIterator<Item = u16>) -> Self {
        Self(slots.into_iter().map(|slot| (slot, watch::Sender::new(0))).collect())
    }

    /// A run begins on these slots.
    pub(crate) fn enter(&self, slots: impl IntoIterator<Item = u16>) -> Using {
        let held: Vec<_> = slots.into_iter().filter_map(|slot| self.0.get(&slot).cloned()).collect();
        for count in &held {
            count.send_modify(|count| *count += 1);
        }
        Using(held)
    }

    /// How many runs are on a slot, and when that changes.
    pub(crate) fn of(&self, slot: u16) -> Option<watch::Receiver<usize>> {
        self.0.get(&slot).map(watch::Sender::subscribe)
    }
}

impl Drop for Using {
    fn drop(&mut self) {
        for count in &self.0 {
            count.send_modify(|count| *count = count.saturating_sub(1));
        }
    }
}

//! Who waits for which target, cheaply: jobs with the same list of targets share one queue.
//!
//! Per queue and target a cursor says: no job before this one has anything for the target any more. `index` sorts the
//! cursors of all queues that contain a target, so the first job for a slot is found in O(log n), and memory grows with
//! the distinct lists, not with jobs times slots.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use headend_model::{JobId, Target, TargetIx};

/// A job's rank. Ranks of a plugin and of the core cannot be compared: a job that the plugin in use has not ranked (yet)
/// stands behind all that it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(untagged))]
pub(super) enum Rank {
    /// By a queue policy plugin.
    Given { given: i64 },
    /// By the core's own rule.
    Own(i64),
}

/// A job's place in every queue: rank, then acceptance.
pub(super) type Key = (Rank, JobId);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(transparent))]
pub(super) struct QueueId(u32);

/// The cursor of one queue at one target.
pub(super) type Entry = (Key, QueueId, TargetIx);

#[derive(Clone, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(super) struct Queues {
    next: u32,
    #[cfg_attr(feature = "serde", serde(with = "super::serial"))]
    lists: BTreeMap<Vec<Target>, QueueId>,
    by_id: BTreeMap<QueueId, Queue>,
    #[cfg_attr(feature = "serde", serde(with = "super::serial"))]
    index: BTreeMap<Target, BTreeSet<Entry>>,
}

#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
struct Queue {
    targets: Vec<Target>,
    jobs: BTreeSet<Key>,
    cursors: Vec<Option<Key>>,
}

impl Queues {
    /// Puts a job into the queue of its list of targets.
    pub(super) fn add(&mut self, targets: &[Target], key: Key) -> QueueId {
        let id = self.intern(targets);
        let Some(queue) = self.by_id.get_mut(&id) else { return id };
        queue.jobs.insert(key);
        for (at, cursor) in queue.cursors.iter_mut().enumerate() {
            if cursor.is_some_and(|old| old <= key) {
                continue;
            }
            let entries = self.index.entry(queue.targets[at]).or_default();
            let target = TargetIx(at as u32);
            if let Some(old) = cursor.replace(key) {
                entries.remove(&(old, id, target));
            }
            entries.insert((key, id, target));
        }
        id
    }

    fn intern(&mut self, targets: &[Target]) -> QueueId {
        if let Some(id) = self.lists.get(targets) {
            return *id;
        }
        let id = QueueId(self.next);
        self.next += 1;
        self.lists.insert(targets.to_vec(), id);
        let queue = Queue { targets: targets.to_vec(), jobs: BTreeSet::new(), cursors: vec![None; targets.len()] };
        self.by_id.insert(id, queue);
        id
    }

    /// Takes a job out; the last one takes its queue along.
    pub(super) fn remove(&mut self, id: QueueId, key: Key) {
        let Some(queue) = self.by_id.get_mut(&id) else { return };
        queue.jobs.remove(&key);
        if !queue.jobs.is_empty() {
            return;
        }
        if let Some(queue) = self.by_id.remove(&id) {
            for (at, cursor) in queue.cursors.iter().enumerate() {
                if let Some(key) = cursor {
                    self.unlist(queue.targets[at], (*key, id, TargetIx(at as u32)));
                }
            }
            self.lists.remove(&queue.targets);
        }
    }

    fn unlist(&mut self, target: Target, entry: Entry) {
        if let Some(entries) = self.index.get_mut(&target) {
            entries.remove(&entry);
            if entries.is_empty() {
                self.index.remove(&target);
            }
        }
    }

    pub(super) fn contains(&self, id: QueueId, key: Key) -> bool {
        self.by_id.get(&id).is_some_and(|queue| queue.jobs.contains(&key))
    }

    /// The job behind this one in its queue.
    pub(super) fn behind(&self, id: QueueId, key: Key) -> Option<Key> {
        let jobs = &self.by_id.get(&id)?.jobs;
        jobs.range((Bound::Excluded(key), Bound::Unbounded)).next().copied()
    }

    /// The first cursor at a target, or the next after a given one.
    pub(super) fn cursor(&self, target: Target, after: Option<Entry>) -> Option<Entry> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        self.index.get(&target)?.range((from, Bound::Unbounded)).next().copied()
    }

    /// The job at the cursor has nothing for the target any more: moves the cursor on.
    pub(super) fn advance(&mut self, (key, id, target): Entry) {
        let next = self.behind(id, key);
        let Some(queue) = self.by_id.get_mut(&id) else { return };
        let at = target.0 as usize;
        if queue.cursors.get(at) != Some(&Some(key)) {
            return;
        }
        queue.cursors[at] = next;
        let place = queue.targets[at];
        if let Some(next) = next {
            self.index.entry(place).or_default().insert((next, id, target));
        }
        self.unlist(place, (key, id, target));
    }

    /// Jobs that wait in queues containing the target, with its position in each. May name jobs that are through with it.
    pub(super) fn waiting_for(&self, target: Target) -> impl Iterator<Item = (TargetIx, Key)> + '_ {
        let entries = self.index.get(&target).into_iter().flatten();
        entries.flat_map(|(from, id, at)| {
            let jobs = self.by_id.get(id).map(|queue| queue.jobs.range(*from..));
            jobs.into_iter().flatten().map(|key| (*at, *key))
        })
    }
}

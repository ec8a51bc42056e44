//! The smallest single change that would start something of a job now.
//!
//! Found by trying: each candidate is made on a copy of the farm, and the copy dispatches. What starts there would start
//! here. The order of the candidates is how little each of them asks of the lab: first what costs nobody anything, last
//! what ends somebody's run.

use std::collections::BTreeSet;

use headend_model::{DutId, JobId, Outcome, Priority, RackId, RunId, ScheduleId, SlotId, Target, Timestamp};

use super::Farm;
use super::queues::Rank;
use super::state::Job;
use crate::action::Action;

/// So many candidates of one kind are tried at most.
const MOST_OF_A_KIND: usize = 8;

/// One change of the lab or the job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// The job may use this slot too.
    AllowSlot(SlotId),
    /// The job gets a better priority.
    RaisePriority {
        /// As it is.
        from: Priority,
        /// As it would have to be.
        to: Priority,
    },
    /// The window of its schedule opens.
    OpenWindow(ScheduleId),
    /// The rack takes new runs again.
    Undrain(RackId),
    /// Somebody looks at the slot and takes it out of quarantine.
    ClearQuarantine(SlotId),
    /// The rack is less busy, or what it refuses new runs for is mended.
    Relieve(RackId),
    /// The rack's daemon is back.
    Connect(RackId),
    /// A DUT is put into the slot.
    PlaceDut {
        /// This one.
        dut: DutId,
        /// There.
        slot: SlotId,
    },
    /// The run that drives the slot ends.
    FreeSlot {
        /// The slot.
        slot: SlotId,
        /// Its run,
        run: RunId,
        /// of this job.
        job: JobId,
    },
}

/// What a search has found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SmallestChange {
    /// Nothing of the job waits.
    NothingWaits,
    /// None is needed: it starts within moments.
    NoneNeeded,
    /// This one.
    Found {
        /// The change.
        change: Change,
        /// Where something of the job would start; empty if its policy would be asked first.
        starts_on: Vec<SlotId>,
        /// Changes that were tried, this one among them.
        tried: u32,
    },
    /// No single change that was tried would do.
    NoSingleChange {
        /// Changes that were tried.
        tried: u32,
        /// Changes of the same kinds that were left out.
        left_out: u32,
    },
}

impl Farm {
    /// The smallest single change that would start something of an open job now. Takes a copy of the farm per change that
    /// is tried, and tries at most `most`: not for the task that owns the farm. `None`: no such open job.
    pub fn smallest_change(&self, now: Timestamp, id: JobId, most: usize) -> Option<SmallestChange> {
        let job = self.jobs.get(&id)?;
        if job.queued() == 0 || job.stop.is_some() {
            return Some(SmallestChange::NothingWaits);
        }
        let base = Self { now: self.now.max(now), ..self.clone() };
        if base.asks_already(id) || base.try_change(id, None).is_some() {
            return Some(SmallestChange::NoneNeeded);
        }
        let mut left_out = 0;
        let mut tried = 0;
        for of_a_kind in self.changes(job) {
            let room = MOST_OF_A_KIND.min(most.saturating_sub(tried));
            left_out += of_a_kind.len().saturating_sub(room) as u32;
            for change in of_a_kind.into_iter().take(room) {
                tried += 1;
                if let Some(starts_on) = base.try_change(id, Some(change)) {
                    return Some(SmallestChange::Found { change, starts_on, tried: tried as u32 });
                }
            }
        }
        Some(SmallestChange::NoSingleChange { tried: tried as u32, left_out })
    }

    fn asks_already(&self, id: JobId) -> bool {
        self.asks.values().any(|ask| ask.job == id)
    }

    /// Candidates, the smallest kind first.
    fn changes(&self, job: &Job) -> Vec<Vec<Change>> {
        let slots: BTreeSet<SlotId> = job.spec.targets.iter().filter_map(|target| self.slot_at(*target)).collect();
        let racks: BTreeSet<RackId> = slots.iter().filter_map(|slot| self.inventory.rack_of(*slot)).collect();
        let rack = |id: &RackId| self.racks.get(id);
        let of_racks = |pass: &dyn Fn(&super::state::Rack) -> bool, change: fn(RackId) -> Change| {
            let found = racks.iter().filter(|id| rack(id).is_some_and(pass));
            found.map(|id| change(*id)).collect::<Vec<_>>()
        };
        let out_of_use = slots.iter().filter(|slot| self.is_quarantined(**slot));
        vec![
            self.other_slots(&slots),
            better_priorities(job),
            job.origin.iter().filter(|_| job.parked).map(|origin| Change::OpenWindow(origin.schedule)).collect(),
            of_racks(&|rack| rack.draining, Change::Undrain),
            out_of_use.map(|slot| Change::ClearQuarantine(*slot)).collect(),
            of_racks(&|rack| rack.gate.is_some() || rack.refusal.is_some(), Change::Relieve),
            of_racks(&|rack| !rack.online, Change::Connect),
            self.placements(job, &slots),
            slots.iter().filter_map(|slot| self.freed(*slot)).collect(),
        ]
    }

    fn is_quarantined(&self, slot: SlotId) -> bool {
        let dut = self.inventory.dut_in(slot).and_then(|dut| self.duts.get(&dut));
        self.slots.get(&slot).is_some_and(|book| book.quarantined) || dut.is_some_and(|dut| dut.quarantined.is_some())
    }

    fn other_slots(&self, asked: &BTreeSet<SlotId>) -> Vec<Change> {
        let others = self.slots.keys().filter(|slot| !asked.contains(slot) && self.is_usable(**slot));
        others.map(|slot| Change::AllowSlot(*slot)).collect()
    }

    /// DUTs on the shelf into empty slots of the job; or the job's own DUTs on the shelf into any empty slot.
    fn placements(&self, job: &Job, asked: &BTreeSet<SlotId>) -> Vec<Change> {
        let shelved = |dut: &DutId| self.inventory.slot_of(*dut).is_none();
        let is_empty = |slot: &SlotId| self.inventory.dut_in(*slot).is_none();
        let own =
            job.spec.targets.iter().filter_map(|target| if let Target::Dut(dut) = target { Some(*dut) } else { None });
        let any = self.inventory.duts.keys().copied().find(shelved);
        let room = self.slots.keys().copied().find(is_empty);
        let own = own.filter(shelved).filter_map(|dut| Some(Change::PlaceDut { dut, slot: room? }));
        let here = asked.iter().filter(|slot| is_empty(slot));
        own.chain(here.filter_map(|slot| Some(Change::PlaceDut { dut: any?, slot: *slot }))).collect()
    }

    fn freed(&self, slot: SlotId) -> Option<Change> {
        let held = self.slots.get(&slot)?.lease.and_then(|run| self.leases.get(&run))?;
        if self.reserved_at(slot).is_some() {
            // A person's; that it ends is no change that anybody should be advised to make.
            return None;
        }
        Some(Change::FreeSlot { slot, run: held.lease.run, job: held.lease.job })
    }

    /// Where the job would start something after the change; `None`: nowhere.
    fn try_change(&self, id: JobId, change: Option<Change>) -> Option<Vec<SlotId>> {
        let mut copy = self.clone();
        match change {
            Some(change) => copy.make(id, change),
            None => copy.mark_targets(id),
        }
        copy.dispatch();
        let told = std::mem::take(&mut copy.round.out);
        let mut starts = told.iter().filter_map(|action| match action {
            Action::Start { lease, .. } if lease.job == id => Some(lease.targets.iter().map(|on| on.slot).collect()),
            Action::Ask(ask) if ask.job == id => Some(Vec::new()),
            _ => None,
        });
        starts.next()
    }

    fn make(&mut self, id: JobId, change: Change) {
        match change {
            Change::AllowSlot(slot) => self.requeue(id, |job| job.spec.targets.push(Target::Slot(slot))),
            Change::RaisePriority { to, .. } => self.requeue(id, |job| job.spec.priority = to),
            Change::OpenWindow(_) => self.requeue(id, |job| job.parked = false),
            Change::Undrain(rack) => self.drain(rack, false),
            Change::ClearQuarantine(slot) => self.clear_any_quarantine(slot),
            Change::Relieve(rack) => self.relieve(rack),
            Change::Connect(rack) => {
                if let Some(book) = self.racks.get_mut(&rack) {
                    book.online = true;
                }
                self.presence_changed(rack);
            }
            Change::PlaceDut { dut, slot } => self.place_dut(dut, Some(slot)),
            Change::FreeSlot { run, .. } => drop(self.end_run(run, Outcome::Killed)),
        }
    }

    /// Changes a job and gives it its place anew.
    fn requeue(&mut self, id: JobId, change: impl FnOnce(&mut Job)) {
        let Some(job) = self.jobs.get_mut(&id) else { return };
        let (queue, old) = (job.queue, job.key);
        self.queues.remove(queue, old);
        change(job);
        let (spec, accepted) = (job.spec.clone(), job.accepted);
        let own = Rank::Own(self.rank(id, &spec, accepted));
        let Some(job) = self.jobs.get_mut(&id) else { return };
        // What a plugin would say to another priority, only the plugin knows.
        if matches!(job.key.0, Rank::Own(_)) {
            job.key = (own, id);
        }
        job.queue = self.queues.add(&spec.targets, job.key);
        self.mark_targets(id);
    }

    /// A DUT may be in quarantine for a slot that it was in before.
    fn clear_any_quarantine(&mut self, slot: SlotId) {
        let by_dut = self.inventory.dut_in(slot).and_then(|dut| self.duts.get(&dut)?.quarantined);
        self.clear_quarantine(slot);
        if let Some(other) = by_dut {
            self.clear_quarantine(other);
        }
    }

    fn relieve(&mut self, id: RackId) {
        let Some(rack) = self.racks.get_mut(&id) else { return };
        (rack.gate, rack.refusal, rack.cpu_percent) = (None, None, 0);
        self.round.dirty.extend(rack.slots.values().copied());
    }
}

fn better_priorities(job: &Job) -> Vec<Change> {
    let from = job.spec.priority;
    (1..from.0).rev().map(|to| Change::RaisePriority { from, to: Priority(to) }).collect()
}

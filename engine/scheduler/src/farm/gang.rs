//! Single-process tests: all slots at once on one rack, or none.
//!
//! Nothing is taken bit by bit. A test that was passed over too often gets a dated hold: free slots of its rack are
//! kept for it against later jobs, until it starts or the date has come.

use std::collections::BTreeSet;

use headend_model::run::Incomplete;
use headend_model::{DutId, JobId, RackId, SlotId, Target, TargetIx, TestIx};

use super::Farm;
use super::books::Rule;
use super::dispatch::{Candidate, Verdict};
use super::state::{GangHold, Job, Timer};
use crate::action::{ChosenBy, StartReason};
use crate::policy::PlanBooks;

impl Farm {
    pub(super) fn try_gang(&mut self, candidate: &Candidate, number: u32) -> Verdict {
        let Some(rack) = self.inventory.rack_of(candidate.slot) else { return Verdict::Later };
        let tests: Vec<(TestIx, usize)> = self.gang_tests(candidate.job(), number);
        let least = tests.iter().map(|(_, needed)| *needed).min().unwrap_or(usize::MAX);
        if least <= self.room(candidate, rack) {
            let free = self.gang_room(candidate, rack);
            if let Some((test, needed)) = tests.iter().find(|(_, needed)| *needed <= free.len()) {
                let on = self.first_by_rank(free, *needed);
                return self.start_gang(candidate, rack, *test, &on);
            }
        }
        self.passed_over(candidate, rack)
    }

    /// So many of these slots, those with the smallest ranks; in the order of the job's targets.
    fn first_by_rank(&self, mut free: Vec<(TargetIx, SlotId)>, needed: usize) -> Vec<(TargetIx, SlotId)> {
        free.sort_by_key(|(_, slot)| self.slot_rank(*slot));
        free.truncate(needed);
        free.sort_unstable();
        free
    }

    pub(super) fn gang_tests(&self, job: JobId, number: u32) -> Vec<(TestIx, usize)> {
        let Some(job) = self.jobs.get(&job) else { return Vec::new() };
        let Some(group) = job.groups.get(number as usize) else { return Vec::new() };
        let needed =
            |test: TestIx| job.spec.tests.get(test.0 as usize).map_or(usize::MAX, |spec| spec.slots_needed as usize);
        group.in_order().map(|test| (test, needed(test))).collect()
    }

    /// At most so many slots of the rack can be free for jobs with this list of targets in this round.
    fn room(&mut self, candidate: &Candidate, rack: RackId) -> usize {
        let free = self.racks.get(&rack).map_or(0, |rack| rack.slots.len().saturating_sub(rack.busy));
        if free < 2 {
            return free;
        }
        let known = self.round.room.get(&(candidate.queue, rack)).copied();
        known.unwrap_or_else(|| {
            let targets = self.jobs.get(&candidate.job()).map(|job| job.spec.targets.as_slice()).unwrap_or_default();
            let usable: BTreeSet<SlotId> = targets.iter().filter_map(|target| self.slot_at(*target)).collect();
            let count = usable
                .into_iter()
                .filter(|slot| self.inventory.rack_of(*slot) == Some(rack) && self.is_usable(*slot))
                .count();
            self.round.room.insert((candidate.queue, rack), count);
            count
        })
    }

    /// The slots of the rack that the job could have now, in the order of its targets.
    fn gang_room(&self, candidate: &Candidate, rack: RackId) -> Vec<(TargetIx, SlotId)> {
        self.free_targets(candidate.job(), |slot| {
            self.inventory.rack_of(slot) == Some(rack) && self.is_usable(slot) && self.is_open_to(slot, candidate.key)
        })
    }

    /// Targets of the job whose slot passes, each slot once.
    pub(super) fn free_targets(&self, job: JobId, mut pass: impl FnMut(SlotId) -> bool) -> Vec<(TargetIx, SlotId)> {
        let Some(job) = self.jobs.get(&job) else { return Vec::new() };
        let mut seen = BTreeSet::new();
        let places =
            job.spec.targets.iter().enumerate().map(|(at, target)| (TargetIx(at as u32), self.slot_at(*target)));
        places
            .filter(|(at, _)| !job.lost.contains_key(at))
            .filter_map(|(at, slot)| slot.map(|slot| (at, slot)))
            .filter(|(_, slot)| pass(*slot) && seen.insert(*slot))
            .collect()
    }

    fn start_gang(&mut self, candidate: &Candidate, rack: RackId, test: TestIx, on: &[(TargetIx, SlotId)]) -> Verdict {
        if !self.gate_opens(rack) {
            return Verdict::Taken;
        }
        let why = StartReason {
            chosen_by: ChosenBy::BuiltIn("single-process".to_owned()),
            queue: self.queue_reason(candidate.job()),
            test: format!("test {} has all its {} slots free at once", test.0, on.len()),
            inputs: 0,
        };
        self.grant(candidate.job(), test, on, why);
        self.end_hold(candidate.job());
        Verdict::Started
    }

    /// The slot is free and the test cannot start: counted once a round, and after enough of them the slot is held.
    fn passed_over(&mut self, candidate: &Candidate, rack: RackId) -> Verdict {
        let until = self.now + self.config.gang_hold;
        let enough = self.config.gang_skips;
        let id = candidate.job();
        let first = self.round.passed_over.insert(id);
        let Some(job) = self.jobs.get_mut(&id) else { return Verdict::Never };
        if first {
            job.gang.skips = job.gang.skips.saturating_add(1);
        }
        if job.gang.hold.is_none() && job.gang.skips > enough {
            job.gang.hold = Some(GangHold { rack, until, slots: BTreeSet::new() });
            self.timers.insert((until, Timer::Hold(id)));
        }
        match &mut job.gang.hold {
            Some(hold) if hold.rack == rack => {
                hold.slots.insert(candidate.slot);
                self.hold(candidate.slot, id);
                Verdict::Taken
            }
            _ => Verdict::Later,
        }
    }

    fn hold(&mut self, slot: SlotId, job: JobId) {
        let Some(book) = self.slots.get_mut(&slot) else { return };
        let before = book.hold.replace(job);
        if let Some(other) = before.filter(|other| *other != job)
            && let Some(hold) = self.jobs.get_mut(&other).and_then(|other| other.gang.hold.as_mut())
        {
            hold.slots.remove(&slot);
        }
    }

    /// The slot was leased: whoever held it holds one less.
    pub(super) fn release_hold(&mut self, slot: SlotId) {
        let Some(job) = self.slots.get_mut(&slot).and_then(|book| book.hold.take()) else { return };
        if let Some(hold) = self.jobs.get_mut(&job).and_then(|job| job.gang.hold.as_mut()) {
            hold.slots.remove(&slot);
        }
    }

    /// The hold is over: its slots are free for everybody, and the counting starts anew.
    pub(super) fn end_hold(&mut self, id: JobId) {
        let Some(job) = self.jobs.get_mut(&id) else { return };
        job.gang.skips = 0;
        let Some(hold) = job.gang.hold.take() else { return };
        for slot in hold.slots {
            if let Some(book) = self.slots.get_mut(&slot) {
                book.hold = None;
            }
            self.round.dirty.insert(slot);
        }
    }

    pub(super) fn hold_due(&mut self, id: JobId) {
        let until = self.jobs.get(&id).and_then(|job| job.gang.hold.as_ref()).map(|hold| hold.until);
        if until.is_some_and(|until| until <= self.now) {
            self.end_hold(id);
        }
    }

    /// Places that these targets make up now: a slot and the DUT in it are one place for a single process. A DUT on the
    /// shelf will have a place of its own.
    pub(super) fn places<'a>(&self, targets: impl Iterator<Item = &'a Target>) -> usize {
        let (mut slots, mut shelved) = (BTreeSet::new(), 0);
        for target in targets {
            match self.slot_at(*target) {
                Some(slot) => drop(slots.insert(slot)),
                None => shelved += 1,
            }
        }
        slots.len() + shelved
    }

    /// A DUT was moved: single-process tests that cannot have their slots any more end. Either it is on another rack
    /// than its fellows (status 7), or it sits in a slot that the job names too.
    pub(super) fn end_torn_gangs(&mut self, dut: DutId) {
        let waiting: Vec<JobId> = self.queues.waiting_for(Target::Dut(dut)).map(|(_, (_, job))| job).collect();
        for id in waiting {
            self.end_if_torn(id);
        }
    }

    /// A job's single-process tests end if they cannot have their slots any more.
    pub(super) fn end_if_torn(&mut self, id: JobId) {
        let Some(job) = self.jobs.get(&id) else { return };
        let groups = (0..job.groups.len() as u32).filter(|number| job.groups[*number as usize].rule == Rule::Gang);
        let tests: Vec<(TestIx, usize)> = groups.flat_map(|number| self.gang_tests(id, number)).collect();
        if tests.is_empty() {
            return;
        }
        let spread = self.spans_racks(&job.spec.targets);
        let places = self.live_places(job);
        for (test, needed) in tests {
            if spread {
                self.drop_runs(id, test, u32::MAX, &Incomplete::SeveralRacks);
            } else if needed > places {
                self.drop_runs(id, test, u32::MAX, &Incomplete::Surplus);
            }
        }
        self.unqueue_if_done(id);
    }

    /// Places that a job's single-process tests may still hope for.
    pub(super) fn live_places(&self, job: &Job) -> usize {
        let targets = (0u32..).map(TargetIx).zip(&job.spec.targets);
        self.places(targets.filter(|(at, _)| !job.lost.contains_key(at)).map(|(_, target)| target))
    }
}

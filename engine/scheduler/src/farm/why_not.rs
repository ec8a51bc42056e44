//! Why one run does not run on one slot now: one reason of a complete list.

use headend_model::{JobId, JobStatus, RunId, SlotId, Target, TargetIx, TestIx, Timestamp};

use super::Farm;
use super::books::TestBook;
use super::state::Job;
use super::why::Question;
use crate::view::WaitReason;

/// Jobs that come first here and are named; there may be more.
const NAMED: usize = 5;

/// What binds a run and a slot. Every case is one of these.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WhyNot {
    /// It does run there.
    RunsHere {
        /// Since.
        since: Timestamp,
    },
    /// It runs on other slots; a run runs once.
    RunsElsewhere {
        /// There.
        on: Vec<SlotId>,
        /// Since.
        since: Timestamp,
    },
    /// It has ended, with or without a start.
    Over {
        /// How its job stands.
        job: JobStatus,
    },
    /// Its job is being stopped: what has not started never will.
    Stopping,
    /// The job asked for other slots and DUTs.
    NotATarget,
    /// The job has given the slot up for good: no rack, or no DUT, for longer than its patience.
    GivenUp,
    /// Another run of the same test runs there, or has run there; each target gets a test once.
    AlreadyThere {
        /// The one that runs there now.
        run: Option<RunId>,
    },
    /// It waits.
    Waits {
        /// For this.
        reason: WaitReason,
        /// Waiting jobs that come first on the slot, in order; the first few.
        ahead: Vec<JobId>,
        /// All of them.
        ahead_in_all: u32,
    },
}

/// A run, its job, and what stands between it and the slot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WhyNotAnswer {
    /// Its job.
    pub job: JobId,
    /// Its test.
    pub test: TestIx,
    /// The one reason.
    pub why: WhyNot,
}

impl Farm {
    /// Why the run does not run on the slot now. `None`: no open job has such a run.
    pub fn why_not(&self, now: Timestamp, run: RunId, slot: SlotId) -> Option<WhyNotAnswer> {
        let (id, job, test, book) = self.find_run(run)?;
        let why =
            self.bound_by_run(id, run, slot, book).unwrap_or_else(|| self.bound_by_slot(now, (id, job), test, slot));
        Some(WhyNotAnswer { job: id, test, why })
    }

    /// The number that the next run of a test will have when it starts; none if none waits.
    pub fn next_run(&self, job: JobId, test: TestIx) -> Option<RunId> {
        let book = self.jobs.get(&job)?.tests.get(test.0 as usize).filter(|book| book.left() > 0)?;
        Some(RunId(book.first.0 + u64::from(book.started)))
    }

    fn find_run(&self, run: RunId) -> Option<(JobId, &Job, TestIx, &TestBook)> {
        // Run numbers rise with the handles.
        let (id, job) = self.jobs.iter().rev().find(|(_, job)| job.first_run <= run)?;
        let of = |book: &&TestBook| (book.first.0..book.first.0 + u64::from(book.total)).contains(&run.0);
        let at = job.tests.iter().position(|book| of(&book))?;
        Some((*id, job, TestIx(at as u32), job.tests.get(at)?))
    }

    /// What follows from the run alone.
    fn bound_by_run(&self, id: JobId, run: RunId, slot: SlotId, book: &TestBook) -> Option<WhyNot> {
        let job = self.jobs.get(&id)?;
        if let Some(held) = self.leases.get(&run) {
            let on: Vec<SlotId> = held.lease.targets.iter().map(|target| target.slot).collect();
            let since = held.leased;
            return Some(if on.contains(&slot) {
                WhyNot::RunsHere { since }
            } else {
                WhyNot::RunsElsewhere { on, since }
            });
        }
        let at = run.0 - book.first.0;
        let waits = (u64::from(book.started)..u64::from(book.total - book.dropped.min(book.total))).contains(&at);
        if !waits {
            return Some(WhyNot::Over { job: job.status });
        }
        job.stop.is_some().then_some(WhyNot::Stopping)
    }

    /// The run waits: what stands between it and this slot.
    fn bound_by_slot(&self, now: Timestamp, (id, job): (JobId, &Job), test: TestIx, slot: SlotId) -> WhyNot {
        let targets = job.spec.targets.iter().enumerate();
        let here = targets.filter(|(_, target)| self.slot_at(**target) == Some(slot));
        let here: Vec<(TargetIx, Target)> = here.map(|(at, target)| (TargetIx(at as u32), *target)).collect();
        if here.is_empty() {
            return WhyNot::NotATarget;
        }
        let open: Vec<_> = here.into_iter().filter(|(at, _)| !job.lost.contains_key(at)).collect();
        let group = job.tests.get(test.0 as usize).and_then(|book| job.groups.get(book.group as usize));
        let (Some(group), false) = (group, open.is_empty()) else { return WhyNot::GivenUp };
        let was_on = |at: &TargetIx| crate::policy::PlanBooks::was_on(group, test, *at);
        let Some((at, target)) = open.iter().find(|(at, _)| !was_on(at)) else {
            return WhyNot::AlreadyThere { run: self.run_of_test_on(job, test, slot) };
        };
        let reason = self.why_at(&Question { id, job, group, test, at: *at, now }, *target);
        let ahead = self.ahead_of(job, slot);
        let ahead_in_all = ahead.len() as u32;
        WhyNot::Waits { reason, ahead: ahead.into_iter().take(NAMED).collect(), ahead_in_all }
    }

    fn run_of_test_on(&self, job: &Job, test: TestIx, slot: SlotId) -> Option<RunId> {
        let held = self.slots.get(&slot)?.lease.and_then(|run| self.leases.get(&run))?;
        (job.running.contains(&held.lease.run) && held.test == test).then_some(held.lease.run)
    }

    /// Waiting jobs that get the slot before this one, in order.
    fn ahead_of(&self, job: &Job, slot: SlotId) -> Vec<JobId> {
        let dut = self.inventory.dut_in(slot).map(Target::Dut);
        let waiting = std::iter::once(Target::Slot(slot)).chain(dut).flat_map(|by| self.queues.waiting_for(by));
        let mut ahead: Vec<_> = waiting
            .filter(|(at, key)| *key < job.key && self.jobs.get(&key.1).is_some_and(|other| wants(other, *at)))
            .map(|(_, key)| key)
            .collect();
        ahead.sort_unstable();
        ahead.dedup();
        ahead.into_iter().map(|(_, id)| id).collect()
    }
}

fn wants(job: &Job, at: TargetIx) -> bool {
    !job.lost.contains_key(&at) && job.groups.iter().any(|group| !group.is_done() && group.wants(at))
}

//! A second look at each step, in release builds too: S3, S4, S8 and S9 of what the farm is about to tell.
//!
//! The audit keeps a small memory of its own, fed by actions alone, and compares the books with it. A fault in the books
//! therefore shows in the step that would tell of it. It looks only at jobs and places that the step's actions name, so
//! it costs what the step changes. It is no part of the state: after a restart it is drawn up from the books.
//!
//! Nothing panics when a rule is broken. [`Farm::violation`] names it from then on, and the writer, which looks there
//! before it writes, refuses what waits for this step and stops: a farm that contradicts itself decides nothing more.

use std::collections::BTreeMap;
use std::ops::Bound;

use headend_model::{DutId, Epoch, JobId, JobStatus, Lease, Outcome, RackId, RunId, SlotId, TestIx};

use super::Farm;
use super::invariants::{Check, ensure};
use super::lease::claim_of;
use super::submit::runs_of;
use crate::action::{Action, RunRecord};
use crate::event::{Claim, Event};
use crate::reservation::ReservationAction;

/// What was told so far of all that is open.
#[derive(Clone, Debug, Default)]
pub(super) struct Audit {
    /// Drawn up from the books.
    ready: bool,
    /// Handles rise: one that is not above this and not in `jobs` belongs to a job that is final.
    newest: u64,
    jobs: BTreeMap<JobId, Sight>,
    leased: BTreeMap<RunId, Right>,
    slots: BTreeMap<SlotId, Epoch>,
    duts: BTreeMap<DutId, Epoch>,
}

/// An open job, as its runs were told of.
#[derive(Clone, Debug, Default)]
struct Sight {
    /// Runs that have neither started nor ended, per test.
    left: Vec<u32>,
    running: u32,
    ended: u32,
    total: u32,
}

/// Whose word about a run counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Right {
    rack: RackId,
    claim: Option<Claim>,
}

impl Right {
    fn of(lease: &Lease) -> Self {
        Self { rack: lease.rack, claim: claim_of(lease) }
    }
}

impl Farm {
    /// Before the first step of this life: the books are taken as they are.
    pub(super) fn open_audit(&mut self) {
        if !self.audit.ready {
            self.audit = Audit::of(self);
        }
    }

    /// After a step: what it is about to tell breaks no rule.
    pub(super) fn audit_step(&mut self, event: &Event, told: &[Action]) {
        let mut audit = std::mem::take(&mut self.audit);
        audit.meet(self);
        let check = told
            .iter()
            .try_for_each(|action| audit.see(event, action))
            .and_then(|()| told.iter().try_for_each(|action| audit.compare(self, action)));
        self.audit = audit;
        self.note(check);
    }
}

impl Audit {
    fn of(farm: &Farm) -> Self {
        let sight = |job: &super::state::Job| Sight {
            left: job.tests.iter().map(super::books::TestBook::left).collect(),
            running: job.running.len() as u32,
            ended: job.tally.ended,
            total: job.tally.total,
        };
        Self {
            ready: true,
            newest: farm.next.job.saturating_sub(1),
            jobs: farm.jobs.iter().map(|(id, job)| (*id, sight(job))).collect(),
            leased: farm.leases.values().map(|held| (held.lease.run, Right::of(&held.lease))).collect(),
            slots: farm.slots.iter().map(|(id, slot)| (*id, slot.epoch)).collect(),
            duts: farm.duts.iter().map(|(id, dut)| (*id, dut.epoch)).collect(),
        }
    }

    fn see(&mut self, event: &Event, action: &Action) -> Check {
        match action {
            Action::Start { lease, test, .. } => self.started(lease, *test),
            Action::RunEnded(record) => self.ended(event, record),
            Action::JobChanged { job, status, .. } => self.changed(*job, *status),
            Action::Reservation(news) => self.reserved(news),
            _ => Ok(()),
        }
    }

    /// Jobs that this step has accepted. S4: the number of their runs is fixed here, by what was handed in.
    fn meet(&mut self, farm: &Farm) {
        let fresh = farm.jobs.range((Bound::Excluded(JobId(self.newest)), Bound::Unbounded));
        // All their runs may have ended in the same step.
        let gone =
            farm.recent.iter().rev().take_while(|(_, job)| job.ended == Some(farm.now)).map(|(id, job)| (id, job));
        let newest = self.newest;
        for (id, job) in fresh.chain(gone).filter(|(id, _)| id.0 > newest) {
            let left: Vec<u32> = job.spec.tests.iter().map(runs_of).collect();
            let total = left.iter().sum();
            self.jobs.insert(*id, Sight { left, running: 0, ended: 0, total });
            self.newest = self.newest.max(id.0);
        }
    }

    fn started(&mut self, lease: &Lease, test: TestIx) -> Check {
        let run = lease.run;
        let sight = open(&mut self.jobs, lease.job, run)?;
        sight.take(lease.job, test)?;
        sight.running += 1;
        let before = self.leased.insert(run, Right::of(lease));
        ensure(before.is_none(), "S3", || format!("run {run} is started a second time"))?;
        self.raised(lease)
    }

    /// A session is leased like a run, and has no job.
    fn reserved(&mut self, news: &ReservationAction) -> Check {
        match news {
            ReservationAction::SessionBegun { lease, .. } => {
                let before = self.leased.insert(lease.run, Right::of(lease));
                ensure(before.is_none(), "S3", || format!("session {} is begun a second time", lease.run))?;
                self.raised(lease)
            }
            ReservationAction::SessionEnded { run, .. } => {
                let right = self.leased.remove(run);
                ensure(right.is_some(), "S3", || format!("session {run} ends, and it is not open"))
            }
            ReservationAction::Made { .. }
            | ReservationAction::Extended { .. }
            | ReservationAction::Ended { .. }
            | ReservationAction::Refused(_) => Ok(()),
        }
    }

    fn raised(&mut self, lease: &Lease) -> Check {
        for target in &lease.targets {
            let (slot, dut) = (target.slot, target.dut);
            rises(&mut self.slots, slot, target.slot_epoch, || format!("slot {slot}"))?;
            rises(&mut self.duts, dut, target.dut_epoch, || format!("DUT {dut}"))?;
        }
        Ok(())
    }

    fn ended(&mut self, event: &Event, record: &RunRecord) -> Check {
        let run = record.run;
        let sight = open(&mut self.jobs, record.job, run)?;
        sight.ended += 1;
        if record.lease.is_none() {
            let leased = self.leased.contains_key(&run);
            ensure(!leased, "S3", || format!("run {run} is under a lease, and told as never started"))?;
            let result = matches!(record.outcome, Outcome::Done { .. });
            ensure(!result, "S8", || format!("run {run} has a result and never had a lease"))?;
            return sight.take(record.job, record.test);
        }
        let right = self.leased.remove(&run);
        ensure(right.is_some(), "S3", || format!("run {run} ends, and it is not running"))?;
        sight.running = sight.running.saturating_sub(1);
        reported(event, record, right)
    }

    fn changed(&mut self, job: JobId, status: JobStatus) -> Check {
        let sight = self.jobs.get(&job);
        ensure(sight.is_some(), "S3", || format!("job {job} changes to {status} after its end"))?;
        if !status.is_final() {
            return Ok(());
        }
        let sight = self.jobs.remove(&job).unwrap_or_default();
        ensure(sight.ended == sight.total, "S3", || {
            format!("job {job} is {status} with {} of {} runs ended", sight.ended, sight.total)
        })
    }

    /// S4, S9: the books say what was told. A job that is final by now has left them.
    fn compare(&self, farm: &Farm, action: &Action) -> Check {
        match action {
            Action::Start { lease, test, .. } => {
                for target in &lease.targets {
                    let slot = farm.slots.get(&target.slot).map(|slot| slot.epoch);
                    let dut = farm.duts.get(&target.dut).map(|dut| dut.epoch);
                    ensure(slot >= Some(target.slot_epoch) && dut >= Some(target.dut_epoch), "S9", || {
                        format!("the books forget the epochs of run {} on slot {}", lease.run, target.slot)
                    })?;
                }
                self.compare_job(farm, lease.job, *test)
            }
            Action::RunEnded(record) => self.compare_job(farm, record.job, record.test),
            _ => Ok(()),
        }
    }

    fn compare_job(&self, farm: &Farm, id: JobId, test: TestIx) -> Check {
        let (Some(job), Some(sight)) = (farm.jobs.get(&id), self.jobs.get(&id)) else { return Ok(()) };
        let at = test.0 as usize;
        let left = job.tests.get(at).and_then(super::books::TestBook::checked_left);
        let same = left == sight.left.get(at).copied()
            && job.running.len() as u32 == sight.running
            && job.tally.ended == sight.ended
            && job.tally.total == sight.total;
        ensure(same, "S4", || {
            format!(
                "job {id}: the books have {left:?} runs of test {} left, {} running, {} of {} ended; told were {sight:?}",
                test.0,
                job.running.len(),
                job.tally.ended,
                job.tally.total
            )
        })
    }
}

impl Sight {
    /// One run of the test less that waits.
    fn take(&mut self, job: JobId, test: TestIx) -> Check {
        if let Some(left) = self.left.get_mut(test.0 as usize).filter(|left| **left > 0) {
            *left -= 1;
            return Ok(());
        }
        ensure(false, "S4", || format!("test {} of job {job} has no run left", test.0))
    }
}

/// S3: nothing starts or ends in a job that is final.
fn open(jobs: &mut BTreeMap<JobId, Sight>, job: JobId, run: RunId) -> Result<&mut Sight, super::Violation> {
    let what = || format!("run {run} belongs to job {job}, which is not open");
    jobs.get_mut(&job).ok_or_else(|| super::Violation { id: "S3", what: what() })
}

/// S8: a result comes from the rack that holds the lease, under its epoch. What ends otherwise has no result.
fn reported(event: &Event, record: &RunRecord, right: Option<Right>) -> Check {
    let run = record.run;
    match event {
        Event::RunEnded { rack, claim, outcome, .. } => {
            let holder = Some(Right { rack: *rack, claim: Some(*claim) }) == right;
            ensure(holder && claim.run == run && *outcome == record.outcome, "S8", || {
                format!("run {run} ends on the word of {rack:?} for {claim:?}; it is held by {right:?}")
            })
        }
        _ => ensure(!matches!(record.outcome, Outcome::Done { .. }), "S8", || {
            format!("run {run} has a result that no rack has reported")
        }),
    }
}

/// S9: each lease of a place has a higher epoch than all before.
fn rises<K: Ord>(last: &mut BTreeMap<K, Epoch>, place: K, epoch: Epoch, name: impl FnOnce() -> String) -> Check {
    let before = last.insert(place, epoch);
    ensure(before.is_none_or(|before| before < epoch), "S9", || {
        format!("{} is leased under epoch {} after {}", name(), epoch.0, before.unwrap_or_default().0)
    })
}

//! The invariants of the scheduler that its own state can show.

use std::collections::BTreeMap;

use headend_model::{DutId, JobId, LeasedTarget, RunId, SlotId};

use super::state::{Held, Job};
use super::{Farm, Violation};

pub(super) type Check = Result<(), Violation>;

pub(super) fn ensure(holds: bool, id: &'static str, what: impl FnOnce() -> String) -> Check {
    if holds { Ok(()) } else { Err(Violation { id, what: what() }) }
}

impl Farm {
    /// Checks the invariants that the state itself can show.
    ///
    /// # Errors
    /// The first [`Violation`] found.
    pub fn check_invariants(&self) -> Result<(), Violation> {
        self.check_exclusive()?;
        self.jobs.iter().try_for_each(|(id, job)| self.check_job(*id, job))?;
        self.leases.values().try_for_each(|held| self.check_lease(held))?;
        self.check_slots()?;
        self.check_order()?;
        self.check_usage()?;
        self.check_reservations()?;
        self.check_schedules()
    }

    /// S1, before a place is leased: nothing holds it. Cheap enough for every lease.
    pub(super) fn check_free(&mut self, target: &LeasedTarget) {
        let slot = self.slots.get(&target.slot).and_then(|slot| slot.lease);
        let dut = self.duts.get(&target.dut).and_then(|dut| dut.lease);
        self.note(ensure(slot.is_none() && dut.is_none(), "S1", || {
            format!("slot {} is leased to {slot:?}, DUT {} to {dut:?}, and both again", target.slot, target.dut)
        }));
    }

    pub(super) fn note(&mut self, check: Check) {
        if let Err(violation) = check {
            self.broken.get_or_insert(violation);
        }
    }

    /// S1: one lease at most per slot and per DUT.
    fn check_exclusive(&self) -> Check {
        let mut slots: BTreeMap<SlotId, RunId> = BTreeMap::new();
        let mut duts: BTreeMap<DutId, RunId> = BTreeMap::new();
        for held in self.leases.values() {
            for target in &held.lease.targets {
                let run = held.lease.run;
                let other = slots.insert(target.slot, run).or(duts.insert(target.dut, run));
                ensure(other.is_none(), "S1", || {
                    format!("runs {run} and {other:?} both hold slot {} or DUT {}", target.slot, target.dut)
                })?;
            }
        }
        Ok(())
    }

    /// S4: no run is lost or made up; a job in its queue has something left, and the other way round.
    fn check_job(&self, id: JobId, job: &Job) -> Check {
        let queued = job.queued();
        let sum = queued + job.running.len() as u32 + job.tally.ended;
        ensure(sum == job.tally.total, "S4", || format!("job {id} has {sum} runs, accepted with {}", job.tally.total))?;
        let waits = self.queues.contains(job.queue, job.key);
        ensure(waits == (queued > 0 && !job.parked), "S4", || {
            format!("job {id} has {queued} runs waiting, in the queue: {waits}")
        })?;
        let is_final = job.status.is_final();
        ensure(!is_final, "S3", || format!("job {id} is final ({}) and still in the books", job.status))?;
        job.running.iter().try_for_each(|run| {
            ensure(self.leases.contains_key(run), "S4", || format!("run {run} of job {id} runs without a lease"))
        })
    }

    /// S9, S11: a lease is on one rack, its epochs were given out, its places know it.
    fn check_lease(&self, held: &Held) -> Check {
        let lease = &held.lease;
        ensure(!lease.targets.is_empty(), "S11", || format!("run {} holds nothing", lease.run))?;
        for target in &lease.targets {
            let slot = self.slots.get(&target.slot);
            ensure(slot.is_some_and(|slot| slot.rack == lease.rack), "S11", || {
                format!("run {} spans racks", lease.run)
            })?;
            ensure(slot.is_some_and(|slot| slot.lease == Some(lease.run)), "S10", || {
                format!("slot {} forgot run {}", target.slot, lease.run)
            })?;
            ensure(slot.is_some_and(|slot| slot.epoch >= target.slot_epoch), "S9", || {
                format!("epoch of slot {} fell", target.slot)
            })?;
            let dut = self.duts.get(&target.dut);
            ensure(dut.is_some_and(|dut| dut.lease == Some(lease.run)), "S10", || {
                format!("DUT {} forgot run {}", target.dut, lease.run)
            })?;
            ensure(dut.is_some_and(|dut| dut.epoch >= target.dut_epoch), "S9", || {
                format!("epoch of DUT {} fell", target.dut)
            })?;
        }
        if self.reservations.session(lease.run).is_some() {
            return Ok(());
        }
        let job = self.jobs.get(&lease.job);
        ensure(job.is_some_and(|job| job.running.contains(&lease.run)), "S4", || {
            format!("run {} is leased for no job", lease.run)
        })
    }

    /// L7: no slot is out of use without a reason.
    fn check_slots(&self) -> Check {
        for (id, slot) in &self.slots {
            let lease = slot.lease.is_none_or(|run| self.leases.contains_key(&run));
            ensure(lease, "L7", || format!("slot {id} is leased to a run that has ended"))?;
            let offer = slot.offered.is_none_or(|ask| self.asks.contains_key(&ask));
            ensure(offer, "L7", || format!("slot {id} is offered in a question that is over"))?;
            let hold = slot.hold.is_none_or(|_| self.held_for(*id).is_some());
            ensure(hold, "L7", || format!("slot {id} is held for a job that does not wait for it"))?;
        }
        let forgotten = self.duts.iter().find(|(_, dut)| dut.lease.is_some_and(|run| !self.leases.contains_key(&run)));
        ensure(forgotten.is_none(), "L7", || format!("DUT {forgotten:?} is leased to a run that has ended"))
    }
}

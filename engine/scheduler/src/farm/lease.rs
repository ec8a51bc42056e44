//! Leases: granted with raised epochs, renewed by heartbeats, ended by reports or by time.

use headend_model::run::Incomplete;
use headend_model::{JobId, Lease, LeasedTarget, Outcome, RackId, RunId, SlotId, TargetIx, TestIx};

use super::Farm;
use super::state::{Held, LostLease, Timer};
use crate::action::{Action, PlanChange, RunRecord, StartReason};
use crate::event::{Claim, Placement};

/// So many leases that ran out without word are remembered.
const MOST_LOST: usize = 1_024;

impl Farm {
    /// Grants a lease on slots that were all found usable, and asks the rack to start.
    pub(super) fn grant(&mut self, job: JobId, test: TestIx, on: &[(TargetIx, SlotId)], why: StartReason) {
        let why = StartReason { inputs: self.digest_inputs(job, test, on), ..why };
        let leased: Vec<LeasedTarget> = on.iter().filter_map(|(_, slot)| self.raise_epochs(*slot)).collect();
        let rack = leased.first().and_then(|target| self.inventory.rack_of(target.slot));
        let targets: Vec<TargetIx> = on.iter().map(|(target, _)| *target).collect();
        let (Some(rack), Some((run, group, attempt))) = (rack, self.take_run(job, test, &targets)) else { return };
        let until = self.now + self.config.lease.length;
        let lease = Lease { job, run, attempt, rack, targets: leased, until };
        self.occupy(&lease);
        self.usage_of_run(job, lease.targets.len(), true);
        self.count_trial_start(job, group);
        self.wear_of_start(&lease.targets);
        let incarnation = self.racks.get(&rack).and_then(|rack| rack.incarnation);
        self.arm(until, Timer::Lease(run));
        self.emit(Action::Start { lease: lease.clone(), test, why: why.clone() });
        let held =
            Held { lease, test, group, targets, leased: self.now, confirmed: false, stopping: false, incarnation, why };
        self.leases.insert(run, held);
        self.scheduled_start(job, test);
        self.round.touched.insert(job);
        self.unqueue_if_done(job);
    }

    pub(super) fn raise_epochs(&mut self, slot: SlotId) -> Option<LeasedTarget> {
        let dut = self.inventory.dut_in(slot)?;
        let floor = self.epoch_floor();
        let slot_book = self.slots.get_mut(&slot)?;
        let dut_book = self.duts.entry(dut).or_default();
        slot_book.epoch = slot_book.epoch.max(floor).next();
        // An id that was taken out may come back, and racks remember what they have seen under it.
        dut_book.epoch = dut_book.epoch.max(floor).max(self.next.removed_epoch).next();
        Some(LeasedTarget { slot, slot_epoch: slot_book.epoch, dut, dut_epoch: dut_book.epoch })
    }

    fn take_run(&mut self, job: JobId, test: TestIx, targets: &[TargetIx]) -> Option<(RunId, u32, u32)> {
        let now = self.now;
        let attempt = self.attempt(self.jobs.get(&job)?.era);
        let job = self.jobs.get_mut(&job)?;
        let book = job.tests.get_mut(test.0 as usize)?;
        let run = RunId(book.first.0 + u64::from(book.started));
        let number = book.group;
        book.started += 1;
        let group = job.groups.get_mut(number as usize)?;
        group.take(test, 1, Some(targets));
        group.running += 1;
        for target in targets {
            group.note(now, PlanChange::Started(Placement { test, target: *target }));
        }
        job.running.insert(run);
        job.started.get_or_insert(now);
        Some((run, number, attempt))
    }

    pub(super) fn occupy(&mut self, lease: &Lease) {
        for target in &lease.targets {
            self.check_free(target);
            if let Some(slot) = self.slots.get_mut(&target.slot) {
                slot.lease = Some(lease.run);
                slot.offered = None;
            }
            self.release_hold(target.slot);
            self.duts.entry(target.dut).or_default().lease = Some(lease.run);
        }
        if let Some(rack) = self.racks.get_mut(&lease.rack) {
            rack.leases.insert(lease.run);
            rack.busy += lease.targets.len();
        }
    }

    /// The live lease that a report of this rack speaks of, if it still stands (S8).
    fn claimed(&self, rack: RackId, claim: &Claim) -> Option<&Held> {
        self.leases.get(&claim.run).filter(|held| held.lease.rack == rack && claim_of(&held.lease) == Some(*claim))
    }

    pub(super) fn run_started(&mut self, rack: RackId, claim: &Claim) {
        self.hear_of(claim);
        if self.claimed(rack, claim).is_none() {
            return;
        }
        if let Some(held) = self.leases.get_mut(&claim.run) {
            held.confirmed = true;
        }
    }

    /// The rack refuses the epochs of a lease that it has not taken: nothing of it can run, now or later. A lease that it
    /// has taken has an end of its own; then this is the echo of a doubled offer. Another life than the one that the lease
    /// was granted to cannot know what ran before it.
    pub(super) fn not_started(&mut self, rack: RackId, claim: &Claim, reason: &str) {
        let life = self.racks.get(&rack).and_then(|rack| rack.incarnation);
        let open = |held: &&Held| !held.confirmed && held.incarnation == life;
        let Some(held) = self.claimed(rack, claim).filter(open) else { return };
        let outcome = if held.stopping {
            Outcome::Killed
        } else {
            Outcome::Incomplete(Incomplete::CannotStart(reason.to_owned()))
        };
        self.end_run(claim.run, outcome);
    }

    pub(super) fn run_ended(&mut self, rack: RackId, claim: &Claim, outcome: &Outcome, unkillable: bool) {
        #[cfg(feature = "mutants")]
        self.mutate_late_report(rack, claim, outcome);
        self.hear_of(claim);
        if self.claimed(rack, claim).is_some() {
            let places = self.end_run(claim.run, outcome.clone());
            if unkillable && !self.ignores_unkillable() {
                self.quarantine(&places);
            }
        } else if unkillable {
            self.bad_news(rack, claim);
        }
    }

    #[cfg(feature = "mutants")]
    fn mutate_late_report(&mut self, rack: RackId, claim: &Claim, outcome: &Outcome) {
        use crate::mutant::Mutant::{LateResultOverwrites, StaleResultAccepted};
        let late = |lost: &&LostLease| (lost.rack, lost.run, lost.epoch) == (rack, claim.run, claim.epoch);
        let Some(lost) = self.lost_leases.iter().find(late).cloned() else { return };
        if self.is_mutant(StaleResultAccepted)
            && let Some(other) =
                lost.places.first().and_then(|(slot, _)| self.slots.get(slot)).and_then(|slot| slot.lease)
        {
            self.end_run(other, outcome.clone());
        }
        if self.is_mutant(LateResultOverwrites) {
            let (run, job, test, outcome) = (claim.run, JobId(0), TestIx(0), outcome.clone());
            let ended = self.now;
            self.emit(Action::RunEnded(RunRecord {
                run,
                job,
                test,
                lease: None,
                leased: None,
                ended,
                outcome,
                why: None,
            }));
        }
    }

    #[cfg(feature = "mutants")]
    fn ignores_unkillable(&self) -> bool {
        self.is_mutant(crate::mutant::Mutant::UnkillableIgnored)
    }

    #[cfg(not(feature = "mutants"))]
    #[allow(clippy::unused_self, reason = "the broken variant looks at it")]
    const fn ignores_unkillable(&self) -> bool {
        false
    }

    /// A rack could not kill a run whose lease had run out: nobody else may use its slots, late as it is.
    fn bad_news(&mut self, rack: RackId, claim: &Claim) {
        let known = self
            .lost_leases
            .iter()
            .position(|lost| (lost.rack, lost.run, lost.epoch) == (rack, claim.run, claim.epoch));
        if let Some(lost) = known.and_then(|at| self.lost_leases.remove(at)) {
            let places: Vec<_> = lost.places.into_iter().collect();
            self.quarantine(&places);
        }
    }

    /// Ends a leased run for good, frees what it held, and says where that was.
    pub(super) fn end_run(&mut self, run: RunId, outcome: Outcome) -> Vec<(SlotId, headend_model::DutId)> {
        let Some(held) = self.leases.remove(&run) else { return Vec::new() };
        self.vacate(&held.lease);
        if let Some(session) = self.reservations.close_session(run) {
            self.wear_of_end(&held);
            return self.session_ended(&held, &session, outcome);
        }
        self.usage_of_run(held.lease.job, held.lease.targets.len(), false);
        self.wear_of_end(&held);
        self.note_end(&held, outcome.code());
        self.remember_run(&held, &outcome);
        let places = held.lease.targets.iter().map(|target| (target.slot, target.dut)).collect();
        self.count_end(held.lease.job, &outcome);
        self.count_trial_end(held.lease.job, held.group, &outcome, 1);
        self.scheduled_end(held.lease.job, held.test, 1, true);
        self.emit(Action::RunEnded(RunRecord {
            run,
            job: held.lease.job,
            test: held.test,
            lease: Some(held.lease),
            leased: Some(held.leased),
            ended: self.now,
            outcome,
            why: Some(held.why),
        }));
        places
    }

    fn vacate(&mut self, lease: &Lease) {
        for target in &lease.targets {
            if let Some(slot) = self.slots.get_mut(&target.slot) {
                slot.lease = None;
            }
            if let Some(dut) = self.duts.get_mut(&target.dut) {
                dut.lease = None;
            }
            self.round.dirty.insert(target.slot);
            // The DUT may have been moved while it was driven.
            self.round.dirty.extend(self.inventory.slot_of(target.dut));
        }
        if let Some(rack) = self.racks.get_mut(&lease.rack) {
            rack.leases.remove(&lease.run);
            rack.busy = rack.busy.saturating_sub(lease.targets.len());
        }
    }

    fn note_end(&mut self, held: &Held, code: u16) {
        let (id, now) = (held.lease.job, self.now);
        let Some(job) = self.jobs.get_mut(&id) else { return };
        job.running.remove(&held.lease.run);
        let Some(group) = job.groups.get_mut(held.group as usize) else { return };
        group.running = group.running.saturating_sub(1);
        for target in &held.targets {
            let placement = Placement { test: held.test, target: *target };
            group.note(now, PlanChange::Ended { placement, code });
        }
        self.forget_deferral(id, held.group);
    }

    /// Time has passed: a lease that nobody has renewed ends when its rack has surely stopped the run.
    pub(super) fn lease_due(&mut self, run: RunId) {
        let Some(held) = self.leases.get(&run) else { return };
        // A stop at `until` shows the slot cooling down from then on.
        let until = held.lease.until;
        let due = if until > self.now { until } else { self.free_at(held) };
        if due > self.now {
            return self.arm(due, Timer::Lease(run));
        }
        let outcome = if held.stopping { Outcome::Killed } else { Outcome::Incomplete(Incomplete::RackLost) };
        self.remember_lost(run);
        self.end_run(run, outcome);
    }

    fn free_at(&self, held: &Held) -> headend_model::Timestamp {
        #[cfg(feature = "mutants")]
        if self.is_mutant(crate::mutant::Mutant::ReuseAtUntil) {
            return held.lease.until;
        }
        self.config.lease.reusable_at(held.lease.until)
    }

    fn remember_lost(&mut self, run: RunId) {
        let Some(lease) = self.leases.get(&run).map(|held| &held.lease) else { return };
        let Some(epoch) = lease.targets.first().map(|target| target.slot_epoch) else { return };
        let places = lease.targets.iter().map(|target| (target.slot, target.dut)).collect();
        self.lost_leases.push_back(LostLease { run, rack: lease.rack, epoch, places });
        if self.lost_leases.len() > MOST_LOST {
            self.lost_leases.pop_front();
        }
    }

    /// A lease lives on for a full term from now. Its timer finds that out when it fires.
    pub(super) fn renew(&mut self, run: RunId) {
        let until = self.now + self.config.lease.length;
        if let Some(held) = self.leases.get_mut(&run) {
            held.lease.until = held.lease.until.max(until);
        }
    }
}

/// How a rack names this lease.
pub(super) fn claim_of(lease: &Lease) -> Option<Claim> {
    let epoch = lease.targets.first()?.slot_epoch;
    Some(Claim { run: lease.run, attempt: lease.attempt, epoch })
}

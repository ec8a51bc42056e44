//! What the farm shows of itself.

use headend_model::{JobId, RackId, RunId, SlotId, SlotNo, TargetIx, Timestamp};

use super::state::{Held, Job, Rack};
use super::{Farm, Granted};
use crate::view::{JobView, RackView, RunningView, SlotState, SlotView};

impl Farm {
    /// The latest time the farm has seen. A server that starts again goes on from here, whatever its wall clock says.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// An open job, or one that became final less than a minute ago.
    pub fn job(&self, job: JobId) -> Option<JobView<'_>> {
        let recent = || self.recent.iter().find(|(id, _)| *id == job).map(|(_, job)| job);
        self.jobs.get(&job).or_else(recent).map(|found| self.view_job(job, found))
    }

    /// Open jobs in acceptance order.
    pub fn open_jobs(&self) -> Box<dyn Iterator<Item = JobView<'_>> + '_> {
        Box::new(self.jobs.iter().map(|(id, job)| self.view_job(*id, job)))
    }

    fn view_job<'a>(&'a self, id: JobId, job: &'a Job) -> JobView<'a> {
        JobView {
            job: id,
            spec: &job.spec,
            origin: job.origin.as_ref(),
            first_run: job.first_run,
            status: job.status,
            stop_requested: job.stop.as_ref(),
            accepted: job.accepted,
            started: job.started,
            ended: job.ended,
            queued: job.queued(),
            running: job.running.iter().filter_map(|run| self.view_run(*run)).collect(),
        }
    }

    fn view_run(&self, run: RunId) -> Option<RunningView<'_>> {
        let held = self.leases.get(&run)?;
        Some(RunningView {
            lease: &held.lease,
            test: held.test,
            leased: held.leased,
            confirmed: held.confirmed,
            stalled: self.is_stalled(run),
            stopping: held.stopping,
            why: &held.why,
        })
    }

    /// All racks.
    pub fn racks(&self) -> Vec<RackView<'_>> {
        self.inventory
            .racks
            .iter()
            .filter_map(|(id, name)| self.racks.get(id).map(|rack| self.view_rack(*id, name, rack)))
            .collect()
    }

    fn view_rack<'a>(&self, id: RackId, name: &'a headend_model::RackName, rack: &'a Rack) -> RackView<'a> {
        RackView {
            rack: id,
            name,
            online: rack.online,
            last_seen: rack.last_seen,
            draining: rack.draining,
            cpu_percent: rack.cpu_percent,
            gate_closed: rack.gate.map(|gate| (gate.since, gate.next)),
            not_taking: rack.refusal.as_ref().map(|refusal| (refusal.since, refusal.reason.as_str())),
            slots: rack.slots.iter().map(|(no, slot)| self.view_slot(*slot, *no)).collect(),
        }
    }

    fn view_slot(&self, slot: SlotId, no: SlotNo) -> SlotView {
        let epoch = self.slots.get(&slot).map(|book| book.epoch).unwrap_or_default();
        SlotView { slot, no, dut: self.inventory.dut_in(slot), epoch, state: self.slot_state(slot) }
    }

    fn slot_state(&self, slot: SlotId) -> SlotState {
        let Some(book) = self.slots.get(&slot) else { return SlotState::Free };
        if let Some(reserved) = self.reserved_at(slot) {
            return SlotState::Reserved(reserved);
        }
        if let Some(held) = book.lease.and_then(|run| self.leases.get(&run)) {
            return self.leased_state(held);
        }
        if book.quarantined {
            return SlotState::Quarantined;
        }
        if let Some(out) = &book.out {
            return SlotState::Out { since: out.since, reason: out.reason.clone() };
        }
        if let Some(until) = self.quiet() {
            return SlotState::Cooling { until };
        }
        if let Some(ask) = book.offered.and_then(|ask| self.asks.get(&ask)) {
            return SlotState::Offered { job: ask.job };
        }
        self.held_for(slot).map_or(SlotState::Free, |(job, until)| SlotState::Held { job, until })
    }

    pub(super) fn held_for(&self, slot: SlotId) -> Option<(JobId, Timestamp)> {
        let job = self.slots.get(&slot)?.hold?;
        let hold = self.jobs.get(&job)?.gang.hold.as_ref()?;
        Some((job, hold.until))
    }

    fn leased_state(&self, held: &Held) -> SlotState {
        if held.lease.until <= self.now {
            SlotState::Cooling { until: self.config.lease.reusable_at(held.lease.until) }
        } else {
            SlotState::Leased { run: held.lease.run, job: held.lease.job }
        }
    }

    /// The targets of its job that a leased run was started on, in the order of its slots.
    pub fn targets_of(&self, run: RunId) -> Option<&[TargetIx]> {
        self.leases.get(&run).map(|held| held.targets.as_slice())
    }

    /// Leases granted to the present life of a rack and not yet reported as ended. What of these the rack does not hold
    /// is to be offered (again), unless it is to be stopped: level-triggered, so a lost message costs one exchange and
    /// no state. Leases of a former life that may still be driven are not among them: they only run out.
    pub fn leases_on(&self, rack: RackId) -> Vec<Granted<'_>> {
        let Some(book) = self.racks.get(&rack) else { return Vec::new() };
        let granted = book.leases.iter().filter_map(|run| self.leases.get(run));
        granted
            .filter(|held| held.incarnation.is_some() && held.incarnation == book.incarnation)
            .map(|held| self.grant_of(held))
            .collect()
    }

    fn grant_of<'a>(&'a self, held: &'a Held) -> Granted<'a> {
        Granted {
            session: self.session_of(held.lease.run),
            lease: &held.lease,
            test: held.test,
            stopping: held.stopping,
            confirmed: held.confirmed,
            why: &held.why,
            run: held.lease.run,
        }
    }
}

//! DUTs that leave the lab for good.

use headend_model::{DutId, Target};

use super::Farm;
use crate::action::{Action, DutUses};

/// So many jobs and schedules are named to whoever wants to take a DUT out.
const MOST_NAMED: usize = 10;

impl Farm {
    /// What keeps a DUT in the inventory: a lease, open jobs, schedules.
    pub fn dut_uses(&self, dut: DutId) -> DutUses {
        let run = self.duts.get(&dut).and_then(|book| book.lease).and_then(|run| self.leases.get(&run));
        let target = Target::Dut(dut);
        let (mut jobs, mut schedules) = (Vec::new(), Vec::new());
        let named = self.jobs.iter().filter(|(_, job)| job.spec.targets.contains(&target)).map(|(id, _)| *id);
        let all_jobs = count_and_keep(named, &mut jobs);
        let all_schedules = count_and_keep(self.schedules_at(target), &mut schedules);
        let run = run.map(|held| (held.lease.run, held.lease.job));
        DutUses { run, jobs, all_jobs, schedules, all_schedules }
    }

    pub(super) fn remove_duts(&mut self, duts: &[DutId]) {
        let used = duts.iter().map(|dut| (*dut, self.dut_uses(*dut))).find(|(_, uses)| !uses.is_free());
        if let Some((dut, uses)) = used {
            return self.emit(Action::DutInUse { dut, uses });
        }
        for dut in duts {
            self.forget_dut(*dut);
            self.emit(Action::DutRemoved { dut: *dut });
        }
    }

    fn forget_dut(&mut self, dut: DutId) {
        if self.inventory.slot_of(dut).is_some() {
            self.place_dut(dut, None);
        }
        self.inventory.remove(dut);
        self.away.remove(&Target::Dut(dut));
        self.wear.forget(dut);
        if let Some(book) = self.duts.remove(&dut) {
            self.next.removed_epoch = self.next.removed_epoch.max(book.epoch);
        }
    }
}

fn count_and_keep<T>(all: impl Iterator<Item = T>, kept: &mut Vec<T>) -> u64 {
    let mut count = 0;
    for one in all {
        count += 1;
        if kept.len() < MOST_NAMED {
            kept.push(one);
        }
    }
    count
}

//! What is due. Timers are armed freely and judged when they fire, so renewing a lease costs no search.

use std::collections::BTreeSet;

use headend_model::Target;

use super::Farm;
use super::state::Timer;

impl Farm {
    pub(super) fn fire_timers(&mut self) {
        let mut absent = BTreeSet::new();
        while let Some((_, timer)) = self.timers.first().copied().filter(|(at, _)| *at <= self.now) {
            self.timers.pop_first();
            match timer {
                Timer::Lease(run) => self.lease_due(run),
                Timer::Silent(rack) => self.silent_due(rack),
                Timer::Gate(rack) => self.gate_due(rack),
                Timer::SlotAway(slot) => drop(absent.insert(Target::Slot(slot))),
                Timer::DutAway(dut) => drop(absent.insert(Target::Dut(dut))),
                Timer::Patience(job) => self.patience_due(job),
                Timer::Ask(ask) => self.ask_due(ask),
                Timer::Hold(job) => self.hold_due(job),
                Timer::Schedule(schedule) => self.schedule_due(schedule),
                Timer::Ranks => self.ask_ranks(),
                Timer::RanksAgain => self.order.woken(),
                Timer::Quiet => self.quiet_due(),
                Timer::Reservation(reservation) => self.reservation_due(reservation),
                Timer::Canary(number) => self.canary_due(number),
            }
        }
        // All at once: a rack takes all its slots along, and each job is looked at only once.
        if !absent.is_empty() {
            self.give_up_targets(&absent);
        }
    }
}

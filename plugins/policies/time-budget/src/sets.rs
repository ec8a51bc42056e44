//! Which tests are meant for which device.

use headend_sdk::policy::{Millis, Placement, TargetIx, TestIx};

use super::TimeBudget;
use super::choose::{self, Item};

impl TimeBudget {
    /// What is left of the device's budget, if the run there lasts as long as it is taken to.
    pub(crate) fn left(&self, target: TargetIx) -> Millis {
        let Some(device) = self.devices.get(&target).filter(|device| !device.lost) else { return 0 };
        let running = device.running.map_or(0, |(test, _)| self.length(test));
        self.budget_ms.saturating_sub(device.spent_ms.saturating_add(running))
    }

    fn items_of(&self, tests: impl IntoIterator<Item = TestIx>) -> Vec<Item> {
        tests.into_iter().filter_map(|test| self.items.get(&test)).copied().collect()
    }

    /// Chooses the sets anew that something has changed for, device by device.
    pub(crate) fn choose_again(&mut self) {
        let stale: Vec<TargetIx> =
            self.devices.iter().filter(|(_, device)| device.stale && !device.lost).map(|(target, _)| *target).collect();
        for target in stale {
            let old: Vec<TestIx> =
                self.devices.get(&target).map_or(Vec::new(), |device| device.set.iter().copied().collect());
            for test in &old {
                self.release(target, *test);
            }
            let time = self.left(target);
            let open: Vec<TestIx> =
                self.items.keys().copied().filter(|test| self.is_open(target, *test, time)).collect();
            let mut best = choose::choose(self.items_of(open.iter().copied()), time, self.exact);
            // A choice that is not exact may be worse than what there was.
            let kept = self.items_of(old.into_iter().filter(|test| open.contains(test)));
            if choose::length(&kept) <= time && choose::worth(&kept) > choose::worth(&best) {
                best = kept;
            }
            for item in &best {
                self.mean(target, item.test);
            }
            if let Some(device) = self.devices.get_mut(&target) {
                device.stale = false;
            }
        }
    }

    /// The test has a run that is meant for no device, and it fits on this one.
    fn is_open(&self, target: TargetIx, test: TestIx, time: Millis) -> bool {
        let meant = self.meant.get(&test).copied().unwrap_or_default();
        self.length(test) <= time && self.books.runs_left(test) > meant && !self.books.was_on(test, target)
    }

    fn mean(&mut self, target: TargetIx, test: TestIx) {
        let Some(device) = self.devices.get_mut(&target) else { return };
        if device.set.insert(test) {
            *self.meant.entry(test).or_default() += 1;
        }
    }

    pub(crate) fn release(&mut self, target: TargetIx, test: TestIx) {
        let Some(device) = self.devices.get_mut(&target) else { return };
        if device.set.remove(&test)
            && let Some(meant) = self.meant.get_mut(&test)
        {
            *meant = meant.saturating_sub(1);
        }
    }

    /// Runs have gone that were meant for some device: the last ones do without.
    pub(crate) fn trim(&mut self, test: TestIx) {
        while self.meant.get(&test).copied().unwrap_or_default() > self.books.runs_left(test) {
            let Some(target) = self.last_holder(test) else { return };
            self.release(target, test);
            if let Some(device) = self.devices.get_mut(&target) {
                device.stale = true;
            }
        }
    }

    fn last_holder(&self, test: TestIx) -> Option<TargetIx> {
        self.devices.iter().rev().find(|(_, device)| device.set.contains(&test)).map(|(target, _)| *target)
    }

    /// The test of the device's set that is worth most for its time.
    pub(crate) fn next(&self, target: TargetIx) -> Option<TestIx> {
        let set = self.devices.get(&target)?.set.iter().copied();
        let time = self.left(target);
        let fits = |item: &Item| item.ms <= time && !self.books.was_on(item.test, target);
        self.items_of(set).into_iter().filter(fits).min_by_key(Item::density).map(|item| item.test)
    }

    /// A device with nothing to do takes a run that is meant for another one: it is worth as much here, and the other one gets time. `start` is
    /// what the same answer starts.
    pub(crate) fn take_over(&mut self, target: TargetIx, start: &[Placement]) -> Option<TestIx> {
        let time = self.left(target);
        let started = |test: TestIx| start.iter().filter(|of| of.test == test).count();
        let is_left = |test: &TestIx| self.books.runs_left(*test) as usize > started(*test);
        let fits = |test: &TestIx| self.length(*test) <= time && !self.books.was_on(*test, target);
        let tests: Vec<TestIx> = self.items.keys().copied().filter(|test| fits(test) && is_left(test)).collect();
        let test = self.items_of(tests).into_iter().min_by_key(Item::density)?.test;
        let is_busy = |other: TargetIx| start.contains(&Placement { test, target: other });
        let holder = self.devices.iter().rev().find(|(other, device)| device.set.contains(&test) && !is_busy(**other));
        if let Some(holder) = holder.map(|(other, _)| *other) {
            self.release(holder, test);
            if let Some(device) = self.devices.get_mut(&holder) {
                device.stale = true;
            }
        }
        self.mean(target, test);
        Some(test)
    }
}

//! A plan played to its end on a made-up farm: targets fall free, some proposals are not taken, runs end, targets are lost.

use std::collections::BTreeSet;

use headend_model::{TargetIx, TestIx, Timestamp};
use headend_plugin_host::policy::Answer;
use headend_scheduler::action::{Noted, PlanChange};
use headend_scheduler::event::{Placement, Skip};
use headend_scheduler::view::PlanView;

use super::plans::ACCEPTED;
use super::random::Random;

/// Between two rounds.
const ROUND_US: i64 = 1_000_000;

/// What has come of a plan so far.
pub(super) struct Game {
    random: Random,
    /// Runs left, by test.
    left: Vec<u32>,
    /// What has been where.
    seen: BTreeSet<(u32, u32)>,
    busy: Vec<Placement>,
    lost: BTreeSet<u32>,
    targets: u32,
    pub(super) now: Timestamp,
}

impl Game {
    /// The plan's tests and targets are numbered from 0.
    pub(super) fn new(plan: &PlanView, seed: u64) -> Self {
        Self {
            random: Random::new(seed ^ 0x5eed),
            left: plan.tests.iter().map(|test| test.runs).collect(),
            seen: BTreeSet::new(),
            busy: Vec::new(),
            lost: BTreeSet::new(),
            targets: plan.targets.len() as u32,
            now: ACCEPTED,
        }
    }

    /// Nothing is left to be started, and nothing runs.
    pub(super) fn is_over(&self) -> bool {
        self.busy.is_empty() && self.left.iter().all(|left| *left == 0)
    }

    /// Time passes: runs end, now and then a target is lost, and what no longer fits is dropped.
    pub(super) fn pass_time(&mut self) -> Vec<Noted> {
        self.now = Timestamp::from_micros(self.now.micros() + ROUND_US);
        let mut changes = Vec::new();
        for placement in std::mem::take(&mut self.busy) {
            if self.random.once_in(2) {
                let code = [111, 110, 101, 100, 1][self.random.below(5) as usize];
                changes.push(PlanChange::Ended { placement, code });
            } else {
                self.busy.push(placement);
            }
        }
        if self.random.once_in(20) {
            let target = self.random.below(self.targets);
            if !self.is_busy(target) && self.lost.insert(target) {
                changes.push(PlanChange::TargetLost(TargetIx(target)));
            }
        }
        changes.extend(self.drop_what_does_not_fit());
        self.noted(changes)
    }

    fn drop_what_does_not_fit(&mut self) -> Vec<PlanChange> {
        let mut changes = Vec::new();
        for test in 0..self.left.len() as u32 {
            let free = (0..self.targets).filter(|t| !self.lost.contains(t) && !self.seen.contains(&(test, *t)));
            let (room, left) = (free.count() as u32, &mut self.left[test as usize]);
            if *left > room {
                changes.push(PlanChange::Dropped { test: TestIx(test), runs: *left - room });
                *left = room;
            }
        }
        changes
    }

    /// Some of the targets that are free, in their order; empty now and then.
    pub(super) fn free(&mut self) -> Vec<TargetIx> {
        let free: Vec<u32> = (0..self.targets).filter(|t| !self.lost.contains(t) && !self.is_busy(*t)).collect();
        let all = self.random.once_in(4);
        free.into_iter().filter(|_| all || self.random.once_in(3)).map(TargetIx).collect()
    }

    fn is_busy(&self, target: u32) -> bool {
        self.busy.iter().any(|placement| placement.target.0 == target)
    }

    /// The rules that the scheduler holds every answer to. `Err` says what was broken.
    pub(super) fn check(&self, answer: &Answer, free: &[TargetIx]) -> Result<(), String> {
        let mut left = self.left.clone();
        let mut used = BTreeSet::new();
        for Placement { test, target } in &answer.start {
            let fault = if test.0 as usize >= left.len() {
                "the plan has no such test"
            } else if !free.contains(target) {
                "the target was not offered"
            } else if !used.insert(target.0) {
                "the target is named twice"
            } else if self.seen.contains(&(test.0, target.0)) {
                "the test has been on the target before"
            } else if left[test.0 as usize] == 0 {
                "the test has no run left"
            } else {
                left[test.0 as usize] -= 1;
                continue;
            };
            return Err(format!("it proposed test {} on target {}: {fault}", test.0, target.0));
        }
        answer.skip.iter().try_for_each(|skip| check_skip(skip, &mut left))
    }

    /// What becomes of a sound answer: most of it is taken, and when nothing at all would happen, the built-in rule steps in. The second
    /// part tells that it did.
    pub(super) fn take(&mut self, answer: &Answer, free: &[TargetIx]) -> (Vec<Noted>, bool) {
        let mut changes = Vec::new();
        for placement in &answer.start {
            if !self.random.once_in(8) {
                changes.push(self.start(*placement));
            }
        }
        for Skip { test, runs, .. } in &answer.skip {
            self.left[test.0 as usize] -= runs;
            changes.push(PlanChange::Dropped { test: *test, runs: *runs });
        }
        let waits = answer.start.is_empty() && answer.skip.is_empty() && self.busy.is_empty();
        let own = if waits { self.built_in(free) } else { None };
        changes.extend(own.map(|placement| self.start(placement)));
        (self.noted(changes), own.is_some())
    }

    /// All that was proposed has run.
    pub(super) fn done(&mut self, answer: &Answer) {
        for placement in &answer.start {
            self.start(*placement);
        }
        self.busy.clear();
        for Skip { test, runs, .. } in &answer.skip {
            self.left[test.0 as usize] -= runs;
        }
    }

    fn start(&mut self, placement: Placement) -> PlanChange {
        self.left[placement.test.0 as usize] -= 1;
        self.seen.insert((placement.test.0, placement.target.0));
        self.busy.push(placement);
        PlanChange::Started(placement)
    }

    fn built_in(&self, free: &[TargetIx]) -> Option<Placement> {
        free.iter().find_map(|target| {
            let open = |test: &u32| self.left[*test as usize] > 0 && !self.seen.contains(&(*test, target.0));
            let test = (0..self.left.len() as u32).find(open)?;
            Some(Placement { test: TestIx(test), target: *target })
        })
    }

    fn noted(&self, changes: Vec<PlanChange>) -> Vec<Noted> {
        changes.into_iter().map(|change| change.at(self.now)).collect()
    }
}

fn check_skip(Skip { test, runs, .. }: &Skip, left: &mut [u32]) -> Result<(), String> {
    let Some(left) = left.get_mut(test.0 as usize) else {
        return Err(format!("it left out test {}: the plan has no such test", test.0));
    };
    if *runs == 0 || *runs > *left {
        return Err(format!("it left out {runs} runs of test {}, of which {left} are left", test.0));
    }
    *left -= runs;
    Ok(())
}

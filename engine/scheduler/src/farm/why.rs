//! Why a waiting run does not run now: the reason that binds it, per target.

use headend_model::{JobId, SlotId, Target, TargetIx, TestIx, Timestamp};

use super::Farm;
use super::books::{Group, Rule, Turn};
use super::state::{AwayWhy, Job};
use crate::policy::{CoveragePolicy, DutCoverage, PlanBooks, TestCoverage};
use crate::view::{WaitReason, Waiting, WhyPage};

/// The test whose waiting is asked about.
pub(super) struct Question<'a> {
    pub id: JobId,
    pub job: &'a Job,
    pub group: &'a Group,
    pub test: TestIx,
    pub at: TargetIx,
    pub now: Timestamp,
}

impl Farm {
    /// Why the waiting runs of an open job wait.
    pub fn why(&self, now: Timestamp, job: JobId) -> Vec<Waiting> {
        self.why_page(now, job, &WhyPage { from: TestIx(0), tests: usize::MAX, targets: usize::MAX })
    }

    /// How many tests of an open job have runs that wait.
    pub fn tests_waiting(&self, job: JobId) -> u32 {
        let tests = self.jobs.get(&job).into_iter().flat_map(|job| &job.tests);
        tests.filter(|book| book.left() > 0).count() as u32
    }

    /// A part of [`Farm::why`]: a job of many tests on many targets has a reason for each pair of them.
    pub fn why_page(&self, now: Timestamp, job: JobId, page: &WhyPage) -> Vec<Waiting> {
        let id = job;
        let Some(job) = self.jobs.get(&id) else { return Vec::new() };
        let tests =
            (0_u32..).map(TestIx).zip(&job.tests).skip(page.from.0 as usize).filter(|(_, book)| book.left() > 0);
        tests
            .take(page.tests)
            .filter_map(|(test, book)| {
                let group = job.groups.get(book.group as usize)?;
                let open = || open_targets(job, group, test);
                let at = open().take(page.targets);
                let at = at.map(|(at, target)| (at, self.why_at(&Question { id, job, group, test, at, now }, target)));
                Some(Waiting { test, runs: book.left(), at: at.collect(), targets: open().count() as u32 })
            })
            .collect()
    }

    pub(super) fn why_at(&self, asked: &Question<'_>, target: Target) -> WaitReason {
        self.why_window(asked)
            .or_else(|| self.why_away(asked, target))
            .or_else(|| self.slot_at(target).and_then(|slot| self.why_busy(asked, slot)))
            .or_else(|| self.slot_at(target).and_then(|slot| self.why_rack(asked, slot)))
            .or_else(|| self.why_order(asked, target))
            .unwrap_or(WaitReason::AboutToStart)
    }

    fn why_window(&self, asked: &Question<'_>) -> Option<WaitReason> {
        let origin = asked.job.origin.as_ref().filter(|_| asked.job.parked)?;
        let schedule = origin.schedule;
        Some(WaitReason::WindowClosed { schedule, next: self.next_window(schedule) })
    }

    fn why_away(&self, asked: &Question<'_>, target: Target) -> Option<WaitReason> {
        let away = self.away.get(&target)?;
        let gives_up = self.gives_up(asked.job, away);
        Some(match away.why {
            AwayWhy::NoDaemon => WaitReason::NoRack { rack: self.rack_at(target), gives_up },
            AwayWhy::NoDut => WaitReason::NoDut { gives_up },
        })
    }

    fn why_busy(&self, asked: &Question<'_>, slot: SlotId) -> Option<WaitReason> {
        let book = self.slots.get(&slot)?;
        if let Some(reserved) = self.reserved_at(slot) {
            return Some(WaitReason::Reserved(reserved));
        }
        if let Some(held) = book.lease.and_then(|run| self.leases.get(&run)) {
            let (run, job, until) = (held.lease.run, held.lease.job, held.lease.until);
            let until = (until <= asked.now).then(|| self.config.lease.reusable_at(until));
            return Some(until.map_or(WaitReason::SlotHeld { run, job }, |until| WaitReason::Cooling { until }));
        }
        let dut = self.inventory.dut_in(slot).and_then(|dut| self.duts.get(&dut));
        if book.quarantined || dut.is_some_and(|dut| dut.quarantined.is_some()) {
            return Some(WaitReason::Quarantined);
        }
        if let Some(out) = &book.out {
            return Some(WaitReason::SlotOut { since: out.since, reason: out.reason.clone() });
        }
        if let Some(until) = self.quiet() {
            return Some(WaitReason::Cooling { until });
        }
        let elsewhere = dut.and_then(|dut| dut.lease).and_then(|run| self.leases.get(&run));
        elsewhere.map(|held| {
            let run = held.lease.run;
            let session = self.reservation_of_session(run);
            session.map_or(WaitReason::DutHeld { run, job: held.lease.job }, WaitReason::Reserved)
        })
    }

    fn why_rack(&self, asked: &Question<'_>, slot: SlotId) -> Option<WaitReason> {
        let book = self.slots.get(&slot)?;
        let rack = self.racks.get(&book.rack)?;
        if rack.draining {
            return Some(WaitReason::Draining { rack: book.rack });
        }
        if let Some(refusal) = &rack.refusal {
            let reason = refusal.reason.clone();
            return Some(WaitReason::NotTaking { rack: book.rack, since: refusal.since, reason });
        }
        // Its own single-process test keeps a job's other tests out as well.
        let kept = |holder: JobId| {
            (holder == asked.id && asked.group.rule != Rule::Gang) || !self.is_open_to(slot, asked.job.key)
        };
        if let Some((job, until)) = self.held_for(slot).filter(|(job, _)| kept(*job)) {
            return Some(WaitReason::GangHold { job, until });
        }
        if let Some(ask) = book.offered.and_then(|ask| self.asks.get(&ask)) {
            return Some(why_offered(asked, ask.job));
        }
        let gate = rack.gate?;
        Some(WaitReason::CpuGate {
            rack: book.rack,
            cpu_percent: rack.cpu_percent,
            since: gate.since,
            next_try: gate.next,
        })
    }

    /// The slot is free: somebody comes first, or the rule of the group has something else in mind.
    fn why_order(&self, asked: &Question<'_>, target: Target) -> Option<WaitReason> {
        let Question { group, test, at, .. } = asked;
        let first = match &group.rule {
            Rule::DutCoverage => DutCoverage.choose(*group, *at),
            Rule::TestCoverage => TestCoverage.choose(*group, *at),
            Rule::Gang => return Some(self.why_gang(asked, target)),
            Rule::Policy(policy) if matches!(group.talk.turn, Turn::Asking) => {
                return Some(WaitReason::PolicyThinks { policy: policy.clone() });
            }
            Rule::Policy(policy) if group.talk.deferred.contains(at) => {
                return Some(WaitReason::PolicyDeferred { policy: policy.clone() });
            }
            Rule::Policy(_) => None,
        };
        first.filter(|first| first != test).map(|first| WaitReason::CoverageOrder { first })
    }

    fn why_gang(&self, asked: &Question<'_>, target: Target) -> WaitReason {
        let rack = self.rack_at(target);
        let free = self.free_targets(asked.id, |slot| {
            self.inventory.rack_of(slot) == rack && self.is_usable(slot) && self.is_open_to(slot, asked.job.key)
        });
        let needed = asked.job.spec.tests.get(asked.test.0 as usize).map_or(0, |spec| spec.slots_needed);
        WaitReason::GangWaits { free: free.len() as u32, needed }
    }
}

/// Targets on which a waiting run of the test could still be started.
fn open_targets<'a>(job: &'a Job, group: &'a Group, test: TestIx) -> impl Iterator<Item = (TargetIx, Target)> + 'a {
    let targets = (0_u32..).map(TargetIx).zip(job.spec.targets.iter().copied());
    targets.filter(move |(at, _)| !job.lost.contains_key(at) && !group.was_on(test, *at))
}

fn why_offered(asked: &Question<'_>, job: JobId) -> WaitReason {
    match &asked.group.rule {
        Rule::Policy(policy) if job == asked.id => WaitReason::PolicyThinks { policy: policy.clone() },
        Rule::Policy(_) | Rule::DutCoverage | Rule::TestCoverage | Rule::Gang => WaitReason::Behind { job },
    }
}

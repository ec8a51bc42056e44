//! Jobs: stopped, robbed of targets, and given their status (document 5.1).

use std::collections::{BTreeMap, BTreeSet};

use headend_model::run::Incomplete;
use headend_model::{JobId, JobStatus, Outcome, RunId, Target, TargetIx, TestIx, Timestamp, UserName};

use super::Farm;
use super::books::Rule;
use super::state::{Away, Job};
use crate::action::{Action, PlanChange, RunRecord};
use crate::config::FarmConfig;
use crate::policy::PlanBooks;

/// Final jobs are shown for a minute, and so many of them at most.
const MOST_RECENT: usize = 1_024;
const RECENT_SECONDS: i64 = 60;

impl Farm {
    /// The server process has started: nothing that happened while it was away counts against anybody.
    pub(super) fn server_started(&mut self, config: &FarmConfig) {
        let rerank = config.ageing_step != self.config.ageing_step;
        let restored = self.is_restored(config.generation);
        let generation = self.config.generation.max(config.generation);
        self.config = FarmConfig { generation, ..config.clone() };
        for run in self.leases.keys().copied().collect::<Vec<_>>() {
            self.renew(run);
        }
        for rack in self.racks.values_mut().filter(|rack| rack.online) {
            rack.last_seen = Some(self.now);
        }
        #[cfg(feature = "mutants")]
        if self.is_mutant(crate::mutant::Mutant::EpochsReset) {
            self.slots.values_mut().for_each(|slot| slot.epoch = headend_model::Epoch::default());
        }
        self.drop_asks(None);
        if restored {
            self.past_is_lost();
        } else if self.quiet_until.is_some() {
            self.be_quiet();
        }
        for away in self.away.values_mut() {
            away.since = self.now;
        }
        for target in self.away.keys().copied().collect::<Vec<_>>() {
            self.expect_back(target, self.now);
        }
        if rerank {
            self.rank_natively(super::order::Which::NotGiven);
        }
        self.ask_ranks_anew();
        self.ask_reports_anew();
        self.round.dirty.extend(self.slots.keys().copied());
    }

    pub(super) fn kill(&mut self, id: JobId, by: &UserName) {
        let Some(job) = self.jobs.get_mut(&id) else {
            let status = self.recent.iter().find(|(recent, _)| *recent == id).map(|(_, job)| job.status);
            return self.emit(Action::KillNoted { job: id, status });
        };
        let again = job.stop.is_some();
        job.stop.get_or_insert_with(|| by.clone());
        let tests = job.tests.len() as u32;
        let running: Vec<RunId> = job.running.iter().copied().collect();
        self.round.touched.insert(id);
        if !again {
            self.drop_asks_of(id);
            self.end_hold(id);
            for test in (0..tests).map(TestIx) {
                self.drop_queued(id, test, u32::MAX, &Outcome::Killed);
            }
            self.unqueue_if_done(id);
        }
        for run in running {
            self.stop_run(run);
        }
        let status = self.jobs.get(&id).map(|job| self.status_of(job));
        self.emit(Action::KillNoted { job: id, status });
    }

    pub(super) fn stop_run(&mut self, run: RunId) {
        let Some(held) = self.leases.get_mut(&run) else { return };
        held.stopping = true;
        let (rack, attempt) = (held.lease.rack, held.lease.attempt);
        self.emit(Action::Stop { rack, run, attempt });
    }

    /// Ends waiting runs of a test without a result.
    pub(super) fn drop_runs(&mut self, id: JobId, test: TestIx, most: u32, why: &Incomplete) {
        self.drop_queued(id, test, most, &Outcome::Incomplete(why.clone()));
    }

    fn drop_queued(&mut self, id: JobId, test: TestIx, most: u32, outcome: &Outcome) {
        let now = self.now;
        let Some(job) = self.jobs.get_mut(&id) else { return };
        let Some(book) = job.tests.get_mut(test.0 as usize) else { return };
        let (count, number) = (most.min(book.left()), book.group);
        book.dropped += count;
        let first = book.first.0 + u64::from(book.total - book.dropped);
        let mut gang_is_over = false;
        if let Some(group) = job.groups.get_mut(book.group as usize) {
            group.take(test, count, None);
            if count > 0 {
                group.note(now, PlanChange::Dropped { test, runs: count });
            }
            gang_is_over = group.rule == Rule::Gang && group.is_done();
        }
        if gang_is_over {
            // The other tests of the job may have the slots that were held for this one.
            self.end_hold(id);
        }
        self.count_trial_end(id, number, outcome, count);
        self.scheduled_end(id, test, count, false);
        for run in (first..first + u64::from(count)).map(RunId) {
            self.count_end(id, outcome);
            let outcome = outcome.clone();
            self.emit(Action::RunEnded(RunRecord {
                run,
                job: id,
                test,
                lease: None,
                leased: None,
                ended: self.now,
                outcome,
                why: None,
            }));
        }
    }

    pub(super) fn count_end(&mut self, id: JobId, outcome: &Outcome) {
        self.round.touched.insert(id);
        let Some(job) = self.jobs.get_mut(&id) else { return };
        job.tally.ended += 1;
        match outcome {
            Outcome::Incomplete(Incomplete::NoDaemon) => job.tally.no_daemon += 1,
            Outcome::Incomplete(Incomplete::NoDut) => job.tally.no_dut += 1,
            Outcome::Incomplete(Incomplete::SeveralRacks) => job.tally.several_racks += 1,
            Outcome::Incomplete(_) | Outcome::Done { .. } | Outcome::Killed => {}
        }
    }

    /// A job with nothing left to start leaves its queue.
    pub(super) fn unqueue_if_done(&mut self, id: JobId) {
        let Some(job) = self.jobs.get(&id) else { return };
        if job.groups.iter().all(super::books::Group::is_done) {
            self.queues.remove(job.queue, job.key);
            self.end_hold(id);
        }
    }

    /// These targets have been away for the patience: each job that has waited as long gives them up.
    pub(super) fn give_up_targets(&mut self, targets: &BTreeSet<Target>) {
        let mut losses: BTreeMap<JobId, Vec<TargetIx>> = BTreeMap::new();
        for target in targets {
            let Some(away) = self.away.get(target).copied() else { continue };
            for (at, (_, id)) in self.queues.waiting_for(*target) {
                if self.jobs.get(&id).is_some_and(|job| self.gives_up(job, &away) <= self.now) {
                    losses.entry(id).or_default().push(at);
                }
            }
        }
        for (id, lost) in losses {
            self.lose_targets(id, &lost);
        }
    }

    /// The patience of a job that found targets away when it came.
    pub(super) fn patience_due(&mut self, id: JobId) {
        let Some(job) = self.jobs.get(&id).filter(|job| !job.parked) else { return };
        let overdue = |target: &Target| self.away.get(target).is_some_and(|away| self.gives_up(job, away) <= self.now);
        let targets = job.spec.targets.iter().enumerate();
        let lost: Vec<TargetIx> =
            targets.filter(|(_, target)| overdue(target)).map(|(at, _)| TargetIx(at as u32)).collect();
        self.lose_targets(id, &lost);
    }

    pub(super) fn gives_up(&self, job: &Job, away: &Away) -> Timestamp {
        job.accepted.max(away.since) + self.config.absence_patience
    }

    fn lose_targets(&mut self, id: JobId, lost: &[TargetIx]) {
        let (mut why, now) = (None, self.now);
        for at in lost {
            let Some(job) = self.jobs.get_mut(&id) else { return };
            let Some(away) = job.spec.targets.get(at.0 as usize).and_then(|target| self.away.get(target)) else {
                continue;
            };
            if job.lost.insert(*at, away.why).is_some() {
                continue;
            }
            why = Some(away.why);
            for group in &mut job.groups {
                group.note(now, PlanChange::TargetLost(*at));
            }
        }
        if let Some(why) = why {
            self.trim(id, &why.incomplete());
            let groups = self.jobs.get(&id).map_or(0, |job| job.groups.len() as u32);
            (0..groups).for_each(|number| self.forget_deferral(id, number));
        }
    }

    /// Runs that no longer fit on the targets that are left end now.
    fn trim(&mut self, id: JobId, why: &Incomplete) {
        let Some(job) = self.jobs.get(&id) else { return };
        let surplus: Vec<(TestIx, u32)> =
            (0..job.tests.len() as u32).map(TestIx).map(|test| (test, self.surplus(job, test))).collect();
        for (test, count) in surplus.into_iter().filter(|(_, count)| *count > 0) {
            self.drop_runs(id, test, count, why);
        }
        self.unqueue_if_done(id);
    }

    /// Tells the new status of each job that was touched; final ones leave the books.
    pub(super) fn settle(&mut self) {
        for id in std::mem::take(&mut self.round.touched) {
            self.ask_reports_of(id);
            let Some(job) = self.jobs.get(&id) else { continue };
            let status = self.status_of(job);
            if status == job.status {
                continue;
            }
            let Some(job) = self.jobs.get_mut(&id) else { continue };
            job.status = status;
            job.ended = status.is_final().then_some(self.now);
            let (started, ended, stopped_by) = (job.started, job.ended, job.stop.clone());
            self.emit(Action::JobChanged { job: id, status, started, ended, stopped_by });
            if status.is_final() {
                self.retire(id);
            }
        }
    }

    fn retire(&mut self, id: JobId) {
        let Some(job) = self.jobs.remove(&id) else { return };
        self.usage_of_job(id, &job.spec.owner, false);
        if let Some(origin) = &job.origin {
            self.wake_schedule(origin.schedule);
        }
        self.recent.push_back((id, job));
        if self.recent.len() > MOST_RECENT {
            self.recent.pop_front();
        }
    }

    pub(super) fn forget_old(&mut self) {
        let old = |ended: Option<Timestamp>| {
            ended.is_none_or(|ended| self.now.since(ended) >= headend_model::Span::seconds(RECENT_SECONDS))
        };
        let drop = self.recent.iter().take_while(|(id, job)| old(job.ended) && !self.is_reporting(*id)).count();
        self.recent.drain(..drop);
        while self.key_ages.front().is_some_and(|(at, ..)| *at + self.config.key_memory <= self.now) {
            self.forget_oldest_key();
        }
    }

    pub(super) fn status_of(&self, job: &Job) -> JobStatus {
        if job.tally.ended == job.tally.total {
            return final_status(job);
        }
        if job.started.is_none() {
            return JobStatus::Idle;
        }
        if job.running.iter().any(|run| self.is_stalled(*run)) { JobStatus::Stalled } else { JobStatus::Running }
    }

    pub(super) fn is_stalled(&self, run: RunId) -> bool {
        let rack = self.leases.get(&run).and_then(|held| self.racks.get(&held.lease.rack));
        rack.is_some_and(|rack| !rack.online)
    }

    /// Waiting runs of a test that the targets left cannot take.
    fn surplus(&self, job: &Job, test: TestIx) -> u32 {
        let Some(book) = job.tests.get(test.0 as usize).filter(|book| book.left() > 0) else { return 0 };
        let Some(group) = job.groups.get(book.group as usize) else { return 0 };
        if group.rule == Rule::Gang {
            let needed = job.spec.tests.get(test.0 as usize).map_or(0, |spec| spec.slots_needed as usize);
            return u32::from(needed > self.live_places(job));
        }
        let live = job.spec.targets.len() as u32 - job.lost.len() as u32;
        let used_and_lost = job.lost.keys().filter(|target| group.was_on(test, **target)).count() as u32;
        let open = live - (book.started - used_and_lost);
        book.left().saturating_sub(open)
    }
}

fn final_status(job: &Job) -> JobStatus {
    let tally = &job.tally;
    if job.stop.is_some() {
        JobStatus::Stopped
    } else if job.started.is_some() {
        JobStatus::Completed
    } else if tally.several_racks > 0 {
        JobStatus::SeveralRacks
    } else if tally.no_daemon > 0 {
        JobStatus::NoDaemon
    } else if tally.no_dut > 0 {
        JobStatus::NoDut
    } else {
        JobStatus::Completed
    }
}

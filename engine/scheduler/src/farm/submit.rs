//! A job comes in: checked, numbered, warned about, and put into its queue.

use std::collections::{BTreeMap, BTreeSet};

use headend_model::run::Incomplete;
use headend_model::{
    JobId, JobSpec, JobStatus, Mode, RackId, RunId, SlotId, Target, TargetIx, TestIx, TestSpec, UserName,
};

use super::Farm;
use super::books::{Group, Rule, TestBook};
use super::queues::Rank;
use super::state::{GangBook, Job, KeyBook, Tally, Timer};
use crate::action::{Action, Refusal, Warning};
use crate::event::{IdempotencyKey, Submission};
use crate::policy::{PriorityFifo, QueuePolicy, QueuedJob};
use crate::schedule::{Origin, ScheduleAction};

/// So many idempotency keys are remembered at most, over all owners.
const MOST_KEYS: usize = 100_000;
/// So many waiting jobs are looked at per target for the warning about other users' work.
const BUSY_LOOKS: usize = 8;

/// Runs that a test gets: one process for all its slots, or one per slot.
pub(super) fn runs_of(test: &TestSpec) -> u32 {
    match test.mode {
        Mode::SingleProcess => 1,
        Mode::DutCoverage | Mode::TestCoverage | Mode::Policy(_) => test.slots_needed,
    }
}

impl Farm {
    pub(super) fn submit(&mut self, submission: &Submission) {
        let answer = match self.check(submission) {
            Ok(answer) => answer,
            Err(refusal) => return self.emit(Action::Refused(refusal)),
        };
        match answer {
            Known::Before { job, warnings } => self.emit(Action::Accepted { job, warnings, repeated: true }),
            Known::New { warnings } => self.accept(submission, warnings, None),
        }
    }

    fn check(&self, submission: &Submission) -> Result<Known, Refusal> {
        let spec = &submission.spec;
        if let Some(known) = submission.key.as_ref().and_then(|key| self.known_key(&spec.owner, key)) {
            return known;
        }
        Ok(Known::New { warnings: self.check_new(submission)? })
    }

    /// What stands against a new job, or what its submitter should know.
    pub(super) fn check_new(&self, submission: &Submission) -> Result<Vec<Warning>, Refusal> {
        self.check_spec(&submission.spec)?;
        let warnings = self.warnings(submission);
        if submission.fail_on_warning && !warnings.is_empty() {
            return Err(Refusal::Warnings(warnings));
        }
        Ok(warnings)
    }

    fn known_key(&self, owner: &UserName, key: &IdempotencyKey) -> Option<Result<Known, Refusal>> {
        let book = self.keys.get(owner)?.get(&key.key)?;
        Some(if book.digest == key.digest {
            Ok(Known::Before { job: book.job, warnings: book.warnings.clone() })
        } else {
            Err(Refusal::KeyReused { job: book.job })
        })
    }

    fn check_spec(&self, spec: &JobSpec) -> Result<(), Refusal> {
        if spec.tests.is_empty() {
            return Err(Refusal::NoTests);
        }
        if spec.targets.is_empty() {
            return Err(Refusal::NoTargets);
        }
        let mut seen = BTreeSet::new();
        for (at, target) in spec.targets.iter().enumerate() {
            let at = TargetIx(at as u32);
            match target {
                Target::Slot(slot) if !self.slots.contains_key(slot) => return Err(Refusal::UnknownSlot(at)),
                Target::Dut(dut) if !self.inventory.duts.contains_key(dut) => return Err(Refusal::UnknownDut(at)),
                Target::Slot(_) | Target::Dut(_) => {}
            }
            if !seen.insert(target) {
                return Err(Refusal::DuplicateTarget(at));
            }
        }
        if let Some(at) = spec.tests.iter().position(|test| test.slots_needed == 0) {
            return Err(Refusal::ZeroSlots(TestIx(at as u32)));
        }
        let runs: u64 = spec.tests.iter().map(|test| u64::from(runs_of(test))).sum();
        let most = self.config.max_runs_per_job;
        if runs > u64::from(most) { Err(Refusal::TooManyRuns { runs, most }) } else { Ok(()) }
    }

    fn warnings(&self, submission: &Submission) -> Vec<Warning> {
        let spec = &submission.spec;
        let given = spec.targets.len() as u32;
        let places = self.places(spec.targets.iter()) as u32;
        let spread = self.spans_racks(&spec.targets);
        let mut warnings = Vec::new();
        for (at, test) in spec.tests.iter().enumerate() {
            let at = TestIx(at as u32);
            if submission.missing_scripts.contains(&at) {
                warnings.push(Warning::ScriptMissing(at));
            }
            let given = if test.mode == Mode::SingleProcess { places } else { given };
            if test.slots_needed > given {
                warnings.push(Warning::Surplus { test: at, needed: test.slots_needed, given });
            }
            if test.mode == Mode::SingleProcess && spread {
                warnings.push(Warning::SeveralRacks(at));
            }
        }
        for (at, target) in spec.targets.iter().enumerate() {
            self.warn_of_target(TargetIx(at as u32), *target, &spec.owner, &mut warnings);
        }
        warnings
    }

    fn warn_of_target(&self, at: TargetIx, target: Target, owner: &UserName, warnings: &mut Vec<Warning>) {
        match self.absence(target) {
            Some(super::state::AwayWhy::NoDaemon) => warnings.push(Warning::NoDaemon(at)),
            Some(super::state::AwayWhy::NoDut) => warnings.push(Warning::NoDut(at)),
            None => {}
        }
        if let Some(holder) = self.other_user_at(target, owner) {
            warnings.push(Warning::Busy { target: at, holder: holder.clone() });
        }
    }

    fn other_user_at(&self, target: Target, owner: &UserName) -> Option<&UserName> {
        let reserved = self.slot_at(target).and_then(|slot| self.reservations.at(slot)).map(|book| &book.user);
        if let Some(user) = reserved.filter(|user| *user != owner) {
            return Some(user);
        }
        let lease = match target {
            Target::Slot(slot) => self.slots.get(&slot).and_then(|slot| slot.lease),
            Target::Dut(dut) => self.duts.get(&dut).and_then(|dut| dut.lease),
        };
        let running = lease.and_then(|run| self.leases.get(&run)).map(|held| held.lease.job);
        let waiting = self.queues.waiting_for(target).take(BUSY_LOOKS).map(|(_, (_, job))| job);
        running
            .into_iter()
            .chain(waiting)
            .filter_map(|job| self.jobs.get(&job))
            .map(|job| &job.spec.owner)
            .find(|who| *who != owner)
    }

    /// The targets that are somewhere are on more than one rack.
    pub(super) fn spans_racks(&self, targets: &[Target]) -> bool {
        let mut racks = targets.iter().filter_map(|target| self.rack_at(*target));
        let first: Option<RackId> = racks.next();
        racks.any(|rack| Some(rack) != first)
    }

    /// The number that the next accepted job will have.
    pub(super) const fn next_job_id(&self) -> JobId {
        JobId(self.next.job)
    }

    /// Takes a checked job into the books, whoever hands it in.
    pub(super) fn accept(&mut self, submission: &Submission, warnings: Vec<Warning>, origin: Option<Origin>) {
        let id = self.next_job_id();
        self.next.job += 1;
        let job = Job { origin: origin.clone(), ..self.plan_job(id, &submission.spec) };
        self.remember_key(submission, id, &warnings);
        self.jobs.insert(id, job);
        self.usage_of_job(id, &submission.spec.owner, true);
        self.emit(match origin {
            None => Action::Accepted { job: id, warnings, repeated: false },
            Some(origin) => Action::Schedule(Box::new(ScheduleAction::JobMade { job: id, origin, warnings })),
        });
        self.round.touched.insert(id);
        self.drop_impossible(id, submission);
        self.assign_canaries(id);
        self.expect_absent(id);
        self.unqueue_if_done(id);
        self.mark_targets(id);
        self.want_rank(id);
    }

    fn plan_job(&mut self, id: JobId, spec: &JobSpec) -> Job {
        let key = (Rank::Own(self.rank(id, spec, self.now)), id);
        let first_run = RunId(self.next.run);
        let mut groups: Vec<Group> = Vec::new();
        let mut at_group: BTreeMap<&Mode, u32> = BTreeMap::new();
        let mut tests = Vec::with_capacity(spec.tests.len());
        let mut total = 0;
        for (at, test) in spec.tests.iter().enumerate() {
            let runs = runs_of(test);
            let group = *at_group.entry(&test.mode).or_insert_with(|| {
                groups.push(Group::new(Rule::of(&test.mode)));
                groups.len() as u32 - 1
            });
            groups[group as usize].add(TestIx(at as u32), runs);
            tests.push(TestBook { first: RunId(self.next.run), total: runs, started: 0, dropped: 0, group });
            self.next.run += u64::from(runs);
            total += runs;
        }
        Job {
            spec: spec.clone(),
            accepted: self.now,
            key,
            queue: self.queues.add(&spec.targets, key),
            first_run,
            tests,
            groups,
            lost: BTreeMap::new(),
            status: JobStatus::Idle,
            stop: None,
            started: None,
            ended: None,
            running: BTreeSet::new(),
            tally: Tally { total, ..Tally::default() },
            gang: GangBook::default(),
            origin: None,
            era: self.next.era,
            parked: false,
        }
    }

    pub(super) fn rank(&self, job: JobId, spec: &JobSpec, accepted: headend_model::Timestamp) -> i64 {
        #[cfg(feature = "mutants")]
        if self.is_mutant(crate::mutant::Mutant::Lifo) {
            return i64::from(spec.priority.0).saturating_mul(1 << 40).saturating_sub(job.0 as i64);
        }
        let policy = PriorityFifo { ageing_step: self.config.ageing_step };
        policy.rank(&QueuedJob { job, owner: &spec.owner, priority: spec.priority, accepted })
    }

    /// Runs that can never start end at once, each with its reason.
    fn drop_impossible(&mut self, id: JobId, submission: &Submission) {
        let spec = &submission.spec;
        let given = spec.targets.len() as u32;
        let places = self.places(spec.targets.iter()) as u32;
        let spread = self.spans_racks(&spec.targets);
        for (at, test) in spec.tests.iter().enumerate() {
            let at = TestIx(at as u32);
            let single = test.mode == Mode::SingleProcess;
            if submission.missing_scripts.contains(&at) {
                self.drop_runs(id, at, u32::MAX, &Incomplete::ScriptMissing);
            } else if single && spread {
                self.drop_runs(id, at, u32::MAX, &Incomplete::SeveralRacks);
            } else if single && test.slots_needed > places {
                self.drop_runs(id, at, 1, &Incomplete::Surplus);
            } else if !single && test.slots_needed > given {
                self.drop_runs(id, at, test.slots_needed - given, &Incomplete::Surplus);
            }
        }
    }

    /// Targets that are away now have the patience from now on; the timers of their absence may be due earlier.
    pub(super) fn expect_absent(&mut self, id: JobId) {
        let Some(job) = self.jobs.get(&id) else { return };
        if job.spec.targets.iter().any(|target| self.away.contains_key(target)) {
            self.arm(self.now + self.config.absence_patience, Timer::Patience(id));
        }
    }

    /// The slots where the job might start are looked at in this step.
    pub(super) fn mark_targets(&mut self, id: JobId) {
        let Some(job) = self.jobs.get(&id) else { return };
        let slots: Vec<SlotId> = job.spec.targets.iter().filter_map(|target| self.slot_at(*target)).collect();
        self.round.dirty.extend(slots);
    }

    fn remember_key(&mut self, submission: &Submission, job: JobId, warnings: &[Warning]) {
        let Some(key) = &submission.key else { return };
        let owner = &submission.spec.owner;
        let book = KeyBook { digest: key.digest, job, warnings: warnings.to_vec() };
        self.keys.entry(owner.clone()).or_default().insert(key.key.clone(), book);
        self.key_ages.push_back((self.now, owner.clone(), key.key.clone()));
        if self.key_ages.len() > MOST_KEYS {
            self.forget_oldest_key();
        }
    }

    pub(super) fn forget_oldest_key(&mut self) {
        let Some((_, owner, key)) = self.key_ages.pop_front() else { return };
        if let Some(keys) = self.keys.get_mut(&owner) {
            keys.remove(&key);
            if keys.is_empty() {
                self.keys.remove(&owner);
            }
        }
    }
}

/// Whether a submission is a retry.
enum Known {
    Before { job: JobId, warnings: Vec<Warning> },
    New { warnings: Vec<Warning> },
}

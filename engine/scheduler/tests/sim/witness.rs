//! Sees what really happens: which process drives what, and what the farm told the world. It trusts no records.

use std::collections::{BTreeMap, BTreeSet};

use headend_model::{
    DutId, Epoch, JobId, JobStatus, Lease, Mode, Outcome, Priority, ReservationId, RunId, SlotId, Span, TargetIx,
    TestIx, Timestamp,
};
use headend_scheduler::event::Submission;
use headend_scheduler::view::{QueueRank, SlotState, SlotView};
use headend_scheduler::{Action, Farm, ReservationAction};

use crate::plugins::rank_of;
use crate::schedules::Occurrences;
use crate::world::Real;

/// A rule was broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Broken {
    pub(crate) id: &'static str,
    pub(crate) what: String,
}

pub(crate) type Check = Result<(), Broken>;

pub(crate) fn ensure(holds: bool, id: &'static str, what: impl FnOnce() -> String) -> Check {
    if holds { Ok(()) } else { Err(Broken { id, what: what() }) }
}

/// A process that drives boxes.
#[derive(Clone, Debug)]
pub(crate) struct Process {
    pub(crate) rack: usize,
    pub(crate) lease: Lease,
    /// No signal ends it.
    pub(crate) stuck: Stuck,
    /// The farm has forgotten that it started it: an older backup was put back.
    orphan: bool,
}

/// Whether a process can be killed, and who knows that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stuck {
    No,
    /// Only its rack knows.
    Hidden,
    /// The farm was told.
    Told,
}

impl Process {
    /// The farm may take it for gone.
    fn is_beyond_reach(&self) -> bool {
        self.orphan || self.stuck != Stuck::No
    }
}

/// What the witness knows of a job, from what the farm told.
#[derive(Clone, Debug)]
struct Job {
    submission: Submission,
    accepted: Timestamp,
    tests: Vec<Test>,
    was_on: BTreeSet<(TestIx, TargetIx)>,
    is_final: bool,
    /// When a stop was first asked for.
    stopped: Option<Real>,
    ended: u32,
}

#[derive(Clone, Debug)]
struct Test {
    left: u32,
    starts: u32,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Witness {
    pub(crate) alive: BTreeMap<RunId, Process>,
    /// Tries that were started; never forgotten.
    started: BTreeSet<(RunId, u32)>,
    /// Leases that the farm knows to have granted.
    granted: BTreeSet<(RunId, Epoch)>,
    /// Leases under which something was started; never forgotten.
    driven: BTreeSet<(RunId, Epoch)>,
    finished: BTreeMap<(RunId, Epoch), Outcome>,
    told: BTreeSet<RunId>,
    slot_epochs: BTreeMap<SlotId, Epoch>,
    dut_epochs: BTreeMap<DutId, Epoch>,
    started_epochs: BTreeMap<SlotId, Epoch>,
    started_dut_epochs: BTreeMap<DutId, Epoch>,
    jobs: BTreeMap<JobId, Job>,
    by_client: BTreeMap<usize, JobId>,
    occurrences: Occurrences,
    /// Slots that people have.
    reserved: BTreeMap<SlotId, ReservationId>,
    pub(crate) reservations: u64,
    pub(crate) sessions: u64,
    pub(crate) starts: u64,
    pub(crate) drives: u64,
}

impl Witness {
    /// A process starts to drive.
    pub(crate) fn process_starts(&mut self, rack: usize, lease: &Lease) -> Check {
        self.drives += 1;
        // An offer that was on its way when its past was lost: what it starts, the farm will start again.
        let orphan = !self.granted.contains(&(lease.run, lease.targets[0].slot_epoch));
        ensure(self.started.insert((lease.run, lease.attempt)), "S2", || {
            format!("try {} of run {} is started twice", lease.attempt, lease.run)
        })?;
        ensure(self.driven.insert((lease.run, lease.targets[0].slot_epoch)), "S2", || {
            format!("run {} is started twice under one lease", lease.run)
        })?;
        for target in &lease.targets {
            for process in self.alive.values() {
                let clash = |of: &dyn Fn(&headend_model::LeasedTarget) -> bool| process.lease.targets.iter().any(of);
                let (mine, other) = (lease.run, process.lease.run);
                ensure(!clash(&|old| old.slot == target.slot), "S1", || {
                    format!("runs {other} and {mine} drive slot {}", target.slot)
                })?;
                // Somebody took the box out of the slot of a process that cannot be killed: that one drives air now.
                // Once the farm knows, it does not lease the box either (`lease_granted`).
                let gone = process.stuck != Stuck::No && process.rack != rack;
                ensure(gone || !clash(&|old| old.dut == target.dut), "S1", || {
                    format!("runs {other} and {mine} drive DUT {}", target.dut)
                })?;
            }
            let last = self.started_epochs.insert(target.slot, target.slot_epoch);
            ensure(last < Some(target.slot_epoch), "S9", || {
                format!("slot {} starts epoch {} after {last:?}", target.slot, target.slot_epoch.0)
            })?;
            let last = self.started_dut_epochs.insert(target.dut, target.dut_epoch);
            ensure(last < Some(target.dut_epoch), "S9", || {
                format!("DUT {} starts epoch {} after {last:?}", target.dut, target.dut_epoch.0)
            })?;
        }
        let process = Process { rack, lease: lease.clone(), stuck: Stuck::No, orphan };
        ensure(self.alive.insert(lease.run, process).is_none(), "S2", || format!("run {} drives twice", lease.run))?;
        Ok(())
    }

    /// Nothing of the process is left.
    pub(crate) fn process_ends(&mut self, run: RunId, outcome: Option<&Outcome>) {
        let process = self.alive.remove(&run);
        if let (Some(process), Some(outcome)) = (process, outcome) {
            self.finished.insert((run, process.lease.targets[0].slot_epoch), outcome.clone());
        }
    }

    /// A rack says which epochs it has seen on a slot (S9: over restarts too).
    pub(crate) fn rack_reports(&self, slot: SlotId, seen: Epoch) -> Check {
        let started = self.started_epochs.get(&slot).copied().unwrap_or_default();
        ensure(seen >= started, "S9", || {
            format!("slot {slot}: the rack reports epoch {}, it has started {}", seen.0, started.0)
        })
    }

    /// The farm took a submission of a client.
    pub(crate) fn submitted(
        &mut self,
        now: Timestamp,
        client: usize,
        submission: &Submission,
        actions: &[Action],
    ) -> Check {
        for action in actions {
            let Action::Accepted { job, repeated, .. } = action else { continue };
            let known = *self.by_client.entry(client).or_insert(*job);
            ensure(known == *job, "S6", || format!("client {client} handed in one job and got {known} and {job}"))?;
            if *repeated {
                continue;
            }
            let tests = submission
                .spec
                .tests
                .iter()
                .map(|test| Test { left: runs(&test.mode, test.slots_needed), starts: 0 })
                .collect();
            let submission = submission.clone();
            let book = Job {
                submission,
                accepted: now,
                tests,
                was_on: BTreeSet::new(),
                is_final: false,
                stopped: None,
                ended: 0,
            };
            self.jobs.insert(*job, book);
        }
        Ok(())
    }

    /// The farm asked for a stop of the job.
    pub(crate) fn killed(&mut self, real: Real, job: JobId) {
        if let Some(job) = self.jobs.get_mut(&job) {
            job.stopped.get_or_insert(real);
        }
    }

    /// L6: a stop that was asked for that long ago has come to its end.
    pub(crate) fn stops_are_final(&self, now: Real, faults_end: Real, bound: Real) -> Check {
        let late = self
            .jobs
            .iter()
            .find(|(_, job)| !job.is_final && job.stopped.is_some_and(|at| at.max(faults_end) + bound < now));
        ensure(late.is_none(), "L6", || format!("a stop was asked for long ago: {late:?}"))
    }

    /// A job that could still be stopped.
    pub(crate) fn stoppable(&self) -> Option<JobId> {
        self.jobs.iter().find(|(_, job)| !job.is_final && job.stopped.is_none()).map(|(id, _)| *id)
    }

    pub(crate) fn knows_job(&self, job: JobId) -> bool {
        self.jobs.contains_key(&job)
    }

    /// The farm was put back to what it was when `then` was noted. What the world has seen stays seen.
    pub(crate) fn rewind(&mut self, then: Self) {
        let now = std::mem::replace(self, then);
        self.alive = now.alive;
        self.started = now.started;
        self.driven = now.driven;
        self.finished = now.finished;
        self.slot_epochs = now.slot_epochs;
        self.dut_epochs = now.dut_epochs;
        self.started_epochs = now.started_epochs;
        self.started_dut_epochs = now.started_dut_epochs;
        (self.starts, self.drives) = (now.starts, now.drives);
        (self.reservations, self.sessions) = (now.reservations, now.sessions);
        for (run, process) in &mut self.alive {
            process.orphan |= !self.granted.contains(&(*run, process.lease.targets[0].slot_epoch));
        }
    }

    /// What the farm told the world.
    pub(crate) fn actions(&mut self, now: Timestamp, farm: &Farm, actions: &[Action]) -> Check {
        for action in actions {
            match action {
                Action::Start { lease, test, .. } => {
                    let taken = lease.targets.iter().find(|target| self.reserved.contains_key(&target.slot));
                    ensure(taken.is_none(), "S1", || format!("run {} starts where a person is: {taken:?}", lease.run))?;
                    self.lease_granted(now, farm, lease, *test)?;
                }
                Action::RunEnded(record) => self.run_ended(record)?,
                Action::JobChanged { job, status, .. } => self.job_changed(*job, *status)?,
                Action::Schedule(news) => self.occurrences.see(news)?,
                Action::Reservation(news) => self.reservation(now, farm, news)?,
                _ => {}
            }
        }
        Ok(())
    }

    fn reservation(&mut self, now: Timestamp, farm: &Farm, news: &ReservationAction) -> Check {
        match news {
            ReservationAction::Made { reservation, slot, .. } => {
                self.reservations += 1;
                let other = self.reserved.insert(*slot, *reservation);
                ensure(other.is_none(), "S1", || format!("{reservation} and {other:?} both have slot {slot}"))
            }
            ReservationAction::Ended { reservation, slot, .. } => {
                let had = self.reserved.remove(slot);
                ensure(had == Some(*reservation), "S3", || format!("{reservation} ends, slot {slot} was {had:?}'s"))
            }
            ReservationAction::SessionBegun { reservation, lease, .. } => {
                let slot = lease.targets[0].slot;
                let had = self.reserved.get(&slot);
                ensure(had == Some(reservation), "S1", || format!("{reservation} drives slot {slot} of {had:?}"))?;
                self.sessions += 1;
                self.lease_granted(now, farm, lease, TestIx(0))
            }
            ReservationAction::SessionEnded { run, .. } => {
                ensure(self.told.insert(*run), "S3", || format!("session {run} has ended twice"))?;
                let drives = self.alive.get(run).is_some_and(|process| !process.is_beyond_reach());
                ensure(!drives, "S10", || format!("session {run} is said to have ended and still drives"))
            }
            ReservationAction::Extended { .. } | ReservationAction::Refused(_) => Ok(()),
        }
    }

    fn lease_granted(&mut self, now: Timestamp, farm: &Farm, lease: &Lease, test: TestIx) -> Check {
        self.starts += 1;
        for target in &lease.targets {
            let last = self.slot_epochs.insert(target.slot, target.slot_epoch).unwrap_or_default();
            ensure(target.slot_epoch > last, "S9", || {
                format!("slot {} is leased under epoch {} after {}", target.slot, target.slot_epoch.0, last.0)
            })?;
            let last = self.dut_epochs.insert(target.dut, target.dut_epoch).unwrap_or_default();
            ensure(target.dut_epoch > last, "S9", || {
                format!("DUT {} is leased under epoch {} after {}", target.dut, target.dut_epoch.0, last.0)
            })?;
        }
        let stuck = self.alive.values().filter(|process| process.stuck == Stuck::Told);
        let hung = stuck
            .flat_map(|process| &process.lease.targets)
            .find(|hung| lease.targets.iter().any(|target| target.slot == hung.slot || target.dut == hung.dut));
        ensure(hung.is_none(), "S10", || {
            format!("run {} is leased what cannot be killed drives: {hung:?}", lease.run)
        })?;
        self.granted.insert((lease.run, lease.targets[0].slot_epoch));
        let Some(granted) = farm_targets(farm, lease) else { return Ok(()) };
        self.check_order_between_jobs(now, farm, lease, &granted)?;
        self.check_order_within_job(lease, test, &granted)?;
        let Some(job) = self.jobs.get_mut(&lease.job) else { return Ok(()) };
        job.was_on.extend(granted.iter().map(|at| (test, *at)));
        if let Some(test) = job.tests.get_mut(test.0 as usize) {
            ensure(test.left > 0, "S4", || format!("job {} has started more runs than it has", lease.job))?;
            test.left -= 1;
            test.starts += 1;
        }
        Ok(())
    }

    /// O1, O2: nobody better wanted the slot. Judged for jobs whose targets cannot have been given up yet.
    fn check_order_between_jobs(&self, now: Timestamp, farm: &Farm, lease: &Lease, _granted: &[TargetIx]) -> Check {
        let Some(mine) = self.jobs.get(&lease.job) else { return Ok(()) };
        let rank = |id: JobId, job: &Job| (queue_place(farm, id, job.submission.spec.priority), id);
        let patience: Span = farm.config().absence_patience;
        for target in &lease.targets {
            let better = self.jobs.iter().find(|(id, job)| {
                rank(**id, job) < rank(lease.job, mine)
                    && !job.is_final
                    && job.stopped.is_none()
                    && now.since(job.accepted) < patience
                    && job.wants(target.slot, target.dut)
            });
            ensure(better.is_none(), "O1", || {
                format!(
                    "slot {} went to job {}, job {:?} comes first",
                    target.slot,
                    lease.job,
                    better.map(|(id, _)| id)
                )
            })?;
        }
        Ok(())
    }

    /// O3, O4.
    fn check_order_within_job(&self, lease: &Lease, test: TestIx, granted: &[TargetIx]) -> Check {
        let Some(job) = self.jobs.get(&lease.job) else { return Ok(()) };
        let mode = &job.submission.spec.tests[test.0 as usize].mode;
        let same: Vec<TestIx> = job.of_mode(mode);
        let at = granted[0];
        match mode {
            Mode::DutCoverage => {
                let later = same.iter().any(|other| *other > test && job.was_on.contains(&(*other, at)));
                let passed = same.iter().any(|other| {
                    *other < test && job.tests[other.0 as usize].left > 0 && !job.was_on.contains(&(*other, at))
                });
                ensure(!later && !passed, "O3", || {
                    format!("test {} of job {} is out of order on target {}", test.0, lease.job, at.0)
                })
            }
            Mode::TestCoverage => {
                let fresh =
                    |other: &TestIx| job.tests[other.0 as usize].starts == 0 && job.tests[other.0 as usize].left > 0;
                let second = job.tests[test.0 as usize].starts > 0;
                ensure(!(second && same.iter().any(fresh)), "O4", || {
                    format!("test {} of job {} starts again before another has started", test.0, lease.job)
                })
            }
            Mode::SingleProcess | Mode::Policy(_) => Ok(()),
        }
    }

    fn run_ended(&mut self, record: &headend_scheduler::action::RunRecord) -> Check {
        let run = record.run;
        ensure(self.told.insert(run), "S3", || format!("run {run} has ended twice"))?;
        let drives = self.alive.get(&run).is_some_and(|process| !process.is_beyond_reach());
        ensure(!drives, "S10", || format!("run {run} is said to have ended and still drives"))?;
        if matches!(record.outcome, Outcome::Done { .. }) {
            let epoch = record.lease.as_ref().map_or(Epoch::default(), |lease| lease.targets[0].slot_epoch);
            let seen = self.finished.get(&(run, epoch));
            ensure(seen == Some(&record.outcome), "S8", || {
                format!("run {run} ended {:?}, told as {:?}", seen, record.outcome)
            })?;
        }
        let Some(job) = self.jobs.get_mut(&record.job) else { return Ok(()) };
        ensure(!job.is_final, "S3", || format!("run {run} ended after its job {}", record.job))?;
        job.ended += 1;
        if record.lease.is_none()
            && let Some(test) = job.tests.get_mut(record.test.0 as usize)
        {
            ensure(test.left > 0, "S4", || format!("job {} has ended more runs than it has", record.job))?;
            test.left -= 1;
        }
        Ok(())
    }

    fn job_changed(&mut self, id: JobId, status: JobStatus) -> Check {
        let drives = self.alive.values().any(|process| process.lease.job == id && !process.is_beyond_reach());
        let Some(job) = self.jobs.get_mut(&id) else { return Ok(()) };
        ensure(!job.is_final, "S3", || format!("job {id} changed to {status} after its end"))?;
        job.is_final = status.is_final();
        ensure(!(status.is_final() && drives), "S12", || format!("job {id} is {status} and still drives"))
    }

    /// The server is back: nothing that it has told anybody may be gone (S6, S7).
    pub(crate) fn server_is_back(&self, farm: &Farm) -> Check {
        let gone = self.reserved.values().find(|id| farm.reservation(**id).is_none());
        ensure(gone.is_none(), "S6", || format!("reservation {gone:?} was made and is gone"))?;
        for (id, job) in self.jobs.iter().filter(|(_, job)| !job.is_final) {
            let view = farm.job(*id);
            ensure(view.is_some(), "S6", || format!("job {id} was accepted and is gone"))?;
            let left: u32 = job.tests.iter().map(|test| test.left).sum();
            let queued = view.map_or(0, |view| view.queued);
            ensure(queued == left, "S7", || format!("job {id} has {queued} runs waiting, it told of {left}"))?;
        }
        Ok(())
    }

    /// After the calm: everything that was accepted is final, every run told once, nothing drives (L2, L7, S4).
    pub(crate) fn all_is_done(&self, farm: &Farm) -> Check {
        for (id, job) in &self.jobs {
            ensure(job.is_final, "L2", || format!("job {id} is not final: {:?}", farm.why(farm.now(), *id)))?;
            let total: u32 = job.submission.spec.tests.iter().map(|test| runs(&test.mode, test.slots_needed)).sum();
            ensure(job.ended == total, "S5", || format!("job {id} told of {} ends, it has {total} runs", job.ended))?;
        }
        ensure(self.alive.is_empty(), "L7", || format!("{} processes still drive", self.alive.len()))?;
        let busy = busy_slot(farm);
        ensure(busy.is_none(), "L7", || format!("a slot is not free: {busy:?}"))
    }

    /// Accepted and not final.
    pub(crate) fn open_jobs(&self) -> usize {
        self.jobs.values().filter(|job| !job.is_final).count()
    }
}

impl Job {
    /// Some test of modes 1 or 2 could start there.
    fn wants(&self, slot: SlotId, dut: DutId) -> bool {
        let spec = &self.submission.spec;
        let here = |target: &headend_model::Target| {
            *target == headend_model::Target::Slot(slot) || *target == headend_model::Target::Dut(dut)
        };
        let targets: Vec<TargetIx> =
            (0u32..).zip(&spec.targets).filter(|(_, target)| here(target)).map(|(at, _)| TargetIx(at)).collect();
        (0u32..).map(TestIx).zip(&spec.tests).any(|(test, wanted)| {
            matches!(wanted.mode, Mode::DutCoverage | Mode::TestCoverage)
                && self.tests[test.0 as usize].left > 0
                && targets.iter().any(|at| !self.was_on.contains(&(test, *at)))
        })
    }

    fn of_mode(&self, mode: &Mode) -> Vec<TestIx> {
        (0u32..)
            .map(TestIx)
            .zip(&self.submission.spec.tests)
            .filter(|(_, test)| test.mode == *mode)
            .map(|(test, _)| test)
            .collect()
    }
}

/// Where the queue policy has put a job, by its own rule; behind all that it has ranked, while it has not.
fn queue_place(farm: &Farm, job: JobId, priority: Priority) -> (bool, i64) {
    match farm.queue_rank(job) {
        Some(QueueRank::Plugin { .. }) => (false, rank_of(job)),
        Some(QueueRank::NotYet { .. } | QueueRank::BuiltIn(_)) | None => (true, priority.0.into()),
    }
}

/// A slot that is not free.
pub(crate) fn busy_slot(farm: &Farm) -> Option<SlotView> {
    farm.racks().iter().flat_map(|rack| rack.slots.clone()).find(|slot| slot.state != SlotState::Free)
}

fn runs(mode: &Mode, needed: u32) -> u32 {
    if *mode == Mode::SingleProcess { 1 } else { needed }
}

/// The targets of a job that a lease was granted on: each slot named by its number or by its DUT.
fn farm_targets(farm: &Farm, lease: &Lease) -> Option<Vec<TargetIx>> {
    Some(farm.targets_of(lease.run)?.to_vec())
}

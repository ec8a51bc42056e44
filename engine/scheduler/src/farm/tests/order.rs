//! O1 to O5 and L4, judged from what the farm tells, by a model of its own: who waits, who was where, who comes first.

use std::collections::{BTreeMap, BTreeSet};

use headend_model::{JobId, JobSpec, Lease, Mode, Priority, RunId, SlotId, Span, Target, TargetIx, TestIx, Timestamp};
use proptest::prelude::*;

use super::lab::{duts, slots};
use super::{Lab, job, test};
use crate::action::{ChosenBy, StartReason};
use crate::event::Placement;
use crate::{Action, Event, Farm, FarmConfig};

type Judged = Result<(), TestCaseError>;

/// All that was told of the order.
#[derive(Default)]
pub(super) struct Order {
    jobs: BTreeMap<JobId, Waiting>,
    /// What is leased: on which targets of which job.
    live: BTreeMap<RunId, (JobId, TestIx, Vec<TargetIx>)>,
    /// Questions to coverage policies: job and offered targets.
    asked: BTreeMap<u64, (JobId, Vec<TargetIx>)>,
}

struct Waiting {
    spec: JobSpec,
    accepted: Timestamp,
    left: Vec<u32>,
    starts: Vec<u32>,
    was_on: BTreeSet<(TestIx, TargetIx)>,
}

impl Order {
    /// One step: `farm` as it is after it, what came in, what was told.
    pub(super) fn see(&mut self, farm: &Farm, event: &Event, told: &[Action]) -> Judged {
        for action in told {
            match action {
                Action::Accepted { job, repeated: false, .. } => self.accepted(farm, *job, event),
                Action::Ask(ask) => drop(self.asked.insert(ask.ask, (ask.job, ask.free.clone()))),
                Action::Start { lease, test, why } => self.started(farm, event, lease, *test, why)?,
                Action::RunEnded(record) => {
                    self.live.remove(&record.run);
                    if let Some(job) = self.jobs.get_mut(&record.job).filter(|_| record.lease.is_none()) {
                        job.left[record.test.0 as usize] -= 1;
                    }
                }
                Action::JobChanged { job, status, .. } if status.is_final() => drop(self.jobs.remove(job)),
                _ => {}
            }
        }
        Ok(())
    }

    fn accepted(&mut self, farm: &Farm, id: JobId, event: &Event) {
        let Event::Submit(submission) = event else { return };
        let spec = submission.spec.clone();
        let runs = |mode: &Mode, needed| if *mode == Mode::SingleProcess { 1 } else { needed };
        let left: Vec<u32> = spec.tests.iter().map(|test| runs(&test.mode, test.slots_needed)).collect();
        let starts = vec![0; left.len()];
        self.jobs.insert(id, Waiting { spec, accepted: farm.now(), left, starts, was_on: BTreeSet::new() });
    }

    fn started(&mut self, farm: &Farm, event: &Event, lease: &Lease, test: TestIx, why: &StartReason) -> Judged {
        let targets = farm.targets_of(lease.run).unwrap_or_default().to_vec();
        self.nobody_better(farm, lease)?;
        self.nobody_starves(farm, lease)?;
        self.in_its_job(lease.job, test, &targets)?;
        self.by_a_policy(event, lease.job, test, &targets, &why.chosen_by)?;
        let job = self.jobs.get_mut(&lease.job).expect("the job is open");
        job.left[test.0 as usize] -= 1;
        job.starts[test.0 as usize] += 1;
        job.was_on.extend(targets.iter().map(|at| (test, *at)));
        self.live.insert(lease.run, (lease.job, test, targets));
        Ok(())
    }

    /// Open jobs with a coverage test that could start on a place of this lease.
    fn rivals<'a>(&'a self, farm: &'a Farm, lease: &'a Lease) -> impl Iterator<Item = (&'a JobId, &'a Waiting)> {
        let wants = |id: JobId, job: &Waiting| {
            lease.targets.iter().any(|at| job.wants(farm, id, Target::Slot(at.slot), Target::Dut(at.dut)))
        };
        self.jobs.iter().filter(move |(id, job)| **id != lease.job && wants(**id, job))
    }

    /// O1, O2: the smallest rank first, acceptance breaking ties.
    fn nobody_better(&self, farm: &Farm, lease: &Lease) -> Judged {
        let step = farm.config().ageing_step;
        let mine = rank(lease.job, &self.jobs[&lease.job], step);
        for (id, job) in self.rivals(farm, lease) {
            let theirs = rank(*id, job, step);
            prop_assert!(mine < theirs, "O1, O2: job {} got the slot, job {id} comes first", lease.job);
        }
        Ok(())
    }

    /// L4: once a job of priority p has waited p - 1 steps, nobody who comes then is started before it.
    fn nobody_starves(&self, farm: &Farm, lease: &Lease) -> Judged {
        let Some(step) = farm.config().ageing_step else { return Ok(()) };
        let mine = self.jobs[&lease.job].accepted;
        for (id, job) in self.rivals(farm, lease) {
            let bound = step.times(i64::from(job.spec.priority.0) - 1);
            prop_assert!(mine.since(job.accepted) <= bound, "L4: job {id} waits for more than {bound}");
        }
        Ok(())
    }

    /// O3, O4.
    fn in_its_job(&self, id: JobId, test: TestIx, targets: &[TargetIx]) -> Judged {
        let job = &self.jobs[&id];
        let mode = &job.spec.tests[test.0 as usize].mode;
        match mode {
            Mode::DutCoverage => {
                for at in targets {
                    prop_assert_eq!(job.first_open(mode, *at), Some(test), "O3: in list order on each target");
                    let later = job.of_mode(mode).any(|other| other > test && job.was_on.contains(&(other, *at)));
                    prop_assert!(!later, "O3: test {} of job {id} comes after a later one", test.0);
                    let runs = self.live.values().any(|(other, _, on)| *other == id && on.contains(at));
                    prop_assert!(!runs, "O3: the one before on target {} has not ended", at.0);
                }
            }
            Mode::TestCoverage if job.starts[test.0 as usize] > 0 => {
                let fresh = job.of_mode(mode).find(|at| job.starts[at.0 as usize] == 0 && job.left[at.0 as usize] > 0);
                prop_assert_eq!(fresh, None, "O4: test {} of job {} starts again before another has", test.0, id);
            }
            Mode::TestCoverage | Mode::SingleProcess | Mode::Policy(_) => {}
        }
        Ok(())
    }

    /// O5: a plugin's word is taken when it has spoken, of what it was offered; else the fallback rule decides.
    fn by_a_policy(&self, event: &Event, id: JobId, test: TestIx, targets: &[TargetIx], by: &ChosenBy) -> Judged {
        let job = &self.jobs[&id];
        let mode = &job.spec.tests[test.0 as usize].mode;
        let policy = if let Mode::Policy(policy) = mode { Some(policy) } else { None };
        match by {
            ChosenBy::Plugin(name) => {
                prop_assert_eq!(Some(name), policy, "O5: not the policy of the test");
                let Event::Proposed { ask, placements, .. } = event else {
                    return Err(TestCaseError::fail("O5: a plugin chose, and it has said nothing"));
                };
                let (asked, offered) = &self.asked[ask];
                let wish = Placement { test, target: targets[0] };
                prop_assert!(placements.contains(&wish), "O5: {wish:?} is nobody's wish");
                prop_assert!(*asked == id && offered.contains(&targets[0]), "O5: {wish:?} was not asked for");
            }
            ChosenBy::Fallback { policy: name, .. } => {
                prop_assert_eq!(Some(name), policy, "O5: not the policy of the test");
                prop_assert_eq!(job.first_open(mode, targets[0]), Some(test), "O5: the fallback goes by the list");
            }
            ChosenBy::BuiltIn(_) => prop_assert_eq!(policy, None, "O5: the plugin was not asked"),
        }
        Ok(())
    }
}

impl Waiting {
    fn of_mode<'a>(&'a self, mode: &'a Mode) -> impl Iterator<Item = TestIx> + 'a {
        let tests = (0u32..).map(TestIx).zip(&self.spec.tests);
        tests.filter(move |(_, test)| test.mode == *mode).map(|(at, _)| at)
    }

    /// The first test of the mode, in list order, that could start on the target.
    fn first_open(&self, mode: &Mode, at: TargetIx) -> Option<TestIx> {
        self.of_mode(mode).find(|test| self.left[test.0 as usize] > 0 && !self.was_on.contains(&(*test, at)))
    }

    /// A coverage test of the job could start on the place. What it has given up is a fact, not a choice.
    fn wants(&self, farm: &Farm, id: JobId, slot: Target, dut: Target) -> bool {
        let Some(books) = farm.jobs.get(&id).filter(|books| books.stop.is_none()) else { return false };
        let here = (0u32..).map(TargetIx).zip(&self.spec.targets);
        here.filter(|(at, target)| (**target == slot || **target == dut) && !books.lost.contains_key(at)).any(
            |(at, _)| [Mode::DutCoverage, Mode::TestCoverage].iter().any(|mode| self.first_open(mode, at).is_some()),
        )
    }
}

fn rank(id: JobId, job: &Waiting, step: Option<Span>) -> (i64, Timestamp, JobId) {
    let priority = i64::from(job.spec.priority.0) - 1;
    match step {
        Some(step) => (0, job.accepted + step.times(priority), id),
        None => (priority, Timestamp::EPOCH, id),
    }
}

// ---- the judge sees what is wrong -----------------------------------------------------------------------------------

struct Case {
    lab: Lab,
    order: Order,
}

impl Case {
    fn new(config: FarmConfig, slots: u16) -> Self {
        Self { lab: Lab::with(config, &[slots]), order: Order::default() }
    }

    /// A step, and what the judge says of it after `forge` has changed what was told.
    fn step(&mut self, event: &Event, forge: impl Fn(&mut Action)) -> Judged {
        let mut told = self.lab.step(event.clone());
        told.iter_mut().for_each(forge);
        self.order.see(&self.lab.farm, event, &told)
    }

    fn submit(&mut self, spec: JobSpec, forge: impl Fn(&mut Action)) -> Judged {
        let missing_scripts = BTreeSet::new();
        let submission = crate::event::Submission { spec, missing_scripts, fail_on_warning: false, key: None };
        self.step(&Event::Submit(Box::new(submission)), forge)
    }

    fn end(&mut self, run: u64) -> Judged {
        let lease = self.lab.lease(RunId(run));
        let outcome = headend_model::Outcome::Killed;
        let claim = super::lab::claim(&lease);
        self.step(&Event::RunEnded { rack: lease.rack, claim, outcome, unkillable: false }, |_| ())
    }
}

fn strict() -> FarmConfig {
    FarmConfig { ageing_step: None, ..FarmConfig::default() }
}

fn says(judged: &Judged, rule: &str) -> bool {
    judged.as_ref().is_err_and(|error| error.to_string().contains(rule))
}

fn is_test(action: &mut Action, from: u32, to: u32) {
    if let Action::Start { test, .. } = action
        && test.0 == from
    {
        *test = TestIx(to);
    }
}

fn one(priority: u8) -> JobSpec {
    JobSpec { priority: Priority(priority), ..job(slots([1]), [test(Mode::DutCoverage, 1)]) }
}

#[test]
fn the_judge_sees_the_youngest_come_first() {
    let mut case = Case::new(strict(), 1);
    case.lab.farm.mutate(crate::mutant::Mutant::Lifo);
    for _ in 0..3 {
        case.submit(one(5), |_| ()).unwrap();
    }
    assert!(says(&case.end(1), "O1, O2"));
}

#[test]
fn the_judge_sees_starvation() {
    let ageing = FarmConfig { ageing_step: Some(Span::seconds(10)), ..FarmConfig::default() };
    let mut case = Case::new(strict(), 1);
    for priority in [5, 5] {
        case.submit(one(priority), |_| ()).unwrap();
    }
    case.lab.pass(Span::seconds(41));
    case.submit(one(1), |_| ()).unwrap();
    // The farm goes by strict priority; the promise is made after the fact.
    let lease = case.lab.lease(RunId(1));
    case.lab.pass_run(lease.run);
    let next = case.lab.lease(case.lab.run_on(1).unwrap());
    case.lab.farm.config = ageing;
    assert!(says(&case.order.nobody_starves(&case.lab.farm, &next), "L4"));
}

#[test]
fn the_judge_sees_tests_out_of_list_order() {
    let mut case = Case::new(strict(), 1);
    let spec = job(slots([1]), [test(Mode::DutCoverage, 1), test(Mode::DutCoverage, 1)]);
    assert!(says(&case.submit(spec, |action| is_test(action, 0, 1)), "O3"));
}

#[test]
fn the_judge_sees_a_second_start_before_a_first() {
    let mut case = Case::new(strict(), 2);
    let spec = job(slots([1, 2]), [test(Mode::TestCoverage, 2), test(Mode::TestCoverage, 2)]);
    assert!(says(&case.submit(spec, |action| is_test(action, 1, 0)), "O4"));
}

#[test]
fn the_judge_sees_words_put_into_a_plugins_mouth() {
    let odd = headend_model::PolicyName::new("odd").unwrap();
    let spec = || job(duts([101]), [test(Mode::Policy(odd.clone()), 1), test(Mode::Policy(odd.clone()), 1)]);
    let forge = |action: &mut Action| {
        if let Action::Start { why, .. } = action {
            why.chosen_by = ChosenBy::Plugin(odd.clone());
        }
    };
    let mut case = Case::new(strict(), 1);
    assert!(says(&case.submit(spec(), forge), "O5"), "it is not even loaded");
    let mut case = Case::new(strict(), 1);
    assert!(says(&case.submit(spec(), |action| is_test(action, 0, 1)), "O5"), "the fallback goes by the list");
    let mut case = Case::new(strict(), 1);
    case.lab.load("odd");
    case.submit(spec(), |_| ()).unwrap();
    let placements = vec![Placement { test: TestIx(0), target: TargetIx(0) }];
    let ask = case.lab.last_ask().unwrap().ask;
    let answer = Event::Proposed { ask, placements, skips: Vec::new(), said: crate::event::Said::default() };
    assert!(says(&case.step(&answer, |action| is_test(action, 0, 1)), "O5"), "it wished for another");
    assert_eq!(case.lab.run_on(1), Some(RunId(1)), "{:?}", SlotId(1));
}

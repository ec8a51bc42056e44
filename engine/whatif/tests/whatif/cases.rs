//! What policies make of the same load.

use std::collections::BTreeMap;

use headend_model::{JobId, Mode, PolicyName, Priority, Span, UserName};
use headend_scheduler::Event;
use headend_scheduler::action::{AskRanks, AskReport};
use headend_scheduler::event::{Placement, PolicyKind};
use headend_scheduler::view::PlanView;
use headend_whatif::{Case, Coverage, NoPolicies, Plugin, Policies, Question, play};

use super::{job, lab, test};

fn named(name: &str) -> PolicyName {
    PolicyName::new(name).unwrap()
}

#[test]
fn one_slot_serves_one_after_the_other() {
    let mut plan = lab(&[1]);
    plan.jobs = (0..3).map(|_| job(0, [1], [test("a.rhai", Mode::DutCoverage, 1, 10)])).collect();
    let figures = play(&plan, &Case::default(), &mut NoPolicies).unwrap();
    assert_eq!((figures.jobs, figures.runs, figures.left_open), (3, 3, 0));
    assert_eq!((figures.wait.p50, figures.wait.max), (Span::seconds(10), Span::seconds(20)));
    assert_eq!((figures.makespan, figures.turnaround.max), (Span::seconds(30), Span::seconds(30)));
    assert_eq!(figures.coverage[100], Some(Span::seconds(20)));
    assert!(figures.idle.abs() < 1e-9);
    assert!((figures.owners["anna"].share - 0.5).abs() < 1e-9, "30 s of running, 30 s of waiting");
}

#[test]
fn coverage_rules_differ_in_what_is_seen_when_and_not_in_how_long_all_takes() {
    let mut plan = lab(&[2]);
    let tests = (0..4).map(|n| test(&format!("t{n}.rhai"), Mode::DutCoverage, 2, 10));
    plan.jobs = vec![job(0, [1, 2], tests)];
    let by = |name: &str| Case { name: name.to_owned(), coverage: Coverage::Policy(named(name)), ..Case::default() };
    let dut = play(&plan, &by("dut-coverage"), &mut NoPolicies).unwrap();
    let test = play(&plan, &by("test-coverage"), &mut NoPolicies).unwrap();
    assert_eq!((dut.makespan, test.makespan), (Span::seconds(40), Span::seconds(40)));
    assert_eq!((dut.coverage[100], test.coverage[100]), (Some(Span::seconds(30)), Some(Span::seconds(10))));
    assert_ne!(dut.decisions, test.decisions);
}

#[test]
fn priorities_and_gangs_are_decided_as_live() {
    let mut plan = lab(&[2]);
    let urgent = Priority(1);
    plan.config.ageing_step = None;
    plan.jobs = vec![
        job(0, [1], [test("holds.rhai", Mode::DutCoverage, 1, 60)]),
        job(1, [1], [test("later.rhai", Mode::DutCoverage, 1, 10)]),
        headend_whatif::JobPlan { priority: urgent, ..job(2, [1], [test("first.rhai", Mode::DutCoverage, 1, 10)]) },
        job(3, [1, 2], [test("gang.rhai", Mode::SingleProcess, 2, 5)]),
    ];
    let figures = play(&plan, &Case::default(), &mut NoPolicies).unwrap();
    // Holder until 60, urgent until 70, later until 80, the gang until 85.
    assert_eq!(figures.makespan, Span::seconds(85));
    assert_eq!(figures.wait.max, Span::seconds(77), "the gang takes nothing bit by bit");
}

#[test]
fn owners_who_are_served_unlike_show_in_the_index() {
    let mut plan = lab(&[1]);
    let bert = UserName::new("bert").unwrap();
    let short = || [test("a.rhai", Mode::DutCoverage, 1, 10)];
    plan.jobs = vec![job(0, [1], [test("long.rhai", Mode::DutCoverage, 1, 90)]), job(0, [1], short())];
    plan.jobs[1].owner = bert;
    let figures = play(&plan, &Case::default(), &mut NoPolicies).unwrap();
    // anna: 90 of 90; bert: 10 of 100. (1.1)² / (2 × 1.01)
    assert!((figures.fairness - 1.21 / 2.02).abs() < 1e-9, "{}", figures.fairness);
}

/// Proposes the last test on each free target, and once in a while something that is not there.
#[derive(Default)]
struct Backwards {
    tests: BTreeMap<(JobId, u32), PlanView>,
    asked: u32,
}

impl Policies for Backwards {
    fn has(&self, job: JobId, group: u32) -> bool {
        self.tests.contains_key(&(job, group))
    }

    fn propose(&mut self, question: &Question) -> Event {
        let ask = &question.ask;
        if let Some(plan) = &question.plan {
            self.tests.insert((ask.job, ask.group), plan.clone());
        }
        self.asked += 1;
        let tests = &self.tests[&(ask.job, ask.group)].tests;
        let last = tests.last().unwrap().test;
        let mut test = headend_model::TestIx(last.0.saturating_sub(self.asked.saturating_sub(2)));
        if self.asked == 1 {
            test = headend_model::TestIx(99);
        }
        let placements = ask.free.iter().map(|target| Placement { test, target: *target }).collect();
        Event::Proposed { ask: ask.ask, placements, skips: Vec::new(), said: headend_scheduler::event::Said::default() }
    }

    fn rank(&mut self, ask: &AskRanks) -> Event {
        let ranks = ask.jobs.iter().map(|job| (job.job, -(job.job.0 as i64))).collect();
        let slots = ask.slots.iter().map(|slot| (slot.slot, 0)).collect();
        Event::Ranked { ask: ask.ask, ranks, slots }
    }

    fn report(&mut self, question: &Question<AskReport>) -> Event {
        Event::Reported { ask: question.ask.ask, report: String::new() }
    }

    fn forget(&mut self, job: JobId) {
        self.tests.retain(|(of, _), _| *of != job);
    }
}

fn plugin(name: &str, kind: PolicyKind) -> Plugin {
    Plugin { name: named(name), kind, hash: "1".to_owned(), contract: 1 }
}

#[test]
fn a_plugin_is_asked_and_what_it_may_not_is_refused_and_counted() {
    let mut plan = lab(&[1]);
    let tests = (0..3).map(|n| test(&format!("t{n}.rhai"), Mode::TestCoverage, 1, 10));
    plan.jobs = vec![job(0, [1], tests)];
    let case = Case {
        name: "backwards".to_owned(),
        coverage: Coverage::Policy(named("backwards")),
        queue: None,
        plugins: vec![plugin("backwards", PolicyKind::Coverage)],
    };
    let mut policies = Backwards::default();
    let figures = play(&plan, &case, &mut policies).unwrap();
    assert_eq!(figures.runs, 3);
    assert_eq!(figures.refused["backwards"].values().sum::<u64>(), 1);
    assert_eq!(figures.failures["backwards"], 1);
    assert_eq!(figures.stood_in, 1, "for the round of the lie");
    assert!(policies.tests.is_empty(), "forgotten with its job");
}

#[test]
fn a_queue_policy_turns_the_order_round() {
    let mut plan = lab(&[1]);
    plan.jobs = (0..4).map(|at| job(at, [1], [test("a.rhai", Mode::DutCoverage, 1, 10 + at)])).collect();
    let case = Case {
        name: "last first".to_owned(),
        queue: Some(named("last-first")),
        plugins: vec![plugin("last-first", PolicyKind::Queue)],
        ..Case::default()
    };
    let usual = play(&plan, &Case::default(), &mut NoPolicies).unwrap();
    let turned = play(&plan, &case, &mut Backwards::default()).unwrap();
    assert_eq!(usual.makespan, turned.makespan);
    // First in the usual order: waits 0, 9, 19, 30. Turned round: 0, 7 (fourth), 21 (third), 34 (second).
    assert_eq!((usual.wait.max, turned.wait.max), (Span::seconds(30), Span::seconds(34)));
    assert_eq!((usual.wait.p50, turned.wait.p50), (Span::seconds(9), Span::seconds(7)));
}

#[test]
fn a_job_that_no_farm_would_take_is_named() {
    let mut plan = lab(&[1]);
    plan.jobs = vec![job(0, [1], [test("a.rhai", Mode::DutCoverage, 1, 1)]), job(0, [7], [])];
    let fault = play(&plan, &Case::default(), &mut NoPolicies).unwrap_err();
    assert_eq!(fault.job, 1);
    assert!(fault.to_string().contains("job 2 of the plan: there is no slot rack1/7"), "{fault}");
    plan.jobs[1] = job(0, [1], []);
    let fault = play(&plan, &Case::default(), &mut NoPolicies).unwrap_err();
    assert!(fault.to_string().contains("has no tests"), "{fault}");
}

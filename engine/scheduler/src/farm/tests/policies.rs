//! Policy plugins: they propose, the core disposes.

use headend_model::{JobId, Mode, PolicyName, Priority, RunId, Span, TargetIx, TestIx};

use super::lab::slots;
use super::{Lab, job, lab, test};
use crate::action::{ChosenBy, PlacementFault, PlanChange};
use crate::event::Placement;
use crate::view::{SlotState, WaitReason};
use crate::{Action, Event};

fn mine() -> Mode {
    Mode::Policy(PolicyName::new("mine").unwrap())
}

fn placement(test: u32, target: u32) -> Placement {
    Placement { test: TestIx(test), target: TargetIx(target) }
}

/// A lab with a loaded policy and a job of `tests` tests under it on all slots.
fn asked(boxes: u16, tests: usize) -> (Lab, JobId) {
    let mut lab = lab(boxes);
    lab.load("mine");
    let tests = (0..tests).map(|_| test(mine(), u32::from(boxes)));
    let id = lab.submit(job(slots(1..=u32::from(boxes)), tests));
    (lab, id)
}

fn chosen_by(lab: &Lab) -> Vec<ChosenBy> {
    let starts = lab
        .log
        .iter()
        .filter_map(|action| if let Action::Start { why, .. } = action { Some(&why.chosen_by) } else { None });
    starts.cloned().collect()
}

fn faults(actions: &[Action]) -> Vec<PlacementFault> {
    let refused = actions
        .iter()
        .filter_map(|action| if let Action::ProposalRefused { reason, .. } = action { Some(reason) } else { None });
    refused.cloned().collect()
}

#[test]
fn all_free_targets_in_one_question() {
    let (mut lab, id) = asked(3, 2);
    let ask = lab.last_ask().unwrap();
    assert_eq!((ask.ask, ask.job, ask.group, ask.free.len()), (1, id, 0, 3));
    assert_eq!(lab.slot(2), SlotState::Offered { job: id });
    assert!(matches!(lab.why(id, 1)[..], [WaitReason::PolicyThinks { .. }, _, _]));
    lab.propose(1, &[(1, 0), (0, 1), (1, 2)]);
    assert_eq!(lab.starts(), [(1, 1), (0, 2), (1, 3)]);
    assert!(chosen_by(&lab).iter().all(|by| *by == ChosenBy::Plugin(PolicyName::new("mine").unwrap())));
    lab.pass_run(lab.run_on(2).unwrap());
    let ask = lab.last_ask().unwrap();
    let news = [
        PlanChange::Started(placement(1, 0)),
        PlanChange::Started(placement(0, 1)),
        PlanChange::Started(placement(1, 2)),
        PlanChange::Ended { placement: placement(0, 1), code: 111 },
    ];
    let told = ask.changes.into_iter().map(|noted| noted.change);
    assert_eq!((ask.free, told.collect()), (vec![TargetIx(1)], news.to_vec()));
}

#[test]
fn what_does_not_hold_is_refused_in_parts_and_the_rest_is_taken() {
    let (mut lab, _) = asked(2, 1);
    let actions = lab.propose(1, &[(0, 0), (7, 1), (0, 0), (0, 9)]);
    assert_eq!(
        faults(&actions),
        [PlacementFault::UnknownTest, PlacementFault::TargetTwice],
        "no more is read than was offered"
    );
    assert!(actions.iter().any(|action| matches!(action, Action::PolicyStruck { strikes: 1, quarantined: false, .. })));
    assert_eq!(lab.starts(), [(0, 1)]);
}

#[test]
fn a_better_job_that_came_meanwhile_goes_first() {
    let (mut lab, _) = asked(1, 1);
    let urgent = headend_model::JobSpec { priority: Priority(1), ..job(slots([1]), [test(Mode::DutCoverage, 1)]) };
    let urgent = lab.submit(urgent);
    assert!(lab.running().is_empty(), "the slot is on offer");
    let actions = lab.propose(1, &[(0, 0)]);
    assert_eq!(faults(&actions), [PlacementFault::NoLongerFree]);
    assert_eq!(lab.lease(lab.run_on(1).unwrap()).job, urgent);
    assert!(!actions.iter().any(|action| matches!(action, Action::PolicyStruck { .. })), "nobody is to blame");
    lab.pass_run(lab.run_on(1).unwrap());
    assert_eq!(lab.last_ask().unwrap().ask, 2);
}

#[test]
fn three_failures_in_a_row_are_quarantine_and_loading_again_ends_it() {
    let (mut lab, _) = asked(1, 9);
    for strike in 1..=3 {
        let ask = lab.last_ask().unwrap().ask;
        assert_eq!(ask, strike);
        lab.step(Event::PolicyFailed { ask, reason: "trap".to_owned() });
        lab.pass_run(lab.run_on(1).unwrap());
    }
    let fallback = ChosenBy::Fallback { policy: PolicyName::new("mine").unwrap(), reason: "trap".to_owned() };
    assert_eq!(chosen_by(&lab)[..3], [fallback.clone(), fallback.clone(), fallback]);
    assert_eq!(lab.last_ask().unwrap().ask, 3, "not asked any more");
    assert!(lab.run_on(1).is_some());
    lab.load("mine");
    lab.pass_run(lab.run_on(1).unwrap());
    assert_eq!(lab.last_ask().unwrap().ask, 4);
}

/// Fails one answer of so many until it is not asked any more, or 60 answers long; how many it failed.
fn failures_of_one_in(many: u64) -> Option<u64> {
    let (mut lab, _) = asked(1, 80);
    let mut failed = 0;
    for round in 1..=60 {
        let ask = lab.last_ask().unwrap().ask;
        if ask < round {
            return Some(failed);
        }
        if round % many == 0 {
            failed += 1;
            lab.step(Event::PolicyFailed { ask, reason: "trap".to_owned() });
        } else {
            lab.propose(ask, &[(round as u32 - 1, 0)]);
        }
        lab.pass_run(lab.run_on(1).unwrap());
    }
    None
}

#[test]
fn one_that_fails_every_other_time_is_not_sound_either() {
    assert_eq!(failures_of_one_in(2), Some(9));
    assert_eq!(failures_of_one_in(3), Some(9));
    assert_eq!(failures_of_one_in(5), None, "now and then is bad luck");
}

#[test]
fn silence_is_a_failure_at_the_deadline() {
    let (mut lab, _) = asked(2, 1);
    lab.pass(Span::millis(250));
    assert_eq!(lab.starts(), [(0, 1), (0, 2)]);
    assert!(lab.log.iter().any(|action| matches!(action, Action::PolicyStruck { strikes: 1, .. })));
    assert_eq!(lab.propose(1, &[(0, 0)]), [], "too late");
}

#[test]
fn proposing_nothing_is_honoured_while_something_of_it_runs() {
    let (mut lab, id) = asked(2, 2);
    lab.propose(1, &[(0, 0)]);
    assert!(matches!(lab.why(id, 1)[1], WaitReason::PolicyDeferred { .. }));
    let other = lab.submit(job(slots([2]), [test(Mode::DutCoverage, 1)]));
    assert_eq!(lab.lease(lab.run_on(2).unwrap()).job, other, "others may have what it does not want");
    lab.pass_run(lab.run_on(2).unwrap());
    assert_eq!(lab.last_ask().unwrap().ask, 1, "nothing of the group has changed");
    lab.pass_run(lab.run_on(1).unwrap());
    assert_eq!(lab.last_ask().unwrap().free.len(), 2);
}

#[test]
fn proposing_nothing_for_ever_starves_nobody() {
    let (mut lab, id) = asked(2, 2);
    while lab.farm.job(id).is_some_and(|job| !job.status.is_final()) {
        let ask = lab.last_ask().unwrap().ask;
        lab.propose(ask, &[]);
        lab.finish();
    }
    assert_eq!(lab.ends().len(), 4);
    assert!(!lab.log.iter().any(|action| matches!(action, Action::PolicyStruck { .. })));
}

#[test]
fn an_unknown_policy_falls_back_and_a_built_in_one_is_meant() {
    let mut lab = lab(2);
    let named = |name: &str| test(Mode::Policy(PolicyName::new(name).unwrap()), 2);
    lab.submit(job(slots([1, 2]), [named("test-coverage"), named("test-coverage")]));
    assert_eq!(lab.starts(), [(0, 1), (1, 2)]);
    assert_eq!(chosen_by(&lab)[0], ChosenBy::BuiltIn("test-coverage".to_owned()));
    lab.finish();
    lab.submit(job(slots([1]), [named("nobody")]));
    assert!(matches!(chosen_by(&lab).last(), Some(ChosenBy::Fallback { reason, .. }) if reason == "not loaded"));
}

#[test]
fn a_killed_job_is_not_asked_about_any_more() {
    let (mut lab, id) = asked(1, 1);
    lab.kill(id);
    assert_eq!(lab.slot(1), SlotState::Free);
    assert_eq!(lab.propose(1, &[(0, 0)]), []);
}

#[test]
fn a_removed_policy_and_a_restarted_server_leave_no_question_open() {
    let (mut lab, _) = asked(1, 2);
    lab.step(Event::ServerStarted { config: lab.farm.config().clone() });
    assert_eq!(lab.last_ask().unwrap().ask, 2, "asked again");
    lab.step(Event::PolicyRemoved { policy: PolicyName::new("mine").unwrap() });
    assert_eq!(lab.run_on(1), Some(RunId(1)));
}

#[test]
fn the_plan_shows_what_an_instance_is_built_from() {
    let (mut lab, id) = asked(2, 2);
    lab.propose(1, &[(1, 0)]);
    let plan = lab.farm.plan(id, 0).unwrap();
    let tests: Vec<_> = plan.tests.iter().map(|test| (test.test, test.runs)).collect();
    assert_eq!(tests, [(TestIx(0), 2), (TestIx(1), 2)]);
    assert_eq!(plan.past, [PlanChange::Started(placement(1, 0)).at(lab.now)]);
    assert_eq!(plan.targets[1].dut, Some(headend_model::DutId(102)));
}

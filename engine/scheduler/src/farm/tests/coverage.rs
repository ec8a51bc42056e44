//! Chapter 4.6.1 and 5.1 of the document, and the order between jobs.

use headend_model::run::Incomplete;
use headend_model::{JobStatus, Mode, Outcome, Priority, RunId, Span, TestIx};

use super::lab::{duts, slots};
use super::{job, lab, test};
use crate::action::Warning;
use crate::view::WaitReason;

#[test]
fn test_coverage_starts_each_test_once_before_any_twice() {
    let mut lab = lab(4);
    lab.submit(job(slots(1..=4), (0..4).map(|_| test(Mode::TestCoverage, 4))));
    assert_eq!(lab.starts(), [(0, 1), (1, 2), (2, 3), (3, 4)]);
    lab.pass_run(lab.run_on(1).unwrap());
    assert_eq!(lab.starts().last(), Some(&(1, 1)), "all have started once; the first that box 1 has not run");
    lab.finish();
    assert_eq!(lab.ends().len(), 16);
}

#[test]
fn test_coverage_takes_the_next_unexecuted_test() {
    let mut lab = lab(3);
    lab.submit(job(slots(1..=3), (0..5).map(|_| test(Mode::TestCoverage, 3))));
    lab.pass_run(lab.run_on(1).unwrap());
    assert_eq!(lab.starts(), [(0, 1), (1, 2), (2, 3), (3, 1)]);
}

#[test]
fn dut_coverage_runs_the_list_in_order_on_each_box() {
    let mut lab = lab(4);
    let id = lab.submit(job(slots(1..=4), (0..3).map(|_| test(Mode::DutCoverage, 4))));
    assert_eq!(lab.starts(), [(0, 1), (0, 2), (0, 3), (0, 4)]);
    lab.finish();
    for slot in 1..=4 {
        let order: Vec<u32> = lab.starts().into_iter().filter(|(_, on)| *on == slot).map(|(test, _)| test).collect();
        assert_eq!(order, [0, 1, 2]);
    }
    assert_eq!(lab.status(id), JobStatus::Completed);
}

#[test]
fn the_surplus_of_the_document_is_incomplete_and_never_executed() {
    let mut lab = lab(2);
    let id = lab.submit(job(slots([1, 2]), [test(Mode::DutCoverage, 4)]));
    assert_eq!(lab.warnings(), [Warning::Surplus { test: TestIx(0), needed: 4, given: 2 }]);
    lab.finish();
    assert_eq!(lab.status(id), JobStatus::Completed);
    let codes: Vec<(u64, u16, bool)> =
        lab.ends().iter().map(|end| (end.run.0, end.outcome.code(), end.lease.is_some())).collect();
    assert_eq!(codes, [(3, 1, false), (4, 1, false), (1, 111, true), (2, 111, true)]);
    assert_eq!(lab.outcome(3), Some(Outcome::Incomplete(Incomplete::Surplus)));
}

#[test]
fn higher_priority_first_then_acceptance() {
    let mut lab = lab(1);
    let low = lab.submit(job(slots([1]), [test(Mode::DutCoverage, 1)]));
    let second = lab.submit(job(slots([1]), [test(Mode::DutCoverage, 1)]));
    let urgent =
        lab.submit(headend_model::JobSpec { priority: Priority(1), ..job(duts([101]), [test(Mode::DutCoverage, 1)]) });
    assert_eq!(lab.why(second, 0), [WaitReason::SlotHeld { run: RunId(1), job: low }]);
    lab.finish();
    let order: Vec<_> = lab.ends().iter().map(|end| end.job).collect();
    assert_eq!(order, [low, urgent, second]);
}

#[test]
fn waiting_makes_up_for_priority() {
    let config = crate::FarmConfig { ageing_step: Some(Span::seconds(10)), ..crate::FarmConfig::default() };
    let mut lab = super::Lab::with(config, &[1]);
    let holder = lab.submit(job(slots([1]), [test(Mode::DutCoverage, 1)]));
    let old = lab.submit(job(slots([1]), [test(Mode::DutCoverage, 1)]));
    lab.pass(Span::seconds(41));
    let urgent =
        lab.submit(headend_model::JobSpec { priority: Priority(1), ..job(slots([1]), [test(Mode::DutCoverage, 1)]) });
    lab.finish();
    let order: Vec<_> = lab.ends().iter().map(|end| end.job).collect();
    assert_eq!(order, [holder, old, urgent]);
}

#[test]
fn groups_are_offered_a_slot_in_list_order() {
    let mut lab = lab(2);
    let tests = [test(Mode::TestCoverage, 1), test(Mode::DutCoverage, 2), test(Mode::TestCoverage, 1)];
    let id = lab.submit(job(slots([1, 2]), tests));
    assert_eq!(lab.starts(), [(0, 1), (2, 2)], "both tests of the first group come before the second");
    assert_eq!(lab.why(id, 1)[0], WaitReason::SlotHeld { run: RunId(1), job: id });
    lab.finish();
    assert_eq!(lab.starts(), [(0, 1), (2, 2), (1, 1), (1, 2)]);
}

#[test]
fn a_slot_and_the_dut_in_it_are_two_targets() {
    let mut lab = lab(1);
    lab.submit(job(slots([1]).into_iter().chain(duts([101])), [test(Mode::DutCoverage, 2)]));
    assert_eq!(lab.starts(), [(0, 1)]);
    lab.finish();
    assert_eq!(lab.starts(), [(0, 1), (0, 1)]);
}

#[test]
fn a_job_that_is_through_with_a_slot_lets_others_on() {
    let mut lab = lab(2);
    lab.submit(job(slots([1, 2]), [test(Mode::DutCoverage, 2), test(Mode::DutCoverage, 2)]));
    let next = lab.submit(job(slots([1, 2]), [test(Mode::DutCoverage, 1)]));
    lab.pass_run(lab.run_on(1).unwrap());
    lab.pass_run(lab.run_on(1).unwrap());
    assert_eq!(lab.lease(lab.run_on(1).unwrap()).job, next);
}

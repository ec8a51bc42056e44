//! Submit, refuse, kill, and the state as data.

use headend_model::{DutId, JobId, JobStatus, Mode, Outcome, RunId, SlotId, Span, Target, TargetIx, TestIx};

use super::lab::{duts, slots};
use super::{job, lab, test};
use crate::action::{Refusal, Warning};
use crate::{Action, Event, Farm};

fn refusal(actions: &[Action]) -> Refusal {
    match actions {
        [Action::Refused(refusal)] => refusal.clone(),
        other => panic!("not refused: {other:?}"),
    }
}

#[test]
fn what_cannot_be_is_refused_and_leaves_nothing() {
    let mut lab = lab(2);
    let one = || test(Mode::DutCoverage, 1);
    let huge = test(Mode::DutCoverage, u32::MAX);
    let cases = [
        (job(slots([1]), []), Refusal::NoTests),
        (job(slots([]), [one()]), Refusal::NoTargets),
        (job(slots([1, 1]), [one()]), Refusal::DuplicateTarget(TargetIx(1))),
        (job(slots([9]), [one()]), Refusal::UnknownSlot(TargetIx(0))),
        (job(duts([101, 999]), [one()]), Refusal::UnknownDut(TargetIx(1))),
        (job(slots([1]), [one(), test(Mode::TestCoverage, 0)]), Refusal::ZeroSlots(TestIx(1))),
        (job(slots([1]), [huge.clone(), huge]), Refusal::TooManyRuns { runs: 2 * u64::from(u32::MAX), most: 100_000 }),
    ];
    for (spec, expected) in cases {
        assert_eq!(refusal(&lab.hand_in(spec, None, false)), expected);
    }
    assert_eq!(lab.farm.open_jobs().count(), 0);
}

#[test]
fn a_retry_gets_the_first_handle_and_another_request_is_refused() {
    let mut lab = lab(1);
    let spec = || job(slots([1]), [test(Mode::DutCoverage, 1)]);
    lab.hand_in(spec(), Some(("k", 7)), false);
    let again = lab.hand_in(spec(), Some(("k", 7)), false);
    assert_eq!(again, [Action::Accepted { job: JobId(1), warnings: vec![], repeated: true }]);
    assert_eq!(refusal(&lab.hand_in(spec(), Some(("k", 8)), false)), Refusal::KeyReused { job: JobId(1) });
    lab.pass(Span::seconds(86_400));
    assert!(matches!(lab.hand_in(spec(), Some(("k", 8)), false)[0], Action::Accepted { job: JobId(2), .. }));
}

#[test]
fn fail_on_warning_stores_nothing() {
    let mut lab = lab(1);
    let spec = job(slots([1]), [test(Mode::DutCoverage, 2)]);
    let surplus = Warning::Surplus { test: TestIx(0), needed: 2, given: 1 };
    assert_eq!(refusal(&lab.hand_in(spec, Some(("k", 1)), true)), Refusal::Warnings(vec![surplus]));
    assert_eq!(lab.farm.open_jobs().count(), 0);
    assert!(matches!(
        lab.hand_in(job(slots([1]), [test(Mode::DutCoverage, 1)]), Some(("k", 2)), true)[0],
        Action::Accepted { .. }
    ));
}

#[test]
fn another_users_work_is_warned_about() {
    let mut lab = lab(1);
    lab.submit(job(slots([1]), [test(Mode::DutCoverage, 1)]));
    let mut other = job(duts([101]), [test(Mode::DutCoverage, 1)]);
    other.owner = headend_model::UserName::new("bert").unwrap();
    lab.submit(other);
    assert_eq!(
        lab.warnings(),
        [Warning::Busy { target: TargetIx(0), holder: headend_model::UserName::new("anna").unwrap() }]
    );
}

#[test]
fn a_missing_script_ends_its_runs_at_once_and_the_rest_goes_on() {
    let mut lab = lab(1);
    let submission = crate::event::Submission {
        spec: job(slots([1]), [test(Mode::DutCoverage, 1), test(Mode::DutCoverage, 1)]),
        missing_scripts: [TestIx(0)].into(),
        fail_on_warning: false,
        key: None,
    };
    lab.step(Event::Submit(Box::new(submission)));
    assert_eq!(lab.starts(), [(1, 1)]);
    assert_eq!(lab.outcome(1), Some(Outcome::Incomplete(headend_model::run::Incomplete::ScriptMissing)));
}

#[test]
fn a_kill_is_final_only_when_nothing_can_run() {
    let mut lab = lab(1);
    let id = lab.submit(job(slots([1]), [test(Mode::DutCoverage, 1), test(Mode::DutCoverage, 1)]));
    let actions = lab.kill(id);
    assert!(actions.iter().any(|action| matches!(action, Action::Stop { run: RunId(1), .. })), "{actions:?}");
    assert_eq!(actions.last(), Some(&Action::KillNoted { job: id, status: Some(JobStatus::Running) }));
    assert_eq!(lab.outcome(2), Some(Outcome::Killed));
    assert!(lab.farm.job(id).unwrap().stop_requested.is_some());
    assert!(lab.farm.leases_on(headend_model::RackId(1))[0].stopping);
    lab.end_run(RunId(1), Outcome::Killed, false);
    assert_eq!(lab.status(id), JobStatus::Stopped);
    assert_eq!(lab.kill(id), [Action::KillNoted { job: id, status: Some(JobStatus::Stopped) }]);
    assert_eq!(lab.kill(JobId(77)), [Action::KillNoted { job: JobId(77), status: None }]);
}

#[test]
fn a_kill_that_cannot_reach_the_rack_is_final_when_the_lease_has_run_out() {
    let mut lab = lab(1);
    let id = lab.submit(job(slots([1]), [test(Mode::DutCoverage, 1)]));
    lab.beat_all();
    lab.silent.insert(headend_model::RackId(1));
    lab.kill(id);
    lab.pass(Span::seconds(23));
    assert!(!lab.status(id).is_final());
    lab.pass(Span::seconds(2));
    assert_eq!((lab.status(id), lab.outcome(1)), (JobStatus::Stopped, Some(Outcome::Killed)));
}

#[test]
fn a_finished_job_is_shown_for_a_minute() {
    let mut lab = lab(1);
    let id = lab.submit(job(slots([1]), [test(Mode::DutCoverage, 1)]));
    lab.finish();
    assert_eq!(lab.farm.job(id).unwrap().status, JobStatus::Completed);
    lab.pass(Span::seconds(61));
    assert!(lab.farm.job(id).is_none());
    assert_eq!(lab.kill(id), [Action::KillNoted { job: id, status: None }]);
}

#[test]
fn the_state_survives_as_data() {
    let mut lab = lab(3);
    lab.load("mine");
    let policy = Mode::Policy(headend_model::PolicyName::new("mine").unwrap());
    let targets = [Target::Slot(SlotId(1)), Target::Dut(DutId(102)), Target::Slot(SlotId(3))];
    lab.hand_in(job(targets, [test(policy, 3), test(Mode::TestCoverage, 2)]), Some(("k", 1)), false);
    lab.submit(job(slots([1, 2]), [test(Mode::SingleProcess, 2), test(Mode::DutCoverage, 1)]));
    lab.place(999, None);
    let ask = lab.last_ask().unwrap();
    let mut twin = lab.clone();
    twin.farm = serde_json::from_str::<Farm>(&serde_json::to_string(&lab.farm).unwrap()).unwrap();
    let future = |lab: &mut super::Lab| {
        lab.log.clear();
        lab.propose(ask.ask, &[(0, 0), (0, 2)]);
        lab.place(102, Some(1));
        lab.pass(Span::seconds(5));
        lab.finish();
        lab.place(101, Some(2));
        lab.finish();
        std::mem::take(&mut lab.log)
    };
    assert_eq!(future(&mut lab), future(&mut twin));
    assert_eq!(serde_json::to_value(&lab.farm).unwrap(), serde_json::to_value(&twin.farm).unwrap());
}

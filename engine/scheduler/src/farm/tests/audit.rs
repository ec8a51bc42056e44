//! Books that were corrupted on purpose: the step that would tell of it is caught, in release builds too.

use headend_model::{Epoch, JobStatus, Mode, Outcome, RackId, RunId, SlotId, TestResult};

use super::lab::{claim, duts, slots};
use super::{Lab, job, lab, test};
use crate::event::Claim;
use crate::{Action, Event, Farm};

/// Two slots; a job of three runs, two of them under a lease.
fn busy() -> (Lab, headend_model::JobId) {
    let mut lab = lab(2);
    let id = lab.submit(job(slots([1, 2]), [test(Mode::DutCoverage, 2), test(Mode::DutCoverage, 1)]));
    assert_eq!(lab.running().len(), 2);
    (lab, id)
}

fn passed() -> Outcome {
    Outcome::Done { result: TestResult::Pass, comment: String::new() }
}

fn report(lab: &mut Lab, rack: u32, claim: Claim) -> Vec<Action> {
    lab.farm.step(lab.now, &Event::RunEnded { rack: RackId(rack), claim, outcome: passed(), unkillable: false })
}

/// The rule that the farm says is broken.
fn broken(farm: &Farm) -> Option<&'static str> {
    farm.violation().map(|violation| violation.id)
}

#[test]
fn sound_books_break_nothing() {
    let (mut lab, id) = busy();
    lab.finish();
    assert_eq!((broken(&lab.farm), lab.status(id)), (None, JobStatus::Completed));
}

#[test]
fn s3_a_run_that_has_ended_does_not_end_again() {
    let (mut lab, id) = busy();
    let held = lab.farm.leases[&RunId(1)].clone();
    lab.pass_run(RunId(1));
    assert_eq!(broken(&lab.farm), None);
    lab.farm.leases.insert(RunId(1), held.clone());
    lab.farm.jobs.get_mut(&id).unwrap().running.insert(RunId(1));
    let told = report(&mut lab, 1, claim(&held.lease));
    assert!(told.iter().any(|action| matches!(action, Action::RunEnded(record) if record.run == RunId(1))));
    assert_eq!(broken(&lab.farm), Some("S3"));
}

#[test]
fn s3_a_run_that_has_ended_does_not_start_again() {
    let (mut lab, id) = busy();
    let first = &mut lab.farm.jobs.get_mut(&id).unwrap().tests[1];
    // The next run would bear the number of one that runs.
    first.first = RunId(2);
    let lease = lab.lease(RunId(1));
    report(&mut lab, 1, claim(&lease));
    assert_eq!(broken(&lab.farm), Some("S3"));
}

#[test]
fn s3_a_final_job_does_not_change() {
    let mut lab = lab(1);
    let id = lab.submit(job(slots([1]), [test(Mode::DutCoverage, 1)]));
    lab.finish();
    let (_, mut back) = lab.farm.recent.pop_back().unwrap();
    back.status = JobStatus::Running;
    lab.farm.jobs.insert(id, back);
    lab.farm.step(lab.now, &Event::Kill { job: id, by: headend_model::UserName::new("anna").unwrap() });
    assert_eq!(broken(&lab.farm), Some("S3"));
}

#[test]
fn s4_a_run_that_disappears_is_missed() {
    let (mut lab, id) = busy();
    let lease = lab.lease(RunId(1));
    lab.farm.jobs.get_mut(&id).unwrap().tests[0].dropped = 1;
    report(&mut lab, 1, claim(&lease));
    assert_eq!(broken(&lab.farm), Some("S4"));
}

#[test]
fn s4_an_end_that_is_counted_twice_is_seen() {
    let (mut lab, id) = busy();
    lab.farm.jobs.get_mut(&id).unwrap().tally.ended += 1;
    let lease = lab.lease(RunId(1));
    report(&mut lab, 1, claim(&lease));
    assert_eq!(broken(&lab.farm), Some("S4"));
}

#[test]
fn s8_a_result_of_a_rack_that_was_not_given_the_lease_is_caught() {
    let (mut lab, _) = busy();
    let lease = lab.lease(RunId(1));
    lab.farm.leases.get_mut(&RunId(1)).unwrap().lease.rack = RackId(2);
    let told = report(&mut lab, 2, claim(&lease));
    assert!(!told.is_empty(), "the corrupted books take it");
    assert_eq!(broken(&lab.farm), Some("S8"));
}

#[test]
fn s8_a_result_under_another_epoch_is_caught() {
    let (mut lab, _) = busy();
    let lease = lab.lease(RunId(1));
    lab.farm.leases.get_mut(&RunId(1)).unwrap().lease.targets[0].slot_epoch = Epoch(9);
    let told = report(&mut lab, 1, Claim { epoch: Epoch(9), ..claim(&lease) });
    assert!(!told.is_empty(), "the corrupted books take it");
    assert_eq!(broken(&lab.farm), Some("S8"));
}

#[test]
fn s9_an_epoch_of_a_slot_that_falls_is_caught() {
    let (mut lab, _) = busy();
    lab.farm.slots.get_mut(&SlotId(1)).unwrap().epoch = Epoch(0);
    let lease = lab.lease(RunId(1));
    report(&mut lab, 1, claim(&lease));
    assert_eq!(broken(&lab.farm), Some("S9"));
}

#[test]
fn s9_an_epoch_of_a_dut_that_falls_is_caught_on_another_slot_too() {
    let mut lab = lab(2);
    lab.submit(job(duts([101]), [test(Mode::DutCoverage, 1)]));
    lab.finish();
    lab.place(101, Some(2));
    lab.farm.duts.get_mut(&headend_model::DutId(101)).unwrap().epoch = Epoch(0);
    let spec = job(duts([101]), [test(Mode::DutCoverage, 1)]);
    let submission = crate::event::Submission {
        spec,
        missing_scripts: std::collections::BTreeSet::new(),
        fail_on_warning: false,
        key: None,
    };
    lab.farm.step(lab.now, &Event::Submit(Box::new(submission)));
    assert_eq!(broken(&lab.farm), Some("S9"));
}

#[test]
fn s1_a_place_that_is_forgotten_is_not_leased_again() {
    let mut lab = lab(1);
    lab.submit(job(slots([1]), [test(Mode::DutCoverage, 1)]));
    let dut = lab.farm.duts.get_mut(&headend_model::DutId(101)).unwrap();
    let run = dut.lease;
    lab.farm.slots.get_mut(&SlotId(1)).unwrap().lease = None;
    let target = lab.lease(RunId(1)).targets[0];
    lab.farm.check_free(&target);
    assert_eq!((run, broken(&lab.farm)), (Some(RunId(1)), Some("S1")));
}

#[test]
fn what_a_step_breaks_stays_said() {
    let (mut lab, id) = busy();
    lab.farm.jobs.get_mut(&id).unwrap().tally.ended += 1;
    let lease = lab.lease(RunId(1));
    report(&mut lab, 1, claim(&lease));
    lab.farm.step(lab.now, &Event::Tick);
    assert_eq!(broken(&lab.farm), Some("S4"));
    let text = lab.farm.violation().unwrap().to_string();
    assert!(text.starts_with("invariant S4 is broken: job 1"), "{text}");
}

/// The audit is drawn up from the books after a restart, and goes on from there.
#[test]
fn a_farm_that_was_read_back_is_audited_too() {
    let (lab, _) = busy();
    let mut again = lab.clone();
    again.farm = serde_json::from_str(&serde_json::to_string(&lab.farm).unwrap()).unwrap();
    again.farm.step(again.now, &Event::Tick);
    assert_eq!(broken(&again.farm), None);
    let lease = again.lease(RunId(1));
    again.farm.leases.get_mut(&RunId(1)).unwrap().lease.rack = RackId(2);
    report(&mut again, 2, claim(&lease));
    assert_eq!(broken(&again.farm), Some("S8"));
}

//! Single-process tests.

use headend_model::run::Incomplete;
use headend_model::{JobStatus, Mode, Outcome, RunId, Span};

use super::lab::{duts, slots};
use super::{Lab, job, lab, test};
use crate::FarmConfig;
use crate::view::{SlotState, WaitReason};

#[test]
fn all_slots_at_once_in_one_run() {
    let mut lab = lab(4);
    let id = lab.submit(job(slots([1, 2, 3]), [test(Mode::SingleProcess, 3)]));
    assert_eq!(lab.lease(RunId(1)).targets.len(), 3);
    lab.finish();
    assert_eq!((lab.status(id), lab.ends().len()), (JobStatus::Completed, 1));
}

#[test]
fn nothing_is_held_while_it_waits() {
    let mut lab = lab(2);
    lab.submit(job(slots([1]), [test(Mode::DutCoverage, 1)]));
    let gang = lab.submit(job(slots([1, 2]), [test(Mode::SingleProcess, 2)]));
    assert_eq!(lab.why(gang, 0)[1], WaitReason::GangWaits { free: 1, needed: 2 });
    lab.submit(job(slots([2]), [test(Mode::DutCoverage, 1)]));
    assert_eq!(lab.running().len(), 2, "the free slot is not kept from others");
    lab.pass_run(RunId(1));
    lab.pass_run(RunId(3));
    assert_eq!(lab.status(gang), JobStatus::Running);
}

#[test]
fn passed_over_often_it_gets_a_dated_hold() {
    let config =
        FarmConfig { gang_skips: 2, gang_hold: Span::seconds(100), ageing_step: None, ..FarmConfig::default() };
    let mut lab = Lab::with(config, &[2]);
    let single = |slot| job(slots([slot]), [test(Mode::DutCoverage, 1)]);
    for _ in 0..4 {
        lab.submit(single(1));
    }
    lab.submit(single(2));
    let gang = lab.submit(job(slots([1, 2]), [test(Mode::SingleProcess, 2)]));
    for _ in 0..10 {
        lab.submit(single(2));
    }
    lab.pass_run(lab.run_on(2).unwrap());
    lab.pass_run(lab.run_on(2).unwrap());
    let until = lab.now + Span::seconds(100);
    lab.pass_run(lab.run_on(2).unwrap());
    assert_eq!(lab.slot(2), SlotState::Held { job: gang, until });
    lab.pass(Span::seconds(101));
    assert!(matches!(lab.slot(2), SlotState::Leased { .. }), "the hold is over: others pass again");
    lab.finish();
    assert_eq!(lab.ends().len(), 16);
}

#[test]
fn a_hold_ends_with_the_start_it_was_for() {
    let config = FarmConfig { gang_skips: 0, ageing_step: None, ..FarmConfig::default() };
    let mut lab = Lab::with(config, &[2]);
    lab.submit(job(slots([1]), [test(Mode::DutCoverage, 1)]));
    let gang = lab.submit(job(slots([1, 2]), [test(Mode::SingleProcess, 2)]));
    let behind = lab.submit(job(slots([2]), [test(Mode::DutCoverage, 1)]));
    assert!(matches!(lab.why(behind, 0)[..], [WaitReason::GangHold { job, .. }] if job == gang));
    let urgent = headend_model::JobSpec {
        priority: headend_model::Priority(1),
        ..job(slots([2]), [test(Mode::DutCoverage, 1)])
    };
    let urgent = lab.submit(urgent);
    assert_eq!(lab.status(urgent), JobStatus::Running, "a hold is only against those that come later");
    lab.finish();
    let order: Vec<_> = lab.ends().iter().map(|end| end.job).collect();
    assert_eq!(order[2..], [gang, behind]);
}

#[test]
fn the_front_gang_goes_before_smaller_jobs_behind_it() {
    let mut lab = lab(4);
    lab.step(crate::Event::Drain { rack: headend_model::RackId(1), on: true });
    let gang = lab.submit(job(slots(1..=4), [test(Mode::SingleProcess, 4)]));
    lab.submit(job(slots([1]), [test(Mode::DutCoverage, 1)]));
    lab.step(crate::Event::Drain { rack: headend_model::RackId(1), on: false });
    assert_eq!(lab.status(gang), JobStatus::Running);
}

#[test]
fn several_racks_are_status_7() {
    let mut lab = Lab::with(FarmConfig::default(), &[1, 1]);
    let id = lab.submit(job(slots([1, 2]), [test(Mode::SingleProcess, 1)]));
    assert_eq!(
        (lab.status(id), lab.outcome(1)),
        (JobStatus::SeveralRacks, Some(Outcome::Incomplete(Incomplete::SeveralRacks)))
    );
    let moved = lab.submit(job(duts([101]), [test(Mode::SingleProcess, 1)]));
    assert_eq!(lab.status(moved), JobStatus::Running);
}

#[test]
fn a_dut_moved_to_another_rack_tears_a_waiting_gang() {
    let mut lab = Lab::with(FarmConfig::default(), &[2, 1]);
    lab.submit(job(slots([1]), [test(Mode::DutCoverage, 1)]));
    let gang = lab.submit(job(duts([101, 102]), [test(Mode::SingleProcess, 2)]));
    lab.place(102, Some(3));
    assert_eq!(lab.status(gang), JobStatus::SeveralRacks);
}

#[test]
fn more_slots_than_targets_is_surplus() {
    let mut lab = lab(2);
    let id = lab.submit(job(slots([1, 2]), [test(Mode::SingleProcess, 3)]));
    assert_eq!(
        (lab.status(id), lab.outcome(1)),
        (JobStatus::Completed, Some(Outcome::Incomplete(Incomplete::Surplus)))
    );
}

#[test]
fn a_gang_that_lost_a_target_for_good_ends() {
    let mut lab = lab(2);
    lab.place(102, None);
    let id = lab.submit(job(slots([1, 2]), [test(Mode::SingleProcess, 2)]));
    lab.pass(Span::seconds(61));
    assert_eq!(lab.status(id), JobStatus::NoDut);
}

#[test]
fn a_slot_and_the_dut_in_it_are_one_place_for_a_single_process() {
    let mut lab = lab(2);
    let both = || slots([1]).into_iter().chain(duts([101]));
    let id = lab.submit(job(both(), [test(Mode::SingleProcess, 2)]));
    assert_eq!(lab.outcome(1), Some(Outcome::Incomplete(Incomplete::Surplus)));
    assert_eq!(lab.status(id), JobStatus::Completed);
    lab.place(101, None);
    let moved = lab.submit(job(both(), [test(Mode::SingleProcess, 2)]));
    lab.place(101, Some(1));
    assert_eq!(
        (lab.status(moved), lab.outcome(2)),
        (JobStatus::Completed, Some(Outcome::Incomplete(Incomplete::Surplus)))
    );
}

#[test]
fn a_hold_does_not_outlive_its_test() {
    let config = FarmConfig { ageing_step: None, gang_skips: 0, ..FarmConfig::default() };
    let mut lab = Lab::with(config, &[2]);
    lab.place(102, None);
    let id = lab.submit(job(slots([1, 2]), [test(Mode::SingleProcess, 2), test(Mode::DutCoverage, 1)]));
    assert!(matches!(lab.slot(1), SlotState::Held { job, .. } if job == id));
    assert!(matches!(lab.why(id, 1)[0], WaitReason::GangHold { job, .. } if job == id), "the other test says so");
    lab.pass(Span::seconds(61));
    assert_eq!(lab.outcome(1), Some(Outcome::Incomplete(Incomplete::NoDut)), "there will not be two slots");
    assert_eq!(lab.running(), [(2, 1, 1)], "its slot is not kept for nobody");
}

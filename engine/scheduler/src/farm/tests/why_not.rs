//! Why not there, and what would help.

use headend_model::{JobId, JobStatus, Mode, Outcome, Priority, RackId, RunId, SlotId, Span, TestResult};

use super::lab::{duts, slots};
use super::{Lab, job, lab, test};
use crate::FarmConfig;
use crate::event::Event;
use crate::farm::{Change, SmallestChange, WhyNot};
use crate::view::WaitReason;

fn one() -> headend_model::TestSpec {
    test(Mode::DutCoverage, 1)
}

fn why(lab: &Lab, run: u64, slot: u32) -> WhyNot {
    lab.farm.why_not(lab.now, RunId(run), SlotId(slot)).expect("an open job has the run").why
}

#[test]
fn each_run_and_slot_has_one_reason() {
    let mut lab = lab(3);
    let since = lab.now;
    let first = lab.submit(job(slots([1, 2]), [one(), one()]));
    // Runs 1 and 2 are of its two tests; both slots are taken.
    assert_eq!(why(&lab, 1, 1), WhyNot::RunsHere { since });
    assert_eq!(why(&lab, 1, 2), WhyNot::RunsElsewhere { on: vec![SlotId(1)], since });
    assert_eq!(why(&lab, 1, 3), WhyNot::RunsElsewhere { on: vec![SlotId(1)], since });
    let second = lab.submit(job(slots([1]), [one()]));
    let third = lab.submit(job(slots([1]), [one()]));
    let reason = WaitReason::SlotHeld { run: RunId(1), job: first };
    assert_eq!(why(&lab, 3, 1), WhyNot::Waits { reason: reason.clone(), ahead: vec![], ahead_in_all: 0 });
    assert_eq!(why(&lab, 4, 1), WhyNot::Waits { reason, ahead: vec![second], ahead_in_all: 1 });
    assert_eq!(why(&lab, 4, 3), WhyNot::NotATarget);
    let next = |job| lab.farm.next_run(job, headend_model::TestIx(0));
    assert_eq!((next(third), next(first)), (Some(RunId(4)), None));
    lab.pass_run(RunId(1));
    assert_eq!(why(&lab, 1, 1), WhyNot::Over { job: JobStatus::Running }, "its job goes on");
    lab.kill(second);
    assert!(lab.farm.why_not(lab.now, RunId(99), SlotId(1)).is_none());
    assert_eq!(lab.status(third), JobStatus::Idle);
}

#[test]
fn a_test_that_was_there_does_not_come_again() {
    let mut lab = lab(2);
    lab.submit(job(slots([2]), [one()]));
    let id = lab.submit(job(slots([1, 2]), [test(Mode::DutCoverage, 2)]));
    // Run 2 is on slot 1; run 3 of the same test waits for slot 2.
    assert_eq!(why(&lab, 3, 1), WhyNot::AlreadyThere { run: Some(RunId(2)) });
    lab.pass_run(RunId(2));
    assert_eq!(why(&lab, 3, 1), WhyNot::AlreadyThere { run: None });
    assert!(matches!(why(&lab, 3, 2), WhyNot::Waits { reason: WaitReason::SlotHeld { .. }, .. }));
    assert_eq!(lab.farm.smallest_change(lab.now, JobId(id.0 + 9), 9), None);
}

#[test]
fn what_a_job_has_given_up_is_told() {
    let mut lab = lab(2);
    lab.submit(job(slots([2]), [one()]));
    lab.place(101, None);
    lab.submit(job(slots([1, 2]), [one()]));
    lab.pass(Span::seconds(61));
    assert_eq!(why(&lab, 2, 1), WhyNot::GivenUp);
}

/// The change that is found; carrying it out does start the job.
fn found(lab: &Lab, id: JobId) -> Change {
    match lab.farm.smallest_change(lab.now, id, 40) {
        Some(SmallestChange::Found { change, starts_on, .. }) => {
            assert!(!starts_on.is_empty());
            change
        }
        other => panic!("{other:?}"),
    }
}

fn starts(lab: &Lab, id: JobId) -> bool {
    lab.farm.job(id).is_some_and(|view| !view.running.is_empty())
}

#[test]
fn a_free_slot_elsewhere_costs_least_and_a_freed_one_most() {
    let mut lab = lab(2);
    let holder = lab.submit(job(slots([1]), [one()]));
    let id = lab.submit(job(slots([1]), [one()]));
    assert_eq!(found(&lab, id), Change::AllowSlot(SlotId(2)));
    lab.submit(job(slots([2]), [one()]));
    assert_eq!(found(&lab, id), Change::FreeSlot { slot: SlotId(1), run: RunId(1), job: holder });
    assert!(!starts(&lab, id), "only a copy was changed");
    lab.pass_run(RunId(1));
    assert!(starts(&lab, id));
    assert_eq!(lab.farm.smallest_change(lab.now, id, 40), Some(SmallestChange::NothingWaits));
}

#[test]
fn what_was_used_before_and_ageing_make_no_difference() {
    let mut lab = Lab::with(FarmConfig { cpu_gate_percent: 100, ..FarmConfig::default() }, &[2]);
    lab.submit(job(slots([2]), [one()]));
    lab.pass(Span::seconds(1));
    lab.pass_run(RunId(1));
    let holder = lab.submit(job(slots([1]), [one()]));
    lab.pass(Span::seconds(1));
    let id = lab.submit(job(slots([1]), [one()]));
    assert_eq!(found(&lab, id), Change::AllowSlot(SlotId(2)), "{holder} holds the other");
}

#[test]
fn a_slot_that_a_better_job_would_take_is_no_help() {
    let mut lab = lab(1);
    lab.submit(job(slots([1]), [one()]));
    lab.submit(job(slots([1]), [one()]));
    let last = lab.submit(job(slots([1]), [one()]));
    let answer = lab.farm.smallest_change(lab.now, last, 40);
    assert!(matches!(answer, Some(SmallestChange::NoSingleChange { left_out: 0, .. })), "{answer:?}");
    let cut = lab.farm.smallest_change(lab.now, last, 2);
    assert!(matches!(cut, Some(SmallestChange::NoSingleChange { tried: 2, left_out: 3 })), "{cut:?}");
}

#[test]
fn racks_slots_and_duts_are_set_right() {
    let mut drained = lab(1);
    drained.step(Event::Drain { rack: RackId(1), on: true });
    let id = drained.submit(job(slots([1]), [one()]));
    assert_eq!(found(&drained, id), Change::Undrain(RackId(1)));

    let mut busy = lab(1);
    busy.cpu = 99;
    busy.pass(Span::seconds(2));
    let id = busy.submit(job(slots([1]), [one()]));
    assert_eq!(found(&busy, id), Change::Relieve(RackId(1)));

    let mut empty = lab(1);
    empty.place(101, None);
    let id = empty.submit(job(slots([1]), [one()]));
    assert_eq!(found(&empty, id), Change::PlaceDut { dut: headend_model::DutId(101), slot: SlotId(1) });
    let mut empty = lab(1);
    empty.place(101, None);
    let id = empty.submit(job(duts([101]), [one()]));
    assert_eq!(found(&empty, id), Change::PlaceDut { dut: headend_model::DutId(101), slot: SlotId(1) });

    let mut away = lab(1);
    away.silent.insert(RackId(1));
    away.pass(Span::seconds(5));
    let id = away.submit(job(slots([1]), [one()]));
    assert_eq!(found(&away, id), Change::Connect(RackId(1)));
}

#[test]
fn a_quarantine_is_to_be_cleared() {
    let mut lab = lab(1);
    lab.submit(job(slots([1]), [one()]));
    lab.end_run(RunId(1), Outcome::Done { result: TestResult::Fail, comment: String::new() }, true);
    let id = lab.submit(job(slots([1]), [one()]));
    assert_eq!(found(&lab, id), Change::ClearQuarantine(SlotId(1)));
    lab.step(Event::ClearQuarantine { slot: SlotId(1) });
    assert!(starts(&lab, id));
}

#[test]
fn a_better_priority_passes_a_hold() {
    let config = FarmConfig { gang_skips: 0, ageing_step: None, ..FarmConfig::default() };
    let mut lab = Lab::with(config, &[2]);
    lab.submit(job(slots([1]), [one()]));
    lab.submit(job(slots([1, 2]), [test(Mode::SingleProcess, 2)]));
    let id = lab.submit(job(slots([2]), [one()]));
    if starts(&lab, id) {
        // The first time it was passed over; now the slot is held.
        lab.pass_run(lab.run_on(2).unwrap());
    }
    let id = lab.submit(job(slots([2]), [one()]));
    assert!(matches!(lab.why(id, 0)[0], WaitReason::GangHold { .. }), "{:?}", lab.why(id, 0));
    assert_eq!(found(&lab, id), Change::RaisePriority { from: Priority(5), to: Priority(4) });
}

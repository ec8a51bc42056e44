//! DUTs that leave the lab.

use headend_model::{DutId, Epoch, JobStatus, Mode, RackId, RunId, ScheduleSettings, SlotId, SlotNo, Span, Target};

use super::lab::{duts, slots};
use super::schedules::daily;
use super::{Lab, job, lab, test};
use crate::action::DutUses;
use crate::event::RackReady;
use crate::{Action, Event, ScheduleCommand};

fn remove(lab: &mut Lab, numbers: &[u64]) -> Vec<Action> {
    lab.step(Event::RemoveDuts { duts: numbers.iter().copied().map(DutId).collect() })
}

fn uses(told: &[Action]) -> (DutId, DutUses) {
    let [Action::DutInUse { dut, uses }] = told else { panic!("{told:?}") };
    (*dut, uses.clone())
}

#[test]
fn one_that_nobody_names_is_forgotten_and_its_slot_is_empty() {
    let mut lab = lab(2);
    assert_eq!(
        remove(&mut lab, &[101, 999]).iter().filter(|told| matches!(told, Action::DutRemoved { .. })).count(),
        2
    );
    assert!(!lab.farm.inventory().duts.contains_key(&DutId(101)));
    assert_eq!(lab.farm.inventory().dut_in(SlotId(1)), None);
    let told = lab.hand_in(job(duts([101]), [test(Mode::DutCoverage, 1)]), None, false);
    assert!(matches!(told[..], [Action::Refused(_)]), "{told:?}");
    // Whoever named the slot waits for a DUT there.
    let id = lab.submit(job(slots([1]), [test(Mode::DutCoverage, 1)]));
    assert_eq!(lab.status(id), JobStatus::Idle);
    lab.pass(Span::seconds(70));
    assert_eq!(lab.status(id), JobStatus::NoDut);
}

#[test]
fn all_or_none_and_what_keeps_one_is_named() {
    let mut lab = lab(3);
    let at_slot = lab.submit(job(slots([1]), [test(Mode::DutCoverage, 1)]));
    let named: Vec<_> = (0..12).map(|_| lab.submit(job(duts([102]), [test(Mode::DutCoverage, 1)]))).collect();
    // Driven, though the job names the slot alone; and the one before it in the list stays, too.
    let (dut, kept) = uses(&remove(&mut lab, &[103, 101]));
    assert_eq!((dut, kept.run, kept.all_jobs), (DutId(101), Some((RunId(1), at_slot)), 0));
    assert!(lab.farm.inventory().duts.contains_key(&DutId(103)));
    let (_, kept) = uses(&remove(&mut lab, &[102]));
    assert_eq!((kept.run.map(|(_, job)| job), kept.all_jobs, &kept.jobs[..]), (Some(named[0]), 12, &named[..10]));
    lab.finish();
    assert!(lab.farm.dut_uses(DutId(102)).is_free());
    let told = remove(&mut lab, &[101, 102]);
    assert!(told.iter().all(|told| matches!(told, Action::DutRemoved { .. })) && told.len() == 2, "{told:?}");
}

#[test]
fn a_schedule_keeps_what_is_on_it() {
    let mut lab = lab(1);
    let (schedule, target) =
        (lab.create("nightly", daily("10:00", "20:00"), ScheduleSettings::default()), Target::Dut(DutId(101)));
    lab.noted(ScheduleCommand::AddTarget { schedule, target });
    let (_, kept) = uses(&remove(&mut lab, &[101]));
    assert_eq!((kept.all_schedules, &kept.schedules[..]), (1, &[schedule][..]));
    lab.noted(ScheduleCommand::RemoveTarget { schedule, target });
    assert!(remove(&mut lab, &[101]).iter().any(|told| matches!(told, Action::DutRemoved { .. })));
}

/// S9: racks remember the epochs of a DUT longer than the farm does.
#[test]
fn an_id_that_comes_back_starts_above_the_epochs_that_were_seen() {
    let mut lab = lab(2);
    for _ in 0..5 {
        lab.submit(job(duts([101]), [test(Mode::DutCoverage, 1)]));
        lab.finish();
    }
    remove(&mut lab, &[101]);
    let kept = serde_json::to_string(&lab.farm).unwrap();
    lab.farm = serde_json::from_str(&kept).unwrap();
    let slots = vec![(SlotNo(1), Epoch(5)), (SlotNo(2), Epoch(0))];
    let dut_epochs = vec![(DutId(101), Epoch(5))];
    let ready = RackReady { rack: RackId(1), incarnation: 9, slots, dut_epochs, not_taking: None, out: Vec::new() };
    lab.step(Event::RackReady(ready));
    lab.place(101, Some(2));
    lab.submit(job(duts([101]), [test(Mode::DutCoverage, 1)]));
    let run = lab.run_on(2).expect("it runs");
    assert_eq!(lab.lease(run).targets[0].dut_epoch, Epoch(6));
}

//! Leases: epochs, lost racks, late reports, restarts.

use headend_model::run::Incomplete;
use headend_model::{DutId, Epoch, JobStatus, Mode, Outcome, RackId, RunId, SlotNo, Span, UserName};

use super::lab::{claim, duts, slots};
use super::{Lab, job, lab, test};
use crate::event::{Heartbeat, RackReady};
use crate::view::{SlotState, WaitReason};
use crate::{Action, Event};

fn one(lab: &mut Lab) -> headend_model::JobId {
    lab.submit(job(slots([1]), [test(Mode::DutCoverage, 1)]))
}

#[test]
fn epochs_rise_by_one_per_lease_of_the_slot_and_of_the_dut() {
    let mut lab = lab(2);
    let epochs = |lab: &Lab, run| {
        let target = lab.lease(run).targets[0];
        (target.slot_epoch.0, target.dut_epoch.0)
    };
    one(&mut lab);
    assert_eq!(epochs(&lab, RunId(1)), (1, 1));
    lab.pass_run(RunId(1));
    lab.place(101, Some(2));
    lab.submit(job(duts([101]), [test(Mode::DutCoverage, 1)]));
    assert_eq!(epochs(&lab, RunId(2)), (1, 2));
}

#[test]
fn a_lost_rack_frees_its_slot_only_when_its_run_is_surely_gone() {
    let mut lab = lab(1);
    let id = one(&mut lab);
    lab.pass(Span::seconds(2));
    lab.silent.insert(RackId(1));
    let until = lab.lease(RunId(1)).until;
    let free_at = until + Span::seconds(9);
    lab.pass(Span::seconds(4));
    assert_eq!(lab.status(id), JobStatus::Stalled);
    lab.pass(until - lab.now);
    assert_eq!(lab.slot(1), SlotState::Cooling { until: free_at });
    let next = one(&mut lab);
    assert!(matches!(lab.why(next, 0)[..], [WaitReason::NoRack { .. }]));
    lab.pass(free_at - lab.now - Span::micros(1));
    assert_eq!(lab.status(id), JobStatus::Stalled);
    lab.pass(Span::micros(1));
    assert_eq!(
        (lab.status(id), lab.outcome(1)),
        (JobStatus::Completed, Some(Outcome::Incomplete(Incomplete::RackLost)))
    );
    assert_eq!(lab.slot(1), SlotState::Free);
}

#[test]
fn a_rack_that_comes_back_in_time_goes_on() {
    let mut lab = lab(1);
    let id = one(&mut lab);
    lab.pass(Span::seconds(2));
    lab.silent.insert(RackId(1));
    lab.pass(Span::seconds(10));
    lab.silent.clear();
    lab.pass(Span::seconds(30));
    assert_eq!(lab.status(id), JobStatus::Running);
    lab.pass_run(RunId(1));
    assert_eq!(lab.outcome(1).unwrap().code(), 111);
}

#[test]
fn a_late_report_changes_nothing() {
    let mut lab = lab(1);
    one(&mut lab);
    let old = claim(&lab.lease(RunId(1)));
    lab.silent.insert(RackId(1));
    lab.pass(Span::seconds(40));
    let late = lab.step(Event::RunEnded { rack: RackId(1), claim: old, outcome: Outcome::Killed, unkillable: false });
    assert_eq!(late, []);
    assert_eq!(lab.outcome(1), Some(Outcome::Incomplete(Incomplete::RackLost)));
}

#[test]
fn bad_news_of_a_lost_run_still_quarantines_its_slot() {
    let mut lab = lab(1);
    one(&mut lab);
    let old = claim(&lab.lease(RunId(1)));
    lab.silent.insert(RackId(1));
    lab.pass(Span::seconds(40));
    lab.step(Event::RunEnded { rack: RackId(1), claim: old, outcome: Outcome::Killed, unkillable: true });
    assert_eq!(lab.slot(1), SlotState::Quarantined);
}

#[test]
fn reports_of_others_do_not_count() {
    let mut lab = lab(2);
    let id = one(&mut lab);
    let good = claim(&lab.lease(RunId(1)));
    let wrong = [
        (RackId(2), good),
        (RackId(1), crate::event::Claim { epoch: Epoch(9), ..good }),
        (RackId(1), crate::event::Claim { attempt: 2, ..good }),
    ];
    for (rack, claim) in wrong {
        lab.step(Event::RunEnded { rack, claim, outcome: Outcome::Killed, unkillable: false });
    }
    assert_eq!(lab.status(id), JobStatus::Running);
}

#[test]
fn an_unkillable_run_quarantines_slot_and_dut_until_an_operator_has_looked() {
    let mut lab = lab(2);
    one(&mut lab);
    let actions = lab.end_run(RunId(1), Outcome::Killed, true);
    assert!(actions.contains(&Action::SlotQuarantined { slot: headend_model::SlotId(1), on: true }));
    let at_slot = one(&mut lab);
    lab.place(101, Some(2));
    let at_dut = lab.submit(job(duts([101]), [test(Mode::DutCoverage, 1)]));
    assert!(matches!(lab.why(at_dut, 0)[..], [WaitReason::Quarantined]));
    lab.place(102, Some(1));
    assert!(matches!(lab.why(at_slot, 0)[..], [WaitReason::Quarantined]));
    lab.step(Event::ClearQuarantine { slot: headend_model::SlotId(1) });
    assert_eq!((lab.status(at_slot), lab.status(at_dut)), (JobStatus::Running, JobStatus::Running));
}

#[test]
fn a_new_life_of_the_rack_ends_what_it_knows_and_frees_the_slots_at_once() {
    let mut lab = lab(1);
    let first = one(&mut lab);
    let second = one(&mut lab);
    lab.ready(RackId(1), 1);
    assert_eq!(lab.outcome(1), Some(Outcome::Incomplete(Incomplete::RackLost)));
    assert_eq!((lab.status(first), lab.status(second)), (JobStatus::Completed, JobStatus::Running));
}

#[test]
fn what_a_new_life_does_not_know_has_to_run_out() {
    let mut lab = lab(1);
    let id = one(&mut lab);
    let ready = RackReady {
        rack: RackId(1),
        incarnation: 99,
        slots: vec![(SlotNo(1), Epoch(0))],
        dut_epochs: vec![],
        not_taking: None,
        out: Vec::new(),
    };
    lab.step(Event::RackReady(ready));
    assert!(lab.farm.leases_on(RackId(1)).is_empty(), "a journal may have been lost: never start it twice");
    let beat = Heartbeat {
        rack: RackId(1),
        incarnation: 99,
        cpu_percent: 0,
        holds: vec![],
        not_taking: None,
        out: Vec::new(),
    };
    for _ in 0..30 {
        lab.now = lab.now + Span::seconds(1);
        lab.step(Event::Heartbeat(beat.clone()));
        lab.step(Event::Tick);
    }
    assert_eq!(
        (lab.status(id), lab.outcome(1)),
        (JobStatus::Completed, Some(Outcome::Incomplete(Incomplete::RackLost)))
    );
}

/// A new life of the rack that has the journal of the lives named.
fn reborn(lab: &mut Lab, incarnation: u64, seen: u64, former: &[u64]) {
    let rack = RackId(1);
    let slots = vec![(SlotNo(1), Epoch(seen))];
    let ready = RackReady { rack, incarnation, slots, dut_epochs: vec![], not_taking: None, out: Vec::new() };
    lab.step(Event::RackReady(ready));
    lab.step(Event::RackContinues { rack, incarnation, former: former.to_vec() });
}

#[test]
fn what_a_former_life_never_started_goes_to_the_next() {
    let mut lab = lab(1);
    let id = one(&mut lab);
    let lease = lab.lease(RunId(1));
    reborn(&mut lab, 99, 0, &[7, 1]);
    let offered: Vec<_> = lab.farm.leases_on(RackId(1)).into_iter().map(|granted| granted.lease.clone()).collect();
    assert_eq!(offered.len(), 1, "the journal goes on, so nothing has been lost with the former life");
    assert_eq!(offered[0].targets, lease.targets, "under the epochs that were granted");
    lab.lives.insert(RackId(1), 99);
    lab.pass(Span::seconds(60));
    assert_eq!(lab.status(id), JobStatus::Running);
    lab.step(Event::RunStarted { rack: RackId(1), claim: claim(&lease) });
    lab.pass_run(RunId(1));
    assert_eq!((lab.outcome(1).unwrap().code(), lab.status(id)), (111, JobStatus::Completed));
}

#[test]
fn a_life_takes_over_only_what_its_journal_answers_for() {
    // Of another journal; of no life that is known; taken before, so the journal should know it.
    for (former, confirmed) in [(&[7, 8][..], false), (&[], false), (&[1], true)] {
        let mut lab = lab(1);
        one(&mut lab);
        let lease = lab.lease(RunId(1));
        if confirmed {
            lab.step(Event::RunStarted { rack: RackId(1), claim: claim(&lease) });
        }
        reborn(&mut lab, 99, 0, former);
        assert!(lab.farm.leases_on(RackId(1)).is_empty(), "{former:?}");
        lab.lives.insert(RackId(1), 99);
        lab.pass(Span::seconds(60));
        assert_eq!(lab.outcome(1), Some(Outcome::Incomplete(Incomplete::RackLost)), "{former:?}");
    }
}

#[test]
fn what_the_journal_knows_of_a_former_life_has_ended_with_it() {
    let mut lab = lab(1);
    let id = one(&mut lab);
    reborn(&mut lab, 99, 1, &[1]);
    assert_eq!(lab.outcome(1), Some(Outcome::Incomplete(Incomplete::RackLost)));
    assert_eq!(lab.status(id), JobStatus::Completed);
}

#[test]
fn words_of_a_life_that_is_over_take_nothing_over() {
    let mut lab = lab(1);
    one(&mut lab);
    reborn(&mut lab, 99, 0, &[1]);
    lab.step(Event::RackContinues { rack: RackId(1), incarnation: 50, former: vec![99] });
    assert_eq!(lab.farm.leases_on(RackId(1)).len(), 1, "still with the life that is there");
}

#[test]
fn a_kill_of_what_a_former_life_never_started_is_final_when_the_next_one_says_so() {
    let mut lab = lab(1);
    let id = one(&mut lab);
    let claim = claim(&lab.lease(RunId(1)));
    lab.step(Event::Kill { job: id, by: UserName::new("anna").unwrap() });
    reborn(&mut lab, 99, 0, &[1]);
    let reason = "stopped before it was started".to_owned();
    lab.step(Event::NotStarted { rack: RackId(1), claim, reason });
    assert_eq!(lab.outcome(1), Some(Outcome::Killed));
}

#[test]
fn an_offer_on_its_way_is_kept_and_offered_again() {
    let mut lab = lab(1);
    let id = one(&mut lab);
    let silent =
        Heartbeat { rack: RackId(1), incarnation: 1, cpu_percent: 0, holds: vec![], not_taking: None, out: Vec::new() };
    for _ in 0..60 {
        lab.now = lab.now + Span::seconds(1);
        lab.step(Event::Heartbeat(silent.clone()));
        lab.step(Event::Tick);
    }
    assert_eq!((lab.status(id), lab.farm.leases_on(RackId(1)).len()), (JobStatus::Running, 1));
    lab.step(Event::RunStarted { rack: RackId(1), claim: claim(&lab.lease(RunId(1))) });
    for _ in 0..30 {
        lab.now = lab.now + Span::seconds(1);
        lab.step(Event::Heartbeat(silent.clone()));
        lab.step(Event::Tick);
    }
    assert_eq!(lab.outcome(1), Some(Outcome::Incomplete(Incomplete::RackLost)), "taken, and held no more");
}

#[test]
fn a_server_that_was_away_gives_every_lease_a_fresh_term() {
    let mut lab = lab(1);
    let id = one(&mut lab);
    lab.pass(Span::seconds(1));
    lab.now = lab.now + Span::seconds(3_600);
    lab.step(Event::ServerStarted { config: lab.farm.config().clone() });
    lab.step(Event::Tick);
    assert_eq!(lab.status(id), JobStatus::Running);
    lab.pass(Span::seconds(20));
    assert_eq!(lab.status(id), JobStatus::Running);
}

#[test]
fn epochs_of_the_rack_raise_ours() {
    let mut lab = lab(1);
    let ready = RackReady {
        rack: RackId(1),
        incarnation: 7,
        slots: vec![(SlotNo(1), Epoch(40))],
        dut_epochs: vec![(DutId(101), Epoch(50))],
        not_taking: None,
        out: Vec::new(),
    };
    lab.step(Event::RackReady(ready));
    one(&mut lab);
    let target = lab.lease(RunId(1)).targets[0];
    assert_eq!((target.slot_epoch, target.dut_epoch), (Epoch(41), Epoch(51)));
}

#[test]
fn a_kill_of_what_the_rack_never_took_is_final_when_it_says_so() {
    let mut lab = lab(1);
    let id = one(&mut lab);
    let claim = claim(&lab.lease(RunId(1)));
    lab.step(Event::Kill { job: id, by: UserName::new("anna").unwrap() });
    assert_eq!(lab.status(id), JobStatus::Running, "only the rack knows that nothing was started");
    let next = one(&mut lab);
    let reason = "stopped before it was started".to_owned();
    lab.step(Event::NotStarted { rack: RackId(1), claim, reason });
    assert_eq!((lab.outcome(1), lab.status(next)), (Some(Outcome::Killed), JobStatus::Running));
}

#[test]
fn a_run_that_was_taken_cannot_be_told_as_not_started() {
    let mut lab = lab(1);
    let id = one(&mut lab);
    let claim = claim(&lab.lease(RunId(1)));
    lab.step(Event::RunStarted { rack: RackId(1), claim });
    lab.step(Event::NotStarted { rack: RackId(1), claim, reason: "an echo".to_owned() });
    assert_eq!(lab.status(id), JobStatus::Running);
}

//! Racks that are away, slots without a DUT, DUTs that move.

use headend_model::run::Incomplete;
use headend_model::{Epoch, JobStatus, Mode, Outcome, RackId, RunId, SlotNo, Span};

use super::lab::{duts, slots};
use super::{Lab, job, lab, test};
use crate::FarmConfig;
use crate::action::Warning;
use crate::event::{Heartbeat, RackReady};
use crate::view::{SlotState, WaitReason};
use crate::{Action, Event};
use headend_model::TargetIx;

#[test]
fn no_dut_for_longer_than_the_patience_is_status_6() {
    let mut lab = lab(1);
    lab.place(101, None);
    let id = lab.submit(job(slots([1]), [test(Mode::DutCoverage, 1)]));
    assert_eq!(lab.warnings(), [Warning::NoDut(TargetIx(0))]);
    let gives_up = lab.now + Span::seconds(60);
    assert_eq!(lab.why(id, 0), [WaitReason::NoDut { gives_up }]);
    lab.pass(Span::seconds(59));
    assert_eq!(lab.status(id), JobStatus::Idle);
    lab.pass(Span::seconds(2));
    assert_eq!((lab.status(id), lab.outcome(1)), (JobStatus::NoDut, Some(Outcome::Incomplete(Incomplete::NoDut))));
}

#[test]
fn a_dut_that_arrives_in_time_is_tested() {
    let mut lab = lab(1);
    lab.place(101, None);
    let id = lab.submit(job(slots([1]), [test(Mode::DutCoverage, 1)]));
    lab.pass(Span::seconds(50));
    lab.place(101, Some(1));
    lab.pass(Span::seconds(50));
    assert_eq!(lab.status(id), JobStatus::Running);
}

#[test]
fn no_rack_for_longer_than_the_patience_is_status_5() {
    let mut lab = lab(1);
    lab.silent.insert(RackId(1));
    lab.pass(Span::seconds(10));
    let id = lab.submit(job(duts([101]), [test(Mode::TestCoverage, 1), test(Mode::DutCoverage, 1)]));
    assert!(matches!(lab.why(id, 0)[..], [WaitReason::NoRack { rack: Some(RackId(1)), .. }]));
    lab.pass(Span::seconds(61));
    assert_eq!(lab.status(id), JobStatus::NoDaemon);
    assert_eq!(lab.outcome(2), Some(Outcome::Incomplete(Incomplete::NoDaemon)));
}

#[test]
fn the_rest_goes_on_when_a_target_is_lost() {
    let mut lab = lab(2);
    lab.place(102, None);
    let id = lab.submit(job(slots([1, 2]), [test(Mode::DutCoverage, 2), test(Mode::DutCoverage, 1)]));
    lab.pass(Span::seconds(61));
    assert_eq!(lab.outcome(2), Some(Outcome::Incomplete(Incomplete::NoDut)));
    lab.finish();
    assert_eq!((lab.status(id), lab.ends().len()), (JobStatus::Completed, 3));
}

#[test]
fn queued_runs_follow_the_dut() {
    let mut lab = lab(3);
    lab.submit(job(slots([1]), [test(Mode::DutCoverage, 1)]));
    let id = lab.submit(job(duts([101]), [test(Mode::DutCoverage, 1)]));
    assert!(lab.why(id, 0).iter().all(|why| matches!(why, WaitReason::SlotHeld { .. })));
    lab.place(101, Some(3));
    assert!(matches!(lab.why(id, 0)[..], [WaitReason::DutHeld { run: RunId(1), .. }]), "its test still runs");
    lab.pass_run(RunId(1));
    assert_eq!(lab.running(), [(2, 0, 3)]);
}

#[test]
fn a_result_keeps_the_slot_where_it_started() {
    let mut lab = lab(2);
    lab.submit(job(duts([101]), [test(Mode::DutCoverage, 1)]));
    lab.place(101, Some(2));
    lab.pass_run(RunId(1));
    assert_eq!(lab.ends()[0].lease.as_ref().unwrap().targets[0].slot.0, 1);
}

#[test]
fn a_busy_cpu_closes_the_gate_for_thirty_seconds() {
    let mut lab = lab(1);
    lab.cpu = 81;
    lab.pass(Span::seconds(2));
    let since = lab.now;
    let id = lab.submit(job(slots([1]), [test(Mode::DutCoverage, 1)]));
    let next_try = since + Span::seconds(30);
    assert_eq!(lab.why(id, 0), [WaitReason::CpuGate { rack: RackId(1), cpu_percent: 81, since, next_try }]);
    lab.cpu = 20;
    lab.pass(Span::seconds(29));
    assert_eq!(lab.status(id), JobStatus::Idle, "not looked at before 30 s are over");
    lab.pass(Span::seconds(2));
    assert_eq!(lab.status(id), JobStatus::Running);
}

#[test]
fn a_gate_that_stays_closed_tells_since_when() {
    let mut lab = lab(1);
    lab.cpu = 100;
    lab.pass(Span::seconds(2));
    let closed = lab.now;
    let id = lab.submit(job(slots([1]), [test(Mode::DutCoverage, 1)]));
    lab.pass(Span::seconds(65));
    let [WaitReason::CpuGate { since, next_try, .. }] = lab.why(id, 0)[..] else { panic!("{:?}", lab.why(id, 0)) };
    assert_eq!((since, next_try), (closed, closed + Span::seconds(90)));
}

#[test]
fn the_gate_of_one_rack_leaves_others_alone_and_100_is_off() {
    let mut lab = Lab::with(FarmConfig { cpu_gate_percent: 100, ..FarmConfig::default() }, &[1]);
    lab.cpu = 100;
    lab.pass(Span::seconds(2));
    let id = lab.submit(job(slots([1]), [test(Mode::DutCoverage, 1)]));
    assert_eq!(lab.status(id), JobStatus::Running);
}

#[test]
fn a_draining_rack_takes_nothing_new() {
    let mut lab = lab(1);
    lab.step(crate::Event::Drain { rack: RackId(1), on: true });
    let id = lab.submit(job(slots([1]), [test(Mode::DutCoverage, 1)]));
    assert_eq!(lab.why(id, 0), [WaitReason::Draining { rack: RackId(1) }]);
    lab.step(crate::Event::Drain { rack: RackId(1), on: false });
    assert_eq!(lab.status(id), JobStatus::Running);
}

#[test]
fn a_rack_that_takes_nothing_lets_runs_wait_and_says_why() {
    let mut lab = lab(1);
    let beat = |why: Option<&str>| Heartbeat {
        rack: RackId(1),
        incarnation: 1,
        cpu_percent: 0,
        holds: vec![],
        not_taking: why.map(str::to_owned),
        out: Vec::new(),
    };
    let since = lab.now;
    let told = lab.step(Event::Heartbeat(beat(Some("its outbox is full"))));
    assert_eq!(told, [Action::RackChanged { rack: RackId(1) }]);
    let id = lab.submit(job(slots([1]), [test(Mode::DutCoverage, 1)]));
    lab.now = lab.now + Span::seconds(1);
    assert_eq!(lab.step(Event::Heartbeat(beat(Some("its outbox is still full")))), [], "told once");
    let reason = "its outbox is still full".to_owned();
    assert_eq!(lab.why(id, 0), [WaitReason::NotTaking { rack: RackId(1), since, reason }]);
    assert_eq!(lab.status(id), JobStatus::Idle);
    lab.step(Event::Heartbeat(beat(None)));
    assert_eq!(lab.status(id), JobStatus::Running);
}

#[test]
fn a_rack_that_comes_and_takes_nothing_gets_nothing() {
    let mut lab = lab(1);
    lab.step(crate::Event::Drain { rack: RackId(1), on: true });
    let id = lab.submit(job(slots([1]), [test(Mode::DutCoverage, 1)]));
    let not_taking = Some("its journal cannot be written".to_owned());
    let slots = vec![(SlotNo(1), Epoch(0))];
    let ready = RackReady { rack: RackId(1), incarnation: 9, slots, dut_epochs: vec![], not_taking, out: Vec::new() };
    lab.step(Event::RackReady(ready));
    lab.step(crate::Event::Drain { rack: RackId(1), on: false });
    assert!(matches!(lab.why(id, 0)[..], [WaitReason::NotTaking { .. }]));
}

#[test]
fn a_slot_that_is_out_gets_nothing_until_its_rack_says_otherwise() {
    let mut lab = lab(2);
    let beat = |out: &[(u16, &str)]| {
        let out = out.iter().map(|(no, reason)| (SlotNo(*no), (*reason).to_owned())).collect();
        let (rack, incarnation) = (RackId(1), 1);
        Event::Heartbeat(Heartbeat { rack, incarnation, cpu_percent: 0, holds: vec![], not_taking: None, out })
    };
    let since = lab.now;
    let told = lab.step(beat(&[(1, "qemu has ended")]));
    assert_eq!(told, [Action::RackChanged { rack: RackId(1) }]);
    assert_eq!(lab.slot(1), SlotState::Out { since, reason: "qemu has ended".to_owned() });
    let here = lab.submit(job(slots([1]), [test(Mode::DutCoverage, 1)]));
    let there = lab.submit(job(slots([2]), [test(Mode::DutCoverage, 1)]));
    assert_eq!((lab.status(here), lab.status(there)), (JobStatus::Idle, JobStatus::Running), "the others go on");
    lab.now = lab.now + Span::seconds(1);
    assert_eq!(lab.step(beat(&[(1, "qemu has ended")])), [], "told once");
    let told = lab.step(beat(&[(1, "qemu does not start"), (7, "no such slot")]));
    assert_eq!(told, [Action::RackChanged { rack: RackId(1) }], "another reason is news");
    let reason = "qemu does not start".to_owned();
    assert_eq!(lab.why(here, 0), [WaitReason::SlotOut { since, reason }]);
    lab.step(beat(&[]));
    assert_eq!(lab.status(here), JobStatus::Running);
}

#[test]
fn a_slot_that_is_out_from_the_start_gets_nothing_at_the_start() {
    let mut lab = lab(1);
    lab.step(crate::Event::Drain { rack: RackId(1), on: true });
    let id = lab.submit(job(slots([1]), [test(Mode::DutCoverage, 1)]));
    let out = vec![(SlotNo(1), "its tools are being started".to_owned())];
    let slots = vec![(SlotNo(1), Epoch(0))];
    lab.step(Event::RackReady(RackReady {
        rack: RackId(1),
        incarnation: 9,
        slots,
        dut_epochs: vec![],
        not_taking: None,
        out,
    }));
    lab.step(crate::Event::Drain { rack: RackId(1), on: false });
    assert!(matches!(lab.why(id, 0)[..], [WaitReason::SlotOut { .. }]));
}

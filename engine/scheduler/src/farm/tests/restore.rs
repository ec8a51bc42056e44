//! The server's durable half is put back to an older backup: what racks remember, the farm does not (A13).

use headend_model::run::Incomplete;
use headend_model::{Epoch, JobId, JobStatus, Mode, Outcome, RackId, RunId, SlotNo, Span};

use super::lab::{claim, slots};
use super::{Lab, job, lab, test};
use crate::event::{Claim, Heartbeat, RackReady};
use crate::view::{SlotState, WaitReason};
use crate::{Action, Event, FarmConfig};

fn one(lab: &mut Lab) -> JobId {
    lab.submit(job(slots([1]), [test(Mode::DutCoverage, 1)]))
}

/// The server starts on what is there, and the store says which history it tells.
fn start(lab: &mut Lab, generation: u64) -> Vec<Action> {
    let config = FarmConfig { generation, ..lab.farm.config().clone() };
    lab.step(Event::ServerStarted { config })
}

/// The rack's daemon is the same as before, and says ready because it is asked to.
fn ready(lab: &mut Lab, seen: u64) {
    let slots = vec![(SlotNo(1), Epoch(seen))];
    let ready =
        RackReady { rack: RackId(1), incarnation: 1, slots, dut_epochs: Vec::new(), not_taking: None, out: Vec::new() };
    lab.step(Event::RackReady(ready));
}

fn beat(lab: &mut Lab, holds: Vec<Claim>) {
    let beat = Heartbeat { rack: RackId(1), incarnation: 1, cpu_percent: 0, holds, not_taking: None, out: Vec::new() };
    lab.step(Event::Heartbeat(beat));
}

#[test]
fn the_first_count_and_the_same_one_change_nothing() {
    let mut lab = lab(1);
    start(&mut lab, 3);
    start(&mut lab, 3);
    start(&mut lab, 0);
    let id = one(&mut lab);
    assert_eq!((id, lab.status(id)), (JobId(1), JobStatus::Running));
}

#[test]
fn handles_runs_and_epochs_of_the_lost_past_are_not_given_out_again() {
    let mut lab = lab(1);
    start(&mut lab, 1);
    one(&mut lab);
    lab.pass_run(RunId(1));
    start(&mut lab, 2);
    let id = one(&mut lab);
    ready(&mut lab, 1);
    lab.pass(Span::seconds(60));
    let run = lab.run_on(1).expect("it runs after the quiet time");
    let target = lab.lease(run).targets[0];
    assert!(id > JobId(1_000) && run > RunId(1 << 32), "{id} {run}");
    assert!(target.slot_epoch > Epoch(1 << 32) && target.dut_epoch > Epoch(1 << 32), "{target:?}");
}

#[test]
fn nothing_is_leased_before_unknown_leases_have_run_out_and_the_rack_is_ready() {
    let mut lab = lab(1);
    start(&mut lab, 1);
    start(&mut lab, 2);
    let terms = lab.farm.config().lease;
    let until = terms.reusable_at(lab.now + terms.length);
    let id = one(&mut lab);
    assert_eq!(lab.farm.incarnation(RackId(1)), None, "it has to say ready");
    assert!(matches!(lab.why(id, 0)[..], [WaitReason::NoRack { .. }]));
    ready(&mut lab, 0);
    assert_eq!(lab.why(id, 0), [WaitReason::Cooling { until }]);
    assert_eq!(lab.slot(1), SlotState::Cooling { until });
    lab.pass(until - lab.now - Span::micros(1));
    assert_eq!(lab.status(id), JobStatus::Idle);
    lab.pass(Span::micros(1));
    assert_eq!(lab.status(id), JobStatus::Running);
}

#[test]
fn a_lease_that_the_books_know_goes_on_if_its_rack_names_it() {
    let mut lab = lab(1);
    start(&mut lab, 1);
    let id = one(&mut lab);
    let claim = claim(&lab.lease(RunId(1)));
    start(&mut lab, 2);
    assert!(lab.farm.leases_on(RackId(1)).is_empty(), "it is not offered: it may have ended long ago");
    ready(&mut lab, 1);
    for _ in 0..60 {
        lab.now = lab.now + Span::seconds(1);
        beat(&mut lab, vec![claim]);
        lab.step(Event::Tick);
    }
    assert_eq!((lab.status(id), lab.farm.leases_on(RackId(1)).len()), (JobStatus::Running, 1));
    lab.pass_run(RunId(1));
    assert_eq!(lab.status(id), JobStatus::Completed);
}

#[test]
fn a_lease_that_nobody_names_runs_out_and_is_never_offered() {
    let mut lab = lab(1);
    start(&mut lab, 1);
    let id = one(&mut lab);
    start(&mut lab, 2);
    ready(&mut lab, 4);
    for _ in 0..30 {
        lab.now = lab.now + Span::seconds(1);
        beat(&mut lab, Vec::new());
        lab.step(Event::Tick);
        assert!(lab.farm.leases_on(RackId(1)).is_empty());
    }
    assert_eq!(lab.outcome(1), Some(Outcome::Incomplete(Incomplete::RackLost)));
    assert_eq!(lab.status(id), JobStatus::Completed);
}

#[test]
fn a_result_from_the_lost_past_is_not_taken_for_a_run_of_now() {
    let mut lab = lab(1);
    start(&mut lab, 1);
    // The backup is made here; what follows until the restore is forgotten.
    let backup = lab.clone();
    one(&mut lab);
    let lost = claim(&lab.lease(RunId(1)));
    let mut lab = backup;
    start(&mut lab, 2);
    let id = one(&mut lab);
    ready(&mut lab, lost.epoch.0);
    lab.pass(Span::seconds(30));
    let late = Event::RunEnded { rack: RackId(1), claim: lost, outcome: Outcome::Killed, unkillable: false };
    lab.step(late);
    assert_eq!(lab.status(id), JobStatus::Running);
}

/// Nobody has raised the generation: a rack that names a run which was never given out tells as well.
#[test]
fn a_rack_proves_that_the_past_is_missing() {
    let claim = Claim { run: RunId(7), attempt: 1, epoch: Epoch(3) };
    let ended = |outcome| Event::RunEnded { rack: RackId(1), claim, outcome, unkillable: false };
    let proofs = [
        Event::RunStarted { rack: RackId(1), claim },
        ended(Outcome::Killed),
        Event::Heartbeat(Heartbeat {
            rack: RackId(1),
            incarnation: 1,
            cpu_percent: 0,
            holds: vec![claim],
            not_taking: None,
            out: Vec::new(),
        }),
    ];
    for proof in proofs {
        let mut lab = lab(1);
        one(&mut lab);
        lab.pass_run(RunId(1));
        lab.step(proof.clone());
        assert!(matches!(lab.slot(1), SlotState::Cooling { .. }), "{proof:?}");
        assert_eq!(lab.farm.incarnation(RackId(1)), None, "{proof:?}");
        ready(&mut lab, 3);
        let until = lab.slot(1);
        lab.step(proof.clone());
        assert_eq!(lab.slot(1), until, "told once: the number is one of the past by now");
    }
}

#[test]
fn a_run_number_out_of_the_air_proves_nothing() {
    let mut lab = lab(1);
    let claim = Claim { run: RunId(u64::MAX), attempt: 1, epoch: Epoch(3) };
    lab.step(Event::RunStarted { rack: RackId(1), claim });
    assert_eq!(lab.slot(1), SlotState::Free);
}

#[test]
fn the_quiet_time_survives_a_restart() {
    let mut lab = lab(1);
    start(&mut lab, 1);
    start(&mut lab, 2);
    let mut again = lab.clone();
    again.farm = serde_json::from_str(&serde_json::to_string(&lab.farm).unwrap()).unwrap();
    start(&mut again, 2);
    ready(&mut again, 0);
    let id = one(&mut again);
    assert_eq!(again.status(id), JobStatus::Idle);
    again.pass(Span::seconds(30));
    assert_eq!(again.status(id), JobStatus::Running);
}

/// Its clock was set forward while the server was away for the second time; those of the racks were not.
#[test]
fn the_quiet_time_is_counted_anew_when_the_server_starts_again() {
    let mut lab = lab(1);
    start(&mut lab, 1);
    start(&mut lab, 2);
    ready(&mut lab, 0);
    let id = one(&mut lab);
    lab.now = lab.now + Span::seconds(3_600);
    start(&mut lab, 2);
    let terms = lab.farm.config().lease;
    let until = terms.reusable_at(lab.now + terms.length);
    lab.step(Event::Tick);
    assert_eq!((lab.status(id), lab.slot(1)), (JobStatus::Idle, SlotState::Cooling { until }));
    lab.pass(until - lab.now);
    assert_eq!(lab.status(id), JobStatus::Running);
}

/// It waits in the backup, and may have been started since: its number stays, its try is another one.
#[test]
fn a_run_of_the_backup_starts_as_another_try() {
    let mut lab = lab(1);
    start(&mut lab, 1);
    one(&mut lab);
    let waits = one(&mut lab);
    start(&mut lab, 2);
    start(&mut lab, 3);
    let fresh = one(&mut lab);
    ready(&mut lab, 1);
    lab.pass(Span::seconds(60));
    let run = lab.run_on(1).expect("it runs after the quiet time");
    let lease = lab.lease(run);
    assert_eq!((lease.job, lease.run, lease.attempt), (waits, RunId(2), 3));
    lab.pass_run(run);
    let run = lab.run_on(1).expect("the next one runs");
    assert_eq!((lab.lease(run).job, lab.lease(run).attempt), (fresh, 1));
}

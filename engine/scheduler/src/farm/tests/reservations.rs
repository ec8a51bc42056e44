//! Slots that people have: refused, extended, taken away, driven in sessions, and what waits meanwhile.

use headend_model::{Lease, Mode, Outcome, RackId, ReservationId, RunId, SlotId, Span, UserName};

use super::lab::{claim, slots};
use super::{Lab, job, lab, test};
use crate::reservation::{Obstacle, ReservationAction, ReservationCommand, ReservationEnd, ReservationRefusal};
use crate::view::{SlotState, WaitReason};
use crate::{Action, Event, FarmConfig};

fn ask(lab: &mut Lab, by: &str, command: ReservationCommand) -> Vec<Action> {
    lab.step(Event::Reservation { by: UserName::new(by).unwrap(), command })
}

fn news(actions: &[Action]) -> Vec<ReservationAction> {
    let news = actions.iter().filter_map(|action| match action {
        Action::Reservation(news) => Some((**news).clone()),
        _ => None,
    });
    news.collect()
}

fn reserve(lab: &mut Lab, by: &str, slot: u32, seconds: i64) -> Result<ReservationId, ReservationRefusal> {
    let command =
        ReservationCommand::Reserve { slot: SlotId(slot), length: Span::seconds(seconds), note: "a look".to_owned() };
    let actions = ask(lab, by, command);
    match news(&actions).remove(0) {
        ReservationAction::Made { reservation, .. } => Ok(reservation),
        ReservationAction::Refused(refusal) => Err(refusal),
        other => panic!("{other:?}"),
    }
}

fn refused(lab: &mut Lab, command: ReservationCommand) -> ReservationRefusal {
    match news(&ask(lab, "anna", command)).remove(0) {
        ReservationAction::Refused(refusal) => refusal,
        other => panic!("{other:?}"),
    }
}

fn open(lab: &mut Lab, reservation: ReservationId) -> Lease {
    match news(&ask(lab, "anna", ReservationCommand::Open { reservation })).remove(0) {
        ReservationAction::SessionBegun { lease, .. } => lease,
        other => panic!("{other:?}"),
    }
}

fn why_busy(refusal: ReservationRefusal) -> Obstacle {
    match refusal {
        ReservationRefusal::Busy { why, .. } => *why,
        other => panic!("{other:?}"),
    }
}

fn is_reserved(state: &SlotState) -> bool {
    matches!(state, SlotState::Reserved(_))
}

#[test]
fn one_of_two_people_gets_the_slot_and_the_other_learns_who_and_until_when() {
    let mut lab = lab(2);
    let until = lab.now + Span::seconds(60);
    let first = reserve(&mut lab, "anna", 1, 60).unwrap();
    let why = why_busy(reserve(&mut lab, "bert", 1, 60).unwrap_err());
    let anna = UserName::new("anna").unwrap();
    assert_eq!(why, Obstacle::Reserved { reservation: first, user: anna, until, over: false });
    assert!(reserve(&mut lab, "bert", 2, 60).is_ok(), "another slot");
    assert!(matches!(reserve(&mut lab, "bert", 9, 60), Err(ReservationRefusal::UnknownSlot { .. })));
}

#[test]
fn jobs_wait_with_the_reason_and_start_when_it_is_over() {
    let mut lab = lab(1);
    let until = lab.now + Span::seconds(60);
    let id = reserve(&mut lab, "anna", 1, 60).unwrap();
    let waiting = lab.submit(job(slots([1]), [test(Mode::DutCoverage, 1)]));
    let why = lab.why(waiting, 0);
    assert!(
        matches!(&why[..], [WaitReason::Reserved(view)] if view.reservation == id && view.until == until),
        "{why:?}"
    );
    lab.pass(Span::seconds(59));
    assert_eq!(lab.running(), []);
    lab.pass(Span::seconds(1));
    assert_eq!(lab.running(), [(1, 0, 1)]);
    let over = news(&lab.log).pop();
    assert!(matches!(over, Some(ReservationAction::Ended { why: ReservationEnd::Expired, .. })), "{over:?}");
    let driven = why_busy(reserve(&mut lab, "bert", 1, 60).unwrap_err());
    assert_eq!(driven, Obstacle::Driven { run: RunId(1), job: waiting });
}

#[test]
fn an_extension_counts_from_the_end_and_stays_within_the_longest() {
    let config =
        FarmConfig { longest_reservation: Span::seconds(100), reservations_per_user: 1, ..FarmConfig::default() };
    let mut lab = Lab::with(config, &[2]);
    let id = reserve(&mut lab, "anna", 1, 60).unwrap();
    let longest = Span::seconds(100);
    assert_eq!(reserve(&mut lab, "anna", 2, 101), Err(ReservationRefusal::TooLong { longest }));
    assert_eq!(reserve(&mut lab, "anna", 2, 0), Err(ReservationRefusal::TooLong { longest }));
    let most = reserve(&mut lab, "anna", 2, 10).unwrap_err();
    assert_eq!(most, ReservationRefusal::TooMany { user: UserName::new("anna").unwrap(), most: 1 });

    let by = |seconds| ReservationCommand::Extend { reservation: id, by: Span::seconds(seconds) };
    assert_eq!(refused(&mut lab, by(41)), ReservationRefusal::TooLong { longest });
    ask(&mut lab, "anna", by(40));
    lab.pass(Span::seconds(99));
    assert!(is_reserved(&lab.slot(1)));
    lab.pass(Span::seconds(1));
    assert_eq!(lab.slot(1), SlotState::Free);
    assert_eq!(refused(&mut lab, by(1)), ReservationRefusal::Unknown { reservation: id });
}

#[test]
fn a_kick_stops_the_session_and_the_slot_is_free_once_it_has_ended() {
    let mut lab = lab(1);
    let id = reserve(&mut lab, "anna", 1, 600).unwrap();
    let lease = open(&mut lab, id);
    let again = refused(&mut lab, ReservationCommand::Open { reservation: id });
    assert_eq!(again, ReservationRefusal::SessionOpen { reservation: id, run: lease.run });
    lab.step(Event::RunStarted { rack: RackId(1), claim: claim(&lease) });
    lab.pass(Span::seconds(100));
    assert!(is_reserved(&lab.slot(1)), "heartbeats renew the lease of a session");

    let waiting = lab.submit(job(slots([1]), [test(Mode::DutCoverage, 1)]));
    let actions = ask(&mut lab, "bert", ReservationCommand::Kick { reservation: id, reason: "maintenance".to_owned() });
    assert!(actions.contains(&Action::Stop { rack: RackId(1), run: lease.run, attempt: 1 }), "{actions:?}");
    assert!(matches!(lab.slot(1), SlotState::Reserved(view) if view.over && view.session == Some(lease.run)));
    assert!(matches!(&lab.why(waiting, 0)[..], [WaitReason::Reserved(view)] if view.over));
    let driven = why_busy(reserve(&mut lab, "bert", 1, 60).unwrap_err());
    assert!(matches!(driven, Obstacle::Reserved { over: true, .. }));

    let ended = lab.step(Event::RunEnded {
        rack: RackId(1),
        claim: claim(&lease),
        outcome: Outcome::Killed,
        unkillable: false,
    });
    assert!(matches!(news(&ended)[..], [ReservationAction::SessionEnded { .. }]));
    assert_eq!(lab.running().len(), 1, "the job has the slot in the same step");
}

#[test]
fn a_reservation_outlives_its_session_and_a_rack_that_is_lost_for_a_while() {
    let mut lab = lab(1);
    let id = reserve(&mut lab, "anna", 1, 600).unwrap();
    let first = open(&mut lab, id);
    lab.step(Event::RunStarted { rack: RackId(1), claim: claim(&first) });
    lab.pass(Span::seconds(1));
    lab.silent.insert(RackId(1));
    let free_at = lab.farm.config().lease.reusable_at(first.until + Span::seconds(1));
    lab.pass(free_at - lab.now - Span::seconds(2));
    let early = refused(&mut lab, ReservationCommand::Open { reservation: id });
    assert_eq!(early, ReservationRefusal::SessionOpen { reservation: id, run: first.run }, "it may still be driven");
    lab.pass(Span::seconds(3));
    let away = why_busy(refused(&mut lab, ReservationCommand::Open { reservation: id }));
    assert_eq!(away, Obstacle::NoRack);
    lab.silent.clear();
    lab.pass(Span::seconds(2));
    let second = open(&mut lab, id);
    assert!(second.run > first.run && second.targets[0].slot_epoch > first.targets[0].slot_epoch);

    let late = ReservationCommand::Close { reservation: id, session: first.run };
    assert_eq!(refused(&mut lab, late), ReservationRefusal::Unknown { reservation: id });
    let close = ask(&mut lab, "anna", ReservationCommand::Close { reservation: id, session: second.run });
    assert!(matches!(close[..], [Action::Stop { .. }]));
    // The rack has not taken it, and never will.
    lab.step(Event::NotStarted { rack: RackId(1), claim: claim(&second), reason: "stopped".to_owned() });
    assert!(matches!(lab.slot(1), SlotState::Reserved(view) if view.session.is_none() && !view.over));
}

//! Cases of the rack's half.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use headend_model::run::Incomplete;
use headend_model::{
    DutId, Epoch, JobId, Lease, LeaseTerms, LeasedTarget, Outcome, RackId, RunId, SlotId, Span, TestResult, Timestamp,
};

use super::{EndReport, Fence, FenceAction, FenceEvent, FenceRecord, Life, MOST_LIVES, StopReason, claim_of};

fn at(seconds: i64) -> Timestamp {
    Timestamp::EPOCH + Span::seconds(seconds)
}

fn lease(run: u64, slot: u32, epoch: u64) -> Lease {
    let target = LeasedTarget {
        slot: SlotId(slot),
        slot_epoch: Epoch(epoch),
        dut: DutId(u64::from(slot)),
        dut_epoch: Epoch(epoch),
    };
    Lease { job: JobId(1), run: RunId(run), attempt: 1, rack: RackId(1), targets: vec![target], until: at(0) }
}

fn pass() -> Outcome {
    Outcome::Done { result: TestResult::Pass, comment: String::new() }
}

fn fence() -> Fence {
    Fence::new(LeaseTerms::default())
}

fn started(actions: &[FenceAction]) -> bool {
    actions.iter().any(|action| matches!(action, FenceAction::Start(_)))
}

#[test]
fn the_epoch_is_written_before_the_start() {
    let lease = lease(1, 1, 1);
    let actions = fence().step(at(0), &FenceEvent::Offered(lease.clone()));
    assert_eq!(actions, [FenceAction::Write(FenceRecord::Starting(lease.clone())), FenceAction::Start(lease)]);
}

#[test]
fn an_offer_is_taken_once() {
    let mut fence = fence();
    let first = lease(1, 1, 1);
    assert!(started(&fence.step(at(0), &FenceEvent::Offered(first.clone()))));
    assert_eq!(fence.step(at(0), &FenceEvent::Offered(first.clone())), [], "while it runs");
    fence.step(at(1), &FenceEvent::Ended { run: RunId(1), outcome: pass(), unkillable: false });
    assert_eq!(fence.step(at(1), &FenceEvent::Offered(first.clone())), [], "while its end is not acknowledged");
    fence.step(at(2), &FenceEvent::Acknowledged { seq: 1 });
    let late = fence.step(at(2), &FenceEvent::Offered(first));
    assert!(
        matches!(&late[..], [FenceAction::Decline { reason, .. }] if reason.contains("epoch 1 of slot 1")),
        "{late:?}"
    );
    assert!(started(&fence.step(at(2), &FenceEvent::Offered(lease(2, 1, 2)))));
}

#[test]
fn an_offer_in_a_late_answer_starts_nothing() {
    let mut fence = fence();
    let offer = FenceEvent::OfferedIn { lease: lease(1, 1, 1), sent: at(0) };
    assert_eq!(fence.step(at(15), &offer), []);
    let offer = FenceEvent::OfferedIn { lease: lease(1, 1, 1), sent: at(10) };
    assert!(started(&fence.step(at(15), &offer)));
    assert_eq!(fence.next_deadline(), Some(LeaseTerms::default().rack_deadline(at(10))));
}

#[test]
fn the_lease_counts_from_sending_and_its_end_is_final() {
    let mut fence = fence();
    let taken = lease(1, 1, 1);
    let named = vec![claim_of(&taken).unwrap()];
    fence.step(at(0), &FenceEvent::Offered(taken));
    fence.step(at(9), &FenceEvent::Renewed { sent: at(5), held: named.clone() });
    assert_eq!(fence.may_drive(at(19), RunId(1), SlotId(1)), Some(Epoch(1)));
    assert_eq!(fence.may_drive(at(20), RunId(1), SlotId(1)), None);
    let late = fence.step(at(20), &FenceEvent::Renewed { sent: at(19), held: named });
    assert_eq!(late, [FenceAction::Stop { run: RunId(1), why: StopReason::LeaseExpired }]);
    assert_eq!(fence.may_drive(at(20), RunId(1), SlotId(1)), None);
    assert_eq!((fence.next_deadline(), fence.held().len()), (None, 1), "held until nothing of it is left");
}

#[test]
fn a_stopped_run_may_tidy_up_until_its_lease_ends() {
    let mut fence = fence();
    fence.step(at(0), &FenceEvent::Offered(lease(1, 1, 1)));
    let stop = [FenceAction::Stop { run: RunId(1), why: StopReason::Asked }];
    assert_eq!(fence.step(at(1), &FenceEvent::StopAsked { run: RunId(1) }), stop);
    assert_eq!(fence.step(at(2), &FenceEvent::StopAsked { run: RunId(1) }), []);
    assert_eq!(fence.may_drive(at(2), RunId(1), SlotId(1)), Some(Epoch(1)));
    assert_eq!(fence.step(at(16), &FenceEvent::Tick), [], "it is being stopped already");
    assert_eq!(fence.may_drive(at(16), RunId(1), SlotId(1)), None);
}

#[test]
fn a_slot_that_is_driven_takes_nothing_else() {
    let mut fence = fence();
    fence.step(at(0), &FenceEvent::Offered(lease(1, 1, 1)));
    assert_eq!(fence.step(at(0), &FenceEvent::Offered(lease(2, 1, 2))), []);
}

#[test]
fn a_new_life_reports_what_the_former_one_left_open() {
    let mut fence = fence();
    let ended = EndReport { seq: 4, claim: claim_of(&lease(1, 1, 1)).unwrap(), outcome: pass(), unkillable: false };
    let journal = vec![
        FenceRecord::Acknowledged(3),
        FenceRecord::Starting(lease(1, 1, 1)),
        FenceRecord::Starting(lease(2, 2, 5)),
        FenceRecord::Ended(ended.clone()),
    ];
    let lost = EndReport {
        seq: 5,
        claim: claim_of(&lease(2, 2, 5)).unwrap(),
        outcome: Outcome::Incomplete(Incomplete::RackLost),
        unkillable: false,
    };
    let actions = fence.step(at(0), &FenceEvent::Recovered(journal));
    assert_eq!(actions, [FenceAction::Write(FenceRecord::Ended(lost.clone()))]);
    assert_eq!(fence.unacknowledged(), [ended, lost]);
    assert!(fence.held().is_empty());
    assert_eq!(fence.seen().0, [(SlotId(1), Epoch(1)), (SlotId(2), Epoch(5))]);
}

#[test]
fn a_compacted_journal_has_the_same_future() {
    let mut fence = fence();
    for run in 1..=3 {
        fence.step(at(0), &FenceEvent::Offered(lease(run, run as u32, 7)));
    }
    fence.step(at(1), &FenceEvent::Ended { run: RunId(1), outcome: pass(), unkillable: false });
    fence.step(at(1), &FenceEvent::Acknowledged { seq: 1 });
    fence.step(at(1), &FenceEvent::Ended { run: RunId(2), outcome: pass(), unkillable: true });
    let mut again = Fence::new(LeaseTerms::default());
    again.step(at(2), &FenceEvent::Recovered(fence.compacted()));
    assert_eq!(again.seen(), fence.seen());
    assert_eq!(again.unacknowledged().iter().map(|report| report.seq).collect::<Vec<_>>(), [2, 3]);
    assert_eq!(again.unacknowledged()[0], fence.unacknowledged()[0]);
    assert_eq!(
        again.step(at(3), &FenceEvent::Acknowledged { seq: 99 }),
        [FenceAction::Write(FenceRecord::Acknowledged(3))]
    );
}

/// Another life with the same journal.
fn next_life(of: &Fence, incarnation: u64, home: u64) -> Fence {
    let mut next = fence();
    next.step(at(9), &FenceEvent::Recovered(of.compacted()));
    let life = Life { incarnation, home };
    assert_eq!(next.step(at(9), &FenceEvent::Began(life)), [FenceAction::Write(FenceRecord::Began(life))]);
    next
}

#[test]
fn a_journal_knows_its_former_lives() {
    assert!(fence().former_lives().is_empty());
    let first = next_life(&fence(), 11, 1);
    assert!(first.former_lives().is_empty());
    let second = next_life(&first, 12, 1);
    let third = next_life(&second, 13, 1);
    assert_eq!(third.former_lives(), [11, 12]);
    let copied = next_life(&third, 14, 2);
    assert!(copied.former_lives().is_empty(), "the daemon of the original may be alive");
    assert_eq!(next_life(&copied, 15, 2).former_lives(), [14]);
    let mut last = third;
    for life in 100..200 {
        last = next_life(&last, life, 1);
    }
    assert_eq!(last.former_lives().len(), MOST_LIVES - 1);
    assert_eq!(last.former_lives().last(), Some(&198));
}

fn declined(actions: &[FenceAction]) -> bool {
    actions.iter().any(|action| matches!(action, FenceAction::Decline { .. }))
}

#[test]
fn a_refused_lease_never_starts_in_this_life_or_the_next() {
    let mut fence = fence();
    let refused = lease(1, 1, 4);
    let actions = fence.step(at(0), &FenceEvent::RefuseAsked(refused.clone()));
    let [FenceAction::Write(record), FenceAction::Decline { claim, .. }] = &actions[..] else { panic!("{actions:?}") };
    assert_eq!(*claim, claim_of(&refused).unwrap());
    let late = fence.step(at(0), &FenceEvent::Offered(refused.clone()));
    assert!(declined(&late) && !started(&late), "{late:?}");
    // Said again because the answer was lost: told again, written once.
    let again = fence.step(at(1), &FenceEvent::RefuseAsked(refused.clone()));
    assert!(matches!(&again[..], [FenceAction::Decline { .. }]), "{again:?}");
    let mut next_life = self::fence();
    next_life.step(at(0), &FenceEvent::Recovered(vec![record.clone()]));
    assert!(!started(&next_life.step(at(0), &FenceEvent::Offered(refused))));
    assert!(started(&next_life.step(at(0), &FenceEvent::Offered(lease(2, 1, 5)))));
}

#[test]
fn a_run_that_was_taken_is_stopped_not_refused() {
    let mut fence = fence();
    let taken = lease(1, 1, 1);
    fence.step(at(0), &FenceEvent::Offered(taken.clone()));
    let stop = [FenceAction::Stop { run: RunId(1), why: StopReason::Asked }];
    assert_eq!(fence.step(at(1), &FenceEvent::RefuseAsked(taken.clone())), stop);
    fence.step(at(2), &FenceEvent::Ended { run: RunId(1), outcome: pass(), unkillable: false });
    assert_eq!(fence.step(at(2), &FenceEvent::RefuseAsked(taken)), [], "its end is on its way");
}

#[test]
fn what_the_journal_did_not_take_may_be_offered_again() {
    let mut fence = fence();
    fence.step(at(0), &FenceEvent::Offered(lease(1, 1, 3)));
    fence.step(at(0), &FenceEvent::NotWritten { run: RunId(1) });
    assert_eq!(fence.held(), []);
    assert!(started(&fence.step(at(1), &FenceEvent::Offered(lease(1, 1, 3)))));
}

#[test]
fn taking_back_does_not_bring_back_an_epoch_that_was_raised_since() {
    let mut fence = fence();
    fence.step(at(0), &FenceEvent::Offered(lease(1, 1, 3)));
    fence.step(at(0), &FenceEvent::RefuseAsked(lease(2, 1, 4)));
    fence.step(at(0), &FenceEvent::NotWritten { run: RunId(1) });
    assert!(!started(&fence.step(at(1), &FenceEvent::Offered(lease(2, 1, 4)))));
}

//! What owners use and devices go through, and queue policies of the second contract that are told of it.

use headend_model::{JobId, JobSpec, Mode, Priority, RunId, SlotId, Span, Timestamp, UserName};
use proptest::prelude::*;

use super::lab::slots;
use super::queue_policies::{found_of, mine, open_question, question, questions, wanted};
use super::{Lab, job, lab, test};
use crate::action::{AskRanks, OwnerUsage, RankedJob, RankedSlot};
use crate::view::QueueRank;
use crate::{Action, Event, Farm, FarmConfig};

fn user(name: &str) -> UserName {
    UserName::new(name).unwrap()
}

/// `tests` runs, one after another, on any of these slots.
fn work(owner: &str, on: impl IntoIterator<Item = u32>, tests: usize) -> JobSpec {
    JobSpec { owner: user(owner), ..job(slots(on), vec![test(Mode::DutCoverage, 1); tests]) }
}

fn answer(lab: &mut Lab, rank: impl Fn(&RankedJob) -> i64, slot: impl Fn(&RankedSlot) -> i64) -> Vec<Action> {
    let AskRanks { ask, jobs, slots, .. } = question(lab);
    let ranks = jobs.iter().map(|job| (job.job, rank(job))).collect();
    let slots = slots.iter().map(|at| (at.slot, slot(at))).collect();
    lab.step(Event::Ranked { ask, ranks, slots })
}

/// A lab under a policy of the second contract that is in force and has been asked about all there is.
fn followed(slots: u16) -> Lab {
    let mut lab = lab(slots);
    found_of(&mut lab, "v1", 2);
    wanted(&mut lab, Some(mine()));
    answer(&mut lab, |_| 0, |_| 0);
    lab
}

fn least_used(job: &RankedJob) -> i64 {
    job.usage.device_ms as i64
}

#[test]
fn devices_times_time_are_counted_while_a_run_goes_on_and_half_is_forgotten_in_a_day() {
    let mut lab = lab(3);
    lab.submit(JobSpec { owner: user("anna"), ..job(slots([1, 2, 3]), [test(Mode::SingleProcess, 2)]) });
    lab.pass(Span::seconds(10));
    let usage = lab.farm.usage(&user("anna"));
    assert_eq!((usage.running, usage.open_jobs), (1, 1));
    assert!((19_990..=20_000).contains(&usage.device_ms), "two devices for ten seconds: {usage:?}");
    lab.pass_run(RunId(1));
    let at_rest = lab.farm.usage(&user("anna"));
    assert_eq!((at_rest.running, at_rest.open_jobs), (0, 0));
    lab.now = lab.now + Span::seconds(86_400);
    lab.step(Event::Tick);
    let after = lab.farm.usage(&user("anna")).device_ms;
    assert!(after.abs_diff(at_rest.device_ms / 2) <= 1, "{after} of {at_rest:?}");
    assert_eq!(lab.farm.usage(&user("bert")), OwnerUsage::default());
}

#[test]
fn wear_goes_with_the_device() {
    let mut lab = lab(2);
    lab.submit(work("anna", [1], 2));
    lab.pass(Span::seconds(3));
    lab.pass_run(RunId(1));
    lab.pass(Span::seconds(4));
    lab.pass_run(RunId(2));
    let ended = lab.now;
    lab.place(101, Some(2));
    let wear = lab.farm.slot_wear(SlotId(2)).unwrap();
    assert_eq!((wear.starts, wear.device_ms, wear.last_used), (2, 7_000, Some(ended)));
    let empty = lab.farm.slot_wear(SlotId(1)).unwrap();
    assert_eq!((empty.dut, empty.starts, empty.last_used), (None, 0, None));
}

#[test]
fn snapshots_of_former_versions_are_read_and_what_they_hold_is_counted() {
    let mut lab = lab(2);
    lab.submit(work("anna", [1], 2));
    let mut old = serde_json::to_value(&lab.farm).unwrap();
    for field in ["usage", "wear"] {
        old.as_object_mut().unwrap().remove(field).unwrap();
    }
    lab.farm = serde_json::from_value::<Farm>(old).unwrap();
    lab.pass(Span::seconds(5));
    let usage = lab.farm.usage(&user("anna"));
    assert_eq!((usage.running, usage.open_jobs), (1, 1));
    assert!((3_900..=5_000).contains(&usage.device_ms), "from the first step on: {usage:?}");
}

#[test]
fn an_owner_is_asked_about_again_when_a_run_has_ended_and_at_most_once_a_second() {
    let mut lab = followed(1);
    lab.submit(work("anna", [1], 40));
    answer(&mut lab, least_used, |_| 0);
    let waits = lab.submit(work("bert", [1], 1));
    answer(&mut lab, least_used, |_| 0);
    lab.pass(Span::millis(1_500));
    while open_question(&lab).is_some() {
        answer(&mut lab, least_used, |_| 0);
    }
    let before = questions(&lab).len();
    for _ in 0..8 {
        lab.pass(Span::millis(50));
        let run = lab.run_on(1).unwrap();
        lab.pass_run(run);
        if open_question(&lab).is_some() {
            answer(&mut lab, least_used, |_| 0);
        }
    }
    let asked = &questions(&lab)[before..];
    let of = |name: &str| asked.iter().filter(|ask| ask.jobs.iter().any(|job| job.owner == user(name))).count();
    assert!(of("anna") <= 1, "at most once in 0.4 s: {}", of("anna"));
    assert!(asked.iter().all(|ask| ask.jobs.iter().all(|job| job.job != waits) || of("bert") <= 1));
}

#[test]
fn the_rank_of_the_last_answer_holds_until_the_next() {
    let mut lab = followed(1);
    let long = lab.submit(work("anna", [1], 3));
    answer(&mut lab, |_| 7, |_| 0);
    lab.pass(Span::seconds(2));
    let asked = open_question(&lab).expect("asked again: a run has started");
    assert_eq!(asked.jobs.iter().map(|job| (job.job, job.usage.running)).collect::<Vec<_>>(), [(long, 1)]);
    assert_eq!(lab.farm.queue_rank(long), Some(QueueRank::Plugin { policy: &mine(), rank: 7 }));
    answer(&mut lab, |_| 9, |_| 0);
    assert_eq!(lab.farm.queue_rank(long), Some(QueueRank::Plugin { policy: &mine(), rank: 9 }));
}

#[test]
fn a_policy_of_the_first_contract_is_asked_once_and_about_no_slot() {
    let mut lab = lab(2);
    found_of(&mut lab, "v1", 1);
    wanted(&mut lab, Some(mine()));
    lab.submit(work("anna", [1, 2], 9));
    answer(&mut lab, |_| 0, |_| 0);
    let before = questions(&lab).len();
    for _ in 0..5 {
        lab.pass(Span::seconds(20));
        lab.pass_run(lab.run_on(1).unwrap());
    }
    assert_eq!(questions(&lab).len(), before);
    assert!(questions(&lab).iter().all(|ask| ask.slots.is_empty()));
}

#[test]
fn who_has_open_jobs_is_asked_about_every_half_minute_and_nobody_else() {
    let mut lab = followed(1);
    lab.submit(work("anna", [1], 2));
    answer(&mut lab, least_used, |_| 0);
    lab.pass(Span::seconds(3));
    answer(&mut lab, least_used, |_| 0);
    let before = questions(&lab).len();
    for _ in 0..4 {
        lab.pass(Span::seconds(30));
        answer(&mut lab, least_used, |_| 0);
    }
    assert_eq!(questions(&lab).len() - before, 4);
    lab.pass_run(RunId(1));
    lab.pass(Span::seconds(2));
    while open_question(&lab).is_some() {
        answer(&mut lab, least_used, |_| 0);
        lab.pass(Span::seconds(2));
    }
    lab.pass_run(RunId(2));
    lab.pass(Span::seconds(2));
    if open_question(&lab).is_some() {
        answer(&mut lab, least_used, |_| 0);
    }
    let before = questions(&lab).len();
    lab.pass(Span::seconds(120));
    assert_eq!(questions(&lab).len(), before, "nothing waits");
}

/// Many owners, many jobs, a run that ends every few milliseconds: the questions stay within their rate.
#[test]
fn a_flood_of_changes_makes_no_storm_of_questions() {
    let mut lab = followed(4);
    for n in 0..300 {
        lab.submit(work(&format!("user{}", n % 30), 1..=4, 1_000));
        if open_question(&lab).is_some() {
            answer(&mut lab, least_used, |_| 0);
        }
    }
    while open_question(&lab).is_some() {
        answer(&mut lab, least_used, |_| 0);
    }
    let (from, mut step) = (lab.log.len(), 0);
    let start = lab.now;
    while lab.now.since(start) < Span::seconds(3) {
        lab.pass(Span::millis(5));
        step += 1;
        if let Some(run) = lab.run_on(1 + step % 4) {
            lab.pass_run(run);
        }
        if open_question(&lab).is_some() {
            answer(&mut lab, least_used, |job| job.device_ms as i64);
        }
    }
    let asks = lab.log[from..].iter().filter_map(|action| {
        if let Action::AskRanks(ask) = action { Some((ask.jobs.len(), ask.slots.len())) } else { None }
    });
    let asks: Vec<_> = asks.collect();
    let (jobs, slots) = asks.iter().fold((0, 0), |sum, ask| (sum.0 + ask.0, sum.1 + ask.1));
    assert!(asks.len() <= 36, "ten a second: {}", asks.len());
    assert!((300..=1_200).contains(&jobs), "each owner's at most once a second, and they do have their turn: {jobs}");
    assert!(slots <= 16, "each of four once a second: {slots}");
}

#[test]
fn of_several_free_slots_those_with_smaller_ranks_are_taken_first() {
    let mut lab = followed(4);
    let by_number = |slot: &RankedSlot| -i64::from(slot.slot.0);
    // They are asked about again at the latest a second after they have come into force.
    lab.pass(Span::seconds(2));
    lab.submit(work("anna", [1], 1));
    answer(&mut lab, |_| 0, by_number);
    lab.pass_run(RunId(1));
    lab.pass(Span::seconds(2));
    assert_eq!(question(&lab).slots.iter().map(|slot| slot.slot.0).collect::<Vec<_>>(), [1], "a run on it has ended");
    answer(&mut lab, |_| 0, by_number);
    set_slot_ranks(&mut lab);
    lab.submit(work("anna", [1, 2, 3, 4], 3));
    assert_eq!(lab.running().iter().map(|(.., slot)| *slot).collect::<Vec<_>>(), [4, 3, 2]);
    let (first, second, third) = (lab.run_on(4).unwrap(), lab.run_on(3).unwrap(), lab.run_on(2).unwrap());
    for run in [first, second, third] {
        lab.pass_run(run);
    }
    lab.submit(JobSpec { owner: user("anna"), ..job(slots([1, 2, 3, 4]), [test(Mode::SingleProcess, 2)]) });
    let held: Vec<u32> = lab
        .farm
        .open_jobs()
        .flat_map(|job| job.running)
        .flat_map(|run| run.lease.targets.clone())
        .map(|at| at.slot.0)
        .collect();
    assert_eq!(held, [3, 4], "the least ranked, in the order of the job's targets");

    wanted(&mut lab, None);
    lab.submit(work("anna", [1, 2], 1));
    assert!(lab.run_on(1).is_some(), "the core's own rule goes by the order of the slots");
}

/// Another content: all slots are asked about.
fn set_slot_ranks(lab: &mut Lab) {
    found_of(lab, "v2", 2);
    answer(lab, |_| 0, |slot| -i64::from(slot.slot.0));
    lab.pass(Span::seconds(2));
    while open_question(lab).is_some() {
        answer(lab, |_| 0, |slot| -i64::from(slot.slot.0));
    }
}

#[test]
fn with_other_parameters_all_jobs_and_slots_are_ranked_again() {
    let mut lab = followed(2);
    lab.submit(work("anna", [1], 2));
    lab.submit(work("bert", [1], 1));
    lab.pass(Span::seconds(2));
    while open_question(&lab).is_some() {
        answer(&mut lab, |_| 5, |_| 5);
    }
    // A person has set them: the content is the same.
    found_of(&mut lab, "v1", 2);
    assert!(open_question(&lab).is_none());
    lab.step(Event::PolicyLoaded { policy: mine() });
    assert_eq!(question(&lab).jobs.len(), 2);
    answer(&mut lab, |_| 7, |_| 7);
    lab.pass(Span::seconds(2));
    let mut slots: Vec<u32> = Vec::new();
    while open_question(&lab).is_some() {
        slots.extend(question(&lab).slots.iter().map(|slot| slot.slot.0));
        answer(&mut lab, |_| 7, |_| 7);
    }
    slots.sort_unstable();
    slots.dedup();
    assert_eq!(slots, [1, 2]);
}

#[test]
fn an_answer_that_leaves_a_slot_out_is_a_failure() {
    let mut lab = lab(2);
    lab.submit(work("anna", [1], 1));
    found_of(&mut lab, "v1", 2);
    wanted(&mut lab, Some(mine()));
    answer(&mut lab, |_| 0, |_| 0);
    let AskRanks { ask, jobs, slots, .. } = question(&lab);
    assert_eq!(slots.len(), 2);
    let ranks = jobs.iter().map(|job| (job.job, 0)).collect();
    let actions = lab.step(Event::Ranked { ask, ranks, slots: vec![(SlotId(2), 1)] });
    let struck =
        |action: &Action| matches!(action, Action::PolicyStruck { reason, .. } if reason == "gave no rank to slot 1");
    assert!(actions.iter().any(struck), "{actions:?}");
}

/// Two users who both want all slots for ever, runs of random lengths: what they have used differs by no more than what was under way
/// when the ranks were last asked for.
fn share(slots_of: u16, weights: (u64, u64), lengths: &[u32], half_life: Span) -> Result<(), TestCaseError> {
    let config = FarmConfig { usage_half_life: half_life, ..FarmConfig::default() };
    let mut lab = Lab::with(config, &[slots_of]);
    found_of(&mut lab, "v1", 2);
    wanted(&mut lab, Some(mine()));
    let weight = |owner: &UserName| if owner.as_str() == "anna" { weights.0 } else { weights.1 };
    let rule = |job: &RankedJob| (job.usage.device_ms * 1_000 / weight(&job.owner)) as i64;
    let settle = |lab: &mut Lab| {
        while open_question(lab).is_some() {
            answer(lab, rule, |_| 0);
        }
    };
    // Anna comes first and has the lab for herself.
    let mut ends: Vec<(Timestamp, RunId)> = Vec::new();
    let (mut length, longest) = (lengths.iter().cycle(), Span::seconds(i64::from(*lengths.iter().max().unwrap())));
    for (owner, priority) in [("anna", 1), ("bert", 9)] {
        for _ in 0..2 {
            let spec = work(owner, 1..=u32::from(slots_of), 600);
            lab.submit(JobSpec { priority: Priority(priority), ..spec });
            settle(&mut lab);
        }
    }
    let start = lab.now;
    let (mut shared_since, mut worst): (Option<Timestamp>, i64) = (None, 0);
    while lab.now.since(start) < Span::seconds(400) {
        for (run, ..) in lab.running() {
            if !ends.iter().any(|(_, known)| known.0 == run) {
                ends.push((lab.now + Span::seconds(i64::from(*length.next().unwrap())), RunId(run)));
            }
        }
        ends.sort_unstable();
        let (at, run) = ends.remove(0);
        while lab.now < at {
            let rest = at.since(lab.now);
            lab.pass(rest.min(Span::millis(200)));
            settle(&mut lab);
        }
        lab.pass_run(run);
        settle(&mut lab);
        let used = |name: &str| lab.farm.usage(&user(name)).device_ms as i64;
        let apart = used("anna") / weights.0 as i64 - used("bert") / weights.1 as i64;
        // The lead of who came first is caught up with; from then on they stay close.
        if shared_since.is_none() && apart <= 0 {
            shared_since = Some(lab.now);
        }
        if shared_since.is_some() {
            worst = worst.max(apart.abs());
        }
    }
    prop_assert!(shared_since.is_some(), "bert never caught up");
    // Per weight: what all slots do in the longest run, and in the time by which the ranks of both may be old.
    let old = longest.min(Span::seconds(30)).as_millis() + 1_000;
    let bound = i64::from(slots_of) * (longest.as_millis() + 2 * old) / weights.0.min(weights.1) as i64;
    prop_assert!(worst <= bound, "{worst} ms apart, at most {bound} ms are promised");
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(6))]

    #[test]
    fn two_users_who_want_everything_share_it_by_their_weights(
        slots in 1..5u16,
        weights in prop_oneof![Just((1, 1)), Just((2, 1)), Just((1, 3))],
        lengths in prop::collection::vec(1..12u32, 1..9),
        half_life in prop_oneof![Just(600i64), Just(86_400)],
    ) {
        share(slots, weights, &lengths, Span::seconds(half_life))?;
    }
}

/// A newcomer with one job is served before the users who have filled the lab for hours.
#[test]
fn nobody_starves_beside_users_who_want_everything() {
    let mut lab = followed(2);
    for owner in ["anna", "bert"] {
        lab.submit(work(owner, [1, 2], 500));
        answer(&mut lab, least_used, |_| 0);
    }
    for _ in 0..50 {
        lab.pass(Span::seconds(2));
        while open_question(&lab).is_some() {
            answer(&mut lab, least_used, |_| 0);
        }
        lab.pass_run(lab.run_on(1).unwrap());
        lab.pass_run(lab.run_on(2).unwrap());
    }
    let late: JobId = lab.submit(JobSpec { priority: Priority(9), ..work("carl", [1, 2], 1) });
    while open_question(&lab).is_some() {
        answer(&mut lab, least_used, |_| 0);
    }
    lab.pass_run(lab.run_on(1).unwrap());
    assert_eq!(lab.lease(lab.run_on(1).unwrap()).job, late);
}

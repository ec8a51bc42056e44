#![allow(clippy::unwrap_used, reason = "tests")]

use headend_sdk::policy::{Target, Test};

use super::choose::{choose, greedy, length, worth};
use super::*;

fn past(seconds: u64, runs: u32, passed: u32) -> Option<History> {
    let p90_ms = seconds * 1_000;
    (runs > 0).then_some(History { runs, passed, last_code: 111, failures_in_a_row: 0, p50_ms: p90_ms / 2, p90_ms })
}

/// Tests of so many runs on targets.
fn plan(budget_s: u32, worth: &str, pasts: &[Option<History>], runs: u32, targets: u32) -> Plan {
    let test = |(ix, history): (u32, &Option<History>)| Test { ix, runs, name: format!("{ix}.py"), history: *history };
    Plan {
        parameters: format!(r#"{{"budget_s": {budget_s}, "measure": "p90", "unknown_s": 40, "worth": "{worth}"}}"#),
        accepted: 0,
        tests: (0..).zip(pasts).map(test).collect(),
        targets: (0..targets).map(|ix| Target { ix, place: None, dut: None }).collect(),
        outcomes: Vec::new(),
        past: Vec::new(),
    }
}

fn known(seconds: &[u64]) -> Vec<Option<History>> {
    seconds.iter().map(|seconds| past(*seconds, 9, 9)).collect()
}

/// Runs until nothing is left, each run as long as it is taken to last times `stretch` percent; starts in order, and what was left out.
fn play(policy: &mut TimeBudget, targets: u32, stretch: u64) -> (Vec<Placement>, Vec<Skip>) {
    let (mut starts, mut skips, mut now) = (Vec::new(), Vec::new(), 0);
    let mut ends: BTreeMap<TargetIx, (Instant, Placement)> = BTreeMap::new();
    loop {
        let free: Vec<TargetIx> = (0..targets).filter(|target| !ends.contains_key(target)).collect();
        let answer = policy.propose(now, &free);
        for of in &answer.start {
            policy.started(*of, now);
            let ms = policy.length(of.test) * stretch / 100;
            ends.insert(of.target, (now + i64::try_from(ms * 1_000).unwrap(), *of));
        }
        answer.skip.iter().for_each(|skip| policy.dropped(skip.test, skip.runs, now));
        let idle = answer.start.is_empty() && answer.skip.is_empty();
        starts.extend(answer.start);
        skips.extend(answer.skip);
        if idle {
            let Some((target, (at, of))) = ends.iter().min_by_key(|(_, (at, _))| *at).map(|(t, e)| (*t, *e)) else {
                break;
            };
            now = at;
            ends.remove(&target);
            policy.ended(of, 111, now);
        }
    }
    (starts, skips)
}

#[test]
fn as_many_runs_as_fit_and_the_others_are_named() {
    let mut policy = TimeBudget::build(&plan(100, "count", &known(&[60, 200, 30, 50, 20]), 1, 1)).unwrap();
    let (starts, skips) = play(&mut policy, 1, 100);
    assert_eq!(starts.iter().map(|of| of.test).collect::<Vec<_>>(), [4, 2, 3]);
    let reason =
        |takes: &str| format!("it takes {takes} s, and no device that it has not run on has so much left of 100 s");
    assert_eq!(skips[0], Skip { test: 1, runs: 1, reason: reason("200.0") });
    assert_eq!(skips[1], Skip { test: 0, runs: 1, reason: reason("60.0") });
    let report: serde_json::Value = serde_json::from_str(&policy.report()).unwrap();
    assert_eq!(report["devices"], serde_json::json!([{"target": 0, "runs": 3, "spent_ms": 100_000}]));
    assert_eq!((&report["left_out"][0]["name"], &report["choice_per_device"]), (&"1.py".into(), &"exact".into()));
}

#[test]
fn what_fails_often_is_worth_more_and_unknown_tests_last_as_long_as_is_said() {
    let pasts = [past(50, 8, 8), past(60, 8, 0), None, past(100, 1, 0)];
    let mut policy = TimeBudget::build(&plan(100, "failures", &pasts, 1, 1)).unwrap();
    assert_eq!(
        policy.items.values().map(|item| (item.ms / 1_000, item.worth)).collect::<Vec<_>>(),
        [(50, 10), (60, 90), (40, 50), (100, 67)]
    );
    let tests: Vec<TestIx> = play(&mut policy, 1, 100).0.iter().map(|of| of.test).collect();
    assert_eq!(tests, [1, 2]);
}

#[test]
fn time_that_is_saved_is_used_and_time_that_is_lost_is_not_borrowed() {
    let started = |stretch| {
        let mut policy = TimeBudget::build(&plan(100, "count", &known(&[40, 40, 40, 40]), 1, 1)).unwrap();
        play(&mut policy, 1, stretch).0.len()
    };
    assert_eq!((started(100), started(50), started(160)), (2, 4, 1));
}

#[test]
fn runs_for_a_busy_device_are_left_out_rather_than_breaking_the_budget() {
    let mut policy = TimeBudget::build(&plan(100, "count", &known(&[90, 80]), 1, 2)).unwrap();
    let of = policy.propose(0, &[0]).start[0];
    policy.started(of, 0);
    policy.ended(of, 111, 90_000_000);
    let skip = policy.propose(90_000_000, &[0]).skip;
    assert_eq!(skip.len(), 1);
    assert!(skip[0].reason.ends_with("left for it are not free (target 1)"), "{}", skip[0].reason);
}

fn numbers(mut seed: u64) -> impl FnMut(u64) -> u64 {
    move |below| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) % below
    }
}

/// The most that any choice can be worth, device by device and test by test.
fn best(items: &[Item], left: &mut Vec<u64>) -> u64 {
    let Some((first, rest)) = items.split_first() else { return 0 };
    let mut most = best(rest, left);
    for device in 0..left.len() {
        if first.ms <= left[device] {
            left[device] -= first.ms;
            most = most.max(u64::from(first.worth) + best(rest, left));
            left[device] += first.ms;
        }
    }
    most
}

fn random_items(number: &mut impl FnMut(u64) -> u64, count: u32) -> Vec<Item> {
    (0..count).map(|test| Item { test, ms: 1 + number(50), worth: u8::try_from(1 + number(100)).unwrap() }).collect()
}

#[test]
fn one_device_has_the_best_set_and_the_quick_choice_is_worth_half_of_it() {
    let mut number = numbers(1);
    for _ in 0..200 {
        let (mut items, time) = (random_items(&mut number, 9), 60 + number(60));
        let most = best(&items, &mut vec![time]);
        let exact = choose(items.clone(), time, true);
        assert!(length(&exact) <= time);
        assert_eq!(worth(&exact), most, "{items:?} in {time}");
        items.sort_by_key(Item::density);
        let quick = greedy(&items, time);
        assert!(length(&quick) <= time && 2 * worth(&quick) >= most, "{items:?} in {time}");
    }
}

#[test]
fn several_devices_run_at_least_half_of_what_is_possible() {
    let mut number = numbers(2);
    for _ in 0..60 {
        let pasts: Vec<_> = (0..7).map(|_| past(1 + number(50), 9, u32::try_from(number(10)).unwrap())).collect();
        let mut policy = TimeBudget::build(&plan(60, "failures", &pasts, 1, 2)).unwrap();
        let items: Vec<Item> = policy.items.values().copied().collect();
        let most = best(&items, &mut vec![60_000; 2]);
        let (starts, _) = play(&mut policy, 2, 100);
        let ours: u64 = starts.iter().map(|of| u64::from(policy.items[&of.test].worth)).sum();
        assert!(2 * ours >= most, "{ours} of {most}");
        assert!(policy.devices.values().all(|device| device.spent_ms <= 60_000));
    }
}

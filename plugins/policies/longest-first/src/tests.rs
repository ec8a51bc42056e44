#![allow(clippy::unwrap_used, reason = "tests")]

use headend_sdk::policy::{History, Target};

use super::*;

fn plan(parameters: &str, lengths_ms: &[Option<u64>], runs: u32, targets: u32) -> Plan {
    let history = |ms: u64| History {
        runs: 3,
        passed: 3,
        last_code: 111,
        failures_in_a_row: 0,
        p50_ms: ms,
        p90_ms: 100_000 - ms,
    };
    let tests = (0..).zip(lengths_ms);
    Plan {
        parameters: parameters.to_owned(),
        accepted: 0,
        tests: tests.map(|(ix, ms)| Test { ix, runs, name: String::new(), history: ms.map(history) }).collect(),
        targets: (0..targets).map(|ix| Target { ix, place: None, dut: None }).collect(),
        outcomes: Vec::new(),
        past: Vec::new(),
    }
}

const DEFAULTS: &str = r#"{"measure": "p50", "unknown": "first"}"#;

/// What one device runs, one after the other.
fn order(parameters: &str, lengths_ms: &[Option<u64>]) -> Vec<TestIx> {
    let mut policy = LongestFirst::build(&plan(parameters, lengths_ms, 1, 1)).unwrap();
    let mut order = Vec::new();
    while let Some(placement) = policy.propose(0, &[0]).pop() {
        policy.started(placement, 0);
        order.push(placement.test);
    }
    order
}

#[test]
fn longest_first_in_list_order_among_equals_unknown_ones_where_asked() {
    let lengths = [Some(5), None, Some(70), Some(5), Some(900)];
    assert_eq!(order(DEFAULTS, &lengths), [1, 4, 2, 0, 3]);
    assert_eq!(order(r#"{"measure": "p50", "unknown": "last"}"#, &lengths), [4, 2, 0, 3, 1]);
    assert_eq!(order(r#"{"measure": "p90", "unknown": "last"}"#, &lengths), [0, 3, 2, 4, 1]);
}

#[test]
fn reasons_name_the_length() {
    let policy = LongestFirst::build(&plan(DEFAULTS, &[Some(61_250), None], 1, 1)).unwrap();
    let reason = |test| policy.reason(Placement { test, target: 0 });
    assert_eq!(reason(0), "test 0 takes longest (61.2 s so far) of those that target 0 has not run");
    assert!(reason(1).starts_with("nobody knows how long test 1 takes"));
}

/// When the last run ends, if all runs take as long as they did: the device that is free first asks first.
fn makespan(lengths_ms: &[u64], devices: u32) -> u64 {
    let known: Vec<_> = lengths_ms.iter().copied().map(Some).collect();
    let mut policy = LongestFirst::build(&plan(DEFAULTS, &known, 1, devices)).unwrap();
    let mut free_at = vec![0u64; devices as usize];
    for _ in lengths_ms {
        let (target, at) = (0u32..).zip(&mut free_at).min_by_key(|(_, at)| **at).unwrap();
        let placement = policy.propose(0, &[target])[0];
        policy.started(placement, 0);
        *at += lengths_ms[placement.test as usize];
    }
    free_at.into_iter().max().unwrap()
}

/// The best that any order could do.
fn best(lengths_ms: &[u64], loads: &mut Vec<u64>) -> u64 {
    let Some((first, rest)) = lengths_ms.split_first() else { return loads.iter().copied().max().unwrap() };
    (0..loads.len())
        .map(|device| {
            loads[device] += first;
            let found = best(rest, loads);
            loads[device] -= first;
            found
        })
        .min()
        .unwrap()
}

#[test]
fn a_job_ends_within_four_thirds_of_the_best_order() {
    let mut seed = 1u64;
    let mut number = || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        1 + (seed >> 33) % 60
    };
    for round in 0..60u32 {
        let devices = 2 + round % 2;
        let lengths: Vec<u64> = (0..7).map(|_| number()).collect();
        let (ours, best) = (makespan(&lengths, devices), best(&lengths, &mut vec![0; devices as usize]));
        let m = u64::from(devices);
        assert!(3 * m * ours <= (4 * m - 1) * best, "{lengths:?} on {m}: {ours} for {best}");
    }
    assert_eq!(makespan(&[50, 40, 30, 30, 30], 2), 100);
    assert_eq!(best(&[50, 40, 30, 30, 30], &mut vec![0; 2]), 90);
}

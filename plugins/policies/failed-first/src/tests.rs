#![allow(clippy::unwrap_used, reason = "tests")]

use headend_sdk::policy::{Target, Test};

use super::*;

const DEFAULTS: &str = r#"{"within_days": 30, "follow": true}"#;
/// When the job is accepted.
const TODAY: Instant = 1_000 * MICROS_PER_DAY;

/// Runs of the script so far (0: none), how many passed, and how many in a row did not.
fn past(runs: u32, passed: u32, failures_in_a_row: u32) -> Option<History> {
    let last_code = if failures_in_a_row > 0 { 100 } else { 111 };
    (runs > 0).then_some(History { runs, passed, last_code, failures_in_a_row, p50_ms: 1_000, p90_ms: 2_000 })
}

/// `outcomes`: test, target, code, days before the job.
fn plan(tests: Vec<(u32, Option<History>)>, targets: u32, outcomes: &[(u32, u32, u16, i64)]) -> Plan {
    let test = |(ix, (runs, history))| Test { ix, runs, name: String::new(), history };
    let outcome = |(test, target, code, days): &(u32, u32, u16, i64)| Outcome {
        of: Placement { test: *test, target: *target },
        code: *code,
        at: TODAY - days * MICROS_PER_DAY,
    };
    Plan {
        parameters: DEFAULTS.to_owned(),
        accepted: TODAY,
        tests: (0..).zip(tests).map(test).collect(),
        targets: (0..targets).map(|ix| Target { ix, place: None, dut: None }).collect(),
        outcomes: outcomes.iter().map(outcome).collect(),
        past: Vec::new(),
    }
}

fn propose(policy: &mut FailedFirst, free: &[TargetIx]) -> Vec<(TestIx, TargetIx)> {
    let mut answer: Vec<_> = policy.propose(TODAY, free).iter().map(|of| (of.test, of.target)).collect();
    answer.sort_by_key(|(_, target)| *target);
    answer
}

/// What one device runs, one after the other, when all pass.
fn order(policy: &mut FailedFirst, target: TargetIx) -> Vec<TestIx> {
    let mut order = Vec::new();
    while let Some(placement) = policy.propose(TODAY, &[target]).pop() {
        policy.started(placement, TODAY);
        policy.ended(placement, 111, TODAY);
        order.push(placement.test);
    }
    order
}

#[test]
fn the_past_of_the_scripts_orders_what_has_not_failed_here() {
    let pasts = [past(9, 9, 0), past(0, 0, 0), past(9, 6, 0), past(9, 1, 2), past(9, 2, 5), past(4, 4, 0)];
    let tests = pasts.into_iter().map(|history| (1, history)).collect();
    let mut policy = FailedFirst::build(&plan(tests, 1, &[])).unwrap();
    assert_eq!(policy.reason(Placement { test: 4, target: 0 }), "test 4 failed the last 5 times");
    assert_eq!(order(&mut policy, 0), [4, 3, 1, 2, 0, 5]);
}

#[test]
fn a_failure_is_repeated_where_it_happened_the_latest_first_and_old_ones_count_no_more() {
    let tests = vec![(2, past(9, 9, 0)); 4];
    let outcomes = [(3, 0, 100, 5), (2, 0, 101, 1), (1, 0, 100, 31), (0, 0, 110, 1), (0, 1, 100, 2)];
    let mut policy = FailedFirst::build(&plan(tests, 2, &outcomes)).unwrap();
    assert_eq!(propose(&mut policy, &[0, 1]), [(2, 0), (0, 1)]);
    assert_eq!(policy.reason(Placement { test: 2, target: 0 }), "test 2 failed on target 0 when it last ran there");
    assert_eq!(order(&mut policy, 0), [2, 3, 0, 1], "then list order: all passed when they last ran");
}

#[test]
fn the_last_run_is_kept_for_the_device_where_it_failed_unless_another_would_be_idle() {
    let one_run = || vec![(1, past(9, 1, 3)), (1, past(9, 9, 0))];
    let build = || FailedFirst::build(&plan(one_run(), 3, &[(0, 2, 100, 1)])).unwrap();
    assert_eq!(propose(&mut build(), &[0, 1, 2]), [(1, 0), (0, 2)]);
    assert_eq!(propose(&mut build(), &[0]), [(1, 0)], "target 2 is busy: its run waits for it");
    assert_eq!(propose(&mut build(), &[0, 1]), [(1, 0), (0, 1)], "nothing else is left for target 1");
    let mut policy = build();
    policy.target_lost(2, TODAY);
    assert_eq!(propose(&mut policy, &[0, 1]), [(0, 0), (1, 1)], "nobody waits for a device that is gone");
}

#[test]
fn a_fresh_failure_is_followed_on_the_next_device_until_it_passes() {
    let tests = || vec![(3, past(9, 9, 0)); 3];
    let end = |policy: &mut FailedFirst, target, code| {
        let of = Placement { test: 2, target };
        policy.started(of, TODAY);
        policy.ended(of, code, TODAY);
    };
    let mut policy = FailedFirst::build(&plan(tests(), 3, &[])).unwrap();
    end(&mut policy, 0, 100);
    assert_eq!(propose(&mut policy, &[1]), [(2, 1)]);
    assert!(policy.reason(Placement { test: 2, target: 1 }).starts_with("test 2 has just failed in this job"));
    end(&mut policy, 1, 111);
    assert_eq!(propose(&mut policy, &[2]), [(0, 2)]);

    let mut policy = FailedFirst::build(&plan(tests(), 3, &[])).unwrap();
    end(&mut policy, 0, 1);
    assert_eq!(propose(&mut policy, &[1]), [(0, 1)], "stopped by a person, perhaps");
    let quiet = Plan { parameters: r#"{"within_days": 30, "follow": false}"#.into(), ..plan(tests(), 3, &[]) };
    let mut policy = FailedFirst::build(&quiet).unwrap();
    end(&mut policy, 0, 100);
    assert_eq!(propose(&mut policy, &[1]), [(0, 1)]);
}

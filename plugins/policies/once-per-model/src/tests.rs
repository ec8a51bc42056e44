#![allow(clippy::unwrap_used, reason = "tests")]

use headend_sdk::policy::{Dut, Target, Test};

use super::*;

fn plan(unknown: &str, runs: &[u32], models: &[&str]) -> Plan {
    let dut = |ix: u32, model: &str| Dut { id: u64::from(ix), model: model.to_owned(), fields: Vec::new() };
    let target = |(ix, model): (u32, &&str)| Target { ix, place: None, dut: Some(dut(ix, model)) };
    let test = |(ix, runs): (u32, &u32)| Test { ix, runs: *runs, name: format!("{ix}.py"), history: None };
    Plan {
        parameters: format!(r#"{{"unknown_model": "{unknown}"}}"#),
        accepted: 0,
        tests: (0..).zip(runs).map(test).collect(),
        targets: (0..).zip(models).map(target).collect(),
        outcomes: Vec::new(),
        past: Vec::new(),
    }
}

fn policy(runs: &[u32], models: &[&str]) -> OncePerModel {
    OncePerModel::build(&plan("apart", runs, models)).unwrap()
}

fn starts(answer: &Answer) -> Vec<(TestIx, TargetIx)> {
    answer.start.iter().map(|of| (of.test, of.target)).collect()
}

/// Takes the answer as it is, and tells the skips.
fn take(policy: &mut OncePerModel, free: &[TargetIx]) -> Answer {
    let answer = policy.propose(0, free);
    answer.start.iter().for_each(|of| policy.started(*of, 0));
    answer.skip.iter().for_each(|skip| policy.dropped(skip.test, skip.runs, 0));
    answer
}

fn end(policy: &mut OncePerModel, test: TestIx, target: TargetIx, code: u16) {
    policy.ended(Placement { test, target }, code, 0);
}

#[test]
fn each_model_once_and_the_rest_is_left_out_with_its_reason() {
    let mut policy = policy(&[4], &["A", "A", "B", "A"]);
    assert_eq!(starts(&take(&mut policy, &[0, 1, 2, 3])), [(0, 0), (0, 2)]);
    assert_eq!(take(&mut policy, &[1, 3]), Answer { start: vec![], skip: vec![] }, "the run on A may come to nothing");
    end(&mut policy, 0, 0, 100);
    let answer = take(&mut policy, &[0, 1, 3]);
    let reason = "test 0 has run on 1 of 2 models, `A` on target 0 among them; of the others too few devices are left";
    assert_eq!(answer.skip, [Skip { test: 0, runs: 2, reason: reason.into() }]);
    end(&mut policy, 0, 2, 111);
    let report: serde_json::Value = serde_json::from_str(&policy.report()).unwrap();
    let rows = serde_json::json!([{"test": 0, "name": "0.py", "on": [0, 2]}]);
    assert_eq!((&report["tests"], &report["missed"]), (&rows, &serde_json::json!([])));
    assert_eq!((&report["wanted"], &report["done"], &report["runs_dropped"]), (&2.into(), &2.into(), &2.into()));
}

#[test]
fn a_run_without_a_result_is_made_up_for_on_another_device_of_the_model() {
    let mut policy = policy(&[3], &["A", "A", "A"]);
    assert_eq!(starts(&take(&mut policy, &[0])), [(0, 0)]);
    end(&mut policy, 0, 0, 1);
    assert_eq!(starts(&take(&mut policy, &[0, 1])), [(0, 1)]);
    policy.target_lost(2, 0);
    assert_eq!(take(&mut policy, &[0]).skip[0].runs, 1, "no other device is left, whatever comes of this one");
    end(&mut policy, 0, 1, 101);
    let report: serde_json::Value = serde_json::from_str(&policy.report()).unwrap();
    assert_eq!(report["missed"][0]["why"], "its runs on this model came to no result");
}

#[test]
fn unknown_models_are_apart_or_together() {
    let count = |unknown: &str| {
        let mut policy = OncePerModel::build(&plan(unknown, &[3], &["", "", "A"])).unwrap();
        take(&mut policy, &[0, 1, 2]).start.len()
    };
    assert_eq!((count("apart"), count("together")), (3, 2));
}

#[test]
fn while_nothing_runs_one_run_that_can_be_spared_marks_time() {
    // Target 2 is busy elsewhere; test 1 has a run to spare, test 0 has not.
    let mut policy = policy(&[2, 3], &["A", "A", "B", "B"]);
    for test in [0, 1] {
        policy.started(Placement { test, target: 0 }, 0);
        end(&mut policy, test, 0, 111);
    }
    assert_eq!(starts(&take(&mut policy, &[0, 1])), [(1, 1)]);
    assert_eq!(starts(&take(&mut policy, &[0])), [], "one is enough");
    let of = Placement { test: 1, target: 1 };
    assert!(policy.reason(of).starts_with("nothing else runs"), "{}", policy.reason(of));
}

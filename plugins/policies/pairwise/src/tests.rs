#![allow(clippy::unwrap_used, reason = "tests")]

use headend_sdk::policy::{Dut, Field, Target, Test};
use serde_json::{Value, json};

use super::*;

const NAMES: [&str; 3] = ["ModelName", "HardwareVersion", "Broadcaster"];

/// Tests with so many runs on devices with these fields; an empty one is not filled in.
fn plan(fields: &[&str], runs: &[u32], devices: &[[&str; 3]]) -> Plan {
    let field = |(name, value): (&str, &str)| Field { name: name.to_owned(), value: value.to_owned() };
    let dut = |id: u32, values: &[&str; 3]| Dut {
        id: u64::from(id),
        model: values[0].to_owned(),
        fields: NAMES.into_iter().zip(*values).filter(|(_, value)| !value.is_empty()).map(field).collect(),
    };
    let test = |(ix, runs): (u32, &u32)| Test { ix, runs: *runs, name: format!("{ix}.py"), history: None };
    Plan {
        parameters: json!({ "fields": fields }).to_string(),
        accepted: 0,
        tests: (0..).zip(runs).map(test).collect(),
        targets: (0..)
            .zip(devices)
            .map(|(ix, values)| Target { ix, place: None, dut: Some(dut(ix, values)) })
            .collect(),
        outcomes: Vec::new(),
        past: Vec::new(),
    }
}

type Taken = (Vec<(TestIx, TargetIx)>, Vec<(TestIx, u32)>);

/// Takes the answer as it is, and tells the skips.
fn take(policy: &mut Pairwise, free: &[TargetIx]) -> Taken {
    let answer = policy.propose(0, free);
    answer.start.iter().for_each(|of| policy.started(*of, 0));
    answer.skip.iter().for_each(|skip| policy.dropped(skip.test, skip.runs, 0));
    let start = answer.start.iter().map(|of| (of.test, of.target)).collect();
    (start, answer.skip.iter().map(|skip| (skip.test, skip.runs)).collect())
}

fn end(policy: &mut Pairwise, test: TestIx, target: TargetIx, code: u16) {
    policy.ended(Placement { test, target }, code, 0);
}

fn certificate(policy: &mut Pairwise) -> Value {
    serde_json::from_str(&policy.report()).unwrap()
}

#[test]
fn redundant_runs_wait_for_the_others_and_are_left_out_when_these_came_to_a_result() {
    let devices = [["A", "1", ""], ["A", "1", ""], ["B", "2", ""], ["A", "2", ""]];
    let mut policy = Pairwise::build(&plan(&NAMES[..2], &[4], &devices)).unwrap();
    // A1 and B2 show all values; A2 shows a pair of values that is new.
    assert_eq!(take(&mut policy, &[0, 1, 2, 3]).0, [(0, 0), (0, 2), (0, 3)]);
    assert_eq!(take(&mut policy, &[1]), (vec![], vec![]), "the run on target 0 may come to nothing");
    end(&mut policy, 0, 2, 111);
    end(&mut policy, 0, 3, 110);
    end(&mut policy, 0, 0, 100);
    assert_eq!(take(&mut policy, &[0, 1, 2, 3]), (vec![], vec![(0, 1)]));
    let certificate = certificate(&mut policy);
    assert_eq!(certificate["test_pairs"], json!({"all": 4, "covered": 4}));
    assert_eq!(certificate["value_pairs"], json!({"all": 3, "covered": 3}));
    assert_eq!(certificate["not_covered"], json!([]));
    assert_eq!((&certificate["runs_dropped"], &certificate["tests"][0]["on"]), (&json!(1), &json!([[3, 2], [0, 2]])));
}

#[test]
fn few_runs_go_where_they_show_most_even_if_that_device_is_busy() {
    let devices = [["A", "1", "x"], ["A", "1", "y"], ["B", "2", "y"]];
    let mut policy = Pairwise::build(&plan(&NAMES, &[2, 1], &devices)).unwrap();
    // Two runs of test 0 are just enough: on 0 and 2. Test 1 shows what it can.
    let (start, _) = take(&mut policy, &[0, 1]);
    assert!(start.contains(&(0, 0)), "{start:?}");
    assert!(!start.contains(&(0, 1)), "{start:?}");
    end(&mut policy, 0, 0, 111);
    assert!(take(&mut policy, &[2]).0.contains(&(0, 2)));
}

#[test]
fn what_is_not_covered_is_said_with_its_reason() {
    let devices = [["A", "", ""], ["B", "", ""], ["C", "", ""], ["D", "", ""]];
    let mut policy = Pairwise::build(&plan(&NAMES[..1], &[2], &devices)).unwrap();
    policy.target_lost(3, 0);
    assert_eq!(take(&mut policy, &[0, 1, 2]).0, [(0, 0), (0, 1)]);
    end(&mut policy, 0, 0, 111);
    end(&mut policy, 0, 1, 1);
    let missed = json!([
        {"test": 0, "values": [["ModelName", "B"]], "why": "its runs came to no result"},
        {"test": 0, "values": [["ModelName", "C"]], "why": "no run was left for it"},
        {"test": 0, "values": [["ModelName", "D"]], "why": "all devices that show it are out"},
    ]);
    assert_eq!(certificate(&mut policy)["not_covered"], missed);
}

#[test]
fn a_field_that_no_device_has_and_a_plan_that_is_too_large_are_declined() {
    let build = |plan: &Plan| Pairwise::build(plan).err().unwrap();
    let error = build(&plan(&["Colour"], &[1], &[["A", "1", ""]]));
    assert_eq!(error, "no device of this job has a field `Colour`; they have `HardwareVersion`, `ModelName`");
    let error = build(&plan(&[], &[1], &[["A", "", ""]]));
    assert_eq!(error, "the parameter `fields` names no field; the devices of this job have `ModelName`");
    let names: Vec<String> = (0..401).map(|n| n.to_string()).collect();
    let devices: Vec<[&str; 3]> = names.iter().map(|name| [name.as_str(), "", ""]).collect();
    assert!(build(&plan(&NAMES[..1], &[1; 250], &devices)).contains("too many to choose from"));
}

#[test]
fn a_certificate_that_would_be_too_long_says_what_it_leaves_off() {
    let names: Vec<String> = (0..70).map(|n| n.to_string()).collect();
    let devices: Vec<[&str; 3]> = names.iter().map(|name| [name.as_str(), "", ""]).collect();
    let mut policy = Pairwise::build(&plan(&NAMES[..1], &[1; 70], &devices)).unwrap();
    let text = policy.report();
    assert!(text.len() <= 256 * 1024);
    let certificate: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(certificate["left_off"], json!(["tests", "values", "not_covered"]));
    assert_eq!(certificate["test_pairs"], json!({"all": 4_900, "covered": 0}));
}

#[test]
fn while_nothing_runs_one_run_that_can_be_spared_marks_time() {
    let devices = [["A", "", ""], ["A", "", ""], ["B", "", ""]];
    let mut policy = Pairwise::build(&plan(&NAMES[..1], &[2], &devices)).unwrap();
    assert_eq!(take(&mut policy, &[0]).0, [(0, 0)]);
    end(&mut policy, 0, 0, 111);
    // Only target 2 can add anything, and it is busy elsewhere.
    assert_eq!(policy.propose(0, &[1]).start, [Placement { test: 0, target: 1 }]);
    assert!(policy.reason(Placement { test: 0, target: 1 }).starts_with("nothing else runs"));
}

#[test]
fn the_example_of_the_page() {
    let one = |n: usize| ["", ["1", "2", "3"][n % 3], ["X", "Y"][n % 2]];
    let devices: Vec<[&str; 3]> = (0..12).map(one).collect();
    let mut policy = Pairwise::build(&plan(&NAMES[1..], &[12; 50], &devices)).unwrap();
    let (free, mut runs, mut dropped) = ((0..12).collect::<Vec<_>>(), 0, 0);
    loop {
        let (start, skip) = take(&mut policy, &free);
        if start.is_empty() && skip.is_empty() {
            break;
        }
        runs += start.len();
        dropped += skip.iter().map(|(_, runs)| *runs as usize).sum::<usize>();
        for (test, target) in start {
            end(&mut policy, test, target, 111);
        }
    }
    assert_eq!(runs + dropped, 600);
    assert_eq!(runs, 150);
    assert_eq!(certificate(&mut policy)["not_covered"], json!([]));
}

//! Which test runs where, and in which order (document 4.6).

use std::collections::{BTreeMap, BTreeSet};

use headend_integration::client::{request, slots, test};
use headend_integration::{Lab, witness};
use headend_wire::api::{JobDetail, ModeRef, TestRequest};

use super::scripts;

fn moded(script: &str, mode: ModeRef) -> TestRequest {
    TestRequest { mode, ..test(script) }
}

async fn run_three_tests(lab: &Lab, mode: ModeRef) -> JobDetail {
    let pass = scripts::PASS.as_bytes();
    lab.client.upload("public", &[("a.rhai", pass), ("b.rhai", pass), ("c.rhai", pass)]).await;
    let tests = ["a.rhai", "b.rhai", "c.rhai"].map(|script| moded(script, mode.clone()));
    let job = lab.client.submit(&request("three", &slots("rack1", 1..=lab.slots), tests)).await.job;
    lab.client.finished(job).await
}

/// Tests by slot, in the order of their starts.
fn by_slot(detail: &JobDetail) -> BTreeMap<u16, Vec<u32>> {
    let mut runs: Vec<_> = detail.run_list.iter().collect();
    runs.sort_by_key(|run| run.started.clone());
    let mut order: BTreeMap<u16, Vec<u32>> = BTreeMap::new();
    for run in runs {
        for place in &run.slots {
            order.entry(place.slot).or_default().push(run.test);
        }
    }
    order
}

fn all_passed(detail: &JobDetail) {
    let bad: Vec<_> = detail.run_list.iter().filter(|run| run.result != 111).collect();
    assert!(bad.is_empty(), "not passed: {bad:#?}");
    assert_eq!(detail.item.status, 2, "{}", detail.item.status_text);
}

#[tokio::test]
async fn dut_coverage_runs_the_list_in_order_on_each_box() {
    let lab = Lab::start(3).await;
    let detail = run_three_tests(&lab, ModeRef::Number(1)).await;
    all_passed(&detail);
    assert_eq!(by_slot(&detail), (1..=3).map(|slot| (slot, vec![0, 1, 2])).collect());
    witness::judge(&witness::read(&lab.witness()));
}

#[tokio::test]
async fn test_coverage_starts_every_test_before_any_starts_again() {
    let lab = Lab::start(3).await;
    let detail = run_three_tests(&lab, ModeRef::Number(2)).await;
    all_passed(&detail);
    let mut runs: Vec<_> = detail.run_list.iter().collect();
    runs.sort_by_key(|run| (run.started.clone(), run.run));
    let first: BTreeSet<u32> = runs.iter().take(3).map(|run| run.test).collect();
    assert_eq!(first.len(), 3, "the first three starts are three different tests");
    assert!(by_slot(&detail).values().all(|tests| tests.iter().collect::<BTreeSet<_>>().len() == 3));
}

#[tokio::test]
async fn a_single_process_test_gets_all_its_slots_at_once() {
    let lab = Lab::start(2).await;
    let script = r#"
        connect("any", "gang");
        reserve_slot(7);
        reserve_slot(9);
        let places = allocations();
        result(if places.slots.len() == 2 { PASS } else { FAIL });
    "#;
    lab.client.upload("public", &[("gang.rhai", script.as_bytes())]).await;
    let gang = moded("gang.rhai", ModeRef::Number(0));
    let job = lab.client.submit(&request("gang", &slots("rack1", 1..=2), [gang])).await.job;
    let detail = lab.client.finished(job).await;
    all_passed(&detail);
    assert_eq!(detail.run_list.len(), 1);
    assert_eq!(detail.run_list[0].slots.len(), 2);
}

#[tokio::test]
async fn more_slots_than_given_are_reported_as_incomplete() {
    let lab = Lab::start(2).await;
    lab.client.upload("public", &[("a.rhai", scripts::PASS.as_bytes())]).await;
    let four = TestRequest { slots_needed: Some(4), ..test("a.rhai") };
    let answer = lab.client.submit(&request("surplus", &slots("rack1", 1..=2), [four])).await;
    assert_eq!(answer.warnings.iter().map(|w| w.code.as_str()).collect::<Vec<_>>(), ["surplus_slots"]);
    let detail = lab.client.finished(answer.job).await;
    let mut results: Vec<u16> = detail.run_list.iter().map(|run| run.result).collect();
    results.sort_unstable();
    assert_eq!(results, [1, 1, 111, 111]);
}

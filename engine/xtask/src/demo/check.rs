//! What must hold of the demo's jobs. Each check gives what is wrong, naming the run.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::report::Job;

const PASS: u64 = 111;

/// Every test ran once on every box and passed.
pub(crate) fn results(job: &Job, tests: usize, boxes: u16) -> Vec<String> {
    let mut faults = Vec::new();
    if job.status != "completed" {
        faults.push(format!("the job is {}, not completed", job.status));
    }
    for run in job.runs.iter().filter(|run| run.result != PASS) {
        faults.push(format!(
            "run {} (test {}, box {}) gave {}: {}",
            run.id,
            run.test + 1,
            run.slot,
            run.result,
            run.comment
        ));
    }
    let mut seen = BTreeMap::new();
    for run in job.starts() {
        *seen.entry((run.test, run.slot)).or_insert(0) += 1;
    }
    for (test, slot) in (0..tests).flat_map(|test| (1..=boxes).map(move |slot| (test, slot))) {
        match seen.get(&(test, slot)) {
            Some(1) => {}
            None => faults.push(format!("test {} has no run on box {slot}", test + 1)),
            Some(n) => faults.push(format!("test {} ran {n} times on box {slot}", test + 1)),
        }
    }
    faults
}

/// A free box took the least-started test that it had not had.
pub(crate) fn test_coverage(job: &Job) -> Vec<String> {
    let tests: BTreeSet<usize> = job.runs.iter().map(|run| run.test).collect();
    let mut count: BTreeMap<usize, u32> = BTreeMap::new();
    let mut had: BTreeSet<(u16, usize)> = BTreeSet::new();
    let mut faults = Vec::new();
    for run in job.starts() {
        let of = |test: usize| count.get(&test).copied().unwrap_or(0);
        let open = tests.iter().filter(|test| !had.contains(&(run.slot, **test)));
        if let Some(better) = open.min_by_key(|test| of(**test)).filter(|test| of(**test) < of(run.test)) {
            faults.push(format!(
                "run {} started test {} (started {} times) on box {}, where test {} (started {} times) was open",
                run.id,
                run.test + 1,
                of(run.test),
                run.slot,
                better + 1,
                of(*better)
            ));
        }
        *count.entry(run.test).or_insert(0) += 1;
        had.insert((run.slot, run.test));
    }
    faults
}

/// On each box the tests came in list order.
pub(crate) fn dut_coverage(job: &Job) -> Vec<String> {
    let mut last: BTreeMap<u16, usize> = BTreeMap::new();
    let mut faults = Vec::new();
    for run in job.starts() {
        if let Some(before) = last.insert(run.slot, run.test).filter(|before| *before > run.test) {
            faults.push(format!(
                "run {} started test {} on box {} after test {}",
                run.id,
                run.test + 1,
                run.slot,
                before + 1
            ));
        }
    }
    faults
}

/// The plugin chose every start: neither a rule of the core nor a fallback did.
pub(crate) fn chosen_by(why: &Value, policy: &str) -> Vec<String> {
    let started = why["started"].as_array().map(Vec::as_slice).unwrap_or_default();
    let text = |start: &Value| start["chosen_by"].as_str().unwrap_or_default().to_owned();
    let by_plugin = |start: &&Value| text(start).contains("plugin") && text(start).contains(policy);
    started
        .iter()
        .filter(|start| !by_plugin(start))
        .map(|start| format!("run {} was chosen by {}, not by the plugin {policy}", start["run"], text(start)))
        .collect()
}

/// Whatever waits of the job waits for that.
pub(crate) fn waits_for(why: &Value, code: &str) -> Vec<String> {
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let at = list(&why["waiting"]).iter().flat_map(|test| list(&test["at"])).collect::<Vec<_>>();
    match at.iter().find(|reason| reason["code"] != code) {
        None if at.is_empty() => vec![format!("nothing waits, though the slot is {code}")],
        None => Vec::new(),
        Some(other) => vec![format!("it waits because of {}, not {code}", other["code"])],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::report::Run;

    /// Starts as (test, box), in order; all passed.
    fn job(starts: &[(usize, u16)]) -> Job {
        let runs = starts.iter().zip(1..).map(|((test, slot), run)| Run::new(run, *test, *slot, PASS)).collect();
        Job { runs, status: "completed".to_owned() }
    }

    #[test]
    fn test_coverage_is_told_from_dut_coverage() {
        let by_test = job(&[(0, 1), (1, 2), (1, 1), (0, 2)]);
        let by_dut = job(&[(0, 1), (0, 2), (1, 1), (1, 2)]);
        assert_eq!((test_coverage(&by_test).len(), dut_coverage(&by_test).len()), (0, 1));
        assert_eq!((test_coverage(&by_dut).len(), dut_coverage(&by_dut).len()), (1, 0));
        assert!(test_coverage(&by_dut)[0].starts_with("run 2 started test 1 (started 1 times) on box 2"));
    }

    #[test]
    fn a_missing_a_doubled_and_a_failed_run_are_named() {
        let mut job = job(&[(0, 1), (0, 1), (1, 1)]);
        job.runs[2].result = 100;
        let faults = results(&job, 2, 2);
        for part in ["run 3 (test 2, box 1) gave 100", "test 1 ran 2 times on box 1", "test 1 has no run on box 2"] {
            assert!(faults.iter().any(|fault| fault.contains(part)), "{part} is not in {faults:?}");
        }
    }
}

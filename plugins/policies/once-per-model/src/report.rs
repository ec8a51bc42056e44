//! What came of it: per test the models that it has run on, where, and those that it has not, and why.

use serde::Serialize;

use super::OncePerModel;
use super::models::Model;
use headend_sdk::policy::{TargetIx, TestIx};

/// More is not kept by the server.
const MOST_BYTES: usize = 256 * 1024;

#[derive(Serialize)]
struct Report<'a> {
    models: &'a [String],
    /// Tests times models.
    wanted: usize,
    done: usize,
    /// Runs that were not started.
    runs_dropped: u64,
    missed: Vec<Missed<'a>>,
    /// Missing when the whole would be too long.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tests: Vec<Row<'a>>,
}

#[derive(Serialize)]
struct Row<'a> {
    test: TestIx,
    name: &'a str,
    /// Per model the target where the test came to a result.
    on: Vec<Option<TargetIx>>,
}

#[derive(Serialize)]
struct Missed<'a> {
    test: TestIx,
    model: &'a str,
    why: &'static str,
}

pub(crate) fn report(policy: &OncePerModel) -> String {
    let models = 0..policy.models.len();
    let on = |test: TestIx| models.clone().map(|model| policy.done.get(&(test, model)).copied()).collect();
    let tests: Vec<Row> =
        policy.books.tests().iter().map(|(test, name)| Row { test: *test, name, on: on(*test) }).collect();
    let pairs = policy.books.tests().iter().flat_map(|(test, _)| models.clone().map(|model| (*test, model)));
    let missed = pairs.filter(|pair| !policy.done.contains_key(pair)).map(|(test, model)| Missed {
        test,
        model: policy.models.name(model),
        why: why(policy, test, model),
    });
    let mut report = Report {
        models: policy.models.names(),
        wanted: policy.books.tests().len() * policy.models.len(),
        done: policy.done.len(),
        runs_dropped: policy.books.runs_dropped(),
        missed: missed.collect(),
        tests,
    };
    let whole = text(&report);
    if whole.len() <= MOST_BYTES {
        return whole;
    }
    report.tests.clear();
    let short = text(&report);
    if short.len() <= MOST_BYTES {
        return short;
    }
    report.missed.clear();
    text(&report)
}

fn text(report: &Report) -> String {
    serde_json::to_string(report).unwrap_or_default()
}

fn why(policy: &OncePerModel, test: TestIx, model: Model) -> &'static str {
    let of_model = || policy.models.targets().filter(|(_, of)| *of == model).map(|(target, _)| target);
    if of_model().any(|target| policy.books.was_on(test, target)) {
        "its runs on this model came to no result"
    } else if of_model().all(|target| policy.books.is_lost(target)) {
        "all devices of this model are out"
    } else {
        "the test had no run left for it"
    }
}

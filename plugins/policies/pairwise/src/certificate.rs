//! Which pairs were covered and by which run, which were not, and why.

use headend_sdk::policy::{Placement, TargetIx, TestIx};
use serde::Serialize;

use super::Pairwise;
use super::pairs::{Both, Value};

/// More is not kept by the server.
const MOST_BYTES: usize = 256 * 1024;

#[derive(Serialize)]
struct Certificate<'a> {
    fields: Vec<FieldRow<'a>>,
    /// Pairs of a test and a value.
    test_pairs: Count,
    /// Pairs of two values that a device shows together.
    value_pairs: Count,
    /// Runs that were not started.
    runs_dropped: u64,
    /// Lists that would make the whole too long for the server to keep.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    left_off: Vec<&'static str>,
    not_covered: Vec<Missed<'a>>,
    values: Vec<BothRow<'a>>,
    tests: Vec<TestRow<'a>>,
}

#[derive(Serialize)]
struct FieldRow<'a> {
    name: &'a str,
    values: &'a [String],
}

#[derive(Serialize)]
struct Count {
    all: usize,
    covered: usize,
}

#[derive(Serialize)]
struct TestRow<'a> {
    test: TestIx,
    name: &'a str,
    /// Per field, per value in the order of `fields`: the target that covered the pair.
    on: Vec<Vec<Option<TargetIx>>>,
}

#[derive(Serialize)]
struct BothRow<'a> {
    pair: [(&'a str, &'a str); 2],
    test: TestIx,
    target: TargetIx,
}

#[derive(Serialize)]
struct Missed<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    test: Option<TestIx>,
    /// Field and value; two of them for a pair of values.
    values: Vec<(&'a str, &'a str)>,
    why: &'static str,
}

pub(crate) fn text(policy: &Pairwise) -> String {
    let mut certificate = certificate(policy);
    for cut in [None, Some("tests"), Some("values"), Some("not_covered")] {
        match cut {
            Some("tests") => certificate.tests.clear(),
            Some("values") => certificate.values.clear(),
            Some(_) => certificate.not_covered.clear(),
            None => {}
        }
        certificate.left_off.extend(cut);
        let text = serde_json::to_string(&certificate).unwrap_or_default();
        if text.len() <= MOST_BYTES {
            return text;
        }
    }
    String::new()
}

fn certificate(policy: &Pairwise) -> Certificate<'_> {
    let Pairwise { devices, cover, .. } = policy;
    let tests = policy.books.tests();
    let all = devices.all_both();
    let missed_both = all.iter().filter(|both| !cover.both.contains_key(both)).map(|both| Missed {
        test: None,
        values: vec![named(policy, both.0), named(policy, both.1)],
        why: why(policy, None, &[both.0, both.1]),
    });
    Certificate {
        fields: devices.fields.iter().map(|field| FieldRow { name: &field.name, values: &field.values }).collect(),
        test_pairs: Count {
            all: tests.len() * devices.values(),
            covered: tests.iter().map(|(test, _)| cover.covered_of(*test)).sum(),
        },
        value_pairs: Count { all: all.len(), covered: cover.both.len() },
        runs_dropped: policy.books.runs_dropped(),
        left_off: Vec::new(),
        not_covered: tests.iter().flat_map(|(test, _)| missed(policy, *test)).chain(missed_both).collect(),
        values: cover.both.iter().map(|(both, of)| both_row(policy, *both, *of)).collect(),
        tests: tests.iter().map(|(test, name)| TestRow { test: *test, name, on: on(policy, *test) }).collect(),
    }
}

fn both_row(policy: &Pairwise, both: Both, of: Placement) -> BothRow<'_> {
    BothRow { pair: [named(policy, both.0), named(policy, both.1)], test: of.test, target: of.target }
}

fn on(policy: &Pairwise, test: TestIx) -> Vec<Vec<Option<TargetIx>>> {
    let own = policy.cover.own.get(&test);
    let by = |value: Value| own.and_then(|own| own.get(&value)).copied();
    let fields = policy.devices.fields.iter().enumerate();
    fields.map(|(field, row)| (0..row.values.len()).map(|value| by((field, value))).collect()).collect()
}

fn missed(policy: &Pairwise, test: TestIx) -> impl Iterator<Item = Missed<'_>> {
    let fields = policy.devices.fields.iter().enumerate();
    let values = fields.flat_map(|(field, row)| (0..row.values.len()).map(move |value| (field, value)));
    let own = policy.cover.own.get(&test);
    values.filter(move |value| !own.is_some_and(|own| own.contains_key(value))).map(move |value| Missed {
        test: Some(test),
        values: vec![named(policy, value)],
        why: why(policy, Some(test), &[value]),
    })
}

fn named(policy: &Pairwise, (field, value): Value) -> (&str, &str) {
    let field = policy.devices.fields.get(field);
    let value = field.and_then(|field| field.values.get(value));
    (field.map_or("", |field| &field.name), value.map_or("", String::as_str))
}

/// Why no run of the test (of any test) came to a result on a device that shows these values.
fn why(policy: &Pairwise, test: Option<TestIx>, values: &[Value]) -> &'static str {
    let shows = |kind: usize| values.iter().all(|value| policy.devices.shown(kind).contains(value));
    let targets = || policy.devices.targets().filter(|(_, kind)| shows(*kind)).map(|(target, _)| target);
    let was_there = |target: TargetIx| match test {
        Some(test) => policy.books.was_on(test, target),
        None => policy.books.tests().iter().any(|(test, _)| policy.books.was_on(*test, target)),
    };
    if targets().any(was_there) {
        "its runs came to no result"
    } else if targets().all(|target| policy.books.is_lost(target)) {
        "all devices that show it are out"
    } else {
        "no run was left for it"
    }
}

//! A project of one's own, from nothing to its passport, without a server.

use std::path::Path;

use serde_json::Value;

use crate::fake::{headend, show};

/// Runs `headend plugin ...` in a folder that is home, too.
fn plugin(folder: &Path, words: &[&str]) -> String {
    let words: Vec<&str> = std::iter::once("plugin").chain(words.iter().copied()).collect();
    show(&headend(&words).current_dir(folder).env("HOME", folder).output().unwrap())
}

#[test]
fn help() {
    let home = tempfile::tempdir().unwrap();
    insta::assert_snapshot!("plugin_new", plugin(home.path(), &["new", "--help"]));
    #[cfg(feature = "host")]
    insta::assert_snapshot!("plugin_check", plugin(home.path(), &["check", "--help"]));
}

#[test]
fn a_project_is_made_once_and_nothing_is_written_over() {
    let home = tempfile::tempdir().unwrap();
    let made = plugin(home.path(), &["new", "mine", "--kind", "script", "--lang", "rhai"]);
    assert!(made.starts_with("exit 0") && made.contains("mine holds test.rhai, README.md"), "{made}");
    let before = std::fs::read(home.path().join("mine/test.rhai")).unwrap();
    let again = plugin(home.path(), &["new", "mine", "--kind", "queue-policy", "--lang", "rhai"]);
    assert!(again.starts_with("exit 6") && again.contains("mine is there already"), "{again}");
    assert_eq!(std::fs::read(home.path().join("mine/test.rhai")).unwrap(), before);
    assert_eq!(std::fs::read_dir(home.path().join("mine")).unwrap().count(), 2);

    std::fs::create_dir(home.path().join("empty")).unwrap();
    let elsewhere = plugin(home.path(), &["new", "mine", "--kind", "script", "--lang", "rhai", "--dir", "empty"]);
    assert!(elsewhere.starts_with("exit 0"), "{elsewhere}");
    let bad = plugin(home.path(), &["new", "../mine", "--kind", "script", "--lang", "rhai"]);
    assert!(bad.starts_with("exit 2") && bad.contains("is no name for a plugin"), "{bad}");
}

#[test]
fn a_rust_project_names_the_sdk_or_says_that_there_is_none() {
    let home = tempfile::tempdir().unwrap();
    let made = plugin(home.path(), &["new", "my-own", "--kind", "coverage-policy", "--lang", "rust"]);
    assert!(made.starts_with("exit 0"), "{made}");
    let cargo: toml::Table =
        toml::from_str(&std::fs::read_to_string(home.path().join("my-own/Cargo.toml")).unwrap()).unwrap();
    let sdk = Path::new(cargo["dependencies"]["headend-sdk"]["path"].as_str().unwrap());
    assert!(sdk.is_absolute() && sdk.join("Cargo.toml").is_file(), "{}", sdk.display());
    let manifest = std::fs::read_to_string(home.path().join("my-own/headend-plugin.toml")).unwrap();
    assert!(manifest.contains("file = \"my_own.wasm\""), "{manifest}");

    let wrong = ["new", "other", "--kind", "coverage-policy", "--lang", "rust", "--sdk", "my-own"];
    let said = plugin(home.path(), &wrong);
    assert!(said.starts_with("exit 2") && said.contains("my-own is not the SDK"), "{said}");
    assert!(!home.path().join("other").exists());
}

/// The report of a plugin in Rhai: a new project with another source.
#[cfg(feature = "host")]
fn passport(kind: &str, source: Option<&str>) -> (String, Value) {
    let home = tempfile::tempdir().unwrap();
    let made = plugin(home.path(), &["new", "mine", "--kind", kind, "--lang", "rhai"]);
    assert!(made.starts_with("exit 0"), "{made}");
    let folder = home.path().join("mine");
    if let Some(source) = source {
        std::fs::write(folder.join("policy.rhai"), source).unwrap();
    }
    // The machine may be busy: how fast it is is not what is looked at here.
    let path = folder.join("headend-plugin.toml");
    let manifest = std::fs::read_to_string(&path).unwrap().replace("deadline_ms = 500", "deadline_ms = 1000");
    std::fs::write(&path, manifest).unwrap();
    let said = plugin(home.path(), &["check", "mine", "--load", "10", "--json"]);
    let json = said.split_once("--- out\n").unwrap().1.split("--- err").next().unwrap();
    (said.lines().next().unwrap().to_owned(), serde_json::from_str(json).unwrap_or_else(|_| panic!("{said}")))
}

#[cfg(feature = "host")]
fn failed(passport: &Value) -> Vec<&str> {
    let tests = passport["tests"].as_array().unwrap().iter();
    tests.filter(|test| test["how"] != "passed").map(|test| test["test"].as_str().unwrap()).collect()
}

#[cfg(feature = "host")]
#[test]
fn what_is_begun_here_is_sound() {
    for (kind, tests) in [
        ("coverage-policy", ["answers", "allowed", "repeatable", "restart", "load"]),
        ("queue-policy", ["answers", "repeatable", "company", "time", "load"]),
    ] {
        let (exit, passport) = passport(kind, None);
        let names: Vec<&str> =
            passport["tests"].as_array().unwrap().iter().map(|test| test["test"].as_str().unwrap()).collect();
        assert_eq!((exit.as_str(), names.as_slice()), ("exit 0", tests.as_slice()), "{passport:#}");
        assert_eq!((&passport["ok"], &passport["plugin"]["kind"]), (&Value::Bool(true), &Value::from(kind)));
        assert_eq!(passport["plugin"]["hash"].as_str().unwrap().len(), 64);
    }
}

#[cfg(feature = "host")]
#[test]
fn a_policy_that_forgets_what_ran_is_shown_on_a_small_plan() {
    // Sound on the two tests of the self-check: it offers a test to the first target only while nothing else has run there.
    let source = "fn propose(plan, free) {\n  let answer = [];\n  for test in plan.tests {\n    \
                  if test.ix > 1 && answer.is_empty() { answer.push([test.ix, free[0]]); }\n  }\n  answer\n}\n";
    let (exit, passport) = passport("coverage-policy", Some(source));
    assert_eq!(exit, "exit 1", "{passport:#}");
    let test = passport["tests"].as_array().unwrap().iter().find(|test| test["test"] == "allowed").unwrap();
    assert_eq!(test["how"], "failed", "{passport:#}");
    assert!(test["reason"].as_str().unwrap().starts_with("it proposed test 2 on target"), "{test:#}");
    assert!(test["input"]["tests"].as_array().unwrap().len() <= 7, "{test:#}");
}

#[cfg(feature = "host")]
#[test]
fn a_policy_that_counts_its_questions_does_not_survive_a_restart() {
    let source = "fn propose(plan, free) {\n  this.asked = (this.asked ?? 0) + 1;\n  if this.asked % 3 == 0 { return []; }\n  \
                  for target in plan.targets {\n    if target.ix != free[0] { continue; }\n    for test in plan.tests {\n      \
                  if test.left > 0 && !(test.ix in target.seen) { return [[test.ix, target.ix]]; }\n    }\n  }\n  []\n}\n";
    let (exit, passport) = passport("coverage-policy", Some(source));
    assert_eq!((exit.as_str(), failed(&passport)), ("exit 1", vec!["restart"]), "{passport:#}");
}

#[cfg(feature = "host")]
#[test]
fn a_queue_policy_is_told_from_its_answers_alone() {
    // There is nothing that it could remember by: only what it throws, or that it is too slow, can be wrong in Rhai.
    let source = "fn rank(job, parameters) { if job.running > 17 { throw \"too many\" } job.priority }";
    let (exit, passport) = passport("queue-policy", Some(source));
    assert_eq!((exit.as_str(), failed(&passport)), ("exit 1", vec!["answers"]), "{passport:#}");
    assert!(passport["tests"][0]["reason"].as_str().unwrap().contains("too many"), "{passport:#}");
}

#[cfg(feature = "host")]
#[test]
fn what_would_not_be_loaded_is_told_by_its_step() {
    let (exit, passport) = passport("coverage-policy", Some("fn propose(plan, free) { thro"));
    assert_eq!((exit.as_str(), &passport["ok"]), ("exit 2", &Value::Bool(false)));
    let failed = passport["steps"].as_array().unwrap().iter().find(|step| step["how"] == "failed").unwrap();
    assert_eq!(failed["step"], "compile", "{passport:#}");
    assert_eq!(passport["tests"].as_array().unwrap().len(), 0);
}

#[cfg(feature = "host")]
#[test]
fn editors_get_a_file_for_each_kind() {
    let home = tempfile::tempdir().unwrap();
    let said = plugin(home.path(), &["definitions", "--out", "defs"]);
    assert!(said.starts_with("exit 0"), "{said}");
    let read = |name: &str| std::fs::read_to_string(home.path().join("defs").join(name)).unwrap();
    let script = read("script.d.rhai");
    for call in ["fn press(", "fn reserve_slot(", "fn capture("] {
        assert!(script.contains(call), "{call} is missing in:\n{script}");
    }
    assert!(script.contains("fn press(key: string) -> bool;") && !script.contains("EvalAltResult"), "{script}");
    for name in ["coverage-policy.d.rhai", "queue-policy.d.rhai"] {
        let policy = read(name);
        assert!(policy.contains("fn push(") && !policy.contains("fn press("), "{name}: {policy}");
    }
}

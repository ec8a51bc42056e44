//! Versions that one can go back to, parameters, and what is left of a plugin after a restart.

use std::fs;

use headend_model::Timestamp;
use headend_plugin_host::lifecycle::{Former, LoadError};
use headend_plugin_host::policy::PluginInfo;
use serde_json::{Value, json};

use super::support::{Lab, at, free, name, plan};

const LONG: &str = "[limits]\ndeadline_ms = 30000";

/// Starts this test when three targets are free, and nothing otherwise.
fn starts(test: u32) -> String {
    format!("fn propose(plan, free) {{ if free.len() == 3 {{ [[{test}, free[0]]] }} else {{ [] }} }}")
}

fn write(lab: &Lab, test: u32, more: &str) -> std::path::PathBuf {
    lab.write("p", "p.rhai", starts(test).as_bytes(), more)
}

/// What a new instance starts.
fn asked(lab: &Lab) -> u32 {
    let mut instance = lab.host.instance(&name("p"), &plan(&[1, 1, 1, 1, 1, 1, 1], 3)).unwrap();
    instance.propose(Timestamp::EPOCH, &free(&[0, 1, 2])).unwrap().start[0].test.0
}

fn former(info: &PluginInfo, seen: &str) -> Former {
    Former {
        name: info.name.clone(),
        hash: info.hash.clone(),
        origin: info.origin.clone(),
        versions: info.versions.clone(),
        set: info.set.clone(),
        seen: Some(seen.to_owned()),
    }
}

#[test]
fn one_can_go_back_and_forth_between_the_versions_that_are_kept() {
    let lab = Lab::with(|config| config.keep = 3);
    let hashes: Vec<String> = (0..4).map(|test| lab.host.load(&write(&lab, test, LONG)).unwrap().hash).collect();
    let kept = |info: &PluginInfo| info.versions.iter().map(|kept| kept.hash.clone()).collect::<Vec<_>>();
    assert_eq!(kept(&lab.host.list()[0]), hashes[1..], "no more than three");
    let mut old = lab.host.instance(&name("p"), &plan(&[1, 1, 1, 1], 3)).unwrap();

    assert_eq!(lab.host.roll_back(&name("p"), None).unwrap().hash, hashes[2]);
    assert_eq!(asked(&lab), 2);
    assert_eq!(lab.host.roll_back(&name("p"), None).unwrap().hash, hashes[1]);
    let error = lab.host.roll_back(&name("p"), None).unwrap_err();
    assert!(matches!(&error, LoadError::NoSuchVersion { .. }), "{error}");
    assert!(error.to_string().contains(&hashes[3][..12]), "{error}");
    assert!(lab.host.roll_back(&name("p"), Some(&hashes[0])).is_err(), "too old");
    let info = lab.host.roll_back(&name("p"), Some(&hashes[3][..10])).unwrap();
    assert_eq!((info.hash.as_str(), kept(&info)), (hashes[3].as_str(), hashes[1..].to_vec()));
    let answer = old.propose(Timestamp::EPOCH, &free(&[0, 1, 2])).unwrap().start;
    assert_eq!(answer, [at(3, 0)], "who began with it keeps it");
}

#[test]
fn what_was_rolled_back_or_removed_does_not_come_back_by_itself() {
    let lab = Lab::new();
    let first = lab.host.load(&write(&lab, 0, LONG)).unwrap();
    let folder = write(&lab, 1, LONG);
    let second = lab.host.load(&folder).unwrap();
    lab.host.roll_back(&name("p"), None).unwrap();
    assert_eq!(lab.host.seen_at(&folder), lab.host.hash_at(&folder), "the watch finds nothing new there");
    assert_eq!(lab.host.reload(&name("p")).unwrap().hash, second.hash, "a person may say so");
    lab.host.remove(&name("p")).unwrap();
    assert_eq!(lab.host.seen_at(&folder), Some(second.hash));
    lab.host.load(&folder).unwrap();
    let error = lab.host.roll_back(&name("p"), Some(&first.hash)).unwrap_err();
    assert!(matches!(error, LoadError::NoSuchVersion { .. }), "its versions went with it");
}

#[test]
fn parameters_are_checked_kept_over_versions_and_shown() {
    const TAKES: &str = "[parameters]\ntype = \"object\"\nadditionalProperties = false\n\
                         properties.weight = { type = \"integer\", minimum = 1, default = 10 }\n\
                         [limits]\ndeadline_ms = 30000";
    let lab = Lab::new();
    let info = lab.host.load(&write(&lab, 0, TAKES)).unwrap();
    assert_eq!((&info.set, &info.parameters), (&Value::Null, &json!({"weight": 10})));
    let error = lab.host.set_parameters(&name("p"), json!({"weight": 0})).unwrap_err();
    assert!(matches!(&error, LoadError::Parameters { source, .. } if source.pointer == "/weight"), "{error}");
    let info = lab.host.set_parameters(&name("p"), json!({"weight": 3})).unwrap();
    assert_eq!((info.parameters, &info.hash), (json!({"weight": 3}), &lab.host.list()[0].hash));
    let info = lab.host.load(&write(&lab, 1, TAKES)).unwrap();
    assert_eq!(info.parameters, json!({"weight": 3}), "a new version gets them too");
    let error = lab.host.load(&write(&lab, 1, LONG)).unwrap_err();
    assert!(matches!(&error, LoadError::Parameters { .. }), "one that takes none does not: {error}");
    assert_eq!(lab.host.set_parameters(&name("p"), Value::Null).unwrap().parameters, json!({"weight": 10}));
    lab.host.load(&write(&lab, 1, LONG)).unwrap();
}

#[test]
fn after_a_restart_it_is_as_it_was_left() {
    let mut lab = Lab::new();
    let first = lab.host.load(&write(&lab, 0, LONG)).unwrap();
    let folder = write(&lab, 1, LONG);
    let second = lab.host.load(&folder).unwrap();
    let left = lab.host.roll_back(&name("p"), None).unwrap();
    lab.restart();
    let back = lab.host.restore(former(&left, &second.hash)).unwrap();
    assert_eq!((&back.hash, &back.versions, asked(&lab)), (&first.hash, &left.versions, 0));
    assert_eq!(lab.host.seen_at(&folder), Some(second.hash.clone()));
    let mut began = lab.host.instance_of(&name("p"), &plan(&[1, 1], 3), &second.hash).unwrap();
    assert_eq!(
        began.propose(Timestamp::EPOCH, &free(&[0, 1, 2])).unwrap().start,
        [at(1, 0)],
        "a job keeps its version"
    );
    assert_eq!(began.content(), second.hash);
    assert_eq!(lab.host.list()[0].older[0].hash, second.hash);
    let lost = lab.host.instance_of(&name("p"), &plan(&[1, 1], 3), &"0".repeat(64)).unwrap();
    assert_eq!(lost.content(), first.hash, "what is not kept any more gives way to what is in force");
}

#[test]
fn a_kept_version_that_was_changed_on_disk_is_not_loaded() {
    let mut lab = Lab::new();
    let left = lab.host.load(&write(&lab, 0, LONG)).unwrap();
    lab.restart();
    let kept = lab.home.path().join("cache.versions").join(&left.hash);
    fs::write(kept.join("p.rhai"), starts(1)).unwrap();
    let error = lab.host.restore(former(&left, &left.hash)).unwrap_err();
    assert!(matches!(&error, LoadError::NotKept { .. }), "{error}");
    fs::remove_dir_all(&kept).unwrap();
    assert!(lab.host.restore(former(&left, &left.hash)).is_err());
    assert_eq!(lab.host.list(), []);
}

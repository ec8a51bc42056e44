//! Reload, disable, quarantine and remove, while jobs are at work with what they began with.

use std::fs;

use headend_model::Timestamp;
use headend_plugin_host::PolicyFault;
use headend_plugin_host::lifecycle::{LoadError, Origin};
use headend_plugin_host::policy::PluginState;

use super::fixture::Fixture;
use super::support::{Lab, at, free, manifest, name, plan};

const LONG: &str = "[limits]\ndeadline_ms = 30000";

/// Proposes this pair when three targets are free, else nothing.
fn proposes(test: u32, target: u32) -> Vec<u8> {
    let propose = "(if (i32.ne (local.get $n) (i32.const 3)) (then
        (i32.store (i32.const 64) (i32.const 128)) (i32.store (i32.const 68) (i32.const 0)) (return (i32.const 64))))";
    Fixture { propose, answer: &[(test, target)], ..Fixture::default() }.wasm()
}

#[test]
fn a_reload_leaves_instances_at_work_with_their_version() {
    let lab = Lab::new();
    let first = lab.host.load(&lab.write("p", "p.wasm", &proposes(0, 0), LONG)).unwrap();
    let ask = || lab.host.instance(&name("p"), &plan(&[1, 1], 3)).unwrap();
    let all = free(&[0, 1, 2]);
    let mut old = ask();
    lab.write("p", "p.wasm", &proposes(1, 1), LONG);
    let second = lab.host.reload(&name("p")).unwrap();
    let mut new = ask();

    assert_ne!(first.hash, second.hash);
    assert_eq!(old.propose(Timestamp::EPOCH, &all).unwrap().start, [at(0, 0)]);
    assert_eq!(new.propose(Timestamp::EPOCH, &all).unwrap().start, [at(1, 1)]);
    assert_ne!(old.plugin_version(), new.plugin_version());
    let info = &lab.host.list()[0];
    assert_eq!((info.instances, info.older.len(), info.older[0].instances), (1, 1, 1));
    assert_eq!(info.older[0].hash, first.hash);

    drop(old);
    assert_eq!(lab.host.list()[0].older, [], "the old version goes with its last user");
}

#[test]
fn a_failed_reload_changes_nothing() {
    let lab = Lab::new();
    let before = lab.host.load(&lab.write("p", "p.wasm", &proposes(0, 0), LONG)).unwrap();
    lab.write("p", "p.wasm", b"half a mod", LONG);
    assert!(matches!(lab.host.reload(&name("p")), Err(LoadError::Compile { .. })));
    assert_eq!(lab.host.list(), [before]);
}

#[test]
fn a_name_belongs_to_its_folder() {
    let lab = Lab::new();
    let folder = lab.write("p", "p.wasm", &proposes(0, 0), LONG);
    lab.host.load(&folder).unwrap();
    let other = lab.write("q", "p.wasm", &proposes(0, 0), LONG);
    fs::write(other.join("headend-plugin.toml"), manifest("p", "p.wasm", LONG)).unwrap();
    assert!(
        matches!(lab.host.load(&other), Err(LoadError::NameTaken { taken, .. }) if taken == Origin::Path(folder.clone()))
    );
    fs::write(folder.join("headend-plugin.toml"), manifest("r", "p.wasm", LONG)).unwrap();
    assert!(matches!(lab.host.reload(&name("p")), Err(LoadError::Renamed { found, .. }) if found == "r"));
    assert!(matches!(lab.host.reload(&name("x")), Err(LoadError::NotLoaded(_))));
}

#[test]
fn what_is_switched_off_builds_no_more_instances() {
    let lab = Lab::new();
    let folder = lab.write("p", "p.wasm", &proposes(0, 0), LONG);
    lab.host.load(&folder).unwrap();
    let (p, plan) = (name("p"), plan(&[1], 3));
    let fault = |host: &headend_plugin_host::PolicyHost| host.instance(&p, &plan).err();
    let mut at_work = lab.host.instance(&p, &plan).unwrap();

    lab.host.disable(&p).unwrap();
    assert_eq!(fault(&lab.host), Some(PolicyFault::Disabled("p".into())));
    assert_eq!(lab.host.load(&folder).unwrap().state, PluginState::Disabled, "a reload does not overrule a person");
    assert_eq!(lab.host.enable(&p).unwrap().state, PluginState::Enabled);
    assert_eq!(fault(&lab.host), None);

    lab.host.quarantine(&p).unwrap();
    assert_eq!(fault(&lab.host), Some(PolicyFault::Quarantined("p".into())));
    assert_eq!(lab.host.reload(&p).unwrap().state, PluginState::Enabled, "loading it again ends a quarantine");

    lab.host.remove(&p).unwrap();
    assert_eq!(fault(&lab.host), Some(PolicyFault::Unknown("p".into())));
    assert!(lab.host.remove(&p).is_err() && lab.host.disable(&p).is_err());
    assert_eq!(at_work.propose(Timestamp::EPOCH, &free(&[0, 1, 2])).unwrap().start, [at(0, 0)]);
}

#[test]
fn instances_move_between_threads() {
    let lab = Lab::new();
    lab.host.load(&lab.write("p", "p.wasm", &proposes(0, 0), LONG)).unwrap();
    let mut instance = lab.host.instance(&name("p"), &plan(&[1], 3)).unwrap();
    let answer = std::thread::spawn(move || instance.propose(Timestamp::EPOCH, &free(&[0, 1, 2]))).join().unwrap();
    assert_eq!(answer.unwrap().start, [at(0, 0)]);
}

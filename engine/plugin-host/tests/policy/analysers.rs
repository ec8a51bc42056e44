//! Analysers in the care of the server's host: the same life as policies, and nobody asks them there.

use std::fs;
use std::path::PathBuf;

use headend_plugin_host::lifecycle::{Former, LoadError};
use headend_plugin_host::policy::PluginInfo;
use headend_plugin_host::{AnalyserHostConfig, Kind, PolicyFault, PolicyHost, PolicyHostConfig};
use serde_json::json;

use super::support::{Lab, name, plan};

/// Takes analysers, and is patient on a busy machine.
fn with_analysers(config: &mut PolicyHostConfig) {
    let mut analysers = AnalyserHostConfig::new(config.guest.clone(), &config.cache);
    analysers.most.deadline_ms = 60_000;
    config.analysers = Some(analysers);
}

fn eye(lab: &Lab, version: &str, sentence: &str, more: &str) -> PathBuf {
    let folder = lab.plugins().join("eye");
    fs::create_dir_all(&folder).unwrap();
    let manifest = format!(
        "name = \"eye\"\nversion = \"{version}\"\nkind = \"analyser\"\nworld = \"1.0.0\"\nfile = \"a.rhai\"\n{more}\n\
         [parameters]\ntype = \"object\"\nproperties.share = {{ type = \"number\", maximum = 1 }}\n"
    );
    fs::write(folder.join("headend-plugin.toml"), manifest).unwrap();
    let code = format!("fn feed(frame) {{ #{{ passed: true, sentence: \"{sentence}\" }} }}\n");
    fs::write(folder.join("a.rhai"), code).unwrap();
    folder
}

const LONG: &str = "limits.deadline_ms = 30000";

/// The code in force.
fn code(host: &PolicyHost) -> Option<String> {
    let served = host.analyser(&name("eye"), None).unwrap()?;
    Some(String::from_utf8(served.code).unwrap())
}

fn former(info: &PluginInfo) -> Former {
    Former {
        name: info.name.clone(),
        hash: info.hash.clone(),
        origin: info.origin.clone(),
        versions: info.versions.clone(),
        set: info.set.clone(),
        seen: None,
    }
}

#[test]
fn an_analyser_is_rolled_back_and_stays_so_over_a_restart() {
    let mut config = None;
    let lab = Lab::with(|of| {
        with_analysers(of);
        config = Some(of.clone());
    });
    let first = lab.host.load(&eye(&lab, "1.0.0", "one", LONG)).unwrap();
    let second = lab.host.load(&eye(&lab, "2.0.0", "two", LONG)).unwrap();
    assert_eq!((first.kind, second.versions.len()), (Kind::Analyser, 2));
    assert!(code(&lab.host).unwrap().contains("two"));
    lab.host.set_parameters(&name("eye"), json!({ "share": 0.5 })).unwrap();
    let back = lab.host.roll_back(&name("eye"), None).unwrap();
    assert_eq!((&back.hash, &back.set), (&first.hash, &json!({ "share": 0.5 })));

    let again = PolicyHost::new(config.unwrap()).unwrap();
    again.restore(former(&back)).unwrap();
    assert!(code(&again).unwrap().contains("one"), "whatever lies in its folder by now");
    let served = again.analyser(&name("eye"), Some(&first.hash)).unwrap().unwrap();
    assert!(served.code.is_empty() && served.manifest.is_empty(), "who has it needs no files");
    assert_eq!((served.set, served.version.as_str()), (json!({ "share": 0.5 }), "1.0.0"));
    assert_eq!(again.roll_back(&name("eye"), Some(&second.hash)).unwrap().hash, second.hash, "and forth");

    again.disable(&name("eye")).unwrap();
    assert!(matches!(again.analyser(&name("eye"), None), Err(LoadError::Disabled(_))));
    again.enable(&name("eye")).unwrap();
    again.remove(&name("eye")).unwrap();
    assert_eq!(code(&again), None);
}

#[test]
fn nobody_asks_an_analyser_for_an_order() {
    let lab = Lab::with(with_analysers);
    let info = lab.host.load(&eye(&lab, "1.0.0", "one", LONG)).unwrap();
    let wrong = |fault: Option<PolicyFault>| matches!(fault, Some(PolicyFault::WrongKind { is: "analyser", .. }));
    assert!(wrong(lab.host.instance(&name("eye"), &plan(&[1], 1)).err()));
    assert!(wrong(lab.host.queue(&name("eye")).err()));
    let error = lab.host.begin_trial(&name("eye"), &info.hash).unwrap_err();
    assert!(matches!(error, LoadError::NoPolicy { .. }), "{error}");
}

#[test]
fn a_name_is_not_handed_from_a_policy_to_an_analyser() {
    let lab = Lab::with(with_analysers);
    lab.rhai("eye", "fn propose(plan, free) { [] }", "[limits]\ndeadline_ms = 30000").unwrap();
    let error = lab.host.load(&eye(&lab, "1.0.0", "one", LONG)).unwrap_err();
    assert!(matches!(error, LoadError::OtherKind { .. }), "{error}");
    assert_eq!(error.step().as_str(), "switch");
    lab.host.remove(&name("eye")).unwrap();
    lab.host.load(&eye(&lab, "1.0.0", "one", LONG)).unwrap();
    let error = lab.rhai("eye", "fn propose(plan, free) { [] }", "[limits]\ndeadline_ms = 30000").unwrap_err();
    assert!(matches!(error, LoadError::OtherKind { .. }), "{error}");
}

#[test]
fn an_analyser_may_ask_for_more_than_a_policy_and_for_nothing_that_is_not_granted() {
    let lab = Lab::with(with_analysers);
    let much = "limits = { deadline_ms = 30000, memory_mib = 128 }";
    assert_eq!(lab.host.load(&eye(&lab, "1.0.0", "one", much)).unwrap().limits.memory_mib, 128);
    let policy = lab.rhai("p", "fn propose(plan, free) { [] }", "[limits]\nmemory_mib = 128").unwrap_err();
    assert!(policy.to_string().contains("allows 1 to 64"), "{policy}");
    let asks = format!("capabilities = [\"ocr\"]\n{LONG}");
    let error = lab.host.load(&eye(&lab, "2.0.0", "two", &asks)).unwrap_err();
    assert_eq!(error.step().as_str(), "capabilities", "{error}");
    assert!(error.to_string().contains("headend plugin grant eye ocr"), "{error}");
    assert!(code(&lab.host).unwrap().contains("one"), "nothing has changed");
}

#[test]
fn a_host_of_policies_alone_refuses_analysers_and_says_where_they_belong() {
    let lab = Lab::new();
    let error = lab.host.load(&eye(&lab, "1.0.0", "one", LONG)).unwrap_err();
    assert!(matches!(error, LoadError::Kind { kind: Kind::Analyser, .. }), "{error}");
    assert_eq!(lab.host.analyser(&name("eye"), None).unwrap(), None);
}

//! The steps of loading, and versions.

use headend_model::PolicyName;
use headend_plugin_host::analyser::drawn::{card, stream};
use headend_plugin_host::lifecycle::{LoadError, Step};
use headend_plugin_host::policy::PluginInfo;

use crate::support::Lab;

const SAYS: &str = "fn feed(frame) { #{ passed: true, sentence: \"one\" } }";

#[test]
fn each_step_has_its_own_error() {
    let lab = Lab::new();
    let step = |result: Result<PluginInfo, LoadError>| result.unwrap_err().step();
    assert_eq!(step(lab.rhai("a", "fn feed(frame { }", "")), Step::Compile);
    let typo = lab.rhai("a", "fn feed(frame) {\n  1 +\n}", "").unwrap_err();
    let typo = std::error::Error::source(&typo).unwrap().to_string();
    assert!(typo.ends_with("\n3 | }\n  | ^"), "the line and a caret: {typo}");
    let unknown = lab.rhai("a", "fn feed(frame) {\n  nosuch()\n}", "").unwrap_err().to_string();
    assert!(unknown.ends_with("\n2 |   nosuch()\n  |   ^"), "{unknown}");
    assert_eq!(step(lab.rhai("a", "fn other(frame) { }", "")), Step::Link);
    assert_eq!(step(lab.rhai("a", "fn feed(frame) { } feed(1)", "")), Step::Link);
    assert_eq!(step(lab.wat("a", "(component)", "")), Step::Link);
    assert_eq!(step(lab.host.load(&lab.write("a", "a.wasm", b"GIF89a", ""))), Step::Compile);
    assert_eq!(step(lab.rhai("a", SAYS, "capabilities = [\"lgo\"]")), Step::Manifest);
    let folder = lab.write("b", "a.rhai", SAYS.as_bytes(), "");
    let manifest = folder.join("headend-plugin.toml");
    let text = std::fs::read_to_string(&manifest).unwrap();
    std::fs::write(&manifest, text.replace("world = \"1.0.0\"", "world = \"2.0.0\"")).unwrap();
    assert_eq!(step(lab.host.load(&folder)), Step::World);
    std::fs::write(&manifest, text.replace("\"analyser\"", "\"queue-policy\"")).unwrap();
    let error = lab.host.load(&folder).unwrap_err();
    let expected =
        "is of kind queue-policy; only analyser is loaded here; `headend plugin install` gives it to the server";
    assert!(error.to_string().ends_with(expected), "{error}");
    assert!(lab.host.list().is_empty(), "nothing was switched");
}

#[test]
fn a_new_version_is_for_new_instances_and_can_be_taken_back() {
    let lab = Lab::new();
    let name = PolicyName::new("says").unwrap();
    lab.rhai("says", SAYS, "").unwrap();
    let frames = stream([card(64, 36, 0)]);
    let said = |instance: &mut Box<dyn headend_plugin_host::AnalyserInstance>| {
        instance.feed(&frames[0]).unwrap().unwrap().sentence
    };
    let mut old = lab.host.instance(&name, &[], "").unwrap();
    let info = lab.rhai("says", &SAYS.replace("one", "two"), "").unwrap();
    assert_eq!((info.versions.len(), info.older.len(), info.older[0].instances), (2, 1, 1));
    let mut new = lab.host.instance(&name, &[], "").unwrap();
    assert_eq!((said(&mut old), said(&mut new)), ("one".into(), "two".into()));
    lab.host.roll_back(&name, None).unwrap();
    assert_eq!(said(&mut lab.host.instance(&name, &[], "").unwrap()), "one");
    assert!(matches!(lab.host.roll_back(&name, None), Err(LoadError::NoSuchVersion { .. })));
    drop((old, new));
    assert_eq!(lab.host.list()[0].instances, 0);
    assert!(lab.host.remove(&name).is_some() && lab.host.list().is_empty());
}

#[test]
fn state_lives_as_long_as_the_stream_and_no_longer() {
    let lab = Lab::new();
    let count = "fn build(setup) { this.n = 0; } fn feed(frame) { this.n += 1; () }
        fn finish() { #{ passed: true, sentence: `${this.n} frames` } }";
    lab.rhai("count", count, "").unwrap();
    for length in [0, 3, 1] {
        let verdicts = lab.verdicts("count", "", &[], &stream(vec![card(64, 36, 0); length])).unwrap();
        assert_eq!(verdicts[0].sentence, format!("{length} frames"));
    }
}

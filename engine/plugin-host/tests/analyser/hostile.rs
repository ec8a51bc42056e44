//! Analysers that loop, hoard, flood, lie: each is stopped, named, and leaves nothing behind.

use headend_plugin_host::AnalyserFault;
use headend_plugin_host::analyser::drawn::{card, stream};
use headend_plugin_host::lifecycle::LoadError;

use crate::support::Lab;

/// Behaves while it is checked (its frames are 64 pixels wide, or 1), and then does that.
fn fault(body: &str, limits: &str) -> AnalyserFault {
    let lab = Lab::new();
    let source = format!("fn feed(frame) {{ if frame.width <= 64 {{ return (); }} {body} }}");
    lab.rhai("bad", &source, &format!("[limits]\n{limits}")).unwrap();
    lab.verdicts("bad", "", &[], &stream([card(128, 72, 0)])).unwrap_err()
}

#[test]
fn loops_and_floods_end_at_their_budget() {
    let endless = fault("loop {}", "deadline_ms = 200");
    // Whichever limit of the two comes first.
    assert!(matches!(&endless, AnalyserFault::Deadline { .. } | AnalyserFault::Failed { .. }), "{endless}");
    let flood = fault("loop { frame.picture; }", "deadline_ms = 30000\nhost_calls = 50");
    assert_eq!(flood, AnalyserFault::HostCalls { plugin: "bad 1.0.0".into(), call: "feed", most: 50 });
    let slow = "loop { frame.picture.scale(4000, 4000); }";
    let slow = fault(slow, "deadline_ms = 300\nhost_calls = 100000");
    assert!(matches!(&slow, AnalyserFault::Deadline { call: "feed", .. }), "{slow}");
}

#[test]
fn what_is_hoarded_is_refused_or_ends_it() {
    let hoard = "this.all = []; loop { this.all.push(frame.picture.scale(2000, 2000)); }";
    let hoard = fault(hoard, "deadline_ms = 30000\nhost_calls = 1000");
    assert!(hoard.to_string().contains("at most 256 handles and 64 MiB"), "{hoard}");
    let strings = "let s = \"0123456789\"; loop { s += s; }";
    assert!(matches!(fault(strings, "deadline_ms = 30000"), AnalyserFault::Failed { .. }));
}

#[test]
fn verdicts_that_no_program_could_read_are_refused() {
    for (answer, words) in [
        ("5", "neither () nor a map"),
        ("#{ passed: 1, sentence: \"\" }", "`passed` is not true or false"),
        ("#{ passed: true }", "`sentence` is not a string"),
        ("#{ passed: true, sentence: \"\", score: 7 }", "a score is 0.0 to 1.0"),
        ("#{ passed: true, sentence: \"\", colour: 7 }", "has `colour`; known are"),
        ("#{ passed: true, sentence: \"\", area: [1, 2] }", "is no part of a picture"),
        ("#{ passed: true, sentence: \"\", overlay: [7] }", "an overlay that is no array of"),
        ("throw \"no\"", "no"),
    ] {
        let fault = fault(answer, "deadline_ms = 30000");
        assert!(
            matches!(fault, AnalyserFault::Failed { .. }) && fault.to_string().contains(words),
            "{answer}: {fault}"
        );
    }
}

#[test]
fn an_instance_that_failed_answers_nothing_but_its_fault() {
    let lab = Lab::new();
    lab.rhai("bad", "fn feed(frame) { if frame.width > 64 { throw \"once\"; } }", "").unwrap();
    let name = headend_model::PolicyName::new("bad").unwrap();
    let mut instance = lab.host.instance(&name, &[], "").unwrap();
    let frames = stream([card(128, 72, 0), card(64, 36, 0)]);
    let first = instance.feed(&frames[0]).unwrap_err();
    assert_eq!(instance.feed(&frames[1]), Err(first.clone()));
    assert_eq!(instance.finish(), Err(first));
    assert!(lab.host.instance(&name, &[], "").unwrap().feed(&frames[1]).is_ok(), "the next instance is not touched");
}

#[test]
fn what_has_no_clock_gives_the_same_verdicts_or_is_not_let_in() {
    let lab = Lab::new();
    let error = lab.rhai("clock", "fn feed(frame) { timestamp(); }", "").unwrap_err();
    assert!(matches!(&error, LoadError::SelfCheck { .. }), "{error}");
    let error = lab.rhai("loop", "fn feed(frame) { loop {} }", "[limits]\ndeadline_ms = 100").unwrap_err();
    assert!(matches!(&error, LoadError::SelfCheck { .. }), "{error}");
}

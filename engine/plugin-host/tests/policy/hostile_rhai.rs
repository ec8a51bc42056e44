//! Policies in Rhai that would take their process along: it is not ours, and the others of the same plugin go on.

use headend_model::Timestamp;
use headend_plugin_host::lifecycle::LoadError;
use headend_plugin_host::{PolicyFault, PolicyInstance};
use headend_scheduler::action::PlanChange;

use super::support::{Lab, at, free, name, plan};

const LONG: &str = "[limits]\ndeadline_ms = 30000";

/// Answers with nothing, unless three targets are free: then it does its mischief. The self-check offers two.
fn later(body: &str) -> String {
    format!("fn propose(plan, free) {{ if free.len() == 3 {{ {body} }} [] }}\nfn deeper(n) {{ deeper(n + 1) + 1 }}")
}

fn instance(lab: &Lab) -> Box<dyn PolicyInstance> {
    lab.host.instance(&name("hostile"), &plan(&[3, 3, 3], 3)).unwrap()
}

/// The fault of the question that the script does not stand. Another instance, built before, must not notice.
fn fault(source: &str, more: &str) -> PolicyFault {
    let lab = Lab::new();
    lab.rhai("hostile", source, more).unwrap();
    let (mut bad, mut bystander) = (instance(&lab), instance(&lab));
    let fault = bad.propose(Timestamp::EPOCH, &free(&[0, 1, 2])).unwrap_err();
    assert_eq!(bad.propose(Timestamp::EPOCH, &free(&[0])).unwrap_err(), fault);
    assert_eq!(bystander.propose(Timestamp::EPOCH, &free(&[0])).unwrap().start, []);
    fault
}

fn refused(source: &str) -> LoadError {
    let lab = Lab::new();
    let error = lab.rhai("hostile", source, LONG).unwrap_err();
    assert_eq!(lab.host.list(), []);
    error
}

/// The error and its causes.
fn chain(error: &dyn std::error::Error) -> String {
    let cause = error.source().map(|cause| format!(": {}", chain(cause))).unwrap_or_default();
    format!("{error}{cause}")
}

#[test]
fn what_would_abort_the_process_is_not_in_the_language() {
    let eval = refused(&later("let s = \"eval(s)\"; eval(s);"));
    assert!(chain(&eval).contains("'eval' is disabled"), "{}", chain(&eval));
    let import = refused("fn propose(plan, free) { import \"x\" as x; [] }");
    assert!(chain(&import).contains("import"), "{}", chain(&import));
    for (call, missing) in [
        ("let s = \"aaaa\"; s.replace(\"a\", s);", "replace"),
        ("sleep(60);", "sleep"),
        ("let s = \"\"; s.pad(100000, \"x\");", "pad"),
        ("timestamp();", "timestamp"),
        ("blob(400000000);", "blob"),
    ] {
        let fault = fault(&later(call), LONG).to_string();
        assert!(fault.contains(&format!("Function not found: {missing}")), "{fault}");
    }
}

#[test]
fn recursion_is_limited() {
    let fault = fault(&later("deeper(0);"), LONG).to_string();
    assert!(fault.contains("Stack overflow"), "{fault}");
}

#[test]
fn an_endless_loop_runs_out_of_operations_or_time() {
    let patient = fault(&later("loop { print(\"flood\"); }"), LONG).to_string();
    assert!(patient.contains("Too many operations"), "{patient}");
}

#[test]
fn a_slow_answer_is_cut_off_from_outside() {
    // A few operations per pass, and each is long: the operations would last for hours.
    let slow = "let a = []; a.pad(100000, 1); loop { let b = a; b.sort(); b.reverse(); }";
    let fault = fault(&later(slow), "[limits]\ndeadline_ms = 1000");
    assert!(matches!(&fault, PolicyFault::Deadline { call: "propose", .. }), "{fault}");
}

#[test]
fn a_hoarder_ends_with_its_process_or_before() {
    let hoard =
        "let a = []; loop { let s = \"0123456789abcdef\"; while s.len() < 30000 { s += s; } a.push(s + a.len()); }";
    let fault = fault(&later(hoard), LONG);
    assert!(matches!(&fault, PolicyFault::Failed { call: "propose", .. }), "{fault}");
}

#[test]
fn a_long_source_is_not_even_parsed() {
    let source = format!("fn propose(plan, free) {{ {} [] }}", "1;".repeat(300_000));
    let error = refused(&source);
    assert!(matches!(&error, LoadError::TooLarge { most: 65_536, .. }), "{error}");
}

#[test]
fn mistakes_of_an_honest_author_are_named() {
    let cases = [
        ("fn propose(plan) { [] }", "does not define `fn propose(plan, free)`"),
        ("let a = 1; fn propose(plan, free) { [] }", "statements outside of functions"),
        ("fn propose(plan, free) { [ }", "(line 1, position 28)"),
        ("fn propose(plan, free) { [ }", "\n1 | fn propose(plan, free) { [ }\n  |                            ^"),
        ("fn propose(plan, free) {\n  nosuch()\n}", "\n2 |   nosuch()\n  |   ^"),
        ("fn propose(plan, free) { 42 }", "answered with i64, not with an array"),
        ("fn propose(plan, free) { [[0, -1]] }", "something else than [test, target]"),
        ("fn propose(plan, free) { [#{test: 0}] }", "something else than [test, target]"),
        ("fn propose(plan, free) { plan.nothing.x }", "Unknown property 'x'"),
        ("fn propose(plan, free) { throw \"no idea\" }", "no idea"),
        ("fn propose(plan, free) { [[0, 0], [1, 0]] }", "the target is named twice"),
    ];
    for (source, words) in cases {
        let error = chain(&refused(source));
        assert!(error.contains(words), "{source}: {error}");
    }
}

#[test]
fn a_script_keeps_its_own_state_and_is_told_of_changes() {
    let source = r"
        fn started(test, target) { this.n = (this.n ?? 0) + 1; }
        fn ended(test, target, code) { this.code = code; }
        fn lost(target) { this.lost = target; }
        fn propose(plan, free) {
            if (this.n ?? 0) == 2 && this.code == 2 && this.lost == 1 { [#{test: 2, target: free[0]}] } else { [] }
        }
        fn reason(test, target) { `code was ${this.code}` }";
    let lab = Lab::new();
    lab.rhai("hostile", source, LONG).unwrap();
    let mut one = instance(&lab);
    let mut other = instance(&lab);
    one.apply(&PlanChange::Started(at(0, 0)).at(Timestamp::EPOCH));
    one.apply(&PlanChange::Started(at(1, 1)).at(Timestamp::EPOCH));
    one.apply(&PlanChange::Ended { placement: at(0, 0), code: 2 }.at(Timestamp::EPOCH));
    one.apply(&PlanChange::TargetLost(headend_model::TargetIx(1)).at(Timestamp::EPOCH));
    assert_eq!(one.propose(Timestamp::EPOCH, &free(&[2])).unwrap().start, [at(2, 2)]);
    assert_eq!(one.reason(at(2, 2)).unwrap(), "code was 2");
    assert_eq!(other.propose(Timestamp::EPOCH, &free(&[2])).unwrap().start, [], "each plan has a state of its own");
}

//! Why a policy wants what it wants: asked with the question, and never at the cost of its answer.

use std::time::Duration;

use headend_model::Timestamp;
use headend_plugin_host::policy::Reasons;
use headend_plugin_host::{PolicyFault, PolicyInstance};

use super::fixture::Fixture;
use super::support::{Lab, at, free, name, plan};

const SHORT: &str = "[limits]\ndeadline_ms = 1000";
const LONG: &str = "[limits]\ndeadline_ms = 30000";
const HOUR: Duration = Duration::from_hours(1);

fn wasm(fixture: &Fixture<'_>, more: &str) -> (Lab, Box<dyn PolicyInstance>) {
    let lab = Lab::new();
    lab.host.load(&lab.write("mine", "p.wasm", &fixture.wasm(), more)).unwrap();
    let instance = lab.host.instance(&name("mine"), &plan(&[3, 3, 3], 3)).unwrap();
    (lab, instance)
}

fn rhai(source: &str) -> (Lab, Box<dyn PolicyInstance>) {
    let lab = Lab::new();
    lab.rhai("mine", source, LONG).unwrap();
    let instance = lab.host.instance(&name("mine"), &plan(&[3, 3, 3], 3)).unwrap();
    (lab, instance)
}

fn asked(instance: &mut dyn PolicyInstance, left: Duration) -> Reasons {
    instance.propose(Timestamp::EPOCH, &free(&[0, 1, 2])).unwrap();
    instance.reasons(&[at(0, 0), at(1, 1), at(2, 2)], left)
}

#[test]
fn all_are_asked_in_their_order_and_cleaned() {
    let source = r#"
        fn propose(plan, free) { [] }
        fn reason(test, target) { if test == 1 { "\t\x1b[31mred\n" } else { `test ${test} on ${target}` } }"#;
    let (_lab, mut mine) = rhai(source);
    let Reasons { texts, fault } = asked(&mut *mine, HOUR);
    assert_eq!(texts, ["test 0 on 0", "[31mred", "test 2 on 2"]);
    assert_eq!(fault, None);
}

#[test]
fn a_plugin_of_the_first_contract_is_asked_too() {
    let (_lab, mut mine) = wasm(&Fixture::default(), LONG);
    assert_eq!(asked(&mut *mine, HOUR), Reasons { texts: vec![String::new(); 3], fault: None });
}

#[test]
fn a_script_that_does_not_say_why_is_not_asked() {
    let (_lab, mut mine) = rhai("fn propose(plan, free) { [] }");
    assert_eq!(asked(&mut *mine, HOUR), Reasons::default());
}

#[test]
fn what_was_said_before_a_trap_is_kept_and_the_instance_is_gone() {
    let trap = "(if (i32.eq (local.get 1) (i32.const 2)) (then unreachable))";
    let (_lab, mut mine) = wasm(&Fixture { reason: trap, ..Fixture::default() }, LONG);
    let Reasons { texts, fault } = asked(&mut *mine, HOUR);
    assert_eq!(texts, ["", ""]);
    let fault = fault.unwrap();
    assert!(matches!(&fault, PolicyFault::Failed { call: "reason", .. }), "{fault}");
    assert_eq!(mine.propose(Timestamp::EPOCH, &free(&[0])), Err(fault));
}

#[test]
fn what_was_said_before_a_throw_is_kept_and_the_instance_is_gone() {
    let source = r#"
        fn propose(plan, free) { [] }
        fn reason(test, target) { if test == 1 { throw "no idea" } "because" }"#;
    let (_lab, mut mine) = rhai(source);
    let Reasons { texts, fault } = asked(&mut *mine, HOUR);
    let fault = fault.unwrap();
    assert_eq!(texts, ["because"]);
    assert!(matches!(&fault, PolicyFault::Failed { call: "reason", what, .. } if what.contains("no idea")), "{fault}");
    assert_eq!(mine.propose(Timestamp::EPOCH, &free(&[0])), Err(fault));
}

#[test]
fn a_loop_ends_at_the_deadline_of_the_question() {
    let (_lab, mut mine) = wasm(&Fixture { reason: "(loop $again (br $again))", ..Fixture::default() }, SHORT);
    // A busy machine may have spent the time before it was asked at all.
    let fault = (0..20).find_map(|_| asked(&mut *mine, HOUR).fault).unwrap();
    assert!(matches!(&fault, PolicyFault::Deadline { call: "reason", deadline_ms: 1_000, .. }), "{fault}");
}

#[test]
fn nothing_is_asked_when_the_caller_has_no_time_for_it() {
    let trap = Fixture { reason: "unreachable", ..Fixture::default() };
    let (_lab, mut mine) = wasm(&trap, LONG);
    assert_eq!(asked(&mut *mine, Duration::ZERO), Reasons::default());
    assert!(asked(&mut *mine, Duration::from_secs(5)).fault.is_some(), "less than the plugin's own deadline will do");
}

#[test]
fn nothing_more_is_asked_when_half_of_the_fuel_is_spent() {
    let burn = "(local $i i32)
        (loop $again (local.set $i (i32.add (local.get $i) (i32.const 1)))
            (br_if $again (i32.lt_u (local.get $i) (i32.const 10000))))";
    let more = "[limits]\ndeadline_ms = 30000\nfuel = 100000";
    let (_lab, mut mine) = wasm(&Fixture { reason: burn, ..Fixture::default() }, more);
    assert_eq!(asked(&mut *mine, HOUR), Reasons { texts: vec![String::new()], fault: None });
    assert_eq!(mine.propose(Timestamp::EPOCH, &free(&[0])).unwrap().start, [], "the next question has its own fuel");
}

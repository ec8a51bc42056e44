//! The second version of the contract, in WebAssembly and in Rhai: what it tells of the past, what may be left out, declined, reported.

use std::collections::BTreeMap;
use std::path::Path;

use headend_model::{DutFields, DutId, Span, TestIx, Timestamp};
use headend_plugin_host::PolicyFault;
use headend_scheduler::action::PlanChange;
use headend_scheduler::event::Skip;
use headend_scheduler::history::{LastOutcome, ScriptHistory};
use headend_scheduler::view::PlanView;
use wit_component::{StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

use super::support::{Lab, at, free, manifest, name, plan};

/// When the component proposes: the self-check has two free targets, and no patience with answers that do not change.
const LATER: &str = "(i32.ne (local.get $n) (i32.const 3))";
const ALWAYS: &str = "(i32.const 0)";

/// A component whose `build` answers with `built`, `propose` with a start of test 1 on target 0 and a skip of `runs` runs of test 0, and
/// `report` with `report`.
fn component(built: &str, runs: u32, report: &str, idle: &str) -> Vec<u8> {
    let refused = u8::from(!built.is_empty());
    let text = format!(
        r#"(module
          (memory (export "memory") 1)
          (global $heap (mut i32) (i32.const 4096))
          (data (i32.const 512) "{built}") (data (i32.const 1024) "{report}") (data (i32.const 256) "not today")
          (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (local $p i32)
            (local.set $p (i32.and (i32.add (global.get $heap) (i32.const 7)) (i32.const -8)))
            (global.set $heap (i32.add (local.get $p) (local.get 3)))
            (local.get $p))
          (func (export "headend:policy/coverage@2.0.0#build")
            (param i32 i32 i64 i32 i32 i32 i32 i32 i32 i32 i32) (result i32)
            (i32.store8 (i32.const 64) (i32.const {refused}))
            (i32.store (i32.const 68) (i32.const 512)) (i32.store (i32.const 72) (i32.const {built_len}))
            (i32.const 64))
          (func (export "headend:policy/coverage@2.0.0#note") (param i32 i32))
          (func (export "headend:policy/coverage@2.0.0#propose") (param i64 i32) (param $n i32) (result i32)
            (i32.store (i32.const 64) (i32.const 128)) (i32.store (i32.const 68) (i32.const 0))
            (i32.store (i32.const 72) (i32.const 144)) (i32.store (i32.const 76) (i32.const 0))
            (if {idle} (then (return (i32.const 64))))
            (i32.store (i32.const 128) (i32.const 1)) (i32.store (i32.const 132) (i32.const 0))
            (i32.store (i32.const 144) (i32.const 0)) (i32.store (i32.const 148) (i32.const {runs}))
            (i32.store (i32.const 152) (i32.const 256)) (i32.store (i32.const 156) (i32.const 9))
            (i32.store (i32.const 64) (i32.const 128)) (i32.store (i32.const 68) (i32.const 1))
            (i32.store (i32.const 72) (i32.const 144)) (i32.store (i32.const 76) (i32.const 1))
            (i32.const 64))
          (func (export "headend:policy/coverage@2.0.0#reason") (param i32 i32) (result i32)
            (i32.store (i32.const 64) (i32.const 128)) (i32.store (i32.const 68) (i32.const 0)) (i32.const 64))
          (func (export "headend:policy/coverage@2.0.0#report") (result i32)
            (i32.store (i32.const 64) (i32.const 1024)) (i32.store (i32.const 68) (i32.const {report_len}))
            (i32.const 64)))"#,
        built_len = built.len(),
        report_len = report.len(),
    );
    let mut module = wat::parse_str(text).unwrap();
    let mut resolve = Resolve::default();
    let wit = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../sdk/wit/v2/policy");
    let (package, _files) = resolve.push_dir(wit).unwrap();
    let world = resolve.select_world(&[package], Some("coverage-policy")).unwrap();
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).unwrap();
    module
}

/// Loads code against the second version. `more`: lines of the manifest.
fn load(lab: &Lab, file: &str, code: &[u8], more: &str) {
    let folder = lab.write("p", file, code, "");
    let limits = "[limits]\ndeadline_ms = 30000";
    let text = manifest("p", file, &format!("{limits}\n{more}")).replace("world = \"1.0.0\"", "world = \"2.0.0\"");
    std::fs::write(folder.join("headend-plugin.toml"), text).unwrap();
    lab.host.load(&folder).unwrap_or_else(|error| panic!("{error}: {:?}", std::error::Error::source(&error)));
}

fn skipped(test: u32, runs: u32, reason: &str) -> Skip {
    Skip { test: TestIx(test), runs, reason: reason.to_owned() }
}

#[test]
fn a_component_starts_leaves_out_and_reports() {
    let lab = Lab::new();
    load(&lab, "p.wasm", &component("", 1, "[7]", LATER), "");
    let mut policy = lab.host.instance(&name("p"), &plan(&[2, 2], 3)).unwrap();
    let answer = policy.propose(Timestamp::EPOCH, &free(&[0, 1, 2])).unwrap();
    assert_eq!((answer.start, answer.skip), (vec![at(1, 0)], vec![skipped(0, 1, "not today")]));
    policy.apply(&PlanChange::Dropped { test: TestIx(0), runs: 1 }.at(Timestamp::EPOCH));
    assert_eq!(policy.report().unwrap(), "[7]");
}

#[test]
fn a_component_may_decline_a_plan_and_that_is_no_failure() {
    let lab = Lab::new();
    load(&lab, "p.wasm", &component("no such field", 1, "", LATER), "");
    let fault = lab.host.instance(&name("p"), &plan(&[2, 2], 2)).err();
    assert_eq!(fault, Some(PolicyFault::Declined { plugin: "p 1.0.0".into(), what: "no such field".into() }));
}

#[test]
fn a_report_must_be_json_and_lies_about_skips_are_seen_before_it_is_let_in() {
    let lab = Lab::new();
    load(&lab, "p.wasm", &component("", 1, "certified!", LATER), "");
    let fault = lab.host.instance(&name("p"), &plan(&[1, 1], 2)).unwrap().report().unwrap_err();
    assert!(fault.to_string().contains("its report is no JSON"), "{fault}");
    let folder = lab.write("q", "p.wasm", &component("", 9, "", ALWAYS), "[limits]\ndeadline_ms = 30000");
    let text =
        std::fs::read_to_string(folder.join("headend-plugin.toml")).unwrap().replace("1.0.0\"\nfile", "2.0.0\"\nfile");
    std::fs::write(folder.join("headend-plugin.toml"), text).unwrap();
    let error = format!("{:?}", lab.host.load(&folder).unwrap_err());
    assert!(error.contains("left out 9 runs of test 0"), "{error}");
}

#[test]
fn code_of_another_version_than_the_manifest_says_is_refused() {
    let lab = Lab::new();
    let folder = lab.write("p", "p.wasm", &component("", 1, "", LATER), "");
    assert!(lab.host.load(&folder).is_err(), "the manifest says 1.0.0");
}

const SCRIPT: &str = r#"
fn build(plan) {
    if !("budget_s" in plan.parameters) { return "give a budget"; }
    this.budget = plan.parameters.budget_s;
    this.models = [];
    for target in plan.targets { this.models.push(target.model); }
    this.known = plan.tests[1].history.p50_ms;
    this.failed = plan.outcomes[0].code;
    this.colour = plan.targets[0].fields.HardwareVersion;
    this.news = [];
}
fn started(test, target, at) { this.news.push(`${test} on ${target} at ${at}`); }
fn ended(test, target, code, at) { this.news.push(`${code} at ${at}`); }
fn dropped(test, runs) { this.news.push(`${runs} of ${test} dropped`); }
fn propose(plan, free) {
    #{ start: [[1, free[0]]], skip: [[0, plan.tests[0].left, "too long"]] }
}
fn report(plan) {
    #{ news: this.news, models: this.models, known: this.known, failed: this.failed, colour: this.colour, left: plan.tests[0].left }
}
"#;

const SCHEMA: &str = "[parameters]\ntype = \"object\"\nproperties.budget_s = { type = \"integer\", minimum = 1 }\n\
                      properties.quiet = { type = \"boolean\", default = true }";

fn rich_plan(parameters: &str) -> PlanView {
    let mut plan = PlanView { parameters: parameters.to_owned(), ..plan(&[2, 2], 2) };
    plan.tests[1].history = Some(ScriptHistory {
        runs: 4,
        passed: 3,
        last_code: 100,
        failures_in_a_row: 1,
        p50: Span::millis(1_500),
        p90: Span::millis(9_000),
    });
    plan.outcomes = vec![(at(1, 0), LastOutcome { code: 100, at: Timestamp::from_micros(3) })];
    let fields = DutFields { model_name: "M1".into(), hardware_version: "rev B".into(), ..DutFields::default() };
    plan.duts = BTreeMap::from([(DutId(100), fields)]);
    plan
}

#[test]
fn a_script_sees_parameters_past_and_devices_and_reports() {
    let lab = Lab::new();
    load(&lab, "p.rhai", SCRIPT.as_bytes(), SCHEMA);
    let mut policy = lab.host.instance(&name("p"), &rich_plan(r#"{"budget_s": 60}"#)).unwrap();
    let answer = policy.propose(Timestamp::EPOCH, &free(&[0, 1])).unwrap();
    assert_eq!((answer.start, answer.skip), (vec![at(1, 0)], vec![skipped(0, 2, "too long")]));
    for (change, when) in [
        (PlanChange::Dropped { test: TestIx(0), runs: 2 }, 4),
        (PlanChange::Started(at(1, 0)), 5),
        (PlanChange::Ended { placement: at(1, 0), code: 111 }, 6),
    ] {
        policy.apply(&change.at(Timestamp::from_micros(when)));
    }
    let report: serde_json::Value = serde_json::from_str(&policy.report().unwrap()).unwrap();
    let expected = serde_json::json!({
        "news": ["2 of 0 dropped", "1 on 0 at 5", "111 at 6"], "models": ["M1", ""], "known": 1500, "failed": 100,
        "colour": "rev B", "left": 0,
    });
    assert_eq!(report, expected);
}

#[test]
fn a_script_may_decline_and_parameters_that_do_not_fit_never_reach_it() {
    let lab = Lab::new();
    load(&lab, "p.rhai", SCRIPT.as_bytes(), SCHEMA);
    let declined = |parameters: &str| match lab.host.instance(&name("p"), &rich_plan(parameters)).err() {
        Some(PolicyFault::Declined { what, .. }) => what,
        other => panic!("{parameters}: {other:?}"),
    };
    assert_eq!(declined(""), "give a budget");
    assert!(declined(r#"{"budget_s": 0}"#).contains("/budget_s"));
    assert!(declined("budget").contains("no JSON"));
}

#[test]
fn a_script_of_the_first_version_may_have_these_names_for_itself() {
    let lab = Lab::new();
    let source = "fn build(x) { throw \"never\" } fn report(x) { throw \"never\" } fn dropped(a, b) { throw \"never\" } \
                  fn propose(plan, free) { if \"parameters\" in plan { throw \"new\" } if free.len() > 1 { return []; } [[0, free[0]]] }";
    lab.rhai("p", source, "[limits]\ndeadline_ms = 30000").unwrap();
    let mut policy = lab.host.instance(&name("p"), &plan(&[2], 2)).unwrap();
    policy.apply(&PlanChange::Dropped { test: TestIx(0), runs: 1 }.at(Timestamp::EPOCH));
    assert_eq!(policy.propose(Timestamp::EPOCH, &free(&[1])).unwrap().start, [at(0, 1)]);
    assert_eq!(policy.report().unwrap(), "");
}

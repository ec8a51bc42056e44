//! Policies in WebAssembly that loop, hoard, trap and lie. Each ends with the verdict that fits, and nothing else suffers.

use headend_model::Timestamp;
use headend_plugin_host::lifecycle::LoadError;
use headend_plugin_host::policy::PluginInfo;
use headend_plugin_host::wasm::CompileError;
use headend_plugin_host::{PolicyFault, PolicyInstance};

use super::fixture::Fixture;
use super::support::{Lab, at, free, name, plan};

/// A loop ends at any deadline, however busy the machine; what must not loop gets all the time it may need.
const SHORT: &str = "[limits]\ndeadline_ms = 1000";
const LONG: &str = "[limits]\ndeadline_ms = 30000";

const RECURSE: &str = "(func $deeper (param i32) (result i32) (i32.add (i32.const 1) (call $deeper (local.get 0))))";

fn load(lab: &Lab, fixture: &Fixture<'_>, more: &str) -> Result<PluginInfo, LoadError> {
    lab.host.load(&lab.write("hostile", "p.wasm", &fixture.wasm(), more))
}

fn instance(lab: &Lab) -> Box<dyn PolicyInstance> {
    lab.host.instance(&name("hostile"), &plan(&[3, 3, 3], 3)).unwrap()
}

/// Loads what behaves during the self-check, and gives the fault of the question that it does not stand.
fn fault(fixture: &Fixture<'_>, more: &str) -> PolicyFault {
    let lab = Lab::new();
    load(&lab, fixture, more).unwrap();
    let mut bad = instance(&lab);
    let fault = bad.propose(Timestamp::EPOCH, &free(&[0, 1, 2])).unwrap_err();
    // A failed instance stays failed; a fresh one is as good as new.
    assert_eq!(bad.propose(Timestamp::EPOCH, &free(&[0])).unwrap_err(), fault);
    assert_eq!(instance(&lab).propose(Timestamp::EPOCH, &free(&[0])).unwrap().start, []);
    fault
}

fn refused(fixture: &Fixture<'_>, more: &str) -> LoadError {
    let lab = Lab::new();
    let error = load(&lab, fixture, more).unwrap_err();
    assert_eq!(lab.host.list(), [], "what fails to load leaves nothing behind");
    error
}

#[test]
fn a_loop_in_a_call_ends_at_the_deadline() {
    let propose = Fixture::later("(loop $again (br $again))");
    let fault = fault(&Fixture { propose: &propose, ..Fixture::default() }, SHORT);
    assert!(matches!(&fault, PolicyFault::Deadline { call: "propose", deadline_ms: 1_000, .. }), "{fault}");
}

#[test]
fn a_loop_of_memory_fills_ends_at_the_deadline() {
    let fill = "(loop $again (memory.fill (i32.const 0) (i32.const 1) (i32.const 65536)) (br $again))";
    let fault = fault(&Fixture { propose: &Fixture::later(fill), ..Fixture::default() }, SHORT);
    assert!(matches!(&fault, PolicyFault::Deadline { .. }), "{fault}");
}

#[test]
fn a_loop_at_the_start_is_refused_by_the_self_check() {
    // Nothing of this guest is sound, so its deadline may be tight: it may take ten times that to start.
    let tight = "[limits]\ndeadline_ms = 50";
    let module = "(func $spin (loop $again (br $again))) (start $spin)";
    let error = refused(&Fixture { module, ..Fixture::default() }, tight);
    assert!(matches!(&error, LoadError::SelfCheck { .. }), "{error}");
    assert!(error.to_string().contains("did not answer `instantiate` within 500 ms"), "{error}");
}

#[test]
fn a_loop_runs_out_of_fuel_when_the_manifest_counts_it() {
    let propose = Fixture::later("(loop $again (br $again))");
    let more = "[limits]\ndeadline_ms = 60000\nfuel = 1000000";
    let fault = fault(&Fixture { propose: &propose, ..Fixture::default() }, more);
    assert!(matches!(&fault, PolicyFault::Fuel { fuel: 1_000_000, .. }), "{fault}");
}

#[test]
fn memory_past_the_limit_is_refused_at_growth() {
    let propose = Fixture::later("(loop $again (drop (memory.grow (i32.const 16))) (br $again))");
    let more = "[limits]\ndeadline_ms = 30000\nmemory_mib = 4";
    let fault = fault(&Fixture { propose: &propose, ..Fixture::default() }, more);
    assert!(matches!(&fault, PolicyFault::Memory { memory_mib: 4, .. }), "{fault}");
}

#[test]
fn memory_past_the_limit_is_refused_at_declaration() {
    let error = refused(&Fixture { pages: 65_536, ..Fixture::default() }, LONG);
    assert!(error.to_string().contains("asked for more than its 16 MiB in `instantiate`"), "{error}");
}

#[test]
fn a_huge_table_is_refused() {
    let error = refused(&Fixture { module: "(table 1000000 funcref)", ..Fixture::default() }, LONG);
    assert!(matches!(&error, LoadError::SelfCheck { .. }), "{error}");
}

#[test]
fn traps_are_ordinary_errors_that_say_what_happened() {
    let cases = [
        ("(unreachable)", "unreachable"),
        ("(drop (i32.div_u (i32.const 1) (i32.const 0)))", "divide by zero"),
        ("(drop (i32.load (i32.const -8)))", "out of bounds"),
        ("(drop (call $deeper (i32.const 0)))", "call stack exhausted"),
    ];
    for (body, words) in cases {
        let fixture = Fixture { module: RECURSE, propose: &Fixture::later(body), ..Fixture::default() };
        let fault = fault(&fixture, LONG);
        assert!(matches!(&fault, PolicyFault::Failed { call: "propose", .. }), "{fault}");
        assert!(fault.to_string().contains(words) && fault.to_string().contains("hostile 1.0.0"), "{fault}");
    }
}

#[test]
fn a_trap_while_building_is_refused_by_the_self_check() {
    let error = refused(&Fixture { build: "(unreachable)", ..Fixture::default() }, LONG);
    assert!(error.to_string().contains("failed in `build`"), "{error}");
}

#[test]
fn an_answer_of_megabytes_is_not_taken_in() {
    // 1,500,000 placements fit into its memory, and are 12 MB.
    let propose = Fixture::later(
        "(i32.store (i32.const 64) (i32.const 128)) (i32.store (i32.const 68) (i32.const 1500000)) (return (i32.const 64))",
    );
    let fault = fault(&Fixture { pages: 200, propose: &propose, ..Fixture::default() }, LONG);
    assert!(matches!(&fault, PolicyFault::AnswerTooLarge { most: 1_048_576, .. }), "{fault}");
}

#[test]
fn an_answer_outside_of_its_memory_is_an_error() {
    let error = refused(&Fixture { answer_len: Some(u32::MAX / 8), ..Fixture::default() }, LONG);
    assert!(matches!(&error, LoadError::SelfCheck { .. }), "{error}");
}

#[test]
fn lies_are_caught_by_the_self_check() {
    let cases: [(&[(u32, u32)], &str); 4] = [
        (&[(7, 0)], "test 7 on target 0: the plan has no such test"),
        (&[(0, 5)], "the target was not offered"),
        (&[(0, 0), (1, 0)], "the target is named twice"),
        // The same pair again in the second round.
        (&[(0, 0)], "the test has been on the target before"),
    ];
    for (answer, words) in cases {
        let error = refused(&Fixture { answer, ..Fixture::default() }, LONG);
        assert!(matches!(&error, LoadError::SelfCheck { .. }), "{error}");
        assert!(error.to_string().contains(words), "{error}");
    }
}

#[test]
fn lies_told_later_come_through_for_the_scheduler_to_refuse() {
    // Says nothing to two free targets, so the self-check is content.
    let propose = "(if (i32.ne (local.get $n) (i32.const 3)) (then
        (i32.store (i32.const 64) (i32.const 128)) (i32.store (i32.const 68) (i32.const 0)) (return (i32.const 64))))";
    let lab = Lab::new();
    load(&lab, &Fixture { propose, answer: &[(9, 9), (0, 0), (0, 0)], ..Fixture::default() }, LONG).unwrap();
    let answer = instance(&lab).propose(Timestamp::EPOCH, &free(&[0, 1, 2])).unwrap().start;
    assert_eq!(answer, [at(9, 9), at(0, 0), at(0, 0)]);
}

#[test]
fn an_unknown_import_is_named() {
    let imports = "(import \"env\" \"now\" (func (result i64)))";
    let error = refused(&Fixture { imports, ..Fixture::default() }, LONG);
    let LoadError::Compile { source, .. } = &error else { panic!("{error}") };
    assert!(source.to_string().contains("env"), "{source}");

    let clock =
        "(component (import \"wasi:clocks/monotonic-clock@0.2.0\" (instance (export \"now\" (func (result u64))))))";
    let error = Lab::new().wat("hostile", clock, LONG).unwrap_err();
    assert!(matches!(&error, LoadError::Link { .. }), "{error}");
    assert!(error.to_string().contains("wasi:clocks/monotonic-clock@0.2.0"), "{error}");
}

#[test]
fn a_missing_export_is_named() {
    let error = Lab::new().wat("hostile", "(component)", LONG).unwrap_err();
    assert!(matches!(&error, LoadError::Link { .. }), "{error}");
    assert!(error.to_string().contains("headend:policy/coverage@1.0.0"), "{error}");
}

const LOG: &str = "(import \"headend:policy/log@1.0.0\" \"line\" (func $line (param i32 i32)))";

#[test]
fn the_log_must_be_asked_for() {
    let error = refused(
        &Fixture { imports: LOG, propose: "(call $line (i32.const 0) (i32.const 0))", ..Fixture::default() },
        LONG,
    );
    assert!(matches!(&error, LoadError::Link { .. }), "{error}");
    assert!(error.to_string().contains("headend:policy/log@1.0.0"), "{error}");
}

#[test]
fn a_flood_of_log_lines_is_dropped_and_the_call_goes_on() {
    let propose = "(local $left i32) (local.set $left (i32.const 100000))
        (loop $again
            (call $line (i32.const 8192) (i32.const 4000))
            (br_if $again (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))";
    let lab = Lab::new();
    let fixture = Fixture { imports: LOG, propose, ..Fixture::default() };
    load(&lab, &fixture, &format!("capabilities = [\"log\"]\n{LONG}")).unwrap();
    assert_eq!(instance(&lab).propose(Timestamp::EPOCH, &free(&[0])).unwrap().start, []);
}

#[test]
fn instances_share_no_memory() {
    // The first call of an instance answers with nothing and leaves a mark; a call that sees the mark traps.
    let propose = "(if (i32.load (i32.const 0)) (then (unreachable))) (i32.store (i32.const 0) (local.get $n))";
    let lab = Lab::new();
    let sees_mark = refused(&Fixture { propose, ..Fixture::default() }, LONG);
    assert!(sees_mark.to_string().contains("unreachable"), "within one instance the mark stays: {sees_mark}");
    let only_later = Fixture::later(propose);
    load(&lab, &Fixture { propose: &only_later, ..Fixture::default() }, LONG).unwrap();
    for _ in 0..3 {
        assert_eq!(instance(&lab).propose(Timestamp::EPOCH, &free(&[0, 1, 2])).unwrap().start, []);
    }
}

/// A module of one function with so many instructions that compiling it takes more memory than a compiler may have.
fn bomb() -> Vec<u8> {
    let mut body = vec![0x00, 0x20, 0x00];
    while body.len() < 7_200_000 {
        // local.get 0, i32.add, i32.const 7, i32.mul
        body.extend([0x20, 0x00, 0x6a, 0x41, 0x07, 0x6c]);
    }
    body.push(0x0b);
    let function = [leb(body.len()), body].concat();
    let module = [
        b"\0asm\x01\0\0\0".to_vec(),
        section(1, &[0x01, 0x60, 0x01, 0x7f, 0x01, 0x7f]),
        section(3, &[0x01, 0x00]),
        section(10, &[vec![0x01], function].concat()),
    ];
    [b"\0asm\x0d\0\x01\0".to_vec(), section(1, &module.concat())].concat()
}

fn section(id: u8, content: &[u8]) -> Vec<u8> {
    [vec![id], leb(content.len()), content.to_vec()].concat()
}

/// A number as WebAssembly writes it.
fn leb(mut n: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while n >= 0x80 {
        bytes.push(n as u8 | 0x80);
        n >>= 7;
    }
    bytes.push(n as u8);
    bytes
}

#[test]
fn a_compile_bomb_ends_its_compiler_and_nothing_else() {
    let lab = Lab::new();
    let error = lab.host.load(&lab.write("bomb", "p.wasm", &bomb(), LONG)).unwrap_err();
    let LoadError::Compile { source, .. } = &error else { panic!("{error}") };
    assert!(matches!(source, CompileError::Died { .. } | CompileError::Deadline(_)), "{source}");
    load(&lab, &Fixture::default(), LONG).unwrap();
}

//! What an ordinary script does, and what its author reads when it breaks.

use std::fs;
use std::path::Path;

use headend_wire::session::{Call, GuestLimits, LogLevel, ScriptEnd};

use super::rack::{Guest, Outcome, Seen, session};

fn rhai(source: &str) -> (Outcome, Seen) {
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("menu.rhai");
    fs::write(&script, source).unwrap();
    Guest::start(None).run(session(&script, &["--channel", "31"]), &GuestLimits::default())
}

fn finished(source: &str) -> Vec<Call> {
    let (outcome, seen) = rhai(source);
    assert_eq!(outcome, Outcome::Said(ScriptEnd::Finished));
    seen.calls
}

fn crashed(source: &str) -> String {
    match rhai(source).0 {
        Outcome::Said(ScriptEnd::Crashed(text) | ScriptEnd::CannotStart(text)) => text,
        other => panic!("not crashed: {other:?}"),
    }
}

#[test]
fn a_script_drives_its_slot_in_the_order_it_is_written() {
    let calls = finished(
        r#"
        connect("server", "story");
        if !reserve_slot(3, #{ keys: "default", serial: [115200, 8] }) { throw "no slot"; }
        press("Menu", 3);
        press_digits(31);
        wait(1.5);
        let picture = capture("menu", [0, 0, 10, 20], 3)[0];
        log(`${picture.path} ${picture.width}x${picture.height} ${public_folder()} ${args()[1]}`, "verbose");
        power(false);
        disconnect();
        "#,
    );
    let press = |key: &str, slot| Call::Press { key: key.into(), slot };
    let params = [("keys", serde_json::json!("default")), ("serial", serde_json::json!([115_200, 8]))];
    let expected = [
        Call::Connect { server: "server".into(), description: "story".into() },
        Call::ReserveSlot { slot: 3, params: params.map(|(name, value)| (name.into(), value)).into() },
        press("Menu", Some(3)),
        press("3", None),
        press("1", None),
        Call::Wait { ms: 1500 },
        Call::Capture { rect: Some([0, 0, 10, 20]), name: Some("menu".into()), slot: Some(3) },
        Call::Log { level: LogLevel::Verbose, text: "/out/menu-3.png 720x576 /srv/public 31".into() },
        Call::Power { on: false, slot: None },
        Call::Disconnect {},
    ];
    assert_eq!(calls, expected);
}

#[test]
fn regions_and_steps_close_themselves_also_when_something_is_thrown() {
    let calls = finished(
        r#"
        let tries = 0;
        region("outer", || {
            step("good", || { tries += 1; true });
            step("poor", || PARTIAL_PASS);
            try { step("bad", || { throw "no picture"; }); } catch { }
        });
        try { region("broken", || { throw "x"; }); } catch { }
        print(tries);
        "#,
    );
    let begin = |name: &str| Call::BeginStep { name: name.into() };
    let end = |name: &str, result| Call::EndStep { name: name.into(), result, comment: None };
    let close = |name: &str, style: Option<&str>| Call::EndRegion {
        name: name.into(),
        style: style.map(str::to_owned),
        comment: None,
    };
    let expected = [
        Call::BeginRegion { name: "outer".into() },
        begin("good"),
        end("good", 111),
        begin("poor"),
        end("poor", 110),
        begin("bad"),
        end("bad", 100),
        close("outer", None),
        Call::BeginRegion { name: "broken".into() },
        close("broken", Some("fail")),
        Call::Console { text: "1".into() },
    ];
    assert_eq!(calls, expected);
}

#[test]
fn an_error_shows_the_line_and_the_calls_that_led_to_it() {
    let text = crashed("connect();\nfn zap(slot) {\n    press(\"Channel+\", slot);\n}\nzap(4);\n");
    let expected = "menu.rhai:3:5: this slot is not reserved; call reserve_slot first (no_slot)
  |
3 |     press(\"Channel+\", slot);
  |     ^
  in `zap`, called at menu.rhai:5:1";
    assert_eq!(text, expected);
}

#[test]
fn a_source_that_does_not_parse_shows_where() {
    let text = crashed("connect();\nlet x = ;\n");
    assert!(text.starts_with("menu.rhai:2:9: "), "{text}");
    assert!(text.ends_with("\n  |\n2 | let x = ;\n  |         ^"), "{text}");
}

#[test]
fn a_refusal_can_be_caught_by_its_code() {
    let calls = finished(r#"try { press("Ok"); } catch (error) { print(error.code); }"#);
    assert_eq!(calls.last(), Some(&Call::Console { text: "no_slot".into() }));
}

#[test]
fn arguments_are_each_runs_own_though_the_source_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("args.rhai");
    fs::write(&script, "fn second() { args()[1] }\nprint(args[0] + second());").unwrap();
    let mut guest = Guest::start(None);
    for argument in ["a", "b"] {
        let (outcome, seen) = guest.run(session(&script, &[argument, "!"]), &GuestLimits::default());
        assert_eq!(outcome, Outcome::Said(ScriptEnd::Finished));
        assert_eq!(seen.calls, [Call::Console { text: format!("{argument}!") }]);
    }
    assert_eq!(guest.finish().0, Some(0));
}

#[test]
fn compiled_scripts_are_kept_on_disk_and_a_damaged_one_is_made_again() {
    let folder = tempfile::tempdir().unwrap();
    let (script, cache) = (folder.path().join("noop.wasm"), folder.path().join("cache"));
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/guests/wasm/never-reports.wat");
    fs::write(&script, wat::parse_file(source).unwrap()).unwrap();
    let run = || {
        let outcome = Guest::start(Some(&cache)).run(session(&script, &[]), &GuestLimits::default()).0;
        assert_eq!(outcome, Outcome::Said(ScriptEnd::Finished));
        let kept: Vec<_> = fs::read_dir(&cache).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert_eq!(kept.len(), 1, "{kept:?}");
        kept[0].clone()
    };
    let kept = run();
    let made = fs::metadata(&kept).unwrap().modified().unwrap();
    assert_eq!(fs::metadata(run()).unwrap().modified().unwrap(), made, "it was compiled again");
    fs::write(&kept, "not compiled code").unwrap();
    run();
    assert!(fs::metadata(&kept).unwrap().len() > 100, "the damaged file was not replaced");
}

#[test]
fn a_guest_goes_when_the_rack_hangs_up_between_runs() {
    assert_eq!(Guest::start(None).finish().0, Some(0));
}

#[test]
fn a_parser_that_cannot_be_interrupted_is_ended_with_its_process() {
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("long.rhai");
    // Parsing takes time by the square of the statements: without a guard this would go on for half a minute and more.
    fs::write(&script, "1;".repeat(300_000)).unwrap();
    let mut guest = Guest::start(None);
    let limits = GuestLimits { cpu_ms: 1, source_bytes: 1 << 20, ..GuestLimits::default() };
    let (outcome, _) = guest.run(session(&script, &[]), &limits);
    let Outcome::Said(ScriptEnd::Limit(text)) = outcome else { panic!("{outcome:?}") };
    assert!(text.starts_with("cpu_ms: reading the script took more than 1 ms"), "{text}");
    assert_eq!(guest.finish().0, Some(3));
}

#[test]
fn a_limited_guest_goes_and_a_crashed_one_stays() {
    let folder = tempfile::tempdir().unwrap();
    let (script, next) = (folder.path().join("menu.rhai"), folder.path().join("next.rhai"));
    fs::write(&next, "").unwrap();
    for (source, stays) in [("throw 1;", true), ("fn f() { f() } f();", false)] {
        fs::write(&script, source).unwrap();
        let mut guest = Guest::start(None);
        guest.run(session(&script, &[]), &GuestLimits::default());
        let (outcome, _) = guest.run(session(&next, &[]), &GuestLimits::default());
        assert_eq!(outcome == Outcome::Said(ScriptEnd::Finished), stays, "{source}: {outcome:?}");
    }
}

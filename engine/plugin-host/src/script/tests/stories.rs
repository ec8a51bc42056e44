//! What an ordinary script does, and what its author reads when it breaks.

use std::fs;
use std::path::Path;

use headend_wire::session::{Call, GuestLimits, LogLevel, Question, ReferenceFile, Resource, ScriptEnd, Until};
use serde_json::json;

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
    let params = [("keys", json!("default")), ("serial", json!([115_200, 8]))];
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
fn calls_tell_the_line_that_they_stand_on() {
    let (outcome, seen) = rhai(
        "connect();\nfn zap() {\n    press_digits(12);\n}\nreserve_slot(3);\nzap();\nprint(1);\n\
         step(\"s\", || {\n    wait(1);\n});\nlook_for(\"black\");\n",
    );
    assert_eq!(outcome, Outcome::Said(ScriptEnd::Finished));
    let lines: Vec<Option<&str>> = seen.sources.iter().map(|source| source.first().map(String::as_str)).collect();
    let on = |line: &'static str| Some(line);
    let expected = [
        on("menu.rhai:1"),
        on("menu.rhai:5"),
        on("menu.rhai:3"),
        on("menu.rhai:3"),
        None,
        on("menu.rhai:8"),
        on("menu.rhai:9"),
        on("menu.rhai:8"),
        on("menu.rhai:11"),
    ];
    assert_eq!(lines, expected, "{:?}", seen.calls);
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

#[test]
fn a_script_sees_and_hears_in_rhais_own_words() {
    let calls = finished(
        r#"
        connect();
        reserve_slot(3);
        let seen = wait_for("image-match", #{ percent: 95, pictures: #{ logo: "logo.png" }, gap: 0.5 }, 10);
        if !seen.met || seen.values.percent != 97.5 || seen.found[0].area != [1, 2, 3, 4] { throw "wrong"; }
        if wait_for("never", 1).met || wait_while("never", #{}, 2.5, 3).slots.len() != 1 { throw "wrong"; }
        watch("freeze", #{ seconds: 1 }, 3);
        look_for("black");
        log(look_at("menu.png", "ocr", #{ pictures: "a.png" }).sentence);
        keep_frames(40);
        arm("zap-timer", #{}, 15, "Channel+");
        log(`${armed().seconds} s`);
        if kept_frames() != 2 || kept_frame(1, 3) != "/out/zapframe_1.jpg" || kept_frame(2) != () { throw "wrong"; }
        serial_send("ä");
        log(serial_read(4).lines[0].text);
        log(video_start("zap")[0]);
        video_stop();
        if signal().width != 1280 || !inject("freeze 5s") { throw "wrong"; }
        measure("zap time", 1.5, "s");
        measure("zaps", 3);
        if measure("zap time", 2.5, #{ unit: "s", low: 0.5, high: 2 }) || !measure("level", -20, #{ low: -30 }) { throw "wrong"; }
        artifact("data.csv", "data");
        "#,
    );
    let question = |analyser: &str, parameters, references: &[(&str, &str)]| Question {
        analyser: analyser.into(),
        parameters,
        references: references
            .iter()
            .map(|(name, path)| ReferenceFile { name: (*name).into(), path: (*path).into() })
            .collect(),
    };
    let watch = |question, until, timeout_ms, gap_ms, slot| Call::Watch { question, until, timeout_ms, gap_ms, slot };
    let none = || serde_json::Value::Null;
    let logo = question("image-match", json!({ "percent": 95 }), &[("logo", "logo.png")]);
    let expected = [
        watch(logo, Until::Match, 10_000, 500, None),
        watch(question("never", none(), &[]), Until::Match, 1_000, 0, None),
        watch(question("never", none(), &[]), Until::NoMatch, 2_500, 0, Some(3)),
        watch(question("freeze", json!({ "seconds": 1 }), &[]), Until::End, 3_000, 0, None),
        watch(question("black", none(), &[]), Until::Match, 0, 0, None),
        Call::Analyse { question: question("ocr", none(), &[("picture", "a.png")]), picture: "menu.png".into() },
        Call::Log { level: LogLevel::Info, text: "so it is".into() },
        Call::KeepFrames { most: 40, first: 0, skip: 0, slot: None },
        Call::Arm {
            question: question("zap-timer", none(), &[]),
            key: Some("Channel+".into()),
            presses: 1,
            timeout_ms: 15_000,
            slot: None,
        },
        Call::Armed { slot: None },
        Call::Log { level: LogLevel::Info, text: "1.5 s".into() },
        Call::KeptFrames { slot: None },
        Call::KeptFrame { index: 1, slot: Some(3) },
        Call::KeptFrame { index: 2, slot: None },
        Call::SerialSend { bytes: "\u{c3}\u{a4}".into(), slot: None },
        Call::SerialRead { from: 4, slot: None },
        Call::Log { level: LogLevel::Info, text: "boot".into() },
        Call::VideoStart { prefix: Some("zap".into()), slot: None },
        Call::Log { level: LogLevel::Info, text: "/out/film.avi".into() },
        Call::VideoStop { slot: None },
        Call::Signal { slot: None },
        Call::Inject { fault: "freeze 5s".into(), slot: None },
        measured("zap time", 1.5, Some("s"), (None, None)),
        measured("zaps", 3.0, None, (None, None)),
        measured("zap time", 2.5, Some("s"), (Some(0.5), Some(2.0))),
        measured("level", -20.0, None, (Some(-30.0), None)),
        Call::Artifact { path: "data.csv".into(), name: Some("data".into()) },
    ];
    assert_eq!(calls[2..], expected);
}

#[test]
fn a_script_looks_for_screens_and_uses_what_tests_share() {
    let calls = finished(
        r#"
        connect();
        reserve_slot(3);
        let guide = screen("menus.json", "Guide");
        let seen = wait_for_screen(guide, 10);
        if !seen.met || seen.seconds != 2.5 || seen.looks != 3 || seen.slots.len() != 1 { throw "wrong"; }
        let title = seen.regions[0];
        if title.name != "title" || title.kind != "OCRTest" || !title.met || !title.counts { throw "wrong"; }
        if title.values.percent != 97.5 || title.sentence != "so it is" { throw "wrong"; }
        // What a script makes itself, and a file's name, are screens too.
        if look_for_screen(#{ Name: "own", Regions: [#{ Type: "MotionTest" }] }, 3).met { throw "wrong"; }
        wait_for_screen("guide.stscreen", #{ within: 2.5, gap: 0 });
        if !look_at_screen("menu.png", guide).met || screens("menus.json").len() != 2 { throw "wrong"; }
        guide.Name = "kept";
        print(save_screen(guide, "kept"));
        if named_region("/UI/title", 3) != [50, 40, 300, 44] || named_string("/UI/hello") != "Guten Tag" { throw "wrong"; }
        look_for("colour", named_colour("/UI/panel"));
        look_for("image-match", #{ pictures: named_image("/UI/logo") });
        try { named_string("/UI/none"); } catch (error) { print(error.code); }
        "#,
    );
    let guide = |name: &str| json!({ "Type": "ScreenDef", "Name": name, "Regions": [] });
    let load = |file: &str| Call::Screens { file: file.into() };
    let wait = |screen, timeout_ms, gap_ms, slot| Call::WaitScreen { screen, timeout_ms, gap_ms, slot };
    let named = |kind, name: &str, slot| Call::Named { kind, name: name.into(), slot };
    let look = |analyser: &str, parameters, references| Call::Watch {
        question: Question { analyser: analyser.into(), parameters, references },
        until: Until::Match,
        timeout_ms: 0,
        gap_ms: 0,
        slot: None,
    };
    let logo = ReferenceFile { name: "picture".into(), path: "/srv/public/resources/UI/logo.png".into() };
    let expected = [
        load("menus.json"),
        wait(guide("Guide"), 10_000, 1_000, None),
        wait(json!({ "Name": "own", "Regions": [{ "Type": "MotionTest" }] }), 0, 1_000, Some(3)),
        load("guide.stscreen"),
        wait(guide("Guide"), 2_500, 0, None),
        Call::MatchScreen { screen: guide("Guide"), picture: "menu.png".into() },
        load("menus.json"),
        Call::SaveScreen { screen: guide("kept"), name: "kept".into() },
        Call::Console { text: "/out/kept.stscreen".into() },
        named(Resource::Region, "/UI/title", Some(3)),
        named(Resource::String, "/UI/hello", None),
        named(Resource::Colour, "/UI/panel", None),
        look("colour", json!({ "value": [16, 20, 40], "flatness": 90 }), vec![]),
        named(Resource::Image, "/UI/logo", None),
        look("image-match", serde_json::Value::Null, vec![logo]),
        named(Resource::String, "/UI/none", None),
        Call::Console { text: "bad_call".into() },
    ];
    assert_eq!(calls[2..], expected);
}

fn measured(name: &str, value: f64, unit: Option<&str>, (low, high): (Option<f64>, Option<f64>)) -> Call {
    Call::Measure { name: name.into(), value, unit: unit.map(Into::into), low, high }
}

#[test]
fn what_cannot_be_asked_is_told_to_the_script() {
    for (line, word) in [
        ("wait_for(\"black\", #{}, \"ten\")", "seconds are a number"),
        ("wait_for(\"black\", #{ pictures: 5 }, 1)", "`pictures` is a file name"),
        ("measure(\"x\", 0.0 / 0.0)", "not a finite number"),
        ("measure(\"x\", 1, #{ high: \"two\" })", "not a finite number"),
        ("measure(\"x\", 1, #{ hihg: 2 })", "there is no `hihg`; known are unit, low, high"),
        ("wait_for(\"black\", #{ gap: -1 }, 1)", "cannot wait -1"),
        ("screen(\"menus.json\")", "it has more than one; they are Guide, Main menu"),
        ("screen(\"menus.json\", \"Gide\")", "it has no \"Gide\"; they are Guide, Main menu"),
        ("wait_for_screen(#{}, #{ witin: 3 })", "the time has no `witin`"),
        ("wait_for_screen(#{}, \"ten\")", "seconds are a number"),
        ("named_region(\"/UI/title\", -1)", "slot"),
    ] {
        let text = crashed(&format!("connect(); reserve_slot(1);\n{line};"));
        assert!(text.contains(word), "{text}");
    }
}

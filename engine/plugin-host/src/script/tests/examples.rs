//! The examples do what their README says.
//!
//! The Rust ones are built beforehand, by `cargo build --release --target wasm32-unknown-unknown` in `examples/`.

use std::path::{Path, PathBuf};

use headend_wire::session::{Call, GuestLimits, ScriptEnd};

use super::rack::{Guest, Outcome, Seen, session};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples");

fn run(script: &Path, args: &[&str]) -> Seen {
    let (outcome, seen) = Guest::start(None).run(session(script, args), &GuestLimits::default());
    assert_eq!(outcome, Outcome::Said(ScriptEnd::Finished));
    seen
}

/// A built example. `None`, told on standard error, where it was not built; that is an error under CI.
pub(super) fn built(name: &str) -> Option<PathBuf> {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| Path::new(FOLDER).join("target"), PathBuf::from);
    let places = [target, Path::new(FOLDER).join("target")];
    let files = places.map(|place| place.join("wasm32-unknown-unknown/release").join(name));
    let found = files.into_iter().find(|file| file.exists());
    if found.is_none() {
        assert!(std::env::var_os("CI").is_none(), "{name} is not built");
        eprintln!("skipped: {name} is not built; build the workspace in examples/ for wasm32-unknown-unknown");
    }
    found
}

fn count(seen: &Seen, is: impl Fn(&Call) -> bool) -> usize {
    seen.calls.iter().filter(|call| is(call)).count()
}

#[test]
fn rhai_zap_captures_every_channel() {
    let seen = run(&Path::new(FOLDER).join("rhai-zap/zap.rhai"), &["2"]);
    assert_eq!(seen.result, Some(111));
    assert_eq!(count(&seen, |call| matches!(call, Call::Capture { .. })), 4);
    assert_eq!(count(&seen, |call| matches!(call, Call::EndStep { result: 111, .. })), 4);
    assert_eq!(count(&seen, |call| matches!(call, Call::EndRegion { .. })), 3);
}

#[test]
fn wasm_menu_walks_down_and_up() {
    let Some(script) = built("wasm_menu.wasm") else { return };
    let seen = run(&script, &["2"]);
    assert_eq!(seen.result, Some(111));
    assert_eq!(count(&seen, |call| matches!(call, Call::Capture { .. })), 5);
    assert_eq!(count(&seen, |call| matches!(call, Call::EndStep { result: 111, .. })), 4);
    assert_eq!(count(&seen, |call| matches!(call, Call::EndRegion { .. })), 4);
}

#[test]
fn wasm_menu_says_what_is_wrong_with_its_argument() {
    let Some(script) = built("wasm_menu.wasm") else { return };
    let (outcome, seen) = Guest::start(None).run(session(&script, &["many"]), &GuestLimits::default());
    let expected = "wasm_menu.wasm: `many` is not a number of menu entries (test)";
    assert_eq!(outcome, Outcome::Said(ScriptEnd::Crashed(expected.into())));
    assert_eq!(seen.result, None);
}

#[test]
fn noop_reports_in_both_languages() {
    assert_eq!(run(&Path::new(FOLDER).join("noop/noop.rhai"), &[]).result, Some(111));
    if let Some(script) = built("noop.wasm") {
        assert_eq!(run(&script, &[]).result, Some(111));
    }
}

#[test]
fn tests_that_look_keep_a_time_for_each_zap() {
    let scripts = [Some(Path::new(FOLDER).join("rhai-watch/watch.rhai")), built("wasm_watch.wasm")];
    for script in scripts.into_iter().flatten() {
        let seen = run(&script, &["2"]);
        assert_eq!(seen.result, Some(111), "{}", script.display());
        assert_eq!(count(&seen, |call| matches!(call, Call::Press { .. })), 2);
        assert_eq!(count(&seen, |call| matches!(call, Call::Measure { value: 1.5, high: Some(5.0), .. })), 2);
        assert_eq!(count(&seen, |call| matches!(call, Call::VideoStart { .. } | Call::VideoStop { .. })), 2);
    }
}

#[test]
fn a_test_in_wasm_keeps_one_picture_of_each_zap() {
    let Some(script) = built("wasm_watch.wasm") else { return };
    let seen = run(&script, &["2"]);
    let kept = |call: &Call| matches!(call, Call::KeepFrames { most: 50, first: 0, skip: 0, slot: Some(1) });
    assert_eq!(count(&seen, kept), 2);
    // There are two, so the last is number 1; its file is logged.
    assert_eq!(count(&seen, |call| matches!(call, Call::KeptFrame { index: 1, slot: Some(1) })), 2);
    let logged = |call: &Call| matches!(call, Call::Log { text, .. } if text.ends_with("/out/zapframe_1.jpg"));
    assert_eq!(count(&seen, logged), 2);
}

#[test]
fn tests_that_know_screens_open_both_menus() {
    let scripts = [Some(Path::new(FOLDER).join("screens/screens.rhai")), built("wasm_screens.wasm")];
    for script in scripts.into_iter().flatten() {
        let seen = run(&script, &[]);
        assert_eq!(seen.result, Some(111), "{}", script.display());
        let keys = seen.calls.iter().filter_map(|call| match call {
            // Keys have two spellings.
            Call::Press { key, .. } => Some(key.trim_start_matches("TV_")),
            _ => None,
        });
        assert_eq!(keys.collect::<Vec<_>>(), ["Guide", "Exit", "Menu", "Exit"]);
        let waited = |name: &'static str, timeout_ms| {
            move |call: &Call| {
                matches!(call, Call::WaitScreen { screen, timeout_ms: most, gap_ms: 1_000, .. }
                if screen["Name"] == name && *most == timeout_ms)
            }
        };
        assert_eq!(count(&seen, waited("Guide", 10_000)), 1);
        assert_eq!(count(&seen, waited("Main menu", 10_000)), 1);
        assert_eq!(count(&seen, waited("Guide", 0)), 1);
        assert_eq!(count(&seen, |call| matches!(call, Call::Measure { value: 2.5, .. })), 2);
    }
}

/// `wasm-watch` as it was compiled against 1.1.0 of the world, before measurements had limits, 1.2.0, before it kept pictures, and 1.3.0, before
/// screens.
#[test]
fn tests_of_the_releases_before_still_run() {
    for (version, limit) in [("1.1.0", None), ("1.2.0", Some(5.0)), ("1.3.0", Some(5.0))] {
        let script = format!("{}/../../tests/guests/released/watch-{version}/watch.wasm", env!("CARGO_MANIFEST_DIR"));
        let seen = run(Path::new(&script), &["2"]);
        assert_eq!(seen.result, Some(111), "{version}");
        let measured = |call: &Call| matches!(call, Call::Measure { low: None, high, .. } if *high == limit);
        assert_eq!(count(&seen, measured), 2, "{version}");
    }
}

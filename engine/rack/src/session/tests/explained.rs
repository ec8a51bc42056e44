//! What explains a failure without the device: sources, console, the last seconds, pictures of a zap.

use serde_json::json;

use super::fake::{Fake, GAP_US};
use super::looking::question;
use super::*;

fn places(all: &[&str]) -> Vec<String> {
    all.iter().map(|place| (*place).to_owned()).collect()
}

/// A script and a module of it, and a link that leads out.
fn write_sources(bench: &mut Bench) {
    let folder = bench.out.path().join("script");
    std::fs::create_dir_all(folder.join("lib")).unwrap();
    std::fs::write(folder.join("x.rhai"), "connect();\nlet less = 1 < 2;\npress(\"Ok\");\n").unwrap();
    std::fs::write(folder.join("lib/keys.py"), "one\ntwo\n").unwrap();
    std::os::unix::fs::symlink("/etc/passwd", folder.join("lib/out.py")).unwrap();
    bench.session.set_files(&folder.join("x.rhai"), None);
}

#[tokio::test]
async fn the_sources_are_kept_and_the_page_leads_to_the_lines_that_called() {
    let mut bench = bench_of(&[1], vec![Fake::in_virtual_time()]);
    write_sources(&mut bench);
    bench.ready(&[1]).await;
    let from = places(&["lib/keys.py:2", "x.rhai:3", "../../secret:1", "x.rhai:none", "lib/out.py:1"]);
    bench.session.call_from(press("Ok", None), from).await;
    bench.session.call_from(Call::BeginRegion { name: "zap".into() }, places(&["x.rhai:1"])).await;
    bench.ok(Call::EndRegion { name: "zap".into(), style: None, comment: None }).await;
    bench.ok(Call::Wait { ms: 2_000 }).await;
    let later = std::time::SystemTime::now() + std::time::Duration::from_mins(1);
    let module = bench.out.path().join("script/lib/keys.py");
    std::fs::File::options().write(true).open(module).unwrap().set_modified(later).unwrap();
    bench.session.keep_sources().await;
    bench.session.close().await;
    assert!(bench.session.finish("done"));
    let events = bench.events();
    let source = |kind: &str| events.iter().find(|event| event["kind"] == kind).unwrap()["source"].clone();
    assert_eq!(source("press"), json!(["lib/keys.py:2", "x.rhai:3", "lib/out.py:1"]));
    assert_eq!((source("wait"), source("serial")), (Value::Null, Value::Null));
    let read = |name: &str| std::fs::read_to_string(bench.out.path().join("run/src").join(name));
    assert_eq!(read("lib/keys.py").unwrap(), "one\ntwo\n");
    assert!(read("x.rhai").unwrap().starts_with("connect();"));
    assert!(read("lib/out.py").is_err(), "what lies outside is not the run's");
    let page = bench.page();
    for part in [
        "<a href=\"#s1-2\">lib/keys.py:2</a> \u{2190} <a href=\"#s0-3\">x.rhai:3</a>",
        "<li id=\"s0-2\">let less = 1 &lt; 2;",
        "<li id=\"s1-2\">two",
        "zap <small class=\"src\"><a href=\"#s0-1\">x.rhai:1</a></small></summary>",
        "<td>source x.rhai<td>",
        "written to while it ran",
    ] {
        assert!(page.contains(part), "{part} is missing in {page}");
    }
    assert!(!page.contains("root:"), "{page}");
}

#[tokio::test]
async fn a_run_with_nothing_to_keep_keeps_no_sources() {
    let mut bench = bench(&[1]);
    write_sources(&mut bench);
    bench.ready(&[1]).await;
    bench.session.call_from(result(111), places(&["x.rhai:3"])).await;
    bench.session.keep_sources().await;
    bench.session.close().await;
    assert!(!bench.session.finish("done"));
    assert!(!bench.out.path().join("run").exists());
}

#[tokio::test]
async fn what_was_printed_stands_between_the_calls() {
    let mut bench = bench_of(&[1], vec![Fake::in_virtual_time()]);
    bench.ready(&[1]).await;
    let print = |text: &str| Call::Console { text: text.into() };
    bench.ok(print("before the key")).await;
    bench.ok(press("Ok", None)).await;
    bench.ok(print("after the key")).await;
    bench.ok(press("Menu", None)).await;
    bench.session.close().await;
    assert!(bench.session.finish("done"));
    let page = bench.page();
    let place = |text: &str| page.find(text).unwrap_or_else(|| panic!("{text} is missing in {page}"));
    let order = ["before the key", "PressButton(Ok)", "after the key", "PressButton(Menu)"].map(place);
    assert!(order.is_sorted(), "{page}");
    let run = bench.out.path().join("run");
    assert_eq!(std::fs::read_to_string(run.join("console.txt")).unwrap(), "before the key\nafter the key\n");
    let times = std::fs::read_to_string(run.join("console.times")).unwrap();
    let begins: Vec<_> = times.lines().filter_map(|line| line.split_once(' ')).map(|(place, _)| place).collect();
    assert_eq!(begins, ["0", "15"]);
}

#[tokio::test]
async fn a_failure_leaves_the_last_seconds_as_a_film_too() {
    let mut bench = bench_of(&[1], vec![Fake::in_virtual_time()]);
    bench.ready(&[1]).await;
    bench.ok(press("Ok", None)).await;
    bench.ok(Call::Wait { ms: 4_000 }).await;
    bench.ok(result(100)).await;
    bench.session.close().await;
    assert!(bench.session.finish("failed"));
    let events = bench.events();
    let strip = events.iter().find(|event| event["kind"] == "filmstrip").unwrap();
    let failed = strip["failed_us"].as_u64().unwrap();
    assert_eq!(failed, 4_040_000);
    assert!(strip["times_us"].as_array().unwrap().iter().all(|at| at.as_u64().unwrap() <= failed), "{strip}");
    let film = strip["film"].as_str().unwrap();
    assert!(film.ends_with("/run/lastseconds_1.avi"), "{film}");
    let bytes = std::fs::read(film).unwrap();
    assert!(bytes.starts_with(b"RIFF") && bytes.len() < 2 << 20, "{} bytes", bytes.len());
    assert!(strip["film_pictures"].as_u64() >= Some(20), "five a second: {strip}");
    assert!(bench.page().contains("<a href=\"./lastseconds_1.avi\">"));
}

#[tokio::test]
async fn a_zap_leaves_the_pictures_before_between_and_after() {
    let mut bench = bench_of(&[1], vec![Fake::in_virtual_time()]);
    let limits = LogLimits { captures: 10, ..LogLimits::default() };
    bench.session.recorder = Recorder::new(bench.out.path().join("run"), limits);
    bench.ready(&[1]).await;
    bench.ok(Call::Wait { ms: 1_000 }).await;
    let question = question("since-key", Value::Null);
    bench.ok(Call::Arm { question, key: None, presses: 1, timeout_ms: 5_000, slot: None }).await;
    bench.ok(press("Ok", None)).await;
    bench.ok(Call::Armed { slot: None }).await;
    bench.session.close().await;
    assert!(bench.session.finish("done"));
    let events = bench.events();
    let kept = events.iter().find(|event| event["kind"] == "armed_pictures").unwrap();
    let kept = kept["pictures"].as_array().unwrap();
    let what: Vec<_> = kept.iter().map(|picture| picture["what"].as_str().unwrap()).collect();
    assert_eq!(what, ["before", "black", "new"]);
    let at: Vec<_> = kept.iter().map(|picture| picture["at_us"].as_u64().unwrap()).collect();
    assert!(at[0] <= 1_000_000 && at[1] < at[2] && at[2] == 1_000_000 + GAP_US, "{at:?}");
    assert!(kept.iter().all(|picture| std::path::Path::new(picture["path"].as_str().unwrap()).is_file()));
    let page = bench.page();
    for part in ["Timer slot 1 since-key: before at ", "src=\"./thumbs/since-key_1_black_thumb.jpeg\""] {
        assert!(page.contains(part), "{part} is missing in {page}");
    }
}

//! Screens that are waited for and looked at, on a device whose pictures and sound are known.

use headend_media::Picture;
use headend_wire::session::{RegionSeen, Resource, Screened, SlotAnswer};
use serde_json::json;

use super::fake::{Fake, GREEN, RED};
use super::*;
use crate::record::pictures;

fn colour(name: &str, value: [u8; 3]) -> Value {
    // The design is twice as large as what comes in.
    json!({ "Type": "ColorTest", "Name": name, "Rect": { "rect": [20, 20, 100, 40] },
            "ReferenceColor": { "Color": value, "Tolerance": [3, 3, 3] } })
}

fn screen(regions: &[Value]) -> Value {
    json!({ "Type": "ScreenDef", "Name": "page", "DesignSize": [640, 360], "Regions": regions })
}

fn wait(screen: &Value, timeout_ms: u64, gap_ms: u64) -> Call {
    Call::WaitScreen { screen: screen.clone(), timeout_ms, gap_ms, slot: None }
}

fn rows(answer: &Value) -> Vec<SlotAnswer<Screened>> {
    serde_json::from_value(answer.clone()).unwrap()
}

fn only(answer: &Value) -> Screened {
    let mut rows = rows(answer);
    assert_eq!(rows.len(), 1);
    rows.pop().unwrap().value
}

fn met(seen: &Screened) -> Vec<(&str, bool)> {
    seen.regions.iter().map(|RegionSeen { name, met, .. }| (name.as_str(), *met)).collect()
}

#[tokio::test]
async fn a_screen_is_waited_for_until_all_that_counts_is_there_in_one_picture() {
    if fake::built().is_none() {
        return;
    }
    let mut bench = bench_of(&[1], vec![Fake::in_virtual_time()]);
    bench.ready(&[1]).await;
    let mut free = colour("free", RED);
    free["Verify"] = false.into();
    let mut gone = colour("not red", RED);
    gone["PassOnNoMatch"] = true.into();
    let sound = json!({ "Type": "AudioTest", "Name": "sound", "AudioThreshold": -60, "Timeout": 3 });
    let page = screen(&[colour("green", GREEN), free, gone, sound]);

    let missed = only(&bench.ok(wait(&page, 1_000, 500)).await);
    assert!(!missed.met && missed.seconds >= 1.0, "{missed:?}");
    assert_eq!(met(&missed)[..3], [("green", false), ("free", true), ("not red", false)]);

    bench.ok(press("Ok", None)).await;
    let seen = only(&bench.ok(wait(&page, 5_000, 100)).await);
    assert!(seen.met, "{seen:?}");
    assert_eq!(met(&seen), [("green", true), ("free", false), ("not red", true), ("sound", true)]);
    // Black for so long after the key; the key itself takes one picture's time.
    let at = seen.regions[0].seen.at_us;
    assert!(seen.regions[1].seen.at_us == at && seen.regions[2].seen.at_us == at, "one picture: {seen:?}");
    assert!(seen.seconds > 0.3 && seen.seconds < 1.0 && seen.looks >= 4, "{seen:?}");
    assert_eq!(seen.regions[0].seen.found[0].area, [10, 10, 50, 20], "in pixels of what comes in");
    assert!(std::path::Path::new(seen.picture.as_ref().unwrap()).is_file());
    bench.session.close().await;
    bench.session.finish("done");
    let events = bench.events();
    let told = events.iter().rfind(|event| event["kind"] == "screen").unwrap();
    assert_eq!(
        (&told["met"], &told["name"], told["regions"].as_array().unwrap().len()),
        (&json!(true), &json!("page"), 4)
    );
    assert!(bench.page().contains("Screen slot 1 page: yes") && bench.page().contains("free: no"));
}

#[tokio::test]
async fn several_slots_take_turns_and_each_has_its_answer() {
    if fake::built().is_none() {
        return;
    }
    let mut bench = bench_of(&[1, 2], vec![Fake::in_virtual_time(), Fake::in_virtual_time()]);
    bench.ready(&[2, 1]).await;
    bench.ok(press("Ok", Some(2))).await;
    let seen = rows(&bench.ok(wait(&screen(&[colour("green", GREEN)]), 2_000, 100)).await);
    let told: Vec<_> = seen.iter().map(|row| (row.slot, row.value.met)).collect();
    assert_eq!(told, [(2, true), (1, false)]);
    assert!(seen[0].value.seconds < 1.0 && seen[1].value.seconds >= 2.0, "{seen:?}");
}

#[tokio::test]
async fn of_a_stored_picture_what_moves_and_sounds_cannot_be_told() {
    if fake::built().is_none() {
        return;
    }
    let mut bench = bench_of(&[1], vec![Fake::in_virtual_time()]);
    bench.ready(&[1]).await;
    let script = bench.out.path().join("script");
    std::fs::create_dir_all(&script).unwrap();
    let red = Picture::colour(640, 360, RED.repeat(640 * 360)).unwrap();
    pictures::write(&script, "red.png", &red).unwrap();
    let image = json!({ "Type": "ImageTest", "Name": "same", "ReferenceImage": "red.png" });
    let lost = json!({ "Type": "ImageTest", "Name": "lost", "ReferenceImage": "none.png", "PassOnNoMatch": true });
    let moves = json!({ "Type": "MotionTest", "Name": "moves", "PassOnNoMatch": true });
    let odd = json!({ "Type": "SmellTest", "Name": "odd" });
    let page = screen(&[colour("red", RED), image, lost, moves, odd]);
    let seen = only(
        &json!([{ "slot": 0, "value": bench.ok(Call::MatchScreen { screen: page, picture: "red.png".into() }).await }]),
    );
    assert_eq!(
        met(&seen),
        [("red", true), ("same", true), ("lost", false), ("moves", false), ("odd", false)],
        "what could not be looked at is never as wanted"
    );
    assert!(!seen.met);
    let why = |at: usize| seen.regions[at].seen.sentence.as_str();
    assert!(
        why(2).contains("none.png") && why(3).contains("stored picture") && why(4).contains("SmellTest"),
        "{seen:?}"
    );
    let both = screen(&[colour("red", RED)]);
    let answer = bench.ok(Call::MatchScreen { screen: both, picture: "red.png".into() }).await;
    assert_eq!(answer["met"], true);
}

#[tokio::test]
async fn screens_and_names_are_of_the_scripts_own_files() {
    let mut bench = bench_of(&[1], vec![Fake::in_virtual_time()]);
    bench.ready(&[1]).await;
    let script = bench.out.path().join("script");
    std::fs::create_dir_all(script.join("resources")).unwrap();
    let page = screen(&[colour("red", RED)]);
    std::fs::write(script.join("page.stscreen"), page.to_string()).unwrap();
    std::fs::write(script.join("resources/UI.json"), r#"{ "hello": { "string": "Guten Tag" } }"#).unwrap();
    let loaded = bench.ok(Call::Screens { file: "page.stscreen".into() }).await;
    assert_eq!(loaded, json!({ "name": "page", "screens": [page] }));
    let named = |name: &str| Call::Named { kind: Resource::String, name: name.into(), slot: Some(1) };
    assert_eq!(bench.ok(named("/UI/hello")).await, "Guten Tag");
    assert_eq!(bench.error(named("/UI/none")).await, "bad_call");
    assert_eq!(bench.error(Call::Screens { file: "/etc/passwd".into() }).await, "bad_call");

    let save = |name: &str| Call::SaveScreen { screen: page.clone(), name: name.into() };
    let path = bench.ok(save("../../kept.stscreen")).await;
    assert_eq!(path, bench.out.path().join("run/kept.stscreen").display().to_string());
    assert_eq!(bench.ok(Call::Screens { file: path.as_str().unwrap().into() }).await["name"], "page");
    assert_eq!(bench.error(save("..")).await, "bad_call");
    assert_eq!(bench.error(wait(&json!({ "Regions": 7 }), 0, 0)).await, "bad_call");
}

#[tokio::test]
async fn a_screen_that_a_script_makes_names_what_is_shared() {
    if fake::built().is_none() {
        return;
    }
    let mut bench = bench_of(&[1], vec![Fake::in_virtual_time()]);
    bench.ready(&[1]).await;
    let resources = bench.out.path().join("script/resources");
    std::fs::create_dir_all(resources.join("UI")).unwrap();
    let shared = json!({ "bar": { "region": [20, 20, 100, 40] }, "red": { "color": RED, "tolerances": [3, 3, 3] } });
    std::fs::write(resources.join("UI.json"), shared.to_string()).unwrap();
    let red = Picture::colour(320, 180, RED.repeat(320 * 180)).unwrap();
    pictures::write(&resources.join("UI"), "all.png", &red).unwrap();
    let bar =
        json!({ "Type": "ColorTest", "Name": "bar", "Rect": "/UI/bar", "ReferenceColor": { "Color": "/UI/red" } });
    let all = json!({ "Type": "ImageTest", "Name": "all", "ReferenceImage": "/UI/all" });
    let lost = json!({ "Type": "ImageTest", "Name": "lost", "ReferenceImage": "/UI/none" });
    let seen = only(&bench.ok(wait(&screen(&[bar, all, lost]), 0, 0)).await);
    assert_eq!(met(&seen), [("bar", true), ("all", true), ("lost", false)], "{seen:?}");
    assert_eq!(seen.regions[0].seen.found[0].area, [10, 10, 50, 20]);
    assert!(seen.regions[2].seen.sentence.contains("/UI/none"), "{seen:?}");
    let none = json!({ "Type": "MotionTest", "Rect": "/UI/none" });
    assert_eq!(bench.error(wait(&screen(&[none]), 0, 0)).await, "bad_call");
}

#[tokio::test]
async fn a_screen_is_waited_for_no_longer_than_the_slot_is_ones_own() {
    if fake::built().is_none() {
        return;
    }
    let mut bench = bench_of(&[1], vec![Fake::in_virtual_time()]);
    bench.ready(&[1]).await;
    bench.lease.left.store(40, Ordering::SeqCst);
    assert_eq!(bench.error(wait(&screen(&[colour("green", GREEN)]), 3_600_000, 1_000)).await, "lease_lost");
}

//! Waiting for what is seen and heard, on the virtual box and on a device whose pictures are known.

use headend_media::{Colour, Picture, Rect};
use headend_plugin_host::analyser::stored;
use headend_wire::session::{ReferenceFile, SlotAnswer, Until, Watched};
use serde_json::json;

use super::fake::{Fake, GAP_US, GREEN, RED};
use super::*;
use crate::record::pictures;

pub(super) fn question(analyser: &str, parameters: Value) -> headend_wire::session::Question {
    headend_wire::session::Question { analyser: analyser.into(), parameters, references: Vec::new() }
}

pub(super) fn watch(analyser: &str, parameters: Value, timeout_ms: u64) -> Call {
    let question = question(analyser, parameters);
    Call::Watch { question, until: Until::Match, timeout_ms, gap_ms: 0, slot: None }
}

/// The answer of the only slot.
pub(super) fn only(rows: &Value) -> Watched {
    let rows: Vec<SlotAnswer<Watched>> = serde_json::from_value(rows.clone()).unwrap();
    assert_eq!(rows.len(), 1);
    rows.into_iter().next().unwrap().value
}

pub(super) fn colour(value: [u8; 3]) -> Value {
    json!({ "value": value, "tolerance": [3, 3, 3] })
}

/// What the first slot shows now.
async fn shown(bench: &mut Bench) -> Picture {
    let rows = bench.ok(Call::Capture { rect: None, name: Some("now.png".into()), slot: None }).await;
    let path = rows[0]["value"]["path"].as_str().unwrap();
    stored::read(std::path::Path::new(path)).unwrap().picture
}

#[tokio::test]
async fn a_colour_of_the_box_is_found_and_another_one_is_waited_for_in_vain() {
    if fake::built().is_none() {
        return;
    }
    let mut bench = bench(&[1]);
    bench.ready(&[1]).await;
    let picture = shown(&mut bench).await;
    let [red, green, blue] = [0, 1, 2].map(|at| picture.read(Rect { x: 8, y: 8, width: 1, height: 1 })[at]);
    let wanted = json!({ "value": [red, green, blue], "region": [8, 8, 1, 1], "tolerance": [0, 0, 0] });
    let seen = only(&bench.ok(watch("colour", wanted.clone(), 0)).await);
    assert!(seen.met && seen.passed && seen.looks == 1 && seen.seconds == 0.0, "{seen:?}");
    assert_eq!(seen.values["red"], f64::from(red));
    let kept = seen.picture.unwrap();
    assert!(kept.ends_with("/run/colour_1.png"), "{kept}");
    assert!(bench.out.path().join("run/thumbs/colour_1_thumb.jpeg").is_file());

    // No box shows one colour over all of its screen and that one without a single pixel off.
    let question = question("colour", json!({ "value": [255, 0, 254], "tolerance": [0, 0, 0], "peak_error": 0 }));
    let before = bench.session.scenes[0].driver.now_us();
    let call = Call::Watch { question, until: Until::Match, timeout_ms: 2_500, gap_ms: 1_000, slot: Some(1) };
    let missed = only(&bench.ok(call).await);
    assert!(!missed.met && !missed.passed && !missed.sentence.is_empty(), "{missed:?}");
    assert_eq!((missed.looks, missed.seconds), (4, 2.5), "at 0, 1, 2 and 2.5 s");
    assert_eq!(bench.session.scenes[0].driver.now_us() - before, 2_500_000);
}

#[tokio::test]
async fn something_moves_on_a_live_channel() {
    if fake::built().is_none() {
        return;
    }
    let mut bench = bench(&[1]);
    bench.ready(&[1]).await;
    let call = |until| {
        let question = question("motion", json!({ "percent": 0.01, "tolerance": 4 }));
        Call::Watch { question, until, timeout_ms: 10_000, gap_ms: 200, slot: Some(1) }
    };
    let moved = only(&bench.ok(call(Until::Match)).await);
    assert!(moved.met && moved.score > 0.0 && !moved.found.is_empty(), "{moved:?}");
    assert_eq!(moved.found[0].tone, "good");
}

#[tokio::test]
async fn an_image_is_found_and_what_is_masked_does_not_count() {
    if fake::built().is_none() {
        return;
    }
    let mut bench = bench(&[1]);
    bench.ready(&[1]).await;
    let picture = shown(&mut bench).await;
    let script = bench.out.path().join("script");
    std::fs::create_dir_all(&script).unwrap();
    let area = Rect { x: 100, y: 60, width: 160, height: 90 };
    let part = picture.crop(area).unwrap();
    pictures::write(&script, "part.png", &part).unwrap();
    // The same with a stripe of something else: once plainly, once transparent.
    let spoilt = headend_plugin_host::analyser::drawn::picture(160, 90, |x, y| {
        let pixel = part.read(Rect { x, y, width: 1, height: 1 });
        if x < 80 {
            Colour::new(!pixel[0], pixel[1] ^ 0x80, !pixel[2])
        } else {
            Colour::new(pixel[0], pixel[1], pixel[2])
        }
    });
    pictures::write(&script, "spoilt.png", &spoilt).unwrap();
    let rgba: Vec<u8> = spoilt
        .read(spoilt.bounds())
        .chunks(3)
        .zip(0..)
        .flat_map(|(pixel, at)| [pixel[0], pixel[1], pixel[2], if at % 160 < 80 { 0 } else { 255 }])
        .collect();
    let mut encoder = png::Encoder::new(std::fs::File::create(script.join("masked.png")).unwrap(), 160, 90);
    encoder.set_color(png::ColorType::Rgba);
    encoder.write_header().unwrap().write_image_data(&rgba).unwrap();

    for (file, met) in [("part.png", true), ("spoilt.png", false), ("masked.png", true)] {
        let mut question = question(
            "image-match",
            json!({ "percent": 98, "tolerance": 8, "where": "same-place", "region": [100, 60, 160, 90] }),
        );
        question.references = vec![ReferenceFile { name: "it".into(), path: file.into() }];
        let seen =
            only(&bench.ok(Call::Watch { question, until: Until::Match, timeout_ms: 0, gap_ms: 0, slot: None }).await);
        assert_eq!(seen.met, met, "{file}: {seen:?}");
    }
    let mut missing = question("image-match", Value::Null);
    missing.references = vec![ReferenceFile { name: "it".into(), path: "nowhere.png".into() }];
    let call = Call::Watch { question: missing, until: Until::Match, timeout_ms: 0, gap_ms: 0, slot: None };
    let error = bench.refusal(call).await;
    assert!(error.code == "bad_call" && error.message.contains("nowhere.png"), "{error:?}");
}

#[tokio::test]
async fn a_stored_picture_is_judged() {
    if fake::built().is_none() {
        return;
    }
    let mut bench = bench(&[1]);
    bench.ready(&[1]).await;
    let folder = bench.out.path().join("script");
    std::fs::create_dir_all(&folder).unwrap();
    let picture = Picture::colour(40, 30, RED.repeat(1_200)).unwrap();
    pictures::write(&folder, "red.png", &picture).unwrap();
    let analyse = |value| Call::Analyse { question: question("colour", colour(value)), picture: "red.png".into() };
    let red: Watched = serde_json::from_value(bench.ok(analyse(RED)).await).unwrap();
    assert!(red.met && red.passed && red.picture.is_none(), "{red:?}");
    let green: Watched = serde_json::from_value(bench.ok(analyse(GREEN)).await).unwrap();
    assert!(!green.met && !green.sentence.is_empty(), "{green:?}");
    let deaf = Call::Analyse { question: question("audio-there", Value::Null), picture: "red.png".into() };
    assert_eq!(bench.error(deaf).await, "bad_call");
}

#[tokio::test]
async fn what_comes_is_waited_for_and_what_goes() {
    if fake::built().is_none() {
        return;
    }
    let mut bench = bench_of(&[1], vec![Fake::in_virtual_time()]);
    bench.ready(&[1]).await;
    assert!(only(&bench.ok(watch("colour", colour(RED), 0)).await).met);
    bench.ok(press("Ok", None)).await;
    let black = bench.session.scenes[0].driver.now_us();
    let green = only(&bench.ok(watch("colour", colour(GREEN), 5_000)).await);
    assert!(green.met, "{green:?}");
    // The key took 40 ms of the gap; then every picture is looked at.
    assert_eq!(green.at_us as u64, black - 40_000 + GAP_US);
    let gone = Call::Watch {
        question: question("colour", colour(GREEN)),
        until: Until::NoMatch,
        timeout_ms: 1_000,
        gap_ms: 0,
        slot: Some(1),
    };
    let stays = only(&bench.ok(gone).await);
    assert!(!stays.met && stays.passed && stays.seconds == 1.0, "{stays:?}");
    let through = Call::Watch {
        question: question("colour", colour(GREEN)),
        until: Until::End,
        timeout_ms: 400,
        gap_ms: 0,
        slot: Some(1),
    };
    let through = only(&bench.ok(through).await);
    assert!(through.met && through.looks == 11 && through.seconds == 0.4, "{through:?}");
}

#[tokio::test]
async fn sound_is_listened_to() {
    let mut bench = bench_of(&[1], vec![Fake::in_virtual_time()]);
    bench.ready(&[1]).await;
    let now = only(&bench.ok(watch("audio-there", Value::Null, 0)).await);
    assert!(!now.met && now.values["level"] <= -100.0 && now.picture.is_none(), "{now:?}");
    let heard = only(&bench.ok(watch("audio-there", Value::Null, 5_000)).await);
    assert!(heard.met && heard.values["at"] == 1_000_000.0, "{heard:?}");
    let mut silent = super::bench(&[1]);
    silent.ready(&[1]).await;
    match silent.session.call(watch("audio-there", Value::Null, 0)).await {
        Reply::Ok(rows) => assert_eq!(rows.as_array().map(Vec::len), Some(1), "the box can be heard"),
        Reply::Error(error) => assert!(error.code == "device" && error.message.contains("slot 1"), "{error:?}"),
    }
}

#[tokio::test]
async fn our_own_analysers_hear_the_box() {
    if fake::built().is_none() {
        return;
    }
    let mut bench = super::bench(&[1]);
    bench.ready(&[1]).await;
    let loud = only(&bench.ok(watch("audio-level", Value::Null, 2_000)).await);
    assert!(loud.met && loud.picture.is_none(), "{loud:?}");
    let question = question("silence", json!({ "seconds": 1 }));
    let call = |question| Call::Watch { question, until: Until::Match, timeout_ms: 3_000, gap_ms: 0, slot: None };
    let silent = only(&bench.ok(call(question.clone())).await);
    assert!(!silent.met, "{silent:?}");
    bench.ok(press("Mute", None)).await;
    let muted = only(&bench.ok(call(question)).await);
    assert!(muted.met, "{muted:?}");
}

#[tokio::test]
async fn slots_are_watched_together() {
    let mut bench = bench_of(&[1, 2], vec![Fake::in_virtual_time(), Fake::in_virtual_time()]);
    bench.ready(&[7, 8]).await;
    bench.ok(press("Ok", Some(8))).await;
    let rows = bench.ok(watch("since-key", Value::Null, 1_000)).await;
    let rows: Vec<SlotAnswer<Watched>> = serde_json::from_value(rows).unwrap();
    assert_eq!(rows.iter().map(|row| (row.slot, row.value.met)).collect::<Vec<_>>(), [(7, false), (8, true)]);
    let names: Vec<_> = rows.iter().map(|row| row.value.picture.clone().unwrap()).collect();
    assert!(names[0].ends_with("since-key_7.png") && names[1].ends_with("since-key_8.png"), "{names:?}");
}

#[tokio::test]
async fn a_broken_analyser_is_named_and_the_session_goes_on() {
    let mut bench = bench_of(&[1], vec![Fake::in_virtual_time()]);
    bench.ready(&[1]).await;
    let error = bench.refusal(watch("since-key", json!({ "fail": true }), 1_000)).await;
    assert_eq!(error.code, "analyser");
    assert!(error.message.contains("since-key 1.0.0") && error.message.contains("broken on purpose"), "{error:?}");
    let unknown = bench.refusal(watch("color", Value::Null, 0)).await;
    assert!(unknown.code == "bad_call" && unknown.message.contains("since-key"), "{unknown:?}");
    let wrong = bench.refusal(watch("since-key", json!({ "fail": 5 }), 0)).await;
    assert!(wrong.code == "bad_call" && wrong.message.contains("fail"), "{wrong:?}");
    let shape = bench.refusal(watch("since-key", json!([1]), 0)).await;
    assert_eq!(shape.code, "bad_call");
    assert!(!only(&bench.ok(watch("since-key", Value::Null, 0)).await).met);
}

#[tokio::test]
async fn a_lost_lease_ends_a_watch() {
    let mut bench = bench_of(&[1], vec![Fake::in_virtual_time()]);
    bench.ready(&[1]).await;
    bench.lease.left.store(10, Ordering::SeqCst);
    assert_eq!(bench.error(watch("since-key", Value::Null, 60_000)).await, "lease_lost");
    assert!(bench.session.lease_lost());
    assert!(bench.session.scenes[0].driver.now_us() < 1_000_000, "it did not go on to the end of its time");
}

#[tokio::test]
async fn an_analyser_that_breaks_while_the_lease_goes_is_no_reason() {
    let mut bench = bench_of(&[1], vec![Fake::in_virtual_time()]);
    bench.ready(&[1]).await;
    // Two questions: when the call begins, and before its first look, at which the analyser breaks.
    bench.lease.left.store(2, Ordering::SeqCst);
    let broken = watch("since-key", json!({ "fail": true }), 60_000);
    assert_eq!(bench.error(broken).await, "lease_lost");
    assert!(bench.session.lease_lost());
    bench.session.close().await;
    bench.session.finish("stopped");
    assert_eq!(bench.events().iter().filter(|event| event["code"] == "analyser").count(), 0);
}

#[tokio::test]
async fn an_analyser_that_changes_on_the_disk_is_loaded_anew() {
    let mut bench = bench_of(&[1], vec![Fake::in_virtual_time()]);
    bench.ready(&[1]).await;
    assert!(!only(&bench.ok(watch("since-key", Value::Null, 0)).await).met);
    let code = bench.out.path().join("own-analysers/since-key/code.rhai");
    std::fs::write(&code, "fn feed(frame) { #{ passed: true, sentence: \"always, says the new one\" } }").unwrap();
    let seen = only(&bench.ok(watch("since-key", Value::Null, 0)).await);
    assert!(seen.met && seen.sentence.contains("the new one"), "{seen:?}");
}

//! What goes on beside the script: timers that a key starts, films, in virtual and in real time.

use headend_wire::session::Watched;
use serde_json::json;

use super::fake::{Fake, GAP_US};
use super::looking::{only, question};
use super::*;
use crate::record::playable;

fn arm(key: Option<&str>, presses: u32, timeout_ms: u64) -> Call {
    let question = question("since-key", Value::Null);
    Call::Arm { question, key: key.map(str::to_owned), presses, timeout_ms, slot: None }
}

const ARMED: Call = Call::Armed { slot: None };

#[tokio::test]
async fn a_zap_is_timed_from_the_key_on_though_the_script_waits() {
    let mut bench = bench_of(&[1], vec![Fake::in_virtual_time()]);
    bench.ready(&[1]).await;
    bench.ok(Call::Wait { ms: 1_234 }).await;
    assert_eq!(bench.ok(arm(Some("ok"), 1, 5_000)).await, json!([{ "slot": 1, "value": true }]));
    bench.ok(press("Nothing", None)).await;
    let key = bench.session.scenes[0].driver.now_us();
    bench.ok(press("Ok", None)).await;
    bench.ok(Call::Wait { ms: 3_000 }).await;
    let timed = only(&bench.ok(ARMED).await);
    assert!(timed.met, "{timed:?}");
    assert_eq!(timed.values["from_us"], key as f64);
    assert_eq!(timed.values["first"], key as f64, "the picture before the key is looked at, too");
    assert_eq!(timed.at_us as u64, key + GAP_US);
    assert_eq!(timed.seconds, GAP_US as f64 / 1e6);
    assert_eq!(bench.error(ARMED).await, "bad_call", "it has been told");
}

#[tokio::test]
async fn asking_for_a_timer_waits_for_it() {
    let mut bench = bench_of(&[1], vec![Fake::in_virtual_time()]);
    bench.ready(&[1]).await;
    bench.ok(arm(None, 2, 5_000)).await;
    bench.ok(press("Nothing", None)).await;
    bench.ok(press("Ok", None)).await;
    assert!(only(&bench.ok(ARMED).await).met);
    bench.ok(arm(None, 1, 600)).await;
    let unpressed: Watched = only(&bench.ok(ARMED).await);
    assert!(!unpressed.met && unpressed.sentence.contains("no key"), "{unpressed:?}");
    bench.ok(arm(Some("Nothing"), 1, 100)).await;
    bench.ok(press("Ok", None)).await;
    bench.ok(press("Nothing", None)).await;
    let late = only(&bench.ok(ARMED).await);
    assert!(!late.met && !late.passed && late.seconds == 0.1, "{late:?}");
    assert_eq!(bench.error(ARMED).await, "bad_call");
}

#[tokio::test]
async fn in_real_time_a_timer_runs_by_itself() {
    let mut bench = bench_of(&[1], vec![Fake::in_real_time()]);
    bench.ready(&[1]).await;
    bench.ok(arm(Some("Ok"), 1, 60_000)).await;
    bench.ok(press("Ok", None)).await;
    let timed = only(&bench.ok(ARMED).await);
    assert!(timed.met && timed.seconds >= GAP_US as f64 / 1e6, "{timed:?}");
    bench.session.close().await;
    assert!(bench.session.tasks.is_empty());
}

#[tokio::test]
async fn the_zap_timer_times_a_zap_of_the_box() {
    if fake::built().is_none() {
        return;
    }
    let mut bench = bench(&[1]);
    bench.ready(&[1]).await;
    bench.ok(Call::Wait { ms: 2_010 }).await;
    // Above the banner, which is there before the picture.
    let question = question("zap-timer", json!({ "region": [0, 0, 1280, 400] }));
    bench.ok(Call::Arm { question, key: Some("Channel+".into()), presses: 1, timeout_ms: 15_000, slot: None }).await;
    bench.ok(press("Channel+", None)).await;
    bench.ok(Call::Wait { ms: 5_000 }).await;
    let zap = only(&bench.ok(ARMED).await);
    assert!(zap.met && zap.values["seconds"] > 0.0 && zap.values["seconds"] < 5.0, "{zap:?}");
    assert!(zap.picture.is_some(), "{zap:?}");
}

/// Frames by the index, and whether each is a JPEG or nothing.
fn frames(path: &str) -> Vec<usize> {
    let bytes = std::fs::read(path).unwrap();
    let number = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()) as usize;
    assert_eq!((&bytes[..4], &bytes[8..12], number(4)), (b"RIFF".as_slice(), b"AVI ".as_slice(), bytes.len() - 8));
    let movi = bytes.windows(4).position(|four| four == b"movi").unwrap();
    let index = movi + number(movi - 4);
    assert_eq!(&bytes[index..index + 4], b"idx1");
    let entries = (index + 8..index + 8 + number(index + 4)).step_by(16);
    let sizes = entries.map(|entry| {
        let (place, size) = (movi + number(entry + 8), number(entry + 12));
        assert_eq!((&bytes[place..place + 4], number(place + 4)), (b"00dc".as_slice(), size));
        assert!(size == 0 || bytes[place + 8..].starts_with(&[0xff, 0xd8, 0xff]));
        size
    });
    sizes.collect()
}

#[tokio::test]
async fn a_film_has_the_pictures_that_pass_in_virtual_time() {
    let mut bench = bench(&[1, 2]);
    bench.ready(&[1, 2]).await;
    let start = |slot| Call::VideoStart { prefix: Some("zap ".into()), slot };
    let rows = bench.ok(start(Some(2))).await;
    let path = rows[0]["value"].as_str().unwrap().to_owned();
    let name = path.rsplit('/').next().unwrap();
    assert!(name.starts_with("zap Vid_2_20") && std::path::Path::new(name).extension().unwrap() == "avi", "{name}");
    assert_eq!(bench.ok(start(Some(2))).await, json!([{ "slot": 2, "value": null }]), "it is filmed already");
    bench.ok(Call::Wait { ms: 2_000 }).await;
    assert_eq!(bench.ok(Call::VideoStop { slot: None }).await, json!([{ "slot": 2, "value": true }]));
    assert_eq!(bench.ok(Call::VideoStop { slot: None }).await, json!([]));
    let frames = frames(&path);
    assert_eq!(frames.len(), 21, "two seconds at ten a second, and the first");
    assert!(frames.iter().all(|size| *size > 0));
}

#[tokio::test]
async fn a_film_in_real_time_is_closed_with_the_session() {
    let mut bench = bench_of(&[1], vec![Fake::in_real_time()]);
    bench.ready(&[1]).await;
    let rows = bench.ok(Call::VideoStart { prefix: None, slot: None }).await;
    let path = rows[0]["value"].as_str().unwrap().to_owned();
    let begun = std::fs::metadata(&path).unwrap().len();
    bench.ok(Call::Wait { ms: 350 }).await;
    bench.session.close().await;
    assert!(bench.session.finish("done"));
    assert!(frames(&path).len() >= 2);
    assert!(std::fs::metadata(&path).unwrap().len() > begun);
    assert!(bench.events().iter().any(|event| event["kind"] == "video_stop" && event["trouble"].is_null()));
}

#[tokio::test]
async fn a_lost_slot_is_not_filmed_any_more_but_what_there_is_stays() {
    let mut bench = bench_of(&[1], vec![Fake::in_virtual_time()]);
    bench.ready(&[1]).await;
    let rows = bench.ok(Call::VideoStart { prefix: None, slot: None }).await;
    let path = rows[0]["value"].as_str().unwrap().to_owned();
    bench.lease.live.store(false, Ordering::SeqCst);
    assert_eq!(bench.error(Call::VideoStart { prefix: None, slot: None }).await, "lease_lost");
    bench.session.close().await;
    assert_eq!(frames(&path).len(), 1);
}

#[tokio::test]
async fn films_are_there_for_browsers_too_where_ffmpeg_is() {
    if !headend_drivers::tools::ffmpeg::can_make_mp4() {
        assert!(std::env::var_os("HEADEND_DEVICE_TOOLS").is_none_or(|value| value != "1"), "ffmpeg is not here");
        eprintln!("NOT TRIED: ffmpeg is not here; `cargo xtask setup` installs it");
        return;
    }
    let mut bench = bench(&[1]);
    bench.ready(&[1]).await;
    let mut films = Vec::new();
    // One is closed by the script, the other one by the end.
    for stop in [true, false] {
        let rows = bench.ok(Call::VideoStart { prefix: None, slot: None }).await;
        films.push(rows[0]["value"].as_str().unwrap().to_owned());
        bench.ok(Call::Wait { ms: 2_000 }).await;
        if stop {
            bench.ok(Call::VideoStop { slot: None }).await;
        }
    }
    bench.ok(Call::Result { code: 100, comment: None }).await;
    bench.session.close().await;
    assert!(bench.session.finish("done"));
    let run = bench.out.path().join("run");
    films.push(run.join("lastseconds_1.avi").display().to_string());
    // Somebody else's, in the folder that `--out` names.
    std::fs::write(run.join("holidays.avi"), "RIFF").unwrap();
    // Left by a rack that was killed meanwhile.
    std::fs::write(run.join("lastseconds_1.mp4.partial"), "half").unwrap();
    for _ in 0..2 {
        playable::make(&run).await;
    }
    for film in &films {
        let mp4 = std::fs::read(std::path::Path::new(film).with_extension("mp4")).unwrap();
        assert_eq!(&mp4[4..8], b"ftyp", "{film}");
    }
    assert_eq!(bench.page().matches("<video ").count(), 3);
    assert!(!run.join("holidays.mp4").exists());
    let left = std::fs::read_dir(&run).unwrap().map(|entry| entry.unwrap().path());
    assert_eq!(left.filter(|path| path.extension().is_some_and(|ending| ending == "partial")).count(), 0);
}

const FRAMES: Call = Call::KeptFrames { slot: None };

fn frame(index: u32) -> Call {
    Call::KeptFrame { index, slot: Some(1) }
}

#[tokio::test]
async fn the_pictures_of_a_zap_are_kept_one_by_one() {
    let mut bench = bench_of(&[1], vec![Fake::in_virtual_time()]);
    bench.ready(&[1]).await;
    let none = json!([{ "slot": 1, "value": { "count": 0, "width": 0, "height": 0 } }]);
    assert_eq!(bench.ok(FRAMES).await, none, "nobody wants any");
    bench.ok(Call::KeepFrames { most: 20, first: 0, skip: 0, slot: None }).await;
    bench.ok(arm(Some("Ok"), 1, 60_000)).await;
    assert_eq!(bench.ok(FRAMES).await, none, "no key yet");
    bench.ok(press("Ok", None)).await;
    assert_eq!(bench.ok(FRAMES).await[0]["value"], json!({ "count": 20, "width": 320, "height": 180 }));
    assert!(only(&bench.ok(ARMED).await).met, "and the timer has gone on");

    // Black from the key on for ten pictures, then green; the first came 40 ms after the key.
    let first = bench.ok(frame(0)).await;
    let path = first[0]["value"]["path"].as_str().unwrap().to_owned();
    assert!(path.ends_with("/run/zapframe_1_0000.jpg"), "{path}");
    assert_eq!(bench.ok(frame(0)).await, first, "a file is made once");
    assert_eq!(bench.ok(frame(20)).await, json!([{ "slot": 1, "value": null }]));
    let mut green = Vec::new();
    for index in 0..20 {
        let seen = bench
            .ok(Call::Analyse { question: question("since-key", Value::Null), picture: format!("frame:1/{index}") });
        green.push(seen.await["passed"] == true);
    }
    assert_eq!(green.iter().position(|green| *green), Some(9), "{green:?}");
    assert!(green[9..].iter().all(|green| *green));
    for odd in ["frame:1/20", "frame:2/0", "frame:1/x"] {
        let call = Call::Analyse { question: question("since-key", Value::Null), picture: odd.into() };
        assert_eq!(bench.error(call).await, "bad_call", "{odd}");
    }

    // The next timer begins anew, and nobody may want them any more.
    bench.ok(arm(Some("Ok"), 1, 400)).await;
    assert_eq!(bench.ok(FRAMES).await, none);
    bench.ok(press("Ok", None)).await;
    assert_eq!(bench.ok(FRAMES).await[0]["value"]["count"], 10, "the timer's time is over");
    bench.ok(Call::KeepFrames { most: 0, first: 0, skip: 0, slot: None }).await;
    bench.ok(arm(Some("Ok"), 1, 400)).await;
    bench.ok(press("Ok", None)).await;
    assert_eq!(bench.ok(FRAMES).await, none);
}

#[tokio::test]
async fn in_real_time_the_pictures_of_a_zap_come_by_themselves() {
    let mut bench = bench_of(&[1], vec![Fake::in_real_time()]);
    bench.ready(&[1]).await;
    bench.ok(Call::KeepFrames { most: 3, first: 0, skip: 0, slot: Some(1) }).await;
    bench.ok(arm(Some("Ok"), 1, 60_000)).await;
    bench.ok(press("Ok", None)).await;
    assert_eq!(bench.ok(FRAMES).await[0]["value"]["count"], 3);
}

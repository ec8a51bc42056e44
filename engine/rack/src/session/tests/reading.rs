//! Waiting for what is said on the serial port, on a device whose lines are known and on the virtual box.

use headend_wire::session::{Until, Watched};
use serde_json::json;

use super::fake::Fake;
use super::looking::{only, question, watch};
use super::*;
use crate::driver::wired::Wired;

const SECOND_US: u64 = 1_000_000;

async fn seen(bench: &mut Bench, parameters: Value, timeout_ms: u64) -> Watched {
    only(&bench.ok(watch("line-there", parameters, timeout_ms)).await)
}

#[tokio::test]
async fn a_line_is_waited_for_and_has_its_own_time() {
    let mut bench = bench_of(&[1], vec![Fake::in_virtual_time()]);
    bench.ready(&[1]).await;
    let third = seen(&mut bench, json!({ "text": "<3>" }), 60_000).await;
    assert!(third.met && third.sentence == "it said second <3>", "{third:?}");
    // The line is of then, though it was there only when its second was over.
    assert_eq!((third.at_us, third.seconds, third.values["lines"]), (3_000_000, 3.0, 4.0));
    assert!(third.picture.is_none(), "nobody has looked at the screen");
    assert_eq!(bench.session.scenes[0].driver.now_us(), 4 * SECOND_US);
    let never = seen(&mut bench, json!({ "text": "<3>" }), 2_500).await;
    assert!(!never.met && never.sentence == "2 lines, and none had it", "from now on: {never:?}");
    assert_eq!(never.seconds, 2.5);
    bench.session.finish("done");
    let events = bench.events();
    let watched: Vec<&Value> = events.iter().filter(|event| event["kind"] == "watch").collect();
    assert_eq!((&watched[0]["sentence"], &watched[0]["at_us"]), (&json!("it said second <3>"), &json!(3_000_000)));
    let kept = std::fs::read_to_string(bench.out.path().join("run/serial.txt")).unwrap();
    assert!(kept.contains("[3.000] slot 1: second <3>"), "{kept}");
}

#[tokio::test]
async fn lines_of_before_count_as_far_back_as_is_asked_and_the_slot_is_held() {
    let mut bench = bench_of(&[1], vec![Fake::in_virtual_time()]);
    bench.session.scenes[0].driver.reach(5 * SECOND_US).await;
    bench.ready(&[1]).await;
    bench.ok(Call::Wait { ms: 5_000 }).await;
    assert!(!seen(&mut bench, json!({ "text": "<7>" }), 0).await.met);
    assert!(!seen(&mut bench, json!({ "text": "<7>", "back_s": 2.9 }), 0).await.met);
    let back = seen(&mut bench, json!({ "text": "<7>", "back_s": 3 }), 0).await;
    assert!(back.met && back.looks == 1 && back.at_us == 7_000_000, "{back:?}");
    let before = seen(&mut bench, json!({ "text": "<2>", "back_s": 100 }), 0).await;
    assert!(!before.met && before.sentence.starts_with("5 lines"), "of before the slot was reserved: {before:?}");
}

#[tokio::test]
async fn in_real_time_lines_come_by_themselves() {
    let mut bench = bench_of(&[1], vec![Fake::in_real_time()]);
    bench.ready(&[1]).await;
    let seen = seen(&mut bench, json!({ "text": "second" }), 60_000).await;
    assert!(seen.met && seen.at_us % 1_000_000 == 0, "{seen:?}");
}

#[tokio::test]
async fn a_slot_without_a_serial_port_is_told_at_once() {
    let mut bench = bench_of(&[1], vec![Arc::new(Wired::new(1, None, "mute".into(), Vec::new()))]);
    bench.ready(&[1]).await;
    let error = bench.refusal(watch("line-there", json!({ "text": "x" }), 0)).await;
    assert!(error.code == "device" && error.message.contains("no serial port"), "{error:?}");
}

#[tokio::test]
async fn a_key_starts_to_listen() {
    let mut bench = bench(&[1]);
    bench.ready(&[1]).await;
    bench.ok(Call::Wait { ms: 1_000 }).await;
    let question = question("line-there", json!({ "text": "zap 2" }));
    bench.ok(Call::Arm { question, key: Some("Channel+".into()), presses: 1, timeout_ms: 5_000, slot: None }).await;
    let key = bench.session.scenes[0].driver.now_us();
    bench.ok(press("Channel+", None)).await;
    let zap = only(&bench.ok(Call::Armed { slot: None }).await);
    assert!(zap.met && zap.at_us as u64 == key && zap.seconds == 0.0, "{zap:?}");
}

#[tokio::test]
async fn the_box_is_waited_for_until_it_has_booted() {
    if fake::built().is_none() {
        return;
    }
    let mut bench = bench(&[1]);
    bench.ready(&[1]).await;
    bench.ok(Call::Power { on: false, slot: None }).await;
    bench.ok(Call::Wait { ms: 1_000 }).await;
    bench.ok(Call::Power { on: true, slot: None }).await;
    let booted = json!({ "pattern": "boot: network up, (\\S+)", "regex": true });
    let seen = only(&bench.ok(watch("serial-pattern", booted, 60_000)).await);
    assert!(seen.met && seen.sentence.contains("192.0.2.17"), "{seen:?}");
    assert!((14.0..16.0).contains(&seen.seconds), "600 of 1000 parts of 25 s: {seen:?}");
    assert_eq!((seen.found[1].label.as_str(), seen.values["matches"]), ("192.0.2.17", 1.0));
    let calm = json!({ "pattern": "panic", "absent": true });
    let calm = only(&bench.ok(watch("serial-pattern", calm, 20_000)).await);
    assert!(calm.met && calm.seconds == 20.0 && calm.values["lines"] > 1.0, "{calm:?}");
    let question = question("serial-pattern", json!({ "pattern": "panic", "absent": true }));
    bench.ok(Call::Inject { fault: "crash".into(), slot: None }).await;
    let until = Call::Watch { question, until: Until::NoMatch, timeout_ms: 20_000, gap_ms: 0, slot: None };
    let crashed = only(&bench.ok(until).await);
    assert!(crashed.met && !crashed.passed && crashed.sentence.contains("kernel panic"), "{crashed:?}");
}

//! Zaps, times each zap by what is seen, keeps a picture of the change, and sees to it that the new channel moves.
//!
//! Argument: how many zaps, 3 unless given.

use std::time::Duration;

use headend_sdk::script::{Error, Key, Look, Result, Session, Slot, TestResult};
use serde_json::json;

/// Longer than a box may take for a zap.
const PATIENCE: Duration = Duration::from_secs(15);
/// The first pictures after the key, two seconds of them at 25 a second.
const PICTURES: u32 = 50;
/// Slower zaps are marked as such.
const QUICK_S: f64 = 5.0;

headend_sdk::script!(watch_zaps);

fn watch_zaps(session: &mut Session) -> Result<TestResult> {
    let zaps = zaps(session.args())?;
    session.connect("zaps that are watched")?;
    let slot = session.reserve(1)?;
    slot.video_start(None)?;
    for zap in 1..=zaps {
        let step = session.step(&format!("zap {zap}"))?;
        match watch_zap(session, slot) {
            Ok(seconds) => {
                // A slow one is marked; whether it is a failure is for the test to say.
                session.measure_within("zap time", seconds, Some("s"), None, Some(QUICK_S))?;
                step.pass()?;
            }
            Err(error) => {
                step.fail(error.message())?;
                session.result_with(TestResult::Fail, error.message())?;
                return Ok(TestResult::Fail);
            }
        }
    }
    slot.video_stop()?;
    session.result_with(TestResult::Pass, &format!("{zaps} zaps"))?;
    session.disconnect()?;
    Ok(TestResult::Pass)
}

fn zaps(args: &[String]) -> Result<u32> {
    match args.first() {
        None => Ok(3),
        Some(text) => text.parse().map_err(|_| Error::new(format!("`{text}` is not a number of zaps"))),
    }
}

/// How long it takes from the key to the picture of a channel that then moves, in seconds.
fn watch_zap(session: &Session, slot: Slot) -> Result<f64> {
    slot.keep_frames(PICTURES)?;
    slot.arm(&Look::with_defaults("zap-timer").within(PATIENCE), Some(Key::ChannelUp.name()))?;
    slot.press(Key::ChannelUp)?;
    let zap = slot.armed()?;
    session.check(zap.met, &format!("no new channel: {}", zap.sentence))?;
    keep_last(session, slot)?;
    // Above the banner.
    let moving = Look::with("motion", json!({ "percent": 0.1, "region": [0, 0, 1280, 400] }));
    let seen = slot.wait_for(&moving.within(PATIENCE).every(Duration::from_millis(200)))?;
    session.check(seen.met, &format!("nothing moves: {}", seen.sentence))?;
    Ok(zap.time.as_secs_f64())
}

/// The last of the pictures from the key on, as a file beside the log.
fn keep_last(session: &Session, slot: Slot) -> Result<()> {
    let count = slot.kept_frames()?;
    if let Some(last) = slot.kept_frame(count.saturating_sub(1))? {
        session.log(&format!("picture {count} after the key: {}", last.path))?;
    }
    Ok(())
}

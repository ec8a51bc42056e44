//! The zap timer through zaps as boxes make them: over black, straight, over a frozen picture, too late, never.

use headend_plugin_host::analyser::drawn::{noise, picture, plain, stream};
use headend_plugin_host::analyser::media::{Colour, Picture, Rect};
use headend_plugin_host::analyser::{AnalyserFault, Verdict};

use crate::support::{Lab, laid};

/// A channel of moving pictures: a gradient of its own with a square that moves.
fn live(channel: u32, step: u32) -> Picture {
    let (red, green) = (channel * 67 % 200, channel * 131 % 200);
    let below = picture(160, 90, move |x, y| {
        Colour::new(30 + (red + x) as u8 % 200, 30 + (green + y) as u8 % 200, 40 + (channel * 40 % 180) as u8)
    });
    laid(&below, &plain(16, 16, Colour::new(250, 250, 250)), step * 3 % 140, 40)
}

fn black() -> Picture {
    plain(160, 90, Colour::new(16, 16, 16))
}

/// Frame 10 is the first after the key, which is pressed at 0.39 s.
fn judge(parameters: &str, after: impl IntoIterator<Item = Picture>) -> Verdict {
    let lab = Lab::own("zap-timer");
    let before = (0..10).map(|step| live(1, step));
    let parameters = format!("{{\"from_us\": 390000{parameters}}}");
    let verdicts = lab.verdicts("zap-timer", &parameters, &[], &stream(before.chain(after))).unwrap();
    assert_eq!(verdicts.len(), 1, "{verdicts:?}");
    verdicts.into_iter().next().unwrap()
}

fn value(verdict: &Verdict, name: &str) -> f64 {
    verdict.values.iter().find(|value| value.name == name).unwrap().number
}

#[test]
fn a_zap_over_black_ends_with_the_first_new_picture() {
    let old = (10..20).map(|step| live(1, step));
    let new = (0..10).map(|step| live(2, step));
    let seen = judge("", old.chain((0..5).map(|_| black())).chain(new));
    assert!(seen.passed && seen.frame == 25, "{seen:?}");
    assert!((value(&seen, "seconds") - 0.61).abs() < 1e-9 && (value(&seen, "frame") - 25.0).abs() < 1e-9, "{seen:?}");
    assert!((value(&seen, "change_seconds") - 0.41).abs() < 1e-9, "{seen:?}");
}

#[test]
fn a_zap_may_be_straight_or_over_a_frozen_picture_or_fade_in() {
    let new = || (0..10).map(|step| live(2, step));
    assert_eq!(judge("", new()).frame, 10, "straight");
    assert_eq!(judge("", std::iter::repeat_n(live(1, 9), 8).chain(new())).frame, 18, "frozen");
    // What flickers for one frame is not the new picture.
    let flash = std::iter::once(live(3, 0)).chain(std::iter::once(black()));
    assert_eq!(judge("", flash.chain(new())).frame, 12);
    let blue = std::iter::repeat_n(plain(160, 90, Colour::new(20, 90, 200)), 5);
    assert_eq!(judge("", blue.clone().chain(new())).frame, 15, "a screen of one colour is no picture");
    assert_eq!(judge(", \"colour_count\": 1", blue.chain(new())).frame, 10, "unless it is said to be one");
}

#[test]
fn what_does_not_change_or_does_not_last_is_no_zap() {
    let still = judge("", (10..30).map(|step| live(1, step)));
    assert!(!still.passed && still.sentence.contains("did not change"), "a moving picture is no zap: {still:?}");
    let never = judge("", (0..20).map(|_| black()));
    assert!(!never.passed && never.sentence.contains("no new one was stable"), "{never:?}");
    let torn = judge("", (0..20).map(|n| noise(160, 90, n)));
    assert!(!torn.passed && torn.sentence.contains("no new one was stable"), "snow: {torn:?}");
    let late = judge(", \"timeout_s\": 0.5", (0..20).map(|_| black()).chain((0..9).map(|step| live(2, step))));
    assert!(!late.passed && late.frame == 23, "it is told when it is late, not at the end: {late:?}");
    let none = judge("", []);
    assert!(!none.passed && none.sentence.contains("no frame came after the key"), "{none:?}");
}

#[test]
fn a_banner_is_not_the_new_picture_and_a_region_leaves_it_out() {
    // The banner comes at once, the channel 8 frames later.
    let banner = plain(160, 20, Colour::new(200, 30, 30));
    let with = |frame: Picture| laid(&frame, &banner, 0, 70);
    let zap = || (10..18).map(|step| with(live(1, step))).chain((0..9).map(|step| with(live(2, step))));
    assert_eq!(judge("", zap()).frame, 18);
    let above = judge(", \"region\": [0, 0, 160, 60]", zap());
    assert!(above.frame == 18 && above.area == Some(Rect { x: 0, y: 0, width: 160, height: 60 }), "{above:?}");
    let below = judge(", \"region\": [0, 70, 160, 20]", zap());
    assert!(!below.passed, "one colour is no picture: {below:?}");
    let lab = Lab::own("zap-timer");
    let declined = lab.verdicts("zap-timer", "", &[], &[]);
    assert!(matches!(declined, Err(AnalyserFault::Declined { .. })), "it needs the time of the key: {declined:?}");
}

//! What is heard: sound that is so, that is not, and that nearly is.

use headend_plugin_host::analyser::drawn::{STEP_US, plain};
use headend_plugin_host::analyser::media::{Colour, Sound};
use headend_plugin_host::analyser::{AnalyserFault, Frame, Heard, Verdict};

use crate::support::{Event, Lab, RATE, pieces, sine};

fn value(verdict: &Verdict, name: &str) -> f64 {
    verdict.values.iter().find(|value| value.name == name).unwrap().number
}

/// Amplitude of a sine of this level.
fn amplitude(dbfs: f64) -> f64 {
    10_f64.powf(dbfs / 20.0) * std::f64::consts::SQRT_2
}

/// White enough, the same each time.
fn hiss(time: f64) -> f64 {
    let mut value = ((time * f64::from(RATE)).round() as u64).wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    value = (value ^ (value >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    (value >> 40) as f64 / 8_388_608.0 - 1.0
}

fn mono(seconds: f64, wave: impl Fn(f64) -> f64) -> Vec<Event> {
    pieces(seconds, |time| [wave(time); 2])
}

#[test]
fn levels_are_those_of_each_channel_and_the_threshold_decides() {
    let lab = Lab::own("audio-level");
    let heard = lab.events(
        "audio-level",
        "",
        pieces(2.0, |time| [amplitude(-20.0) * sine(440.0, time), amplitude(-40.0) * sine(440.0, time)]),
    );
    assert_eq!((heard.len(), heard[0].passed, heard[1].at_us), (4, true, 520_000), "each 13 pieces: {heard:?}");
    assert!((value(&heard[0], "dbfs_left") + 20.0).abs() < 0.05, "{heard:?}");
    assert!((value(&heard[0], "dbfs_right") + 40.0).abs() < 0.05 && (value(&heard[0], "dbfs") + 22.97).abs() < 0.05);
    let at = |dbfs: f64| {
        let verdicts = lab.events("audio-level", "", mono(0.6, |time| amplitude(dbfs) * sine(440.0, time)));
        verdicts[0].passed
    };
    assert!(at(-59.5) && !at(-60.5), "the threshold is -60 dBFS unless it is set");
    let still = lab.events("audio-level", r#"{"threshold_dbfs": -120}"#, mono(0.6, |_| 0.0));
    assert!(still[0].passed && value(&still[0], "dbfs") <= -120.0);
    assert!(lab.events("audio-level", "", vec![]).is_empty());
    let one = Sound::new(8_000, 1, vec![i16::MIN; 8_000]).unwrap();
    let one = lab.events("audio-level", "", vec![Event::Heard(Heard { at_us: 5, sound: one })]);
    assert!(value(&one[0], "dbfs_right").abs() < 0.01, "of mono both are the one: {one:?}");
}

#[test]
fn silence_is_told_once_when_it_has_lasted() {
    let lab = Lab::own("silence");
    let judge = |wave: fn(f64) -> f64| lab.events("silence", r#"{"seconds": 0.5}"#, mono(2.0, wave));
    let gap = judge(|time| if (0.4..1.2).contains(&time) { 0.0 } else { sine(440.0, time) });
    assert!(gap.len() == 1 && gap[0].passed && gap[0].at_us == 900_000, "{gap:?}");
    let short = judge(|time| if (0.4..0.88).contains(&time) { 0.0 } else { sine(440.0, time) });
    assert!(!short[0].passed && short[0].sentence.contains("0.48 s at most"), "{short:?}");
    let soft = judge(|time| 0.002 * sine(440.0, time));
    assert!(!soft[0].passed, "-57 dBFS is not silence: {soft:?}");
    assert!(judge(|time| 0.001 * sine(440.0, time))[0].passed, "-63 dBFS is");
    let one_side = lab.events("silence", r#"{"seconds": 0.5}"#, pieces(2.0, |time| [0.0, sine(440.0, time)]));
    assert!(!one_side[0].passed, "{one_side:?}");
    let twice = judge(|time| if time % 1.0 < 0.8 { 0.0 } else { sine(440.0, time) });
    assert_eq!(twice.len(), 2, "{twice:?}");
    assert!(lab.events("silence", "", vec![])[0].sentence.contains("no sound at all"));
}

#[test]
fn a_tone_is_told_from_its_neighbours_and_from_hiss() {
    let lab = Lab::own("tone");
    let judge = |parameters: &str, events| {
        let parameters = format!("{{\"hertz\": 1000{parameters}}}");
        lab.events("tone", &parameters, events).into_iter().next().unwrap()
    };
    let pure = judge("", mono(0.4, |time| 0.5 * sine(1_000.0, time)));
    assert!(pure.passed && value(&pure, "share") > 0.99, "{pure:?}");
    assert!(!judge("", mono(0.4, |time| 0.5 * sine(1_050.0, time))).passed, "50 Hz beside it");
    assert!(!judge("", mono(0.4, |time| 0.3 * hiss(time))).passed);
    let buried = |level: f64| mono(0.4, move |time| level * sine(1_000.0, time) + 0.3 * hiss(time));
    assert!(judge("", buried(0.3)).passed && !judge("", buried(0.2)).passed, "3 parts of power to 2, and 2 to 3");
    let quiet = judge("", mono(0.4, |time| 0.001 * sine(1_000.0, time)));
    assert!(!quiet.passed && quiet.sentence.contains("too quiet"), "{quiet:?}");
    let left = || pieces(0.4, |time| [0.5 * sine(1_000.0, time), 0.5 * sine(400.0, time)]);
    assert!(judge(", \"channel\": \"left\"", left()).passed && !judge("", left()).passed);
    assert!(!judge(", \"channel\": \"right\"", left()).passed);
    let declined = lab.verdicts("tone", "", &[], &[]);
    assert!(matches!(declined, Err(AnalyserFault::Declined { .. })), "it needs a frequency: {declined:?}");
}

#[test]
fn swapped_channels_are_told_from_right_ones_and_from_mono() {
    let lab = Lab::own("channel-swap");
    let judge = |left: f64, right: f64, level: f64| {
        let parameters = r#"{"left_hertz": 440, "right_hertz": 1000}"#;
        let events = pieces(0.6, move |time| [0.5 * sine(left, time), level * sine(right, time)]);
        lab.events("channel-swap", parameters, events).into_iter().next().unwrap()
    };
    assert!(judge(1_000.0, 440.0, 0.5).passed);
    for (left, right, level, words) in [
        (440.0, 1_000.0, 0.5, "as they should be"),
        (440.0, 440.0, 0.5, "the same tone"),
        (1_000.0, 1_000.0, 0.5, "the same tone"),
        (1_000.0, 440.0, 0.0, "silent"),
        (1_000.0, 600.0, 0.5, "not heard"),
    ] {
        let seen = judge(left, right, level);
        assert!(!seen.passed && seen.sentence.contains(words), "{left} {right} {level}: {}", seen.sentence);
    }
    let alike = lab.host.instance(
        &headend_model::PolicyName::new("channel-swap").unwrap(),
        &[],
        r#"{"left_hertz": 440, "right_hertz": 450}"#,
    );
    assert!(matches!(alike.err(), Some(AnalyserFault::Declined { .. })));
}

/// Flashes of one frame, and beeps of 40 ms, at these times in seconds.
fn flashes_and_beeps(flashes: &[f64], beeps: &'static [f64]) -> Vec<Event> {
    let bright = |at: i64| flashes.iter().any(|flash| ((flash * 1e6) as i64 - at).abs() < STEP_US / 2);
    let frame = |number: i64| {
        let value = if bright(number * STEP_US) { 240 } else { 20 };
        let picture = plain(64, 36, Colour::new(value, value, value));
        Event::Shown(Frame { number: number as u64, at_us: number * STEP_US, picture })
    };
    let beep = |time: f64| beeps.iter().any(|begin| (0.0..0.04).contains(&(time - begin)));
    let sound = mono(4.0, move |time| if beep(time) { 0.5 * sine(1_000.0, time) } else { 0.001 * hiss(time) });
    (0..100).map(frame).chain(sound).collect()
}

#[test]
fn sound_is_held_against_picture_by_flash_and_beep() {
    let lab = Lab::own("av-offset");
    let judge = |flashes: &[f64], beeps| lab.events("av-offset", "", flashes_and_beeps(flashes, beeps));
    let together = judge(&[1.0, 2.0, 3.0], &[1.0, 2.02, 2.97]);
    assert_eq!(together.len(), 3, "{together:?}");
    for (verdict, expected) in together.iter().zip([0.0, 20.0, -30.0]) {
        assert!(verdict.passed && (value(verdict, "offset_ms") - expected).abs() < 1.0, "{expected}: {verdict:?}");
    }
    let late = judge(&[1.0], &[1.2]);
    assert!(!late[0].passed && (value(&late[0], "offset_ms") - 200.0).abs() < 1.0, "{late:?}");
    assert!(late[0].frame == 25 && late[0].sentence.contains("after the picture"), "{late:?}");
    let alone = judge(&[1.0], &[1.6]);
    assert!(!alone[0].passed && alone[0].sentence.contains("without a beep"), "{alone:?}");
    assert!(judge(&[], &[1.0])[0].sentence.contains("no flash"));
    let last = judge(&[3.96], &[3.95]);
    assert!(last[0].passed && last.len() == 1, "the end of the stream decides: {last:?}");
    let lax = lab.events("av-offset", r#"{"tolerance_ms": 250}"#, flashes_and_beeps(&[1.0], &[1.2]));
    assert!(lax[0].passed, "{lax:?}");
}

//! What is heard.

use headend_media::Sound;
use headend_stb::{CHANNELS, Film, SECOND_US, channel};

use crate::support::{film, s};

/// The second before now.
fn heard(film: &Film) -> Sound {
    film.sound(film.now_us() - SECOND_US, SECOND_US).unwrap()
}

fn tones(sound: &Sound, left: u32, right: u32) -> (f64, f64) {
    (sound.tone(0, sound.whole(), f64::from(left)), sound.tone(1, sound.whole(), f64::from(right)))
}

fn is_silent(sound: &Sound) -> bool {
    (0..2).all(|side| sound.peak(side, sound.whole()) == 0.0)
}

#[test]
fn every_channel_has_a_tone_on_each_side() {
    let mut film = film();
    for index in 0..CHANNELS - 1 {
        film.skip(s(3));
        let (sound, tuned) = (heard(&film), channel(0, index));
        assert_eq!((sound.rate(), sound.channels(), sound.count()), (48_000, 2, 48_000));
        let (left, right) = tones(&sound, tuned.left_hz, tuned.right_hz);
        assert!(left > 0.99 && right > 0.99, "{tuned:?} {left} {right}");
        let (left, right) = tones(&sound, tuned.right_hz, tuned.left_hz);
        assert!(left < 0.01 && right < 0.01, "sides differ");
        film.press("Channel+");
    }
}

#[test]
fn the_past_can_be_asked_for_in_any_pieces() {
    let mut film = film();
    film.skip(s(2)).press("Channel+").skip(s(2)).press("Mute").skip(s(2)).press("Vol+").skip(s(2)).frame();
    let whole = film.sound(0, 8 * SECOND_US).unwrap();
    let read = |sound: &Sound, side| sound.read(side, sound.whole()).collect::<Vec<_>>();
    let mut pieces = Vec::new();
    let cuts = [0, 1, 333_333, 1_999_999, 2_600_000, 5_123_456, 8 * SECOND_US];
    for pair in cuts.windows(2) {
        pieces.extend(read(&film.sound(pair[0], pair[1] - pair[0]).unwrap(), 0));
    }
    assert_eq!(pieces, read(&whole, 0));
    let part = |from: f64, to: f64| {
        let at = |seconds: f64| (seconds * 48_000.0) as u32;
        headend_media::Span { first: at(from), count: at(to) - at(from) }
    };
    assert!(whole.tone(0, part(0.5, 1.5), 400.0) > 0.99, "channel 1");
    assert!(whole.peak(0, part(2.0, 2.6)) == 0.0, "nothing in the gap of a zap");
    assert!(whole.tone(0, part(2.6, 3.6), 450.0) > 0.99, "channel 2");
    assert!(whole.peak(0, part(4.0, 6.0)) == 0.0, "mute");
    assert!(whole.peak(0, part(6.0, 8.0)) > whole.peak(0, part(0.5, 1.5)), "louder");
}

#[test]
fn what_is_to_come_sounds_as_if_nobody_touched_the_box() {
    let mut film = film();
    film.press("Channel+");
    let ahead = film.sound(0, 3 * SECOND_US).unwrap();
    film.skip(s(3)).frame();
    assert_eq!(film.sound(0, 3 * SECOND_US).unwrap(), ahead);
    assert_eq!(film.sound(0, 61 * SECOND_US), None);
    assert_eq!(film.sound(u64::MAX, SECOND_US), None);
}

#[test]
fn standby_mains_and_boot_are_silent() {
    let mut film = film();
    film.press("Power").skip(s(2));
    assert!(is_silent(&heard(&film)));
    film.mains(false).mains(true).skip(s(10));
    assert!(is_silent(&heard(&film)));
    film.skip(s(20));
    assert!(!is_silent(&heard(&film)));
}

#[test]
fn keys_click_in_menus_only() {
    let mut film = film();
    film.press_all("Menu").skip(s(1)).press("Down").skip(s(1));
    let quiet = film.clone().press("Exit").skip(s(2)).clone();
    let at = film.now_us() - SECOND_US;
    let sound = film.sound(at, 15_000).unwrap();
    let plain = quiet.sound(quiet.now_us() - SECOND_US, 15_000).unwrap();
    assert!(sound.tone(0, sound.whole(), 2_500.0) > 0.1 && plain.tone(0, plain.whole(), 2_500.0) < 0.05);
}

#[test]
fn what_is_long_gone_is_not_kept() {
    let mut film = film();
    for _ in 0..300 {
        film.press("Mute").skip(s(1));
    }
    film.frame();
    assert_eq!(film.sound(0, SECOND_US), None);
    assert!(film.sound(film.now_us() - 10 * SECOND_US, SECOND_US).is_some());
}

#[test]
fn the_test_card_flashes_when_it_beeps() {
    let mut film = film();
    film.press_all("2 4 Ok").skip(s(8)).frame();
    let start = (film.now_us() / SECOND_US + 1) * SECOND_US;
    let loud: Vec<bool> = (0..50)
        .map(|step| {
            let sound = film.sound(start + step * 40_000, 40_000).unwrap();
            sound.dbfs(0, sound.whole()) > -25.0
        })
        .collect();
    let mut again = crate::support::film();
    again.press_all("2 4 Ok").skip(s(8)).frame();
    let flashes: Vec<bool> = again
        .roll(s(4))
        .filter(|frame| frame.at_us >= start)
        .take(50)
        .map(|frame| crate::support::pixel(&frame.picture, 640, 300).luma() > 200)
        .collect();
    assert_eq!(loud, flashes);
    assert_eq!(loud.iter().filter(|loud| **loud).count(), 6, "three pictures each second");
}

//! What goes wrong on order and by chance.

use headend_media::Picture;
use headend_stb::{Chances, Film, Options, SECOND_US};

use crate::support::{apart, film, frames, is_black, last, s, said};

fn roll(film: &mut Film, seconds: u64) -> Vec<Picture> {
    film.roll(s(seconds)).map(|frame| frame.picture).collect()
}

fn sound_is_there(film: &Film) -> bool {
    let sound = film.sound(film.now_us() - SECOND_US, SECOND_US).unwrap();
    sound.peak(0, sound.whole()) > 0.0
}

#[test]
fn a_frozen_picture_stands_still_and_the_rest_goes_on() {
    let mut film = film();
    film.skip(s(2)).inject("freeze 2s").unwrap();
    let first = film.frame().picture;
    film.press("Menu");
    let pictures = roll(&mut film, 3);
    assert!(pictures[..49].iter().all(|picture| *picture == first));
    assert_ne!(pictures[49], first, "and the menu is there");
    assert!(sound_is_there(&film) && last(&mut film).contains("Main Menu"));
}

#[test]
fn black_is_black_and_sounds() {
    let mut film = film();
    film.inject("black 1s").unwrap();
    let pictures = roll(&mut film, 2);
    assert_eq!(pictures.iter().take_while(|picture| is_black(picture)).count(), 25);
    assert!(sound_is_there(&film));
}

#[test]
fn no_signal_is_a_still_picture_and_silent() {
    let mut film = film();
    film.skip(s(1)).inject("no-signal 3s").unwrap();
    let pictures = roll(&mut film, 3);
    assert!(pictures.iter().all(|picture| *picture == pictures[0]) && !is_black(&pictures[0]));
    assert!(!sound_is_there(&film));
    film.skip(s(2));
    assert!(sound_is_there(&film));
    assert!(said(&mut film, "error: tuner 0 has lost its signal") && said(&mut film, "tuner 0 has a signal"));
}

#[test]
fn macroblocks_damage_a_part_of_the_picture() {
    let (mut whole, mut broken) = (film(), film());
    broken.inject("macroblocks 1s").unwrap();
    let (whole, broken) = (roll(&mut whole, 2), roll(&mut broken, 2));
    for n in 0..25 {
        let apart = apart(&whole[n], &broken[n], 8);
        assert!(apart > 2_000 && apart < 1_280 * 720 / 4, "{n} {apart:?}");
    }
    assert_eq!(whole[25..], broken[25..]);
}

#[test]
fn sound_can_fail_be_swapped_and_late() {
    let mut film = film();
    film.inject("silence 2s").unwrap().skip(s(2));
    assert!(!sound_is_there(&film));
    film.skip(s(1));
    assert!(sound_is_there(&film));
    film.inject("swap-sound 2s").unwrap().skip(s(1));
    let sound = film.sound(film.now_us() - SECOND_US, SECOND_US).unwrap();
    assert!(sound.tone(0, sound.whole(), 1_600.0) > 0.99 && sound.tone(1, sound.whole(), 400.0) > 0.99);
    film.press_all("2 4 Ok").inject("late-sound 200ms").unwrap().skip(s(6)).frame();
    let second = film.now_us() / SECOND_US * SECOND_US - SECOND_US;
    let level = |from| film.sound(second + from, 40_000).map(|sound| sound.dbfs(0, sound.whole())).unwrap();
    assert!(level(210_000) > -25.0 && level(20_000) < -25.0, "the beep comes late");
    film.inject("clear").unwrap().skip(s(2)).frame();
    let second = film.now_us() / SECOND_US * SECOND_US - SECOND_US;
    let sound = film.sound(second + 20_000, 40_000).unwrap();
    assert!(sound.dbfs(0, sound.whole()) > -25.0);
}

#[test]
fn a_crash_boots() {
    let mut film = film();
    film.press_all("4 Ok").skip(s(2)).inject("crash").unwrap();
    let dark = roll(&mut film, 2);
    assert!(is_black(&dark[0]) && !is_black(&dark[49]), "then the splash");
    assert!(!film.stb().is_on());
    film.skip(s(24)).frame();
    assert!(film.stb().is_on() && film.stb().channel().number == 4);
    assert!(said(&mut film, "kernel panic") && said(&mut film, "boot: kernel"));
}

#[test]
fn lost_keys_are_taken_and_do_nothing() {
    let mut film = film();
    film.inject("lose-key 2").unwrap();
    for expected in [1, 1, 2] {
        film.press("Channel+").skip(s(1)).frame();
        assert_eq!(film.stb().channel().number, expected);
    }
    assert_eq!(film.serial().iter().filter(|line| line.starts_with("key")).count(), 1);
}

#[test]
fn zaps_can_be_slow_and_wrong() {
    let mut film = film();
    film.inject("slow-zap 3s x2").unwrap().inject("wrong-channel 1").unwrap();
    let mut gap = |key: &str| {
        film.press(key);
        let black = roll(&mut film, 4).iter().take_while(|picture| is_black(picture)).count();
        (black, film.stb().channel().number)
    };
    assert_eq!([gap("Channel+"), gap("Channel+"), gap("Channel+")], [(75, 3), (75, 4), (15, 5)]);
}

#[test]
fn noise_is_on_the_line() {
    let mut film = film();
    film.inject("serial-noise 20").unwrap().skip(s(1));
    let lines = film.serial();
    assert_eq!(lines.len(), 20);
    assert!(lines.iter().all(|line| line.len() >= 8) && lines[0] != lines[1]);
    let error = film.inject("gremlins").unwrap_err().to_string();
    assert!(
        error.contains("\"gremlins\"") && error.contains("freeze 5s") && error.contains("serial-noise 20"),
        "{error}"
    );
}

#[test]
fn chance_is_the_same_for_the_same_seed() {
    let chances = Chances {
        lose_key: 0.3,
        wrong_channel: 0.2,
        freeze: 0.05,
        crash: 0.01,
        serial_noise: 0.1,
        ..Chances::default()
    };
    let story = |seed| {
        let mut film = Film::new(Options { chances, boot_ms: 2_000, ..Options::seeded(seed) });
        let mut channels = Vec::new();
        for _ in 0..120 {
            film.press("Channel+").skip(s(2)).frame();
            channels.push(film.stb().channel().number);
        }
        (channels, film.serial())
    };
    let (one, lines) = story(3);
    assert_eq!((one.clone(), lines.clone()), story(3));
    assert_ne!(one, story(4).0);
    assert!(one.windows(2).any(|pair| pair[0] == pair[1]), "keys got lost");
    assert!(lines.iter().any(|line| line.contains("panic")) || lines.len() == 400, "{}", lines.len());
}

#[test]
fn a_box_left_alone_for_a_year_catches_up() {
    let chances = Chances { freeze: 0.000_1, ..Chances::default() };
    let mut film = Film::new(Options { chances, ..Options::default() });
    film.skip(s(30 * 86_400)).frame();
    film.skip(frames(1)).press("Menu");
    assert!(last(&mut film).contains("Main Menu"));
}

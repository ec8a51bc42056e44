//! Mains, standby, boot.

use headend_stb::{Film, Options};

use crate::support::{film, is_black, s, said};

#[test]
fn mains_lead_through_the_boot_to_live_pictures() {
    let mut film = film();
    film.mains(false);
    assert!(is_black(&film.frame().picture));
    film.press("Ok").mains(true);
    let boot: Vec<_> = film.roll(s(25)).map(|frame| frame.picture).collect();
    assert!(boot[..25].iter().all(is_black), "dark for a second");
    assert!(boot[25..].windows(2).any(|pair| pair[0] != pair[1]) && !is_black(&boot[30]));
    assert!(!film.stb().is_on());
    film.frame();
    assert!(film.stb().is_on());
    let lines = film.serial();
    assert!(lines.iter().any(|line| line.starts_with("boot: kernel")) && lines.last().unwrap().starts_with("live 1"));
}

#[test]
fn keys_are_refused_without_mains_only() {
    let mut stb = headend_stb::Stb::new(Options::default(), 0);
    assert!(stb.press("Power", 1) && stb.press("Channel+", 2));
    assert_eq!(stb.channel().number, 1, "asleep");
    assert!(stb.press("Power", 3) && stb.press("Channel+", 4));
    assert_eq!(stb.channel().number, 1, "not yet awake");
    assert!(stb.press("Channel+", 3_000_000));
    assert_eq!(stb.channel().number, 2);
    stb.mains(false, 3_000_001);
    assert!(!stb.press("Ok", 3_000_002));
}

#[test]
fn standby_wakes_faster_than_mains() {
    let mut film = film();
    film.press("Power").skip(s(1));
    let asleep = film.frame().picture;
    assert!(!is_black(&asleep), "its light");
    assert!(asleep.rows().flatten().filter(|value| **value > 0).count() < 300, "and nothing else");
    film.press("Power").skip(s(2)).frame();
    assert!(film.stb().is_on() && said(&mut film, "standby") && said(&mut film, "wake up"));
}

#[test]
fn a_short_boot_can_be_had() {
    let mut film = Film::new(Options { boot_ms: 400, ..Options::default() });
    film.mains(false).mains(true).skip(s(1)).frame();
    assert!(film.stb().is_on());
}

#[test]
fn what_was_open_is_closed_after_a_power_cut_and_recordings_stay() {
    let mut film = film();
    film.press_all("Record 5 Ok").skip(s(2)).press("Guide").mains(false).mains(true).skip(s(30)).frame();
    assert_eq!(film.stb().channel().number, 5, "the last channel");
    film.send("status");
    assert!(said(&mut film, "on, channel 5 Kids Planet, volume 30, Live TV, recordings 1"), "{:?}", film.serial());
}

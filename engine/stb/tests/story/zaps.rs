//! Changes of channel.

use std::collections::BTreeSet;

use headend_stb::{CHANNELS, FRAME_US, Options, Stb, channel};

use crate::support::{BANNER, film, frames, is_black, last, s, said};

#[test]
fn a_zap_is_black_for_fifteen_pictures_and_then_shows_a_banner_for_a_hundred() {
    let mut film = film();
    film.skip(s(10)).press("Channel+");
    let pictures: Vec<_> = film.roll(s(8)).map(|frame| frame.picture).collect();
    assert_eq!(pictures.iter().take_while(|picture| is_black(picture)).count(), 15, "600 ms");
    assert!(pictures[15..].iter().all(|picture| !is_black(picture)));
    let line = |n: usize| pictures[n].crop(BANNER).unwrap().row(0).to_vec();
    assert!((15..115).all(|n| line(n) == line(15)), "the banner's edge stays for four seconds");
    assert_ne!(line(115), line(15), "and goes");
    assert!(said(&mut film, "zap 2 News 24") && said(&mut film, "tuned in 600 ms"));
}

#[test]
fn a_key_between_two_pictures_shows_with_the_next() {
    let mut stb = Stb::new(Options::default(), 0);
    let before = stb.look(FRAME_US).draw();
    assert!(stb.press("Channel+", FRAME_US + 25_000));
    let same = stb.look(FRAME_US + 30_000);
    assert_eq!((same.at_us(), same.draw() == before), (FRAME_US, true));
    assert!(is_black(&stb.look(2 * FRAME_US).draw()));
    // The gap ends between two pictures as well.
    assert!(is_black(&stb.look(16 * FRAME_US).draw()));
    assert!(!is_black(&stb.look(17 * FRAME_US).draw()));
}

#[test]
fn every_channel_has_its_own_banner_and_its_own_picture() {
    let mut film = film();
    let (mut banners, mut pictures) = (BTreeSet::new(), BTreeSet::new());
    for _ in 0..CHANNELS {
        film.press("Channel+").skip(s(2));
        let picture = film.frame().picture;
        assert!(banners.insert(picture.read(BANNER)) && pictures.insert(picture.read(picture.bounds())));
    }
    assert_eq!(film.stb().channel(), channel(0, 0), "round once");
}

#[test]
fn digits_wait_for_more_and_ok_does_not() {
    let mut film = film();
    film.press("1").skip(frames(20)).press("2").skip(frames(30));
    assert_eq!(film.frame().at_us, 50 * FRAME_US);
    assert_eq!(film.stb().channel().number, 1, "still waiting");
    film.skip(s(1)).frame();
    assert_eq!(film.stb().channel().number, 12);
    film.press_all("2 4 Ok");
    assert_eq!(film.stb().channel().name, "Test Card");
    film.press_all("9 9 Ok");
    assert_eq!(film.stb().channel().number, 24);
    assert!(last(&mut film).contains("no channel 99"));
    film.press("Swap");
    assert_eq!(film.stb().channel().number, 12, "the one before");
    film.press("Fav");
    assert_eq!(film.stb().channel().number, 13, "every fourth");
}

//! What pictures have to be.

use headend_media::Rect;
use headend_stb::{FRAME_US, Film, FilmError, Options, Size, Stb, film as shoot};

use crate::support::{apart, film, frames, large, pixel, s};

const STORY: &str = "key Channel+; roll 1; fault macroblocks 1s; roll 0.4; key Guide; key Right; roll 0.2; mains off; mains on; skip 5; roll 0.2";

#[test]
fn the_same_seed_and_story_give_the_same_pictures() {
    let one = shoot(Options::seeded(7), STORY).unwrap();
    assert_eq!(one.len(), 25 + 10 + 5 + 5);
    assert_eq!(one, shoot(Options::seeded(7), STORY).unwrap());
    let other = shoot(Options::seeded(8), STORY).unwrap();
    assert_ne!(one[20].picture, other[20].picture, "boxes are not in step");
    assert_eq!(one[20].at_us, 20 * FRAME_US);
}

#[test]
fn how_often_somebody_looks_changes_nothing() {
    let mut watched = film();
    let mut alone = film();
    for _ in 0..3 {
        watched.press("Channel+").roll(s(2)).for_each(drop);
        alone.press("Channel+").skip(s(2));
    }
    assert_eq!(watched.frame(), alone.frame());
    assert_eq!(watched.serial(), alone.serial());
}

#[test]
fn live_pictures_move_and_only_every_forty_milliseconds() {
    for channel in 1..=24 {
        let mut film = film();
        film.send(&format!("channel {channel}")).skip(s(10));
        let (one, other) = (film.frame().picture, film.frame().picture);
        assert!(apart(&one, &other, 8) > 100, "channel {channel}");
    }
    let mut stb = Stb::new(Options::default(), 0);
    assert_eq!(stb.look(80_000).draw(), stb.look(119_999).draw());
}

#[test]
fn the_large_picture_has_the_layout_of_the_small_one() {
    for keys in [
        "",
        "Info",
        "Menu Down",
        "Guide Down",
        "Search Ok",
        "Apps",
        "Settings",
        "Record List",
        "Vol+ 1",
        "Mosaic",
        "Text",
        "2 4 Ok",
    ] {
        let picture = |mut film: Film| film.press_all(keys).skip(s(3)).press("Vol+").skip(frames(2)).frame().picture;
        let (small, big) = (picture(film()), picture(large()));
        assert_eq!((big.width(), big.height()), (1_920, 1_080));
        // So small that what differs is where things are, not how edges are smoothed.
        let apart = apart(&big.scale(320, 180).unwrap(), &small.scale(320, 180).unwrap(), 40);
        assert!(apart < 320 * 180 / 50, "{keys}: {apart}");
    }
}

#[test]
fn the_size_can_be_changed_in_the_settings() {
    let mut film = film();
    film.press_all("Settings Ok");
    assert_eq!(film.stb().picture_size(), Size::Hd1080);
    assert_eq!(film.frame().picture.height(), 1_080);
    film.press_all("Left Menu Menu Format");
    let picture = film.frame().picture;
    assert_eq!(
        (picture.height(), pixel(&picture, 10, 300).luma(), pixel(&picture, 1_270, 300).luma()),
        (720, 0, 0),
        "4:3"
    );
}

#[test]
fn subtitles_and_pause() {
    let mut film = film();
    let line = Rect { x: 300, y: 440, width: 680, height: 40 };
    film.press_all("Settings Down Down Ok Exit");
    film.skip(s(8 - 1));
    let shown: Vec<bool> = film.roll(s(8)).map(|frame| pixel(&frame.picture, 640, 437).luma() == 0).collect();
    assert!(shown.contains(&true) && shown.contains(&false));
    film.press("Pause");
    let (one, other) = (film.frame().picture, film.skip(s(6)).frame().picture);
    assert_eq!(one.read(line), other.read(line), "it stands still");
    film.press("Play").skip(s(6));
    assert_ne!(film.frame().picture, other);
}

#[test]
fn wrong_stories_are_told() {
    for story in ["dance", "roll -1", "roll 1e9", "mains maybe", "key"] {
        assert!(matches!(shoot(Options::default(), story), Err(FilmError::Step(_))), "{story}");
    }
    assert!(matches!(shoot(Options::default(), "fault x"), Err(FilmError::Fault(_))));
}

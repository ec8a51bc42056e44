//! Menu, guide, search, recordings, apps, settings.

use std::collections::BTreeSet;

use headend_stb::{SECOND_US, programme};

use crate::support::{film, frames, last, s, said};

#[test]
fn each_screen_is_its_own() {
    let mut seen = BTreeSet::new();
    for keys in [
        "",
        "Menu",
        "Menu Down",
        "Guide",
        "Guide Down",
        "Guide Right",
        "List",
        "Search",
        "Search Right",
        "Search Ok",
        "Apps",
        "Apps Right",
        "Vod",
        "Mosaic",
        "Settings",
        "Settings Down",
        "Help",
        "Text",
        "Vol+",
        "Mute",
        "5",
        "Info",
        "Pause",
        "Format",
    ] {
        let mut film = film();
        // All at one time: what differs is what is drawn over the channel.
        film.skip(s(4)).press_all(keys).skip(frames(25 - keys.split_whitespace().count() as u64));
        let picture = film.frame().picture;
        assert!(seen.insert(picture.read(picture.bounds())), "{keys}");
    }
}

#[test]
fn the_menu_leads_everywhere() {
    let mut film = film();
    let pages = [
        "TV Guide: 1 Headend One",
        "Recordings: nothing",
        "Search: \"\", A",
        "Apps: Video Store",
        "Settings: Picture 1280 x 720",
        "About",
    ];
    for (place, page) in pages.into_iter().enumerate() {
        film.press_all("Menu").press_all(&"Down ".repeat(place + 1)).press("Ok");
        assert!(last(&mut film).contains(page), "{page}: {:?}", last(&mut film));
        film.press("Exit");
    }
    film.press_all("Menu Up Up Down Down");
    assert_eq!(last(&mut film), "menu Main Menu: Live TV");
    film.press("Ok").frame();
    assert_ne!(film.frame().picture, film.clone().press("Menu").frame().picture);
}

#[test]
fn the_guide_goes_both_ways() {
    let mut film = film();
    film.press_all("Guide Down Down");
    let now = programme(0, 2, 0);
    assert!(last(&mut film).ends_with(&format!("3 Sport Arena, 18:00 {}", now.title)));
    film.press("Right");
    let next = programme(0, 2, now.end_us);
    assert!(last(&mut film).ends_with(next.title));
    film.press("Ok");
    assert!(last(&mut film).starts_with(&format!("{} begins at", next.title)));
    assert_eq!(film.stb().channel().number, 1, "what is to come cannot be watched");
    film.press_all("Left Left");
    assert!(last(&mut film).ends_with("key Left"), "nothing lies before now: {:?}", last(&mut film));
    film.press("Ok");
    assert_eq!(film.stb().channel().number, 3);
    film.press_all("Guide Channel-");
    assert!(last(&mut film).contains("10 Science Lab"));
    film.press_all("Up Up Up Up Up Up Up Up Up Up");
    assert!(last(&mut film).contains("24 Test Card"), "round");
    // Far to the right the view moves along, and ends after a week.
    film.press_all(&"Green ".repeat(9)).press_all(&"Right ".repeat(9));
    let far = last(&mut film);
    film.press("Right");
    assert!(!said(&mut film, "error") && last(&mut film).ends_with("key Right"), "{far}");
}

#[test]
fn search_types_finds_and_zaps() {
    let mut film = film();
    film.press_all("Search Down Right Right Right Ok").press_all("Up Right Ok");
    assert!(last(&mut film).contains("\"NE\""), "{}", last(&mut film));
    film.press_all("Down Down Down");
    assert!(last(&mut film).contains("\"NE\", 8"), "{}", last(&mut film));
    film.press("Down");
    let first = last(&mut film);
    assert!(first.ends_with("1 Headend One"), "{first}");
    film.press("Up").press_all(&"Right ".repeat(7)).press("Ok");
    assert!(last(&mut film).contains("\"N\", Del"), "{}", last(&mut film));
    film.press_all("Search 2 4 Down Down Down Down");
    assert!(last(&mut film).ends_with("\"24\", 2 News 24"), "{}", last(&mut film));
    film.press("Ok");
    assert_eq!(film.stb().channel().name, "News 24");
}

#[test]
fn a_recording_is_made_played_and_deleted() {
    let mut film = film();
    film.press_all("3 Ok").skip(s(2)).press("Record").skip(s(30)).press("Record");
    assert!(said(&mut film, "record 3 Sport Arena: ") && said(&mut film, ", 30 s"));
    film.press_all("5 Ok").skip(s(2)).press("List");
    assert!(last(&mut film).contains("18:00, 30 s"), "{}", last(&mut film));
    film.press("Ok").skip(s(10));
    let tone = |film: &headend_stb::Film, hertz| {
        let sound = film.sound(film.now_us() - SECOND_US, SECOND_US).unwrap();
        sound.tone(0, sound.whole(), hertz)
    };
    assert!(tone(&film, 500.0) > 0.9, "the tone of channel 3");
    let playing = film.frame().picture;
    film.press("Pause").frame();
    film.skip(s(6));
    assert!(tone(&film, 500.0) < 0.1);
    let still = film.frame().picture;
    assert_eq!(film.skip(s(5)).frame().picture, still);
    assert_ne!(still, playing);
    film.press_all("FFwd FFwd").skip(s(9)).frame();
    assert!(said(&mut film, "playback speed 4") && last(&mut film) == "stop", "{:?}", film.serial());
    film.press("Red");
    assert!(said(&mut film, "deleted") && last(&mut film) == "menu Recordings: nothing");
    film.press("Ok").frame();
    assert_eq!(film.stb().channel().number, 5);
}

#[test]
fn a_recording_ends_with_its_programme_and_the_disk_is_not_endless() {
    let mut film = film();
    film.press("Record").skip(s(3 * 3_600)).frame();
    let length = programme(0, 0, 0).end_us / SECOND_US;
    assert!(said(&mut film, &format!(", {length} s")));
    for channel in 0..25 {
        film.press("Channel+").skip(s(1)).press("Record").skip(s(1));
        let full = film.serial().iter().any(|line| line.contains("disk full"));
        assert_eq!(full, channel >= 19, "{channel}");
    }
}

#[test]
fn apps_open_after_loading() {
    let mut film = film();
    film.press_all("Apps Right Right Right Down Ok");
    assert!(last(&mut film).contains("App: Web"));
    let loading = film.frame().picture;
    assert_ne!(film.skip(s(2)).frame().picture, loading);
    film.press_all("Down Ok");
    assert_eq!(last(&mut film), "app Web: Encyclopedia");
    film.press_all("Back Back Back");
    film.press("Mosaic").skip(s(2)).press_all("Right Down Ok");
    assert_eq!(film.stb().channel().number, 6);
}

#[test]
fn a_factory_reset_boots() {
    let mut film = film();
    film.press_all("Record Vol+ Settings Up Ok").skip(s(30)).frame();
    film.send("status");
    assert!(said(&mut film, "volume 30, Live TV, recordings 0"), "{:?}", film.serial());
}

//! What the box says, and what can be said to it.

use headend_stb::{Options, Stb};

use crate::support::{film, last, s, said};

#[test]
fn keys_and_screens_are_told() {
    let mut film = film();
    film.press_all("Ok Vol+ Mute Menu Down Guide").press("Warp\n9").press("TAP:10:20").press("LOCK:5").press("Oem3");
    let lines = film.serial();
    for line in [
        "key Ok",
        "volume 35",
        "mute on",
        "menu Main Menu: Live TV",
        "menu Main Menu: TV Guide",
        "key Guide",
        "key Warp?9: unknown",
        "mobile TAP 10 20",
        "mobile LOCK 5",
        "key Oem3",
    ] {
        assert!(lines.iter().any(|said| said == line), "{line}: {lines:?}");
    }
}

#[test]
fn the_shell_answers() {
    let mut film = film();
    film.send("help").send("version").send("channel 7").send("channel 99").send("dance\x1b").send("key Mute");
    let lines = film.serial();
    for words in [
        "> help",
        "status, version, channel N",
        "headend stb",
        "zap 7 Nature World",
        "error: channel 1 to 24",
        "unknown command dance",
        "mute on",
    ] {
        assert!(lines.iter().any(|line| line.contains(words)), "{words}: {lines:?}");
    }
    film.send("standby").send("channel 3").send("wake").skip(s(3)).send("status");
    assert!(last(&mut film).starts_with("status: on, channel 7 Nature World, volume 30 muted"), "{}", last(&mut film));
    film.send("reboot").skip(s(10)).send("status").skip(s(20)).frame();
    assert!(!last(&mut film).contains("status") && film.stb().is_on(), "a box that boots does not listen");
    film.mains(false).send("status");
    assert!(!last(&mut film).contains("status"));
}

#[test]
fn looks_go_on_where_the_last_one_ended() {
    let mut stb = Stb::new(Options::default(), 0);
    stb.press("Ok", 5);
    let first = stb.serial_since(0, 10);
    assert_eq!((first.lines.len(), first.next, first.lost), (1, 1, 0));
    assert_eq!((first.lines[0].at_us, &*first.lines[0].text), (5, "key Ok"));
    stb.press("Channel+", 20);
    let second = stb.serial_since(first.next, 1_000_000);
    let texts: Vec<_> = second.lines.iter().map(|line| (line.at_us, &*line.text)).collect();
    assert_eq!(texts, [(20, "key Channel+"), (20, "zap 2 News 24"), (600_020, "tuned in 600 ms")]);
    assert!(said(&mut film().press("Power").clone(), "standby"));
}

//! The remote control. Names are those of the Client API's key maps, in either spelling (`TV_Guide` or `Guide`, `Vol+` or
//! `VolumeUp`), in any case. A key that the box does not know is taken and does nothing: key names come from the lab.

use super::lineup::CHANNELS;
use super::state::{BANNER_MS, BoxState, MENU, Power, Screen, VOLUME_MS};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Key {
    Power,
    Digit(u16),
    Up,
    Down,
    Left,
    Right,
    Ok,
    Back,
    Exit,
    Home,
    Guide,
    Info,
    VolumeUp,
    VolumeDown,
    Mute,
    ChannelUp,
    ChannelDown,
    Swap,
    PlayPause,
    Play,
    Pause,
    Settings,
    Unknown,
}

fn parse(name: &str) -> Key {
    let plain: String =
        name.chars().filter(|c| !matches!(c, '_' | ' ' | '-' | '/')).map(|c| c.to_ascii_lowercase()).collect();
    // A minus counts at the end only: `Vol-` against `Vol+`.
    let down = name.ends_with('-');
    match plain.strip_prefix("key").unwrap_or(&plain) {
        "power" | "standby" => Key::Power,
        "up" => Key::Up,
        "down" => Key::Down,
        "left" => Key::Left,
        "right" => Key::Right,
        "ok" | "select" | "enter" => Key::Ok,
        "backup" | "back" | "return" => Key::Back,
        "exit" | "live" | "tv" => Key::Exit,
        "menu" | "home" | "sky" => Key::Home,
        "tvguide" | "guide" | "epg" => Key::Guide,
        "info" | "i" => Key::Info,
        "vol" | "volume" if down => Key::VolumeDown,
        "vol+" | "volume+" | "volup" | "volumeup" => Key::VolumeUp,
        "voldown" | "volumedown" => Key::VolumeDown,
        "mute" => Key::Mute,
        "channel" | "ch" if down => Key::ChannelDown,
        "channel+" | "ch+" | "chup" | "channelup" | "pageup" => Key::ChannelUp,
        "chdown" | "channeldown" | "pagedown" => Key::ChannelDown,
        "swap" | "last" | "recall" => Key::Swap,
        "playpause" => Key::PlayPause,
        "play" => Key::Play,
        "pause" => Key::Pause,
        "services" | "settings" => Key::Settings,
        digit => match digit.parse::<u16>() {
            Ok(digit @ 0..=9) if digit_only(plain.as_str()) => Key::Digit(digit),
            _ => Key::Unknown,
        },
    }
}

fn digit_only(text: &str) -> bool {
    text.strip_prefix("key").unwrap_or(text).len() == 1
}

/// Presses a key. `false` only when the box has no mains.
pub fn press(state: &mut BoxState, name: &str, now: u64) -> bool {
    state.settle(now);
    let key = parse(name);
    match state.power {
        Power::Off => return false,
        Power::Standby if key == Key::Power => state.switch_on(now),
        Power::Standby => {}
        Power::On { .. } if key == Key::Power => state.power = Power::Standby,
        // A box that boots swallows keys, as real ones do.
        Power::On { .. } if state.booting(now) => {}
        Power::On { .. } => act(state, key, now),
    }
    state.keys += 1;
    true
}

fn act(state: &mut BoxState, key: Key, now: u64) {
    match key {
        Key::VolumeUp => volume(state, state.volume.saturating_add(5).min(100), now),
        Key::VolumeDown => volume(state, state.volume.saturating_sub(5), now),
        Key::Mute => {
            state.muted = !state.muted;
            state.volume_until = now + VOLUME_MS;
        }
        Key::Home => state.screen = Screen::Menu { selected: 0 },
        Key::Guide => state.screen = Screen::Guide { selected: state.channel },
        Key::Settings => state.screen = Screen::Page { item: 3 },
        Key::Exit => state.screen = Screen::Live,
        _ => match state.screen {
            Screen::Live => live(state, key, now),
            Screen::Menu { selected } => menu(state, key, selected),
            Screen::Guide { selected } => guide(state, key, selected, now),
            Screen::Page { item } => page(state, key, item),
        },
    }
}

fn volume(state: &mut BoxState, to: u8, now: u64) {
    state.volume = to;
    state.muted = false;
    state.volume_until = now + VOLUME_MS;
}

fn live(state: &mut BoxState, key: Key, now: u64) {
    match key {
        Key::ChannelUp | Key::Up => state.zap(state.channel + 1, now),
        Key::ChannelDown | Key::Down => state.zap(state.channel + CHANNELS - 1, now),
        Key::Swap => state.zap(state.former, now),
        Key::Ok if state.digits.is_some() => {
            state.digits = state.digits.map(|(number, _)| (number, 0));
            state.settle(now);
        }
        Key::Ok | Key::Info => state.banner_until = now + BANNER_MS,
        Key::Back => state.banner_until = 0,
        Key::Digit(digit) => {
            let before = state.digits.map_or(0, |(number, _)| number);
            state.digits = Some(((before * 10 + digit) % 1_000, now));
        }
        Key::Pause => state.paused = state.paused.or(Some(now)),
        Key::Play => state.paused = None,
        Key::PlayPause => state.paused = state.paused.is_none().then_some(now),
        _ => {}
    }
}

fn menu(state: &mut BoxState, key: Key, selected: usize) {
    state.screen = match key {
        Key::Up => Screen::Menu { selected: (selected + MENU.len() - 1) % MENU.len() },
        Key::Down => Screen::Menu { selected: (selected + 1) % MENU.len() },
        Key::Back => Screen::Live,
        Key::Ok | Key::Right => match selected {
            0 => Screen::Live,
            1 => Screen::Guide { selected: state.channel },
            item => Screen::Page { item },
        },
        _ => state.screen,
    };
}

fn guide(state: &mut BoxState, key: Key, selected: usize, now: u64) {
    match key {
        Key::Up | Key::ChannelUp => state.screen = Screen::Guide { selected: (selected + CHANNELS - 1) % CHANNELS },
        Key::Down | Key::ChannelDown => state.screen = Screen::Guide { selected: (selected + 1) % CHANNELS },
        Key::Back => state.screen = Screen::Live,
        Key::Ok => {
            state.screen = Screen::Live;
            state.zap(selected, now);
        }
        _ => {}
    }
}

fn page(state: &mut BoxState, key: Key, item: usize) {
    if matches!(key, Key::Back | Key::Left) {
        state.screen = Screen::Menu { selected: item };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::driver::virtual_stb::state::{BOOT_MS, DIGITS_MS};

    #[test]
    fn both_spellings_are_one_key() {
        for pair in [
            ["TV_Guide", "Guide"],
            ["Ok", "Select"],
            ["Vol+", "VolumeUp"],
            ["Vol-", "VOLUME_DOWN"],
            ["Channel+", "ChUp"],
            ["Channel-", "KEY_CHANNELDOWN"],
            ["Play/Pause", "PlayPause"],
            ["SKY", "Home"],
            ["Backup", "Back"],
        ] {
            assert_eq!(parse(pair[0]), parse(pair[1]), "{pair:?}");
            assert_ne!(parse(pair[0]), Key::Unknown, "{pair:?}");
        }
        assert_eq!(parse("7"), Key::Digit(7));
        assert_eq!(parse("KEY_7"), Key::Digit(7));
        assert_eq!(parse("77"), Key::Unknown);
        assert_eq!(parse("TAP:10:20"), Key::Unknown);
    }

    #[test]
    fn digits_wait_for_more() {
        let mut stb = BoxState::new(1);
        assert!(press(&mut stb, "1", 1_000) && press(&mut stb, "2", 1_500));
        assert_eq!(stb.channel, 0);
        stb.settle(1_500 + DIGITS_MS);
        assert_eq!(stb.channel, 11);
    }

    #[test]
    fn power_goes_through_standby_and_boot() {
        let mut stb = BoxState::new(1);
        press(&mut stb, "Power", 10);
        assert_eq!(stb.power, Power::Standby);
        press(&mut stb, "Channel+", 20);
        assert_eq!(stb.channel, 0, "asleep");
        press(&mut stb, "Power", 30);
        press(&mut stb, "Channel+", 40);
        assert!(stb.booting(40) && stb.channel == 0, "keys are lost while it boots");
        assert!(press(&mut stb, "Channel+", 30 + BOOT_MS));
        assert_eq!(stb.channel, 1);
        stb.mains(false, 9_000);
        assert!(!press(&mut stb, "Ok", 9_001), "no mains, no answer");
    }

    #[test]
    fn the_guide_leads_to_a_channel() {
        let mut stb = BoxState::new(1);
        for key in ["Menu", "Down", "Ok", "Down", "Down", "Ok"] {
            press(&mut stb, key, 100);
        }
        assert_eq!((stb.screen, stb.channel), (Screen::Live, 2));
    }
}

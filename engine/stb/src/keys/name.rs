//! Names of keys. They are those of key maps of the Client API, in either spelling (`TV_Guide` or `Guide`, `Vol+` or `VolumeUp`), in any case, with or
//! without `KEY_` before them.

/// A key, whatever it is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Key {
    Power,
    Digit(u8),
    Star,
    Hash,
    Dash,
    Up,
    Down,
    Left,
    Right,
    Ok,
    Back,
    Exit,
    Live,
    Menu,
    Home,
    Guide,
    Search,
    Apps,
    Vod,
    Mosaic,
    Interactive,
    List,
    Settings,
    Help,
    Text,
    Info,
    Fav,
    VolumeUp,
    VolumeDown,
    Mute,
    ChannelUp,
    ChannelDown,
    Swap,
    Record,
    PlayPause,
    Play,
    Pause,
    Stop,
    Rewind,
    Forward,
    Replay,
    Advance,
    Format,
    Red,
    Green,
    Yellow,
    Blue,
    /// Spare keys of the remote control, which do nothing here.
    Oem,
}

/// Longest name that is looked at.
const LONGEST: usize = 32;

/// Names in small letters without signs between the words.
const NAMES: [(&str, Key); 92] = [
    ("power", Key::Power),
    ("standby", Key::Power),
    ("onoff", Key::Power),
    ("up", Key::Up),
    ("down", Key::Down),
    ("left", Key::Left),
    ("right", Key::Right),
    ("ok", Key::Ok),
    ("select", Key::Ok),
    ("enter", Key::Ok),
    ("backup", Key::Back),
    ("back", Key::Back),
    ("return", Key::Back),
    ("exit", Key::Exit),
    ("live", Key::Live),
    ("tv", Key::Live),
    ("livetv", Key::Live),
    ("menu", Key::Menu),
    ("home", Key::Home),
    ("sky", Key::Home),
    ("tvguide", Key::Guide),
    ("guide", Key::Guide),
    ("epg", Key::Guide),
    ("search", Key::Search),
    ("find", Key::Search),
    ("apps", Key::Apps),
    ("webapps", Key::Apps),
    ("vod", Key::Vod),
    ("ondemand", Key::Vod),
    ("mosaic", Key::Mosaic),
    ("active", Key::Interactive),
    ("interactive", Key::Interactive),
    ("list", Key::List),
    ("recordings", Key::List),
    ("dvr", Key::List),
    ("pvr", Key::List),
    ("services", Key::Settings),
    ("settings", Key::Settings),
    ("setup", Key::Settings),
    ("help", Key::Help),
    ("text", Key::Text),
    ("teletext", Key::Text),
    ("info", Key::Info),
    ("i", Key::Info),
    ("fav", Key::Fav),
    ("favourites", Key::Fav),
    ("favorites", Key::Fav),
    ("vol+", Key::VolumeUp),
    ("volume+", Key::VolumeUp),
    ("volup", Key::VolumeUp),
    ("volumeup", Key::VolumeUp),
    ("vol-", Key::VolumeDown),
    ("volume-", Key::VolumeDown),
    ("voldown", Key::VolumeDown),
    ("volumedown", Key::VolumeDown),
    ("mute", Key::Mute),
    ("channel+", Key::ChannelUp),
    ("ch+", Key::ChannelUp),
    ("chup", Key::ChannelUp),
    ("channelup", Key::ChannelUp),
    ("pageup", Key::ChannelUp),
    ("channel-", Key::ChannelDown),
    ("ch-", Key::ChannelDown),
    ("chdown", Key::ChannelDown),
    ("channeldown", Key::ChannelDown),
    ("pagedown", Key::ChannelDown),
    ("swap", Key::Swap),
    ("last", Key::Swap),
    ("recall", Key::Swap),
    ("prev", Key::Swap),
    ("record", Key::Record),
    ("rec", Key::Record),
    ("playpause", Key::PlayPause),
    ("play", Key::Play),
    ("pause", Key::Pause),
    ("stop", Key::Stop),
    ("rew", Key::Rewind),
    ("rewind", Key::Rewind),
    ("ffwd", Key::Forward),
    ("ff", Key::Forward),
    ("fastforward", Key::Forward),
    ("forward", Key::Forward),
    ("replay", Key::Replay),
    ("advance", Key::Advance),
    ("format", Key::Format),
    ("red", Key::Red),
    ("green", Key::Green),
    ("yellow", Key::Yellow),
    ("blue", Key::Blue),
    ("star", Key::Star),
    ("hash", Key::Hash),
    ("dash", Key::Dash),
];

/// `None`: no key of this box.
pub(crate) fn parse(name: &str) -> Option<Key> {
    match name {
        "*" => return Some(Key::Star),
        "#" => return Some(Key::Hash),
        "-" => return Some(Key::Dash),
        _ if name.len() > LONGEST => return None,
        _ => {}
    }
    // A minus counts at the end only: `Vol-`, and `play-pause`.
    let (stem, minus) = name.strip_suffix('-').map_or((name, ""), |stem| (stem, "-"));
    let mut plain: String = stem
        .chars()
        .filter(|letter| !matches!(letter, '_' | ' ' | '-' | '/'))
        .map(|l| l.to_ascii_lowercase())
        .collect();
    plain.push_str(minus);
    let plain = plain.strip_prefix("key").filter(|rest| !rest.is_empty()).unwrap_or(&plain);
    if let [digit @ b'0'..=b'9'] = plain.as_bytes() {
        return Some(Key::Digit(digit - b'0'));
    }
    if let Some([b'1'..=b'4']) = plain.strip_prefix("oem").map(str::as_bytes) {
        return Some(Key::Oem);
    }
    NAMES.iter().find(|(known, _)| *known == plain).map(|(_, key)| *key)
}

/// A command of a mobile device in words of the serial line, such as `TAP 10 20`.
pub(crate) fn mobile(command: &str) -> Option<String> {
    const COMMANDS: [&str; 6] = ["START-ANDROID", "STOP-ANDROID", "TAP", "TAPELEMENT", "SWIPE", "LOCK"];
    let (name, rest) = command.split_once(':').unwrap_or((command, ""));
    COMMANDS.contains(&name).then(|| format!("{name} {}", rest.replace(':', " ")).trim_end().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_spellings_are_one_key() {
        for names in [
            &["TV_Guide", "Guide", "KEY_EPG"][..],
            &["Ok", "OK", "Select", "Enter"],
            &["Vol+", "VolumeUp", "VOL_UP"],
            &["Vol-", "VOLUME_DOWN", "volume-"],
            &["Channel+", "ChUp", "CH_UP", "ChannelUp"],
            &["Channel-", "KEY_CHANNELDOWN", "CH_DOWN"],
            &["Play/Pause", "PlayPause", "play-pause"],
            &["SKY", "Sky", "Home"],
            &["Backup", "Back"],
            &["Rew", "REWIND"],
            &["7", "KEY_7"],
        ] {
            let keys: Vec<_> = names.iter().map(|name| parse(name)).collect();
            assert!(keys[0].is_some() && keys.iter().all(|key| *key == keys[0]), "{names:?} {keys:?}");
        }
        assert_eq!(parse("7"), Some(Key::Digit(7)));
        for unknown in ["77", "", "key", "TAP:10:20", "Warp", "Oem5", &"x".repeat(9_999)] {
            assert_eq!(parse(unknown), None, "{unknown}");
        }
    }

    #[test]
    fn every_key_of_the_client_api_is_known() {
        let names = "Fav Power Active WebApps Vod Mosaic Exit TV_Guide Help Up Left Right Down Ok Backup Mute Menu Vol+ Vol- Channel+ Channel- Info Record \
                     Live Rew Play/Pause Stop FFwd Red Green Yellow Blue 0 1 2 3 4 5 6 7 8 9 * # Swap Text Select Oem1 Oem2 Oem3 Oem4 Pause Play Home Back \
                     Sky SKY Search Services Apps Interactive Advance Dash Enter Format List PlayPause Prev Replay";
        for name in names.split_whitespace() {
            assert!(parse(name).is_some(), "{name}");
        }
    }

    #[test]
    fn mobile_commands_are_none_of_the_keys() {
        assert_eq!(mobile("TAP:10:20").as_deref(), Some("TAP 10 20"));
        assert_eq!(mobile("STOP-ANDROID").as_deref(), Some("STOP-ANDROID"));
        assert_eq!(mobile("START-ANDROID:org.example").as_deref(), Some("START-ANDROID org.example"));
        assert_eq!(mobile("Ok"), None);
    }
}

//! Names of keys: those of the Client API in either spelling, and the `KEY_…` names by which Linux and LIRC know them.

/// Longest name of a key.
pub(crate) const LONGEST: usize = 64;

/// Names in small letters without signs between the words, and what Linux calls that key: the usual name first.
static NAMES: [(&[&str], &[&str]); 55] = [
    (&["power", "standby", "onoff"], &["KEY_POWER"]),
    (&["up"], &["KEY_UP"]),
    (&["down"], &["KEY_DOWN"]),
    (&["left"], &["KEY_LEFT"]),
    (&["right"], &["KEY_RIGHT"]),
    (&["ok", "select", "enter"], &["KEY_OK", "KEY_SELECT", "KEY_ENTER"]),
    (&["backup", "back", "return"], &["KEY_BACK", "KEY_RETURN"]),
    (&["exit"], &["KEY_EXIT"]),
    (&["live", "tv", "livetv"], &["KEY_TV"]),
    (&["menu"], &["KEY_MENU"]),
    (&["home", "sky"], &["KEY_HOME", "KEY_HOMEPAGE"]),
    (&["tvguide", "guide", "epg"], &["KEY_EPG", "KEY_PROGRAM", "KEY_GUIDE"]),
    (&["search", "find"], &["KEY_SEARCH", "KEY_FIND"]),
    (&["apps", "webapps"], &["KEY_APPSELECT"]),
    (&["vod", "ondemand"], &["KEY_VOD"]),
    (&["mosaic"], &["KEY_MOSAIC"]),
    (&["active", "interactive"], &["KEY_INTERACTIVE", "KEY_OPTION"]),
    (&["list", "recordings", "dvr", "pvr"], &["KEY_LIST", "KEY_PVR"]),
    (&["services", "settings", "setup"], &["KEY_SETUP", "KEY_CONFIG"]),
    (&["help"], &["KEY_HELP"]),
    (&["text", "teletext"], &["KEY_TEXT"]),
    (&["info", "i"], &["KEY_INFO"]),
    (&["fav", "favourites", "favorites"], &["KEY_FAVORITES"]),
    (&["vol+", "volume+", "volup", "volumeup"], &["KEY_VOLUMEUP"]),
    (&["vol-", "volume-", "voldown", "volumedown"], &["KEY_VOLUMEDOWN"]),
    (&["mute"], &["KEY_MUTE"]),
    (&["channel+", "ch+", "chup", "channelup"], &["KEY_CHANNELUP"]),
    (&["channel-", "ch-", "chdown", "channeldown"], &["KEY_CHANNELDOWN"]),
    (&["swap", "last", "recall"], &["KEY_LAST", "KEY_SWITCHVIDEOMODE"]),
    (&["prev", "previous"], &["KEY_PREVIOUS"]),
    (&["record", "rec"], &["KEY_RECORD"]),
    (&["playpause"], &["KEY_PLAYPAUSE"]),
    (&["play"], &["KEY_PLAY"]),
    (&["pause"], &["KEY_PAUSE"]),
    (&["stop"], &["KEY_STOP"]),
    (&["rew", "rewind"], &["KEY_REWIND"]),
    (&["ffwd", "ff", "fastforward", "forward"], &["KEY_FASTFORWARD", "KEY_FORWARD"]),
    (&["replay"], &["KEY_AGAIN", "KEY_PREVIOUS"]),
    (&["advance"], &["KEY_NEXT"]),
    (&["format"], &["KEY_ZOOM", "KEY_ASPECT_RATIO"]),
    (&["red"], &["KEY_RED"]),
    (&["green"], &["KEY_GREEN"]),
    (&["yellow"], &["KEY_YELLOW"]),
    (&["blue"], &["KEY_BLUE"]),
    (&["*", "star"], &["KEY_NUMERIC_STAR"]),
    (&["#", "hash"], &["KEY_NUMERIC_POUND"]),
    (&["-", "dash"], &["KEY_MINUS", "KEY_DASH"]),
    (&["oem1"], &["KEY_PROG1"]),
    (&["oem2"], &["KEY_PROG2"]),
    (&["oem3"], &["KEY_PROG3"]),
    (&["oem4"], &["KEY_PROG4"]),
    (&["pageup"], &["KEY_PAGEUP"]),
    (&["pagedown"], &["KEY_PAGEDOWN"]),
    (&["space"], &["KEY_SPACE"]),
    (&["esc", "escape"], &["KEY_ESC"]),
];

/// Digits, by their value. Remotes have one of the two.
static DIGITS: [[&str; 2]; 10] = [
    ["KEY_0", "KEY_NUMERIC_0"],
    ["KEY_1", "KEY_NUMERIC_1"],
    ["KEY_2", "KEY_NUMERIC_2"],
    ["KEY_3", "KEY_NUMERIC_3"],
    ["KEY_4", "KEY_NUMERIC_4"],
    ["KEY_5", "KEY_NUMERIC_5"],
    ["KEY_6", "KEY_NUMERIC_6"],
    ["KEY_7", "KEY_NUMERIC_7"],
    ["KEY_8", "KEY_NUMERIC_8"],
    ["KEY_9", "KEY_NUMERIC_9"],
];

/// What Linux calls a key of the Client API, the usual name first. Empty: it has no name for it.
pub(crate) fn standard(name: &str) -> &'static [&'static str] {
    let plain = plain(name);
    if let [digit @ b'0'..=b'9'] = plain.as_bytes() {
        return DIGITS.get(usize::from(digit - b'0')).map_or(&[][..], |names| &names[..]);
    }
    NAMES.iter().find(|(spellings, _)| spellings.contains(&plain.as_str())).map_or(&[][..], |(_, names)| names)
}

/// Both spellings of a key look alike in this form.
pub(crate) fn plain(name: &str) -> String {
    // A minus counts at the end only: `Vol-`, and `play-pause`.
    let (stem, minus) = name.strip_suffix('-').map_or((name, ""), |stem| (stem, "-"));
    let letters = stem.chars().filter(|letter| !matches!(letter, '_' | ' ' | '-' | '/'));
    let plain: String = letters.flat_map(char::to_lowercase).chain(minus.chars()).collect();
    match plain.strip_prefix("key") {
        Some(rest) if !rest.is_empty() => rest.to_owned(),
        _ => plain,
    }
}

/// The entry of a map from names of the Client API that is meant: the same letters first, else the same key in another spelling.
pub(crate) fn looked_up<'a>(map: &'a std::collections::BTreeMap<String, String>, key: &str) -> Option<&'a str> {
    let (wanted, usual) = (plain(key), standard(key));
    let by_name = || map.iter().find(|(name, _)| plain(name) == wanted);
    let by_key = || map.iter().find(|(name, _)| !usual.is_empty() && standard(name) == usual);
    map.get(key).or_else(|| by_name().or_else(by_key).map(|(_, to)| to)).map(String::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_spellings_are_one_key() {
        for names in [
            &["TV_Guide", "Guide", "KEY_EPG"][..],
            &["Ok", "OK", "Select", "Enter"],
            &["Vol+", "VolumeUp", "VOL_UP", "KEY_VOLUMEUP"],
            &["Vol-", "VOLUME_DOWN", "volume-"],
            &["Channel+", "ChUp", "CH_UP", "ChannelUp"],
            &["Play/Pause", "PlayPause", "play-pause"],
            &["SKY", "Sky", "Home"],
            &["7", "KEY_7"],
            &["-", "Dash"],
        ] {
            let found: Vec<_> = names.iter().map(|name| standard(name)).collect();
            assert!(!found[0].is_empty() && found.iter().all(|names| *names == found[0]), "{names:?} {found:?}");
        }
        assert!(standard("Warp").is_empty() && standard("").is_empty());
    }

    #[test]
    fn every_key_of_the_client_api_has_a_name() {
        let names = "Fav Power Active WebApps Vod Mosaic Exit TV_Guide Help Up Left Right Down Ok Backup Mute Menu Vol+ Vol- Channel+ Channel- Info \
                     Record Live Rew Play/Pause Stop FFwd Red Green Yellow Blue 0 1 2 3 4 5 6 7 8 9 * # Swap Text Select Oem1 Oem2 Oem3 Oem4 Pause Play \
                     Home Back Sky SKY Search Services Apps Interactive Advance Dash Enter Format List PlayPause Prev Replay";
        for name in names.split_whitespace() {
            assert!(!standard(name).is_empty(), "{name}");
        }
    }

    #[test]
    fn a_map_is_looked_up_by_letters_then_by_key() {
        let map = [("Guide", "EPG_BUTTON"), ("TV_Guide", "GUIDE_BUTTON")];
        let map = map.map(|(from, to)| (from.to_owned(), to.to_owned())).into();
        assert_eq!(looked_up(&map, "TV_Guide"), Some("GUIDE_BUTTON"));
        assert_eq!(looked_up(&map, "GUIDE"), Some("EPG_BUTTON"));
        assert_eq!(looked_up(&map, "KEY_EPG"), Some("EPG_BUTTON"));
        assert_eq!(looked_up(&map, "Ok"), None);
    }
}

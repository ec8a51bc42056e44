//! Key names of the Client API, in both spellings, as key codes of Android.

use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::DriverError;

/// Names in small letters without signs between the words; codes without `KEYCODE_`.
const CODES: &[(&str, &str)] = &[
    ("power", "POWER"),
    ("standby", "POWER"),
    ("onoff", "POWER"),
    ("up", "DPAD_UP"),
    ("down", "DPAD_DOWN"),
    ("left", "DPAD_LEFT"),
    ("right", "DPAD_RIGHT"),
    ("ok", "DPAD_CENTER"),
    ("select", "DPAD_CENTER"),
    ("enter", "ENTER"),
    ("backup", "BACK"),
    ("back", "BACK"),
    ("return", "BACK"),
    ("exit", "ESCAPE"),
    ("live", "TV"),
    ("tv", "TV"),
    ("livetv", "TV"),
    ("menu", "MENU"),
    ("home", "HOME"),
    ("sky", "HOME"),
    ("tvguide", "GUIDE"),
    ("guide", "GUIDE"),
    ("epg", "GUIDE"),
    ("search", "SEARCH"),
    ("find", "SEARCH"),
    ("apps", "ALL_APPS"),
    ("webapps", "ALL_APPS"),
    ("vod", "TV_CONTENTS_MENU"),
    ("ondemand", "TV_CONTENTS_MENU"),
    ("mosaic", "WINDOW"),
    ("active", "TV_DATA_SERVICE"),
    ("interactive", "TV_DATA_SERVICE"),
    ("list", "DVR"),
    ("recordings", "DVR"),
    ("dvr", "DVR"),
    ("pvr", "DVR"),
    ("services", "SETTINGS"),
    ("settings", "SETTINGS"),
    ("setup", "SETTINGS"),
    ("help", "HELP"),
    ("text", "TV_TELETEXT"),
    ("teletext", "TV_TELETEXT"),
    ("info", "INFO"),
    ("i", "INFO"),
    ("fav", "BOOKMARK"),
    ("favourites", "BOOKMARK"),
    ("favorites", "BOOKMARK"),
    ("vol+", "VOLUME_UP"),
    ("volume+", "VOLUME_UP"),
    ("volup", "VOLUME_UP"),
    ("volumeup", "VOLUME_UP"),
    ("vol-", "VOLUME_DOWN"),
    ("volume-", "VOLUME_DOWN"),
    ("voldown", "VOLUME_DOWN"),
    ("volumedown", "VOLUME_DOWN"),
    ("mute", "VOLUME_MUTE"),
    ("channel+", "CHANNEL_UP"),
    ("ch+", "CHANNEL_UP"),
    ("chup", "CHANNEL_UP"),
    ("channelup", "CHANNEL_UP"),
    ("pageup", "CHANNEL_UP"),
    ("channel-", "CHANNEL_DOWN"),
    ("ch-", "CHANNEL_DOWN"),
    ("chdown", "CHANNEL_DOWN"),
    ("channeldown", "CHANNEL_DOWN"),
    ("pagedown", "CHANNEL_DOWN"),
    ("swap", "LAST_CHANNEL"),
    ("last", "LAST_CHANNEL"),
    ("recall", "LAST_CHANNEL"),
    ("prev", "LAST_CHANNEL"),
    ("record", "MEDIA_RECORD"),
    ("rec", "MEDIA_RECORD"),
    ("playpause", "MEDIA_PLAY_PAUSE"),
    ("play", "MEDIA_PLAY"),
    ("pause", "MEDIA_PAUSE"),
    ("stop", "MEDIA_STOP"),
    ("rew", "MEDIA_REWIND"),
    ("rewind", "MEDIA_REWIND"),
    ("ffwd", "MEDIA_FAST_FORWARD"),
    ("ff", "MEDIA_FAST_FORWARD"),
    ("fastforward", "MEDIA_FAST_FORWARD"),
    ("forward", "MEDIA_FAST_FORWARD"),
    ("replay", "MEDIA_SKIP_BACKWARD"),
    ("advance", "MEDIA_SKIP_FORWARD"),
    ("format", "TV_ZOOM_MODE"),
    ("red", "PROG_RED"),
    ("green", "PROG_GREEN"),
    ("yellow", "PROG_YELLOW"),
    ("blue", "PROG_BLUE"),
    ("star", "STAR"),
    ("hash", "POUND"),
    ("dash", "MINUS"),
    ("oem1", "BUTTON_1"),
    ("oem2", "BUTTON_2"),
    ("oem3", "BUTTON_3"),
    ("oem4", "BUTTON_4"),
];

const PREFIX: &str = "KEYCODE_";
/// Longest name of a key that is looked at, and longest code.
const LONGEST: usize = 48;

/// What `input keyevent` takes: a name or a number. Nothing else may come near a shell.
pub(super) fn is_code(code: &str) -> bool {
    let letter = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
    let named = code.strip_prefix(PREFIX).is_some_and(|rest| !rest.is_empty() && rest.bytes().all(letter));
    let number = (1..=3).contains(&code.len()) && code.bytes().all(|byte| byte.is_ascii_digit());
    code.len() <= LONGEST && (named || number)
}

/// The code of a key: from the device's own, or the usual one, or the name itself if it is a `KEYCODE_…`.
pub(super) fn code<'a>(key: &'a str, own: &'a BTreeMap<String, String>) -> Result<Cow<'a, str>, DriverError> {
    if let Some(code) = own.get(key).or_else(|| own.iter().find(|(name, _)| same(name, key)).map(|(_, code)| code)) {
        return Ok(Cow::Borrowed(code));
    }
    if key.starts_with(PREFIX) && is_code(key) {
        return Ok(Cow::Borrowed(key));
    }
    usual(key).map(Cow::Owned).ok_or_else(|| {
        let key: String = key.chars().take(LONGEST).collect();
        let say = format!("add it to keys of this device: keys = {{ {key:?} = \"KEYCODE_…\" }}");
        DriverError(format!("key {key:?} has no Android key code; {say}"))
    })
}

fn same(one: &str, other: &str) -> bool {
    one.len() <= LONGEST && other.len() <= LONGEST && plain(one) == plain(other)
}

/// `TV_Guide`, `KEY_TVGUIDE` and `tv guide` are one. A minus counts at the end only: `Vol-`, and `play-pause`.
fn plain(name: &str) -> String {
    let (stem, minus) = name.strip_suffix('-').map_or((name, ""), |stem| (stem, "-"));
    let letters = stem.chars().filter(|letter| !matches!(letter, '_' | ' ' | '-' | '/'));
    let plain: String = letters.map(|letter| letter.to_ascii_lowercase()).chain(minus.chars()).collect();
    plain.strip_prefix("key").filter(|rest| !rest.is_empty()).map(str::to_owned).unwrap_or(plain)
}

fn usual(key: &str) -> Option<String> {
    let named = |code: &str| Some(format!("{PREFIX}{code}"));
    match key {
        "*" => return named("STAR"),
        "#" => return named("POUND"),
        "-" => return named("MINUS"),
        _ if key.len() > LONGEST => return None,
        _ => {}
    }
    let plain = plain(key);
    if let [b'0'..=b'9'] = plain.as_bytes() {
        return named(&plain);
    }
    CODES.iter().find(|(name, _)| *name == plain).and_then(|(_, code)| named(code))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(key: &str) -> String {
        code(key, &BTreeMap::new()).map_or_else(|error| error.to_string(), Cow::into_owned)
    }

    #[test]
    fn every_key_of_the_client_api_has_a_code() {
        let names = "Fav Power Active WebApps Vod Mosaic Exit TV_Guide Help Up Left Right Down Ok Backup Mute Menu Vol+ Vol- Channel+ Channel- Info Record \
                     Live Rew Play/Pause Stop FFwd Red Green Yellow Blue 0 1 2 3 4 5 6 7 8 9 * # Swap Text Select Oem1 Oem2 Oem3 Oem4 Pause Play Home Back \
                     Sky SKY Search Services Apps Interactive Advance Dash Enter Format List PlayPause Prev Replay";
        for name in names.split_whitespace() {
            assert!(is_code(&of(name)), "{name}: {}", of(name));
        }
    }

    #[test]
    fn both_spellings_are_one_key() {
        for (names, code) in [
            (&["Vol+", "VolumeUp", "VOL_UP", "KEY_VOLUMEUP"][..], "KEYCODE_VOLUME_UP"),
            (&["Channel-", "ChDown", "CH_DOWN"], "KEYCODE_CHANNEL_DOWN"),
            (&["TV_Guide", "Guide", "tv guide"], "KEYCODE_GUIDE"),
            (&["Play/Pause", "PlayPause", "play-pause"], "KEYCODE_MEDIA_PLAY_PAUSE"),
            (&["7", "KEY_7", "KEYCODE_7"], "KEYCODE_7"),
        ] {
            for name in names {
                assert_eq!(of(name), code, "{name}");
            }
        }
    }

    #[test]
    fn own_codes_come_first() {
        let own =
            BTreeMap::from([("Exit".to_owned(), "KEYCODE_HOME".to_owned()), ("Netflix".to_owned(), "301".to_owned())]);
        assert_eq!(code("EXIT", &own).unwrap(), "KEYCODE_HOME");
        assert_eq!(code("Netflix", &own).unwrap(), "301");
        assert_eq!(code("Ok", &own).unwrap(), "KEYCODE_DPAD_CENTER");
    }

    #[test]
    fn nothing_else_comes_near_a_shell() {
        for key in ["Warp", "", "77", "KEYCODE_A;reboot", "KEYCODE_", &"x".repeat(9_999), "$(reboot)"] {
            let said = of(key);
            assert!(said.contains("has no Android key code; add it to keys") && said.len() < 250, "{said}");
        }
        for code in ["KEYCODE_a", "KEYCODE_A B", "1234", "", "-1", "`x`"] {
            assert!(!is_code(code), "{code}");
        }
    }
}

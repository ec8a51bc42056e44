//! Keys of a remote control on a keyboard.

use std::collections::BTreeMap;

use crate::DriverError;
use crate::tools::lirc::keys::{LONGEST, looked_up, standard};

/// Keys by Linux's names, and QEMU's names (`QKeyCode`) of what is pressed in their place. Set-top software on PCs and Android understand
/// most of these.
static QCODES: [(&str, &str); 46] = [
    ("KEY_POWER", "power"),
    ("KEY_UP", "up"),
    ("KEY_DOWN", "down"),
    ("KEY_LEFT", "left"),
    ("KEY_RIGHT", "right"),
    ("KEY_OK", "ret"),
    ("KEY_BACK", "esc"),
    ("KEY_EXIT", "esc"),
    ("KEY_ESC", "esc"),
    ("KEY_MENU", "menu"),
    ("KEY_HOME", "home"),
    ("KEY_EPG", "g"),
    ("KEY_INFO", "i"),
    ("KEY_SEARCH", "f3"),
    ("KEY_HELP", "f1"),
    ("KEY_TEXT", "t"),
    ("KEY_LIST", "l"),
    ("KEY_TV", "v"),
    ("KEY_SETUP", "s"),
    ("KEY_FAVORITES", "f"),
    ("KEY_VOLUMEUP", "volumeup"),
    ("KEY_VOLUMEDOWN", "volumedown"),
    ("KEY_MUTE", "audiomute"),
    ("KEY_CHANNELUP", "pgup"),
    ("KEY_CHANNELDOWN", "pgdn"),
    ("KEY_PAGEUP", "pgup"),
    ("KEY_PAGEDOWN", "pgdn"),
    ("KEY_LAST", "backspace"),
    ("KEY_PREVIOUS", "audioprev"),
    ("KEY_NEXT", "audionext"),
    ("KEY_RECORD", "r"),
    ("KEY_PLAYPAUSE", "audioplay"),
    ("KEY_PLAY", "audioplay"),
    ("KEY_PAUSE", "pause"),
    ("KEY_STOP", "audiostop"),
    ("KEY_REWIND", "comma"),
    ("KEY_FASTFORWARD", "dot"),
    ("KEY_RED", "f5"),
    ("KEY_GREEN", "f6"),
    ("KEY_YELLOW", "f7"),
    ("KEY_BLUE", "f8"),
    ("KEY_NUMERIC_STAR", "asterisk"),
    ("KEY_NUMERIC_POUND", "shift+3"),
    ("KEY_MINUS", "minus"),
    ("KEY_SPACE", "spc"),
    ("KEY_AGAIN", "audioprev"),
];

/// QEMU's names of what is pressed for a key, all at once.
pub(super) fn qcodes(map: &BTreeMap<String, String>, key: &str) -> Result<Vec<String>, DriverError> {
    let usual = standard(key).first().copied();
    let digit = usual.and_then(|name| name.strip_prefix("KEY_")).filter(|rest| rest.len() == 1);
    let code = looked_up(map, key)
        .or(digit)
        .or_else(|| usual.and_then(|usual| QCODES.iter().find(|(name, _)| *name == usual)).map(|(_, code)| *code))
        .map_or_else(|| key.to_lowercase(), str::to_owned);
    let codes = parts(&code);
    codes.ok_or_else(|| {
        DriverError(format!("key {key:?} is none of a keyboard; name one of QEMU's key codes for it under `keys`"))
    })
}

/// Names of codes between plus signs.
fn parts(code: &str) -> Option<Vec<String>> {
    let is_code = |part: &str| {
        !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
    };
    let parts: Vec<String> = code.split('+').map(str::to_owned).collect();
    (code.len() <= LONGEST && parts.len() <= 4 && parts.iter().all(|part| is_code(part))).then_some(parts)
}

/// Every name of the map can be one of QEMU's.
pub(super) fn check(map: &BTreeMap<String, String>) -> Result<(), DriverError> {
    map.iter().find(|(_, code)| parts(code).is_none()).map_or(Ok(()), |(key, code)| {
        Err(DriverError(format!(
            "`keys`: {key} is {code:?}; it is one of QEMU's key codes, such as \"ret\" or \"f12\", or up to four with + between them"
        )))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(key: &str) -> String {
        qcodes(&BTreeMap::new(), key).unwrap().join("+")
    }

    #[test]
    fn keys_of_a_remote_are_found_on_a_keyboard() {
        let keys = ["Ok", "SELECT", "Channel+", "7", "KEY_7", "Red", "#", "Exit", "f12", "a", "Esc", "FFwd"];
        let codes = keys.map(code);
        assert_eq!(codes, ["ret", "ret", "pgup", "7", "7", "f5", "shift+3", "esc", "f12", "a", "esc", "dot"]);
    }

    #[test]
    fn a_map_goes_first_and_is_checked() {
        let map = BTreeMap::from([("TV_Guide".to_owned(), "ctrl+alt+g".to_owned())]);
        check(&map).unwrap();
        assert_eq!(qcodes(&map, "Guide").unwrap(), ["ctrl", "alt", "g"]);
        assert!(qcodes(&map, "TAP:1:2").unwrap_err().to_string().contains("`keys`"));
        let wrong = BTreeMap::from([("Ok".to_owned(), "Return!".to_owned())]);
        assert!(check(&wrong).unwrap_err().to_string().contains("\"Return!\""));
    }
}

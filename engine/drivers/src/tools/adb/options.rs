//! What the rack file says of a device behind adb.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::keys;
use crate::DriverError;

/// A device that an adb server knows.
///
/// ```toml
/// serial = "0123456789ABCDEF"
/// keys = { Guide = "KEYCODE_GUIDE" }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Options {
    /// Its serial number, as `adb devices` lists it; `host:port` of one on the network.
    pub serial: String,
    /// Where the adb server listens: host and port. `127.0.0.1:5037` unless told.
    #[serde(default = "server")]
    pub server: String,
    /// More keys, or other codes for known ones: a key's name to `KEYCODE_…` or its number. At most 256.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub keys: BTreeMap<String, String>,
    /// From the beginning of one picture to that of the next while somebody looks, in milliseconds, 20 to 10000. 200 unless told; the device
    /// may need longer.
    #[serde(default = "poll_ms")]
    pub poll_ms: u32,
    /// Nobody looks when nobody has for this long, in milliseconds, 100 to 600000. 3000 unless told. The device is left in peace then.
    #[serde(default = "idle_ms")]
    pub idle_ms: u32,
    /// The newest picture is "no signal" when it is older than this, in milliseconds, 100 to 60000. 3000 unless told.
    #[serde(default = "stale_ms")]
    pub stale_ms: u32,
    /// Most time for one answer of server or device, in milliseconds, 100 to 60000. 5000 unless told.
    #[serde(default = "timeout_ms")]
    pub timeout_ms: u32,
}

fn server() -> String {
    "127.0.0.1:5037".to_owned()
}

fn poll_ms() -> u32 {
    200
}

fn idle_ms() -> u32 {
    3_000
}

fn stale_ms() -> u32 {
    3_000
}

fn timeout_ms() -> u32 {
    5_000
}

/// Longest serial number; adb's own are shorter.
const MAX_SERIAL: usize = 128;
/// Most of `keys`.
const MAX_KEYS: usize = 256;

impl Options {
    /// All as usual, for this device.
    pub fn of(serial: impl Into<String>) -> Self {
        Self {
            serial: serial.into(),
            server: server(),
            keys: BTreeMap::new(),
            poll_ms: poll_ms(),
            idle_ms: idle_ms(),
            stale_ms: stale_ms(),
            timeout_ms: timeout_ms(),
        }
    }

    /// Looks for what makes no sense, without device or server.
    ///
    /// # Errors
    /// The key, its value and what helps.
    pub fn check(&self) -> Result<(), DriverError> {
        let plain = |letter: char| letter.is_ascii_graphic();
        if self.serial.is_empty() || self.serial.len() > MAX_SERIAL || !self.serial.chars().all(plain) {
            let say = "take the first word of its line in `adb devices`";
            return Err(DriverError(format!("serial = {:?}: {say}", self.serial)));
        }
        let address = self.server.rsplit_once(':');
        if !address.is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok_and(|port| port > 0)) {
            let say = "name host and port, such as 127.0.0.1:5037";
            return Err(DriverError(format!("server = {:?}: {say}", self.server)));
        }
        for (key, value, least, most) in [
            ("poll_ms", self.poll_ms, 20, 10_000),
            ("idle_ms", self.idle_ms, 100, 600_000),
            ("stale_ms", self.stale_ms, 100, 60_000),
            ("timeout_ms", self.timeout_ms, 100, 60_000),
        ] {
            if !(least..=most).contains(&value) {
                return Err(DriverError(format!("{key} = {value}: set {least} to {most} milliseconds")));
            }
        }
        if self.keys.len() > MAX_KEYS {
            return Err(DriverError(format!("keys has {}: set at most {MAX_KEYS}", self.keys.len())));
        }
        let wrong = self.keys.iter().find(|(_, code)| !keys::is_code(code));
        wrong.map_or(Ok(()), |(key, code)| {
            let say = "give a name such as KEYCODE_GUIDE, or a number up to 999";
            Err(DriverError(format!("keys.{key:?} = {code:?}: {say}")))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_serial_number_is_enough() {
        let options: Options = toml::from_str("serial = 'abc'").unwrap();
        assert_eq!(options, Options::of("abc"));
        options.check().unwrap();
        let again: Options = toml::from_str(&toml::to_string(&options).unwrap()).unwrap();
        assert_eq!(again, options);
        assert!(
            toml::from_str::<Options>("serial = 'abc'\nport = 5").is_err_and(|error| error.message().contains("port"))
        );
    }

    #[test]
    fn what_makes_no_sense_is_told_with_key_value_and_remedy() {
        for (text, said) in [
            ("serial = ''", "serial = \"\": take the first word"),
            ("serial = 'a b'", "serial = \"a b\": take the first word"),
            ("serial = 'a'\nserver = 'localhost'", "server = \"localhost\": name host and port"),
            ("serial = 'a'\nserver = ':70000'", "server = \":70000\": name host and port"),
            ("serial = 'a'\npoll_ms = 5", "poll_ms = 5: set 20 to 10000 milliseconds"),
            ("serial = 'a'\ntimeout_ms = 0", "timeout_ms = 0: set 100 to 60000 milliseconds"),
            ("serial = 'a'\nkeys = { X = 'KEYCODE_A; reboot' }", "keys.\"X\" = \"KEYCODE_A; reboot\": give a name"),
        ] {
            let options: Options = toml::from_str(text).unwrap();
            let error = options.check().unwrap_err().to_string();
            assert!(error.contains(said), "{text:?}: {error}");
        }
    }
}

//! What a rack file says of a serial port.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::DriverError;

/// A serial port and how it is set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Options {
    /// Path of the port, such as `/dev/ttyUSB0`. Paths below `/dev/serial/by-id` stay the same when adapters are plugged in anew.
    pub port: PathBuf,
    /// Bits a second. Default: 115200.
    #[serde(default = "baud")]
    pub baud: u32,
    /// Bits of a byte, 5 to 8. Default: 8.
    #[serde(default = "bits")]
    pub bits: u8,
    /// `none`, `even` or `odd`. Default: `none`.
    #[serde(default)]
    pub parity: Parity,
    /// 1 or 2. Default: 1.
    #[serde(default = "stop_bits")]
    pub stop_bits: u8,
    /// `none`, `hardware` (RTS and CTS) or `software` (XON and XOFF). Default: `none`.
    #[serde(default)]
    pub flow: Flow,
    /// Milliseconds without a byte after which a line without an end, such as a prompt, is given as a line; 0: never. Default: 1000.
    #[serde(default = "quiet_ms")]
    pub quiet_ms: u32,
}

/// The bit that tells whether the others came well.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Parity {
    /// There is none.
    #[default]
    None,
    /// The number of ones is even.
    Even,
    /// The number of ones is odd.
    Odd,
}

/// How one side asks the other to wait.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Flow {
    /// It does not.
    #[default]
    None,
    /// By the wires RTS and CTS.
    Hardware,
    /// By the bytes XON and XOFF.
    Software,
}

fn baud() -> u32 {
    115_200
}

fn bits() -> u8 {
    8
}

fn stop_bits() -> u8 {
    1
}

pub(crate) fn quiet_ms() -> u32 {
    1_000
}

impl Options {
    /// For a port with all else as it is by default.
    pub fn of_port(port: impl Into<PathBuf>) -> Self {
        Self {
            port: port.into(),
            baud: baud(),
            bits: bits(),
            parity: Parity::default(),
            stop_bits: stop_bits(),
            flow: Flow::default(),
            quiet_ms: quiet_ms(),
        }
    }

    /// What can be said without opening the port.
    ///
    /// # Errors
    /// The first key that is wrong, its value, and what to do.
    pub fn check(&self) -> Result<(), DriverError> {
        let wrong = |text: String| Err(DriverError(text));
        if !(50..=4_000_000).contains(&self.baud) {
            return wrong(format!("`baud` is {}; it is 50 to 4000000, often 115200", self.baud));
        }
        if !(5..=8).contains(&self.bits) {
            return wrong(format!("`bits` is {}; it is 5 to 8, nearly always 8", self.bits));
        }
        if !(1..=2).contains(&self.stop_bits) {
            return wrong(format!("`stop_bits` is {}; it is 1 or 2", self.stop_bits));
        }
        if !self.port.exists() {
            return wrong(format!(
                "`port` {} is not there; check the path, and that the adapter is plugged in",
                self.port.display()
            ));
        }
        Ok(())
    }

    /// Such as `115200 8N1`.
    pub(super) fn line(&self) -> String {
        let parity = match self.parity {
            Parity::None => 'N',
            Parity::Even => 'E',
            Parity::Odd => 'O',
        };
        format!("{} {}{parity}{}", self.baud, self.bits, self.stop_bits)
    }

    /// Longest time that so many bytes may take: twelve bits each, and ten seconds for waits of the other side.
    pub(super) fn longest(&self, bytes: usize) -> Duration {
        Duration::from_secs(10) + Duration::from_secs_f64(bytes as f64 * 12.0 / f64::from(self.baud.max(1)))
    }

    pub(super) fn quiet(&self) -> Duration {
        Duration::from_millis(self.quiet_ms.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_enough_and_the_rest_is_told() {
        let options: Options = toml::from_str("port = '/dev/null'").unwrap();
        assert_eq!(options, Options::of_port("/dev/null"));
        assert_eq!(options.line(), "115200 8N1");
        options.check().unwrap();
        let said = toml::from_str::<Options>("port = '/dev/null'\nspeed = 9600").unwrap_err().to_string();
        assert!(said.contains("speed") && said.contains("baud"), "{said}");
    }

    #[test]
    fn what_cannot_be_is_refused_with_its_value() {
        let wrong = |change: fn(&mut Options)| {
            let mut options = Options::of_port("/dev/null");
            change(&mut options);
            options.check().unwrap_err().to_string()
        };
        assert!(wrong(|o| o.baud = 0).contains("`baud` is 0"));
        assert!(wrong(|o| o.bits = 9).contains("`bits` is 9"));
        assert!(wrong(|o| o.stop_bits = 3).contains("`stop_bits` is 3"));
        assert!(wrong(|o| o.port = "/nowhere/tty".into()).contains("/nowhere/tty is not there"));
    }
}

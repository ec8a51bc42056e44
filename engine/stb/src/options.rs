//! What a box is made with.

use serde::{Deserialize, Serialize};

use crate::SECOND_US;

/// What a box is made with. [`Options::default`] is a 720p box without faults.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Options {
    /// Decides where its pictures are in their motion, and what happens by chance.
    pub seed: u64,
    /// Decides colours of channels and the programmes. Boxes of one line-up show the same channels, as those of one broadcaster do.
    pub lineup: u64,
    /// Size of its pictures, until it is changed in its settings.
    pub picture: Size,
    /// From mains to live pictures, in milliseconds.
    pub boot_ms: u32,
    /// From standby to live pictures, in milliseconds.
    pub wake_ms: u32,
    /// Black and silent between two channels, in milliseconds.
    pub zap_ms: u32,
    /// What happens by chance.
    pub chances: Chances,
}

impl Default for Options {
    /// 25 s of boot, 2 s to wake up, 600 ms of black in a zap.
    fn default() -> Self {
        Self {
            seed: 1,
            lineup: 0,
            picture: Size::Hd720,
            boot_ms: 25_000,
            wake_ms: 2_000,
            zap_ms: 600,
            chances: Chances::default(),
        }
    }
}

impl Options {
    /// With this seed.
    pub fn seeded(seed: u64) -> Self {
        Self { seed, ..Self::default() }
    }

    /// Looks for what makes no sense.
    ///
    /// # Errors
    /// [`OptionsError`] with the field's name, its value and what it may be.
    pub fn check(&self) -> Result<(), OptionsError> {
        const MOST_MS: u32 = 3_600_000;
        let times = [("boot-ms", self.boot_ms), ("wake-ms", self.wake_ms), ("zap-ms", self.zap_ms)];
        if let Some((field, value)) = times.into_iter().find(|(_, value)| *value > MOST_MS) {
            return Err(OptionsError(format!("{field} = {value}: at most {MOST_MS}, an hour")));
        }
        let wrong = self.chances.named().into_iter().find(|(_, value)| !(0.0..=1.0).contains(value));
        wrong.map_or(Ok(()), |(name, value)| {
            Err(OptionsError(format!("chances.{name} = {value}: a probability is 0 to 1")))
        })
    }

    pub(crate) fn boot_us(&self) -> u64 {
        u64::from(self.boot_ms) * SECOND_US / 1_000
    }

    pub(crate) fn wake_us(&self) -> u64 {
        u64::from(self.wake_ms) * SECOND_US / 1_000
    }

    pub(crate) fn zap_us(&self) -> u64 {
        u64::from(self.zap_ms) * SECOND_US / 1_000
    }
}

/// Why options are refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("virtual box: {0}")]
pub struct OptionsError(String);

/// Size of a box's pictures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Size {
    /// 1280 by 720 pixels.
    #[default]
    #[serde(rename = "720p")]
    Hd720,
    /// 1920 by 1080 pixels.
    #[serde(rename = "1080p")]
    Hd1080,
}

impl Size {
    /// In pixels.
    pub const fn width(self) -> u32 {
        match self {
            Self::Hd720 => 1_280,
            Self::Hd1080 => 1_920,
        }
    }

    /// In pixels.
    pub const fn height(self) -> u32 {
        self.width() / 16 * 9
    }
}

/// Probabilities of what happens by chance, 0.0 to 1.0. The same seed and story give the same chances.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Chances {
    /// Of each key: it is not heard.
    pub lose_key: f64,
    /// Of each zap: it lands on the channel after.
    pub wrong_channel: f64,
    /// Of each zap: it takes two to five seconds longer.
    pub slow_zap: f64,
    /// Of each second, as all below: the picture stands still for one to five seconds.
    pub freeze: f64,
    /// The picture is black for one to five seconds.
    pub black: f64,
    /// No signal for one to five seconds.
    pub no_signal: f64,
    /// Damaged blocks for one to five seconds.
    pub macroblocks: f64,
    /// No sound for one to five seconds.
    pub silence: f64,
    /// It crashes and boots.
    pub crash: f64,
    /// Ten lines of noise on the serial line.
    pub serial_noise: f64,
}

impl Chances {
    /// From text such as `lose-key 0.01, crash 0.001`.
    ///
    /// # Errors
    /// [`OptionsError`] with the part that is wrong and the names that there are.
    pub fn parse(text: &str) -> Result<Self, OptionsError> {
        let mut chances = Self::default();
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            let (name, value) = part.split_once([' ', '=']).unwrap_or((part, ""));
            let number = value.trim().parse::<f64>().ok().filter(|number| (0.0..=1.0).contains(number));
            match (chances.field(name.trim()), number) {
                (Some(field), Some(number)) => *field = number,
                (Some(_), None) => {
                    return Err(OptionsError(format!("{part:?}: write {name} and a number from 0 to 1")));
                }
                (None, _) => {
                    let names = chances.named().map(|(name, _)| name).join(", ");
                    return Err(OptionsError(format!("{name:?} is nothing that happens by chance; there are {names}")));
                }
            }
        }
        Ok(chances)
    }

    fn field(&mut self, name: &str) -> Option<&mut f64> {
        Some(match name {
            "lose-key" => &mut self.lose_key,
            "wrong-channel" => &mut self.wrong_channel,
            "slow-zap" => &mut self.slow_zap,
            "freeze" => &mut self.freeze,
            "black" => &mut self.black,
            "no-signal" => &mut self.no_signal,
            "macroblocks" => &mut self.macroblocks,
            "silence" => &mut self.silence,
            "crash" => &mut self.crash,
            "serial-noise" => &mut self.serial_noise,
            _ => return None,
        })
    }

    const fn named(&self) -> [(&'static str, f64); 10] {
        [
            ("lose-key", self.lose_key),
            ("wrong-channel", self.wrong_channel),
            ("slow-zap", self.slow_zap),
            ("freeze", self.freeze),
            ("black", self.black),
            ("no-signal", self.no_signal),
            ("macroblocks", self.macroblocks),
            ("silence", self.silence),
            ("crash", self.crash),
            ("serial-noise", self.serial_noise),
        ]
    }

    /// Those of each second, in the order in which they are thrown for.
    pub(crate) const fn of_seconds(&self) -> [f64; 7] {
        [self.freeze, self.black, self.no_signal, self.macroblocks, self.silence, self.crash, self.serial_noise]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_tables_say_the_same() {
        let parsed = Chances::parse("lose-key 0.25, no-signal=0.5").unwrap();
        let options: Options =
            toml::from_str("picture = '1080p'\n[chances]\nlose-key = 0.25\nno-signal = 0.5\n").unwrap();
        assert_eq!((parsed, Size::Hd1080), (options.chances, options.picture));
        assert_eq!(options.check(), Ok(()));
        assert!(toml::from_str::<Options>("boot = 3").is_err());
    }

    #[test]
    fn what_makes_no_sense_is_told() {
        let error = Chances::parse("gravity 0.5").unwrap_err().to_string();
        assert!(error.contains("\"gravity\"") && error.contains("serial-noise"), "{error}");
        for text in ["freeze", "freeze 2", "freeze -1", "freeze x", "freeze nan"] {
            assert!(Chances::parse(text).is_err(), "{text}");
        }
        let wrong = Options { chances: Chances { crash: f64::NAN, ..Chances::default() }, ..Options::default() };
        assert!(wrong.check().is_err());
        assert!(Options { zap_ms: u32::MAX, ..Options::default() }.check().is_err());
    }
}

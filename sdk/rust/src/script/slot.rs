//! A reserved slot.

use std::fmt::Display;

use super::bindings::headend::script::session as host;
use super::{Captured, Error, Rect, Result};

/// A slot that the session holds, by the test's own number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot {
    number: u32,
}

impl Slot {
    pub(super) fn new(number: u32) -> Self {
        Self { number }
    }

    /// The test's number of it.
    pub fn number(&self) -> u32 {
        self.number
    }

    /// Presses a key: a [`Key`](super::Key), or any name that the device's key set has.
    ///
    /// # Errors
    /// `device`: the key was not taken. `no_slot`: the slot is not held any more.
    pub fn press(&self, key: impl AsRef<str>) -> Result<()> {
        let key = key.as_ref();
        let taken = host::press(key, Some(self.number))?.iter().all(|answer| answer.ok);
        if taken { Ok(()) } else { Err(Error::device(format!("slot {} did not take the key `{key}`", self.number))) }
    }

    /// Presses one key per digit.
    ///
    /// # Errors
    /// `bad_call`: something else than digits. Others as [`press`](Self::press).
    pub fn press_digits(&self, digits: impl Display) -> Result<()> {
        let digits = digits.to_string();
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(Error::bad_call(format!("`{digits}` is not made of the digits 0 to 9")));
        }
        digits.chars().try_for_each(|digit| self.press(digit.encode_utf8(&mut [0; 4])))
    }

    /// Switches mains power on.
    ///
    /// # Errors
    /// `device`: the power could not be switched. `no_slot`: the slot is not held any more.
    pub fn power_on(&self) -> Result<()> {
        self.power(true)
    }

    /// Switches mains power off.
    ///
    /// # Errors
    /// As [`power_on`](Self::power_on).
    pub fn power_off(&self) -> Result<()> {
        self.power(false)
    }

    fn power(self, on: bool) -> Result<()> {
        let done = host::power(on, Some(self.number))?.iter().all(|answer| answer.ok);
        if done { Ok(()) } else { Err(Error::device(format!("the power of slot {} was not switched", self.number))) }
    }

    /// Saves a picture of the screen in the run's output folder, as `.png` or `.jpg`. An existing file is kept; a number is added.
    ///
    /// # Errors
    /// `device`: there is no picture. `no_slot`: the slot is not held any more.
    pub fn capture(&self, name: &str) -> Result<Captured> {
        self.picture(name, None)
    }

    /// As [`capture`](Self::capture), a part of the screen, in pixels.
    ///
    /// # Errors
    /// As [`capture`](Self::capture); `bad_call`: the part is not on the screen.
    pub fn capture_part(&self, name: &str, part: Rect) -> Result<Captured> {
        self.picture(name, Some(part))
    }

    fn picture(self, name: &str, part: Option<Rect>) -> Result<Captured> {
        let pictures = host::capture(Some(name), part, Some(self.number))?;
        let none = || Error::device(format!("slot {} gave no picture", self.number));
        pictures.into_iter().next().ok_or_else(none)
    }

    /// Gives the slot back. True if it was held.
    ///
    /// # Errors
    /// The rack refused.
    pub fn free(self) -> Result<bool> {
        Ok(host::free_slot(self.number)?)
    }
}

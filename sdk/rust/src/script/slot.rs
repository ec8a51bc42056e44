//! A reserved slot.

use std::fmt::Display;
use std::time::Duration;

use super::bindings::headend::script::senses::{self, Until};
use super::bindings::headend::script::session as host;
use super::look::one;
use super::{Captured, Error, Look, Named, Rect, Result, Screen, ScreenSeen, Seen, SerialNews, SignalState};

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

    /// Waits until the analyser says that it is so, or the time is over. That it did not come is an answer: [`Seen::met`].
    ///
    /// # Errors
    /// `analyser`: the plugin failed. `bad_call`: it cannot work like that. `device`: the device shows nothing. `no_slot`: the slot is not held.
    pub fn wait_for(&self, look: &Look) -> Result<Seen> {
        look.watch(Until::Passed, self.number)
    }

    /// Waits until the analyser says that it is not so, or the time is over.
    ///
    /// # Errors
    /// As [`wait_for`](Self::wait_for).
    pub fn wait_while(&self, look: &Look) -> Result<Seen> {
        look.watch(Until::Failed, self.number)
    }

    /// Watches to the end of the time; the last verdict counts.
    ///
    /// # Errors
    /// As [`wait_for`](Self::wait_for).
    pub fn watch(&self, look: &Look) -> Result<Seen> {
        look.watch(Until::End, self.number)
    }

    /// Gets an analyser ready to look at each picture from a key on: this one, or any.
    ///
    /// # Errors
    /// As [`wait_for`](Self::wait_for).
    pub fn arm(&self, look: &Look, key: Option<&str>) -> Result<()> {
        look.arm(key, self.number)
    }

    /// What came of it; waits for it.
    ///
    /// # Errors
    /// `bad_call`: nothing is armed. Others as [`wait_for`](Self::wait_for).
    pub fn armed(&self) -> Result<Seen> {
        one(senses::armed(Some(self.number))?, self.number)
    }

    /// Keeps the first `most` new pictures from the key on that [`arm`](Self::arm) waits for, 1,000 and 64 MiB at most; 0: none any more. Said
    /// before it, and holds for each key from then on.
    ///
    /// # Errors
    /// `no_slot`: the slot is not held any more.
    pub fn keep_frames(&self, most: u32) -> Result<()> {
        senses::keep_frames(most, Some(self.number))?;
        Ok(())
    }

    /// How many pictures of the last change there are; waits until no more come.
    ///
    /// # Errors
    /// As [`keep_frames`](Self::keep_frames).
    pub fn kept_frames(&self) -> Result<u32> {
        Ok(senses::kept_frames(Some(self.number))?.first().map_or(0, |frames| frames.count))
    }

    /// One of them, from 0, as a JPEG in the run's output folder; waits until it has come. `None`: there is none of this number.
    /// [`Session::look_at`](super::Session::look_at) takes `frame:SLOT/INDEX` and needs no file.
    ///
    /// # Errors
    /// As [`keep_frames`](Self::keep_frames); `device`: the file cannot be written.
    pub fn kept_frame(&self, index: u32) -> Result<Option<Captured>> {
        Ok(senses::kept_frame(index, Some(self.number))?.into_iter().next())
    }

    /// Waits until all regions of a screen that count are as wanted, in one picture, or the time is over; zero: one look. That it did not come is an
    /// answer: [`ScreenSeen::met`].
    ///
    /// # Errors
    /// `bad_call`: it is no screen; the text names the region. `no_slot`: the slot is not held any more.
    pub fn wait_for_screen(&self, screen: &Screen, within: Duration) -> Result<ScreenSeen> {
        screen.wait(within, self.number)
    }

    /// What tests share under names, with the values for this slot where there are any.
    pub fn named(&self) -> Named {
        Named::of(Some(self.number))
    }

    /// Sends bytes to the serial port.
    ///
    /// # Errors
    /// `device`: there is none. `no_slot`: the slot is not held any more.
    pub fn serial_send(&self, bytes: &[u8]) -> Result<()> {
        senses::serial_send(bytes, Some(self.number))?;
        Ok(())
    }

    /// Lines from the serial port since a look that ended at `start`; 0: since the slot was reserved.
    ///
    /// # Errors
    /// `no_slot`: the slot is not held any more.
    pub fn serial_read(&self, start: u64) -> Result<SerialNews> {
        let none = || Error::device(format!("slot {} has no serial port", self.number));
        senses::serial_read(start, Some(self.number))?.into_iter().next().ok_or_else(none)
    }

    /// Begins to film what it shows. The file; `None`: it is filmed already.
    ///
    /// # Errors
    /// `device`: there is no picture, or no room. `no_slot`: the slot is not held any more.
    pub fn video_start(&self, prefix: Option<&str>) -> Result<Option<String>> {
        Ok(senses::video_start(prefix, Some(self.number))?.into_iter().find_map(|film| film.path))
    }

    /// Ends the film. True if there was one and it is whole.
    ///
    /// # Errors
    /// The session is over.
    pub fn video_stop(&self) -> Result<bool> {
        Ok(senses::video_stop(Some(self.number))?.iter().any(|answer| answer.ok))
    }

    /// What comes in from the device.
    ///
    /// # Errors
    /// `no_slot`: the slot is not held any more.
    pub fn signal(&self) -> Result<SignalState> {
        let none = || Error::device(format!("slot {} gave no answer", self.number));
        senses::signal(Some(self.number))?.into_iter().next().ok_or_else(none)
    }

    /// Orders a fault at a device that can have some, in its driver's words, such as `freeze 5s`.
    ///
    /// # Errors
    /// `device`: it has no such fault; the text tells which there are.
    pub fn inject(&self, fault: &str) -> Result<()> {
        senses::inject(fault, Some(self.number))?;
        Ok(())
    }

    /// Gives the slot back. True if it was held.
    ///
    /// # Errors
    /// The rack refused.
    pub fn free(self) -> Result<bool> {
        Ok(host::free_slot(self.number)?)
    }
}

//! What a slot can do to its device, whatever the device is: keys, mains, pictures, sound, a serial line, one clock.

mod past;
pub mod virtual_stb;
pub mod wired;

use futures::future::BoxFuture;
use headend_media::Sound;

pub use headend_drivers::{DriverError, SerialLine, SerialNews, Shot};

/// Pictures of before, as [`Driver::past`] gives them.
pub type Past = Box<dyn Iterator<Item = Shot> + Send>;

/// A device behind a slot. Calls come from one run at a time; the caller has checked its lease.
///
/// All times are of the device's own clock. A device in virtual time stands still until somebody moves it on with [`Driver::reach`] or a
/// key; one in real time runs by itself.
pub trait Driver: Send + Sync + std::fmt::Debug {
    /// The kind, such as `virtual` or `ffmpeg+lirc`, as the rack tells the server.
    fn kind(&self) -> &str;

    /// Name of the DUT that the driver brings along, if it does.
    fn builtin_dut(&self) -> Option<String>;

    /// Sends one key of the remote control. `false`: the device did not take it (it has no power).
    fn press<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<bool, DriverError>>;

    /// Switches mains power.
    fn power(&self, on: bool) -> BoxFuture<'_, Result<bool, DriverError>>;

    /// The newest picture of the screen. Drawing or grabbing may take milliseconds of CPU time: call it where that does no harm.
    fn capture(&self) -> Result<Shot, DriverError>;

    /// Whether it can show what it has shown lately ([`Driver::past`]): then nobody has to look for the day when something fails.
    fn shows_past(&self) -> bool {
        false
    }

    /// What it has shown between two times of its clock, a picture every so often, the oldest first. Each is drawn when it is asked for, which takes CPU
    /// time. Some seconds back at least; `None`: it cannot.
    fn past(&self, from_us: u64, to_us: u64, every_us: u64) -> Option<Past> {
        let _ = (from_us, to_us, every_us);
        None
    }

    /// How long one picture is shown, in microseconds: 40,000 at 25 a second.
    fn frame_us(&self) -> u64 {
        40_000
    }

    /// Now, in microseconds. Never goes back.
    fn now_us(&self) -> u64;

    /// Whether the clock moves only when it is moved.
    fn is_virtual(&self) -> bool;

    /// Returns when the device's clock shows this or later. Moves a virtual clock; sleeps for a real one.
    fn reach(&self, at_us: u64) -> BoxFuture<'_, ()>;

    /// What it plays from `from_us` on for so long, in microseconds. Of a device in real time that lies in the past: what was heard last is
    /// kept for some seconds. `None`: it has no sound, or not of then.
    fn sound(&self, from_us: u64, length_us: u64) -> Result<Option<Sound>, DriverError> {
        let _ = (from_us, length_us);
        Ok(None)
    }

    /// How long after it was played sound is there to be asked for, in microseconds.
    fn sound_lag_us(&self) -> u64 {
        0
    }

    /// Whether it has a serial port: whoever waits for a line of one that has none waits in vain.
    fn has_serial(&self) -> bool {
        false
    }

    /// Sends bytes to the serial port.
    fn serial_send<'a>(&'a self, bytes: &'a [u8]) -> BoxFuture<'a, Result<(), DriverError>> {
        let _ = bytes;
        Box::pin(std::future::ready(Err(DriverError(format!("a slot of kind {} has no serial port", self.kind())))))
    }

    /// Lines that came from the serial port since a look that ended at `from`; 0: all that is kept.
    fn serial_since(&self, from: u64) -> SerialNews {
        SerialNews { next: from, ..SerialNews::default() }
    }

    /// Makes the device misbehave, in the driver's own words, such as `freeze 5s`; what it can do stands in its error.
    fn inject(&self, fault: &str) -> Result<(), DriverError> {
        Err(DriverError(format!("{fault:?}: a slot of kind {} has no faults to order", self.kind())))
    }
}

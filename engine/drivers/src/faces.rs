//! What a tool can be for a slot.

use futures::future::BoxFuture;
use headend_media::{Picture, Sound};
use rustix::time::{ClockId, clock_gettime};

/// Something went wrong at the device or on the way to it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct DriverError(pub String);

/// A picture of the screen, and when it was taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shot {
    /// Of the device's clock, in microseconds.
    pub at_us: u64,
    /// In colour.
    pub picture: Picture,
}

/// A line that came from the device's serial port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SerialLine {
    /// Of the device's clock, in microseconds: when its end came.
    pub at_us: u64,
    /// Without its line end; bytes that are no UTF-8 are replaced.
    pub text: String,
}

/// What came from the serial port since somebody looked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SerialNews {
    /// In the order in which they came.
    pub lines: Vec<SerialLine>,
    /// Where the next look begins.
    pub next: u64,
    /// Lines that were gone before they were looked at.
    pub lost: u64,
}

/// Now, in microseconds since the host was booted, suspended time included (`CLOCK_BOOTTIME`). Never goes back.
pub fn now_us() -> u64 {
    let now = clock_gettime(ClockId::Boottime);
    (now.tv_sec * 1_000_000 + now.tv_nsec / 1_000).unsigned_abs()
}

/// What every tool can say of itself.
pub trait Tool: Send + Sync + std::fmt::Debug {
    /// Its name in the rack file, such as `qemu` or `lirc`.
    fn name(&self) -> &'static str;

    /// Tries it without changing the device: what it is in one line, such as `QEMU 7.2.1, running, 720x400`. The error says what is wrong
    /// and what to do. Returns within ten seconds.
    fn probe(&self) -> BoxFuture<'_, Result<String, DriverError>>;
}

/// Gives pictures, and sound if it hears any.
pub trait Capture: Tool {
    /// The newest picture. May take milliseconds of CPU time. An error if none came lately: old pictures are never given for new ones.
    fn latest(&self) -> Result<Shot, DriverError>;

    /// How long one picture is shown, in microseconds.
    fn frame_us(&self) -> u64 {
        40_000
    }

    /// What was heard from `from_us` on for so long, in microseconds; the last ten seconds are kept. `None`: no sound, or not of then.
    fn sound(&self, from_us: u64, length_us: u64) -> Result<Option<Sound>, DriverError> {
        let _ = (from_us, length_us);
        Ok(None)
    }

    /// How long after it was heard a sound is there to be asked for, in microseconds: who asks sooner gets its beginning or nothing.
    fn sound_lag_us(&self) -> u64 {
        0
    }
}

/// Sends keys.
pub trait Remote: Tool {
    /// Sends one key of the remote control, by the names of the Client API (`Channel+`, `Ok`, `1`). `false`: the device did not take it.
    fn press<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<bool, DriverError>>;
}

/// Switches mains.
pub trait Power: Tool {
    /// Returns when it is switched. `false`: the switch refused.
    fn switch(&self, on: bool) -> BoxFuture<'_, Result<bool, DriverError>>;
}

/// Carries a serial line.
pub trait Serial: Tool {
    /// Sends bytes as they are.
    fn send<'a>(&'a self, bytes: &'a [u8]) -> BoxFuture<'a, Result<(), DriverError>>;

    /// Lines that came since a look that ended at `from`; 0: all that is kept.
    fn since(&self, from: u64) -> SerialNews;
}

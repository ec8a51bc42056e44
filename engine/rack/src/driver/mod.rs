//! What a slot can do to its device, whatever the device is.

pub mod virtual_stb;

use futures::future::BoxFuture;

/// Something went wrong at the device or on the way to it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct DriverError(pub String);

/// A picture of the screen: 8 bit RGB, full range, `height × width × 3` bytes, rows from the top.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// In pixels.
    pub width: u32,
    /// In pixels.
    pub height: u32,
    /// The pixels.
    pub rgb: Vec<u8>,
}

impl Frame {
    /// A part of the picture, cut to what lies inside it; `None` if nothing does.
    pub fn crop(&self, [x, y, width, height]: [u32; 4]) -> Option<Self> {
        let width = width.min(self.width.checked_sub(x)?);
        let height = height.min(self.height.checked_sub(y)?);
        if width == 0 || height == 0 {
            return None;
        }
        let row = |line: u32| {
            let start = ((y + line) * self.width + x) as usize * 3;
            &self.rgb[start..start + width as usize * 3]
        };
        let rgb = (0..height).flat_map(|line| row(line).iter().copied()).collect();
        Some(Self { width, height, rgb })
    }
}

/// A device behind a slot. Calls come from one run at a time; the caller has checked its lease.
pub trait Driver: Send + Sync + std::fmt::Debug {
    /// The kind, such as `virtual`, as the rack tells the server.
    fn kind(&self) -> &'static str;

    /// Name of the DUT that the driver brings along, if it does.
    fn builtin_dut(&self) -> Option<String>;

    /// Sends one key of the remote control. `false`: the device did not take it (it has no power).
    fn press<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<bool, DriverError>>;

    /// Switches mains power.
    fn power(&self, on: bool) -> BoxFuture<'_, Result<bool, DriverError>>;

    /// A picture of the screen now. Drawing or grabbing may take milliseconds of CPU time: call it where that does no harm.
    fn capture(&self) -> Result<Frame, DriverError>;

    /// Lets `ms` pass at the device without real time passing. `false`: the device lives in real time.
    fn skip(&self, ms: u64) -> bool;
}

//! A virtual set-top box: a small but real digital television box that a test can drive, look at and listen to.
//!
//! [`Stb`] comes first. Keys, mains, bytes of the serial line and ordered faults go in, each with the time at which they come; pictures, sound and serial
//! lines come out. Time is an argument: microseconds of the box's own clock, which never goes back. So the same seed and the same story give the same
//! pictures to the last bit, as fast as they can be drawn, and a box that nobody looks at costs nothing but its memory.
//!
//! ```text
//! press, mains, send, inject ──> Stb ──> look ──> View ──> draw ──> Picture   (25 a second, on a grid of 40 ms)
//!                                 │ └──> sound ──> Sound                      (48 kHz, stereo)
//!                                 └────> serial_since ──> News                (lines, a bounded ring)
//! ```
//!
//! What comes by itself (the end of a boot, of a zap, of a recording) is worked off when somebody asks, in the order in which it happened.
//! [`Film`] plays a story and hands out its frames; tests of analysers draw their cases with it.
//!
//! # What it costs
//! On an AMD EPYC (two virtual cores, busy besides), release build: a picture of 720 rows 0.07 to 0.27 ms, one of 1080 rows 0.2 to 1.4 ms, a second of sound
//! 0.07 ms, a fresh box 0.6 kB, one with 2,000 keys behind it 40 kB (`cargo bench -p headend-stb`; table in `engine/design/0022-virtual-box.md`).
//!
//! Letters are those of Noto Sans Mono (SIL Open Font License), as bitmaps from the crate `noto-sans-mono-bitmap` (MIT).
//!
//! Absent on purpose: clocks, threads, files, sockets.

mod apps;
mod chance;
mod draw;
mod due;
mod fault;
mod film;
mod guide;
mod keys;
mod lineup;
mod menu;
mod options;
mod programme;
mod recordings;
mod search;
mod serial;
mod settings;
mod shell;
mod sound;
mod state;
mod stb;

pub use draw::View;
pub use fault::{Fault, FaultError};
pub use film::{Film, FilmError, Frame, film};
pub use lineup::{CHANNELS, Channel, channel};
pub use options::{Chances, Options, OptionsError, Size};
pub use programme::{Programme, programme};
pub use serial::{Line, News};
pub use sound::RATE;
pub use stb::Stb;

/// Microseconds that a picture is shown: 25 a second.
pub const FRAME_US: u64 = 40_000;

/// Microseconds of a second.
pub const SECOND_US: u64 = 1_000_000;

/// When the picture that is shown at a time came up.
pub const fn frame_at(at_us: u64) -> u64 {
    at_us / FRAME_US * FRAME_US
}

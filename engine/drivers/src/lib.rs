//! Real device tools behind small faces: what gives pictures and sound, what sends keys, what switches mains, what carries a serial line.
//!
//! ```text
//!  rack file ─► Wiring ─► Capture   QEMU screendump, ffmpeg (card, stream, file, test pattern), adb screencap
//!                         Remote    QEMU keys, LIRC, adb key events
//!                         Power     QEMU, pdudaemon, a command
//!                         Serial    QEMU chardev, a port or pseudo-terminal
//! ```
//!
//! A slot takes one tool per face, from whichever program has it. Every tool owns its process or connection, ends it with itself,
//! tells with [`Tool::probe`] whether it works, and gives a time limit to every wait. The faces know nothing of leases, runs or scripts:
//! the rack builds its slots out of them and watches over them.
//!
//! All times are of [`now_us`], the host's clock.

mod faces;
mod nursery;
mod place;
mod programs;
pub mod tools;

pub use faces::{Capture, DriverError, Power, Remote, Serial, SerialLine, SerialNews, Shot, Tool, now_us};
pub use place::Place;

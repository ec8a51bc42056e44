//! Sessions whose script runs on a person's own machine (design 0026): the rack's end, and the person's.
//!
//! ```text
//!  Python     ─ socket ─┐
//!  Rhai, WASM ─ guest ──┴ bridge ══ person's upgrade ═ server ═ rack's upgrade ══ seat ─ Session ─ driver
//! ```
//!
//! The seat is the rack's: it takes the lease like that of a run and ends with it, whatever the stream does. The bridge answers the calls of
//! a script as a session on boxes of its own does, so scripts do not see the difference: over a socket those of a process that somebody else has
//! started ([`bridge_session`]), and those of a guest that it hosts itself ([`run_there`]). Sources stay on the person's machine: `home` puts them beside the
//! log that has come.

mod bridge;
mod far;
mod frames;
mod home;
mod seat;
mod there;

pub use bridge::{Bridged, bridge_session};
pub(crate) use seat::execute;
pub use there::{ThereReport, guest_script, run_there};

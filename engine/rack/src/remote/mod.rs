//! Sessions whose script runs on a person's own machine (design 0026): the rack's end, and the person's.
//!
//! ```text
//!  script ─ socket ─ bridge ══ person's upgrade ═ server ═ rack's upgrade ══ seat ─ Session ─ driver
//! ```
//!
//! The seat is the rack's: it takes the lease like that of a run and ends with it, whatever the stream does. The bridge gives
//! a script the same socket as a session on boxes of its own, so scripts do not see the difference.

mod bridge;
mod frames;
mod seat;

pub use bridge::{BridgeOptions, Bridged, bridge_session};
pub(crate) use seat::execute;

//! Decides: which run starts on which slot, when, and why. `step(now, &event) -> actions`, nothing else.
//!
//! Absent on purpose: clocks, randomness, threads, files, sockets, async. Time and ids come in as arguments or out of the
//! state, so the same function serves the server, recovery, what-if, replay, and the simulator.
//!
//! ```text
//!  Event ──► Farm::step ──► Vec<Action>      server half: jobs, queues, leases, policies   (farm)
//!  FenceEvent ─► Fence::step ─► FenceAction  rack half: epochs, deadlines, outbox          (fence)
//! ```
//!
//! Meet [`farm::Farm`] first; then [`event::Event`] and [`action::Action`], which are all that goes in and comes out.

pub mod action;
pub mod config;
pub mod digest;
pub mod event;
pub mod farm;
pub mod fence;
pub mod history;
#[cfg(feature = "mutants")]
pub mod mutant;
pub mod policy;
pub mod recurrence;
pub mod reservation;
pub mod schedule;
pub mod trials;
pub mod view;

pub use action::Action;
pub use config::FarmConfig;
pub use event::Event;
pub use farm::Farm;
pub use fence::{Fence, FenceAction, FenceEvent};
pub use reservation::{ReservationAction, ReservationCommand};
pub use schedule::{ScheduleAction, ScheduleCommand};

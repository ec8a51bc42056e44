//! From the rack file to devices: which tools stand behind which slot, whether they work, and what happens when they do not.
//!
//! ```text
//!  rack.toml ─► Look (all faults, with line and remedy) ─► Wiring per slot ─► Keeper ─► Wired, the slot's driver
//!                                                                             │  ▲
//!                                               started, probed, taken away ──┘  └── Watch decides (pure)
//! ```
//!
//! A slot is *out* from the rack's start until its tools have passed a probe, and again from a failed probe until the next
//! passed one. The server is told with the reason, offers nothing for it meanwhile, and shows it. A run keeps the tools that it
//! began with, even broken ones: nothing is started anew under it.

mod fault;
mod file;
mod keeper;
mod probe;
mod schema;
mod specs;
mod tools;
mod typed;
mod users;
mod virtual_table;
pub mod watch;

#[cfg(test)]
pub(crate) mod fake;
#[cfg(test)]
mod tests;

pub use fault::{Fault, Faults};
pub use file::{Look, RackFile, RackTable};
pub use probe::{Probed, probe};
pub use schema::schema;
pub use tools::{Claim, Spec, ToolOptions, Wiring};

pub(crate) use keeper::Keeper;
pub(crate) use probe::start_probed;
pub(crate) use users::Users;

//! The server: HTTP in front, one task that owns the scheduler's state behind, a journal under it.
//!
//! ```text
//!  client ─► gate (Host, token) ─► handler ─► edge (checks, model types) ─► Command ─┐
//!  rack ───► gate ─► exchange ─► events ────────────────────────────────► Command ─┤
//!  policy thread ─► Proposed ───────────────────────────────────────────► Command ─┤
//!                                                                                    ▼
//!                    batch ─► Farm::step per event ─► Store::append (durable) ─► answers, orders, questions, feed
//! ```
//!
//! Meet [`Server::start`] first; inside, `farm_loop` is the heart, `routes` has a module per resource, `edge` is where
//! what clients write is checked, and `show` is where what the farm knows becomes text. Nothing is answered,
//! sent or shown before it is durable.
//!
//! Absent on purpose: decisions (the scheduler's), SQL (the store's), guests (the plugin host's). TLS is left to a proxy.

mod app;
mod auth;
mod clock;
mod crash;
mod edge;
mod events;
mod farm_loop;
mod files;
mod handle;
mod http;
mod lab;
mod load;
mod options;
mod policies;
mod racks;
mod relays;
mod remote;
mod replay;
mod results;
mod retention;
mod routes;
mod run_files;
mod schedules;
mod show;
mod start;

pub use auth::tokens::Secret;
pub use farm_loop::{LoopFailure, RecoverError};
pub use handle::{ServeError, ServerHandle};
pub use load::{LabNow, LoadError, MOST_JOBS, load_between};
pub use options::{AuthMode, Limits, OccurrencesKept, Quotas, Retention, ServeOptions};
pub use replay::{ReplayReport, farm_in, replay_check};
pub use routes::openapi_json;
pub use schedules::zones::NoSuchZone;
pub use start::Server;

//! The supervisor of a rack: it holds leases, runs scripts in processes of their own, drives devices for them, and tells
//! the server how they ended.
//!
//! ```text
//!             ┌────────────────────────── rack daemon ──────────────────────────┐
//!  server ◄───┤ link ◄── outbox ◄── core (fence + journal) ──► run ──► session   │
//!  (HTTP)     │   └────────────────────► ▲                      │        │      │
//!             │                          └──────── ends ────────┘        ▼      │
//!             │            guest pool, Python zygotes       driver (box, tools) │
//!             └─────────────────────────────────────────────────────────────────┘
//! ```
//!
//! Meet [`Rack::start`] first. A run passes through: an order comes by the link; the core asks the fence, writes the
//! epochs to the journal, and starts it; the run fetches its files, opens a [`session::Session`] and hands it to a host;
//! each call of the script that drives a device asks the fence again; its end goes through the journal into the outbox
//! and with the next report to the server.
//!
//! Absent on purpose: foreign code. Rhai and WASM scripts run in guest processes, Python scripts in processes forked from
//! a warm interpreter; this process only serves their calls.

pub mod analysers;
pub mod clock;
mod core;
pub mod cpu;
mod crash;
pub mod driver;
pub mod error;
mod evidence;
pub mod folder;
pub mod guest;
pub mod journal;
mod link;
pub mod local;
pub mod options;
pub mod process;
pub mod python;
mod rack;
pub mod record;
pub mod remote;
pub mod run;
mod screen;
mod served;
pub mod session;
pub mod wiring;
pub mod witness;

pub use error::RackError;
pub use options::RackOptions;
pub use rack::{Rack, RackHandle};

//! The rack's side of `headend_wire::rack`: it dials out, tells what it holds, and takes orders.
//!
//! Two requests are in flight: the *report* (a heartbeat every H, and at once when a run has ended), and the *wait*,
//! a long poll that brings new starts and stops while nothing is to be told. An answer to either is worked in by the
//! core before the next request is built, so that each names what the last one brought.

mod analysers;
mod client;
mod fetch;
mod loops;

pub(crate) use analysers::ServerAnalysers;
pub(crate) use client::Client;
pub(crate) use fetch::ServerBlobs;
pub(crate) use loops::{Link, report_loop, wait_loop};

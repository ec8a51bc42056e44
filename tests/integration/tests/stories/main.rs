//! Stories of Headend, each with real processes: a server, a rack of virtual boxes, scripts in three languages.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod crash_rack;
mod crash_server;
mod endings;
mod identity;
mod languages;
mod order;
mod policies;
mod refusals;
mod scripts;

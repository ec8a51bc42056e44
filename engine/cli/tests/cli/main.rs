//! What people read, held by snapshots: help, tables, errors. The server is a fake that says what it was told to say.

#![allow(clippy::unwrap_used, reason = "tests")]

#[cfg(feature = "host")]
mod analyse;
mod errors;
mod fake;
mod help;
mod plugin_new;
mod schedules;
mod tables;
mod uploads;
mod what_if;

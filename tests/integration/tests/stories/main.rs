//! Stories of Headend, each with real processes: a server, a rack of virtual boxes, scripts in three languages.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod crash_rack;
mod crash_server;
mod endings;
mod files;
mod full_disk;
mod identity;
mod languages;
mod order;
mod partitions;
mod policies;
mod queue_policies;
mod refusals;
mod schedules;
mod scripts;
mod transcript;

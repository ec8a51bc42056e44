//! A real server on port 0, asked over HTTP by clients, by a rack that drives nothing, and by the ill-disposed.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod auth;
mod bad_input;
mod disk;
mod file_calls;
mod file_history;
mod file_uploads;
mod files;
mod inventory;
mod jobs;
mod live;
mod plugins;
mod quotas;
mod raw;
mod remote;
mod restart;
mod schedules;
mod support;
mod turns;

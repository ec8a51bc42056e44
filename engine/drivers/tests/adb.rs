//! Stories of adb: a fake server with a fake device, and the server of the real program.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

#[path = "adb/device.rs"]
mod device;
#[path = "adb/fake_server.rs"]
mod fake_server;
#[path = "adb/real_server.rs"]
mod real_server;

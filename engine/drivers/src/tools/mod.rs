//! One module per program that a slot may be wired to.

pub mod adb;
pub mod command;
pub mod ffmpeg;
pub mod lirc;
pub mod pdudaemon;
pub mod qemu;
pub mod serial;

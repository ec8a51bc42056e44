//! Stories of a box, from outside: keys, mains, faults and bytes in; pictures, sound and lines out.
#![allow(clippy::unwrap_used, reason = "tests")]

mod faults;
mod menus;
mod pictures;
mod power;
mod serial;
mod sounds;
mod support;
mod zaps;

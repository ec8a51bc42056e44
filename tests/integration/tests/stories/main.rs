//! Stories of Headend, each with real processes: a server, a rack of virtual boxes, scripts in three languages.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod analysers;
mod boot_line;
mod by_hand;
mod crash_rack;
mod crash_server;
mod endings;
mod explained;
mod eyes;
mod files;
mod freestanding;
mod full_disk;
mod hostile;
mod identity;
mod isolation_matrix;
mod languages;
mod order;
mod partitions;
mod plugin_new;
mod plugins;
mod plugins_cli;
mod policies;
mod queue_policies;
mod refusals;
mod reserve;
mod rest_fuzz;
mod restored;
mod results;
mod retro;
mod run_there;
mod schedules;
mod screens;
mod scripts;
mod simulate;
mod transcript;
mod trials;
mod upload_cuts;
mod upload_proxy;
mod wiring;

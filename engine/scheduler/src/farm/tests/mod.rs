//! Cases of the document and of the failure catalogue, one story per module.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod absence;
mod audit;
mod canaries;
mod coverage;
mod duts;
mod gangs;
mod lab;
mod leases;
mod order;
mod policies;
mod properties;
mod queue_policies;
mod reports;
mod reservations;
mod restore;
mod schedule_commands;
mod schedule_histories;
mod schedules;
mod stories;
mod usage;
mod why;
mod why_not;

use lab::{Lab, job, lab, test};

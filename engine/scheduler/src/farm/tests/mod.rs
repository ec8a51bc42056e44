//! Cases of the document and of the failure catalogue, one story per module.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod absence;
mod coverage;
mod gangs;
mod lab;
mod leases;
mod policies;
mod properties;
mod stories;

use lab::{Lab, job, lab, test};

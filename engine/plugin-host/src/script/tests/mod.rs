//! Real guest processes against a host that plays a rack: this test binary starts itself again as the guest.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod corpus;
mod examples;
mod pace;
mod page;
mod rack;
mod stories;

use std::process::ExitCode;

/// Set in the process that is to be a guest.
const ENV_GUEST: &str = "HEADEND_TEST_GUEST";

/// Not a test: the body of the guest process. Does nothing in an ordinary test run.
#[test]
fn guest_process() {
    if std::env::var_os(ENV_GUEST).is_some() {
        let status = super::guest_main();
        std::process::exit(i32::from(status != ExitCode::SUCCESS));
    }
}

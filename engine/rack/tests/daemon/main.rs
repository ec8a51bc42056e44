//! The rack's daemon against a server that is played on loopback: real HTTP, real journal, real guest processes.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod crashes;
mod disks;
mod guests;
mod isolation;
mod lab;
mod leases;
mod link;
mod pythons;
mod refusals;
mod server;

/// Not a test: the body of the guest process. Does nothing in an ordinary test run.
#[test]
fn guest_process() {
    let environment = |name| std::env::var_os(name).is_some();
    if environment("HEADEND_CACHE") && !environment("PATH") {
        let status = headend_plugin_host::script::guest_main();
        std::process::exit(i32::from(status != std::process::ExitCode::SUCCESS));
    }
}

//! The guest processes alone: `headend-guest compile`, `headend-guest policy`. What `headend guest` does, in a small program.

use std::process::ExitCode;

fn main() -> ExitCode {
    match std::env::args().nth(1).as_deref() {
        Some("compile") => headend_plugin_host::wasm::compile_main(),
        Some("policy") => headend_plugin_host::policy::guest_main(),
        _ => {
            eprintln!(
                "usage: headend-guest compile [time|fuel] | policy; it reads standard input and answers on standard output"
            );
            ExitCode::from(2)
        }
    }
}

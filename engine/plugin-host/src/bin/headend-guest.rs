//! The guest processes alone: `headend-guest compile`, `headend-guest policy`, `headend-guest analyser`, `headend-guest script`. What `headend guest` does, in a small program.

use std::process::ExitCode;

fn main() -> ExitCode {
    match std::env::args().nth(1).as_deref() {
        Some("compile") => headend_plugin_host::wasm::compile_main(),
        Some("analyser") => headend_plugin_host::analyser::guest_main(),
        Some("policy") => headend_plugin_host::policy::guest_main(),
        Some("script") => headend_plugin_host::script::guest_main(),
        _ => {
            eprintln!(
                "usage: headend-guest compile [time|fuel] | policy | analyser | script; it reads standard input and answers on standard \
                 output, or, for a script, on descriptor 3"
            );
            ExitCode::from(2)
        }
    }
}

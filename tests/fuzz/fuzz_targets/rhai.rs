//! Rhai: any text as a policy of either kind and as a test, read, run under limits, and every answer a line.
#![no_main]

use headend_plugin_host::fuzz;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    fuzz::policy_source(text);
    fuzz::script_source(text);
});

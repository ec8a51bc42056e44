//! Files that are sent as plugins: what the server itself unpacks and reads, before a child compiles anything.
#![no_main]

use headend_plugin_host::fuzz;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Some((form, bytes)) = bytes.split_first() else { return };
    let file = ["p.wasm", "p.rhai", "p.tar", "p.tgz", "p.zip"][usize::from(*form) % 5];
    fuzz::package(file, bytes);
});

//! Code of a plugin: bytes through every step of the compiling child, and linked as each world of the contract.
#![no_main]

use headend_plugin_host::fuzz;
use libfuzzer_sys::{Corpus, fuzz_target};

fuzz_target!(|bytes: &[u8]| -> Corpus {
    fuzz::code(bytes);
    // Far from anything that is a component there is nothing to learn.
    if bytes.starts_with(b"\0asm\x0d") { Corpus::Keep } else { Corpus::Reject }
});

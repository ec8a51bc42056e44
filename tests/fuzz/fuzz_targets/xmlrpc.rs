//! The legacy wire: whatever comes, reading ends without a panic, and what was read can be written and read again.
#![no_main]

use headend_wire::xmlrpc::{Limits, Response, parse_call, parse_response, write_call, write_response};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let limits = Limits::default();
    if let Ok(call) = parse_call(bytes, &limits) {
        let written = write_call(&call.method, &call.params);
        let again = parse_call(written.as_bytes(), &Limits { bytes: usize::MAX, ..limits });
        assert_eq!(again.expect("our own text"), call);
    }
    if let Ok(Response::Value(value)) = parse_response(bytes, &limits) {
        let written = write_response(&value);
        let again = parse_response(written.as_bytes(), &Limits { bytes: usize::MAX, ..limits });
        assert_eq!(again.expect("our own text"), Response::Value(value));
    }
});

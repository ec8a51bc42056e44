#![allow(clippy::unwrap_used, reason = "tests")]

mod hostile;
mod properties;
mod python;
mod reading;

use super::{Call, Limits, Problem, Value, XmlRpcError, parse_call};

/// A call of `m` whose one argument is this text inside `<value>`.
fn call_with(inside: &str) -> String {
    format!(
        "<methodCall><methodName>m</methodName><params><param><value>{inside}</value></param></params></methodCall>"
    )
}

fn read(text: &str) -> Result<Call, XmlRpcError> {
    parse_call(text.as_bytes(), &Limits::default())
}

/// The one argument.
fn value(inside: &str) -> Value {
    let mut call = read(&call_with(inside)).unwrap();
    assert_eq!(call.params.len(), 1);
    call.params.pop().unwrap()
}

fn problem(inside: &str) -> Problem {
    read(&call_with(inside)).unwrap_err().problem
}

//! Answers that fit into a line of the wire: one that does not would break the script's connection instead of its call.

use std::io;

use headend_wire::session::{CallError, MAX_LINE_BYTES};
use serde_json::Value;

/// What stands around an answer in its line, and some more.
const AROUND: usize = 256;
/// The longest answer, in bytes.
const LONGEST: usize = MAX_LINE_BYTES - AROUND;

/// The answer, if a line holds it.
///
/// # Errors
/// `limit`: it does not.
pub(crate) fn fitting(answer: Value) -> Result<Value, CallError> {
    let bytes = length(&answer);
    if bytes <= LONGEST {
        return Ok(answer);
    }
    let message = format!("the answer takes {bytes} bytes; at most {LONGEST} go over the line: ask for less at once");
    Err(CallError { code: "limit".to_owned(), message })
}

/// Of its JSON text.
fn length(value: &Value) -> usize {
    struct Counter(usize);
    impl io::Write for Counter {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 += bytes.len();
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut counter = Counter(0);
    // A value that is there already can be written, and a counter takes all.
    serde_json::to_writer(&mut counter, value).map_or(usize::MAX, |()| counter.0)
}

#[cfg(test)]
mod tests {
    use headend_wire::session::{Reply, ToScript};

    use super::*;

    #[test]
    fn the_longest_answer_goes_over_the_line_and_a_longer_one_is_told() {
        let longest = Value::from("x".repeat(LONGEST - 2));
        let line = ToScript::Reply { id: u64::MAX, reply: Reply::Ok(fitting(longest.clone()).unwrap()) };
        assert!(serde_json::to_string(&line).unwrap().len() < MAX_LINE_BYTES);
        let error = fitting(Value::from([longest])).unwrap_err();
        assert!(error.code == "limit" && error.message.contains("at most"), "{error:?}");
    }
}

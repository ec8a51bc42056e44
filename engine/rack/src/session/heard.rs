//! What somebody who watches a script hears of its calls, wherever its devices are.

use headend_model::{RunId, TestResult};
use headend_wire::session::Call;
use serde_json::Value;

use super::Watcher;
use super::limits::Limits;

/// What is told of a call once it has been answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    /// A line of the log.
    Note(String),
    /// What the script printed.
    Console(String),
    /// A line of the log, if the answer is that the number lies outside of its limits.
    Outside(String),
}

impl Heard {
    /// `None`: it is nothing to be told.
    pub(crate) fn of(call: &Call) -> Option<Self> {
        Some(match call {
            Call::Log { text, .. } => Self::Note(text.clone()),
            Call::Console { text } => Self::Console(as_line(text)),
            Call::BeginRegion { name } => Self::Note(format!("> {name}")),
            Call::BeginStep { name } => Self::Note(format!("step {name}")),
            Call::EndStep { name, result, .. } => Self::Note(format!("step {name}: {}", words(*result))),
            Call::Measure { name, value, unit, low, high } => {
                let (unit, limits) = (unit.as_deref().unwrap_or_default(), Limits { low: *low, high: *high });
                Self::Outside(format!("{name} = {value} {unit}: outside of its limits, {limits}"))
            }
            _ => return None,
        })
    }

    /// Tells it, now that the call was answered so.
    pub(crate) fn tell(self, answer: &Value, run: RunId, watcher: &dyn Watcher) {
        match self {
            Self::Note(text) => watcher.note(run, text),
            Self::Console(line) => watcher.console(run, &line),
            Self::Outside(text) if *answer == Value::Bool(false) => watcher.note(run, text),
            Self::Outside(_) => {}
        }
    }
}

/// A script prints lines: their ends are added where they are missing.
pub(super) fn as_line(text: &str) -> String {
    if text.ends_with('\n') { text.to_owned() } else { format!("{text}\n") }
}

fn words(result: i64) -> String {
    TestResult::from_code(result).map_or_else(|| result.to_string(), |result| result.to_string())
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[derive(Default)]
    struct Ear(Mutex<Vec<String>>);

    impl Watcher for Ear {
        fn note(&self, _: RunId, text: String) {
            self.0.lock().unwrap().push(text);
        }

        fn console(&self, _: RunId, text: &str) {
            self.0.lock().unwrap().push(text.to_owned());
        }
    }

    #[test]
    fn what_is_told_of_calls_and_of_a_number_only_when_it_lies_outside() {
        let ear = Ear::default();
        let measure = |value| Call::Measure {
            name: "zap".to_owned(),
            value,
            unit: Some("s".to_owned()),
            low: None,
            high: Some(2.0),
        };
        for (call, answer) in [
            (Call::Console { text: "no end".to_owned() }, Value::Null),
            (Call::BeginStep { name: "one".to_owned() }, Value::Null),
            (measure(1.0), Value::Bool(true)),
            (measure(3.5), Value::Bool(false)),
            (Call::EndStep { name: "one".to_owned(), result: 100, comment: None }, Value::Null),
            (Call::Allocations {}, Value::Null),
        ] {
            if let Some(heard) = Heard::of(&call) {
                heard.tell(&answer, RunId(0), &ear);
            }
        }
        let failed = format!("step one: {}", TestResult::Fail);
        let outside = "zap = 3.5 s: outside of its limits, at most 2";
        assert_eq!(*ear.0.lock().unwrap(), ["no end\n", "step one", outside, failed.as_str()]);
    }
}

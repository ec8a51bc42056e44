//! `[code, text, ...]`.

use headend_model::Timestamp;
use headend_wire::codes::{self, Code};
use headend_wire::xmlrpc::Value;

use crate::http::ApiError;

/// What a call gives back.
#[derive(Debug)]
pub(crate) struct Answer {
    value: Value,
}

impl Answer {
    /// `[0, 'OK', ...]`.
    pub(crate) fn ok(rest: impl IntoIterator<Item = Value>) -> Self {
        Self::with(&codes::OK, codes::OK.text.to_owned(), rest)
    }

    /// `[code, text, ...]`.
    pub(crate) fn with(code: &Code, text: String, rest: impl IntoIterator<Item = Value>) -> Self {
        let head = [Value::Int(code.number.into()), Value::Text(text)];
        Self { value: Value::Array(head.into_iter().chain(rest).collect()) }
    }

    /// A value that is no row of the document.
    pub(crate) fn bare(value: Value) -> Self {
        Self { value }
    }

    /// `[positive, text: what exactly]`.
    pub(crate) fn refusal(error: &ApiError) -> Self {
        Self::refused_with(error, [])
    }

    /// The same, with what the call gives even then.
    pub(crate) fn refused_with(error: &ApiError, rest: impl IntoIterator<Item = Value>) -> Self {
        let problem = error.problem();
        let code = codes::by_name(&problem.code).unwrap_or(&codes::INTERNAL);
        // Some successes of REST are errors in its eyes only; here the sign must say it.
        let number = if code.number > 0 { code } else { &codes::INTERNAL };
        Self::with(number, worded(code.text, &problem.detail), rest)
    }

    pub(crate) fn into_value(self) -> Value {
        self.value
    }
}

/// The table's text, then what exactly is wrong; a detail that begins with the same words is not said twice.
fn worded(title: &str, detail: &str) -> String {
    match detail.split_at_checked(title.len()) {
        Some((same, rest)) if same.eq_ignore_ascii_case(title) => format!("{title}{rest}"),
        _ => format!("{title}: {detail}"),
    }
}

/// Text.
pub(crate) fn text(text: impl Into<String>) -> Value {
    Value::Text(text.into())
}

/// A number of ours. Those beyond 63 bits do not exist.
pub(crate) fn int(number: impl TryInto<i64>) -> Value {
    Value::Int(number.try_into().unwrap_or(i64::MAX))
}

/// A list.
pub(crate) fn list(items: impl IntoIterator<Item = Value>) -> Value {
    Value::Array(items.into_iter().collect())
}

/// Seconds since 1970; 0 for none.
pub(crate) fn unix(at: Option<Timestamp>) -> Value {
    Value::Int(at.map_or(0, Timestamp::unix_seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_said_twice() {
        assert_eq!(worded("The job has no tests", "the job has no tests; give one"), "The job has no tests; give one");
        assert_eq!(worded("Not found", "there is no job 7 here"), "Not found: there is no job 7 here");
        assert_eq!(worded("Not found", "é"), "Not found: é");
    }
}

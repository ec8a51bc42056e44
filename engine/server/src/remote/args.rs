//! Arguments by place and name. What does not fit is refused with the argument's name, its value and what fits.

use headend_wire::codes;
use headend_wire::xmlrpc::Value;

use crate::edge::names::cut;
use crate::http::{ApiError, ApiResult};

/// What was given, taken from the front.
#[derive(Debug)]
pub(crate) struct Args {
    values: std::vec::IntoIter<Value>,
    given: usize,
}

impl Args {
    pub(crate) fn new(values: Vec<Value>) -> Self {
        Self { given: values.len(), values: values.into_iter() }
    }

    /// The next argument; `None` when it was left out or is nil.
    pub(crate) fn optional(&mut self) -> Option<Value> {
        self.values.next().filter(|value| *value != Value::Nil)
    }

    fn required(&mut self, name: &str) -> ApiResult<Value> {
        self.optional().ok_or_else(|| bad(name, "is missing; give it"))
    }

    /// A text.
    pub(crate) fn text(&mut self, name: &str) -> ApiResult<String> {
        text(name, self.required(name)?)
    }

    /// A text, or the one that stands for none.
    pub(crate) fn text_or(&mut self, name: &str, other: &str) -> ApiResult<String> {
        self.optional().map_or_else(|| Ok(other.to_owned()), |value| text(name, value))
    }

    /// A whole number, also as digits in a text: ids are text here and numbers there in the document.
    pub(crate) fn int(&mut self, name: &str) -> ApiResult<i64> {
        int(name, &self.required(name)?)
    }

    /// An id: a whole number that is not negative.
    pub(crate) fn id(&mut self, name: &str) -> ApiResult<u64> {
        let number = self.int(name)?;
        u64::try_from(number).map_err(|_| bad(name, &format!("is {number}; ids are not negative")))
    }

    /// True or false, also as 1 or 0.
    pub(crate) fn flag(&mut self, name: &str) -> ApiResult<bool> {
        flag(name, &self.required(name)?)
    }

    /// True or false, or what stands for none.
    pub(crate) fn flag_or(&mut self, name: &str, other: bool) -> ApiResult<bool> {
        self.optional().map_or(Ok(other), |value| flag(name, &value))
    }

    /// A list; none given is an empty one.
    pub(crate) fn list(&mut self, name: &str) -> ApiResult<Vec<Value>> {
        self.optional().map_or_else(|| Ok(Vec::new()), |value| list(name, value))
    }

    /// Nothing may be left.
    ///
    /// # Errors
    /// Names what the call takes.
    pub(crate) fn done(mut self, call: &str, names: &[&str]) -> ApiResult<()> {
        if self.values.next().is_none() {
            return Ok(());
        }
        let detail = format!("{call} takes ({}); {} arguments were given", names.join(", "), self.given);
        Err(ApiError::new(&codes::INVALID, detail))
    }
}

/// A refusal that names the argument.
pub(crate) fn bad(name: &str, what: &str) -> ApiError {
    ApiError::new(&codes::INVALID, format!("{name} {what}"))
}

fn wrong_kind(name: &str, value: &Value, wanted: &str) -> ApiError {
    let shown = match value {
        Value::Text(text) => format!("{:?}", cut(text)),
        Value::Int(number) => number.to_string(),
        other => format!("of type {}", other.kind()),
    };
    bad(name, &format!("is {shown}; give {wanted}"))
}

/// A text.
pub(crate) fn text(name: &str, value: Value) -> ApiResult<String> {
    match value {
        Value::Text(text) => Ok(text),
        other => Err(wrong_kind(name, &other, "a text")),
    }
}

/// A whole number, also as digits in a text.
pub(crate) fn int(name: &str, value: &Value) -> ApiResult<i64> {
    match value {
        Value::Int(number) => Ok(*number),
        Value::Bool(flag) => Ok(i64::from(*flag)),
        Value::Text(text) => text.trim().parse().map_err(|_| wrong_kind(name, value, "a whole number")),
        other => Err(wrong_kind(name, other, "a whole number")),
    }
}

fn flag(name: &str, value: &Value) -> ApiResult<bool> {
    match value {
        Value::Bool(flag) => Ok(*flag),
        Value::Int(0) => Ok(false),
        Value::Int(1) => Ok(true),
        other => Err(wrong_kind(name, other, "True or False")),
    }
}

/// The elements of a list.
pub(crate) fn list(name: &str, value: Value) -> ApiResult<Vec<Value>> {
    match value {
        Value::Array(items) => Ok(items),
        other => Err(wrong_kind(name, &other, "a list")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(values: Vec<Value>) -> Args {
        Args::new(values)
    }

    #[test]
    fn ids_are_numbers_or_digits() {
        let mut given =
            args(vec![Value::Int(7), Value::Text(" 7 ".into()), Value::Text("seven".into()), Value::Int(-7)]);
        assert_eq!((given.id("a").unwrap(), given.id("b").unwrap()), (7, 7));
        let problem = |error: ApiError| error.problem().detail.clone();
        assert_eq!(problem(given.id("jobId").unwrap_err()), "jobId is \"seven\"; give a whole number");
        assert_eq!(problem(given.id("jobId").unwrap_err()), "jobId is -7; ids are not negative");
        assert_eq!(problem(given.id("jobId").unwrap_err()), "jobId is missing; give it");
    }

    #[test]
    fn what_is_left_out_or_none_has_its_default_and_too_much_is_refused() {
        let mut given = args(vec![Value::Nil, Value::Bool(true), Value::Array(vec![]), Value::Int(1)]);
        assert_eq!(given.text_or("userName", "").unwrap(), "");
        assert!(given.flag("public").unwrap() && given.list("slots").unwrap().is_empty());
        let error = given.done("findStb", &["filters"]).unwrap_err();
        assert_eq!(error.problem().detail, "findStb takes (filters); 4 arguments were given");
        assert!(args(vec![Value::Int(2)]).flag("public").is_err());
    }
}

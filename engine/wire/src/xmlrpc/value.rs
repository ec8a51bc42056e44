//! A value of XML-RPC.

use std::collections::BTreeMap;

use jiff::civil::DateTime;

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// `int`, `i4` or `i8`. Written as `int` if 32 bits hold it, else as `i8`.
    Int(i64),
    /// `boolean`.
    Bool(bool),
    /// `string`, or text without a type.
    Text(String),
    /// `double`. XML-RPC has no infinities and no NaN: they are refused when read, and written as text.
    Double(f64),
    /// `dateTime.iso8601`: a time of some clock on the wall, without a zone. Fractions of seconds are not written.
    DateTime(DateTime),
    /// `base64`.
    Bytes(Vec<u8>),
    /// `array`.
    Array(Vec<Value>),
    /// `struct`.
    Struct(BTreeMap<String, Value>),
    /// `nil`.
    Nil,
}

impl Value {
    /// Name of the kind, for messages.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Int(_) => "int",
            Self::Bool(_) => "boolean",
            Self::Text(_) => "string",
            Self::Double(_) => "double",
            Self::DateTime(_) => "dateTime",
            Self::Bytes(_) => "base64",
            Self::Array(_) => "array",
            Self::Struct(_) => "struct",
            Self::Nil => "nil",
        }
    }

    /// The text, if it is one.
    pub fn as_text(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    /// The number, if it is a whole one.
    pub const fn as_int(&self) -> Option<i64> {
        if let Self::Int(number) = self { Some(*number) } else { None }
    }

    /// The elements, if it is an array.
    pub fn as_array(&self) -> Option<&[Self]> {
        if let Self::Array(items) = self { Some(items) } else { None }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<bool> for Value {
    fn from(flag: bool) -> Self {
        Self::Bool(flag)
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Int(number)
    }
}

impl From<i32> for Value {
    fn from(number: i32) -> Self {
        Self::Int(number.into())
    }
}

impl From<u32> for Value {
    fn from(number: u32) -> Self {
        Self::Int(number.into())
    }
}

impl From<DateTime> for Value {
    fn from(time: DateTime) -> Self {
        Self::DateTime(time)
    }
}

impl<T: Into<Value>> From<Vec<T>> for Value {
    fn from(items: Vec<T>) -> Self {
        Self::Array(items.into_iter().map(Into::into).collect())
    }
}

impl FromIterator<Value> for Value {
    fn from_iter<I: IntoIterator<Item = Value>>(items: I) -> Self {
        Self::Array(items.into_iter().collect())
    }
}

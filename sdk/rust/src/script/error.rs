//! What can go wrong.

use std::borrow::Cow;

use super::bindings::headend::script::session::CallError;

/// A test's `Result`.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A call that failed, or a failure of the test's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    code: Cow<'static, str>,
    message: String,
}

impl Error {
    /// A failure of the test's own, with what to tell people. Its code is `test`.
    pub fn new(message: impl Into<String>) -> Self {
        Self { code: "test".into(), message: message.into() }
    }

    pub(super) fn no_slot(number: u32) -> Self {
        let message =
            format!("slot {number} cannot be reserved: the number is held already, or no leased slot is left");
        Self { code: "no_slot".into(), message }
    }

    pub(super) fn device(message: String) -> Self {
        Self { code: "device".into(), message }
    }

    pub(super) fn bad_call(message: String) -> Self {
        Self { code: "bad_call".into(), message }
    }

    /// Stable name: `not_connected`, `no_slot`, `bad_result`, `bad_call`, `lease_lost`, `limit`, `device`, `analyser`; `test` for the test's own.
    pub fn code(&self) -> &str {
        &self.code
    }

    /// For people.
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl From<CallError> for Error {
    fn from(CallError { code, message }: CallError) -> Self {
        Self { code: code.into(), message }
    }
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({})", self.message, self.code)
    }
}

impl std::error::Error for Error {}

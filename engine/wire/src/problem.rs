//! Errors as problem documents (RFC 9457), media type `application/problem+json`.

use serde::{Deserialize, Serialize};

use crate::codes::Code;

/// A problem document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema, thiserror::Error)]
#[error("{title}: {detail}")]
pub struct Problem {
    /// `/problems/CODE`, stable.
    pub r#type: String,
    /// Short text, the same for every occurrence.
    pub title: String,
    /// HTTP status.
    pub status: u16,
    /// This occurrence: the thing, the value, the remedy.
    pub detail: String,
    /// Stable code for programs, such as `unknown_slot`.
    pub code: String,
    /// Its number in `[code, text, ...]` of the document's calls.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<i32>,
    /// The fields at fault, as JSON pointers, where there are any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<String>,
}

/// Media type of a problem document.
pub const MEDIA_TYPE: &str = "application/problem+json";

impl Problem {
    /// A problem of this kind; `detail` names the thing, the value and the remedy of this occurrence.
    pub fn new(code: &Code, detail: impl Into<String>) -> Self {
        Self {
            r#type: format!("/problems/{}", code.name),
            title: code.text.to_owned(),
            status: code.status,
            detail: detail.into(),
            code: code.name.to_owned(),
            number: Some(code.number),
            fields: Vec::new(),
        }
    }

    /// Names a field at fault, as a JSON pointer such as `/tests/0/script`.
    #[must_use]
    pub fn at(mut self, pointer: impl Into<String>) -> Self {
        self.fields.push(pointer.into());
        self
    }
}

//! Errors as problem documents (RFC 9457), media type `application/problem+json`.

use serde::{Deserialize, Serialize};

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
    /// The fields at fault, as JSON pointers, where there are any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<String>,
}

//! Tokens of people.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// `POST /tokens` (administrators): a token for a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TokenRequest {
    /// Whose.
    #[schema(pattern = "^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
    pub user: String,
    /// `admin` or `user`; `user` unless given.
    #[schema(pattern = "^(user|admin)$")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// Void after this many seconds; never unless given.
    #[schema(minimum = 1, maximum = 315_360_000)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_in_s: Option<u64>,
    /// What people call it.
    #[schema(max_length = 100)]
    #[serde(default)]
    pub label: String,
    /// Its holder may act for others (document 4.11, `setUser`). Administrators always may.
    #[serde(default)]
    pub act_as: bool,
}

/// Answer to it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TokenAnswer {
    /// The token; shown once.
    pub token: String,
    /// Its id, for lists and to revoke it.
    pub id: String,
    /// Whose.
    pub user: String,
    /// `admin` or `user`.
    pub role: String,
    /// When it becomes void.
    pub expires: Option<String>,
}

/// `GET /tokens`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TokenList {
    /// Those that are valid now, by user.
    pub tokens: Vec<TokenItem>,
}

/// A token without the token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TokenItem {
    /// Its id.
    pub id: String,
    /// Whose.
    pub user: String,
    /// `admin` or `user`.
    pub role: String,
    /// What people call it.
    pub label: String,
    /// Its holder may act for others.
    pub act_as: bool,
    /// When it was made.
    pub created: String,
    /// When it becomes void; never if absent.
    pub expires: Option<String>,
}

//! Who is asking, and what that one may do. Refused unless allowed: every request is checked before it is routed, and
//! every route belongs to a group that says whom it serves.

pub(crate) mod gate;
pub(crate) mod tokens;

use axum::extract::FromRequestParts;
use headend_model::{RackId, RackName, UserName};
use headend_wire::codes;
use http::request::Parts;

use crate::app::Shared;
use crate::http::ApiError;

/// Whoever a token stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Principal {
    /// A person or a program of one.
    Person(Person),
    /// A rack.
    Rack(Rack),
}

/// A person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Person {
    /// The name under which jobs and private files are kept.
    pub(crate) user: UserName,
    /// May do everything.
    pub(crate) admin: bool,
    /// May act for others.
    pub(crate) act_as: bool,
    /// Hash of the token that says so; none in open mode.
    pub(crate) token: Option<String>,
}

/// A rack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rack {
    /// Its id.
    pub(crate) rack: RackId,
    /// Its name.
    pub(crate) name: RackName,
}

impl Person {
    /// Whether what belongs to `owner` is shown to this person.
    pub(crate) fn may_see(&self, owner: &UserName) -> bool {
        self.admin || self.user == *owner
    }

    /// `admin` or `user`.
    pub(crate) const fn role(&self) -> &'static str {
        if self.admin { "admin" } else { "user" }
    }
}

fn principal(parts: &Parts) -> Result<Principal, ApiError> {
    parts.extensions.get().cloned().ok_or_else(|| ApiError::new(&codes::UNAUTHENTICATED, "no token was given"))
}

fn forbidden(who: &str) -> ApiError {
    ApiError::new(&codes::FORBIDDEN, format!("only {who} may do this"))
}

impl FromRequestParts<Shared> for Principal {
    type Rejection = ApiError;
    async fn from_request_parts(parts: &mut Parts, _: &Shared) -> Result<Self, ApiError> {
        principal(parts)
    }
}

impl FromRequestParts<Shared> for Person {
    type Rejection = ApiError;
    async fn from_request_parts(parts: &mut Parts, _: &Shared) -> Result<Self, ApiError> {
        match principal(parts)? {
            Principal::Person(person) => Ok(person),
            Principal::Rack(_) => Err(forbidden("people")),
        }
    }
}

impl FromRequestParts<Shared> for Rack {
    type Rejection = ApiError;
    async fn from_request_parts(parts: &mut Parts, _: &Shared) -> Result<Self, ApiError> {
        match principal(parts)? {
            Principal::Rack(rack) => Ok(rack),
            Principal::Person(_) => Err(forbidden("racks")),
        }
    }
}

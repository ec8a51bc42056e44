//! The gate before the router: without a valid token nothing is reached but what says only that the server is there.

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use headend_model::UserName;
use headend_wire::codes;
use http::HeaderMap;
use http::header::{AUTHORIZATION, HeaderName};

use super::tokens::Secret;
use super::{Person, Principal, forbidden};
use crate::app::Shared;
use crate::clock::wall_now;
use crate::http::{ApiError, ApiResult};

/// For whom an administrator (or anybody, in open mode) acts: the document's `setUser`.
pub(crate) const ACT_AS: HeaderName = HeaderName::from_static("x-headend-user");

/// Served to anybody.
const PUBLIC: [&str; 3] = ["/healthz", "/readyz", "/version"];
/// Takes another kind of token, which its handler looks at.
pub(crate) const ENROL: &str = "/api/v1/racks/enrol";

/// Finds out who is asking and puts that into the request.
pub(crate) async fn authenticate(State(app): State<Shared>, mut request: Request, next: Next) -> Response {
    let path = request.uri().path();
    if PUBLIC.contains(&path) || path == ENROL {
        return next.run(request).await;
    }
    match who(&app, request.headers()) {
        Ok(principal) => {
            request.extensions_mut().insert(principal);
            next.run(request).await
        }
        Err(error) => error.into_response(),
    }
}

fn who(app: &Shared, headers: &HeaderMap) -> ApiResult<Principal> {
    let act_as = act_as(headers)?;
    let Some(token) = bearer(headers)? else {
        return if app.options.auth.is_open() {
            let user = act_as.map_or_else(|| UserName::new("anonymous"), Ok);
            let user = user.map_err(|error| ApiError::new(&codes::BAD_REQUEST, error.to_string()))?;
            Ok(Principal::Person(Person { user, admin: true }))
        } else {
            Err(ApiError::new(&codes::UNAUTHENTICATED, "no token was given; send `Authorization: Bearer TOKEN`"))
        };
    };
    let principal = app.tokens.principal(&token, wall_now()).ok_or_else(|| {
        ApiError::new(&codes::UNAUTHENTICATED, "the token is not valid here; log in again, or ask an administrator")
    })?;
    match (principal, act_as) {
        (Principal::Person(Person { admin: true, .. }), Some(user)) => {
            Ok(Principal::Person(Person { user, admin: true }))
        }
        (Principal::Person(person), Some(user)) if person.user != user => {
            Err(ApiError::new(&codes::FORBIDDEN, format!("this token is {}'s and cannot act as {user}", person.user)))
        }
        (Principal::Rack(_), Some(_)) => Err(forbidden("people")),
        (principal, _) => Ok(principal),
    }
}

fn act_as(headers: &HeaderMap) -> ApiResult<Option<UserName>> {
    let Some(value) = headers.get(&ACT_AS) else { return Ok(None) };
    let text = String::from_utf8_lossy(value.as_bytes());
    UserName::new(text).map(Some).map_err(|error| ApiError::new(&codes::BAD_REQUEST, format!("{ACT_AS}: {error}")))
}

/// The bearer token of a request.
///
/// # Errors
/// `unauthenticated` when there is an `Authorization` header of another form, or two.
pub(crate) fn bearer(headers: &HeaderMap) -> ApiResult<Option<Secret>> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return if headers.contains_key(AUTHORIZATION) { Err(malformed()) } else { Ok(None) };
    };
    let text = value.to_str().map_err(|_| malformed())?;
    let (scheme, token) = text.split_once(' ').ok_or_else(malformed)?;
    if !scheme.eq_ignore_ascii_case("bearer") || token.trim().is_empty() {
        return Err(malformed());
    }
    Ok(Some(Secret::from_text(token)))
}

fn malformed() -> ApiError {
    ApiError::new(&codes::UNAUTHENTICATED, "the Authorization header is not `Bearer TOKEN`")
}

/// Lets only people through.
pub(crate) async fn people(request: Request, next: Next) -> Response {
    admit(request, next, "people", |who| matches!(who, Principal::Person(_))).await
}

/// Lets only administrators through.
pub(crate) async fn admins(request: Request, next: Next) -> Response {
    admit(request, next, "administrators", |who| matches!(who, Principal::Person(person) if person.admin)).await
}

/// Lets only racks through.
pub(crate) async fn racks(request: Request, next: Next) -> Response {
    admit(request, next, "racks", |who| matches!(who, Principal::Rack(_))).await
}

/// Lets people and racks through; what each may see is the handler's matter.
pub(crate) async fn anybody(request: Request, next: Next) -> Response {
    admit(request, next, "people and racks", |_| true).await
}

async fn admit(request: Request, next: Next, whom: &str, may: impl Fn(&Principal) -> bool) -> Response {
    match request.extensions().get::<Principal>() {
        Some(principal) if may(principal) => next.run(request).await,
        Some(_) => forbidden(whom).into_response(),
        None => ApiError::new(&codes::UNAUTHENTICATED, "no token was given").into_response(),
    }
}

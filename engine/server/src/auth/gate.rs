//! The gate before the router: without a valid token nothing is reached but what says only that the server is there.

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
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
    let Some(token) = token(headers)? else {
        return if app.options.auth.is_open() {
            let user = act_as.map_or_else(|| UserName::new("anonymous"), Ok);
            let user = user.map_err(|error| ApiError::new(&codes::BAD_REQUEST, error.to_string()))?;
            Ok(Principal::Person(Person { user, admin: true, act_as: true, token: None }))
        } else {
            Err(ApiError::new(&codes::UNAUTHENTICATED, "no token was given; send `Authorization: Bearer TOKEN`"))
        };
    };
    let principal = app.tokens.principal(&token, wall_now()).ok_or_else(|| {
        ApiError::new(&codes::UNAUTHENTICATED, "the token is not valid here; log in again, or ask an administrator")
    })?;
    match (principal, act_as) {
        (Principal::Person(person), Some(user)) if person.act_as || person.user == user => {
            // An administrator keeps the rights; others get those of whom they act for, which are no more.
            Ok(Principal::Person(Person { user, ..person }))
        }
        (Principal::Person(person), Some(user)) => {
            Err(ApiError::new(&codes::FORBIDDEN, format!("this token is {}'s and cannot act as {user}", person.user)))
        }
        (Principal::Rack(_), Some(_)) => Err(forbidden("people")),
        (principal, None) => Ok(principal),
    }
}

fn act_as(headers: &HeaderMap) -> ApiResult<Option<UserName>> {
    let Some(value) = headers.get(&ACT_AS) else { return Ok(None) };
    let text = String::from_utf8_lossy(value.as_bytes());
    UserName::new(text).map(Some).map_err(|error| ApiError::new(&codes::BAD_REQUEST, format!("{ACT_AS}: {error}")))
}

/// The token of a request: `Bearer TOKEN`, or the password of `Basic` (whose user name says nothing: it is there so that
/// `http://NAME:TOKEN@host/` works in any library).
///
/// # Errors
/// `unauthenticated` when there is an `Authorization` header of another form, or two.
pub(crate) fn token(headers: &HeaderMap) -> ApiResult<Option<Secret>> {
    let Some((scheme, rest)) = authorization(headers)? else { return Ok(None) };
    if scheme.eq_ignore_ascii_case("basic") {
        return basic(rest).map(Some).ok_or_else(malformed);
    }
    bearer_of(scheme, rest).map(Some)
}

/// The bearer token of a request.
///
/// # Errors
/// As [`token`].
pub(crate) fn bearer(headers: &HeaderMap) -> ApiResult<Option<Secret>> {
    authorization(headers)?.map(|(scheme, rest)| bearer_of(scheme, rest)).transpose()
}

fn authorization(headers: &HeaderMap) -> ApiResult<Option<(&str, &str)>> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return if headers.contains_key(AUTHORIZATION) { Err(malformed()) } else { Ok(None) };
    };
    let text = value.to_str().map_err(|_| malformed())?;
    text.split_once(' ').map(Some).ok_or_else(malformed)
}

fn bearer_of(scheme: &str, token: &str) -> ApiResult<Secret> {
    if !scheme.eq_ignore_ascii_case("bearer") || token.trim().is_empty() {
        return Err(malformed());
    }
    Ok(Secret::from_text(token))
}

fn basic(encoded: &str) -> Option<Secret> {
    let bytes = BASE64.decode(encoded.trim()).ok()?;
    let (_, token) = std::str::from_utf8(&bytes).ok()?.split_once(':')?;
    (!token.is_empty()).then(|| Secret::from_text(token))
}

fn malformed() -> ApiError {
    let detail = "the Authorization header is neither `Bearer TOKEN` nor `Basic` with the token as password";
    ApiError::new(&codes::UNAUTHENTICATED, detail)
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

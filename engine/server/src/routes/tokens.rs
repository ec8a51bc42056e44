//! Tokens of people: make, list, revoke.

use axum::extract::{Path, State};
use headend_model::{Span, UserName};
use headend_store::TokenRow;
use headend_wire::api::{TokenAnswer, TokenItem, TokenList, TokenRequest};
use headend_wire::{Problem, codes};
use http::StatusCode;

use crate::app::Shared;
use crate::auth::Person;
use crate::auth::tokens::{Secret, public_id};
use crate::clock::{rfc3339, wall_now};
use crate::edge::names::cut;
use crate::http::{ApiError, ApiResult, Json};

/// Longest label, in characters.
const MAX_LABEL: usize = 100;
/// Longest term: ten years.
const MAX_TERM_S: u64 = 10 * 365 * 86_400;

/// Makes a token for a person.
#[utoipa::path(post, path = "/tokens", operation_id = "make_token", tag = "server", request_body = TokenRequest,
    responses((status = 201, body = TokenAnswer), (status = "4XX", body = Problem)))]
pub(crate) async fn make(
    State(app): State<Shared>,
    Json(request): Json<TokenRequest>,
) -> ApiResult<(StatusCode, axum::Json<TokenAnswer>)> {
    let token = Secret::new("user").map_err(|error| ApiError::internal("no randomness", &error))?;
    let row = row_of(request, &token)?;
    let answer = TokenAnswer {
        token: token.reveal().to_owned(),
        id: public_id(&row.hash),
        user: row.user.to_string(),
        role: row.role.clone(),
        expires: row.expires.map(rfc3339),
    };
    app.tokens.add(row).await?;
    Ok((StatusCode::CREATED, axum::Json(answer)))
}

fn row_of(request: TokenRequest, token: &Secret) -> ApiResult<TokenRow> {
    let invalid = |detail: String, at: &str| ApiError::new(&codes::INVALID, detail).at(at);
    let user = UserName::new(request.user).map_err(|error| invalid(error.to_string(), "/user"))?;
    let role = request.role.unwrap_or_else(|| "user".to_owned());
    if !matches!(role.as_str(), "user" | "admin") {
        return Err(invalid(format!("role {:?} is not known; use user or admin", cut(&role)), "/role"));
    }
    if request.label.chars().count() > MAX_LABEL || request.label.chars().any(char::is_control) {
        let detail = format!("the label is longer than {MAX_LABEL} characters or has a control character");
        return Err(invalid(detail, "/label"));
    }
    let now = wall_now();
    let expires = match request.expires_in_s {
        None => None,
        Some(term @ 1..=MAX_TERM_S) => Some(now + Span::seconds(term.cast_signed())),
        Some(term) => {
            let detail = format!("a term of {term} s is out of range; use 1 to {MAX_TERM_S}, or none for no end");
            return Err(invalid(detail, "/expires_in_s"));
        }
    };
    let act_as = request.act_as || role == "admin";
    Ok(TokenRow { hash: token.hash(), user, role, expires, label: request.label, created: now, act_as })
}

/// Whether this token is the caller's to see. Who acts for others acts on their work, not on their tokens: else it could
/// shut them out.
fn may_see<'a>(rows: &[TokenRow], person: &'a Person) -> impl Fn(&TokenRow) -> bool + use<'a> {
    let of = |row: &&TokenRow| person.token.as_ref() == Some(&row.hash);
    let own = rows.iter().find(of).map(|row| row.user.clone());
    move |row| person.admin || own.as_ref() == Some(&row.user)
}

/// Tokens that are valid now: of everybody for administrators, else the caller's own. The tokens themselves are not kept.
#[utoipa::path(get, path = "/tokens", operation_id = "list_tokens", tag = "server",
    responses((status = 200, body = TokenList), (status = "4XX", body = Problem)))]
pub(crate) async fn list(State(app): State<Shared>, person: Person) -> ApiResult<axum::Json<TokenList>> {
    let now = wall_now();
    let rows = app.store.tokens().await?;
    let may_see = may_see(&rows, &person);
    let shown = rows.into_iter().filter(|row| may_see(row) && row.expires.is_none_or(|end| now < end));
    Ok(axum::Json(TokenList { tokens: shown.map(item).collect() }))
}

fn item(row: TokenRow) -> TokenItem {
    TokenItem {
        id: public_id(&row.hash),
        user: row.user.to_string(),
        role: row.role,
        label: row.label,
        act_as: row.act_as,
        created: rfc3339(row.created),
        expires: row.expires.map(rfc3339),
    }
}

/// Makes a token void, at once. People may revoke their own, administrators any but the one that they ask with.
#[utoipa::path(delete, path = "/tokens/{id}", operation_id = "revoke_token", tag = "server",
    params(("id" = String, Path, description = "As listed; not the token itself.")),
    responses((status = 204), (status = "4XX", body = Problem)))]
pub(crate) async fn revoke(State(app): State<Shared>, person: Person, Path(id): Path<String>) -> ApiResult<StatusCode> {
    let rows = app.store.tokens().await?;
    let may_see = may_see(&rows, &person);
    let row = rows.into_iter().find(|row| public_id(&row.hash) == id && may_see(row));
    let row = row.ok_or_else(|| ApiError::not_found(format!("token {:?}", cut(&id))))?;
    if person.admin && person.token.as_deref() == Some(&row.hash) {
        let detail =
            "this is the token that you ask with; ask with another administrator's, so that nobody is locked out";
        return Err(ApiError::new(&codes::CONFLICT, detail));
    }
    app.tokens.revoke(&row.hash).await?;
    Ok(StatusCode::NO_CONTENT)
}

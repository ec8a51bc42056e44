//! The life of policy plugins: in by upload, tried, changed, rolled back, out again; and what they are granted.

use axum::extract::{Path, Query, Request, State};
use base64::Engine;
use headend_plugin_host::lifecycle::{MAX_SIGNATURE, MAX_UPLOAD, Upload};
use headend_wire::api::PluginItem;
use headend_wire::plugins::{GrantList, GrantRequest, PluginDetail, PluginUses, RollbackRequest, VerifyAnswer};
use headend_wire::{Problem, codes};
use http::header::CONTENT_TYPE;

use super::blobs::{announced, require_size};
use crate::app::Shared;
use crate::auth::Person;
use crate::http::{ApiError, ApiResult, Json};
use crate::policies::install::Sent;

/// A plugin in one file.
#[derive(Debug, serde::Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct SentQuery {
    /// Name of the file. Its ending tells what it is: `.tar`, `.tar.gz`, `.tgz` or `.zip` with a manifest and its code, or a `.rhai` or
    /// `.wasm` with its manifest inside.
    file: String,
    /// The content of the file's `.minisig`, in base64.
    #[serde(default)]
    signature: Option<String>,
    /// Parameters to set at once: a JSON object.
    #[serde(default)]
    parameters: Option<String>,
    /// Of a plugin that is there: keep the version beside the one in force, to be tried.
    #[serde(default)]
    beside: bool,
}

/// A page of another site can send forms and plain text without being asked; this it cannot.
fn require_bytes(request: &Request) -> ApiResult<()> {
    let media = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if media.trim().eq_ignore_ascii_case("application/octet-stream") {
        return Ok(());
    }
    let given: String = media.chars().take(60).collect();
    Err(ApiError::new(&codes::MEDIA_TYPE, format!("Content-Type is {given:?}; send application/octet-stream")))
}

async fn sent(app: &Shared, query: SentQuery, request: Request) -> ApiResult<Sent> {
    require_bytes(&request)?;
    let SentQuery { file, signature, parameters, beside } = query;
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | '+');
    if file.is_empty() || file.len() > 128 || file.starts_with('.') || !file.chars().all(plain) {
        let shown = crate::edge::names::cut(&file);
        let detail = format!("{shown:?} is not a plain file name; use letters, digits, `.`, `-`, `_` and `+`");
        return Err(ApiError::new(&codes::INVALID, detail).at("/file"));
    }
    let signature = signature.map(|text| signature_text(&text)).transpose()?;
    if beside && parameters.is_some() {
        let detail = "parameters are those of the version in force; leave them out beside it";
        return Err(ApiError::new(&codes::INVALID, detail).at("/parameters"));
    }
    let set = parameters.map(|text| crate::http::json::parse(text.as_bytes(), 32)).transpose()?;
    require_size(announced(&request)?, MAX_UPLOAD, "a plugin")?;
    let bytes = app.plugins.receive(request.into_body(), app.options.limits.body_timeout).await?;
    Ok(Sent { upload: Upload { file, bytes, signature }, set, beside })
}

fn signature_text(text: &str) -> ApiResult<String> {
    let bad = || {
        let detail = "the signature is not the base64 of a .minisig file";
        ApiError::new(&codes::INVALID, detail).at("/signature")
    };
    if text.len() as u64 > 2 * MAX_SIGNATURE {
        return Err(bad());
    }
    let bytes = base64::engine::general_purpose::STANDARD.decode(text).map_err(|_| bad())?;
    String::from_utf8(bytes).map_err(|_| bad())
}

/// Lets a plugin in, or another version of it. Jobs at work keep the version they began with.
#[utoipa::path(post, path = "/plugins", operation_id = "install_plugin", tag = "plugins", params(SentQuery),
    request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    responses((status = 200, body = PluginItem), (status = "4XX", body = Problem)))]
pub(crate) async fn install(
    State(app): State<Shared>,
    person: Person,
    Query(query): Query<SentQuery>,
    request: Request,
) -> ApiResult<axum::Json<PluginItem>> {
    let sent = sent(&app, query, request).await?;
    app.plugins.install(sent, &person.user).await.map(axum::Json)
}

/// Tries a plugin without letting it in: how each step goes.
#[utoipa::path(post, path = "/plugins/verify", operation_id = "verify_plugin", tag = "plugins", params(SentQuery),
    request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    responses((status = 200, body = VerifyAnswer), (status = "4XX", body = Problem)))]
pub(crate) async fn verify(
    State(app): State<Shared>,
    Query(query): Query<SentQuery>,
    request: Request,
) -> ApiResult<axum::Json<VerifyAnswer>> {
    let sent = sent(&app, query, request).await?;
    app.plugins.verify(sent).await.map(axum::Json)
}

/// Everything about a plugin: what it asks for, its parameters, who vouches for it, its versions, who uses it.
#[utoipa::path(get, path = "/plugins/{name}", operation_id = "get_plugin", tag = "plugins",
    params(("name" = String, Path,)), responses((status = 200, body = PluginDetail), (status = "4XX", body = Problem)))]
pub(crate) async fn detail(
    State(app): State<Shared>,
    person: Person,
    Path(name): Path<String>,
) -> ApiResult<axum::Json<PluginDetail>> {
    app.plugins.detail(&name, &person).await.map(axum::Json)
}

/// Goes back to an older version. Jobs at work keep the version they began with.
#[utoipa::path(post, path = "/plugins/{name}/rollback", operation_id = "roll_back_plugin", tag = "plugins",
    params(("name" = String, Path,)), request_body = RollbackRequest,
    responses((status = 200, body = PluginItem), (status = "4XX", body = Problem)))]
pub(crate) async fn roll_back(
    State(app): State<Shared>,
    person: Person,
    Path(name): Path<String>,
    Json(request): Json<RollbackRequest>,
) -> ApiResult<axum::Json<PluginItem>> {
    app.plugins.roll_back(&name, request.to, &person.user).await.map(axum::Json)
}

/// Sets parameters: the whole object, `null` for the defaults. Jobs at work keep those they began with.
#[utoipa::path(put, path = "/plugins/{name}/parameters", operation_id = "set_plugin_parameters", tag = "plugins",
    params(("name" = String, Path,)), request_body = Object,
    responses((status = 200, body = PluginItem), (status = "4XX", body = Problem)))]
pub(crate) async fn set_parameters(
    State(app): State<Shared>,
    person: Person,
    Path(name): Path<String>,
    Json(set): Json<serde_json::Value>,
) -> ApiResult<axum::Json<PluginItem>> {
    app.plugins.set_parameters(&name, set, &person.user).await.map(axum::Json)
}

/// Whether to take it away although it is used.
#[derive(Debug, serde::Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct RemoveQuery {
    /// Its users go on under the built-in rule.
    #[serde(default)]
    force: bool,
}

/// Takes a plugin away, with the versions that are kept of it; who used it. Refused while somebody does, unless forced.
#[utoipa::path(delete, path = "/plugins/{name}", operation_id = "remove_plugin", tag = "plugins",
    params(("name" = String, Path,), RemoveQuery),
    responses((status = 200, body = PluginUses), (status = "4XX", body = Problem)))]
pub(crate) async fn remove(
    State(app): State<Shared>,
    person: Person,
    Path(name): Path<String>,
    Query(query): Query<RemoveQuery>,
) -> ApiResult<axum::Json<PluginUses>> {
    app.plugins.remove(&name, query.force, &person.user).await.map(axum::Json)
}

/// What plugins may do beyond answering.
#[utoipa::path(get, path = "/plugin-grants", operation_id = "list_plugin_grants", tag = "plugins",
    responses((status = 200, body = GrantList), (status = "4XX", body = Problem)))]
pub(crate) async fn grants(State(app): State<Shared>, _person: Person) -> axum::Json<GrantList> {
    axum::Json(app.plugins.grant_list())
}

/// Grants a capability to a plugin, also to one that is still to come, or to all.
#[utoipa::path(post, path = "/plugin-grants", operation_id = "grant_to_plugin", tag = "plugins", request_body = GrantRequest,
    responses((status = 200, body = GrantList), (status = "4XX", body = Problem)))]
pub(crate) async fn grant(
    State(app): State<Shared>,
    person: Person,
    Json(request): Json<GrantRequest>,
) -> ApiResult<axum::Json<GrantList>> {
    app.plugins.grant(&request.plugin, &request.capability, &person.user).await.map(axum::Json)
}

/// Takes a grant back. Plugins that ask for it are disabled.
#[utoipa::path(post, path = "/plugin-grants/revoke", operation_id = "revoke_from_plugin", tag = "plugins",
    request_body = GrantRequest, responses((status = 200, body = GrantList), (status = "4XX", body = Problem)))]
pub(crate) async fn revoke(
    State(app): State<Shared>,
    person: Person,
    Json(request): Json<GrantRequest>,
) -> ApiResult<axum::Json<GrantList>> {
    app.plugins.revoke(&request.plugin, &request.capability, &person.user).await.map(axum::Json)
}

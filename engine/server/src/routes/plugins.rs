//! Policy plugins.

use axum::extract::{Path, State};
use headend_wire::Problem;
use headend_wire::api::{LoadRequest, PluginItem, PluginList};

use crate::app::Shared;
use crate::auth::Person;
use crate::http::{ApiResult, Json};

/// All plugins: live, disabled, in quarantine, broken.
#[utoipa::path(get, path = "/plugins", operation_id = "list_plugins", tag = "plugins",
    responses((status = 200, body = PluginList), (status = "4XX", body = Problem)))]
pub(crate) async fn list(State(app): State<Shared>, _person: Person) -> axum::Json<PluginList> {
    axum::Json(PluginList { plugins: app.plugins.list() })
}

/// Loads a plugin from a folder on the server's machine.
#[utoipa::path(post, path = "/plugins/load", operation_id = "load_plugin", tag = "plugins", request_body = LoadRequest,
    responses((status = 200, body = PluginItem), (status = "4XX", body = Problem)))]
pub(crate) async fn load(
    State(app): State<Shared>,
    person: Person,
    Json(request): Json<LoadRequest>,
) -> ApiResult<axum::Json<PluginItem>> {
    app.plugins.load(&request.path, person.admin).await.map(axum::Json)
}

/// Loads a plugin again from where it came from. Jobs at work keep the version they have.
#[utoipa::path(post, path = "/plugins/{name}/reload", operation_id = "reload_plugin", tag = "plugins",
    params(("name" = String, Path,)), responses((status = 200, body = PluginItem), (status = "4XX", body = Problem)))]
pub(crate) async fn reload(State(app): State<Shared>, Path(name): Path<String>) -> ApiResult<axum::Json<PluginItem>> {
    app.plugins.reload(&name).await.map(axum::Json)
}

/// Stops asking a plugin; its jobs go on under the built-in rule.
#[utoipa::path(post, path = "/plugins/{name}/disable", operation_id = "disable_plugin", tag = "plugins",
    params(("name" = String, Path,)), responses((status = 200, body = PluginItem), (status = "4XX", body = Problem)))]
pub(crate) async fn disable(State(app): State<Shared>, Path(name): Path<String>) -> ApiResult<axum::Json<PluginItem>> {
    app.plugins.disable(&name).await.map(axum::Json)
}

/// Asks a plugin again.
#[utoipa::path(post, path = "/plugins/{name}/enable", operation_id = "enable_plugin", tag = "plugins",
    params(("name" = String, Path,)), responses((status = 200, body = PluginItem), (status = "4XX", body = Problem)))]
pub(crate) async fn enable(State(app): State<Shared>, Path(name): Path<String>) -> ApiResult<axum::Json<PluginItem>> {
    app.plugins.enable(&name).await.map(axum::Json)
}

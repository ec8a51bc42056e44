//! Policy plugins.

use axum::extract::{Path, State};
use headend_wire::Problem;
use headend_wire::api::{LoadRequest, PluginItem, PluginList, QueueInfo, QueueRequest};

use crate::app::Shared;
use crate::auth::Person;
use crate::http::{ApiResult, Json};
use crate::show;

/// All plugins: live, disabled, in quarantine, broken.
#[utoipa::path(get, path = "/plugins", operation_id = "list_plugins", tag = "plugins",
    responses((status = 200, body = PluginList), (status = "4XX", body = Problem)))]
pub(crate) async fn list(State(app): State<Shared>, _person: Person) -> ApiResult<axum::Json<PluginList>> {
    let plugins = app.plugins.clone();
    let read = move |farm: &headend_scheduler::Farm| (show::queue::info(farm), plugins.trials(farm));
    let (queue, trials) = app.farm.read(move |view| read(view.farm)).await?;
    Ok(axum::Json(PluginList { plugins: app.plugins.list(), queue, trials }))
}

/// The rule that orders the jobs.
#[utoipa::path(get, path = "/queue-policy", operation_id = "queue_policy", tag = "plugins",
    responses((status = 200, body = QueueInfo), (status = "4XX", body = Problem)))]
pub(crate) async fn queue(State(app): State<Shared>, _person: Person) -> ApiResult<axum::Json<QueueInfo>> {
    Ok(axum::Json(app.farm.read(|view| show::queue::info(view.farm)).await?))
}

/// Lets a queue policy order the jobs, or the built-in `priority-fifo` again. A plugin's order comes into force once it has
/// ranked all open jobs.
#[utoipa::path(put, path = "/queue-policy", operation_id = "use_queue_policy", tag = "plugins",
    request_body = QueueRequest, responses((status = 200, body = QueueInfo), (status = "4XX", body = Problem)))]
pub(crate) async fn use_queue(
    State(app): State<Shared>,
    person: Person,
    Json(request): Json<QueueRequest>,
) -> ApiResult<axum::Json<QueueInfo>> {
    app.plugins.use_queue(&request.policy, &person.user).await.map(axum::Json)
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
pub(crate) async fn reload(
    State(app): State<Shared>,
    person: Person,
    Path(name): Path<String>,
) -> ApiResult<axum::Json<PluginItem>> {
    app.plugins.reload(&name, &person.user).await.map(axum::Json)
}

/// Stops asking a plugin; its jobs go on under the built-in rule.
#[utoipa::path(post, path = "/plugins/{name}/disable", operation_id = "disable_plugin", tag = "plugins",
    params(("name" = String, Path,)), responses((status = 200, body = PluginItem), (status = "4XX", body = Problem)))]
pub(crate) async fn disable(
    State(app): State<Shared>,
    person: Person,
    Path(name): Path<String>,
) -> ApiResult<axum::Json<PluginItem>> {
    app.plugins.disable(&name, &person.user).await.map(axum::Json)
}

/// Asks a plugin again.
#[utoipa::path(post, path = "/plugins/{name}/enable", operation_id = "enable_plugin", tag = "plugins",
    params(("name" = String, Path,)), responses((status = 200, body = PluginItem), (status = "4XX", body = Problem)))]
pub(crate) async fn enable(
    State(app): State<Shared>,
    person: Person,
    Path(name): Path<String>,
) -> ApiResult<axum::Json<PluginItem>> {
    app.plugins.enable(&name, &person.user).await.map(axum::Json)
}

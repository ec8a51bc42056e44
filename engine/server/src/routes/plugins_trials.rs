//! Policies on trial: shadows and canaries.

use axum::extract::{Path, State};
use headend_wire::Problem;
use headend_wire::trials::{
    CanaryItem, CanaryList, CanaryRequest, PromoteRequest, ShadowDetail, ShadowItem, ShadowList, ShadowRequest,
};

use crate::app::Shared;
use crate::auth::Person;
use crate::http::{ApiResult, Json};

/// Has a policy asked what a live one is asked. Nothing of its answers is carried out.
#[utoipa::path(post, path = "/shadows", operation_id = "begin_shadow", tag = "plugins", request_body = ShadowRequest,
    responses((status = 200, body = ShadowItem), (status = "4XX", body = Problem)))]
pub(crate) async fn begin_shadow(
    State(app): State<Shared>,
    person: Person,
    Json(request): Json<ShadowRequest>,
) -> ApiResult<axum::Json<ShadowItem>> {
    app.plugins.begin_shadow(&request, &person.user).await.map(axum::Json)
}

/// All shadows, also those that have ended.
#[utoipa::path(get, path = "/shadows", operation_id = "list_shadows", tag = "plugins",
    responses((status = 200, body = ShadowList), (status = "4XX", body = Problem)))]
pub(crate) async fn shadows(State(app): State<Shared>, _person: Person) -> axum::Json<ShadowList> {
    axum::Json(app.plugins.shadow_list())
}

/// A shadow with the last answers that differed.
#[utoipa::path(get, path = "/shadows/{policy}", operation_id = "get_shadow", tag = "plugins",
    params(("policy" = String, Path,)), responses((status = 200, body = ShadowDetail), (status = "4XX", body = Problem)))]
pub(crate) async fn shadow(
    State(app): State<Shared>,
    _person: Person,
    Path(policy): Path<String>,
) -> ApiResult<axum::Json<ShadowDetail>> {
    app.plugins.shadow_detail(&policy).map(axum::Json)
}

/// Asks a shadow no more. What has come of it stays readable.
#[utoipa::path(post, path = "/shadows/{policy}/stop", operation_id = "stop_shadow", tag = "plugins",
    params(("policy" = String, Path,)), responses((status = 200, body = ShadowItem), (status = "4XX", body = Problem)))]
pub(crate) async fn stop_shadow(
    State(app): State<Shared>,
    person: Person,
    Path(policy): Path<String>,
) -> ApiResult<axum::Json<ShadowItem>> {
    app.plugins.stop_shadow(&policy, &person.user).await.map(axum::Json)
}

/// Gives a policy a share of the new jobs of another one, within bounds.
#[utoipa::path(post, path = "/canaries", operation_id = "begin_canary", tag = "plugins", request_body = CanaryRequest,
    responses((status = 200, body = CanaryItem), (status = "4XX", body = Problem)))]
pub(crate) async fn begin_canary(
    State(app): State<Shared>,
    person: Person,
    Json(request): Json<CanaryRequest>,
) -> ApiResult<axum::Json<CanaryItem>> {
    app.plugins.begin_canary(&request, &person.user).await.map(axum::Json)
}

/// All canaries, also the last ones that are over.
#[utoipa::path(get, path = "/canaries", operation_id = "list_canaries", tag = "plugins",
    responses((status = 200, body = CanaryList), (status = "4XX", body = Problem)))]
pub(crate) async fn canaries(State(app): State<Shared>, _person: Person) -> ApiResult<axum::Json<CanaryList>> {
    app.plugins.canary_list().await.map(axum::Json)
}

/// A canary.
#[utoipa::path(get, path = "/canaries/{policy}", operation_id = "get_canary", tag = "plugins",
    params(("policy" = String, Path,)), responses((status = 200, body = CanaryItem), (status = "4XX", body = Problem)))]
pub(crate) async fn canary(
    State(app): State<Shared>,
    _person: Person,
    Path(policy): Path<String>,
) -> ApiResult<axum::Json<CanaryItem>> {
    app.plugins.canary_detail(&policy).await.map(axum::Json)
}

/// Ends a canary: its jobs go on under the live policy.
#[utoipa::path(post, path = "/canaries/{policy}/stop", operation_id = "stop_canary", tag = "plugins",
    params(("policy" = String, Path,)), responses((status = 200, body = CanaryItem), (status = "4XX", body = Problem)))]
pub(crate) async fn stop_canary(
    State(app): State<Shared>,
    person: Person,
    Path(policy): Path<String>,
) -> ApiResult<axum::Json<CanaryItem>> {
    app.plugins.stop_canary(&policy, &person.user).await.map(axum::Json)
}

/// Puts a canary into force: another version of the live policy as that plugin, another policy in its place.
#[utoipa::path(post, path = "/canaries/{policy}/promote", operation_id = "promote_canary", tag = "plugins",
    params(("policy" = String, Path,)), request_body = PromoteRequest,
    responses((status = 200, body = CanaryItem), (status = "4XX", body = Problem)))]
pub(crate) async fn promote(
    State(app): State<Shared>,
    person: Person,
    Path(policy): Path<String>,
    Json(request): Json<PromoteRequest>,
) -> ApiResult<axum::Json<CanaryItem>> {
    app.plugins.promote(&policy, request.force, &person.user).await.map(axum::Json)
}

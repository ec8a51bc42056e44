//! The lab's devices as one document.

use axum::extract::{Query, State};
use headend_wire::Problem;
use headend_wire::inventory::{InventoryAnswer, InventoryDoc};
use serde::Deserialize;

use crate::app::Shared;
use crate::auth::Person;
use crate::http::{ApiResult, Json};
use crate::lab::{self, Book};

/// Models, infrared sets, smartcards and DUTs, as `POST /inventory` takes them.
#[utoipa::path(get, path = "/inventory", operation_id = "get_inventory", tag = "duts",
    responses((status = 200, body = InventoryDoc), (status = "4XX", body = Problem)))]
pub(crate) async fn get(State(app): State<Shared>, _person: Person) -> ApiResult<axum::Json<InventoryDoc>> {
    Ok(axum::Json(lab::document(&Book::read(&app).await?)))
}

/// How to apply a document.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ApplyQuery {
    /// Only tell what would change.
    dry_run: bool,
}

/// Makes the lab what the document says, whole or not at all. What the document does not name stays.
#[utoipa::path(post, path = "/inventory", operation_id = "apply_inventory", tag = "duts", params(ApplyQuery),
    request_body = InventoryDoc, responses((status = 200, body = InventoryAnswer), (status = "4XX", body = Problem)))]
pub(crate) async fn apply(
    State(app): State<Shared>,
    Query(query): Query<ApplyQuery>,
    Json(doc): Json<InventoryDoc>,
) -> ApiResult<axum::Json<InventoryAnswer>> {
    Ok(axum::Json(lab::apply(&app, &doc, query.dry_run).await?))
}

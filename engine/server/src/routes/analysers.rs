//! Analysers for racks: what is in force on the server is what their tests look with.

use axum::extract::{Path, Query, State};
use headend_model::PolicyName;
use headend_wire::plugins::AnalyserAnswer;
use headend_wire::{Problem, codes};

use crate::app::Shared;
use crate::auth::Rack;
use crate::http::{ApiError, ApiResult};

/// What the rack has already.
#[derive(Debug, serde::Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct HaveQuery {
    /// The content that the rack has; its files are then left out of the answer.
    #[serde(default)]
    have: Option<String>,
}

/// The analyser in force under a name.
#[utoipa::path(get, path = "/racks/analysers/{name}", operation_id = "get_rack_analyser", tag = "racks",
    params(("name" = String, Path,), HaveQuery),
    responses((status = 200, body = AnalyserAnswer), (status = "4XX", body = Problem)))]
pub(crate) async fn get(
    State(app): State<Shared>,
    _rack: Rack,
    Path(name): Path<String>,
    Query(query): Query<HaveQuery>,
) -> ApiResult<axum::Json<AnalyserAnswer>> {
    let unknown = || {
        let shown = crate::edge::names::cut(&name);
        ApiError::new(&codes::UNKNOWN_PLUGIN, format!("there is no analyser {shown:?} on the server"))
    };
    let wanted = PolicyName::new(name.clone()).map_err(|_| unknown())?;
    app.plugins.analyser(wanted, query.have).await?.map(axum::Json).ok_or_else(unknown)
}

//! What runs have found out.

use axum::extract::{Query, State};
use headend_store::{OfRun, ResultQuery};
use headend_wire::Problem;
use headend_wire::api::{MeasurementList, ResultFileList, ResultList, StepList};

use crate::app::Shared;
use crate::auth::Person;
use crate::http::ApiResult;
use crate::results::{ResultParams, show};

/// Where the next page begins, if this one is full.
fn next<T>(found: &[T], query: &ResultQuery, place: impl Fn(&T) -> String) -> Option<String> {
    found.last().filter(|_| found.len() as u64 >= u64::from(query.limit)).map(place)
}

fn of_run<T, K: std::fmt::Display>(key: impl Fn(&T) -> K) -> impl Fn(&OfRun<T>) -> String {
    move |found| format!("{}.{}", found.run, key(&found.item))
}

/// Runs that have ended and what has come of them, the newest first. Users see those of their own jobs.
#[utoipa::path(get, path = "/results", operation_id = "list_results", tag = "results", params(ResultParams),
    responses((status = 200, body = ResultList), (status = "4XX", body = Problem)))]
pub(crate) async fn runs(
    State(app): State<Shared>,
    person: Person,
    Query(params): Query<ResultParams>,
) -> ApiResult<axum::Json<ResultList>> {
    let query = params.query(&person)?;
    let found = app.store.results(&query).await?;
    let next = next(&found, &query, |row| row.run.to_string());
    Ok(axum::Json(ResultList { results: found.into_iter().map(show::result).collect(), next }))
}

/// Steps of such runs.
#[utoipa::path(get, path = "/results/steps", operation_id = "list_result_steps", tag = "results", params(ResultParams),
    responses((status = 200, body = StepList), (status = "4XX", body = Problem)))]
pub(crate) async fn steps(
    State(app): State<Shared>,
    person: Person,
    Query(params): Query<ResultParams>,
) -> ApiResult<axum::Json<StepList>> {
    let query = params.query(&person)?;
    let found = app.store.result_steps(&query).await?;
    let next = next(&found, &query, of_run(|row: &headend_store::StepRow| row.no));
    Ok(axum::Json(StepList { steps: found.into_iter().map(show::step).collect(), next }))
}

/// Measurements of such runs.
#[utoipa::path(get, path = "/results/measurements", operation_id = "list_result_measurements", tag = "results",
    params(ResultParams), responses((status = 200, body = MeasurementList), (status = "4XX", body = Problem)))]
pub(crate) async fn measurements(
    State(app): State<Shared>,
    person: Person,
    Query(params): Query<ResultParams>,
) -> ApiResult<axum::Json<MeasurementList>> {
    let query = params.query(&person)?;
    let found = app.store.result_measurements(&query).await?;
    let next = next(&found, &query, of_run(|row: &headend_store::MeasurementRow| row.no));
    Ok(axum::Json(MeasurementList { measurements: found.into_iter().map(show::measurement).collect(), next }))
}

/// Files of such runs, those that retention has taken too.
#[utoipa::path(get, path = "/results/artifacts", operation_id = "list_result_artifacts", tag = "results",
    params(ResultParams), responses((status = 200, body = ResultFileList), (status = "4XX", body = Problem)))]
pub(crate) async fn artifacts(
    State(app): State<Shared>,
    person: Person,
    Query(params): Query<ResultParams>,
) -> ApiResult<axum::Json<ResultFileList>> {
    let query = params.query(&person)?;
    let found = app.store.result_artifacts(&query).await?;
    let next = next(&found, &query, of_run(|row: &headend_store::ArtifactRow| row.path.clone()));
    Ok(axum::Json(ResultFileList { artifacts: found.into_iter().map(show::artifact).collect(), next }))
}

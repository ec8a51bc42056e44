//! When a job will start and end, and the load of a period to play with.

use std::time::{Duration, Instant};

use axum::extract::{Path, Query, State};
use headend_model::{JobId, Span, Timestamp};
use headend_whatif::{Forecast, NoPolicies, forecast};
use headend_wire::whatif::{EtaAnswer, PlanDoc};
use headend_wire::{Problem, codes};

use super::jobs::visible;
use super::why_not::turn;
use crate::app::Shared;
use crate::auth::Person;
use crate::clock::wall_now;
use crate::http::{ApiError, ApiResult};
use crate::load::{LabNow, LoadError, load_between};
use crate::show;

/// Plays unless the client says otherwise, and at most.
const SAMPLES: u32 = 20;
const MOST_SAMPLES: u32 = 200;
/// No play begins after so long.
const PATIENCE: Duration = Duration::from_secs(2);
/// The period unless the client says otherwise.
const PERIOD: Span = Span::seconds(86_400);

/// How often to play.
#[derive(Debug, Default, serde::Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct EtaQuery {
    /// Plays of the farm on a virtual clock, 1 to 200; 20 unless given. After two seconds no more are begun.
    samples: Option<u32>,
}

/// When a job will start and end, from the past durations of scripts.
#[utoipa::path(get, path = "/jobs/{job}/eta", operation_id = "eta_job", tag = "jobs", params(("job" = u64, Path,), EtaQuery),
    responses((status = 200, body = EtaAnswer), (status = "4XX", body = Problem)))]
pub(crate) async fn eta(
    State(app): State<Shared>,
    person: Person,
    Path(job): Path<u64>,
    Query(query): Query<EtaQuery>,
) -> ApiResult<axum::Json<EtaAnswer>> {
    let (id, samples) = (JobId(job), query.samples.unwrap_or(SAMPLES).clamp(1, MOST_SAMPLES));
    let row = visible(&app, &person, id).await?;
    let _turn = turn().await?;
    let now = app.clock.now();
    let farm = app.farm.read(move |view| {
        let open = view.farm.job(id).filter(|view| !view.status.is_final());
        open.map(|open| (open.status, view.farm.clone()))
    });
    let over = Forecast { samples: 0, start: None, end: None, open: 0, unknown: Vec::new() };
    let Some((status, farm)) = farm.await? else {
        return Ok(axum::Json(show::what_if::eta(job, row.status.to_string(), now, &over)));
    };
    let played = tokio::task::spawn_blocking(move || {
        let begun = Instant::now();
        let mut enough = || begun.elapsed() > PATIENCE;
        forecast(&farm, now, id, samples, &mut || Box::new(NoPolicies), &mut enough)
    });
    let found = played.await.map_err(|error| ApiError::internal("the farm could not be played forward", &error))?;
    let found = found.as_ref().unwrap_or(&over);
    Ok(axum::Json(show::what_if::eta(job, status.to_string(), now, found)))
}

/// Which period.
#[derive(Debug, Default, serde::Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct PeriodQuery {
    /// Its begin, RFC 3339; a day before its end unless given.
    from: Option<String>,
    /// Its end; now unless given.
    to: Option<String>,
}

/// The load of a period, of all users, as a plan for `headend simulate`: on the lab as it is now.
#[utoipa::path(get, path = "/load", operation_id = "load_of_period", tag = "jobs", params(PeriodQuery),
    responses((status = 200, body = PlanDoc), (status = "4XX", body = Problem)))]
pub(crate) async fn load(
    State(app): State<Shared>,
    Query(query): Query<PeriodQuery>,
) -> ApiResult<axum::Json<PlanDoc>> {
    let to = query.to.as_deref().map_or_else(|| Ok(wall_now()), |text| time(text, "to"))?;
    let from = query.from.as_deref().map_or_else(|| Ok(to - PERIOD), |text| time(text, "from"))?;
    if from >= to {
        return Err(ApiError::new(&codes::INVALID, "the period ends before it begins").at("from"));
    }
    let lab = app.farm.read(|view| LabNow::of(view.farm)).await?;
    match load_between(&app.store, lab, (from, to)).await {
        Ok(plan) => Ok(axum::Json(plan)),
        Err(LoadError::Store(error)) => Err(error.into()),
        Err(error @ LoadError::TooMany) => Err(ApiError::new(&codes::TOO_LARGE, error.to_string())),
    }
}

fn time(text: &str, field: &str) -> ApiResult<Timestamp> {
    let read = text.parse::<jiff::Timestamp>().map(|at| Timestamp::from_micros(at.as_microsecond()));
    read.map_err(|_| {
        let shown: String = text.chars().take(80).collect();
        ApiError::new(&codes::INVALID, format!("{shown:?} is no time; write it like 2026-03-01T18:00:00Z")).at(field)
    })
}

//! Why a run is not on a slot, and what would start a job now.

use std::time::Duration;

use axum::extract::{Path, Query, State};
use headend_model::{JobId, RunId};
use headend_wire::api::SlotRef;
use headend_wire::whatif::{ChangeAnswer, WhyNotAnswer};
use headend_wire::{Problem, codes};
use tokio::sync::{Semaphore, SemaphorePermit};

use super::jobs::visible;
use crate::app::Shared;
use crate::auth::Person;
use crate::edge::{ids, names};
use crate::http::{ApiError, ApiResult};
use crate::show::{self, slot_text};

/// Changes that are tried at most.
const MOST_CHANGES: usize = 40;
/// Copies of the farm are played with for one question at a time: each takes a processor.
static TURNS: Semaphore = Semaphore::const_new(1);
/// How long a question waits for its turn.
const PATIENCE: Duration = Duration::from_secs(15);

/// Which slot is meant.
#[derive(Debug, serde::Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct SlotQuery {
    /// Name of the rack.
    rack: String,
    /// Number in it.
    slot: u16,
}

/// The one reason why a run does not run on a slot now.
#[utoipa::path(get, path = "/runs/{run}/why-not", operation_id = "why_not", tag = "runs", params(("run" = u64, Path,), SlotQuery),
    responses((status = 200, body = WhyNotAnswer), (status = "4XX", body = Problem)))]
pub(crate) async fn why_not(
    State(app): State<Shared>,
    person: Person,
    Path(run): Path<u64>,
    Query(query): Query<SlotQuery>,
) -> ApiResult<axum::Json<WhyNotAnswer>> {
    let wanted = SlotRef { rack: query.rack, slot: query.slot };
    let now = app.clock.now();
    let look = move |view: &crate::farm_loop::View<'_>| {
        let slot = names::slot(view.farm, &wanted)?;
        let found = view.farm.why_not(now, RunId(run), slot);
        let answer = found.map(|found| show::what_if::why_not(view.farm, now, run, slot, &found));
        Ok::<_, ApiError>((answer, slot_text(view.farm, slot)))
    };
    let (live, slot) = app.farm.read(look).await??;
    let missing = || ApiError::not_found(format!("run {run}"));
    if let Some(answer) = live {
        visible(&app, &person, JobId(answer.job)).await.map_err(|_| missing())?;
        return Ok(axum::Json(answer));
    }
    let row = if run > ids::LARGEST { None } else { app.store.run(RunId(run)).await? };
    let row = row.ok_or_else(missing)?;
    let job = visible(&app, &person, row.job).await.map_err(|_| missing())?;
    let script = job.spec.tests.get(row.test.0 as usize).map(show::jobs::script_of).unwrap_or_default();
    let reason = format!("it has ended; its job is {}", job.status);
    let (until, ahead, ahead_in_all) = (None, Vec::new(), 0);
    let code = "over".to_owned();
    Ok(axum::Json(WhyNotAnswer { run, job: row.job.0, script, slot, code, reason, until, ahead, ahead_in_all }))
}

/// The smallest single change that would start something of a job now, found by trying changes on copies of the farm.
#[utoipa::path(get, path = "/jobs/{job}/change", operation_id = "smallest_change", tag = "jobs", params(("job" = u64, Path,)),
    responses((status = 200, body = ChangeAnswer), (status = "4XX", body = Problem)))]
pub(crate) async fn change(
    State(app): State<Shared>,
    person: Person,
    Path(job): Path<u64>,
) -> ApiResult<axum::Json<ChangeAnswer>> {
    let (id, now) = (JobId(job), app.clock.now());
    visible(&app, &person, id).await?;
    let _turn = turn().await?;
    let farm = app.farm.read(move |view| view.farm.job(id).map(|_| view.farm.clone())).await?;
    let Some(farm) = farm else {
        let nothing = headend_scheduler::farm::SmallestChange::NothingWaits;
        return Ok(axum::Json(show::what_if::change(&headend_scheduler::Farm::default(), job, &nothing)));
    };
    let tried = tokio::task::spawn_blocking(move || {
        let found = farm.smallest_change(now, id, MOST_CHANGES);
        let found = found.unwrap_or(headend_scheduler::farm::SmallestChange::NothingWaits);
        show::what_if::change(&farm, job, &found)
    });
    Ok(axum::Json(tried.await.map_err(|error| ApiError::internal("a change could not be tried", &error))?))
}

/// The right to play with a copy of the farm.
///
/// # Errors
/// `too_many` when others have been at it for long.
pub(super) async fn turn() -> ApiResult<SemaphorePermit<'static>> {
    let busy = || ApiError::new(&codes::TOO_MANY, "others play with copies of the farm; try again in a moment");
    tokio::time::timeout(PATIENCE, TURNS.acquire()).await.map_err(|_| busy())?.map_err(|_| busy())
}

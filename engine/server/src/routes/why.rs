//! Why things are as they are.

use std::collections::BTreeMap;

use axum::extract::{Path, Query, State};
use headend_model::{JobId, JobStatus, Timestamp};
use headend_scheduler::Farm;
use headend_wire::Problem;
use headend_wire::api::{WhyAnswer, WhyQueue, WhyStarted, WhyWaiting};

use super::jobs::{RunQuery, ended_runs, visible};
use crate::app::Shared;
use crate::auth::Person;
use crate::http::ApiResult;
use crate::show::{self, runs::Page};

/// Why each run of a job was started where and when it was, and why the others wait.
#[utoipa::path(get, path = "/jobs/{job}/why", operation_id = "why_job", tag = "jobs", params(("job" = u64, Path,), RunQuery),
    responses((status = 200, body = WhyAnswer), (status = "4XX", body = Problem)))]
pub(crate) async fn why(
    State(app): State<Shared>,
    person: Person,
    Path(job): Path<u64>,
    Query(query): Query<RunQuery>,
) -> ApiResult<axum::Json<WhyAnswer>> {
    let id = JobId(job);
    let (now, page, is_first) = (app.clock.now(), query.page(), query.is_first());
    let live = app.farm.read(move |view| live_why(view.farm, (now, id), page, is_first)).await?;
    let row = visible(&app, &person, id).await?;
    let ended = ended_runs(&app, &row, page).await?;
    let (status, running, waiting, queue) = live.unwrap_or((row.status, Vec::new(), Vec::new(), None));
    let mut started: BTreeMap<u64, WhyStarted> = running.into_iter().map(|run| (run.run, run)).collect();
    // Looked at later: a run that is in both has ended.
    let next = page.next(&row);
    let on_page = ended.iter().filter(|run| next.is_none_or(|last| run.run.0 <= last));
    started.extend(on_page.filter_map(|run| show::why::ended(&row.spec, run)).map(|run| (run.run, run)));
    let started = started.into_values().collect();
    Ok(axum::Json(WhyAnswer { job, status_text: status.to_string(), started, waiting, queue, next }))
}

type LiveWhy = (JobStatus, Vec<WhyStarted>, Vec<WhyWaiting>, Option<WhyQueue>);

fn live_why(farm: &Farm, (now, job): (Timestamp, JobId), page: Page, is_first: bool) -> Option<LiveWhy> {
    let view = farm.job(job)?;
    let running = page.running(&view).map(|run| show::why::running(farm, view.spec, run)).collect();
    let waiting = if is_first { show::why::waiting(farm, view.spec, &farm.why(now, job)) } else { Vec::new() };
    Some((view.status, running, waiting, show::queue::place(farm, job)))
}

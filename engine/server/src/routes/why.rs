//! Why things are as they are.

use axum::extract::{Path, State};
use headend_model::JobId;
use headend_wire::Problem;
use headend_wire::api::{WhyAnswer, WhyStarted, WhyWaiting};

use super::jobs::{ended_runs, visible};
use crate::app::Shared;
use crate::auth::Person;
use crate::http::ApiResult;
use crate::show;

/// Why each run of a job was started where and when it was, and why the others wait.
#[utoipa::path(get, path = "/jobs/{job}/why", operation_id = "why_job", tag = "jobs", params(("job" = u64, Path,)),
    responses((status = 200, body = WhyAnswer), (status = 404, body = Problem)))]
pub(crate) async fn why(
    State(app): State<Shared>,
    person: Person,
    Path(job): Path<u64>,
) -> ApiResult<axum::Json<WhyAnswer>> {
    let id = JobId(job);
    let now = app.clock.now();
    let live = app.farm.read(move |view| live_why(view.farm, now, id)).await?;
    let row = visible(&app, &person, id).await?;
    let ended = ended_runs(&app, id).await?;
    let (status, running, waiting) = live.unwrap_or((row.status, Vec::new(), Vec::new()));
    let mut started: Vec<WhyStarted> = ended.iter().filter_map(|run| show::why::ended(&row.spec, run)).collect();
    let over: std::collections::BTreeSet<u64> = started.iter().map(|run| run.run).collect();
    started.extend(running.into_iter().filter(|run| !over.contains(&run.run)));
    started.sort_by_key(|run| run.run);
    Ok(axum::Json(WhyAnswer { job, status_text: status.to_string(), started, waiting }))
}

type LiveWhy = (headend_model::JobStatus, Vec<WhyStarted>, Vec<WhyWaiting>);

fn live_why(farm: &headend_scheduler::Farm, now: headend_model::Timestamp, job: JobId) -> Option<LiveWhy> {
    let view = farm.job(job)?;
    let running = view.running.iter().map(|run| show::why::running(farm, view.spec, run)).collect();
    let waiting = show::why::waiting(farm, view.spec, &farm.why(now, job));
    Some((view.status, running, waiting))
}

//! Jobs: hand in, list, look at, stop.

use std::collections::BTreeSet;

use axum::extract::{Path, Query, State};
use headend_model::{JobId, JobSpec, JobStatus, RunId, TestIx, UserName};
use headend_scheduler::action::Action;
use headend_scheduler::event::{Event, IdempotencyKey, Submission};
use headend_store::{JobQuery, JobRow, RunRow};
use headend_wire::api::{JobDetail, JobList, KillAnswer, SubmitAnswer, SubmitRequest};
use headend_wire::{Problem, codes};
use http::{HeaderMap, StatusCode};

use crate::app::Shared;
use crate::auth::Person;
use crate::edge::submit::{Known, spec};
use crate::http::{ApiError, ApiResult, Json};
use crate::show::{self, jobs::Live};

/// Runs that are read from the store at once.
const PAGE: u32 = 1_000;
/// Jobs of a page unless the client says otherwise, and at most.
const JOBS: u32 = 100;

/// Hands in a job.
#[utoipa::path(post, path = "/jobs", operation_id = "submit_job", tag = "jobs", request_body = SubmitRequest,
    params(("Idempotency-Key" = Option<String>, Header, description = "A retry under the same key gives the same handle.")),
    responses((status = 201, body = SubmitAnswer), (status = 200, description = "A retry: nothing new was stored.", body = SubmitAnswer),
        (status = "4XX", body = Problem), (status = 507, body = Problem)))]
pub(crate) async fn submit(
    State(app): State<Shared>,
    person: Person,
    headers: HeaderMap,
    Json(request): Json<SubmitRequest>,
) -> ApiResult<(StatusCode, axum::Json<SubmitAnswer>)> {
    let key = idempotency_key(&headers, &request)?;
    let fail_on_warning = request.fail_on_warning;
    let policies = app.plugins.coverage_policies();
    let spec = app
        .farm
        .read(move |view| spec(&request, person.user, &Known { farm: view.farm, policies: &policies }))
        .await??;
    let missing_scripts = missing_scripts(&app, &spec).await?;
    let submission = Submission { spec: spec.clone(), missing_scripts, fail_on_warning, key };
    let answer = app
        .farm
        .apply(vec![Event::Submit(Box::new(submission))], move |stepped, view| answer(view.farm, &spec, &stepped))
        .await??;
    let status = if answer.repeated { StatusCode::OK } else { StatusCode::CREATED };
    Ok((status, axum::Json(answer)))
}

fn answer(farm: &headend_scheduler::Farm, spec: &JobSpec, stepped: &[Vec<Action>]) -> ApiResult<SubmitAnswer> {
    for action in stepped.iter().flatten() {
        match action {
            Action::Accepted { job, warnings, repeated } => {
                let warnings = warnings.iter().map(|one| show::warnings::warning(farm, spec, one)).collect();
                return Ok(SubmitAnswer { job: job.0, warnings, repeated: *repeated });
            }
            Action::Refused(refusal) => return Err(show::warnings::refusal(farm, spec, refusal)),
            _ => {}
        }
    }
    Err(ApiError::new(&codes::INTERNAL, "the scheduler gave no answer to the submission"))
}

/// Tests whose script is not there now. Looking also brings the areas into memory, from where runs are pinned.
async fn missing_scripts(app: &Shared, spec: &JobSpec) -> ApiResult<BTreeSet<TestIx>> {
    let public = app.areas.head(&None).await?;
    let own = app.areas.head(&Some(spec.owner.clone())).await?;
    let missing = spec.tests.iter().zip(0..).filter(|(test, _)| {
        let tree = if test.public { &public.tree } else { &own.tree };
        tree.get(&test.script).is_none()
    });
    Ok(missing.map(|(_, at)| TestIx(at)).collect())
}

fn idempotency_key(headers: &HeaderMap, request: &SubmitRequest) -> ApiResult<Option<IdempotencyKey>> {
    let Some(value) = headers.get("idempotency-key") else { return Ok(None) };
    let key = value.to_str().unwrap_or_default().trim();
    if key.is_empty() || key.len() > 200 {
        let detail = "the Idempotency-Key is not 1 to 200 visible ASCII characters";
        return Err(ApiError::new(&codes::BAD_REQUEST, detail));
    }
    // Of the request as understood, so that a retry may be spelled otherwise.
    let text =
        serde_json::to_vec(request).map_err(|error| ApiError::internal("a request cannot be digested", &error))?;
    let digest = blake3::hash(&text).as_bytes().first_chunk::<8>().map_or(0, |bytes| u64::from_le_bytes(*bytes));
    Ok(Some(IdempotencyKey { key: key.to_owned(), digest }))
}

/// Which jobs to list.
#[derive(Debug, Default, serde::Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListQuery {
    /// `open` (not final) or `all`; `all` unless given.
    state: Option<String>,
    /// At most so many, 1 to 1000; 100 unless given.
    limit: Option<u32>,
    /// Only older ones than this handle.
    before: Option<u64>,
    /// Only this user's (administrators; others see their own only).
    owner: Option<String>,
}

/// Lists jobs, newest first.
#[utoipa::path(get, path = "/jobs", operation_id = "list_jobs", tag = "jobs", params(ListQuery),
    responses((status = 200, body = JobList), (status = "4XX", body = Problem)))]
pub(crate) async fn list(
    State(app): State<Shared>,
    person: Person,
    Query(query): Query<ListQuery>,
) -> ApiResult<axum::Json<JobList>> {
    let limit = query.limit.unwrap_or(JOBS).clamp(1, PAGE);
    let open = match query.state.as_deref() {
        None | Some("all") => false,
        Some("open") => true,
        Some(_) => return Err(ApiError::new(&codes::BAD_REQUEST, "state is not `open` or `all`")),
    };
    let owner = owner_filter(&person, query.owner)?;
    // The farm first: what it no longer knows as open is final in the store by then.
    let live = app.farm.read(|view| show::jobs::live_of_all(view.farm)).await?;
    let rows = app.store.jobs(&JobQuery { before: query.before.map(JobId), owner, open, limit }).await?;
    let next = (rows.len() as u32 == limit).then(|| rows.last().map(|row| row.job.0)).flatten();
    let jobs = rows.iter().map(|row| show::jobs::item(row, live.get(&row.job))).collect();
    Ok(axum::Json(JobList { jobs, next }))
}

fn owner_filter(person: &Person, asked: Option<String>) -> ApiResult<Option<UserName>> {
    match asked {
        _ if !person.admin => Ok(Some(person.user.clone())),
        None => Ok(None),
        Some(owner) => {
            UserName::new(owner).map(Some).map_err(|error| ApiError::new(&codes::BAD_REQUEST, error.to_string()))
        }
    }
}

/// A job with its tests and runs.
#[utoipa::path(get, path = "/jobs/{job}", operation_id = "get_job", tag = "jobs", params(("job" = u64, Path,)),
    responses((status = 200, body = JobDetail), (status = 404, body = Problem)))]
pub(crate) async fn detail(
    State(app): State<Shared>,
    person: Person,
    Path(job): Path<u64>,
) -> ApiResult<axum::Json<JobDetail>> {
    let job = JobId(job);
    let live = app.farm.read(move |view| view.farm.job(job).map(|found| Live::full(view.farm, &found))).await?;
    let row = visible(&app, &person, job).await?;
    let ended = ended_runs(&app, job).await?;
    Ok(axum::Json(show::jobs::detail(&row, live, &ended)))
}

/// A job that this person may see.
///
/// # Errors
/// `not_found`, also when it is there and somebody else's.
pub(crate) async fn visible(app: &Shared, person: &Person, job: JobId) -> ApiResult<JobRow> {
    let row = app.store.job(job).await?;
    row.filter(|row| person.may_see(&row.spec.owner)).ok_or_else(|| ApiError::not_found(format!("job {job}")))
}

/// All ended runs of a job.
pub(crate) async fn ended_runs(app: &Shared, job: JobId) -> ApiResult<Vec<RunRow>> {
    let mut runs: Vec<RunRow> = Vec::new();
    loop {
        let after: Option<RunId> = runs.last().map(|run| run.run);
        let page = app.store.runs_of(job, after, PAGE).await?;
        let full = page.len() as u32 == PAGE;
        runs.extend(page);
        if !full {
            return Ok(runs);
        }
    }
}

/// Stops a job. Stopping a job that has ended changes nothing and is no error.
#[utoipa::path(post, path = "/jobs/{job}/kill", operation_id = "kill_job", tag = "jobs", params(("job" = u64, Path,)),
    responses((status = 200, body = KillAnswer), (status = 404, body = Problem)))]
pub(crate) async fn kill(
    State(app): State<Shared>,
    person: Person,
    Path(job): Path<u64>,
) -> ApiResult<axum::Json<KillAnswer>> {
    let job = JobId(job);
    let row = visible(&app, &person, job).await?;
    if row.status.is_final() {
        return Ok(axum::Json(kill_answer(job, row.status)));
    }
    let actions = app.farm.step(Event::Kill { job, by: person.user.clone() }).await?;
    let noted = actions.iter().find_map(|action| match action {
        Action::KillNoted { status, .. } => *status,
        _ => None,
    });
    let status = match noted {
        Some(status) => status,
        // It ended while we asked: what it ended as is on disk.
        None => visible(&app, &person, job).await?.status,
    };
    Ok(axum::Json(kill_answer(job, status)))
}

fn kill_answer(job: JobId, status: JobStatus) -> KillAnswer {
    let status_text = if status.is_final() { status.to_string() } else { "stop requested".to_owned() };
    KillAnswer { job: job.0, status: status.code(), status_text }
}

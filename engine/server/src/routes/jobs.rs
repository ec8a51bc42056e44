//! Jobs: hand in, list, look at, stop.

use std::collections::BTreeSet;

use axum::extract::{Path, Query, State};
use headend_model::{JobId, JobSpec, JobStatus, TestIx, UserName};
use headend_scheduler::action::{Action, Refusal, Warning};
use headend_scheduler::event::{Event, IdempotencyKey, Submission};
use headend_store::{JobQuery, JobRow, RunRow};
use headend_wire::api::{
    JobDetail, JobItem, JobList, KillAnswer, RunItem, RunList, SubmitAnswer, SubmitRequest, WarningItem,
};
use headend_wire::{Problem, codes};
use http::{HeaderMap, StatusCode};

use crate::app::Shared;
use crate::auth::Person;
use crate::edge::ids;
use crate::edge::submit::{Known, spec};
use crate::http::{ApiError, ApiResult, Json};
use crate::show::{self, jobs::Live, runs::Page};

/// Most jobs or runs of a page.
const PAGE: u32 = 1_000;
/// Jobs of a page unless the client says otherwise.
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
    match hand_in(&app, &person, &headers, request).await? {
        HandIn::Accepted(answer) => {
            let status = if answer.repeated { StatusCode::OK } else { StatusCode::CREATED };
            Ok((status, axum::Json(answer)))
        }
        HandIn::Refused { problem, .. } => Err(problem),
    }
}

/// What the farm says to a submission.
pub(crate) enum HandIn {
    /// It is stored.
    Accepted(SubmitAnswer),
    /// Nothing is stored.
    Refused {
        /// Why.
        problem: ApiError,
        /// The warnings, if it is because of them.
        warnings: Vec<WarningItem>,
    },
}

/// Checks a submission and hands it to the farm.
///
/// # Errors
/// What can be said before the farm decides, with the field at fault.
pub(crate) async fn hand_in(
    app: &Shared,
    person: &Person,
    headers: &HeaderMap,
    request: SubmitRequest,
) -> ApiResult<HandIn> {
    let key = idempotency_key(headers, &request)?;
    let fail_on_warning = request.fail_on_warning;
    let (policies, user) = (app.plugins.coverage_policies(), person.user.clone());
    let spec =
        app.farm.read(move |view| spec(&request, user, &Known { farm: view.farm, policies: &policies })).await??;
    app.plugins.check_parameters(spec.tests.iter().map(|test| &test.mode), &spec.policy_parameters)?;
    let missing_scripts = missing_scripts(app, &spec).await?;
    let submission = Submission { spec: spec.clone(), missing_scripts, fail_on_warning, key };
    let events = vec![Event::Submit(Box::new(submission))];
    app.farm.apply(events, move |stepped, view| answer(view.farm, &spec, &stepped)).await?
}

fn answer(farm: &headend_scheduler::Farm, spec: &JobSpec, stepped: &[Vec<Action>]) -> ApiResult<HandIn> {
    let items = |warnings: &[Warning]| warnings.iter().map(|one| show::warnings::warning(farm, spec, one)).collect();
    for action in stepped.iter().flatten() {
        match action {
            Action::Accepted { job, warnings, repeated } => {
                let answer = SubmitAnswer { job: job.0, warnings: items(warnings), repeated: *repeated };
                return Ok(HandIn::Accepted(answer));
            }
            Action::Refused(refusal) => {
                let problem = show::warnings::refusal(farm, spec, refusal);
                let warnings = if let Refusal::Warnings(warnings) = refusal { items(warnings) } else { Vec::new() };
                return Ok(HandIn::Refused { problem, warnings });
            }
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
    let rows = app
        .store
        .jobs(&JobQuery { before: query.before.map(|job| JobId(job.min(ids::LARGEST))), owner, open, limit })
        .await?;
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

/// How many of the job's runs to show with it.
#[derive(Debug, Default, serde::Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct DetailQuery {
    /// At most so many of its runs, 0 to 1000; 1000 unless given. `GET /jobs/{job}/runs` has the others.
    runs: Option<u32>,
}

/// Which runs to list.
#[derive(Debug, Default, serde::Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct RunQuery {
    /// Only runs after this one: the `next` of the page before.
    after: Option<u64>,
    /// At most so many, 1 to 1000; 1000 unless given.
    limit: Option<u32>,
}

impl RunQuery {
    pub(crate) fn page(&self) -> Page {
        Page { after: self.after.map(|run| run.min(ids::LARGEST)), limit: self.limit.unwrap_or(PAGE).clamp(1, PAGE) }
    }
}

/// A job with its tests and the first of its runs.
#[utoipa::path(get, path = "/jobs/{job}", operation_id = "get_job", tag = "jobs", params(("job" = u64, Path,), DetailQuery),
    responses((status = 200, body = JobDetail), (status = 404, body = Problem)))]
pub(crate) async fn detail(
    State(app): State<Shared>,
    person: Person,
    Path(job): Path<u64>,
    Query(query): Query<DetailQuery>,
) -> ApiResult<axum::Json<JobDetail>> {
    let page = Page { after: None, limit: query.runs.unwrap_or(PAGE).min(PAGE) };
    let (row, live, runs) = look(&app, &person, JobId(job), page).await?;
    Ok(axum::Json(show::jobs::detail(&row, live.as_ref(), runs)))
}

/// The runs of a job, a page at a time.
#[utoipa::path(get, path = "/jobs/{job}/runs", operation_id = "list_runs", tag = "jobs", params(("job" = u64, Path,), RunQuery),
    responses((status = 200, body = RunList), (status = "4XX", body = Problem)))]
pub(crate) async fn runs(
    State(app): State<Shared>,
    person: Person,
    Path(job): Path<u64>,
    Query(query): Query<RunQuery>,
) -> ApiResult<axum::Json<RunList>> {
    let (_, _, runs) = look(&app, &person, JobId(job), query.page()).await?;
    Ok(axum::Json(runs))
}

/// A job and a page of its runs.
async fn look(app: &Shared, person: &Person, job: JobId, page: Page) -> ApiResult<(JobRow, Option<Live>, RunList)> {
    // The farm first: what it no longer knows as under way has ended in the store by then.
    let live = app
        .farm
        .read(move |view| {
            let found = view.farm.job(job)?;
            Some((Live::brief(&found), show::runs::live(view.farm, &found, page)))
        })
        .await?;
    let row = visible(app, person, job).await?;
    let ended = ended_runs(app, &row, page).await?;
    let (live, running) = live.unzip();
    let waits = show::jobs::item(&row, live.as_ref()).queued > 0;
    let runs = show::runs::list(&row, page, running.unwrap_or_default(), &ended, waits);
    Ok((row, live, runs))
}

/// A job with all of its runs.
pub(crate) struct Whole {
    /// The job.
    pub(crate) item: JobItem,
    /// Its runs, by number.
    pub(crate) runs: Vec<RunItem>,
    first_runs: Vec<u64>,
}

impl Whole {
    /// The document's test identifier: the number of the test's first run, which no other test has.
    pub(crate) fn test_id(&self, test: u32) -> u64 {
        self.first_runs.get(test as usize).copied().unwrap_or_default()
    }
}

/// A job with all of its runs, read a page at a time.
pub(crate) async fn whole(app: &Shared, person: &Person, job: JobId) -> ApiResult<Whole> {
    let mut page = Page { after: None, limit: PAGE };
    let mut runs = Vec::new();
    loop {
        let (row, live, found) = look(app, person, job, page).await?;
        runs.extend(found.runs);
        if found.next.is_none() {
            let item = show::jobs::item(&row, live.as_ref());
            return Ok(Whole { item, runs, first_runs: first_runs(&row) });
        }
        page.after = found.next;
    }
}

/// Number of the first run of each test.
fn first_runs(row: &JobRow) -> Vec<u64> {
    let mut next = row.first_run.0;
    let each = row.spec.tests.iter().map(|test| {
        let first = next;
        next = next.saturating_add(u64::from(crate::farm_loop::runs_of(test)));
        first
    });
    each.collect()
}

/// A job that this person may see.
///
/// # Errors
/// `not_found`, also when it is there and somebody else's.
pub(crate) async fn visible(app: &Shared, person: &Person, job: JobId) -> ApiResult<JobRow> {
    let row = if job.0 > ids::LARGEST { None } else { app.store.job(job).await? };
    row.filter(|row| person.may_see(&row.spec.owner)).ok_or_else(|| ApiError::not_found(format!("job {job}")))
}

/// Those runs of a page that have ended.
pub(crate) async fn ended_runs(app: &Shared, row: &JobRow, page: Page) -> ApiResult<Vec<RunRow>> {
    if page.limit == 0 {
        return Ok(Vec::new());
    }
    // A page has at most `limit` numbers, so what the store gives beyond it is of later pages, and is not shown.
    Ok(app.store.runs_of(row.job, page.before(row), page.limit).await?)
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
    Ok(axum::Json(kill_answer(job, stop(&app, &person, job).await?)))
}

/// Asks that a job be stopped; its status then.
pub(crate) async fn stop(app: &Shared, person: &Person, job: JobId) -> ApiResult<JobStatus> {
    let row = visible(app, person, job).await?;
    if row.status.is_final() {
        return Ok(row.status);
    }
    let actions = app.farm.step(Event::Kill { job, by: person.user.clone() }).await?;
    let noted = actions.iter().find_map(|action| match action {
        Action::KillNoted { status, .. } => *status,
        _ => None,
    });
    match noted {
        Some(status) => Ok(status),
        // It ended while we asked: what it ended as is on disk.
        None => Ok(visible(app, person, job).await?.status),
    }
}

fn kill_answer(job: JobId, status: JobStatus) -> KillAnswer {
    let status_text = if status.is_final() { status.to_string() } else { "stop requested".to_owned() };
    KillAnswer { job: job.0, status: status.code(), status_text }
}

//! Why things are as they are.

use std::collections::BTreeMap;

use axum::extract::{Path, Query, State};
use headend_model::{JobId, JobStatus, TestIx, Timestamp};
use headend_scheduler::Farm;
use headend_scheduler::view::WhyPage;
use headend_wire::Problem;
use headend_wire::api::{WhyAnswer, WhyQueue, WhyStarted, WhyWaiting};
use headend_wire::trials::WhyCanary;

use super::jobs::{ended_runs, visible};
use crate::app::Shared;
use crate::auth::Person;
use crate::http::ApiResult;
use crate::show::{self, runs::Page};

/// Tests that wait on one page, and targets of each: the reasons are as many as both of them multiplied.
const TESTS: usize = 100;
const TARGETS: usize = 64;
/// Starts on one page.
const STARTS: u32 = 1_000;

/// Which reasons to show.
#[derive(Debug, Default, serde::Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct WhyQuery {
    /// Only starts of runs after this one: the `next` of the page before.
    after: Option<u64>,
    /// At most so many starts, 1 to 1000; 1000 unless given.
    limit: Option<u32>,
    /// Only waiting tests from this one on: the `waiting_next` of the page before.
    waiting_from: Option<u32>,
}

impl WhyQuery {
    fn page(&self) -> Page {
        Page { after: self.after, limit: self.limit.unwrap_or(STARTS).clamp(1, STARTS) }
    }

    /// The first test whose waiting is told of, if any is to be.
    fn waiting(&self) -> Option<TestIx> {
        self.waiting_from.or_else(|| self.after.is_none().then_some(0)).map(TestIx)
    }
}

/// Why each run of a job was started where and when it was, and why the others wait.
#[utoipa::path(get, path = "/jobs/{job}/why", operation_id = "why_job", tag = "jobs", params(("job" = u64, Path,), WhyQuery),
    responses((status = 200, body = WhyAnswer), (status = "4XX", body = Problem)))]
pub(crate) async fn why(
    State(app): State<Shared>,
    person: Person,
    Path(job): Path<u64>,
    Query(query): Query<WhyQuery>,
) -> ApiResult<axum::Json<WhyAnswer>> {
    let id = JobId(job);
    let (now, page, from) = (app.clock.now(), query.page(), query.waiting());
    let live = app.farm.read(move |view| live_why(view.farm, (now, id), page, from)).await?;
    let row = visible(&app, &person, id).await?;
    let ended = ended_runs(&app, &row, page).await?;
    let live = live.unwrap_or_default();
    let mut started: BTreeMap<u64, WhyStarted> = live.running.into_iter().map(|run| (run.run, run)).collect();
    // Looked at later: a run that is in both has ended.
    let next = page.next(&row);
    let on_page = ended.iter().filter(|run| next.is_none_or(|last| run.run.0 <= last));
    started.extend(on_page.filter_map(|run| show::why::ended(&row.spec, run)).map(|run| (run.run, run)));
    let started = started.into_values().collect();
    Ok(axum::Json(WhyAnswer {
        job,
        status_text: live.status.unwrap_or(row.status).to_string(),
        started,
        waiting: live.waiting,
        waiting_tests: live.waiting_tests,
        waiting_next: live.waiting_next,
        queue: live.queue,
        canaries: live.canaries,
        next,
    }))
}

/// What the farm has to say.
#[derive(Default)]
struct LiveWhy {
    /// Of a job that the farm knows.
    status: Option<JobStatus>,
    running: Vec<WhyStarted>,
    waiting: Vec<WhyWaiting>,
    waiting_tests: u32,
    waiting_next: Option<u32>,
    queue: Option<WhyQueue>,
    canaries: Vec<WhyCanary>,
}

fn live_why(farm: &Farm, (now, job): (Timestamp, JobId), page: Page, from: Option<TestIx>) -> Option<LiveWhy> {
    let view = farm.job(job)?;
    // One more than is shown: it is where the next page begins.
    let waiting = from.map(|from| farm.why_page(now, job, &WhyPage { from, tests: TESTS + 1, targets: TARGETS }));
    let waiting = waiting.unwrap_or_default();
    Some(LiveWhy {
        status: Some(view.status),
        running: page.running(&view).map(|run| show::why::running(farm, view.spec, run)).collect(),
        waiting: show::why::waiting(farm, (view.job, view.spec), waiting.get(..TESTS).unwrap_or(&waiting)),
        waiting_tests: farm.tests_waiting(job),
        waiting_next: waiting.get(TESTS).map(|next| next.test.0),
        queue: show::queue::place(farm, job),
        canaries: show::trials::of_job(farm, job),
    })
}

//! The rows of `showJobsOnSchedule` (document 7.1.18). Two of their columns are not the farm's: the number of a user, which
//! is that of the user's area, and the repository revision, which is that of the tree that the last run was given.

use std::collections::BTreeMap;

use headend_model::{JobId, RunId, ScheduleId, TestSpec, UserName};
use headend_scheduler::schedule::{ScheduleView, ScheduledTestView};
use headend_store::{AreaId, JobRow, Pin, RunRow};
use headend_wire::api::ModeRef;
use headend_wire::xmlrpc::Value;

use super::Caller;
use super::answer::{int, list, text, unix};
use crate::app::Shared;
use crate::edge::args::join;
use crate::farm_loop::{View, runs_of};
use crate::http::ApiResult;
use crate::schedules::zones::utc;
use crate::schedules::{self as deeds, show};
use crate::show::jobs::mode;

/// Runs of one job, and revisions of one area, that are looked through at once.
const PAGE: u32 = 1_000;
/// Pages of revisions that are looked through for a tree. Older ones count as the oldest of them.
const PAGES: u32 = 20;

/// A test as the farm has it.
struct Row {
    values: Vec<Value>,
    owner: UserName,
    by: UserName,
    spec: TestSpec,
    last_job: Option<JobId>,
}

/// The rows of the tests on a schedule, in list order.
pub(super) async fn rows(caller: &Caller<'_>, schedule: ScheduleId) -> ApiResult<Vec<Value>> {
    let of_farm = |view: &View<'_>, found: &ScheduleView<'_>| {
        let tests = view.farm.schedule_tests(found.schedule).unwrap_or_default();
        let rows: Vec<Row> = tests.iter().map(|entry| row(found, entry)).collect();
        (rows, view.pins.clone())
    };
    let (tests, pins) = deeds::look(caller.app, &caller.person, schedule, of_farm).await?;
    let mut books = Books { app: caller.app, pins, jobs: BTreeMap::new(), revisions: BTreeMap::new() };
    let mut rows = Vec::with_capacity(tests.len());
    for test in tests {
        let user = caller.app.store.private_area(&test.by).await?;
        let revision = books.revision(&test).await?;
        let mut values = test.values;
        // Third and sixth column.
        values.insert(2, int(user.0));
        values.insert(5, int(revision));
        rows.push(list(values));
    }
    Ok(rows)
}

/// All columns but two.
fn row(schedule: &ScheduleView<'_>, entry: &ScheduledTestView<'_>) -> Row {
    let spec = &entry.spec.test;
    let values = vec![
        int(entry.test.0),
        int(entry.loops_completed),
        Value::DateTime(utc(entry.created)),
        text(join(&spec.args)),
        text(show::script(schedule, entry)),
        text(entry.status.to_string()),
        int(entry.spec.priority.0),
        int(0),
        int(u8::from(spec.public)),
        int(spec.slots_needed),
        match mode(&spec.mode) {
            ModeRef::Number(number) => int(number),
            ModeRef::Name(name) => text(name),
        },
        unix(entry.last_start),
        unix(entry.last_end),
    ];
    Row { values, owner: schedule.owner.clone(), by: entry.by.clone(), spec: spec.clone(), last_job: entry.last_job }
}

/// Which trees runs were given, and which revisions those are. Each job and tree is looked up once.
struct Books<'a> {
    app: &'a Shared,
    pins: BTreeMap<RunId, Pin>,
    jobs: BTreeMap<JobId, Option<(JobRow, Vec<RunRow>)>>,
    revisions: BTreeMap<(u32, String), u64>,
}

impl Books<'_> {
    /// Revision of the area of a test: as its last run was given it, else as it is now.
    async fn revision(&mut self, test: &Row) -> ApiResult<u64> {
        let key = (!test.spec.public).then(|| test.owner.clone());
        let tree = match test.last_job {
            Some(job) => self.tree(job, &test.spec).await?,
            None => None,
        };
        match tree {
            Some(tree) => {
                let area = match &key {
                    None => AreaId::PUBLIC,
                    Some(owner) => self.app.store.private_area(owner).await?,
                };
                self.revision_of(area, tree).await
            }
            None => Ok(self.app.areas.head(&key).await?.revision),
        }
    }

    /// The tree that the last run of a test was given.
    async fn tree(&mut self, job: JobId, test: &TestSpec) -> ApiResult<Option<String>> {
        if !self.jobs.contains_key(&job) {
            let found = match self.app.store.job(job).await? {
                Some(row) => Some((row, self.app.store.runs_of(job, None, PAGE).await?)),
                None => None,
            };
            self.jobs.insert(job, found);
        }
        let Some(Some((row, ended))) = self.jobs.get(&job) else { return Ok(None) };
        let mut first = row.first_run.0;
        let mut tree = None;
        for (spec, at) in row.spec.tests.iter().zip(0..) {
            let runs = u64::from(runs_of(spec));
            if spec.script == test.script && spec.public == test.public {
                let running = self.pins.range(RunId(first)..RunId(first.saturating_add(runs))).next_back();
                let over = ended
                    .iter()
                    .filter(|run| run.test.0 == at && run.public_tree.is_some())
                    .max_by_key(|run| run.ended);
                tree = match (running, over) {
                    (Some((_, pin)), _) => pick(test, Some(&pin.public_tree), pin.private_tree.as_ref()),
                    (None, Some(run)) => pick(test, run.public_tree.as_ref(), run.private_tree.as_ref()),
                    (None, None) => tree,
                };
            }
            first = first.saturating_add(runs);
        }
        Ok(tree)
    }

    async fn revision_of(&mut self, area: AreaId, tree: String) -> ApiResult<u64> {
        let key = (area.0, tree);
        if let Some(known) = self.revisions.get(&key) {
            return Ok(*known);
        }
        let mut before = None;
        for _ in 0..PAGES {
            let page = self.app.store.area_history(area, before, PAGE).await?;
            let Some(oldest) = page.last().map(|head| head.revision) else { break };
            if let Some(found) = page.iter().find(|head| head.tree == key.1) {
                before = Some(found.revision);
                break;
            }
            before = Some(oldest);
        }
        let revision = before.unwrap_or(0);
        self.revisions.insert(key, revision);
        Ok(revision)
    }
}

fn pick(test: &TestSpec, public: Option<&String>, private: Option<&String>) -> Option<String> {
    if test.public { public.cloned() } else { private.cloned() }
}

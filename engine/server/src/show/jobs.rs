//! Jobs: what is on disk, with what the farm knows of those that are still open.

use std::collections::BTreeMap;

use headend_model::{JobId, JobStatus, Mode, TestSpec, Timestamp};
use headend_scheduler::Farm;
use headend_scheduler::view::JobView;
use headend_store::JobRow;
use headend_wire::api::{JobDetail, JobItem, ModeRef, RunList, TestItem};

use super::time;
use crate::clock::rfc3339;

/// What the farm knows of an open job, taken out of it.
pub(crate) struct Live {
    status: JobStatus,
    stop_requested: bool,
    started: Option<Timestamp>,
    ended: Option<Timestamp>,
    queued: u32,
    running: u32,
}

impl Live {
    /// Without the runs one by one.
    pub(crate) fn brief(view: &JobView<'_>) -> Self {
        Self {
            status: view.status,
            stop_requested: view.stop_requested.is_some() && !view.status.is_final(),
            started: view.started,
            ended: view.ended,
            queued: view.queued,
            running: view.running.len() as u32,
        }
    }
}

/// A line of the list.
pub(crate) fn item(row: &JobRow, live: Option<&Live>) -> JobItem {
    let ended = row.passed + row.failed + row.incomplete;
    let waiting = if row.status.is_final() { 0 } else { row.runs.saturating_sub(ended) };
    let status = live.map_or(row.status, |live| live.status);
    JobItem {
        job: row.job.0,
        name: row.spec.name.clone(),
        owner: row.spec.owner.to_string(),
        priority: row.priority.0,
        status: status.code(),
        status_text: status.to_string(),
        stop_requested: live.is_some_and(|live| live.stop_requested),
        accepted: rfc3339(row.accepted),
        started: time(live.map_or(row.started, |live| live.started)),
        ended: time(live.map_or(row.ended, |live| live.ended)),
        runs: row.runs,
        queued: live.map_or(waiting, |live| live.queued),
        running: live.map_or(0, |live| live.running),
        passed: row.passed,
        failed: row.failed,
        incomplete: row.incomplete,
    }
}

/// A job with its tests and a page of its runs.
pub(crate) fn detail(row: &JobRow, live: Option<&Live>, page: RunList) -> JobDetail {
    let tests = row.spec.tests.iter().zip(0..).map(|(test, at)| test_item(test, at)).collect();
    JobDetail { item: item(row, live), tests, run_list: page.runs, next: page.next }
}

fn test_item(test: &TestSpec, at: u32) -> TestItem {
    TestItem {
        test: at,
        script: test.script.to_string(),
        public: test.public,
        slots_needed: test.slots_needed,
        mode: mode(&test.mode),
        args: test.args.clone(),
    }
}

/// The document's number of a mode, or the name of a policy.
pub(crate) fn mode(mode: &Mode) -> ModeRef {
    match mode {
        Mode::SingleProcess => ModeRef::Number(0),
        Mode::DutCoverage => ModeRef::Number(1),
        Mode::TestCoverage => ModeRef::Number(2),
        Mode::Policy(name) => ModeRef::Name(name.to_string()),
    }
}

/// `public/samples/x.py`, as the document shows it.
pub(crate) fn script_of(test: &TestSpec) -> String {
    format!("{}/{}", if test.public { "public" } else { "private" }, test.script)
}

/// What the farm knows of all open jobs.
pub(crate) fn live_of_all(farm: &Farm) -> BTreeMap<JobId, Live> {
    farm.open_jobs().map(|view| (view.job, Live::brief(&view))).collect()
}

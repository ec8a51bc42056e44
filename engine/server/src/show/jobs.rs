//! Jobs and runs: what is on disk, with what the farm knows of those that are still open.

use std::collections::{BTreeMap, BTreeSet};

use headend_model::{JobId, JobStatus, Mode, RunState, TestSpec, Timestamp};
use headend_scheduler::Farm;
use headend_scheduler::action::StartReason;
use headend_scheduler::view::{JobView, RunningView};
use headend_store::{JobRow, RunRow};
use headend_wire::api::{JobDetail, JobItem, ModeRef, RunItem, RunSlot, TestItem};

use super::{chosen_by, rack_text, time};
use crate::clock::rfc3339;

/// What the farm knows of an open job, taken out of it.
pub(crate) struct Live {
    status: JobStatus,
    stop_requested: bool,
    started: Option<Timestamp>,
    ended: Option<Timestamp>,
    queued: u32,
    running: u32,
    /// Runs under way, if they were asked for.
    runs: Vec<LiveRun>,
}

/// A run under way.
pub(crate) struct LiveRun {
    leased: Timestamp,
    item: RunItem,
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
            runs: Vec::new(),
        }
    }

    /// With every run under way.
    pub(crate) fn full(farm: &Farm, view: &JobView<'_>) -> Self {
        let tests = &view.spec.tests;
        let runs = view.running.iter().map(|run| LiveRun { leased: run.leased, item: live_run(farm, tests, run) });
        Self { runs: runs.collect(), ..Self::brief(view) }
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

/// A job with its tests and runs. `live` was looked at before `ended` was read, so a run may be in both: it has ended.
pub(crate) fn detail(row: &JobRow, live: Option<Live>, ended: &[RunRow]) -> JobDetail {
    let item = item(row, live.as_ref());
    let mut left: Vec<u32> = row.spec.tests.iter().map(crate::farm_loop::runs_of).collect();
    let mut runs: BTreeMap<(Timestamp, u64), RunItem> = BTreeMap::new();
    let over: BTreeSet<u64> = ended.iter().map(|run| run.run.0).collect();
    for run in live.map(|live| live.runs).unwrap_or_default() {
        if !over.contains(&run.item.run) {
            runs.insert((run.leased, run.item.run), run.item);
        }
    }
    runs.extend(
        ended.iter().map(|run| ((run.leased.unwrap_or(run.ended), run.run.0), ended_run(&row.spec.tests, run))),
    );
    let mut run_list: Vec<RunItem> = runs.into_values().collect();
    for run in &run_list {
        if let Some(left) = left.get_mut(run.test as usize) {
            *left = left.saturating_sub(1);
        }
    }
    // A job that ended says so of each of its runs; nothing of it waits any more.
    if item.queued > 0 {
        run_list.extend(waiting(&row.spec.tests, &left));
    }
    let tests = row.spec.tests.iter().zip(0..).map(|(test, at)| test_item(test, at)).collect();
    JobDetail { item, tests, run_list }
}

fn test_item(test: &TestSpec, at: u32) -> TestItem {
    TestItem {
        test: at,
        script: test.script.to_string(),
        public: test.public,
        slots_needed: test.slots_needed,
        mode: match &test.mode {
            Mode::SingleProcess => ModeRef::Number(0),
            Mode::DutCoverage => ModeRef::Number(1),
            Mode::TestCoverage => ModeRef::Number(2),
            Mode::Policy(name) => ModeRef::Name(name.to_string()),
        },
        args: test.args.clone(),
    }
}

fn waiting<'a>(tests: &'a [TestSpec], left: &'a [u32]) -> impl Iterator<Item = RunItem> + 'a {
    tests.iter().zip(left).zip(0..).flat_map(|((test, left), at)| {
        (0..*left).map(move |_| RunItem { state: RunState::Queued.code(), ..blank(at, script_of(test)) })
    })
}

fn blank(test: u32, script: String) -> RunItem {
    RunItem {
        run: 0,
        test,
        state: 0,
        result: 0,
        comment: String::new(),
        started: None,
        ended: None,
        script,
        log_url: None,
        slots: Vec::new(),
        attempt: 0,
        why: String::new(),
    }
}

/// `public/samples/x.py`, as the document shows it.
pub(crate) fn script_of(test: &TestSpec) -> String {
    format!("{}/{}", if test.public { "public" } else { "private" }, test.script)
}

fn script_at(tests: &[TestSpec], test: u32) -> String {
    tests.get(test as usize).map(script_of).unwrap_or_default()
}

/// Where the output of a run can be read, below the server's own address.
pub(crate) fn log_url(run: u64) -> String {
    format!("/api/v1/runs/{run}/files")
}

/// Why a run was started, in one sentence.
pub(crate) fn why_text(why: &StartReason) -> String {
    let parts = [chosen_by(&why.chosen_by), why.test.clone(), why.queue.clone()];
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("; ")
}

fn live_run(farm: &Farm, tests: &[TestSpec], run: &RunningView<'_>) -> RunItem {
    let lease = run.lease;
    let slots = lease.targets.iter().map(|target| RunSlot {
        rack: rack_text(farm, lease.rack),
        slot: farm.inventory().slots.get(&target.slot).map_or(0, |place| place.no.0),
        dut: target.dut.0,
        epoch: target.slot_epoch.0,
    });
    let comment = match (run.stopping, run.stalled, run.confirmed) {
        (true, _, _) => "stopping",
        (_, true, _) => "stalled: its rack is not heard of",
        (_, _, true) => "running",
        (_, _, false) => "starting",
    };
    RunItem {
        run: lease.run.0,
        state: RunState::Running.code(),
        comment: comment.to_owned(),
        started: Some(rfc3339(run.leased)),
        log_url: Some(log_url(lease.run.0)),
        slots: slots.collect(),
        attempt: lease.attempt,
        why: why_text(run.why),
        ..blank(run.test.0, script_at(tests, run.test.0))
    }
}

fn ended_run(tests: &[TestSpec], run: &RunRow) -> RunItem {
    let rack = run.rack.as_ref().map(ToString::to_string).unwrap_or_default();
    let slots = run.places.iter().map(|place| RunSlot {
        rack: rack.clone(),
        slot: place.slot.0,
        dut: place.dut.0,
        epoch: place.slot_epoch,
    });
    RunItem {
        run: run.run.0,
        state: RunState::Ended.code(),
        result: run.outcome.code(),
        comment: run.outcome.to_string(),
        started: time(run.leased),
        ended: Some(rfc3339(run.ended)),
        log_url: run.rack.as_ref().map(|_| log_url(run.run.0)),
        slots: slots.collect(),
        attempt: run.attempt,
        why: run.why.as_ref().map(why_text).unwrap_or_default(),
        ..blank(run.test.0, script_at(tests, run.test.0))
    }
}

/// What the farm knows of all open jobs.
pub(crate) fn live_of_all(farm: &Farm) -> BTreeMap<JobId, Live> {
    farm.open_jobs().map(|view| (view.job, Live::brief(&view))).collect()
}

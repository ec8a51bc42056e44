//! The runs of a job, a page at a time.
//!
//! A job's runs have numbers that follow each other, those of its first test first. Which numbers a page has is therefore
//! known before any run is looked at, and a page costs what is on it, however large the job.

use std::collections::BTreeMap;
use std::ops::Range;

use headend_model::{RunId, RunState, TestSpec};
use headend_scheduler::Farm;
use headend_scheduler::action::StartReason;
use headend_scheduler::view::{JobView, RunningView};
use headend_store::{JobRow, RunRow};
use headend_wire::api::{RunItem, RunList, RunSlot};

use super::jobs::script_of;
use super::{chosen_by, rack_text, time};
use crate::clock::rfc3339;
use crate::farm_loop::runs_of;

/// The part of a job's runs that was asked for.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Page {
    /// Only runs after this one.
    pub(crate) after: Option<u64>,
    /// At most so many.
    pub(crate) limit: u32,
}

impl Page {
    /// Numbers on this page of a job whose runs have these.
    fn numbers(self, all: &Range<u64>) -> Range<u64> {
        let first = self.after.map_or(all.start, |run| run.saturating_add(1).clamp(all.start, all.end));
        first..first.saturating_add(u64::from(self.limit)).min(all.end)
    }

    /// What to give as `after` for the next page, if there is one.
    pub(crate) fn next(self, row: &JobRow) -> Option<u64> {
        let all = all(row.first_run, &row.spec.tests);
        let end = self.numbers(&all).end;
        (end < all.end).then(|| end.saturating_sub(1))
    }

    /// The run before the page: what the store is to look after.
    pub(crate) fn before(self, row: &JobRow) -> Option<RunId> {
        self.numbers(&all(row.first_run, &row.spec.tests)).start.checked_sub(1).map(RunId)
    }

    /// Runs under way that are on this page.
    pub(crate) fn running<'a>(self, view: &'a JobView<'_>) -> impl Iterator<Item = &'a RunningView<'a>> {
        let numbers = self.numbers(&all(view.first_run, &view.spec.tests));
        view.running.iter().filter(move |run| numbers.contains(&run.lease.run.0))
    }
}

/// Numbers of all runs of a job.
fn all(first: RunId, tests: &[TestSpec]) -> Range<u64> {
    let runs = tests.iter().map(runs_of).fold(0, u32::saturating_add);
    first.0..first.0.saturating_add(u64::from(runs))
}

/// Runs under way that are on this page, as people see them.
pub(crate) fn live(farm: &Farm, view: &JobView<'_>, page: Page) -> Vec<RunItem> {
    page.running(view).map(|run| live_run(farm, &view.spec.tests, run)).collect()
}

/// A page of runs. `live` was looked at before `ended` was read, so a run may be in both: it has ended. What is in
/// neither waits, if `waits` says that anything of the job does.
pub(crate) fn list(row: &JobRow, page: Page, live: Vec<RunItem>, ended: &[RunRow], waits: bool) -> RunList {
    let numbers = page.numbers(&all(row.first_run, &row.spec.tests));
    let mut known: BTreeMap<u64, RunItem> = live.into_iter().map(|item| (item.run, item)).collect();
    known.extend(ended.iter().map(|run| (run.run.0, ended_run(&row.spec.tests, run))));
    let mut tests = test_of_each(row, &numbers);
    let runs = numbers.filter_map(|number| {
        let test = tests.next();
        known.remove(&number).or_else(|| test.filter(|_| waits).map(|(at, test)| waiting(at, test)))
    });
    RunList { runs: runs.collect(), next: page.next(row) }
}

/// The tests that the runs with these numbers are of, one for each number.
fn test_of_each<'a>(row: &'a JobRow, numbers: &Range<u64>) -> impl Iterator<Item = (u32, &'a TestSpec)> + use<'a> {
    let mut skip = numbers.start.saturating_sub(row.first_run.0);
    row.spec.tests.iter().zip(0..).flat_map(move |(test, at)| {
        let runs = u64::from(runs_of(test));
        let skipped = skip.min(runs);
        skip -= skipped;
        std::iter::repeat_n((at, test), (runs - skipped) as usize)
    })
}

fn waiting(at: u32, test: &TestSpec) -> RunItem {
    RunItem { state: RunState::Queued.code(), ..blank(at, script_of(test)) }
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

#[cfg(test)]
mod tests {
    use super::Page;

    #[test]
    fn pages_follow_each_other_without_a_gap() {
        let all = 5..12;
        let numbers = |after, limit| Page { after, limit }.numbers(&all);
        assert_eq!(numbers(None, 3), 5..8);
        assert_eq!(numbers(Some(7), 3), 8..11);
        assert_eq!(numbers(Some(10), 3), 11..12);
        assert_eq!(numbers(Some(11), 3), 12..12);
        // Whatever is given stays inside of the job.
        assert_eq!(numbers(Some(0), 3), 5..8);
        assert_eq!(numbers(Some(u64::MAX), u32::MAX), 12..12);
        assert_eq!(numbers(None, 0), 5..5);
    }
}

//! Schedules in the API's words.

use headend_model::schedule::{AtWindowEnd, Date, WhileFormerRuns};
use headend_model::{ScheduleId, Target, Timestamp};
use headend_scheduler::Farm;
use headend_scheduler::schedule::{ScheduleView, ScheduledTestView};
use headend_store::OccurrenceRow;
use headend_wire::api::SlotRef;
use headend_wire::schedules::{
    ActiveOccurrence, ComingList, ComingWindow, OccurrenceItem, ScheduleDetail, ScheduleItem, ScheduleTiming,
    ScheduledTestItem, WaitingOccurrence,
};
use jiff::tz::TimeZone;

use super::zones;
use crate::clock::rfc3339;
use crate::show::{self, jobs, time};

/// A schedule.
pub(crate) fn item(farm: &Farm, view: &ScheduleView<'_>) -> ScheduleItem {
    let zone = zones::of_farm(farm, view.zone);
    let targets = farm.schedule_targets(view.schedule).map_or(0, <[Target]>::len);
    let tests = farm.schedule_tests(view.schedule).map_or(0, |tests| tests.len());
    let active = view.active.as_ref().map(|active| ActiveOccurrence {
        occurrence: active.occurrence.0,
        began: rfc3339(active.began),
        window_end: time(active.window_end),
        paused: active.paused,
        jobs: active.jobs.iter().map(|job| job.0).collect(),
    });
    let waiting = view.pending.as_ref();
    let waiting = waiting.map(|(no, why)| WaitingOccurrence { occurrence: no.0, why: why.to_string() });
    ScheduleItem {
        schedule: view.schedule.0,
        name: view.name.to_string(),
        owner: view.owner.to_string(),
        created: rfc3339(view.created),
        timing: timing(view),
        at_window_end: at_window_end(view.settings.at_window_end).to_owned(),
        while_former_runs: while_former_runs(view.settings.while_former_runs).to_owned(),
        revision: view.revision,
        first: time(view.combined_start),
        last: time(view.combined_end),
        next: time(view.next),
        next_local: view.next.map(|next| local(&zone, next)),
        targets: targets as u64,
        tests: tests as u64,
        active,
        waiting,
    }
}

fn timing(view: &ScheduleView<'_>) -> ScheduleTiming {
    let spec = view.timing.spec();
    ScheduleTiming {
        r#type: spec.kind.to_string(),
        start_date: spec.start_date.to_string(),
        end_date: spec.end_date.map(|date| date.to_string()),
        start_time: spec.start_time.to_string(),
        end_time: spec.end_time.to_string(),
        repeat_count: spec.repeat_count.into(),
        repeat_rate: spec.repeat_rate.into(),
        repeat_days: spec.repeat_days.iter().map(|day| day.name().to_owned()).collect(),
        time_zone: Some(view.zone.to_string()),
    }
}

const fn at_window_end(setting: AtWindowEnd) -> &'static str {
    match setting {
        AtWindowEnd::Wait => "wait",
        AtWindowEnd::End => "end",
    }
}

const fn while_former_runs(setting: WhileFormerRuns) -> &'static str {
    match setting {
        WhileFormerRuns::Queue => "queue",
        WhileFormerRuns::Skip => "skip",
    }
}

/// `2026-11-23 10:00:00+01:00`.
fn local(zone: &TimeZone, at: Timestamp) -> String {
    let at = jiff::Timestamp::from_microsecond(at.micros());
    at.map_or_else(
        |error| error.to_string(),
        |at| at.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M:%S%:z").to_string(),
    )
}

/// A schedule with what is on it.
pub(crate) fn detail(farm: &Farm, view: &ScheduleView<'_>) -> ScheduleDetail {
    let targets = farm.schedule_targets(view.schedule).unwrap_or_default();
    let duts = targets.iter().filter_map(|target| match target {
        Target::Dut(dut) => Some(dut.0),
        Target::Slot(_) => None,
    });
    let tests = farm.schedule_tests(view.schedule).unwrap_or_default();
    ScheduleDetail {
        item: item(farm, view),
        slots: slots(farm, view.schedule),
        duts: duts.collect(),
        test_list: tests.iter().map(|entry| test(view, entry)).collect(),
        parameters: view.policy_parameters.iter().map(|(name, text)| (name.to_string(), parsed(text))).collect(),
    }
}

/// It was an object when it was kept.
pub(super) fn parsed(text: &str) -> serde_json::Value {
    serde_json::from_str(text).unwrap_or_default()
}

/// The slots on a schedule.
pub(crate) fn slots(farm: &Farm, schedule: ScheduleId) -> Vec<SlotRef> {
    let targets = farm.schedule_targets(schedule).unwrap_or_default().iter();
    let slots = targets.filter_map(|target| match target {
        Target::Slot(slot) => farm.inventory().slots.get(slot),
        Target::Dut(_) => None,
    });
    slots.map(|place| SlotRef { rack: show::rack_text(farm, place.rack), slot: place.no.0 }).collect()
}

fn test(schedule: &ScheduleView<'_>, entry: &ScheduledTestView<'_>) -> ScheduledTestItem {
    let spec = &entry.spec.test;
    ScheduledTestItem {
        test: entry.test.0,
        script: script(schedule, entry),
        public: spec.public,
        slots_needed: spec.slots_needed,
        priority: entry.spec.priority.0,
        mode: jobs::mode(&spec.mode),
        args: spec.args.clone(),
        time_limit_s: spec.time_limit.and_then(|limit| u64::try_from(limit.as_micros() / 1_000_000).ok()),
        status: entry.status.to_string(),
        loops_completed: entry.loops_completed,
        by: entry.by.to_string(),
        created: rfc3339(entry.created),
        last_start: time(entry.last_start),
        last_end: time(entry.last_end),
        last_job: entry.last_job.map(|job| job.0),
    }
}

/// `public/a.py`, or `ann/a.py` in ann's own area.
pub(crate) fn script(schedule: &ScheduleView<'_>, entry: &ScheduledTestView<'_>) -> String {
    let area = if entry.spec.test.public { "public" } else { schedule.owner.as_str() };
    format!("{area}/{}", entry.spec.test.script)
}

/// The windows that come.
pub(crate) fn coming(farm: &Farm, view: &ScheduleView<'_>, most: usize) -> ComingList {
    let zone = zones::of_farm(farm, view.zone);
    let windows = farm.coming(view.schedule, most).unwrap_or_default().into_iter().map(|window| ComingWindow {
        starts: rfc3339(window.start),
        starts_local: local(&zone, window.start),
        ends: time(window.end),
        ends_local: window.end.map(|end| local(&zone, end)),
    });
    ComingList { schedule: view.schedule.0, time_zone: view.zone.to_string(), coming: windows.collect() }
}

/// What became of an occurrence.
pub(crate) fn occurrence(zone: &TimeZone, record: &OccurrenceRow) -> OccurrenceItem {
    OccurrenceItem {
        first: record.first.0,
        last: record.last.0,
        planned: rfc3339(record.planned),
        planned_local: local(zone, record.planned),
        planned_last: rfc3339(record.planned_last),
        window_end: time(record.window_end),
        fate: record.fate.clone(),
        reason: record.reason.clone(),
        began: time(record.began),
        ended: rfc3339(record.ended),
        jobs: record.jobs.iter().map(|job| job.0).collect(),
    }
}

/// The last date on which the schedule opens, given or counted; none: it has no end.
pub(crate) fn end_date(farm: &Farm, view: &ScheduleView<'_>) -> Option<Date> {
    let spec = view.timing.spec();
    if spec.end_date.is_some() {
        return spec.end_date;
    }
    let last = zones::wall(&zones::of_farm(farm, view.zone), view.combined_end?).date();
    // A window over midnight ends on the day after the one on which it opened.
    let over_midnight = !spec.kind.is_period() && spec.end_time <= spec.start_time;
    let opened = if over_midnight { last.yesterday().ok()? } else { last };
    let number = |number: i8| u8::try_from(number).ok();
    Date::new(u16::try_from(opened.year()).ok()?, number(opened.month())?, number(opened.day())?).ok()
}

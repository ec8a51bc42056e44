//! Schedules as people read them. Times are those of the schedule's zone unless the heading says otherwise.

use comfy_table::Color;
use headend_wire::api::ModeRef;
use headend_wire::schedules::{ComingList, PastList, ScheduleDetail, ScheduleItem, ScheduleList, ScheduleTiming};

use super::Context;
use crate::targets;
use crate::ui::{self, cell, plain, verdict, when, when_or_dash};

pub(super) fn list(context: &Context, list: &ScheduleList) -> String {
    let mut table =
        context.ui.table(&["SCHEDULE", "NAME", "OWNER", "DUE", "ZONE", "TARGETS", "TESTS", "NEXT", "STATE"]);
    for schedule in &list.schedules {
        table.add_row([
            cell(&schedule.schedule.to_string()),
            cell(&schedule.name),
            cell(&schedule.owner),
            cell(&due(&schedule.timing)),
            cell(schedule.timing.time_zone.as_deref().unwrap_or("-")),
            cell(&schedule.targets.to_string()),
            cell(&schedule.tests.to_string()),
            cell(schedule.next_local.as_deref().unwrap_or("-")),
            cell(&state(schedule)),
        ]);
    }
    ui::text(&table)
}

/// `Weekly Wed, Fri 10:00:00-20:00:00, every 3`.
fn due(timing: &ScheduleTiming) -> String {
    let mut text = timing.r#type.clone();
    if !timing.repeat_days.is_empty() {
        text = format!("{text} {}", timing.repeat_days.join(", "));
    }
    text = format!("{text} {}-{}", timing.start_time, timing.end_time);
    if timing.repeat_rate > 1 {
        text = format!("{text}, every {}", timing.repeat_rate);
    }
    if timing.repeat_count > 0 {
        text = format!("{text}, {} times", timing.repeat_count);
    }
    text
}

fn state(schedule: &ScheduleItem) -> String {
    if let Some(active) = &schedule.active {
        let jobs = active.jobs.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        let paused = if active.paused { "waits for the next window" } else { "under way" };
        let jobs = if jobs.is_empty() { String::new() } else { format!(", jobs {jobs}") };
        return format!("occurrence {} {paused}{jobs}", active.occurrence);
    }
    match &schedule.waiting {
        Some(waiting) => format!("occurrence {} has not begun: {}", waiting.occurrence, waiting.why),
        None => "-".to_owned(),
    }
}

pub(super) fn detail(context: &Context, detail: &ScheduleDetail) -> String {
    let ScheduleDetail { item, slots, duts, test_list, parameters } = detail;
    let timing = &item.timing;
    let targets = slots.iter().map(targets::show).chain(duts.iter().map(|dut| format!("DUT {dut}")));
    let targets = targets.collect::<Vec<_>>().join(", ");
    let end = timing.end_date.as_ref().map_or_else(|| "on, without end".to_owned(), |end| format!("to {end}"));
    let lines = [
        format!("schedule {} {} of {}", item.schedule, plain(&item.name), plain(&item.owner)),
        format!("due       {}", plain(&due(timing))),
        format!("dates     from {} {}", plain(&timing.start_date), plain(&end)),
        format!("zone      {}", plain(timing.time_zone.as_deref().unwrap_or("-"))),
        format!("next      {}", plain(item.next_local.as_deref().unwrap_or("nothing comes any more"))),
        format!(
            "edges     at the window's end: {}; while the former runs: {}",
            item.at_window_end, item.while_former_runs
        ),
        format!("state     {}", plain(&state(item))),
        format!("targets   {}", plain(if targets.is_empty() { "none; see `headend schedule add`" } else { &targets })),
    ];
    let asked = parameters
        .iter()
        .map(|(policy, asked)| format!("asks      of {}: {}", plain(policy), plain(&asked.to_string())));
    let head = lines.into_iter().chain(asked).collect::<Vec<_>>().join("\n");
    if test_list.is_empty() {
        return format!("{head}\ntests     none; see `headend schedule add-test`");
    }
    format!("{head}\n\n{}", tests(context, detail))
}

fn tests(context: &Context, detail: &ScheduleDetail) -> String {
    let heads = ["TEST", "SCRIPT", "PRIO", "SLOTS", "MODE", "ARGS", "STATUS", "LOOPS", "LAST START (HERE)", "LAST JOB"];
    let mut table = context.ui.table(&heads);
    for test in &detail.test_list {
        let mode = match &test.mode {
            ModeRef::Number(number) => number.to_string(),
            ModeRef::Name(name) => name.clone(),
        };
        table.add_row([
            cell(&test.test.to_string()),
            cell(&test.script),
            cell(&test.priority.to_string()),
            cell(&test.slots_needed.to_string()),
            cell(&mode),
            cell(&test.args.join(" ")),
            cell(&test.status),
            cell(&test.loops_completed.to_string()),
            cell(&when_or_dash(test.last_start.as_ref())),
            cell(&test.last_job.map_or_else(|| "-".to_owned(), |job| job.to_string())),
        ]);
    }
    ui::text(&table)
}

pub(super) fn coming(context: &Context, list: &ComingList) -> String {
    let mut table = context.ui.table(&["STARTS", "ENDS", "ZONE", "STARTS HERE"]);
    for window in &list.coming {
        table.add_row([
            cell(&window.starts_local),
            cell(window.ends_local.as_deref().unwrap_or("never")),
            cell(&list.time_zone),
            cell(&when(&window.starts)),
        ]);
    }
    ui::text(&table)
}

pub(super) fn past(context: &Context, list: &PastList) -> String {
    let mut table = context.ui.table(&["OCCURRENCE", "PLANNED", "FATE", "BEGAN (HERE)", "ENDED (HERE)", "JOBS", "WHY"]);
    for record in &list.past {
        let number = if record.first == record.last {
            record.first.to_string()
        } else {
            format!("{}-{}", record.first, record.last)
        };
        let color = match record.fate.as_str() {
            "ran" => Color::Green,
            "late" => Color::Yellow,
            _ => Color::Red,
        };
        let jobs = record.jobs.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        table.add_row([
            cell(&number),
            cell(&record.planned_local),
            verdict(&record.fate, color),
            cell(&when_or_dash(record.began.as_ref())),
            cell(&when(&record.ended)),
            cell(if jobs.is_empty() { "-" } else { &jobs }),
            cell(record.reason.as_deref().unwrap_or("")),
        ]);
    }
    let older = list.next.map(|next| format!("\n\nthere are older ones: --before {next}")).unwrap_or_default();
    format!("{}{older}", ui::text(&table))
}

//! `headend status JOB`: the table of its runs.

use comfy_table::{Cell, Color};
use headend_wire::api::{JobDetail, RunItem, RunSlot};

use super::{Context, jobs, runs};
use crate::failure::Result;
use crate::ui::{self, cell, plain, verdict, when_or_dash};

/// Shows a job and all its runs.
pub(crate) async fn run(context: &Context, job: u64) -> Result<()> {
    let detail = runs::whole(context, job).await?;
    context.ui.show(&detail, |detail| format!("{}\n\n{}", head(detail), table(context, detail)))
}

/// Two lines about the job.
pub(crate) fn head(detail: &JobDetail) -> String {
    let job = &detail.item;
    format!(
        "job {} \"{}\" of {}, priority {}: {}\n{}",
        job.job,
        plain(&job.name),
        plain(&job.owner),
        job.priority,
        jobs::status(job),
        tally(detail)
    )
}

/// `16 runs: 12 passed, 1 failed, 3 waiting`.
pub(crate) fn tally(detail: &JobDetail) -> String {
    let job = &detail.item;
    let parts = [
        (job.passed, "passed"),
        (job.failed, "failed"),
        (job.incomplete, "incomplete"),
        (job.running, "running"),
        (job.queued, "waiting"),
    ];
    let parts: Vec<_> = parts.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} {what}")).collect();
    format!("{}: {}", ui::count(u64::from(job.runs), "run"), parts.join(", "))
}

fn table(context: &Context, detail: &JobDetail) -> String {
    let mut table = context.ui.table(&["RUN", "TEST", "SCRIPT", "WHERE", "RESULT", "STARTED", "ENDED", "COMMENT"]);
    for run in &detail.run_list {
        table.add_row([
            cell(&number(run.run)),
            cell(&run.test.to_string()),
            cell(&run.script),
            cell(&places(&run.slots)),
            result_cell(run),
            cell(&when_or_dash(run.started.as_ref())),
            cell(&when_or_dash(run.ended.as_ref())),
            cell(&run.comment),
        ]);
    }
    ui::text(&table)
}

fn number(run: u64) -> String {
    if run == 0 { "-".to_owned() } else { run.to_string() }
}

/// `rack1/4 (DUT 17)`, several joined by commas.
pub(crate) fn places(slots: &[RunSlot]) -> String {
    if slots.is_empty() {
        return "-".to_owned();
    }
    slots.iter().map(|at| format!("{}/{} (DUT {})", plain(&at.rack), at.slot, at.dut)).collect::<Vec<_>>().join(", ")
}

fn result_cell(run: &RunItem) -> Cell {
    let color = match (run.state, run.result) {
        (0, 111 | 110) => Color::Green,
        (0, 100) => Color::Red,
        (0, _) => Color::Yellow,
        _ => Color::Reset,
    };
    verdict(result(run), color)
}

/// How a run stands, in a word or two.
pub(crate) const fn result(run: &RunItem) -> &'static str {
    match (run.state, run.result) {
        (2, _) => "waiting",
        (1, _) => "running",
        (_, 111) => "PASS",
        (_, 110) => "PARTIAL PASS",
        (_, 101) => "NOT RUN",
        (_, 100) => "FAIL",
        _ => "INCOMPLETE",
    }
}

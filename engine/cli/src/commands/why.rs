//! `headend why JOB`: why each run started there and then, and what stands in the way of those that wait.

use std::fmt::Write;

use headend_wire::api::{JobReport, PolicyReport, WhyAnswer, WhyStarted, WhyWaiting};
use headend_wire::whatif::ChangeAnswer;
use serde::Serialize;

use super::{Context, why_not};
use crate::failure::Result;
use crate::ui::{count, plain};

/// Shows the reasons.
pub(crate) async fn run(context: &Context, job: u64) -> Result<()> {
    let mut answer: WhyAnswer = context.client.get(&format!("/jobs/{job}/why")).await?;
    while let Some(after) = answer.next {
        let more: WhyAnswer = context.client.get(&format!("/jobs/{job}/why?after={after}")).await?;
        answer.started.extend(more.started);
        answer.next = more.next;
    }
    while let Some(from) = answer.waiting_next {
        let more: WhyAnswer = context.client.get(&format!("/jobs/{job}/why?limit=1&waiting_from={from}")).await?;
        answer.waiting.extend(more.waiting);
        answer.waiting_next = more.waiting_next;
    }
    let told: JobReport = context.client.get(&format!("/jobs/{job}/report")).await?;
    // An older server cannot tell.
    let change = if answer.waiting.is_empty() { None } else { why_not::change(context, job).await.ok() };
    context.ui.show(&Shown { why: answer, reports: told.reports, change }, text)
}

/// The reasons, and what the job's coverage policies say has come of it.
#[derive(Serialize)]
struct Shown {
    #[serde(flatten)]
    why: WhyAnswer,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    reports: Vec<PolicyReport>,
    /// The smallest one that would start something of the job now.
    #[serde(skip_serializing_if = "Option::is_none")]
    change: Option<ChangeAnswer>,
}

fn text(Shown { why: answer, reports, change }: &Shown) -> String {
    let mut out = format!("job {}: {}", answer.job, plain(&answer.status_text));
    for canary in &answer.canaries {
        write!(out, "\n{}", plain(&canary.text)).ok();
    }
    if !answer.started.is_empty() {
        out.push_str("\n\nStarted");
        answer.started.iter().for_each(|run| started(&mut out, run));
    }
    if !answer.waiting.is_empty() {
        out.push_str("\n\nWaiting");
        if let Some(queue) = &answer.queue {
            write!(out, "\n  {}", plain(&queue.text)).ok();
        }
        answer.waiting.iter().for_each(|test| waiting(&mut out, test));
    }
    if let Some(change) = change {
        write!(out, "\n\nSmallest change that would start it now\n  {}", why_not::change_text(change)).ok();
    }
    for told in reports {
        report(&mut out, told);
    }
    out
}

fn report(out: &mut String, told: &PolicyReport) {
    write!(out, "\n\nReport of {}", plain(&told.policy)).ok();
    if let Some(fault) = &told.fault {
        write!(out, "\n  there is none: {}", plain(fault)).ok();
        return;
    }
    let text = serde_json::to_string_pretty(&told.report).unwrap_or_else(|_| told.report.to_string());
    for line in text.lines() {
        write!(out, "\n  {}", plain(line)).ok();
    }
}

// Writing to a string cannot fail, here and below.
fn started(out: &mut String, run: &WhyStarted) {
    write!(out, "\n  run {}: {} on {}", run.run, plain(&run.script), plain(&run.place)).ok();
    write!(out, "\n      chosen by {}: {}", plain(&run.chosen_by), plain(&run.reason)).ok();
}

fn waiting(out: &mut String, test: &WhyWaiting) {
    // An older server does not number them.
    let next = if test.next_run == 0 { String::new() } else { format!(", the next is run {}", test.next_run) };
    write!(out, "\n  {} ({}{next})", plain(&test.script), count(u64::from(test.runs), "run")).ok();
    if test.at.is_empty() {
        out.push_str("\n      no target is left that could take it");
    }
    for at in &test.at {
        write!(out, "\n      {}: {} [{}]", plain(&at.target), plain(&at.reason), plain(&at.code)).ok();
    }
    let more = u64::from(test.targets).saturating_sub(test.at.len() as u64);
    if more > 0 {
        write!(out, "\n      and {} more that could take it", count(more, "target")).ok();
    }
}

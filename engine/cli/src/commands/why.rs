//! `headend why JOB`: why each run started there and then, and what stands in the way of those that wait.

use std::fmt::Write;

use headend_wire::api::{WhyAnswer, WhyStarted, WhyWaiting};

use super::Context;
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
    context.ui.show(&answer, text)
}

fn text(answer: &WhyAnswer) -> String {
    let mut out = format!("job {}: {}", answer.job, plain(&answer.status_text));
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
    out
}

// Writing to a string cannot fail, here and below.
fn started(out: &mut String, run: &WhyStarted) {
    write!(out, "\n  run {}: {} on {}", run.run, plain(&run.script), plain(&run.place)).ok();
    write!(out, "\n      chosen by {}: {}", plain(&run.chosen_by), plain(&run.reason)).ok();
}

fn waiting(out: &mut String, test: &WhyWaiting) {
    write!(out, "\n  {} ({})", plain(&test.script), count(u64::from(test.runs), "run")).ok();
    if test.at.is_empty() {
        out.push_str("\n      no target is left that could take it");
    }
    for at in &test.at {
        write!(out, "\n      {}: {} [{}]", plain(&at.target), plain(&at.reason), plain(&at.code)).ok();
    }
}

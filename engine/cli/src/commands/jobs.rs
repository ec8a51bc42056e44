//! `headend jobs` and `headend kill`.

use headend_wire::api::{JobItem, JobList, KillAnswer};

use super::Context;
use crate::failure::Result;
use crate::ui::{self, cell, plain, when};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Ended jobs too.
    #[arg(short, long)]
    all: bool,
    /// At most so many, newest first.
    #[arg(long, value_name = "N", default_value_t = 50)]
    limit: u32,
    /// Only jobs before this one: the next page.
    #[arg(long, value_name = "JOB")]
    before: Option<u64>,
}

/// Lists jobs, newest first.
pub(crate) async fn list(context: &Context, args: &Args) -> Result<()> {
    let state = if args.all { "all" } else { "open" };
    let mut path = format!("/jobs?state={state}&limit={}", args.limit);
    if let Some(before) = args.before {
        path = format!("{path}&before={before}");
    }
    let list: JobList = context.client.get(&path).await?;
    if list.jobs.is_empty() && !context.ui.json {
        context.ui.say(if args.all { "no jobs" } else { "no open jobs; `headend jobs --all` shows those that ended" });
        return Ok(());
    }
    context.ui.show(&list, |list| table(context, list))?;
    if let Some(next) = list.next {
        context.ui.say(&format!("more: headend jobs --before {next}{}", if args.all { " --all" } else { "" }));
    }
    Ok(())
}

fn table(context: &Context, list: &JobList) -> String {
    let mut table =
        context.ui.table(&["JOB", "NAME", "OWNER", "PRIO", "STATUS", "RUNS", "PASSED", "FAILED", "OTHER", "ACCEPTED"]);
    for job in &list.jobs {
        table.add_row([
            cell(&job.job.to_string()),
            cell(&job.name),
            cell(&job.owner),
            cell(&job.priority.to_string()),
            cell(&status(job)),
            cell(&job.runs.to_string()),
            cell(&job.passed.to_string()),
            cell(&job.failed.to_string()),
            cell(&job.incomplete.to_string()),
            cell(&when(&job.accepted)),
        ]);
    }
    ui::text(&table)
}

/// Status in words, with what has been asked for.
pub(crate) fn status(job: &JobItem) -> String {
    let asked = if job.stop_requested { ", stop requested" } else { "" };
    format!("{}{asked}", plain(&job.status_text))
}

/// Asks to stop jobs: all of them, whatever becomes of one. The first failure is the command's.
pub(crate) async fn kill(context: &Context, jobs: &[u64]) -> Result<()> {
    let mut result = Ok(());
    for job in jobs {
        let stopped = kill_one(context, *job).await;
        match (&result, stopped) {
            (Ok(()), stopped) => result = stopped,
            (Err(_), Err(failure)) => context.ui.say(&format!("job {job}: {failure}")),
            (Err(_), Ok(())) => {}
        }
    }
    result
}

async fn kill_one(context: &Context, job: u64) -> Result<()> {
    let answer: KillAnswer = context.client.post(&format!("/jobs/{job}/kill"), &serde_json::json!({})).await?;
    context.ui.show(&answer, |answer| format!("job {}: {}", answer.job, plain(&answer.status_text)))
}

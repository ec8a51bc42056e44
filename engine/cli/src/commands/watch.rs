//! `headend watch JOB`: follows a job to its end.
//!
//! Events wake; the job itself, asked for after each wake and every few seconds, is the truth. So a lost event or a
//! server that is restarted costs a moment, not the picture.

use std::collections::BTreeMap;
use std::time::Duration;

use headend_wire::api::{JobDetail, RunItem, ServerInfo};
use indicatif::{ProgressBar, ProgressStyle};
use tokio::time::Instant;

use super::runs::{self, Follower};
use super::{Context, status};
use crate::events::Events;
use crate::exit::Exit;
use crate::failure::{Failure, Result};
use crate::ui::plain;

/// Longest time without asking, whatever events say.
const POLL: Duration = Duration::from_secs(2);
/// Shortest time between two questions: a burst of events costs one.
const PACE: Duration = Duration::from_millis(100);
/// How long a server may be away before we give up.
const PATIENCE: Duration = Duration::from_mins(1);

/// Follows the job; `limit` bounds the wait, `lively` shows what happens on the way. The exit code tells how it ended.
pub(crate) async fn follow(context: &Context, job: u64, limit: Option<Duration>, lively: bool) -> Result<()> {
    let watching = watch(context, job, lively);
    let detail = match limit {
        None => watching.await?,
        Some(limit) => tokio::time::timeout(limit, watching).await.map_err(|_| timed_out(job, limit))??,
    };
    if context.ui.json {
        context.ui.print_json_line(&serde_json::json!({ "event": "job_ended", "job": &detail }))?;
    } else {
        context.ui.print(&status::head(&detail))?;
    }
    match exit_of(&detail) {
        Exit::Ok => Ok(()),
        other => Err(Failure::silent(other)),
    }
}

fn timed_out(job: u64, limit: Duration) -> Failure {
    Failure::new(Exit::TimedOut, "timed_out", format!("job {job} has not ended within {} s", limit.as_secs()))
        .help(format!("it goes on; `headend watch {job}` follows it, `headend kill {job}` stops it"))
}

/// What the exit code says of a job that has ended.
fn exit_of(detail: &JobDetail) -> Exit {
    match detail.item.status {
        5..=7 => Exit::CouldNotRun,
        2 if detail.item.passed == detail.item.runs => Exit::Ok,
        _ => Exit::Failed,
    }
}

async fn watch(context: &Context, job: u64, lively: bool) -> Result<JobDetail> {
    // Before the first look at the job: whatever happens after it is an event that we see.
    let info: ServerInfo = context.client.get("/server").await?;
    let mut events = Events::new(context.client.clone(), job, Some(info.event));
    let mut follower = Follower::new(job);
    let mut detail: JobDetail = context.client.get(&format!("/jobs/{job}")).await?;
    let mut shown = Shown::new(context, &detail, lively);
    loop {
        let is_final = is_final(&detail);
        if is_final {
            // Whatever was missed on the way is told now.
            follower.touch_all();
        }
        let later = if lively { follow_later(context, &mut follower, &detail).await? } else { Vec::new() };
        shown.update(context, &detail, &later)?;
        if is_final {
            shown.bar.finish_and_clear();
            if context.ui.json {
                detail = runs::whole(context, job).await?;
            }
            return Ok(detail);
        }
        wait(&mut events, &mut follower, job).await;
        detail = look(context, job).await?;
    }
}

/// Runs on later pages than the first that may have changed.
async fn follow_later(context: &Context, follower: &mut Follower, detail: &JobDetail) -> Result<Vec<RunItem>> {
    let began = Instant::now();
    loop {
        match follower.read(context, detail).await {
            Err(failure) if failure.exit() == Exit::Unavailable && began.elapsed() < PATIENCE => {
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            other => return other,
        }
    }
}

fn is_final(detail: &JobDetail) -> bool {
    !matches!(detail.item.status, 0 | 1 | 4) && detail.item.queued == 0 && detail.item.running == 0
}

/// Until an event about the job, or until it is time to look anyway.
async fn wait(events: &mut Events, follower: &mut Follower, job: u64) {
    let pace = Instant::now() + PACE;
    let mut wanted = false;
    // What comes in a burst is taken together; a quiet time ends with the first event, or by itself.
    loop {
        let until = if wanted { pace } else { pace + POLL };
        let Ok(event) = tokio::time::timeout_at(until, events.next()).await else { return };
        wanted |= event.job == Some(job);
        event.run.into_iter().for_each(|run| follower.touch(run));
        if wanted && Instant::now() >= pace {
            return;
        }
    }
}

/// The job, with patience for a server that is being restarted.
async fn look(context: &Context, job: u64) -> Result<JobDetail> {
    let began = Instant::now();
    loop {
        match context.client.get(&format!("/jobs/{job}")).await {
            Err(failure) if failure.exit() == Exit::Unavailable && began.elapsed() < PATIENCE => {
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            other => return other,
        }
    }
}

/// What the user has seen.
struct Shown {
    bar: ProgressBar,
    lively: bool,
    runs: BTreeMap<u64, u8>,
}

impl Shown {
    fn new(context: &Context, detail: &JobDetail, lively: bool) -> Self {
        let bar =
            if context.ui.has_bars() { ProgressBar::new(u64::from(detail.item.runs)) } else { ProgressBar::hidden() };
        // A template of ours is either right or a fault that a test finds; the default style is no harm.
        if let Ok(style) = ProgressStyle::with_template("{bar:30.green} {pos}/{len} runs, {elapsed}, {msg}") {
            bar.set_style(style);
        }
        if context.ui.has_bars() {
            bar.enable_steady_tick(Duration::from_millis(500));
        }
        Self { bar, lively, runs: BTreeMap::new() }
    }

    fn update(&mut self, context: &Context, detail: &JobDetail, later: &[RunItem]) -> Result<()> {
        let all = detail.run_list.iter().chain(later);
        let mut changed: Vec<_> = all.filter(|run| run.run > 0 && run.state < 2).collect();
        changed.sort_by_key(|run| (run.state, run.ended.clone()));
        for run in changed {
            if self.runs.insert(run.run, run.state) != Some(run.state) && self.lively {
                self.tell(context, run)?;
            }
        }
        let item = &detail.item;
        self.bar.set_position(u64::from(item.passed + item.failed + item.incomplete));
        self.bar.set_message(status::tally(detail));
        Ok(())
    }

    fn tell(&self, context: &Context, run: &RunItem) -> Result<()> {
        if context.ui.json {
            let event = if run.state == 0 { "run_ended" } else { "run_started" };
            return context.ui.print_json_line(&serde_json::json!({ "event": event, "run": run }));
        }
        let line = line(run);
        if self.bar.is_hidden() { context.ui.print(&line) } else { self.bar.suspend(|| context.ui.print(&line)) }
    }
}

fn line(run: &RunItem) -> String {
    let place = status::places(&run.slots);
    let script = plain(&run.script);
    if run.state == 1 {
        return format!("run {:<4} running       {script} on {place}", run.run);
    }
    let comment = if run.result == 111 { String::new() } else { format!(": {}", plain(&run.comment)) };
    format!("run {:<4} {:<13} {script} on {place}{comment}", run.run, status::result(run))
}

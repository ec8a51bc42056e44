//! What is kept of runs, and for how long: video goes first, then logs and captures, then numbers.
//!
//! [`decide`] says what goes (pure); here it is done in portions: the rows say so first (one transaction), then the files go.
//! Runs under way and runs that somebody has pinned are left alone.

mod decide;
mod settings;

use std::collections::BTreeSet;
use std::time::Instant;

use headend_model::{RunId, Timestamp};
use headend_store::{FeedItem, FeedRow, KeptClass, PerClass, Projection, Removal, StoreError};
use serde_json::json;
use tokio_util::sync::CancellationToken;

pub(crate) use decide::Reason;
pub use settings::Retention;

use crate::app::Shared;
use crate::clock::wall_now;
use crate::crash::crash_point;
use crate::http::ApiError;
use decide::Decider;

/// Runs of one portion.
const RUNS_AT_ONCE: usize = 200;
/// Bytes of numbers of one portion, about: deleting them holds up other writers.
const NUMBERS_AT_ONCE: u64 = 4 << 20;
/// Runs read from the store at once.
const PAGE: u32 = 1_000;

/// What is to go of a run, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Going {
    /// What.
    pub(crate) removal: Removal,
    /// When the run ended.
    pub(crate) ended: Timestamp,
    /// Why.
    pub(crate) reason: Reason,
}

/// What is to go, the oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Plan {
    /// At most as many as were asked for.
    pub(crate) going: Vec<Going>,
    /// There is more.
    pub(crate) more: bool,
}

/// Why retention did not come to its end.
#[derive(Debug, thiserror::Error)]
enum NotDone {
    #[error("the database failed")]
    Store(#[from] StoreError),
    #[error("the farm does not tell which runs are under way: {0}")]
    Farm(String),
}

/// When retention is due.
pub(crate) struct Pass {
    next: Instant,
    /// What a former life began has been finished.
    clean: bool,
}

impl Pass {
    /// The first one of this life.
    pub(crate) fn first(app: &Shared) -> Self {
        let first = app.options.retention.first;
        app.results.tell_next(wall_now() + headend_model::Span::micros(micros(first)));
        Self { next: Instant::now() + first, clean: false }
    }

    /// Does what is due. What fails is tried again when it is due again.
    pub(crate) async fn when_due(&mut self, app: &Shared, stop: &CancellationToken) {
        if self.clean && Instant::now() < self.next {
            return;
        }
        // First of all what was begun, also when nothing more is to go: rows that say so are true then.
        let done = if self.clean { pass(app, stop).await } else { finish(app).await };
        if let Err(error) = done {
            tracing::warn!(error = &error as &dyn std::error::Error, "retention has not come to its end");
        }
        if self.clean {
            let every = app.options.retention.every;
            self.next = Instant::now() + every;
            app.results.tell_next(wall_now() + headend_model::Span::micros(micros(every)));
        }
        self.clean = true;
    }
}

fn micros(span: std::time::Duration) -> i64 {
    i64::try_from(span.as_micros()).unwrap_or(i64::MAX / 4)
}

/// Portion after portion, until nothing is to go.
async fn pass(app: &Shared, stop: &CancellationToken) -> Result<(), NotDone> {
    finish(app).await?;
    while !stop.is_cancelled() {
        let now = wall_now();
        let plan = plan(app, now, RUNS_AT_ONCE, NUMBERS_AT_ONCE).await?;
        let gone = app.store.remove(plan.going.iter().map(|going| going.removal).collect(), now).await?;
        // Nothing is to go, or all of it was pinned a moment ago.
        if gone.is_empty() {
            break;
        }
        crash_point("retention.before_delete");
        finish(app).await?;
        tell(app, &gone, now).await?;
    }
    Ok(())
}

/// What would go now.
///
/// # Errors
/// Of the store and the farm.
pub(crate) async fn would(app: &Shared, most: usize) -> Result<Plan, ApiError> {
    match plan(app, wall_now(), most, u64::MAX).await {
        Ok(plan) => Ok(plan),
        Err(NotDone::Store(error)) => Err(error.into()),
        Err(error @ NotDone::Farm(_)) => Err(ApiError::internal("retention cannot be looked at", &error)),
    }
}

async fn plan(app: &Shared, now: Timestamp, most: usize, most_numbers: u64) -> Result<Plan, NotDone> {
    let limits = app.options.retention;
    let mut plan = Plan::default();
    if limits.is_endless() {
        return Ok(plan);
    }
    let live = under_way(app).await?;
    let mut decider = Decider::new(limits, now, app.store.held_in_all().await?);
    let (mut after, mut numbers) = (None, 0);
    loop {
        let page = app.store.held_after(after, PAGE).await?;
        let Some(last) = page.last() else { return Ok(plan) };
        after = Some((last.ended, last.run));
        for run in &page {
            if decider.is_settled(run.ended) {
                return Ok(plan);
            }
            let Some((removal, reason)) = decider.look(run, live.contains(&run.run)) else { continue };
            if plan.going.len() >= most || numbers >= most_numbers {
                plan.more = true;
                return Ok(plan);
            }
            numbers += removal.bytes.numbers;
            plan.going.push(Going { removal, ended: run.ended, reason });
        }
    }
}

/// Runs that hold a lease. They have no results yet; this is the second lock on that door.
async fn under_way(app: &Shared) -> Result<BTreeSet<RunId>, NotDone> {
    let live = app.farm.read(|view| {
        let racks: Vec<_> = view.farm.inventory().racks.keys().copied().collect();
        racks.into_iter().flat_map(|rack| view.farm.leases_on(rack)).map(|granted| granted.run).collect()
    });
    live.await.map_err(|error| NotDone::Farm(error.to_string()))
}

/// Deletes the files of which rows say that they are gone.
async fn finish(app: &Shared) -> Result<(), NotDone> {
    loop {
        let mut done = Vec::new();
        for run in app.store.removals_due(RUNS_AT_ONCE as u32).await? {
            let files = app.store.removed_artifacts(run).await?;
            let paths = files.into_iter().map(|file| file.path).collect();
            match app.run_files.delete(run.0, paths).await {
                Ok(()) => done.push(run),
                Err(error) => tracing::warn!(%run, %error, "files of a run cannot be deleted; tried again later"),
            }
        }
        if done.is_empty() {
            return Ok(());
        }
        app.store.removals_done(done).await?;
    }
}

/// Says in the feed what has gone.
async fn tell(app: &Shared, gone: &[Removal], at: Timestamp) -> Result<(), NotDone> {
    let mut bytes = PerClass::<u64>::default();
    for class in KeptClass::ALL {
        *bytes.of_mut(class) = gone.iter().map(|removal| removal.bytes.of(class)).sum();
    }
    let all: u64 = KeptClass::ALL.into_iter().map(|class| bytes.of(class)).sum();
    tracing::info!(runs = gone.len(), bytes = all, "retention has removed what was too old or too much");
    let item = FeedItem {
        at,
        kind: "retention".to_owned(),
        job: None,
        run: None,
        text: format!("removed {all} bytes of {} runs", gone.len()),
        data: json!({ "runs": gone.len(), "video": bytes.video, "logs": bytes.logs, "numbers": bytes.numbers }),
    };
    let committed = app.store.write(vec![Projection::Feed(item.clone())]).await?;
    for number in committed.feed {
        app.tell.bus.publish(FeedRow { number, item: item.clone() });
    }
    Ok(())
}

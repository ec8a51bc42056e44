//! Brings results up to date, and after it sees to what is kept. One task: what retention takes is never looked at meanwhile.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

use headend_model::{DutId, JobId, RunId};
use headend_store::{JobRow, RunResults, RunRow, StoreError};
use tokio_util::sync::CancellationToken;

use super::derive::{Known, derive};
use super::survey::{Survey, survey};
use crate::app::Shared;
use crate::retention;

/// How often the list of what is due is looked at.
const LOOK: Duration = Duration::from_millis(300);
/// Runs looked at before it is asked again whether to stop.
const AT_ONCE: u32 = 200;
/// Of one transaction, about: starts and ends wait for it. A run takes six statements or more, 16 of them some ten milliseconds.
const RUNS_AT_ONCE: usize = 16;
const ROWS_AT_ONCE: usize = 1_000;
/// Pause after a failure, and before a run is looked at again whose files could not be read.
const AFTER_FAILURE: Duration = Duration::from_secs(5);
const AFTER_BAD_FILES: Duration = Duration::from_mins(5);

/// Why a run's results were not brought up to date.
#[derive(Debug, thiserror::Error)]
enum NotDone {
    #[error("the database failed")]
    Store(#[from] StoreError),
    #[error("files of run {run} cannot be read")]
    Files {
        run: RunId,
        #[source]
        source: std::io::Error,
    },
}

/// Works until told to stop.
pub(crate) async fn run(app: Shared, stop: CancellationToken) {
    let mut pass = retention::Pass::first(&app);
    let mut pause = LOOK;
    // Bounded by what is due at once.
    let mut later = HashMap::new();
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(pause) => {}
        }
        pause = match catch_up(&app, &mut later, &stop).await {
            Ok(()) => LOOK,
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "results are not up to date; tried again");
                AFTER_FAILURE
            }
        };
        pass.when_due(&app, &stop).await;
    }
}

/// All that is due now, some runs at a time.
async fn catch_up(
    app: &Shared,
    later: &mut HashMap<RunId, Instant>,
    stop: &CancellationToken,
) -> Result<(), StoreError> {
    later.retain(|_, when| *when > Instant::now());
    let mut read = Read::default();
    let mut made = Vec::new();
    for (run, mark) in app.store.results_due(AT_ONCE).await? {
        if stop.is_cancelled() {
            break;
        }
        if later.contains_key(&run) || !app.results.due.begin(run, Instant::now()) {
            continue;
        }
        match results_of(app, &mut read, run, mark).await {
            Ok(results) => made.extend(results),
            Err(NotDone::Store(error)) => return Err(error),
            Err(error @ NotDone::Files { .. }) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "results are not up to date; tried again later"
                );
                later.insert(run, Instant::now() + AFTER_BAD_FILES);
            }
        }
        if made.len() >= RUNS_AT_ONCE || made.iter().map(RunResults::rows).sum::<usize>() >= ROWS_AT_ONCE {
            app.store.save_results(std::mem::take(&mut made)).await?;
        }
    }
    if !made.is_empty() {
        app.store.save_results(made).await?;
    }
    Ok(())
}

/// Jobs and names of DUTs, read once for many runs: a job may have ten thousand tests.
#[derive(Default)]
struct Read {
    jobs: BTreeMap<JobId, JobRow>,
    duts: BTreeMap<DutId, (String, String)>,
}

impl Read {
    async fn of(&mut self, app: &Shared, run: &RunRow) -> Result<(), StoreError> {
        if !self.jobs.contains_key(&run.job)
            && let Some(job) = app.store.job(run.job).await?
        {
            self.jobs.insert(run.job, job);
        }
        for place in &run.places {
            if let Entry::Vacant(place) = self.duts.entry(place.dut) {
                let row = app.store.dut(*place.key()).await?;
                // One that has left the lab has no name any more.
                place.insert(row.map(|row| (row.fields.name, row.fields.model_name)).unwrap_or_default());
            }
        }
        Ok(())
    }
}

async fn results_of(app: &Shared, read: &mut Read, run: RunId, mark: u64) -> Result<Option<RunResults>, NotDone> {
    let store = &app.store;
    let Some(row) = store.run(run).await? else { return Ok(None) };
    read.of(app, &row).await?;
    let Some(job) = read.jobs.get(&row.job) else { return Ok(None) };
    let public = match &row.public_tree {
        Some(tree) => store.tree_revision(None, tree).await?,
        None => None,
    };
    let private = match &row.private_tree {
        Some(tree) => store.tree_revision(Some(&job.spec.owner), tree).await?,
        None => None,
    };
    let known = Known {
        run: &row,
        job,
        duts: &read.duts,
        origin: store.job_origin(row.job).await?,
        revisions: (public, private),
        // What was never executed has no files.
        survey: if row.rack.is_some() { look(app, run).await? } else { Survey::default() },
        before: store.result(run).await?,
        mark,
    };
    Ok(Some(derive(known)))
}

async fn look(app: &Shared, run: RunId) -> Result<Survey, NotDone> {
    let failed = |source| NotDone::Files { run, source };
    let listed = app.run_files.list(run.0).await;
    let listed = listed.map_err(|error| failed(std::io::Error::other(error.problem().detail.clone())))?;
    let folder = app.run_files.folder(run.0);
    let looked = tokio::task::spawn_blocking(move || survey(&folder, listed)).await;
    looked.map_err(std::io::Error::other).and_then(|looked| looked).map_err(failed)
}

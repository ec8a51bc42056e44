//! One run from its start order to its end: files, session, host, evidence.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use headend_files::{Access, FilesError, SnapshotId, WorkingCopies, WorkingCopy};
use headend_model::{Outcome, TreePath};
use headend_scheduler::fence::StopReason;
use headend_wire::rack::StartOrder;
use headend_wire::session::{GuestLimits, SessionInfo};
use serde_json::json;
use tokio::sync::watch;

use crate::core::Shared;
use crate::session::ends::{HowEnded, outcome};
use crate::session::{Session, SessionSetup};
use crate::{guest, python};

/// The signal that a run is to stop, with why.
#[derive(Clone, Debug)]
pub struct Stop(watch::Receiver<Option<HowEnded>>);

impl Stop {
    /// The sending side and the signal.
    pub fn new() -> (watch::Sender<Option<HowEnded>>, Self) {
        let (sender, receiver) = watch::channel(None);
        (sender, Self(receiver))
    }

    /// Waits until the run is to stop. Never, if nobody can ask any more.
    pub async fn asked(&mut self) -> HowEnded {
        let asked = self.0.wait_for(Option::is_some).await.ok().and_then(|how| how.clone());
        match asked {
            Some(how) => how,
            None => std::future::pending().await,
        }
    }
}

/// How long files are asked for; the end of the lease or a kill ends it earlier.
const FETCH_PATIENCE: Duration = Duration::from_secs(10);
/// Between two tries.
const FETCH_PAUSE: Duration = Duration::from_millis(250);

/// What a run may use up.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Wall-clock time; zero: no limit.
    pub time: Duration,
    /// Of a guest.
    pub guest: GuestLimits,
}

impl Limits {
    /// Waits until the time is over.
    pub async fn over(&self) {
        if self.time.is_zero() {
            return std::future::pending().await;
        }
        tokio::time::sleep(self.time).await;
    }

    /// For the outcome.
    pub fn text(&self) -> String {
        format!("time of {} s", self.time.as_secs_f64())
    }
}

/// How a host is done with a run; nothing of it is left unless `unkillable`.
#[derive(Clone, Debug)]
pub struct Finish {
    /// How it ended.
    pub how: HowEnded,
    /// Something of it could not be killed.
    pub unkillable: bool,
    /// Processes that it left behind and that were killed.
    pub leaked: u32,
}

impl Finish {
    /// Nothing was left behind.
    pub fn clean(how: HowEnded) -> Self {
        Self { how, unkillable: false, leaked: 0 }
    }
}

/// The end of a run, for the core.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) outcome: Outcome,
    pub(crate) unkillable: bool,
    /// Folder of what it left behind.
    pub(crate) evidence: Option<PathBuf>,
}

/// Which host runs a script, by its file name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Rhai or WASM.
    Guest,
    /// Python.
    Python,
}

impl Kind {
    /// # Errors
    /// A sentence for the run's outcome.
    pub fn of(script: &TreePath) -> Result<Self, String> {
        match script.extension().as_deref() {
            Some("rhai" | "wasm") => Ok(Self::Guest),
            Some("py") => Ok(Self::Python),
            _ => Err(format!("{script} is no script that a rack runs; use .rhai, .wasm or .py")),
        }
    }
}

/// Runs an order. Drives its devices only between the two lines of the witness.
pub(crate) async fn execute(shared: &Shared, order: &StartOrder, mut stop: Stop) -> Ended {
    let nos = order.lease.targets.iter().filter_map(|target| shared.place(target.slot)).map(|place| place.no.0);
    // Its tools are not taken away before the session is closed.
    let using = shared.users.enter(nos);
    shared.witness.lease(&order.lease, "drive_begin");
    let mut session = Session::new(setup(shared, order));
    let mut finish = run(shared, order, &mut session, &mut stop).await;
    if session.lease_lost() {
        finish.how = HowEnded::Stopped(StopReason::LeaseExpired);
    }
    let mut outcome = outcome(session.reported(), &finish.how);
    note_leaks(&mut outcome, finish.leaked);
    session.close().await;
    let keep = session.finish(&outcome.to_string());
    let evidence = keep.then(|| session.recorder().folder().to_owned());
    shared.witness.lease(&order.lease, "drive_end");
    drop(using);
    Ended { outcome, unkillable: finish.unkillable, evidence }
}

/// A script that left processes behind is told so, whatever its result (reliability G1).
fn note_leaks(outcome: &mut Outcome, leaked: u32) {
    if leaked == 0 {
        return;
    }
    if let Outcome::Done { result, comment } = outcome {
        let said = if comment.is_empty() { result.comment() } else { comment.as_str() };
        *comment = format!("{said} (leaky: {leaked} processes left behind were killed)");
    }
}

async fn run(shared: &Shared, order: &StartOrder, session: &mut Session, stop: &mut Stop) -> Finish {
    let (script, kind) = match TreePath::parse(&order.script).map_err(|error| error.to_string()) {
        Ok(path) => match Kind::of(&path) {
            Ok(kind) => (path, kind),
            Err(problem) => return Finish::clean(HowEnded::CannotStart(problem)),
        },
        Err(problem) => return Finish::clean(HowEnded::CannotStart(problem)),
    };
    let access = if kind == Kind::Python { Access::Own } else { Access::Shared };
    let copy = tokio::select! {
        biased;
        how = stop.asked() => return Finish::clean(how),
        copy = acquire(&shared.files, order, access) => copy,
    };
    let copy = match copy {
        Ok(copy) => copy,
        Err(how) => return Finish::clean(how),
    };
    let finish = run_in(shared, order, (&copy, &script, kind), session, stop).await;
    if finish.unkillable {
        // Something may still write in there: the copy is not given to another run.
        std::mem::forget(copy);
    } else if let Err(error) = copy.release().await {
        tracing::warn!(%error, "a working copy cannot be used again");
    }
    finish
}

/// A server that goes away while its files are fetched is waited for, a while: the run is leased and would be lost else.
async fn acquire(files: &WorkingCopies, order: &StartOrder, access: Access) -> Result<WorkingCopy, HowEnded> {
    let snapshot = snapshot(order).map_err(|error| cannot_start(&error))?;
    let give_up = tokio::time::Instant::now() + FETCH_PATIENCE;
    loop {
        match files.acquire(snapshot, access).await {
            Err(error @ FilesError::Fetch { .. }) if tokio::time::Instant::now() < give_up => {
                tracing::warn!(error = crate::core::chain(&error), "files cannot be fetched; trying again");
                tokio::time::sleep(FETCH_PAUSE).await;
            }
            acquired => return acquired.map_err(|error| cannot_start(&error)),
        }
    }
}

fn snapshot(order: &StartOrder) -> Result<SnapshotId, FilesError> {
    let private = order.private_tree.as_deref().map(str::parse).transpose()?;
    Ok(SnapshotId { public: order.public_tree.parse()?, private })
}

fn cannot_start(error: &FilesError) -> HowEnded {
    HowEnded::CannotStart(crate::core::chain(error))
}

async fn run_in(
    shared: &Shared,
    order: &StartOrder,
    (copy, script, kind): (&WorkingCopy, &TreePath, Kind),
    session: &mut Session,
    stop: &mut Stop,
) -> Finish {
    let (file, folder) = match copy.script(order.public, script) {
        Ok(found) => found,
        Err(FilesError::NoFile { .. }) => return Finish::clean(HowEnded::ScriptMissing),
        Err(error) => return Finish::clean(cannot_start(&error)),
    };
    session.set_files(&file, Some(copy.public_root()));
    let files = json!({ "script": order.script, "public": order.public_tree, "private": order.private_tree });
    session.recorder().event("files", false, &files);
    let limits = Limits { time: Duration::from_millis(order.time_limit_ms), guest: shared.options.limits.clone() };
    let finish = match kind {
        Kind::Guest => guest::run(&shared.guests, session, &limits, stop).await,
        Kind::Python => {
            let private = shared.folder.sockets().join(format!("{}-{}", order.lease.run, order.lease.attempt));
            let duts: Vec<_> = order.lease.targets.iter().map(|target| target.dut.to_string()).collect();
            let env = [("HEADEND_DUT", duts.join(",")), ("HEADEND_REVISION", order.public_tree.clone())];
            let root = copy.public_root().parent();
            let place = python::Place { script: &file, folder: &folder, private: &private, root, env: &env };
            python::run(&shared.pythons, session, place, &limits, stop).await
        }
    };
    // The next run may change them.
    session.keep_sources().await;
    finish
}

fn setup(shared: &Shared, order: &StartOrder) -> SessionSetup {
    let lease = &order.lease;
    let places: Vec<_> = lease.targets.iter().filter_map(|target| shared.place(target.slot)).collect();
    let out = shared.folder.runs().join(format!("{}-{}", lease.run, lease.attempt));
    SessionSetup {
        info: SessionInfo {
            job: order.job.0,
            run: lease.run.0,
            attempt: lease.attempt,
            script: String::new(),
            args: order.args.clone(),
            public: None,
            out: out.display().to_string(),
            rack: shared.options.name.clone(),
            port: 8001,
            slots: places.iter().map(|place| place.no.0).collect(),
            under_daemon: true,
        },
        lease: lease.clone(),
        drivers: places.into_iter().map(|place| place.driver).collect(),
        guard: Arc::new(shared.fence.clone()),
        witness: shared.witness.clone(),
        watcher: shared.outbox.clone(),
        analysers: shared.analysers.clone(),
        limits: shared.options.logs,
    }
}

//! `headend run`: a script here and now, on virtual boxes or on slots of real tools, without a server.
//!
//! The same session, the same hosts; [`serve_session`] is for scripts that somebody else has started. Nobody schedules, so `under_daemon` is false and there is no public area
//! (document 4.9).

mod devices;
mod session;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

pub use devices::boxes;
pub use session::{SessionOptions, serve_session};

use headend_drivers::DriverError;
use headend_model::{DutId, Epoch, JobId, Lease, LeasedTarget, Outcome, RackId, RunId, SlotId, Timestamp, TreePath};
use headend_wire::session::{GuestLimits, SessionInfo};
use tokio::io::AsyncReadExt;
use tokio_util::task::TaskTracker;

use crate::analysers::Analysers;
use crate::guest::{self, GuestPool};
use crate::options::{AnalyserOptions, GuestProgram, LogLimits, PythonOptions, SlotDriver};
use crate::process::Nursery;
use crate::process::controllers::Controllers;
use crate::python::{self, Pythons};
use crate::record::playable;
use crate::run::{Finish, Kind, Limits, Stop};
use crate::session::ends::{HowEnded, outcome};
use crate::session::{Guard, Session, SessionSetup, Watcher};
use devices::Devices;

/// How often the console of a Python script is looked at for more.
const LOOK: Duration = Duration::from_millis(50);

/// What to run, and on what.
pub struct LocalOptions {
    /// The script: `.rhai`, `.wasm` or `.py`.
    pub script: PathBuf,
    /// Its arguments.
    pub args: Vec<String>,
    /// What drives each slot: [`boxes`], or slots of a rack file.
    pub slots: BTreeMap<u16, SlotDriver>,
    /// Where log and captures go; made if there is something to keep.
    pub out: PathBuf,
    /// Program of the script guest.
    pub guest: GuestProgram,
    /// Python hosting.
    pub python: PythonOptions,
    /// What a Rhai or WASM script may use up.
    pub limits: GuestLimits,
    /// Stop it after this long.
    pub time_limit: Option<Duration>,
    /// Hears log lines and what the script prints, as it comes.
    pub watcher: Arc<dyn Watcher>,
    /// Cancelled: stop the script, as a user's stop does.
    pub stop: tokio_util::sync::CancellationToken,
}

/// What came of it.
#[derive(Clone, Debug)]
pub struct LocalReport {
    /// How the script ended.
    pub outcome: Outcome,
    /// Where log and captures are, if there are any.
    pub out: Option<PathBuf>,
}

/// Why a script was not run.
#[derive(Debug, thiserror::Error)]
pub enum LocalError {
    /// No such file.
    #[error("cannot read the script {}; check the path", path.display())]
    Script {
        /// As given.
        path: PathBuf,
        /// Cause.
        #[source]
        source: std::io::Error,
    },
    /// Not a kind of script that is known.
    #[error("{0}")]
    Kind(String),
    /// The rack at the other end of a stream.
    #[error("the rack does not answer; the session is not opened")]
    Line(#[source] std::io::Error),
    /// Tools of a slot did not come up, or did not pass their probe. Nothing was run.
    #[error(
        "the tools of slot {slot} do not work, so nothing is run; `headend rack check FILE --probe` tries all of them"
    )]
    Tools {
        /// Number of the slot in the rack file.
        slot: u16,
        /// What is wrong with which.
        #[source]
        source: DriverError,
    },
    /// Folders or processes could not be set up.
    #[error("cannot set up the run in {}", folder.display())]
    SetUp {
        /// Folder for the run's temporary files.
        folder: PathBuf,
        /// Cause.
        #[source]
        source: std::io::Error,
    },
}

/// The devices are ours alone: every drive is allowed.
struct Alone;

impl Guard for Alone {
    fn may_drive(&self, _: RunId, _: SlotId) -> Option<Epoch> {
        Some(Epoch(1))
    }
}

/// Runs a script and waits for its end.
///
/// # Errors
/// [`LocalError`] when it could not even be tried; everything else is an outcome.
pub async fn run_script(options: LocalOptions) -> Result<LocalReport, LocalError> {
    let unreadable = |source| LocalError::Script { path: options.script.clone(), source };
    let script = options.script.canonicalize().map_err(unreadable)?;
    let kind = kind(&script)?;
    let temp = tempfile::Builder::new().prefix("headend-run-").tempdir();
    let temp = temp.map_err(|source| LocalError::SetUp { folder: std::env::temp_dir(), source })?;
    let set_up = |source| LocalError::SetUp { folder: temp.path().to_owned(), source };
    let nursery = Nursery::start().map_err(set_up)?;
    let devices = tokio::select! {
        devices = Devices::start(&options.slots) => devices?,
        () = options.stop.cancelled() => return Ok(LocalReport { outcome: Outcome::Killed, out: None }),
    };
    let mut session = Session::new(setup(&options.session(), &devices, &options.args));
    session.set_files(&script, None);
    let limits = Limits { time: options.time_limit.unwrap_or_default(), guest: options.limits.clone() };
    let (asking, mut stop) = Stop::new();
    let asked = options.stop.clone();
    let ask = async move {
        asked.cancelled().await;
        let asked_by_user = HowEnded::Stopped(headend_scheduler::fence::StopReason::Asked);
        asking.send_replace(Some(asked_by_user));
        std::future::pending::<()>().await;
    };
    let work = host(&options, (&script, kind), (&nursery, temp.path()), &mut session, (&limits, &mut stop));
    let finish = tokio::select! {
        finish = work => finish.map_err(set_up)?,
        () = ask => Finish::clean(HowEnded::Shutdown),
    };
    let outcome = outcome(session.reported(), &finish.how);
    session.keep_sources().await;
    session.close().await;
    let keep = session.finish(&outcome.to_string());
    playable::make_for_a_person(&options.out).await;
    Ok(LocalReport { outcome, out: keep.then(|| options.out.clone()) })
}

pub(crate) fn kind(script: &Path) -> Result<Kind, LocalError> {
    let name = script.file_name().and_then(|name| name.to_str()).unwrap_or("script");
    let path = TreePath::parse(name).map_err(|error| LocalError::Kind(error.to_string()))?;
    Kind::of(&path).map_err(LocalError::Kind)
}

async fn host(
    options: &LocalOptions,
    (script, kind): (&Path, Kind),
    (nursery, temp): (&Nursery, &Path),
    session: &mut Session,
    (limits, stop): (&Limits, &mut Stop),
) -> std::io::Result<Finish> {
    match kind {
        Kind::Guest => {
            let folders = (temp.to_owned(), temp.to_owned());
            let pool =
                GuestPool::new(nursery.clone(), options.guest.clone(), folders, None, (1, 0), TaskTracker::new());
            let finish = guest::run(&pool, session, limits, stop).await;
            pool.close().await;
            Ok(finish)
        }
        Kind::Python => {
            let folders = (temp.to_owned(), temp.to_owned());
            let pythons =
                Pythons::new(options.python.clone(), nursery.clone(), folders, (None, Controllers::default()))?;
            let folder = script.parent().unwrap_or(Path::new("/"));
            let private = temp.join("run");
            let place = python::Place { script, folder, private: &private, root: None, env: &[] };
            let console = session.recorder().folder().join("console.txt");
            let mut echo = Echo { path: console, shown: 0, watcher: options.watcher.clone() };
            let finish = tokio::select! {
                finish = python::run(&pythons, session, place, limits, stop) => finish,
                never = echo.follow() => match never {},
            };
            echo.catch_up().await;
            pythons.close().await;
            Ok(finish)
        }
    }
}

/// Shows a console file as it grows.
struct Echo {
    path: PathBuf,
    shown: u64,
    watcher: Arc<dyn Watcher>,
}

impl Echo {
    async fn follow(&mut self) -> std::convert::Infallible {
        loop {
            tokio::time::sleep(LOOK).await;
            self.catch_up().await;
        }
    }

    async fn catch_up(&mut self) {
        let Ok(mut file) = tokio::fs::File::open(&self.path).await else { return };
        let mut bytes = Vec::new();
        let from = std::io::SeekFrom::Start(self.shown);
        if tokio::io::AsyncSeekExt::seek(&mut file, from).await.is_ok() && file.read_to_end(&mut bytes).await.is_ok() {
            self.shown += bytes.len() as u64;
            if !bytes.is_empty() {
                self.watcher.console(RunId(0), &String::from_utf8_lossy(&bytes));
            }
        }
    }
}

impl LocalOptions {
    fn session(&self) -> SessionOptions {
        SessionOptions {
            slots: self.slots.clone(),
            out: self.out.clone(),
            guest: self.guest.clone(),
            watcher: self.watcher.clone(),
        }
    }
}

fn setup(options: &SessionOptions, devices: &Devices, args: &[String]) -> SessionSetup {
    let target = |no: &u16| LeasedTarget {
        slot: SlotId(u32::from(*no)),
        slot_epoch: Epoch(1),
        dut: DutId(u64::from(*no)),
        dut_epoch: Epoch(1),
    };
    SessionSetup {
        info: SessionInfo {
            job: 0,
            run: 0,
            attempt: 1,
            script: String::new(),
            args: args.to_vec(),
            public: None,
            out: std::path::absolute(&options.out).unwrap_or_else(|_| options.out.clone()).display().to_string(),
            rack: "localhost".to_owned(),
            port: 8001,
            slots: devices.slots.clone(),
            under_daemon: false,
        },
        lease: Lease {
            job: JobId(0),
            run: RunId(0),
            attempt: 1,
            rack: RackId(0),
            targets: devices.slots.iter().map(target).collect(),
            until: Timestamp::EPOCH,
        },
        drivers: devices.drivers.clone(),
        guard: Arc::new(Alone),
        witness: Arc::default(),
        watcher: options.watcher.clone(),
        analysers: Arc::new(Analysers::new(&AnalyserOptions::default(), &options.guest, analyser_cache())),
        limits: LogLimits::default(),
    }
}

/// Compiled analysers are kept for this user, for the next run by hand.
fn analyser_cache() -> PathBuf {
    let own = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache"));
    let folder = own.or_else(home).filter(|folder| folder.is_absolute()).unwrap_or_else(std::env::temp_dir);
    folder.join("headend/analysers")
}

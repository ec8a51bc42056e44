//! `headend run --slot rack1/4`: a Rhai or WASM script in a guest of this machine, and its devices far away.

use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::time::Duration;

use headend_model::Outcome;
use headend_scheduler::fence::StopReason;
use headend_wire::relay::Ended;
use headend_wire::session::ScriptEnd;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::bridge::{Bridged, cross};
use super::far::{Cut, Far};
use crate::guest::{self, GuestPool};
use crate::local::{LocalError, LocalOptions, kind};
use crate::process::Nursery;
use crate::run::{Finish, Kind, Limits, Stop};
use crate::session::Host;
use crate::session::ends::{HowEnded, outcome};

/// A script whose session is over hears why with its next call, and is stopped if it goes on for longer than that.
const GRACE: Duration = Duration::from_secs(5);

/// What came of it.
#[derive(Clone, Debug)]
pub struct ThereReport {
    /// How the script ended.
    pub outcome: Outcome,
    /// The session was ended from there, or its last files did not come; for people.
    pub cut_off: Option<String>,
}

/// The script's file, if a guest runs it.
///
/// # Errors
/// [`LocalError::Script`] when it cannot be read, [`LocalError::Kind`] when it is neither Rhai nor WASM.
pub fn guest_script(script: &Path) -> Result<PathBuf, LocalError> {
    let unreadable = |source| LocalError::Script { path: script.to_owned(), source };
    let script = script.canonicalize().map_err(unreadable)?;
    match kind(&script)? {
        Kind::Guest => Ok(script),
        Kind::Python => {
            let message = format!("{} is a Python script, which has a process of its own", script.display());
            Err(LocalError::Kind(message))
        }
    }
}

/// Runs a script in a guest here, with the same limits as on boxes of its own, while its calls go over a stream to a rack. `options`: its slots
/// and its Python are of no meaning. `why`: asked once if the session is ended from there; who knows more than the rack says it.
///
/// # Errors
/// [`LocalError`] when it could not even be tried; everything else is an outcome.
pub async fn run_there<S: AsyncRead + AsyncWrite + Send>(
    stream: S,
    options: &LocalOptions,
    why: impl Future<Output = Option<String>>,
) -> Result<ThereReport, LocalError> {
    let script = guest_script(&options.script)?;
    let beside = script.parent().unwrap_or(Path::new("/"));
    let temp = tempfile::Builder::new().prefix("headend-run-").tempdir();
    let temp = temp.map_err(|source| LocalError::SetUp { folder: std::env::temp_dir(), source })?;
    let nursery = Nursery::start().map_err(|source| LocalError::SetUp { folder: temp.path().to_owned(), source })?;
    let folders = (temp.path().to_owned(), temp.path().to_owned());
    let pool = GuestPool::new(nursery, options.guest.clone(), folders, None, (1, 0), TaskTracker::new());
    let limits = Limits { time: options.time_limit.unwrap_or_default(), guest: options.limits.clone() };
    let crossed = cross(stream, (&options.out, beside), why, async |far, cut| {
        far.of_script(&script, &options.args, options.watcher.clone());
        let finish = drive(&pool, far, &limits, cut.clone(), &options.stop).await;
        let how = how_ended(far, &cut, finish.how);
        (outcome(far.reported(), &how), told(&how))
    });
    let crossed = crossed.await;
    pool.close().await;
    let (outcome, bridged) = crossed?;
    let cut_off = match bridged {
        Bridged::Over(_) => None,
        Bridged::CutOff(why) => Some(why),
    };
    Ok(ThereReport { outcome, cut_off })
}

async fn drive<H: Host>(
    pool: &GuestPool,
    far: &mut H,
    limits: &Limits,
    mut cut: Cut,
    asked: &CancellationToken,
) -> Finish {
    let (asking, mut stop) = Stop::new();
    let enough = async {
        let by_user = HowEnded::Stopped(StopReason::Asked);
        let how = tokio::select! {
            () = asked.cancelled() => by_user,
            why = cut.off() => {
                let _ = tokio::time::timeout(GRACE, asked.cancelled()).await;
                cut_off(&why)
            }
        };
        asking.send_replace(Some(how));
        std::future::pending::<Infallible>().await
    };
    tokio::select! {
        finish = guest::run(pool, far, limits, &mut stop) => finish,
        never = enough => match never {},
    }
}

/// What a script makes of the end of its session, or that it was stopped for it, is not its own fault.
fn how_ended<S: AsyncRead + AsyncWrite + Send>(far: &Far<'_, S>, cut: &Cut, how: HowEnded) -> HowEnded {
    match cut.why() {
        Some(why) if far.was_refused() || how != HowEnded::Script(ScriptEnd::Finished) => cut_off(&why),
        _ => how,
    }
}

fn cut_off(why: &str) -> HowEnded {
    HowEnded::Process { how: format!("the session was cut off: {why}"), clean: false }
}

/// For the session's log.
fn told(how: &HowEnded) -> Option<Ended> {
    Some(match how {
        HowEnded::Script(end) => Ended::Script(end.clone()),
        HowEnded::Limit(text) => Ended::Script(ScriptEnd::Limit(text.clone())),
        HowEnded::CannotStart(text) => Ended::Script(ScriptEnd::CannotStart(text.clone())),
        HowEnded::Stopped(_) => Ended::Stopped,
        HowEnded::Process { .. } | HowEnded::ScriptMissing | HowEnded::Shutdown => return None,
    })
}

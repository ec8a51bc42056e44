//! A run in a Python process: fork it, serve its session, end it for sure.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use headend_wire::session::{ENV_SOCKET, ENV_TOKEN, ScriptEnd};
use headend_wire::zygote::{Fork, News};
use tokio::sync::Mutex;

use super::Pythons;
use super::confine;
use super::connection::Door;
use super::interpreters::Interpreter;
use super::zygote::{NewsOfRun, Zygote};
use crate::process::cgroup::Cgroup;
use crate::process::controllers::Bounds;
use crate::process::leftovers::{PidFile, kill_hard};
use crate::process::quota::{Quota, is_excess};
use crate::run::{Finish, Limits, Stop};
use crate::session::Session;
use crate::session::ends::HowEnded;

/// Time to clean up between SIGTERM and SIGKILL.
const GRACE: Duration = Duration::from_secs(5);
/// How long after the grace the end may be told at the latest.
const OVERDUE: Duration = Duration::from_secs(12);
/// How long a killed cgroup may take to be empty.
const CGROUP: Duration = Duration::from_secs(2);
/// How much of the end of the console is looked at for last words.
const TAIL: u64 = 16 << 10;
/// Signals with a meaning for limits.
const SIGKILL: i32 = 9;
const SIGXCPU: i32 = 24;
/// Refuse a symbolic link, and do not wait for who may write to a pipe.
const NO_LINKS: i32 = (rustix::fs::OFlags::NOFOLLOW.bits() | rustix::fs::OFlags::NONBLOCK.bits()) as i32;
const TRACEBACK: &str = "Traceback (most recent call last)";

/// Where the run's files are.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// The script, absolute.
    pub script: &'a Path,
    /// Its folder, writable for this run.
    pub folder: &'a Path,
    /// A folder for the run's socket and temporary files; made and removed here.
    pub private: &'a Path,
    /// The whole of the files that are this run's alone, the script's folder among them: it is shut in there. `None`: a
    /// user's own script in his own folder, which may do what he may.
    pub root: Option<&'a Path>,
    /// Further environment: ids and the like.
    pub env: &'a [(&'static str, String)],
}

/// How the process ended.
#[derive(Clone, Debug, Default)]
struct Exit {
    code: Option<i32>,
    signal: Option<i32>,
    leaked: u32,
    unkillable: bool,
    /// It never came to run.
    failed: Option<String>,
    /// The warm interpreter was dead before it took the order: another may take it.
    never_began: bool,
}

/// Runs the session's script.
pub async fn run(
    pythons: &Pythons,
    session: &mut Session,
    place: Place<'_>,
    limits: &Limits,
    stop: &mut Stop,
) -> Finish {
    for last in [false, true] {
        let prepared = tokio::select! {
            biased;
            how = stop.asked() => return Finish::clean(how),
            prepared = prepare(pythons, session, place) => prepared,
        };
        let (finish, never_began) = match prepared {
            Err(problem) => (Finish::clean(HowEnded::CannotStart(problem)), false),
            Ok(prepared) => run_prepared(pythons, session, place, prepared, (limits, stop)).await,
        };
        if !finish.unkillable {
            let _ = fs::remove_dir_all(place.private);
        }
        // A warm interpreter that was killed while nobody needed it is no fault of this run.
        if last || !never_began {
            return finish;
        }
    }
    Finish::clean(HowEnded::CannotStart("two warm Python interpreters died before they took it".to_owned()))
}

/// All that a run needs before its process is forked.
struct Prepared {
    zygote: Zygote,
    door: Door,
    cgroup: Option<Cgroup>,
    bounds: Bounds,
}

async fn prepare(pythons: &Pythons, session: &mut Session, place: Place<'_>) -> Result<Prepared, String> {
    let source = tokio::fs::read(place.script).await.map_err(|error| format!("{}: {error}", place.script.display()))?;
    let python: Interpreter = pythons.choose(&source).await?;
    let zygote = pythons.zygote(&python).await?;
    // Scripts write into the log folder from their first line on.
    let out = session.recorder().make_folder().map_err(|error| format!("cannot make the log folder: {error}"));
    out?;
    let private = |error: std::io::Error| format!("cannot make {}: {error}", place.private.display());
    let tmp = place.private.join("tmp");
    fs::DirBuilder::new().recursive(true).mode(0o700).create(&tmp).map_err(private)?;
    session.allow_pictures_in(place.private);
    let door = Door::open(&place.private.join("s")).map_err(private)?;
    let name = format!("run-{}-{}", session.info().run, session.info().attempt);
    let ours = pythons.inner.cgroup.as_ref().filter(|_| zygote.in_cgroup);
    let cgroup = ours.and_then(|rack| match rack.inside(&name) {
        Ok(cgroup) => Some(cgroup),
        Err(error) => {
            tracing::warn!(%error, "no cgroup for this run; its keeper has to do");
            None
        }
    });
    let options = &pythons.inner.options;
    let bounds = pythons.inner.controllers.bound(&name, cgroup.as_ref(), options.memory_bytes, options.processes);
    Ok(Prepared { zygote, door, cgroup, bounds })
}

async fn run_prepared(
    pythons: &Pythons,
    session: &mut Session,
    place: Place<'_>,
    prepared: Prepared,
    (limits, stop): (&Limits, &mut Stop),
) -> (Finish, bool) {
    let Prepared { zygote, door, cgroup, bounds } = prepared;
    let console = session.recorder().folder().join("console.txt");
    let run = session.info().run;
    let mut fork = fork(pythons, session, place, (&door, cgroup.as_ref()), &console);
    fork.limit_groups = bounds.folders().map(|folder| folder.display().to_string()).collect();
    let quota = confine::quota(&pythons.inner.options, session, place);
    let news = zygote.fork(fork).await;
    let ending = Ending { run, zygote: &zygote, cgroup: cgroup.as_ref(), pids: &pythons.inner.pids, quota: &quota };
    let (asked, exit) = {
        let session = Mutex::new(&mut *session);
        tokio::select! {
            done = ending.wait(news, limits, stop) => done,
            () = door.serve(&session) => (None, Exit::default()),
        }
    };
    let emptied = match &cgroup {
        Some(cgroup) => {
            let emptied = cgroup.kill(CGROUP).await;
            cgroup.remove();
            emptied
        }
        None => true,
    };
    let memory = pythons.inner.options.memory_bytes;
    let starved = asked.is_none() && exit.signal == Some(SIGKILL) && bounds.ran_out_of_memory();
    let asked = asked.or_else(|| starved.then(|| HowEnded::Limit(format!("memory: more than {memory} bytes in all"))));
    let full = matches!(&asked, Some(HowEnded::Limit(why)) if is_excess(why));
    let asked = confine::cut_evidence(&pythons.inner.options, session, place, full).map(HowEnded::Limit).or(asked);
    session.recorder().keep_console(&console);
    let never_began = exit.never_began && asked.is_none() && !door.was_used();
    let how = asked.unwrap_or_else(|| how_ended(&exit, &tail(&console)));
    (Finish { how, unkillable: exit.unkillable || !emptied, leaked: exit.leaked }, never_began)
}

fn fork(
    pythons: &Pythons,
    session: &mut Session,
    place: Place<'_>,
    (door, cgroup): (&Door, Option<&Cgroup>),
    console: &Path,
) -> Fork {
    let options = &pythons.inner.options;
    let text = |path: &Path| path.display().to_string();
    let info = session.info();
    Fork {
        run: info.run,
        script: text(place.script),
        args: info.args.clone(),
        cwd: text(place.folder),
        env: environment(pythons, session, place, door),
        console: text(console),
        console_bytes: session.limits().log_bytes,
        memory_bytes: options.memory_bytes,
        processes: options.processes,
        cpu_seconds: 0,
        cgroup: cgroup.map(|cgroup| text(cgroup.path())),
        limit_groups: Vec::new(),
        // Beyond the limit of all files, so that this one is met first and named.
        file_bytes: place.root.map_or(0, |_| options.disk_bytes.saturating_mul(2)),
        sandbox: confine::sandbox(&pythons.inner, place, &info.out),
    }
}

/// The whole environment of a script: nothing of the daemon's own leaks into it (reliability G7).
fn environment(pythons: &Pythons, session: &Session, place: Place<'_>, door: &Door) -> BTreeMap<String, String> {
    let info = session.info();
    let text = |path: PathBuf| path.display().to_string();
    let mut env: BTreeMap<String, String> = BTreeMap::new();
    let mut put = |name: &str, value: String| env.insert(name.to_owned(), value);
    put("PATH", "/usr/local/bin:/usr/bin:/bin".to_owned());
    put("LC_ALL", "C.UTF-8".to_owned());
    put("CI", "true".to_owned());
    put("HOME", text(place.private.to_owned()));
    put("TMPDIR", text(place.private.join("tmp")));
    put("PYTHONPATH", text(pythons.inner.sdk.clone()));
    put("PYTHONDONTWRITEBYTECODE", "1".to_owned());
    put(ENV_SOCKET, text(place.private.join("s")));
    put(ENV_TOKEN, door.token.clone());
    put("HEADEND_JOB_ID", info.job.to_string());
    put("HEADEND_RUN_ID", info.run.to_string());
    put("HEADEND_ATTEMPT", info.attempt.to_string());
    put("HEADEND_SLOT", info.slots.iter().map(u16::to_string).collect::<Vec<_>>().join(","));
    put("HEADEND_WORK_DIR", text(place.folder.to_owned()));
    put("HEADEND_OUT_DIR", info.out.clone());
    if let Some(public) = &info.public {
        put("STORMTEST_PUBLIC", public.clone());
    }
    for (name, value) in place.env {
        put(name, value.clone());
    }
    if let Ok(libraries) = std::env::var("LD_LIBRARY_PATH") {
        put("LD_LIBRARY_PATH", libraries);
    }
    env
}

/// Waits for the end of a run's process, and brings it about.
struct Ending<'a> {
    run: u64,
    zygote: &'a Zygote,
    cgroup: Option<&'a Cgroup>,
    pids: &'a Path,
    quota: &'a Quota,
}

impl Ending<'_> {
    /// The reason why it was ended, if it did not end by itself, and how it ended.
    async fn wait(&self, mut news: NewsOfRun, limits: &Limits, stop: &mut Stop) -> (Option<HowEnded>, Exit) {
        let mut keeper = None;
        let asked = tokio::select! {
            exit = self.exit(&mut news, &mut keeper) => return (None, exit),
            how = stop.asked() => how,
            () = limits.over() => HowEnded::Limit(limits.text()),
            excess = self.quota.exceeded() => HowEnded::Limit(excess),
        };
        self.zygote.kill(self.run, GRACE).await;
        let ended = tokio::time::timeout(GRACE + OVERDUE, self.exit(&mut news, &mut keeper)).await;
        // A keeper that does not tell the end is ended itself.
        let exit = ended.unwrap_or_else(|_| Exit { unkillable: true, ..Exit::default() });
        if let Some((pid, _)) = keeper.as_ref().filter(|_| exit.unkillable) {
            kill_hard(*pid);
        }
        (Some(asked), exit)
    }

    async fn exit(&self, news: &mut NewsOfRun, keeper: &mut Option<(u32, PidFile)>) -> Exit {
        loop {
            match news.recv().await {
                Some(News::Forked { pid, .. }) => *keeper = Some((pid, PidFile::keeper(self.pids, pid))),
                Some(News::Exited { code, signal, leaked, unkillable, .. }) => {
                    return Exit { code, signal, leaked, unkillable, ..Exit::default() };
                }
                Some(News::Failed { reason, .. }) => return Exit { failed: Some(reason), ..Exit::default() },
                Some(News::Ready { .. }) => {}
                None => return self.orphaned(keeper.as_ref().map(|(pid, _)| *pid)).await,
            }
        }
    }

    /// The warm interpreter has died. Its keepers end by themselves then; we see to it that they do.
    async fn orphaned(&self, keeper: Option<u32>) -> Exit {
        let failed = Some("the warm Python interpreter died under it".to_owned());
        let end = tokio::time::Instant::now() + OVERDUE;
        while let Some(pid) = keeper.filter(|pid| Path::new(&format!("/proc/{pid}")).exists()) {
            if let Some(cgroup) = self.cgroup {
                cgroup.kill(CGROUP).await;
            }
            if tokio::time::Instant::now() >= end {
                kill_hard(pid);
                return Exit { unkillable: true, failed, ..Exit::default() };
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Exit { failed, never_began: keeper.is_none(), ..Exit::default() }
    }
}

fn how_ended(exit: &Exit, tail: &str) -> HowEnded {
    if let Some(problem) = &exit.failed {
        return HowEnded::CannotStart(problem.clone());
    }
    let words = if tail.is_empty() { String::new() } else { format!("; its last words: {tail}") };
    match (exit.code, exit.signal) {
        // An uncaught error, as the interpreter tells it.
        (Some(1), _) if tail.contains(TRACEBACK) => HowEnded::Script(ScriptEnd::Crashed(from_traceback(tail))),
        (Some(0), _) => HowEnded::Process { how: "the script came to its end without one".to_owned(), clean: true },
        (_, Some(SIGXCPU)) => HowEnded::Limit("CPU time".to_owned()),
        (Some(code), _) => HowEnded::Process { how: format!("exit code {code}{words}"), clean: false },
        (None, Some(signal)) => HowEnded::Process { how: format!("ended by signal {signal}{words}"), clean: false },
        (None, None) => HowEnded::Process { how: format!("the process was lost{words}"), clean: false },
    }
}

fn from_traceback(tail: &str) -> String {
    tail.rfind(TRACEBACK).map_or(tail, |start| &tail[start..]).to_owned()
}

/// The last lines of the console.
fn tail(console: &Path) -> String {
    let read = || -> std::io::Result<String> {
        // The folder is the script's, too: what a link leads to is not for its eyes.
        let mut file = fs::OpenOptions::new().read(true).custom_flags(NO_LINKS).open(console)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(TAIL)))?;
        let mut bytes = Vec::new();
        file.take(TAIL).read_to_end(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).trim().to_owned())
    };
    read().unwrap_or_default()
}

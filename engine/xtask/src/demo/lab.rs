//! A running `headend up`, and `headend` pointed at it.

use std::cell::RefCell;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::shell::{self, Context, Failure, Result, Shell};

/// Longest wait for it to be ready: on a fresh machine it compiles nothing, but hashes and migrates.
const START: Duration = Duration::from_mins(1);
/// Longest wait for an orderly end.
const STOP: Duration = Duration::from_secs(30);
/// Longest wait for a job, in seconds.
const JOB_S: &str = "300";
/// Lines of the log shown after a failure.
const TAIL: usize = 40;

/// Server and virtual rack.
pub(crate) struct Lab<'a> {
    shell: &'a Shell,
    program: PathBuf,
    data: PathBuf,
    log: PathBuf,
    credentials: PathBuf,
    child: RefCell<Child>,
}

impl<'a> Lab<'a> {
    /// Starts it on a free port and waits until it says that it is ready.
    pub(crate) fn start(shell: &'a Shell, program: &Path, data: &Path, boxes: u16) -> Result<Self> {
        fs::create_dir_all(data).context(format_args!("cannot make {}", data.display()))?;
        let log = data.join("up.log");
        let stderr = fs::File::create(&log).context(format_args!("cannot write {}", log.display()))?;
        let mut command = shell.program(program);
        command
            .args(["up", "--json", "--port", "0", "--virtual-time", "--slots", &boxes.to_string(), "--data"])
            .arg(data);
        clean(&mut command);
        let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(stderr).spawn();
        let child = child.context("cannot start `headend up`")?;
        let (program, data) = (program.to_owned(), data.to_owned());
        let mut lab = Self { shell, program, data, log, credentials: PathBuf::new(), child: RefCell::new(child) };
        let ready = lab.wait_until_ready()?;
        lab.credentials = ready["credentials"].as_str().context("`headend up` named no credentials file")?.into();
        println!("server at {}, data in {}", ready["server"].as_str().unwrap_or("?"), lab.data.display());
        Ok(lab)
    }

    /// The first line says where it is, once all is up.
    fn wait_until_ready(&self) -> Result<Value> {
        let stdout = self.child.borrow_mut().stdout.take().context("`headend up` has no output")?;
        let (send, receive) = mpsc::channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(std::result::Result::ok) {
                // After the first line nobody listens; reading on keeps the pipe open.
                send.send(line).ok();
            }
        });
        let tail = || self.log_tail();
        let line = receive.recv_timeout(START).map_err(|_| {
            Failure::new(format!(
                "`headend up` was not ready after {} s; its log ends with:\n{}",
                START.as_secs(),
                tail()
            ))
        })?;
        serde_json::from_str(&line).context(format_args!("`headend up` said {line:?}, which is not JSON"))
    }

    pub(crate) fn credentials(&self) -> &Path {
        &self.credentials
    }

    fn headend(&self, words: &[&str]) -> Command {
        let mut command = self.shell.program(&self.program);
        clean(&mut command);
        command.args(words).env("HEADEND_CONFIG", &self.credentials);
        command
    }

    /// Runs a command for people to see.
    pub(crate) fn show(&self, words: &[&str]) -> Result<()> {
        println!("$ headend {}", words.join(" "));
        let mut command = self.headend(words);
        let status = command.status().context("cannot start `headend`")?;
        if status.success() { Ok(()) } else { Err(Failure::new(format!("`headend {}`: {status}", words.join(" ")))) }
    }

    /// Runs a command and gives its data.
    pub(crate) fn ask(&self, words: &[&str]) -> Result<Value> {
        let text = shell::read(&mut self.headend(words))?;
        serde_json::from_str(&text).context(format_args!("`headend {}` gave no JSON", words.join(" ")))
    }

    /// Follows a job for people to see. Whether all passed is known from its exit code too.
    pub(crate) fn watch(&self, job: &str) -> Result<()> {
        self.show(&["watch", job, "--timeout", JOB_S])
    }

    /// What `headend why` says of the last start under this policy.
    pub(crate) fn last_why(&self, job: &str, policy: &str) -> Result<String> {
        let why = self.ask(&["why", job, "--json"])?;
        let last = why["started"].as_array().and_then(|started| started.last());
        let last = last.context(format_args!("`headend why {job}` knows of no start under {policy}"))?;
        let text = |key: &str| last[key].as_str().unwrap_or("?").to_owned();
        Ok(format!(
            "  run {} on {}: {}\n  chosen by {}: {}",
            last["run"],
            text("place"),
            text("script"),
            text("chosen_by"),
            text("reason")
        ))
    }

    /// What the first attempt of a run has left on its rack.
    pub(crate) fn left_by(&self, run: u64) -> Vec<PathBuf> {
        let mut files = Vec::new();
        collect(&self.data, &mut files);
        let folder = Path::new("runs").join(format!("{run}-1"));
        files.retain(|path| path.parent().is_some_and(|parent| parent.ends_with(&folder)));
        files
    }

    /// Logs and captures that the runs left.
    pub(crate) fn tell_where_evidence_lies(&self) {
        let mut files = Vec::new();
        collect(&self.data, &mut files);
        let of = |extension: &str| {
            files.iter().filter(|file| file.extension().is_some_and(|ext| ext == extension)).collect::<Vec<_>>()
        };
        println!("\nLogs and captures of all runs lie in {}", self.data.display());
        for (what, found) in [("captures", of("png")), ("logs", of("jsonl"))] {
            if let Some(first) =
                found.iter().find(|file| file.components().any(|part| part.as_os_str() == "runs")).or(found.first())
            {
                println!("  {} {what}, for example {}", found.len(), first.display());
            }
        }
    }

    pub(crate) fn log_tail(&self) -> String {
        let text = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<_> = text.lines().collect();
        lines[lines.len().saturating_sub(TAIL)..].join("\n")
    }

    /// Until it ends by itself, or by Ctrl-C.
    pub(crate) fn wait(&self) -> Result<()> {
        self.child.borrow_mut().wait().map(drop).context("cannot wait for `headend up`")
    }

    /// Asks it to end, and expects that it does so in order.
    pub(crate) fn stop(&self) -> Result<()> {
        let mut child = self.child.borrow_mut();
        if child.try_wait().context("cannot wait for `headend up`")?.is_none() {
            shell::read(self.shell.program("kill").args(["-TERM", &child.id().to_string()]))?;
        }
        let status = end_of(&mut child)?;
        if status.success() {
            return Ok(());
        }
        drop(child);
        Err(Failure::new(format!(
            "`headend up` did not end in order: {status}; its log ends with:\n{}",
            self.log_tail()
        )))
    }
}

/// After a failure nothing stays behind.
impl Drop for Lab<'_> {
    fn drop(&mut self) {
        let mut child = self.child.borrow_mut();
        if matches!(child.try_wait(), Ok(None)) {
            shell::read(self.shell.program("kill").args(["-TERM", &child.id().to_string()])).ok();
            end_of(&mut child).ok();
        }
    }
}

/// Polls with a deadline; one that passes it is killed.
fn end_of(child: &mut Child) -> Result<ExitStatus> {
    let began = Instant::now();
    while began.elapsed() < STOP {
        if let Some(status) = child.try_wait().context("cannot wait for `headend up`")? {
            return Ok(status);
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    child.kill().and_then(|()| child.wait()).context("cannot kill `headend up`")?;
    Err(Failure::new(format!("`headend up` did not end within {} s and was killed", STOP.as_secs())))
}

/// The user's own server must not be met by accident.
fn clean(command: &mut Command) {
    for name in ["HEADEND_SERVER", "HEADEND_TOKEN", "HEADEND_CONFIG"] {
        command.env_remove(name);
    }
}

fn collect(folder: &Path, into: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    let mut paths: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    for path in paths {
        if path.is_dir() && !path.is_symlink() { collect(&path, into) } else { into.push(path) }
    }
}

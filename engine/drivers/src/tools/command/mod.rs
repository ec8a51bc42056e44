//! Mains switched by any program: one command line for on, one for off, run without a shell.

mod child;

use std::path::PathBuf;
use std::time::Duration;

use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};

use crate::{DriverError, Place, Tool, programs};

/// Longest time limit that makes sense, in milliseconds.
const LONGEST_MS: u32 = 600_000;
/// Time limit of a probe's program, and of the probe with its wait for a switching.
const PROBED: Duration = Duration::from_secs(8);
const PROBE: Duration = Duration::from_secs(9);

/// Commands that switch mains. Each is a program and its arguments, which no shell reads; it ends with 0 once mains are switched.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Options {
    /// Switches mains on, such as `["relayctl", "--port", "3", "on"]`.
    pub on: Vec<String>,
    /// Switches mains off.
    pub off: Vec<String>,
    /// Tells with 0 that the switch can be reached, and switches nothing. Default: none, so only the programs are looked for.
    #[serde(default)]
    pub probe: Vec<String>,
    /// Time limit of each, in milliseconds, 100 to 600000; then it is killed with all that it started. Default: 30000. `probe` has eight
    /// seconds at most.
    #[serde(default = "timeout_ms")]
    pub timeout_ms: u32,
}

fn timeout_ms() -> u32 {
    30_000
}

impl Options {
    /// What can be said without running anything.
    ///
    /// # Errors
    /// The first key that is wrong, its value, and what to do.
    pub fn check(&self) -> Result<(), DriverError> {
        self.programs().map(drop)?;
        if !(100..=LONGEST_MS).contains(&self.timeout_ms) {
            return Err(DriverError(format!("`timeout_ms` is {}; it is 100 to {LONGEST_MS}", self.timeout_ms)));
        }
        Ok(())
    }

    fn programs(&self) -> Result<[PathBuf; 2], DriverError> {
        if !self.probe.is_empty() {
            program_of("probe", &self.probe)?;
        }
        Ok([program_of("on", &self.on)?, program_of("off", &self.off)?])
    }
}

fn program_of(key: &str, words: &[String]) -> Result<PathBuf, DriverError> {
    let Some(first) = words.first() else {
        return Err(DriverError(format!(
            "`{key}` is empty; it is a program and its arguments, such as [\"relay\", \"{key}\"]"
        )));
    };
    programs::find(first, &format!("install it, or correct `{key}`"))
}

/// A switch that is a program.
#[derive(Debug)]
pub struct Command {
    options: Options,
    /// One at a time: a late `off` must not pass an `on`.
    turn: tokio::sync::Mutex<()>,
}

/// Looks for the programs. Switches nothing.
///
/// # Errors
/// A program is not there.
#[expect(clippy::unused_async, reason = "all tools are started alike")]
pub async fn start(options: &Options, _place: &Place) -> Result<Command, DriverError> {
    options.check()?;
    Ok(Command { options: options.clone(), turn: tokio::sync::Mutex::new(()) })
}

impl Command {
    async fn run(&self, key: &str, words: &[String], within: Duration) -> Result<(), DriverError> {
        let program = program_of(key, words)?;
        let _turn = self.turn.lock().await;
        let shown = words.join(" ");
        let ended = child::run(&program, &words[1..], within)
            .await
            .map_err(|error| DriverError(format!("`{key}`: `{shown}` did not start: {error}")))?;
        let said =
            if ended.said.is_empty() { "it said nothing".to_owned() } else { format!("it said: {}", ended.said) };
        match ended.status {
            Some(status) if status.success() => Ok(()),
            Some(status) => Err(DriverError(format!("`{key}`: `{shown}` failed with {status}; {said}"))),
            None => Err(DriverError(format!(
                "`{key}`: `{shown}` was killed since it did not end within {} ms (`timeout_ms`); {said}",
                within.as_millis()
            ))),
        }
    }
}

impl Tool for Command {
    fn name(&self) -> &'static str {
        "command"
    }

    fn probe(&self) -> BoxFuture<'_, Result<String, DriverError>> {
        Box::pin(async {
            let [on, _] = self.options.programs()?;
            if self.options.probe.is_empty() {
                return Ok(format!("{} is here; nothing was tried", on.display()));
            }
            let within = Duration::from_millis(self.options.timeout_ms.into()).min(PROBED);
            let probed = tokio::time::timeout(PROBE, self.run("probe", &self.options.probe, within)).await;
            probed.unwrap_or_else(|_| Err(DriverError("`probe` waited for a switching that takes long".into())))?;
            Ok(format!("{} is here; `{}` succeeded", on.display(), self.options.probe.join(" ")))
        })
    }
}

impl crate::Power for Command {
    fn switch(&self, on: bool) -> BoxFuture<'_, Result<bool, DriverError>> {
        let (key, words) = if on { ("on", &self.options.on) } else { ("off", &self.options.off) };
        let within = Duration::from_millis(self.options.timeout_ms.into());
        Box::pin(async move { self.run(key, words, within).await.map(|()| true) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Power;

    fn shell(script: &str) -> Vec<String> {
        ["sh", "-c", script].map(String::from).to_vec()
    }

    async fn switch_of(on: &str, timeout_ms: u32) -> Command {
        let options = Options { on: shell(on), off: shell("exit 0"), probe: Vec::new(), timeout_ms };
        start(&options, &Place { slot: 1, scratch: "/tmp".into() }).await.unwrap()
    }

    #[tokio::test]
    async fn what_is_switched_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join("state");
        let write = |word: &str| shell(&format!("printf {word} > {}", state.display()));
        let options = Options { on: write("on"), off: write("off"), probe: shell("exit 0"), timeout_ms: timeout_ms() };
        let switch = start(&options, &Place { slot: 1, scratch: "/tmp".into() }).await.unwrap();
        assert!(switch.probe().await.unwrap().contains("succeeded"));
        assert!(switch.switch(true).await.unwrap());
        assert_eq!(std::fs::read_to_string(&state).unwrap(), "on");
        assert!(switch.switch(false).await.unwrap());
        assert_eq!(std::fs::read_to_string(&state).unwrap(), "off");
    }

    #[tokio::test]
    async fn no_shell_reads_the_arguments() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("$(echo a) b; c");
        let touch = vec!["touch".to_owned(), file.display().to_string()];
        let options = Options { on: touch, off: shell("exit 0"), probe: Vec::new(), timeout_ms: timeout_ms() };
        let switch = start(&options, &Place { slot: 1, scratch: "/tmp".into() }).await.unwrap();
        assert!(switch.switch(true).await.unwrap());
        assert!(file.exists());
    }

    #[tokio::test]
    async fn a_failure_says_what_the_program_said() {
        let error =
            switch_of("echo port 3; echo relay is stuck >&2; exit 4", 20_000).await.switch(true).await.unwrap_err();
        let said = error.to_string();
        assert!(said.contains("exit status: 4") && said.contains("relay is stuck; port 3"), "{said}");
    }

    #[tokio::test]
    async fn a_late_program_is_killed_with_its_children() {
        let folder = tempfile::tempdir().unwrap();
        let id = folder.path().join("id");
        let script = format!("sleep 3600 & echo $! > {}; echo waiting; wait", id.display());
        let error = switch_of(&script, 2_000).await.switch(true).await.unwrap_err().to_string();
        assert!(error.contains("2000 ms") && error.contains("waiting"), "{error}");
        let child: i32 = std::fs::read_to_string(&id).unwrap().trim().parse().unwrap();
        let child = rustix::process::Pid::from_raw(child).unwrap();
        let began = std::time::Instant::now();
        while rustix::process::test_kill_process(child).is_ok() && !is_dead(child) {
            assert!(began.elapsed() < Duration::from_secs(30), "the child lives on");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Killed, and not yet waited for by whoever inherited it.
    fn is_dead(process: rustix::process::Pid) -> bool {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", process.as_raw_nonzero())).unwrap_or_default();
        stat.rsplit(')').next().is_none_or(|rest| rest.trim_start().starts_with(['Z', 'X']) || rest.is_empty())
    }

    #[tokio::test]
    async fn what_a_program_leaves_behind_is_not_waited_for() {
        // It keeps the output open.
        let switch = switch_of("sleep 2 & exit 0", 60_000).await;
        assert!(switch.switch(true).await.unwrap());
    }

    #[test]
    fn wrong_options_are_told_with_key_and_remedy() {
        let options = |on: &[&str], timeout_ms| Options {
            on: on.iter().map(|word| (*word).to_owned()).collect(),
            off: shell("exit 0"),
            probe: Vec::new(),
            timeout_ms,
        };
        let said = |options: Options| options.check().unwrap_err().to_string();
        assert!(said(options(&[], 1_000)).contains("`on` is empty"));
        let missing = said(options(&["no-such-relay", "on"], 1_000));
        assert!(missing.contains("\"no-such-relay\" is not on PATH; install it, or correct `on`"), "{missing}");
        assert!(said(options(&["true"], 0)).contains("`timeout_ms` is 0"));
    }
}

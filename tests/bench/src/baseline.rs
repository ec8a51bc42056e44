//! HyperQueue as the baseline: a job queue in Rust that keeps a journal only if asked, on the same machine.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A HyperQueue server and one worker, stopped with their owner.
pub(crate) struct HyperQueue {
    program: PathBuf,
    folder: tempfile::TempDir,
    children: Vec<Child>,
}

impl HyperQueue {
    /// Starts both; `None` when no `hq` is named.
    pub(crate) fn start() -> Option<Self> {
        let program: PathBuf = std::env::var_os("HEADEND_HQ")?.into();
        let mut queue = Self { program, folder: tempfile::tempdir().expect("a folder"), children: Vec::new() };
        queue.spawn(&["server", "start"]);
        queue.wait_for(&["server", "info"]);
        queue.spawn(&["worker", "start"]);
        queue.wait_for(&["submit", "--wait", "--stdout", "none", "--stderr", "none", "true"]);
        Some(queue)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.arg("--server-dir").arg(self.folder.path()).args(arguments);
        command.current_dir(self.folder.path()).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command
    }

    fn spawn(&mut self, arguments: &[&str]) {
        self.children.push(self.command(arguments).spawn().expect("`hq` starts"));
    }

    fn wait_for(&self, arguments: &[&str]) {
        let start = Instant::now();
        while !self.command(arguments).status().is_ok_and(|status| status.success()) {
            assert!(start.elapsed() < Duration::from_secs(30), "`hq {}` does not succeed", arguments.join(" "));
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// Runs an array of so many tasks and gives tasks per second from submit to the last end.
    pub(crate) fn tasks_per_second(&self, tasks: u32, task: &[&str]) -> f64 {
        let array = format!("1-{tasks}");
        let mut arguments = vec!["submit", "--wait", "--array", &array, "--stdout", "none", "--stderr", "none", "--"];
        arguments.extend(task);
        let start = Instant::now();
        assert!(self.command(&arguments).status().is_ok_and(|status| status.success()), "the array ran");
        f64::from(tasks) / start.elapsed().as_secs_f64()
    }
}

impl Drop for HyperQueue {
    fn drop(&mut self) {
        let _ = self.command(&["server", "stop"]).status();
        for child in &mut self.children {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

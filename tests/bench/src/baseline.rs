//! HyperQueue as the baseline: a job queue in Rust, on the same machine in the same run, without a journal.

use std::path::Path;
use std::process::Command;

/// Runs one job of so many tasks and gives tasks per second from submit to the last end; `None` when no interpreter
/// with HyperQueue is named in `HEADEND_HQ`.
pub(crate) fn tasks_per_second(tasks: u32, task: &[&str]) -> Option<f64> {
    let python = std::env::var_os("HEADEND_HQ")?;
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("hyperqueue_baseline.py");
    let folder = tempfile::tempdir().expect("a folder");
    let output = Command::new(python)
        .arg(script)
        .arg(tasks.to_string())
        .args(task)
        .current_dir(folder.path())
        .output()
        .expect("HyperQueue's interpreter starts");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let rate = text.lines().last().and_then(|line| line.trim().parse().ok());
    assert!(rate.is_some(), "HyperQueue: {text}{}", String::from_utf8_lossy(&output.stderr));
    rate
}

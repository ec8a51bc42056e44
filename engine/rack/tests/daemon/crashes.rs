//! The daemon as a process of its own, killed at its named points and started again.

use std::process::{Child, Command};

use headend_model::run::Incomplete;
use headend_model::{Outcome, RunId};
use headend_rack::{Rack, RackOptions};

use crate::lab::Lab;
use crate::server::eventually;

const ENV_DAEMON: &str = "HEADEND_TEST_DAEMON";

/// Not a test: the body of the daemon's process. Does nothing in an ordinary test run.
#[tokio::test(flavor = "multi_thread")]
async fn daemon_process() {
    let Some(text) = std::env::var_os(ENV_DAEMON) else { return };
    let words: Vec<String> = text.to_str().unwrap().split('\n').map(str::to_owned).collect();
    let mut options = RackOptions::new(&words[0], "rack1", &words[1], 4).virtual_time(true);
    options.enrol_token = Some("once".into());
    options.witness = Some(words[2].clone().into());
    options.guest = crate::lab::guest();
    options.python.search = false;
    let rack = Rack::start(options).await.unwrap();
    rack.finished().await;
}

impl Lab {
    fn daemon(&self, crash_at: Option<&str>) -> Daemon {
        let folder = self.folder.path().join("rack").display().to_string();
        let words = [self.server.url.clone(), folder, self.witness().display().to_string()].join("\n");
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "crashes::daemon_process", "--nocapture"]).env(ENV_DAEMON, words);
        if let Some(point) = crash_at {
            command.env("HEADEND_CRASH_AT", point);
        }
        Daemon(command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null()).spawn().unwrap())
    }
}

/// Killed when the test is over, however it ends.
struct Daemon(Child);

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_any_point_it_loses_no_end_and_starts_nothing_twice() {
    let points = [
        "rack.before_journal:1",
        "rack.before_journal:3",
        "rack.after_journal:1",
        "rack.after_journal:2",
        "rack.after_start:1",
        "rack.after_start:3",
        "rack.after_end:1",
        "rack.after_end:2",
        "rack.before_report:3",
        "rack.after_report:3",
    ];
    let lab = Lab::new().await;
    let mut runs: Vec<RunId> = Vec::new();
    for point in points {
        let mut daemon = lab.daemon(Some(point));
        runs.extend(
            (1..=4).map(|slot| lab.server.submit("connect(); reserve_slot(1); press(\"Ok\"); result(PASS);", slot)),
        );
        eventually(&format!("the daemon dies at {point}"), || daemon.0.try_wait().unwrap()).await;
        let _life = lab.daemon(None);
        for run in &runs {
            let outcome = lab.server.outcome(*run).await;
            let cut_off = Outcome::Incomplete(Incomplete::RackLost);
            assert!(outcome.is_pass() || outcome == cut_off, "{point}: run {run} ended with {outcome}");
        }
    }
    for run in &runs {
        assert!(lab.count("drive_begin", run.0) <= 1, "run {run} was started twice");
        assert_eq!(lab.server.farm().ends.iter().filter(|end| end.claim.run == *run).count(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_life_kills_what_the_old_one_left() {
    let lab = Lab::new().await;
    let mut daemon = lab.daemon(None);
    let run = lab.server.submit("connect(); reserve_slot(1); loop { press(\"Ok\"); }", 1);
    eventually("it drives", || (lab.count("press", run.0) > 0).then_some(())).await;
    daemon.0.kill().unwrap();
    daemon.0.wait().unwrap();
    let _life = lab.daemon(None);
    assert_eq!(lab.server.outcome(run).await, Outcome::Incomplete(Incomplete::RackLost));
    let next = lab.server.submit("result(PASS);", 1);
    assert!(lab.server.outcome(next).await.is_pass());
}

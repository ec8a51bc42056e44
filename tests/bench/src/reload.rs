//! A policy is replaced again and again while the jobs that it orders queue: the longest pause between two starts, beside the same load
//! with nobody touching the plugin. Each new version has other code, so it is read, compiled in a child, linked and tried in full.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use headend_integration::Lab;
use headend_integration::client::{request, slots, test};
use headend_integration::lab::{guests, program, repository};
use headend_wire::api::{JobList, ModeRef, RunList, TestRequest};
use jiff::Timestamp;
use serde_json::json;

use crate::budgets::{Budgets, Limit};

const SLOTS: u16 = 16;
const JOBS: u64 = 1_000;
const POLICY: &str = "test-coverage";
/// From the end of one load to the begin of the next.
const BREATH: Duration = Duration::from_millis(100);
/// Longest pause in milliseconds.
const PAUSE: f64 = 50.0;

pub(crate) async fn run(budgets: &mut Budgets) {
    let (quiet, _) = pauses(false).await;
    let (busy, reloads) = pauses(true).await;
    println!(
        "{JOBS} jobs queue under {POLICY}: longest pause between two starts {:.1} ms (p99 {:.2} ms) with {reloads} reloads, \
         {:.1} ms (p99 {:.2} ms) without; ratio {:.2}",
        busy.longest,
        busy.p99,
        quiet.longest,
        quiet.p99,
        busy.longest / quiet.longest
    );
    budgets.judge("pause in dispatch while a policy is reloaded", busy.longest, Limit::AtMost(PAUSE), " ms");
}

/// Milliseconds between starts.
struct Pauses {
    longest: f64,
    p99: f64,
}

/// Plays the load; says how often the plugin was replaced meanwhile.
async fn pauses(reloading: bool) -> (Pauses, u32) {
    let lab = Lab::start(SLOTS).await;
    crate::upload_noops(&lab).await;
    let plugin = Plugin::new(lab.folder.path());
    plugin.load(&lab, 0);
    drain(&lab, true).await;
    let mut jobs = Vec::new();
    for _ in 0..JOBS {
        let one = TestRequest { mode: ModeRef::Name(POLICY.to_owned()), ..test("noop.rhai") };
        jobs.push(lab.client.submit(&request("queue", &slots("rack1", 1..=SLOTS), [one])).await.job);
    }
    drain(&lab, false).await;
    let mut reloads = 0;
    while any_open(&lab).await {
        if reloading {
            reloads += 1;
            plugin.load(&lab, reloads);
        }
        tokio::time::sleep(BREATH).await;
    }
    (between(&starts(&lab, &jobs).await), reloads)
}

async fn drain(lab: &Lab, on: bool) {
    let answer = lab.client.post("/racks/rack1/drain", &json!({ "on": on })).await;
    assert!(answer.status.is_success(), "{}", answer.text());
}

async fn any_open(lab: &Lab) -> bool {
    let open: JobList = lab.client.get("/jobs?state=open&limit=1").await.json();
    !open.jobs.is_empty()
}

/// When each run was leased, in milliseconds, sorted.
async fn starts(lab: &Lab, jobs: &[u64]) -> Vec<f64> {
    let mut all = Vec::new();
    for job in jobs {
        let list: RunList = lab.client.get(&format!("/jobs/{job}/runs")).await.json();
        let times = list.runs.iter().filter_map(|run| run.started.as_deref()?.parse::<Timestamp>().ok());
        all.extend(times.map(|time| time.as_microsecond() as f64 / 1e3));
    }
    all.sort_by(f64::total_cmp);
    assert_eq!(all.len(), jobs.len() * usize::from(SLOTS), "every run was started");
    all
}

fn between(starts: &[f64]) -> Pauses {
    let mut pauses: Vec<f64> = starts.windows(2).map(|pair| pair[1] - pair[0]).collect();
    pauses.sort_by(f64::total_cmp);
    Pauses { longest: pauses[pauses.len() - 1], p99: pauses[pauses.len() * 99 / 100] }
}

/// A policy in the box, in a folder of its own, whose code can be made another one.
struct Plugin {
    folder: PathBuf,
    code: Vec<u8>,
}

impl Plugin {
    fn new(home: &Path) -> Self {
        let folder = home.join("plugin");
        std::fs::create_dir_all(&folder).unwrap();
        let manifest = repository().join("plugins/policies").join(POLICY).join("headend-plugin.toml");
        std::fs::copy(manifest, folder.join("headend-plugin.toml")).unwrap();
        Self { folder, code: std::fs::read(guests().join("plugins").join(POLICY).join(Self::file())).unwrap() }
    }

    fn file() -> String {
        format!("{}.wasm", POLICY.replace('-', "_"))
    }

    fn load(&self, lab: &Lab, version: u32) {
        std::fs::write(self.folder.join(Self::file()), self.version(version)).unwrap();
        let mut command = Command::new(program());
        command.args(["--quiet", "plugin", "load"]).arg(&self.folder).stdout(Stdio::null());
        let status = command.env("HEADEND_CONFIG", lab.server_data().join("credentials.toml")).status().unwrap();
        assert!(status.success(), "the plugin is let in");
    }

    /// The same code with a custom section behind it: other content, so nothing of it is in any cache.
    fn version(&self, version: u32) -> Vec<u8> {
        let mut code = self.code.clone();
        let [a, b, c, d] = version.to_le_bytes();
        // Section 0, ten bytes: a name of five, and the version.
        code.extend([0, 10, 5, b'b', b'e', b'n', b'c', b'h', a, b, c, d]);
        code
    }
}

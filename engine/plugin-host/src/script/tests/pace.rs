//! What a warm run costs: many on one process. The figures go to standard output (`--nocapture`); nothing is judged by them.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use headend_wire::session::{GuestLimits, ScriptEnd};

use super::rack::{Guest, Outcome, session};

/// How many runs; the environment may ask for more.
fn runs() -> usize {
    std::env::var("HEADEND_PACE_RUNS").ok().and_then(|runs| runs.parse().ok()).unwrap_or(100)
}

#[test]
fn one_process_serves_many_runs_of_each_language() {
    let folder = tempfile::tempdir().unwrap();
    let rhai = folder.path().join("noop.rhai");
    fs::write(&rhai, "result(PASS);").unwrap();
    let silent = folder.path().join("silent.rhai");
    fs::write(&silent, "").unwrap();
    let wasm = assembled(folder.path(), "never-reports");
    let reports = assembled(folder.path(), "reports-twice");
    let example = super::examples::built("noop.wasm");
    let mut guest = Guest::start(None);
    for script in [&silent, &rhai, &wasm, &reports].into_iter().chain(&example) {
        let mut times: Vec<Duration> = (0..runs()).map(|_| timed(&mut guest, script)).collect();
        times.sort_unstable();
        let (least, middle) = (times[0], times[times.len() / 2]);
        println!("{}: {} runs, least {least:?}, median {middle:?}", script.display(), times.len());
    }
    assert_eq!(guest.finish().0, Some(0));
}

fn assembled(folder: &Path, name: &str) -> PathBuf {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../../tests/guests/wasm/{name}.wat"));
    let script = folder.join(name).with_extension("wasm");
    fs::write(&script, wat::parse_file(source).unwrap()).unwrap();
    script
}

fn timed(guest: &mut Guest, script: &Path) -> Duration {
    let start = Instant::now();
    let (outcome, _) = guest.run(session(script, &[]), &GuestLimits::default());
    let taken = start.elapsed();
    assert_eq!(outcome, Outcome::Said(ScriptEnd::Finished));
    taken
}

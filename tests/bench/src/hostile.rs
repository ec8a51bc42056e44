//! What hostile policies, hostile scripts and compile bombs cost those beside them: latencies of the server and of the rack, idle and
//! under attack, in one run on one lab.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Instant;

use headend_integration::client::{request, slots, test};
use headend_integration::hostile::{self, bomb, uploaded};
use headend_integration::{Client, Lab, eventually};
use headend_wire::api::{ModeRef, TestRequest};
use serde_json::json;

use crate::budgets::{Budgets, Limit};
use crate::measure::millis;

/// Jobs that are timed in each state.
const JOBS: usize = 1000;
/// Times idle that p99 may be under attack.
const MOST: f64 = 2.0;

/// One at a time, over and over, each on slots 3 to 5.
const POLICIES: [&str; 6] =
    ["loop-in-propose", "loop-of-fills", "memory-growth", "a-million-wishes", "rhai-slow-operations", "rhai-hoards"];
/// On slot 2.
const SCRIPTS: [&str; 4] =
    ["rhai/endless-loop.rhai", "rhai/array-growth.rhai", "wasm/endless-loop.wat", "wasm/memory-growth.wat"];

/// Figures of one state in milliseconds, sorted.
struct Latencies {
    /// From sending a job to its handle.
    submit: Vec<f64>,
    /// From acceptance to the start, as the server recorded them: the decision of a sound policy, in Rhai.
    decide: Vec<f64>,
    /// From asking for the job to seeing it.
    answer: Vec<f64>,
    /// From the start of a no-op run to its end.
    run: Vec<f64>,
}

/// Measures and judges.
pub(crate) async fn run(budgets: &mut Budgets) {
    let lab = Lab::start_with(5, &[("HEADEND_LEASE_MS", "60000")]).await;
    prepare(&lab).await;
    let _warm = measure(&lab, 50).await;
    let idle = measure(&lab, JOBS).await;
    let stop = Arc::new(AtomicBool::new(false));
    let blows = Arc::new(AtomicUsize::new(0));
    let attacks = [
        tokio::spawn(under_hostile_policies(lab.client.clone(), stop.clone(), blows.clone())),
        tokio::spawn(hostile_scripts(lab.client.clone(), stop.clone(), blows.clone())),
        tokio::spawn(bombs(lab.client.clone(), lab.folder.path().join("plugins/bomb"), stop.clone(), blows.clone())),
    ];
    eventually("the attack to begin", || async { (blows.load(Ordering::Relaxed) > 2).then_some(()) }).await;
    let attacked = measure(&lab, JOBS).await;
    stop.store(true, Ordering::Relaxed);
    for attack in attacks {
        attack.await.unwrap();
    }
    println!("{} hostile jobs and bombs during the attack", blows.load(Ordering::Relaxed));
    for (what, idle, attacked) in [
        ("submit, p99", idle.submit, attacked.submit),
        ("answer to a reader, p99", idle.answer, attacked.answer),
        ("decision of a sound policy, p99", idle.decide, attacked.decide),
        ("no-op run on a rack, p99", idle.run, attacked.run),
    ] {
        let (before, after) = (at(&idle, 0.99), at(&attacked, 0.99));
        println!(
            "{what}: idle {before:.2} ms (median {:.2}), under attack {after:.2} ms (median {:.2}); ratio {:.2}",
            at(&idle, 0.5),
            at(&attacked, 0.5),
            after / before
        );
        budgets.judge(format!("{what}, under attack beside idle"), after / before, Limit::AtMost(MOST), " times");
    }
}

fn at(sorted: &[f64], share: f64) -> f64 {
    sorted[((sorted.len() - 1) as f64 * share) as usize]
}

async fn prepare(lab: &Lab) {
    let noop = std::fs::read(headend_integration::lab::repository().join("examples/noop/noop.rhai")).unwrap();
    let mut files = vec![("noop.rhai".to_owned(), noop)];
    files.extend(SCRIPTS.map(hostile::script));
    let files: Vec<_> = files.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())).collect();
    lab.client.upload("public", &files).await;
    let spread = headend_integration::lab::repository().join("plugins/policies/spread");
    let answer = lab.client.post("/plugins/load", &json!({ "path": spread })).await;
    assert!(answer.status.is_success(), "{}", answer.text());
    for case in hostile::policies(&POLICIES) {
        case.load(lab).await;
    }
    let folder = lab.folder.path().join("plugins/bomb");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("p.wasm"), bomb()).unwrap();
    let manifest =
        "name = \"bomb\"\nversion = \"1\"\nkind = \"coverage-policy\"\nworld = \"2.0.0\"\nfile = \"p.wasm\"\n";
    std::fs::write(folder.join("headend-plugin.toml"), manifest).unwrap();
}

/// One no-op at a time on slot 1.
async fn measure(lab: &Lab, jobs: usize) -> Latencies {
    let mut all = Latencies { submit: Vec::new(), decide: Vec::new(), answer: Vec::new(), run: Vec::new() };
    for _ in 0..jobs {
        let mode = ModeRef::Name("spread".into());
        let one = TestRequest { slots_needed: Some(1), mode, ..test("noop.rhai") };
        let sent = Instant::now();
        let job = lab.client.submit(&request("timed", &slots("rack1", [1]), [one])).await.job;
        all.submit.push(sent.elapsed().as_secs_f64() * 1e3);
        let detail = lab.client.finished(job).await;
        assert_eq!(detail.item.passed, 1, "{:#?}", detail.run_list);
        let asked = Instant::now();
        lab.client.job(job).await;
        all.answer.push(asked.elapsed().as_secs_f64() * 1e3);
        let time = |at: &Option<String>| at.as_deref().map_or(f64::INFINITY, millis);
        all.decide.push((time(&detail.item.started) - millis(&detail.item.accepted)).max(0.0));
        all.run.push(time(&detail.item.ended) - time(&detail.item.started));
    }
    for figures in [&mut all.submit, &mut all.decide, &mut all.answer, &mut all.run] {
        figures.sort_by(f64::total_cmp);
    }
    all
}

/// Jobs under each of them in turn; who is put aside is let in again.
async fn under_hostile_policies(client: Client, stop: Arc<AtomicBool>, blows: Arc<AtomicUsize>) {
    for policy in POLICIES.iter().cycle() {
        if stop.load(Ordering::Relaxed) {
            return;
        }
        let one = TestRequest { mode: ModeRef::Name((*policy).into()), ..test("noop.rhai") };
        let job = client.submit(&request(policy, &slots("rack1", 3..=5), vec![one; 2])).await.job;
        assert_eq!(client.finished(job).await.item.passed, 6, "under {policy}");
        blows.fetch_add(1, Ordering::Relaxed);
        client.post(&format!("/plugins/{policy}/reload"), &json!({})).await;
    }
}

async fn hostile_scripts(client: Client, stop: Arc<AtomicBool>, blows: Arc<AtomicUsize>) {
    for script in SCRIPTS.iter().cycle() {
        if stop.load(Ordering::Relaxed) {
            return;
        }
        let job = client.submit(&request("hostile", &slots("rack1", [2]), [test(&uploaded(script))])).await.job;
        assert_eq!(client.finished(job).await.item.passed, 0, "{script}");
        blows.fetch_add(1, Ordering::Relaxed);
    }
}

async fn bombs(client: Client, folder: std::path::PathBuf, stop: Arc<AtomicBool>, blows: Arc<AtomicUsize>) {
    while !stop.load(Ordering::Relaxed) {
        let answer = client.post("/plugins/load", &json!({ "path": folder })).await;
        assert!(!answer.status.is_success(), "a bomb is let in");
        blows.fetch_add(1, Ordering::Relaxed);
    }
}

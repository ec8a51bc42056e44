//! How many entries a second become durable here: one caller, 64 callers, and one caller that does not wait.
//!
//! `cargo run -p headend-store --example appends [folder]`; a second time on the same folder it only opens it. Each entry carries an event and the rows that a short run
//! leaves: a feed item and an ended run.
#![allow(clippy::unwrap_used, reason = "an example stops at the first fault")]

use std::time::Instant;

use headend_model::{JobId, JobSpec, Outcome, Priority, RunId, TestIx, TestResult, Timestamp};
use headend_scheduler::Event;
use headend_store::{Entry, FeedItem, JobRow, Projection, RunRow, Store};

fn entry(run: u64) -> Entry {
    let ended = RunRow {
        run: RunId(run),
        job: JobId(1),
        test: TestIx(0),
        attempt: 1,
        rack: Some("rack1".parse().unwrap()),
        places: Vec::new(),
        leased: Some(Timestamp::EPOCH),
        ended: Timestamp::EPOCH,
        outcome: Outcome::Done { result: TestResult::Pass, comment: String::new() },
        why: None,
        public_tree: Some("ab".repeat(32)),
        private_tree: None,
    };
    let item = FeedItem {
        at: Timestamp::EPOCH,
        kind: "run_ended".to_owned(),
        job: Some(JobId(1)),
        run: Some(RunId(run)),
        text: format!("run {run} has passed"),
        data: serde_json::Value::Null,
    };
    let event = Event::Kill { job: JobId(run), by: "ann".parse().unwrap() };
    let projections = vec![Projection::RunEnded(Box::new(ended)), Projection::Feed(item)];
    Entry { at: Timestamp::EPOCH, event, projections }
}

fn report(what: &str, entries: u64, since: Instant) {
    println!("{what}: {:.0} entries/s", entries as f64 / since.elapsed().as_secs_f64());
}

#[tokio::main]
async fn main() {
    let temporary = tempfile::tempdir().unwrap();
    let folder = std::env::args().nth(1).map_or_else(|| temporary.path().to_owned(), Into::into);
    let since = Instant::now();
    let store = Store::open(&folder).await.unwrap();
    let recovered = store.recover().await.unwrap().events.len();
    println!("opened and recovered {recovered} events in {:?}", since.elapsed());
    if recovered > 0 {
        // A folder of an earlier call: how long does a long history take to open?
        return store.close().await;
    }
    let tests = Vec::new();
    let spec = JobSpec {
        name: "bench".into(),
        owner: "ann".parse().unwrap(),
        priority: Priority(5),
        targets: vec![],
        tests,
        policy_parameters: std::collections::BTreeMap::new(),
    };
    let job = JobRow::accepted(JobId(1), spec, RunId(1), 1, Timestamp::EPOCH);
    store.write(vec![Projection::JobAccepted(Box::new(job))]).await.unwrap();

    let since = Instant::now();
    for run in 0..2_000 {
        store.append(vec![entry(run)]).await.unwrap();
    }
    report("one caller, waiting for each", 2_000, since);

    let since = Instant::now();
    let callers = (1..=64_u64).map(|caller| {
        let store = store.clone();
        tokio::spawn(async move {
            for n in 0..500 {
                store.append(vec![entry(caller * 10_000 + n)]).await.unwrap();
            }
        })
    });
    for caller in callers.collect::<Vec<_>>() {
        caller.await.unwrap();
    }
    report("64 callers, each waiting for each", 32_000, since);

    let since = Instant::now();
    let mut tickets = Vec::new();
    for n in 0..50_000 {
        tickets.push(store.enqueue(vec![entry(1_000_000 + n)]).await.unwrap());
    }
    for ticket in tickets {
        ticket.committed().await.unwrap();
    }
    report("one caller, handing over ahead", 50_000, since);
    store.save_snapshot(84_000, Timestamp::EPOCH, vec![b'x'; 10_000_000]).await.unwrap();
    store.append(vec![Entry { at: Timestamp::EPOCH, event: Event::Tick, projections: vec![] }]).await.unwrap();
    store.close().await;
}

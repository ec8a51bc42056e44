//! What is timed, from outside: REST in, REST out, times as the server recorded them.

use headend_integration::Lab;
use headend_integration::client::{request, slots, test};
use headend_integration::eventually;
use headend_wire::api::{JobItem, JobList, TestRequest};
use jiff::Timestamp;

/// Runs a script `per_slot` times on every box and gives runs per second between the first lease and the last end.
pub(crate) async fn runs_per_second(lab: &Lab, script: &str, per_slot: usize) -> f64 {
    let tests = (0..per_slot).map(|_| test(script));
    let job = lab.client.submit(&request("bench", &slots("rack1", 1..=lab.slots), tests)).await.job;
    let item = finished(lab, job).await;
    assert_eq!(item.passed, item.runs, "every run passes: {item:#?}");
    f64::from(item.runs) / seconds(&item)
}

/// Waits without asking for thousands of runs each time: that would be what is measured.
async fn finished(lab: &Lab, job: u64) -> JobItem {
    eventually("the job to end", || async {
        let open: JobList = lab.client.get("/jobs?state=open&limit=5").await.json();
        open.jobs.iter().all(|item| item.job != job).then_some(())
    })
    .await;
    lab.client.job(job).await.item
}

fn seconds(item: &JobItem) -> f64 {
    let (Some(started), Some(ended)) = (&item.started, &item.ended) else { panic!("a finished job has times") };
    (millis(ended) - millis(started)) / 1e3
}

pub(crate) fn millis(time: &str) -> f64 {
    let time: Timestamp = time.parse().expect("RFC 3339");
    time.as_microsecond() as f64 / 1e3
}

/// Milliseconds from acceptance to the first start, sorted, one job at a time on one box.
pub(crate) async fn submit_to_start(lab: &Lab, script: &str, jobs: usize) -> Vec<f64> {
    let mut waits = Vec::with_capacity(jobs);
    for _ in 0..jobs {
        let one = TestRequest { slots_needed: Some(1), ..test(script) };
        let sent = std::time::Instant::now();
        let job = lab.client.submit(&request("latency", &slots("rack1", [1]), [one])).await.job;
        let acknowledged = sent.elapsed().as_secs_f64() * 1e3;
        let item = finished(lab, job).await;
        let started = item.started.as_deref().map_or(f64::INFINITY, millis);
        waits.push((started - millis(&item.accepted)).max(0.0) + acknowledged);
    }
    waits.sort_by(f64::total_cmp);
    waits
}

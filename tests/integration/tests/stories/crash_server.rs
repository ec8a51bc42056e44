//! The server dies at every bad moment; nothing acknowledged is lost, nothing runs twice.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use headend_integration::client::{request, slots, test};
use headend_integration::{Lab, eventually, witness};
use headend_wire::api::{ArtifactList, SubmitRequest};

use super::scripts;

/// Where the server is made to die, each at its n-th pass.
const POINTS: [&str; 10] = [
    "submit.before_append",
    "submit.after_commit",
    "dispatch.before_append",
    "dispatch.after_commit",
    "dispatch.after_send",
    "result.before_append",
    "result.after_commit",
    "result.before_ack",
    "heartbeat.after_commit",
    "snapshot.before",
];

/// Kills per point: 100 in all.
const KILLS_EACH: usize = 10;

fn job(name: &str) -> SubmitRequest {
    request(name, &slots("rack1", 1..=3), [test("a.rhai"), test("b.rhai")])
}

#[tokio::test]
async fn a_hundred_kills_lose_nothing_and_start_nothing_twice() {
    let mut lab = Lab::start(3).await;
    lab.client.upload("public", &[("a.rhai", scripts::PASS.as_bytes()), ("b.rhai", scripts::SLOW.as_bytes())]).await;
    let done = Arc::new(AtomicBool::new(false));
    let submitter = tokio::spawn(submit_forever(lab.client.clone(), done.clone()));
    let mut kills = 0;
    for round in 0..KILLS_EACH {
        for point in POINTS {
            kills += usize::from(die_at(&mut lab, point, 1 + round % 4).await);
        }
    }
    done.store(true, Ordering::Relaxed);
    lab.start_server(&[]);
    let acknowledged = submitter.await.unwrap();
    assert!(kills >= 90, "only {kills} of the crash points were reached");
    for (name, job) in &acknowledged {
        let detail = lab.client.finished(*job).await;
        assert_eq!(&detail.item.name, name, "handle {job} is another job now");
        let bad: Vec<_> = detail.run_list.iter().filter(|run| run.result != 111).collect();
        assert!(bad.is_empty(), "job {job}: {bad:#?}\n{}", lab.logs());
        assert_eq!(detail.run_list.len(), 6);
    }
    witness::judge(&witness::read(&lab.witness()));
}

/// Starts the server with the bomb armed and waits until it has gone off. A point that is not passed within the time
/// is defused by a plain kill; `false` then.
async fn die_at(lab: &mut Lab, point: &str, pass: usize) -> bool {
    if let Some(server) = lab.server.as_mut() {
        server.kill();
    }
    lab.start_server(&[("HEADEND_CRASH_AT", &format!("{point}:{pass}")), ("HEADEND_SNAPSHOT_EVERY", "20")]);
    let server = lab.server.as_mut().unwrap();
    let start = std::time::Instant::now();
    while server.ended().is_none() {
        if start.elapsed() > std::time::Duration::from_secs(20) {
            eprintln!("{point}:{pass} was not passed");
            return false;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    true
}

/// Hands in one job after the other, each until it is acknowledged, a few open at a time.
async fn submit_forever(client: headend_integration::Client, done: Arc<AtomicBool>) -> Vec<(String, u64)> {
    let mut acknowledged = Vec::new();
    while !done.load(Ordering::Relaxed) {
        let name = format!("job-{}", acknowledged.len());
        let answer = client.submit_until_acknowledged(&job(&name), &name).await;
        acknowledged.push((name, answer.job));
        if let Some((_, earlier)) = acknowledged.len().checked_sub(4).map(|i| acknowledged[i].clone()) {
            client.finished(earlier).await;
        }
    }
    acknowledged
}

/// Leaves a log and a picture.
const PICTURE: &str = r#"
    connect("any server", "story");
    reserve_slot(1);
    log("a picture comes");
    capture("one.png");
    result(PASS);
"#;

#[tokio::test]
async fn what_a_run_leaves_outlives_a_server_that_dies_while_it_takes_it() {
    let mut lab = Lab::start(1).await;
    lab.client.upload("public", &[("picture.rhai", PICTURE.as_bytes())]).await;
    let incoming = lab.server_data().join("runs/incoming");
    let halves = || std::fs::read_dir(&incoming).unwrap().count();
    for (point, left) in [("artifact.before_rename", 1), ("artifact.before_ack", 0)] {
        lab.server.as_mut().unwrap().kill();
        lab.start_server(&[("HEADEND_CRASH_AT", point)]);
        lab.server_ready().await;
        lab.rack_online().await;
        let job = lab.client.submit(&request(point, &slots("rack1", [1]), [test("picture.rhai")])).await.job;
        let server = lab.server.as_mut().unwrap();
        eventually(point, || std::future::ready(server.ended())).await;
        assert!(halves() >= left, "{point}: nothing was on its way");

        lab.start_server(&[]);
        lab.server_ready().await;
        let detail = lab.client.finished(job).await;
        assert_eq!(detail.run_list[0].result, 111, "{:?}\n{}", detail.run_list, lab.logs());
        let run = detail.run_list[0].run;
        let all = lab.folder.path().join(format!("rack1/runs/{run}-1/.delivered"));
        eventually("the files of the run", || std::future::ready(all.exists().then_some(()))).await;
        let list: ArtifactList = lab.client.get(&format!("/runs/{run}/files")).await.json();
        let of = |ending: &str| list.files.iter().any(|file| file.path.ends_with(ending));
        assert!(of("log.jsonl") && of("logfile.html") && of(".png"), "{point}: {:?}", list.files);
        for file in list.files {
            let kept = lab.client.get(&format!("/runs/{run}/files/{}", file.path)).await.body;
            assert!(kept.len() as u64 == file.size && file.size > 0, "{point}: {file:?} is not whole");
        }
        assert_eq!(halves(), 0, "{point}: the half of a file was not removed");
    }
}

#[tokio::test]
async fn an_orderly_stop_and_start_goes_on_where_it_was() {
    let mut lab = Lab::start(2).await;
    lab.client.upload("public", &[("a.rhai", scripts::PASS.as_bytes())]).await;
    let first = lab.client.submit(&request("first", &slots("rack1", 1..=2), [test("a.rhai")])).await.job;
    let before = lab.client.finished(first).await;
    let status = lab.server.as_mut().unwrap().stop();
    assert!(status.success(), "{status}: {}", lab.logs());
    lab.start_server(&[]);
    lab.server_ready().await;
    assert_eq!(lab.client.job(first).await, before);
    let second = lab.client.submit(&request("second", &slots("rack1", 1..=2), [test("a.rhai")])).await.job;
    assert!(second > first);
    assert_eq!(lab.client.finished(second).await.item.passed, 2);
    lab.rack_online().await;
}

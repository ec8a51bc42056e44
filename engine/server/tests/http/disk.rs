//! A disk that is full for a while, and one that fails.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use headend_store::{Fault, FaultHook};
use reqwest::StatusCode;
use serde_json::json;

use crate::support::{Lab, job};

const SOUND: u8 = 0;
const FULL: u8 = 1;
const BROKEN: u8 = 2;

/// A lab whose disk can be told to fail.
async fn lab_on(disk: &Arc<AtomicU8>) -> Lab {
    let disk = disk.clone();
    let hook = FaultHook::new(move |_| match disk.load(Ordering::SeqCst) {
        FULL => Some(Fault::Full),
        BROKEN => Some(Fault::Io),
        _ => None,
    });
    Lab::start_with(move |options| options.store.faults = Some(hook.clone())).await
}

#[tokio::test]
async fn a_full_disk_refuses_writes_answers_reads_and_recovers() {
    let disk = Arc::new(AtomicU8::new(SOUND));
    let lab = lab_on(&disk).await;
    lab.upload("a.py", "").await;
    let mut rack = lab.rack("rack1", 2).await;
    let before = lab.client.submit("a.py", &[1]).await;
    rack.take().await;

    disk.store(FULL, Ordering::SeqCst);
    let refused = lab.client.post("/api/v1/jobs", &job("a.py", &[2])).await;
    assert_eq!((refused.status.as_u16(), refused.problem().as_str()), (507, "storage_full"));
    assert!(refused.headers.contains_key("retry-after"));
    let kill = lab.client.post(&format!("/api/v1/jobs/{before}/kill"), &json!({})).await;
    assert_eq!(kill.problem(), "storage_full");
    let list = lab.client.get("/api/v1/jobs").await.ok(StatusCode::OK);
    assert_eq!(list["jobs"].as_array().unwrap().len(), 1, "what was refused has not happened");
    assert_eq!(lab.client.job(before).await["running"], json!(1));

    disk.store(SOUND, Ordering::SeqCst);
    let after = lab.client.submit("a.py", &[2]).await;
    rack.take().await;
    rack.pass().await;
    rack.pass().await;
    for handle in [before, after] {
        assert_eq!(lab.client.job(handle).await["passed"], json!(1));
    }
}

#[tokio::test]
async fn a_failing_disk_stops_the_server_and_loses_nothing_acknowledged() {
    let disk = Arc::new(AtomicU8::new(SOUND));
    let mut lab = lab_on(&disk).await;
    lab.upload("a.py", "").await;
    lab.rack("rack1", 1).await;
    let handle = lab.client.submit("a.py", &[1]).await;
    disk.store(BROKEN, Ordering::SeqCst);
    let refused = lab.client.post("/api/v1/jobs", &job("a.py", &[1])).await;
    assert_eq!(refused.problem(), "unavailable");
    let ended = lab.server.take().unwrap().wait(std::future::pending()).await;
    assert!(matches!(ended, Err(headend_server::ServeError::Loop(_))), "{ended:?}");

    disk.store(SOUND, Ordering::SeqCst);
    lab.restart().await;
    assert_eq!(lab.client.job(handle).await["job"], json!(handle));
}

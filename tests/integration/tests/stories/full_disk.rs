//! The server's disk is full for a while: a real file system of its own, filled and freed under the running server.

use headend_integration::client::{request, slots, test};
use headend_integration::{Gate, Lab, SmallDisk, eventually, witness};
use headend_wire::api::{JobDetail, JobList, SubmitAnswer, SubmitRequest, TestRequest};

use super::scripts::{self, python};

fn one(script: &str, slot: u16) -> SubmitRequest {
    request(script, &slots("rack1", [slot]), [TestRequest { time_limit_s: Some(600), ..test(script) }])
}

async fn known(lab: &Lab) -> Vec<u64> {
    let list: JobList = lab.client.get("/jobs?state=all").await.json();
    let mut jobs: Vec<u64> = list.jobs.iter().map(|item| item.job).collect();
    jobs.sort_unstable();
    jobs
}

/// The first run of a job, once it is leased and drives.
async fn driving(lab: &Lab, job: u64) -> u64 {
    let run = eventually("the run to be leased", || async {
        lab.client.job(job).await.run_list.first().map(|run| run.run).filter(|run| *run > 0)
    })
    .await;
    lab.witnessed(run, witness::BEGIN).await;
    run
}

fn end(detail: &JobDetail) -> (u16, &str) {
    (detail.run_list[0].result, detail.run_list[0].comment.as_str())
}

/// Submits a job on slot 2; `None`: refused because the disk is full.
async fn taken(lab: &Lab) -> Option<u64> {
    let answer = lab.client.post("/jobs", &one("b.rhai", 2)).await;
    if answer.status.is_success() {
        return Some(answer.json::<SubmitAnswer>().job);
    }
    assert_eq!((answer.status.as_u16(), answer.problem().code.as_str()), (507, "storage_full"), "{}", answer.text());
    None
}

#[tokio::test]
async fn a_full_disk_of_the_server_refuses_submits_and_loses_no_result() {
    let folder = tempfile::Builder::new().prefix("headend-lab-").tempdir().unwrap();
    let Some(disk) = SmallDisk::mount(&folder.path().join("server"), 64) else { return };
    let mut lab = Lab::start_in(folder, 3, &[("HEADEND_LEASE_MS", "8000")]).await;
    let gate = Gate::closed();
    let waits = python(&format!("{}StormTest.ReturnTestResult(TM.PASS)", gate.wait()));
    let endless = "connect(\"s\", \"\"); reserve_slot(1); loop { press(\"Menu\"); wait(1.0); }";
    let files = [("a.py", waits.as_bytes()), ("b.rhai", scripts::PASS.as_bytes()), ("c.rhai", endless.as_bytes())];
    lab.client.upload("public", &files).await;
    let passes = lab.client.submit(&one("a.py", 1)).await.job;
    let cut_off = lab.client.submit(&one("c.rhai", 3)).await.job;
    let (passing, cut) = (driving(&lab, passes).await, driving(&lab, cut_off).await);

    let mut jobs = vec![passes, cut_off];
    disk.fill();
    // What the database has set aside takes a few more.
    while let Some(job) = taken(&lab).await {
        jobs.push(job);
        disk.fill();
    }
    // Reading goes on, and nothing is half done.
    assert_eq!(known(&lab).await, jobs);
    gate.open();
    lab.witnessed(passing, witness::END).await;
    // The rack hears nothing from a server that cannot write, and stops what is left by itself.
    lab.witnessed(cut, witness::END).await;
    // So long that leases would be over here too, if they could be: the fault is held, nothing is waited for.
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    assert_eq!(taken(&lab).await, None);

    disk.free();
    let detail = lab.client.finished(passes).await;
    assert_eq!(end(&detail).0, 111, "{:?}\n{}", detail.run_list, lab.logs());
    let detail = lab.client.finished(cut_off).await;
    assert!(end(&detail).0 == 1 && end(&detail).1.contains("lease"), "{:?}\n{}", detail.run_list, lab.logs());
    for job in &jobs[2..] {
        assert_eq!(end(&lab.client.finished(*job).await).0, 111, "job {job}\n{}", lab.logs());
    }
    let next = eventually("a submit to be taken again", || taken(&lab)).await;
    assert_eq!(end(&lab.client.finished(next).await).0, 111, "{}", lab.logs());
    jobs.push(next);
    assert_eq!(known(&lab).await, jobs);
    assert!(lab.server.as_mut().unwrap().ended().is_none() && lab.rack.as_mut().unwrap().ended().is_none());
    witness::judge(&witness::read(&lab.witness()));
}

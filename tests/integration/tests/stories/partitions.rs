//! Server and rack lose sight of each other: a kill on its way, a rack that stands still, a server that is away.

use headend_integration::client::{request, slots, test};
use headend_integration::{Gate, Lab, eventually, witness};
use headend_wire::api::{JobDetail, TestRequest};

use super::scripts::{self, python};

/// Drives its box until somebody stops it.
const ENDLESS: &str = r#"
    connect("any server", "story");
    reserve_slot(1);
    loop { press("Menu"); wait(1.0); }
"#;

const PRESS: &str = "press";

/// Submits one test on one slot; the handle.
async fn submit(lab: &Lab, slot: u16, script: &str) -> u64 {
    let one = TestRequest { time_limit_s: Some(600), ..test(script) };
    lab.client.submit(&request(script, &slots("rack1", [slot]), [one])).await.job
}

/// The run of a job with one run, once it is leased.
async fn run_of(lab: &Lab, job: u64) -> u64 {
    eventually("the run to be leased", || async {
        lab.client.job(job).await.run_list.first().map(|run| run.run).filter(|run| *run > 0)
    })
    .await
}

fn result(detail: &JobDetail) -> (u16, &str) {
    (detail.run_list[0].result, detail.run_list[0].comment.as_str())
}

#[tokio::test]
async fn a_kill_that_meets_the_offer_on_its_way_frees_the_slot_at_once() {
    // To wait for the end of a lease would take longer than any story waits.
    let patient = [("HEADEND_LEASE_MS", "300000"), ("HEADEND_KILL_BOUND_MS", "300000")];
    let lab = Lab::start_with(1, &patient).await;
    lab.client.upload("public", &[("a.rhai", ENDLESS.as_bytes()), ("b.rhai", scripts::PASS.as_bytes())]).await;
    let mut killed = Vec::new();
    for round in 0..20 {
        let standstill = round % 2 == 0;
        if standstill {
            // What is said now reaches the rack only after the kill.
            lab.rack.as_ref().unwrap().pause();
        }
        let job = submit(&lab, 1, "a.rhai").await;
        let answer = lab.client.post(&format!("/jobs/{job}/kill"), &serde_json::json!({})).await;
        assert!(answer.status.is_success(), "{}", answer.text());
        if standstill {
            lab.rack.as_ref().unwrap().resume();
        }
        let detail = lab.client.finished(job).await;
        assert_eq!(detail.item.status, 3, "{}\n{}", detail.item.status_text, lab.logs());
        let run = detail.run_list[0].run;
        let (begun, ended) = (lab.sightings(run, witness::BEGIN), lab.sightings(run, witness::END));
        assert_eq!(begun, ended, "run {run} was still driving when it was called stopped\n{}", lab.logs());
        killed.push((run, begun, lab.sightings(run, PRESS)));
    }
    let last = submit(&lab, 1, "b.rhai").await;
    assert_eq!(result(&lab.client.finished(last).await).0, 111, "{}", lab.logs());
    for (run, begun, pressed) in killed {
        let now = (lab.sightings(run, witness::BEGIN), lab.sightings(run, PRESS));
        assert_eq!(now, (begun, pressed), "run {run} drove its box after it was stopped");
    }
    witness::judge(&witness::read(&lab.witness()));
}

#[tokio::test]
async fn a_rack_that_stood_still_past_its_lease_stops_the_run_first() {
    let lab = Lab::start(1).await;
    lab.client.upload("public", &[("a.rhai", ENDLESS.as_bytes()), ("b.rhai", scripts::PASS.as_bytes())]).await;
    let old = submit(&lab, 1, "a.rhai").await;
    let old_run = run_of(&lab, old).await;
    lab.witnessed(old_run, PRESS).await;
    lab.rack.as_ref().unwrap().pause();
    let detail = lab.client.finished(old).await;
    assert!(result(&detail).1.contains("rack lost"), "{:?}", detail.run_list);
    let pressed = lab.sightings(old_run, PRESS);
    let next = submit(&lab, 1, "b.rhai").await;
    lab.rack.as_ref().unwrap().resume();
    assert_eq!(result(&lab.client.finished(next).await).0, 111, "{}", lab.logs());
    lab.witnessed(old_run, witness::END).await;
    let seen = witness::read(&lab.witness());
    let place = |run: Option<u64>, what: &str| {
        seen.iter().rposition(|line| line.what == what && run.map_or(line.run != old_run, |run| line.run == run))
    };
    assert!(place(Some(old_run), witness::END) < place(None, witness::BEGIN), "{}", lab.logs());
    // A key that was on its way to the box when the rack was stopped may have arrived; none was pressed after waking.
    assert!(lab.sightings(old_run, PRESS) <= pressed + 1, "{}", lab.logs());
    assert_eq!(lab.client.job(old).await.run_list.len(), 1);
    witness::judge(&seen);
}

/// The farm takes a rack for alive until three heartbeats are missed. What it leases meanwhile to a daemon that is gone is
/// run by the next one on the same folder, at once, and not lost with the lease.
#[tokio::test]
async fn what_is_leased_to_a_daemon_that_is_gone_runs_on_its_successor() {
    let terms = [("HEADEND_LEASE_MS", "300000"), ("HEADEND_HEARTBEAT_MS", "1000")];
    let mut lab = Lab::start_with(2, &terms).await;
    lab.client.upload("public", &[("a.rhai", scripts::PASS.as_bytes())]).await;
    for round in 0..2 {
        // In order, and not: an orderly end says nothing of what comes after it.
        let mut rack = lab.rack.take().unwrap();
        if round == 0 {
            rack.kill();
        } else {
            rack.stop();
        }
        let (job, killed) = (submit(&lab, 1, "a.rhai").await, submit(&lab, 2, "a.rhai").await);
        let answer = lab.client.post(&format!("/jobs/{killed}/kill"), &serde_json::json!({})).await;
        assert!(answer.status.is_success(), "{}", answer.text());
        lab.start_rack(&[]).await;
        let detail = lab.client.finished(job).await;
        assert_eq!(result(&detail).0, 111, "{:?}\n{}", detail.run_list, lab.logs());
        let detail = lab.client.finished(killed).await;
        assert_eq!(detail.item.status, 3, "{}\n{}", detail.item.status_text, lab.logs());
    }
    witness::judge(&witness::read(&lab.witness()));
}

#[tokio::test]
async fn a_server_that_was_away_past_the_leases_gets_each_result_once() {
    let mut lab = Lab::start_with(3, &[("HEADEND_LEASE_MS", "8000")]).await;
    let gate = Gate::closed();
    // A key says that the script is there and at work: a run begins before its files are fetched.
    let waits = python(&format!("StormTest.PressButton('Ok')\n{}StormTest.ReturnTestResult(TM.PASS)", gate.wait()));
    lab.client.upload("public", &[("a.py", waits.as_bytes()), ("b.rhai", ENDLESS.as_bytes())]).await;
    let jobs = [submit(&lab, 1, "a.py").await, submit(&lab, 2, "a.py").await, submit(&lab, 3, "b.rhai").await];
    let mut runs = Vec::new();
    for job in jobs {
        let run = run_of(&lab, job).await;
        lab.witnessed(run, PRESS).await;
        runs.push(run);
    }
    lab.server.as_mut().unwrap().kill();
    gate.open();
    for run in &runs {
        // The third one by the end of its lease: nobody else could stop it.
        lab.witnessed(*run, witness::END).await;
    }
    lab.start_server(&[("HEADEND_LEASE_MS", "8000")]);
    let mut ends = Vec::new();
    for job in jobs {
        let detail = lab.client.finished(job).await;
        assert_eq!(detail.run_list.len(), 1, "{detail:#?}");
        ends.push((detail.run_list[0].result, detail.run_list[0].comment.clone()));
    }
    assert_eq!((ends[0].0, ends[1].0, ends[2].0), (111, 111, 1), "{ends:?}\n{}", lab.logs());
    assert!(ends[2].1.contains("lease"), "{ends:?}");
    let next = submit(&lab, 3, "a.py").await;
    assert_eq!(result(&lab.client.finished(next).await).0, 111, "{}", lab.logs());
    witness::judge(&witness::read(&lab.witness()));
}

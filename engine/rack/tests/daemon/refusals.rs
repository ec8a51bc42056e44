//! What a rack does not take: for a while, or for ever.

use headend_model::Outcome;
use headend_rack::Rack;

use crate::lab::Lab;
use crate::server::eventually;

#[tokio::test(flavor = "multi_thread")]
async fn a_full_outbox_takes_no_new_run_says_why_and_goes_on_when_it_drains() {
    let lab = Lab::new().await;
    let mut options = lab.options();
    options.outbox = 2;
    let rack = Rack::start(options).await.unwrap();
    assert!(rack.ready().await);
    lab.server.farm().acknowledge = false;
    for slot in 1..=2 {
        let run = lab.server.submit("result(PASS);", slot);
        assert!(lab.server.outcome(run).await.is_pass());
    }
    let reason = eventually("it says that it takes nothing", || lab.server.farm().not_taking.clone()).await;
    assert!(reason.contains("outbox is full: 2 results wait"), "{reason}");
    let waits = lab.server.submit("result(PASS);", 3);
    // Offered again and again meanwhile: each exchange of these heartbeats brings it.
    let reports = lab.server.farm().reports;
    eventually("a few exchanges", || (lab.server.farm().reports > reports + 5).then_some(())).await;
    assert_eq!(lab.count("drive_begin", waits.0), 0);
    assert!(lab.server.farm().declined.is_empty(), "it waits: it is not refused for ever");
    lab.server.farm().acknowledge = true;
    assert!(lab.server.outcome(waits).await.is_pass());
    eventually("it takes runs again", || lab.server.farm().not_taking.is_none().then_some(())).await;
    rack.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_lease_never_starts_however_late_its_offer_comes() {
    let lab = Lab::new().await;
    let rack = lab.rack().await;
    let order = lab.server.order(("test.rhai", "result(PASS);"), &[1]);
    let run = order.lease.run;
    let told = |times: usize| {
        move |lab: &Lab| {
            let farm = lab.server.farm();
            (farm.declined.iter().filter(|declined| declined.claim.run == run).count() >= times).then_some(())
        }
    };
    lab.server.farm().refuse = vec![order.lease.clone()];
    eventually("it is told as not started", || told(1)(&lab)).await;
    lab.server.farm().refuse.clear();
    // The offer was on its way all the time.
    lab.server.farm().haunting = vec![order.clone()];
    let before = lab.server.farm().declined.len();
    eventually("the late offer is refused", || told(before + 1)(&lab)).await;
    rack.stop().await;
    // The next life has it from the journal.
    let rack = lab.rack().await;
    let before = lab.server.farm().declined.len();
    eventually("refused by the next life", || told(before + 1)(&lab)).await;
    lab.server.farm().haunting.clear();
    let next = lab.server.submit("result(PASS);", 1);
    assert!(lab.server.outcome(next).await.is_pass());
    assert_eq!(lab.count("drive_begin", run.0), 0);
    rack.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_of_a_run_that_was_taken_stops_it() {
    let lab = Lab::new().await;
    let rack = lab.rack().await;
    let order = lab.server.order(("test.rhai", "connect(); reserve_slot(1); loop { press(\"Ok\"); wait(1); }"), &[1]);
    let run = lab.server.lease(order.clone());
    eventually("it drives", || (lab.count("press", run.0) > 0).then_some(())).await;
    lab.server.farm().refuse = vec![order.lease];
    assert_eq!(lab.server.outcome(run).await, Outcome::Killed);
    // Refused once more after its end was acknowledged it is unknown to the rack, and may be declined.
    assert!(lab.server.farm().not_started.is_empty());
    rack.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_offer_that_comes_again_and_again_starts_once() {
    let lab = Lab::new().await;
    let rack = lab.rack().await;
    lab.server.farm().acknowledge = false;
    let order = lab.server.order(("test.rhai", "connect(); reserve_slot(1); press(\"Ok\"); result(PASS);"), &[1]);
    lab.server.farm().haunting = vec![order.clone(), order.clone()];
    let run = lab.server.lease(order);
    assert!(lab.server.outcome(run).await.is_pass());
    // Its end waits in the outbox, and the offer still comes with each answer.
    let reports = lab.server.farm().reports;
    eventually("a few exchanges", || (lab.server.farm().reports > reports + 5).then_some(())).await;
    lab.server.farm().acknowledge = true;
    eventually("known as over", || (!lab.server.farm().declined.is_empty()).then_some(())).await;
    lab.server.farm().haunting.clear();
    let ends = lab.server.farm().ends.iter().filter(|end| end.claim.run == run).count();
    assert_eq!((lab.count("drive_begin", run.0), ends), (1, 1));
    rack.stop().await;
}

//! The lease rule from the rack's side.

use headend_model::run::Incomplete;
use headend_model::{Epoch, Outcome, Span};
use headend_rack::Rack;

use crate::lab::Lab;
use crate::server::eventually;

const ENDLESS: &str = "connect(); reserve_slot(1); loop { press(\"Ok\"); wait(1); }";

#[tokio::test(flavor = "multi_thread")]
async fn a_run_stops_by_itself_when_its_lease_ends() {
    let lab = Lab::new().await;
    lab.server.farm().terms.length = Span::seconds(3);
    let rack = lab.rack().await;
    let run = lab.server.submit(ENDLESS, 1);
    eventually("it drives", || (lab.count("press", run.0) > 0).then_some(())).await;
    lab.server.farm().away = true;
    eventually("it has stopped", || (lab.count("drive_end", run.0) == 1).then_some(())).await;
    let presses = lab.count("press", run.0);
    lab.server.farm().away = false;
    assert_eq!(lab.server.outcome(run).await, Outcome::Incomplete(Incomplete::LeaseExpired));
    assert_eq!(lab.count("press", run.0), presses, "nothing was pressed after the end");
    rack.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_short_absence_of_the_server_disturbs_nothing() {
    let lab = Lab::new().await;
    let rack = lab.rack().await;
    let run = lab.server.submit("connect(); reserve_slot(1); for i in 0..300 { press(\"Ok\"); } result(PASS);", 1);
    eventually("it drives", || (lab.count("press", run.0) > 0).then_some(())).await;
    lab.server.farm().away = true;
    eventually("it is done", || (lab.count("drive_end", run.0) == 1).then_some(())).await;
    lab.server.farm().away = false;
    assert!(lab.server.outcome(run).await.is_pass());
    rack.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_epoch_that_was_seen_starts_nothing() {
    let lab = Lab::new().await;
    let rack = lab.rack().await;
    let order = lab.server.order(("test.rhai", "result(PASS);"), &[1]);
    let run = lab.server.lease(order.clone());
    assert!(lab.server.outcome(run).await.is_pass());
    // The same order again and again, and another run under the old epoch: late messages.
    let mut old = order.clone();
    old.lease.run.0 += 1_000;
    old.lease.targets[0].slot_epoch = Epoch(1);
    let stale = old.lease.run;
    lab.server.farm().haunting = vec![order, old];
    eventually("the stale one is declined", || {
        lab.server.farm().declined.iter().any(|declined| declined.claim.run == stale).then_some(())
    })
    .await;
    lab.server.farm().haunting.clear();
    let next = lab.server.submit("result(PASS);", 1);
    assert!(lab.server.outcome(next).await.is_pass());
    assert_eq!((lab.count("drive_begin", run.0), lab.count("drive_begin", stale.0)), (1, 0));
    rack.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_life_tells_the_old_ones_ends_and_starts_nothing_twice() {
    let lab = Lab::new().await;
    let rack = lab.rack().await;
    lab.server.farm().acknowledge = false;
    let done = lab.server.submit("result(PASS);", 1);
    assert!(lab.server.outcome(done).await.is_pass());
    rack.stop().await;
    lab.server.farm().ends.clear();
    lab.server.farm().acknowledge = true;
    let rack = lab.rack().await;
    assert!(lab.server.outcome(done).await.is_pass(), "told again, from the journal");
    let ready = lab.server.farm().ready.last().cloned().unwrap();
    assert_eq!(ready.slots[0].epoch, 1, "the new life knows the epochs");
    assert_eq!(ready.dut_epochs, [(7_001, 1)]);
    assert_eq!(lab.count("drive_begin", done.0), 1);
    rack.stop().await;
}

/// What the server granted to one of them and the journal does not know was never started: the server may offer it again.
#[tokio::test(flavor = "multi_thread")]
async fn a_life_names_those_before_it_on_its_folder_and_no_others() {
    let lab = Lab::new().await;
    let mut lives = Vec::new();
    for _ in 0..3 {
        let rack = lab.rack().await;
        let ready = lab.server.farm().ready.last().cloned().unwrap();
        assert_eq!(ready.former, lives);
        lives.push(rack.incarnation());
        rack.stop().await;
    }
    // A copy of the folder knows the epochs, and not whether the original is alive.
    let mut options = lab.options();
    let copy = options.data.with_extension("copy");
    std::fs::create_dir(&copy).unwrap();
    for file in ["journal", "slots", "token"] {
        std::fs::copy(options.data.join(file), copy.join(file)).unwrap();
    }
    options.data = copy;
    let rack = Rack::start(options).await.unwrap();
    assert!(rack.ready().await);
    let ready = lab.server.farm().ready.last().cloned().unwrap();
    assert_eq!(ready.former, Vec::<u64>::new());
    rack.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_daemon_on_the_folder_is_refused() {
    let lab = Lab::new().await;
    let rack = lab.rack().await;
    let error = Rack::start(lab.options()).await.unwrap_err().to_string();
    assert!(error.contains(&format!("process id {}", std::process::id())), "{error}");
    rack.stop().await;
}

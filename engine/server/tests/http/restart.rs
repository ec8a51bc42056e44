//! What was acknowledged is there after a restart.

use headend_wire::rack::{Beat, Exchange};
use reqwest::StatusCode;
use serde_json::json;

use crate::support::{Client, FakeRack, Lab, job};

fn moved(rack: FakeRack, lab: &Lab) -> FakeRack {
    FakeRack { client: Client { token: rack.client.token.clone(), ..lab.client.clone() }, ..rack }
}

#[tokio::test]
async fn jobs_tokens_racks_and_files_outlive_a_restart() {
    let mut lab = Lab::start().await;
    lab.upload("a.py", "x").await;
    let rack = lab.rack("rack1", 1).await;
    let ann = lab.user("ann").await;
    let handle = ann.submit("a.py", &[1]).await;
    let waiting = lab.client.submit("a.py", &[1]).await;
    let event = lab.client.get("/api/v1/server").await.ok(StatusCode::OK)["event"].as_u64().unwrap();
    let token = lab.client.token.clone();
    lab.restart().await;
    assert_eq!(lab.client.token, token, "the administrator's token stays");
    let ann = Client { token: ann.token.clone(), ..lab.client.clone() };
    assert_eq!(ann.job(handle).await["owner"], json!("ann"));
    assert_eq!(ann.get("/api/v1/files/public").await.ok(StatusCode::OK)["files"][0]["path"], json!("a.py"));
    assert!(lab.client.get("/api/v1/server").await.ok(StatusCode::OK)["event"].as_u64().unwrap() >= event);

    // The rack goes on as if nothing had been.
    let mut rack = moved(rack, &lab);
    let beat = Exchange { beat: Some(Beat::default()), ..rack.blank() };
    let orders = rack.orders(&beat).await;
    assert!(orders.renewed && !orders.say_ready);
    rack.holds.extend(orders.start.iter().map(|order| crate::support::claim_of(&order.lease)));
    assert_eq!(rack.holds.len(), 1);
    // The answer to the end of the first run brings the next one.
    let next = rack.pass().await.start;
    rack.holds.extend(next.iter().map(|order| crate::support::claim_of(&order.lease)));
    rack.pass().await;
    for handle in [handle, waiting] {
        assert_eq!(lab.client.job(handle).await["status"], json!(2));
    }
}

#[tokio::test]
async fn an_offer_after_a_restart_names_the_same_lease_and_the_same_files() {
    let mut lab = Lab::start().await;
    lab.upload("a.py", "first").await;
    let mut rack = lab.rack("rack1", 1).await;
    lab.client.submit("a.py", &[1]).await;
    let before = rack.take().await.remove(0);
    lab.upload("a.py", "second").await;
    lab.restart().await;
    let mut rack = moved(rack, &lab);
    // As if the rack had never seen the offer.
    rack.holds.clear();
    let beat = Exchange { beat: Some(Beat::default()), ..rack.blank() };
    let after = rack.orders(&beat).await.start.remove(0);
    let place =
        |order: &headend_wire::rack::StartOrder| (order.lease.run, order.lease.attempt, order.lease.targets.clone());
    assert_eq!(place(&before), place(&after));
    assert_eq!((before.public_tree, before.script), (after.public_tree, after.script));
}

#[tokio::test]
async fn a_key_used_before_a_restart_is_still_used() {
    let mut lab = Lab::start().await;
    lab.rack("rack1", 1).await;
    let submit = async |client: &Client| {
        let request = client.request(reqwest::Method::POST, "/api/v1/jobs");
        client.send(request.header("Idempotency-Key", "k").json(&job("a.py", &[1]))).await
    };
    let first = submit(&lab.client).await.ok(StatusCode::CREATED);
    lab.restart().await;
    let again = submit(&lab.client).await.ok(StatusCode::OK);
    assert_eq!((&again["job"], &again["repeated"]), (&first["job"], &json!(true)));
}

#[tokio::test]
async fn snapshots_taken_on_the_way_lose_nothing() {
    let mut lab = Lab::start_with(|options| options.snapshot_every = 5).await;
    lab.upload("a.py", "").await;
    let mut rack = lab.rack("rack1", 1).await;
    let mut handles = Vec::new();
    for _ in 0..12 {
        handles.push(lab.client.submit("a.py", &[1]).await);
        rack.take().await;
        rack.pass().await;
    }
    lab.restart().await;
    for handle in handles {
        assert_eq!(lab.client.job(handle).await["passed"], json!(1));
    }
    let next = lab.client.submit("a.py", &[1]).await;
    assert_eq!(lab.client.job(next).await["ended"], json!(null));
}

#[tokio::test]
async fn long_polls_and_streams_do_not_hold_up_a_shutdown() {
    let mut lab = Lab::start().await;
    let rack = lab.rack("rack1", 1).await;
    let poll = Exchange { wait_ms: 30_000, ..rack.blank() };
    let stream = lab.client.request(reqwest::Method::GET, "/api/v1/events").send().await.unwrap();
    let waiting = tokio::spawn(async move { rack.say(&poll).await.status });
    // The poll is under way once the server has counted its exchange.
    loop {
        let text = lab.client.get("/metrics").await.text;
        if text.contains("headend_rack_exchanges_total 2") {
            break;
        }
        tokio::task::yield_now().await;
    }
    lab.stop().await;
    assert_eq!(waiting.await.unwrap(), StatusCode::OK);
    assert!(stream.text().await.is_ok(), "the stream ends in order");
}

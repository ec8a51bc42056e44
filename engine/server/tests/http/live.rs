//! The feed, and the rules of the exchange with racks.

use futures::StreamExt as _;
use headend_model::{JobId, Outcome, Span, Timestamp};
use headend_scheduler::fence::EndReport;
use headend_wire::rack::{Beat, Declined, Exchange, Note, SlotOut};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::{Client, FakeRack, Lab, PATIENCE};

/// A stream of server-sent events, read line by line.
pub(crate) struct Feed {
    body: std::pin::Pin<Box<dyn futures::Stream<Item = reqwest::Result<bytes::Bytes>> + Send>>,
    text: String,
}

impl Feed {
    pub(crate) async fn open(client: &Client, path: &str, after: Option<u64>) -> Self {
        let mut request = client.request(Method::GET, path);
        if let Some(after) = after {
            request = request.header("Last-Event-ID", after.to_string());
        }
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Self { body: Box::pin(response.bytes_stream()), text: String::new() }
    }

    /// The next event that is no comment.
    pub(crate) async fn next(&mut self) -> Value {
        loop {
            if let Some((event, rest)) = self.text.split_once("\n\n") {
                let data = event.lines().find_map(|line| line.strip_prefix("data: ")).map(str::to_owned);
                self.text = rest.to_string();
                if let Some(data) = data {
                    return serde_json::from_str(&data).unwrap();
                }
                continue;
            }
            let bytes = tokio::time::timeout(PATIENCE, self.body.next()).await.expect("no event came");
            self.text.push_str(std::str::from_utf8(&bytes.expect("the stream ended").unwrap()).unwrap());
        }
    }

    /// The next event of this kind; those before it are passed over.
    pub(crate) async fn next_of(&mut self, kind: &str) -> Value {
        loop {
            let event = self.next().await;
            if event["kind"] == json!(kind) {
                return event;
            }
        }
    }
}

#[tokio::test]
async fn the_feed_resumes_where_it_was_left_without_a_gap() {
    let lab = Lab::start().await;
    lab.upload("a.py", "").await;
    let mut rack = lab.rack("rack1", 1).await;
    let mut feed = Feed::open(&lab.client, "/api/v1/events", None).await;
    let job = lab.client.submit("a.py", &[1]).await;
    let accepted = feed.next_of("job_accepted").await;
    assert_eq!(accepted["job"], json!(job));
    let seen = accepted["number"].as_u64().unwrap();
    drop(feed);
    rack.take().await;
    rack.pass().await;

    let mut resumed = Feed::open(&lab.client, "/api/v1/events", Some(seen)).await;
    let mut last = seen;
    let mut kinds = Vec::new();
    while !kinds.contains(&json!("run_ended")) {
        let event = resumed.next().await;
        assert_eq!(event["number"].as_u64().unwrap(), last + 1, "{event}");
        last += 1;
        kinds.push(event["kind"].clone());
    }
    assert!(kinds.contains(&json!("run_started")), "{kinds:?}");
    // From the very beginning, and for one job only.
    let mut of_job = Feed::open(&lab.client, &format!("/api/v1/events?after=0&job={job}"), None).await;
    assert_eq!(of_job.next().await["number"], json!(seen));
    let bad = lab.client.request(Method::GET, "/api/v1/events").header("Last-Event-ID", "x");
    assert_eq!(lab.client.send(bad).await.problem(), "bad_request");
}

#[tokio::test]
async fn the_feed_of_a_user_does_not_tell_of_others() {
    let lab = Lab::start().await;
    lab.upload("a.py", "").await;
    let mut rack = lab.rack("rack1", 1).await;
    let (ann, bob) = (lab.user("ann").await, lab.user("bob").await);
    let mut feed = Feed::open(&bob, "/api/v1/events", None).await;
    let anns = ann.submit("a.py", &[1]).await;
    let order = rack.take().await.remove(0);
    let note = Note { run: order.lease.run, at: Timestamp::EPOCH, text: "ann's line".to_owned() };
    rack.orders(&Exchange { notes: vec![note.clone()], ..rack.blank() }).await;
    rack.pass().await;
    let bobs = bob.submit("a.py", &[1]).await;
    let order = rack.take().await.remove(0);
    assert_eq!(order.job, JobId(bobs));
    let note = Note { run: order.lease.run, text: "bob's line".to_owned(), ..note };
    rack.orders(&Exchange { notes: vec![note], ..rack.blank() }).await;
    loop {
        let event = feed.next().await;
        assert_ne!(event["job"], json!(anns), "{event}");
        if event["kind"] == json!("note") {
            assert_eq!(event["text"], json!("bob's line"));
            break;
        }
    }
}

#[tokio::test]
async fn a_waiting_rack_is_woken_and_an_offer_is_not_repeated_at_once() {
    let lab = Lab::start().await;
    lab.upload("a.py", "").await;
    let rack = lab.rack("rack1", 1).await;
    let poll = Exchange { wait_ms: 30_000, ..rack.blank() };
    let (orders, _) = tokio::join!(rack.orders(&poll), lab.client.submit("a.py", &[1]));
    assert_eq!(orders.start.len(), 1);
    // The answer may be on its way: the same offer in the next breath would be noise.
    assert_eq!(rack.orders(&rack.blank()).await.start, []);
}

#[tokio::test]
async fn an_offer_that_got_lost_is_made_again() {
    let lab = Lab::start_with(|options| options.farm.lease.heartbeat = Span::millis(50)).await;
    lab.upload("a.py", "").await;
    let rack = lab.rack("rack1", 1).await;
    lab.client.submit("a.py", &[1]).await;
    let mut seen = Vec::new();
    // Beats keep the rack online; it never names the run, as if the answers had been lost.
    while seen.len() < 2 {
        let beat = Exchange { beat: Some(Beat::default()), wait_ms: 1_000, ..rack.blank() };
        seen.extend(rack.orders(&beat).await.start.into_iter().map(|order| order.lease.run));
    }
    assert_eq!(seen[0], seen[1]);
}

#[tokio::test]
async fn a_second_process_of_a_rack_is_refused_while_the_first_is_heard_of() {
    let lab = Lab::start().await;
    let mut first = lab.rack("rack1", 1).await;
    let twin = FakeRack { client: first.client.clone(), incarnation: 2, holds: Vec::new(), ends: 0 };
    let answer = twin.say(&twin.ready_message(1)).await;
    assert_eq!(answer.problem(), "rack_taken");
    for name in ["rack1", "0000000000000001", "0000000000000002"] {
        assert!(answer.text.contains(name), "{}", answer.text);
    }
    assert_eq!(twin.say(&twin.blank()).await.problem(), "rack_taken");
    assert!(first.ready(1).await.renewed, "the first one may say ready again");
    // Neither may somebody enrol again under that name: it would take the token away.
    let token = lab.server.as_ref().unwrap().new_enrol_token().await.unwrap();
    let newcomer = Client { token: Some(token), ..lab.client.clone() };
    let enrol = json!({ "protocol": 1, "name": "rack1" });
    assert_eq!(newcomer.post("/api/v1/racks/enrol", &enrol).await.problem(), "rack_taken");
}

#[tokio::test]
async fn a_rack_that_fell_silent_can_be_taken_over() {
    let lab = Lab::start_with(|options| options.farm.lease.heartbeat = Span::millis(20)).await;
    let first = lab.rack("rack1", 1).await;
    let mut twin = FakeRack { client: first.client.clone(), incarnation: 2, holds: Vec::new(), ends: 0 };
    let until = std::time::Instant::now() + PATIENCE;
    while twin.say(&twin.ready_message(1)).await.status != StatusCode::OK {
        assert!(std::time::Instant::now() < until, "the silent one was never given up");
        tokio::task::yield_now().await;
    }
    assert!(twin.ready(1).await.renewed);
}

/// A job is leased to a process that is gone while the farm still takes it for alive: the next one with its journal runs it.
#[tokio::test]
async fn what_a_former_life_never_took_is_offered_to_the_next() {
    let lab = Lab::start_with(|options| options.farm.lease.heartbeat = Span::millis(500)).await;
    lab.upload("a.py", "").await;
    let first = lab.rack("rack1", 1).await;
    let job = lab.client.submit("a.py", &[1]).await;
    let mut next = FakeRack { client: first.client.clone(), incarnation: 2, holds: Vec::new(), ends: 0 };
    let mut ready = next.ready_message(1);
    if let Some(ready) = &mut ready.ready {
        ready.former = vec![5, first.incarnation];
    }
    let until = std::time::Instant::now() + PATIENCE;
    let orders = loop {
        let answer = next.say(&ready).await;
        if answer.status == StatusCode::OK {
            break serde_json::from_value::<headend_wire::rack::Orders>(answer.json()).unwrap();
        }
        assert!(std::time::Instant::now() < until, "the silent one was never given up: {}", answer.text);
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    };
    let [order] = &orders.start[..] else { panic!("offered with the first word: {orders:?}") };
    next.holds.push(crate::support::claim_of(&order.lease));
    next.pass().await;
    let detail = lab.client.job(job).await;
    assert_eq!((&detail["passed"], &detail["incomplete"]), (&json!(1), &json!(0)), "{detail}");
}

#[tokio::test]
async fn a_rack_that_is_not_known_is_asked_to_say_ready() {
    let lab = Lab::start().await;
    let mut rack = FakeRack::enrol(&lab, "rack1", 7).await;
    let orders = rack.orders(&Exchange { beat: Some(Beat::default()), ..rack.blank() }).await;
    assert!(orders.say_ready && !orders.renewed);
    let orders = rack.ready(3).await;
    assert!(orders.renewed && orders.terms.is_some() && orders.rack.is_some());
    assert_eq!(orders.slots.iter().map(|(_, no)| *no).collect::<Vec<_>>(), [1, 2, 3]);
    let wrong = Exchange { protocol: 2, ..rack.blank() };
    assert_eq!(rack.say(&wrong).await.problem(), "version");
}

#[tokio::test]
async fn boxes_that_a_driver_brings_along_become_duts_once() {
    let lab = Lab::start().await;
    let mut rack = lab.rack("rack1", 2).await;
    rack.ready(2).await;
    let duts = lab.client.get("/api/v1/duts").await.ok(StatusCode::OK);
    let duts = duts["duts"].as_array().unwrap();
    assert_eq!(duts.len(), 2, "{duts:?}");
    assert_eq!((&duts[0]["name"], &duts[0]["place"]), (&json!("box 1"), &json!({ "rack": "rack1", "slot": 1 })));
    // Where people have put them is where they are.
    let dut = duts[0]["dut"].as_u64().unwrap();
    let shelf = lab.client.put(&format!("/api/v1/duts/{dut}/place"), &json!({ "place": null })).await;
    assert_eq!(shelf.ok(StatusCode::OK)["place"], json!(null));
    rack.ready(2).await;
    let racks = lab.client.get("/api/v1/racks").await.ok(StatusCode::OK);
    let slots = &racks["racks"][0]["slots"];
    assert_eq!((&slots[0]["dut"], &slots[1]["dut_name"]), (&json!(null), &json!("box 2")), "{racks}");
}

#[tokio::test]
async fn an_end_told_twice_counts_once_and_the_first_one_stays() {
    let lab = Lab::start().await;
    lab.upload("a.py", "").await;
    let mut rack = lab.rack("rack1", 1).await;
    let job = lab.client.submit("a.py", &[1]).await;
    rack.take().await;
    let claim = rack.holds[0];
    rack.pass().await;
    let again = EndReport { seq: 1, claim, outcome: Outcome::Killed, unkillable: false };
    let orders = rack.orders(&Exchange { ends: vec![again], ..rack.blank() }).await;
    assert_eq!(orders.acknowledged, Some(1));
    let detail = lab.client.job(job).await;
    assert_eq!((&detail["passed"], &detail["incomplete"]), (&json!(1), &json!(0)), "{detail}");
}

#[tokio::test]
async fn a_stop_that_is_under_way_wakes_no_poll() {
    let lab = Lab::start().await;
    lab.upload("a.py", "").await;
    let mut rack = lab.rack("rack1", 1).await;
    let job = lab.client.submit("a.py", &[1]).await;
    rack.take().await;
    lab.client.post(&format!("/api/v1/jobs/{job}/kill"), &json!({})).await.ok(StatusCode::OK);
    let run = rack.holds[0].run;
    let told = rack.orders(&Exchange { wait_ms: 30_000, ..rack.blank() }).await;
    assert_eq!(told.stop, [run]);
    let wait = std::time::Duration::from_millis(300);
    let poll = Exchange { wait_ms: wait.as_millis() as u64, stopping: vec![run], ..rack.blank() };
    let asked = std::time::Instant::now();
    rack.orders(&poll).await;
    assert!(asked.elapsed() >= wait, "{:?}", asked.elapsed());
    let beat = Exchange { beat: Some(Beat::default()), stopping: vec![run], ..rack.blank() };
    assert_eq!(rack.orders(&beat).await.stop, [run], "a heartbeat is told all, each time");
}

#[tokio::test]
async fn an_offer_that_is_not_taken_ends_with_the_racks_reason() {
    let lab = Lab::start().await;
    lab.upload("a.py", "").await;
    let rack = lab.rack("rack1", 1).await;
    let poll = Exchange { wait_ms: 30_000, ..rack.blank() };
    let (orders, job) = tokio::join!(rack.orders(&poll), lab.client.submit("a.py", &[1]));
    let claim = crate::support::claim_of(&orders.start[0].lease);
    let declined = Declined { claim, reason: "no room for a working copy".to_owned() };
    rack.orders(&Exchange { declined: vec![declined], ..rack.blank() }).await;
    let detail = lab.client.job(job).await;
    let comment = detail["run_list"][0]["comment"].as_str().unwrap();
    assert!(comment.contains("no room for a working copy"), "{comment}");
}

#[tokio::test]
async fn a_drained_rack_gets_nothing_new() {
    let lab = Lab::start().await;
    lab.upload("a.py", "").await;
    let mut rack = lab.rack("rack1", 1).await;
    let drain = async |on: bool| {
        lab.client.post("/api/v1/racks/rack1/drain", &json!({ "on": on })).await.ok(StatusCode::OK)["draining"].clone()
    };
    assert_eq!(drain(true).await, json!(true));
    let job = lab.client.submit("a.py", &[1]).await;
    let why = lab.client.get(&format!("/api/v1/jobs/{job}/why")).await.ok(StatusCode::OK);
    assert_eq!(why["waiting"][0]["at"][0]["code"], json!("draining"), "{why}");
    assert_eq!(drain(false).await, json!(false));
    rack.take().await;
    let unknown = lab.client.post("/api/v1/racks/nowhere/drain", &json!({ "on": true })).await;
    assert_eq!(unknown.problem(), "unknown_rack");
}

#[tokio::test]
async fn a_slot_with_something_unkillable_is_out_of_use_until_somebody_has_looked() {
    let lab = Lab::start().await;
    lab.upload("a.py", "").await;
    let mut rack = lab.rack("rack1", 1).await;
    lab.client.submit("a.py", &[1]).await;
    rack.take().await;
    let end = EndReport { seq: 1, claim: rack.holds.remove(0), outcome: Outcome::Killed, unkillable: true };
    rack.orders(&Exchange { ends: vec![end], ..rack.blank() }).await;
    let state =
        async || lab.client.get("/api/v1/racks").await.ok(StatusCode::OK)["racks"][0]["slots"][0]["state"].clone();
    assert_eq!(state().await, json!("quarantined"));
    lab.client.post("/api/v1/racks/rack1/slots/1/clear", &json!({})).await.ok(StatusCode::OK);
    assert_eq!(state().await, json!("free"));
    assert_eq!(lab.client.post("/api/v1/racks/rack1/slots/9/clear", &json!({})).await.problem(), "unknown_slot");
}

#[tokio::test]
async fn a_kill_before_the_rack_has_spoken_is_final_once_it_refuses() {
    let lab = Lab::start().await;
    lab.upload("a.py", "").await;
    let mut rack = lab.rack("rack1", 1).await;
    let job = lab.client.submit("a.py", &[1]).await;
    lab.client.post(&format!("/api/v1/jobs/{job}/kill"), &json!({})).await.ok(StatusCode::OK);
    let poll = Exchange { wait_ms: 30_000, ..rack.blank() };
    let orders = rack.orders(&poll).await;
    assert_eq!((orders.start.len(), orders.refuse.len()), (0, 1), "{orders:?}");
    assert_eq!(lab.client.job(job).await["status"], json!(1), "an offer may be under way: only the rack knows");
    let claim = crate::support::claim_of(&orders.refuse[0]);
    let declined = Declined { claim, reason: "stopped before it was started".to_owned() };
    let told = Exchange { declined: vec![declined], ..rack.blank() };
    rack.orders(&told).await;
    assert_eq!(lab.client.job(job).await["status"], json!(3));
    let next = lab.client.submit("a.py", &[1]).await;
    rack.take().await;
    // The word was doubled on its way: it changes nothing.
    rack.orders(&told).await;
    rack.pass().await;
    assert_eq!(lab.client.job(next).await["passed"], json!(1));
}

#[tokio::test]
async fn a_slot_that_is_out_is_given_nothing_and_the_reason_is_shown() {
    let lab = Lab::start().await;
    lab.upload("a.py", "").await;
    let mut rack = lab.rack("rack1", 2).await;
    let out = vec![SlotOut { no: 1, reason: "qemu has ended; starting it again".to_owned() }];
    rack.orders(&Exchange { beat: Some(Beat { out, ..Beat::default() }), ..rack.blank() }).await;
    let job = lab.client.submit("a.py", &[1]).await;
    let why = lab.client.get(&format!("/api/v1/jobs/{job}/why")).await.ok(StatusCode::OK);
    let at = &why["waiting"][0]["at"][0];
    assert_eq!(at["code"], json!("slot_out"), "{why}");
    assert!(at["reason"].as_str().unwrap().contains("qemu has ended"), "{why}");
    let racks = lab.client.get("/api/v1/racks").await.ok(StatusCode::OK);
    let slots = &racks["racks"][0]["slots"];
    assert_eq!((&slots[0]["state"], &slots[1]["state"]), (&json!("out"), &json!("free")), "{racks}");
    assert!(slots[0]["detail"].as_str().unwrap().contains("qemu has ended"), "{racks}");
    let orders = rack.orders(&Exchange { beat: Some(Beat::default()), ..rack.blank() }).await;
    rack.holds.push(crate::support::claim_of(&orders.start[0].lease));
    rack.pass().await;
    assert_eq!(lab.client.job(job).await["passed"], json!(1));
}

#[tokio::test]
async fn a_rack_that_takes_nothing_is_given_nothing_and_the_reason_is_shown() {
    let lab = Lab::start().await;
    lab.upload("a.py", "").await;
    let mut rack = lab.rack("rack1", 1).await;
    let full = Beat { cpu_percent: 0, not_taking: Some("its outbox is full".to_owned()), out: Vec::new() };
    rack.orders(&Exchange { beat: Some(full), ..rack.blank() }).await;
    let job = lab.client.submit("a.py", &[1]).await;
    let why = lab.client.get(&format!("/api/v1/jobs/{job}/why")).await.ok(StatusCode::OK);
    let at = &why["waiting"][0]["at"][0];
    assert_eq!(at["code"], json!("rack_not_taking"), "{why}");
    assert!(at["reason"].as_str().unwrap().contains("its outbox is full"), "{why}");
    let racks = lab.client.get("/api/v1/racks").await.ok(StatusCode::OK);
    assert!(racks["racks"][0]["gate"].as_str().unwrap().contains("its outbox is full"), "{racks}");
    let orders = rack.orders(&Exchange { beat: Some(Beat::default()), ..rack.blank() }).await;
    rack.holds.push(crate::support::claim_of(&orders.start[0].lease));
    rack.pass().await;
    assert_eq!(lab.client.job(job).await["passed"], json!(1));
}

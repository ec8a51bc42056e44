//! What happened to files: history, differences between runs, and what a missing script is told (E4).

use headend_model::{Outcome, run::Incomplete};
use headend_scheduler::fence::EndReport;
use headend_wire::rack::Exchange;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::support::{Client, FakeRack, Lab, job, upload};

async fn changes(client: &Client, path: &str) -> Vec<String> {
    let history = client.get(path).await.ok(StatusCode::OK);
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let line = |row: &Value| ["revision", "change", "path", "by"].map(|key| text(&row[key])).join(" ");
    history["changes"].as_array().unwrap().iter().map(line).collect()
}

#[tokio::test]
async fn each_revision_tells_who_changed_what() {
    let mut lab = Lab::start().await;
    let ann = lab.user("ann").await;
    upload(&lab.client, "public", "lib/a.py", "1").await;
    upload(&ann, "public", "lib/a.py", "2").await;
    upload(&ann, "public", "b.py", "1").await;
    upload(&ann, "private", "mine.py", "1").await;
    ann.post("/api/v1/files/public/commit", &json!({ "delete": ["lib"] })).await.ok(StatusCode::OK);
    lab.restart().await;
    let ann = Client { base: lab.client.base.clone(), ..ann };
    let all = changes(&ann, "/api/v1/files/public/history").await;
    let wanted = ["4 deleted lib/a.py ann", "3 added b.py ann", "2 changed lib/a.py ann", "1 added lib/a.py admin"];
    assert_eq!(all, wanted);
    assert_eq!(changes(&ann, "/api/v1/files/public/history?path=lib").await, [wanted[0], wanted[2], wanted[3]]);
    assert_eq!(changes(&ann, "/api/v1/files/public/history?path=%5Cb.py").await, [wanted[1]]);
    let page = ann.get("/api/v1/files/public/history?limit=2").await.ok(StatusCode::OK);
    let next = page["next"].as_str().unwrap();
    assert_eq!(changes(&ann, &format!("/api/v1/files/public/history?after={next}")).await, wanted[2..]);
    assert_eq!(changes(&ann, "/api/v1/files/private/history").await, ["1 added mine.py ann"]);
    assert_eq!(changes(&lab.client, "/api/v1/files/private/history").await, Vec::<String>::new());
    assert_eq!(ann.get("/api/v1/files/public/history?path=never.py").await.problem(), "not_found");
    assert_eq!(ann.get("/api/v1/files/public/history?path=..").await.problem(), "bad_path");
    assert_eq!(ann.get("/api/v1/files/public/history?after=x").await.problem(), "bad_request");
}

/// Ends the oldest run as a rack does that does not find the script.
async fn script_missing(rack: &mut FakeRack) {
    let claim = rack.holds.remove(0);
    rack.ends += 1;
    let outcome = Outcome::Incomplete(Incomplete::ScriptMissing);
    let end = EndReport { seq: rack.ends, claim, outcome, unkillable: false };
    rack.orders(&Exchange { ends: vec![end], ..rack.blank() }).await;
}

#[tokio::test]
async fn a_script_that_was_deleted_while_its_test_waited_is_told_so() {
    let lab = Lab::start().await;
    let ann = lab.user("ann").await;
    lab.upload("a.py", "1").await;
    let mut rack = lab.rack("rack1", 1).await;
    lab.client.submit("a.py", &[1]).await;
    let waiting = lab.client.submit("a.py", &[1]).await;
    let running = rack.take().await.remove(0);
    ann.post("/api/v1/files/public/commit", &json!({ "delete": ["a.py"] })).await.ok(StatusCode::OK);
    // The running one keeps its copy: its tree is still served.
    let tree = rack.client.get(&format!("/api/v1/trees/{}", running.public_tree)).await;
    assert!(tree.text.contains("a.py"), "{}", tree.text);
    let orders = rack.pass().await;
    rack.holds = orders.start.iter().map(|order| crate::support::claim_of(&order.lease)).collect();
    script_missing(&mut rack).await;
    let job = lab.client.job(waiting).await;
    let run = &job["run_list"][0];
    assert_eq!(
        (&run["result"], &run["comment"]),
        (&json!(1), &json!("Incomplete (script deleted at revision 2 by ann)"))
    );
}

#[tokio::test]
async fn two_runs_tell_what_changed_between_them() {
    let lab = Lab::start().await;
    let ann = lab.user("ann").await;
    upload(&ann, "private", "t.py", "1").await;
    lab.upload("lib.py", "1").await;
    lab.upload("same.py", "1").await;
    let mut rack = lab.rack("rack1", 1).await;
    let mut body = job("t.py", &[1]);
    body["tests"][0]["public"] = json!(false);
    let mut runs = Vec::new();
    for round in 2..4 {
        ann.post("/api/v1/jobs", &body).await.ok(StatusCode::CREATED);
        runs.push(rack.take().await.remove(0).lease.run);
        rack.pass().await;
        lab.upload("lib.py", &round.to_string()).await;
        upload(&ann, "private", "new.py", &round.to_string()).await;
    }
    let path = |from: usize, to: usize| format!("/api/v1/runs/{}/files-diff/{}", runs[from], runs[to]);
    let diff = ann.get(&path(0, 1)).await.ok(StatusCode::OK);
    let lines = |area: &Value| {
        let line = |row: &Value| format!("{} {} {}", row["change"], row["path"], row["by"]).replace('"', "");
        area["changes"].as_array().unwrap().iter().map(line).collect::<Vec<_>>()
    };
    assert_eq!(lines(&diff["public"]), ["changed lib.py admin"]);
    assert_eq!(lines(&diff["private"]), ["added new.py ann"]);
    assert_eq!((&diff["public"]["from_revision"], &diff["public"]["to_revision"]), (&json!(2), &json!(3)));
    let back = ann.get(&path(1, 0)).await.ok(StatusCode::OK);
    assert_eq!(lines(&back["private"]), ["deleted new.py ann"]);
    assert_eq!(back["public"]["changes"][0]["from"], diff["public"]["changes"][0]["to"]);
    assert_eq!(lines(&ann.get(&path(0, 0)).await.ok(StatusCode::OK)["public"]), Vec::<String>::new());
    assert_eq!(lab.user("bob").await.get(&path(0, 1)).await.problem(), "not_found");
    assert_eq!(ann.get("/api/v1/runs/999999/files-diff/999998").await.problem(), "not_found");
    let unknown = format!("/api/v1/runs/{}/files-diff/18446744073709551615", runs[0]);
    assert_eq!(ann.get(&unknown).await.problem(), "not_found");
}

#[tokio::test]
async fn uploads_reach_the_tests_that_are_leased_after_them_and_only_their_owners() {
    // R1, R2, and 6.1.2 of the document: a private upload is nobody else's matter.
    let mut lab = Lab::start().await;
    let (ann, bob) = (lab.user("ann").await, lab.user("bob").await);
    for client in [&ann, &bob] {
        upload(client, "private", "t.py", "old").await;
    }
    let mut body = job("t.py", &[1]);
    body["tests"][0]["public"] = json!(false);
    let mut rack = lab.rack("rack1", 1).await;
    for client in [&ann, &bob, &ann] {
        client.post("/api/v1/jobs", &body).await.ok(StatusCode::CREATED);
    }
    let tree = async |client: &Client| client.get("/api/v1/files/private").await.ok(StatusCode::OK)["tree"].clone();
    let (anns_old, bobs) = (tree(&ann).await, tree(&bob).await);
    let first = rack.take().await.remove(0);
    upload(&ann, "private", "t.py", "new").await;
    assert_eq!(json!(first.private_tree), anns_old);
    // Nobody has looked at any area since this start; what waits is pinned all the same.
    lab.restart().await;
    rack.client.base.clone_from(&lab.client.base);
    let (ann, bob) = (Client { base: lab.client.base.clone(), ..ann }, Client { base: lab.client.base.clone(), ..bob });
    rack.ready(1).await;
    let orders = rack.pass().await;
    let second = match orders.start.into_iter().next() {
        Some(order) => {
            rack.holds = vec![crate::support::claim_of(&order.lease)];
            order
        }
        None => rack.take().await.remove(0),
    };
    assert_eq!((second.owner.as_str(), json!(second.private_tree)), ("bob", bobs.clone()));
    let third = rack.pass().await.start.remove(0);
    assert_eq!((third.owner.as_str(), json!(third.private_tree)), ("ann", tree(&ann).await));
    assert_ne!(json!(third.private_tree), anns_old);
    assert_eq!(tree(&bob).await, bobs, "ann's upload has not touched bob's area");
}

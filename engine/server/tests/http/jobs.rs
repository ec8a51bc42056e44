//! A job from hand-in to its last result.

use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::support::{Lab, job, upload};

#[tokio::test]
async fn a_job_runs_on_a_rack_and_everything_about_it_can_be_read() {
    let lab = Lab::start().await;
    lab.upload("samples/one.py", "print(1)").await;
    let mut rack = lab.rack("rack1", 2).await;
    let answer = lab.client.post("/api/v1/jobs", &job("samples\\one.py", &[1, 2])).await.ok(StatusCode::CREATED);
    assert_eq!(answer["warnings"], json!([]));
    let handle = answer["job"].as_u64().unwrap();

    let mut orders = rack.take().await;
    while rack.holds.len() < 2 {
        orders.extend(rack.take().await);
    }
    assert_eq!(orders[0].script, "samples/one.py");
    let tree = lab.client.get("/api/v1/files/public").await.ok(StatusCode::OK)["tree"].clone();
    assert_eq!(json!(orders[0].public_tree), tree);
    let detail = lab.client.job(handle).await;
    assert_eq!((&detail["status_text"], &detail["running"]), (&json!("running"), &json!(2)));

    rack.pass().await;
    rack.pass().await;
    let detail = lab.client.job(handle).await;
    assert_eq!(
        (&detail["status"], &detail["passed"], &detail["queued"]),
        (&json!(2), &json!(2), &json!(0)),
        "{detail}"
    );
    let run = &detail["run_list"][0];
    assert_eq!((&run["result"], &run["comment"]), (&json!(111), &json!("Test has run to completion")));
    assert_eq!((&run["script"], &run["slots"][0]["rack"]), (&json!("public/samples/one.py"), &json!("rack1")));
    assert!(!run["why"].as_str().unwrap().is_empty());
    let why = lab.client.get(&format!("/api/v1/jobs/{handle}/why")).await.ok(StatusCode::OK);
    assert_eq!(why["started"].as_array().unwrap().len(), 2, "{why}");
    assert!(why["started"][0]["place"].as_str().unwrap().starts_with("rack1/"), "{why}");
}

#[tokio::test]
async fn why_names_what_a_waiting_run_waits_for() {
    let lab = Lab::start().await;
    lab.upload("a.py", "").await;
    let mut rack = lab.rack("rack1", 1).await;
    let first = lab.client.submit("a.py", &[1]).await;
    rack.take().await;
    let second = lab.client.submit("a.py", &[1]).await;
    let why = lab.client.get(&format!("/api/v1/jobs/{second}/why")).await.ok(StatusCode::OK);
    let at = &why["waiting"][0]["at"][0];
    assert_eq!((&at["target"], &at["code"]), (&json!("rack1/1"), &json!("slot_held")), "{why}");
    assert!(at["reason"].as_str().unwrap().contains(&format!("job {first}")), "{why}");
}

#[tokio::test]
async fn warnings_are_told_and_may_stop_the_job() {
    let lab = Lab::start().await;
    lab.rack("rack1", 1).await;
    let mut request = job("missing.py", &[1]);
    request["tests"][0]["slots_needed"] = json!(3);
    let answer = lab.client.post("/api/v1/jobs", &request).await.ok(StatusCode::CREATED);
    let codes: Vec<_> = answer["warnings"].as_array().unwrap().iter().map(|w| w["code"].as_str().unwrap()).collect();
    assert!(codes.contains(&"script_missing") && codes.contains(&"surplus_slots"), "{answer}");
    let detail = lab.client.job(answer["job"].as_u64().unwrap()).await;
    assert_eq!((&detail["status"], &detail["incomplete"]), (&json!(2), &json!(3)), "{detail}");

    request["fail_on_warning"] = json!(true);
    let refused = lab.client.post("/api/v1/jobs", &request).await;
    assert_eq!(refused.problem(), "failed_on_warning");
    let list = lab.client.get("/api/v1/jobs").await.ok(StatusCode::OK);
    assert_eq!(list["jobs"].as_array().unwrap().len(), 1, "nothing was stored");
}

#[tokio::test]
async fn a_retry_under_the_same_key_gives_the_same_handle() {
    let lab = Lab::start().await;
    lab.rack("rack1", 2).await;
    let submit = async |key: &str, body: serde_json::Value| {
        let request = lab.client.request(Method::POST, "/api/v1/jobs").header("Idempotency-Key", key).json(&body);
        lab.client.send(request).await
    };
    let first = submit("k1", job("a.py", &[1])).await.ok(StatusCode::CREATED);
    let again = submit("k1", job("a.py", &[1])).await.ok(StatusCode::OK);
    assert_eq!((&again["job"], &again["repeated"]), (&first["job"], &json!(true)));
    assert_eq!(submit("k1", job("a.py", &[2])).await.problem(), "key_reused");
    let other = submit("k2", job("a.py", &[1])).await.ok(StatusCode::CREATED);
    assert_ne!(other["job"], first["job"]);
    assert_eq!(submit("", job("a.py", &[1])).await.problem(), "bad_request");
}

#[tokio::test]
async fn a_kill_stops_what_runs_and_what_waits_once() {
    let lab = Lab::start().await;
    lab.upload("a.py", "").await;
    let mut rack = lab.rack("rack1", 1).await;
    let handle = lab.client.submit("a.py", &[1]).await;
    rack.take().await;
    let kill = format!("/api/v1/jobs/{handle}/kill");
    let answer = lab.client.post(&kill, &json!({})).await.ok(StatusCode::OK);
    assert_eq!(answer["status_text"], json!("stop requested"));
    let orders = rack.orders(&rack.blank()).await;
    assert_eq!(orders.stop, [rack.holds[0].run]);
    rack.pass().await;
    let ended = lab.client.job(handle).await;
    assert_eq!(ended["status"], json!(3), "{ended}");
    // Of a job that has ended it changes nothing.
    let again = lab.client.post(&kill, &json!({})).await.ok(StatusCode::OK);
    assert_eq!((&again["status"], &again["status_text"]), (&json!(3), &json!("stopped")));
    assert_eq!(lab.client.post("/api/v1/jobs/999999/kill", &json!({})).await.problem(), "not_found");
}

#[tokio::test]
async fn lists_are_cut_into_pages_newest_first() {
    let lab = Lab::start().await;
    lab.rack("rack1", 1).await;
    let mut handles = Vec::new();
    for _ in 0..5 {
        handles.push(lab.client.submit("a.py", &[1]).await);
    }
    handles.reverse();
    let first = lab.client.get("/api/v1/jobs?limit=3").await.ok(StatusCode::OK);
    let next = first["next"].as_u64().unwrap();
    let second = lab.client.get(&format!("/api/v1/jobs?limit=3&before={next}")).await.ok(StatusCode::OK);
    let seen: Vec<u64> = [&first, &second]
        .iter()
        .flat_map(|page| page["jobs"].as_array().unwrap())
        .map(|job| job["job"].as_u64().unwrap())
        .collect();
    assert_eq!((seen, &second["next"]), (handles, &json!(null)));
    assert_eq!(lab.client.get("/api/v1/jobs?state=odd").await.problem(), "bad_request");
    assert_eq!(lab.client.get("/api/v1/jobs?limit=x").await.problem(), "bad_request");
}

#[tokio::test]
async fn runs_are_cut_into_pages_however_many_there_are() {
    let lab = Lab::start().await;
    lab.upload("a.py", "").await;
    let mut rack = lab.rack("rack1", 2).await;
    let mut request = job("a.py", &[1, 2]);
    // Two runs each: 2,400 in all.
    request["tests"] = (0..1_200).map(|_| json!({ "script": "a.py" })).collect();
    let answer = lab.client.post("/api/v1/jobs", &request).await.ok(StatusCode::CREATED);
    let handle = answer["job"].as_u64().unwrap();
    while rack.holds.len() < 2 {
        rack.take().await;
    }
    let ended = rack.holds[0].run.0;
    rack.pass().await;

    let detail = lab.client.job(handle).await;
    assert_eq!((&detail["runs"], detail["run_list"].as_array().unwrap().len()), (&json!(2_400), 1_000));
    let mut all = detail["run_list"].as_array().unwrap().clone();
    let mut next = detail["next"].as_u64();
    let mut pages = 0;
    while let Some(after) = next {
        let path = format!("/api/v1/jobs/{handle}/runs?limit=700&after={after}");
        let page = lab.client.get(&path).await.ok(StatusCode::OK);
        all.extend(page["runs"].as_array().unwrap().iter().cloned());
        next = page["next"].as_u64();
        pages += 1;
    }
    assert_eq!((all.len(), pages), (2_400, 2));
    let tests: Vec<u64> = all.iter().map(|run| run["test"].as_u64().unwrap()).collect();
    assert_eq!(tests, (0..1_200).flat_map(|test| [test, test]).collect::<Vec<_>>());
    let over: Vec<_> =
        all.iter().filter(|run| run["state"] == json!(0)).map(|run| run["run"].as_u64().unwrap()).collect();
    assert_eq!(over, [ended]);
    let count = |state: u8| all.iter().filter(|run| run["state"] == json!(state)).count() as u64;
    assert_eq!(count(1) + count(2), 2_399);

    let brief = lab.client.get(&format!("/api/v1/jobs/{handle}?runs=0")).await.ok(StatusCode::OK);
    assert_eq!((&brief["run_list"], &brief["passed"]), (&json!([]), &json!(1)));
    let first = lab.client.get(&format!("/api/v1/jobs/{handle}/runs?limit=1")).await.ok(StatusCode::OK);
    let second = lab.client.get(&format!("/api/v1/jobs/{handle}/runs?limit=1&after={}", first["next"])).await;
    assert_eq!([&first["runs"][0], &second.ok(StatusCode::OK)["runs"][0]], [&all[0], &all[1]]);
    let why = lab.client.get(&format!("/api/v1/jobs/{handle}/why?limit=1")).await.ok(StatusCode::OK);
    assert_eq!((why["started"].as_array().unwrap().len(), why["waiting"].as_array().unwrap().is_empty()), (1, false));
    let why = lab.client.get(&format!("/api/v1/jobs/{handle}/why?limit=1&after={}", why["next"])).await;
    assert_eq!(why.ok(StatusCode::OK)["waiting"], json!([]));

    for bad in ["?limit=x", "?after=-1", "?odd=1"] {
        let answer = lab.client.get(&format!("/api/v1/jobs/{handle}/runs{bad}")).await;
        assert_eq!(answer.problem(), "bad_request", "{bad}");
    }
    let stranger = lab.user("bob").await;
    assert_eq!(stranger.get(&format!("/api/v1/jobs/{handle}/runs")).await.problem(), "not_found");
}

#[tokio::test]
async fn private_scripts_come_from_the_owners_area_and_nobody_elses() {
    let lab = Lab::start().await;
    let mut rack = lab.rack("rack1", 1).await;
    let (ann, bob) = (lab.user("ann").await, lab.user("bob").await);
    upload(&ann, "private", "mine.py", "print('ann')").await;
    let mut request = job("mine.py", &[1]);
    request["tests"][0]["public"] = json!(false);
    let bobs = bob.post("/api/v1/jobs", &request).await.ok(StatusCode::CREATED);
    assert_eq!(bobs["warnings"][0]["code"], json!("script_missing"));
    let anns = ann.post("/api/v1/jobs", &request).await.ok(StatusCode::CREATED);
    assert_eq!(anns["warnings"], json!([]), "{anns}");
    let order = rack.take().await.remove(0);
    let own = ann.get("/api/v1/files/private").await.ok(StatusCode::OK)["tree"].clone();
    assert_eq!((json!(order.private_tree), order.owner.as_str()), (own, "ann"));
    // Jobs of others are not there at all.
    let handle = anns["job"].as_u64().unwrap();
    for path in [format!("/api/v1/jobs/{handle}"), format!("/api/v1/jobs/{handle}/why")] {
        assert_eq!(bob.get(&path).await.problem(), "not_found");
    }
    assert_eq!(bob.post(&format!("/api/v1/jobs/{handle}/kill"), &json!({})).await.problem(), "not_found");
    let listed = bob.get("/api/v1/jobs").await.ok(StatusCode::OK);
    assert_eq!(listed["jobs"].as_array().unwrap().len(), 1);
}

/// A reason for each pair of test and target: a page of them, and how many there are.
#[tokio::test]
async fn reasons_of_many_tests_come_by_page_with_their_count() {
    let lab = Lab::start().await;
    let _rack = lab.rack("rack1", 70).await;
    lab.upload("a.py", "print(1)").await;
    let targets: Vec<_> = (1..=70).map(|slot| json!({ "rack": "rack1", "slot": slot })).collect();
    let tests: Vec<_> = (0..230).map(|_| json!({ "script": "a.py", "slots_needed": 70 })).collect();
    let job = json!({ "name": "wide", "slots": targets, "tests": tests });
    let job = lab.client.post("/api/v1/jobs", &job).await.ok(StatusCode::CREATED)["job"].as_u64().unwrap();
    let (mut seen, mut query) = (0, String::new());
    loop {
        let page = lab.client.get(&format!("/api/v1/jobs/{job}/why{query}")).await.ok(StatusCode::OK);
        let waiting = page["waiting"].as_array().unwrap();
        assert!(waiting.len() <= 100 && page["waiting_tests"].as_u64().unwrap() >= 229, "{page}");
        for test in waiting {
            let (at, targets) = (test["at"].as_array().unwrap().len() as u64, test["targets"].as_u64().unwrap());
            assert_eq!(at, targets.min(64), "{test}");
        }
        seen += waiting.len() as u64;
        match page["waiting_next"].as_u64() {
            Some(next) => query = format!("?waiting_from={next}"),
            None => break assert_eq!(seen, page["waiting_tests"].as_u64().unwrap()),
        }
    }
    let page = lab.client.get(&format!("/api/v1/jobs/{job}/why?after=1")).await.ok(StatusCode::OK);
    assert_eq!((&page["waiting"], &page["waiting_next"]), (&json!([]), &json!(null)));
}

//! Who gets what: every route against every kind of caller.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::{Client, FakeRack, Lab};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum For {
    Anybody,
    People,
    Admins,
    Racks,
    Both,
    Newcomers,
}

/// The group of a route, told by its place in the description. A route that is not named here fails the test.
fn group(method: &str, path: &str) -> For {
    match (method, path) {
        (_, "/healthz" | "/readyz" | "/version") => For::Anybody,
        (_, "/api/v1/racks/enrol") => For::Newcomers,
        (_, "/api/v1/sessions/{run}/rack" | "/api/v1/racks/exchange" | "/api/v1/racks/analysers/{name}")
        | ("put", "/api/v1/runs/{run}/files/{path}") => For::Racks,
        ("get", "/api/v1/blobs/{hash}" | "/api/v1/trees/{hash}") => For::Both,
        (
            "post",
            "/api/v1/duts"
            | "/api/v1/inventory"
            | "/api/v1/racks/tokens"
            | "/api/v1/tokens"
            | "/api/v1/racks/{rack}/drain"
            | "/api/v1/racks/{rack}/slots/{slot}/clear"
            | "/api/v1/reservations/{reservation}/kick"
            | "/api/v1/plugins/{name}/reload"
            | "/api/v1/plugins/{name}/disable"
            | "/api/v1/plugins/{name}/enable"
            | "/api/v1/plugins"
            | "/api/v1/plugins/verify"
            | "/api/v1/plugins/{name}/rollback"
            | "/api/v1/plugin-grants"
            | "/api/v1/plugin-grants/revoke",
        )
        | (
            "get" | "post",
            "/api/v1/shadows"
            | "/api/v1/shadows/{policy}"
            | "/api/v1/shadows/{policy}/stop"
            | "/api/v1/canaries"
            | "/api/v1/canaries/{policy}"
            | "/api/v1/canaries/{policy}/stop"
            | "/api/v1/canaries/{policy}/promote",
        )
        | ("get", "/api/v1/load" | "/api/v1/retention")
        | ("delete", "/api/v1/plugins/{name}")
        | ("put", "/api/v1/duts/{dut}/place" | "/api/v1/queue-policy" | "/api/v1/plugins/{name}/parameters") => {
            For::Admins
        }
        (
            _,
            "/metrics"
            | "/api/v1/jobs"
            | "/api/v1/jobs/{job}"
            | "/api/v1/jobs/{job}/runs"
            | "/api/v1/jobs/{job}/kill"
            | "/api/v1/jobs/{job}/why"
            | "/api/v1/jobs/{job}/change"
            | "/api/v1/jobs/{job}/eta"
            | "/api/v1/jobs/{job}/report"
            | "/api/v1/runs/{run}/why-not"
            | "/api/v1/files/usage"
            | "/api/v1/plugins/{name}"
            | "/api/v1/plugin-grants"
            | "/api/v1/schedules"
            | "/api/v1/schedules/{schedule}"
            | "/api/v1/schedules/{schedule}/timing"
            | "/api/v1/schedules/{schedule}/slots/{rack}/{slot}"
            | "/api/v1/schedules/{schedule}/duts/{dut}"
            | "/api/v1/schedules/{schedule}/tests"
            | "/api/v1/schedules/{schedule}/coming"
            | "/api/v1/schedules/{schedule}/past"
            | "/api/v1/scheduled-tests/{test}"
            | "/api/v1/files/{area}"
            | "/api/v1/files/{area}/missing"
            | "/api/v1/files/{area}/commit"
            | "/api/v1/files/{area}/history"
            | "/api/v1/files/convert"
            | "/api/v1/blobs"
            | "/api/v1/uploads/{digest}"
            | "/api/v1/runs/{run}/files-diff/{other}"
            | "/api/v1/blobs/{hash}"
            | "/api/v1/racks"
            | "/api/v1/reservations"
            | "/api/v1/reservations/{reservation}/extend"
            | "/api/v1/reservations/{reservation}/release"
            | "/api/v1/reservations/{reservation}/session"
            | "/api/v1/duts"
            | "/api/v1/inventory"
            | "/api/v1/tokens"
            | "/api/v1/tokens/{id}"
            | "/api/v1/plugins"
            | "/api/v1/plugins/load"
            | "/api/v1/queue-policy"
            | "/api/v1/events"
            | "/api/v1/runs/{run}/files"
            | "/api/v1/runs/{run}/pin"
            | "/api/v1/pins"
            | "/api/v1/results"
            | "/api/v1/results/steps"
            | "/api/v1/results/measurements"
            | "/api/v1/results/artifacts"
            | "/api/v1/runs/{run}/files/{path}"
            | "/api/v1/server",
        ) => For::People,
        other => panic!("{other:?} belongs to no group: say here whom it serves"),
    }
}

fn admitted(group: For, who: &str) -> bool {
    match group {
        For::Anybody => true,
        For::People => matches!(who, "admin" | "user"),
        For::Admins => who == "admin",
        For::Racks => who == "rack",
        For::Both => matches!(who, "admin" | "user" | "rack"),
        For::Newcomers => false,
    }
}

async fn callers(lab: &Lab) -> Vec<(&'static str, Client)> {
    let with = |token: Option<&str>| Client { token: token.map(str::to_owned), ..lab.client.clone() };
    let admin = lab.client.token.clone().unwrap();
    vec![
        ("none", with(None)),
        ("wrong", with(Some("headend_admin_0000000000000000000000000000000000000000000000000000000000000000"))),
        ("cut", with(Some(&admin[..admin.len() - 1]))),
        ("user", lab.user("ann").await),
        ("rack", FakeRack::enrol(lab, "matrix", 1).await.client),
        ("admin", lab.client.clone()),
    ]
}

#[tokio::test]
async fn every_route_serves_its_group_and_nobody_else() {
    let lab = Lab::start().await;
    let description = lab.client.get("/api/openapi.json").await.ok(StatusCode::OK);
    let callers = callers(&lab).await;
    let mut checked = 0;
    for (path, methods) in description["paths"].as_object().unwrap() {
        for method in methods.as_object().unwrap().keys() {
            for (who, client) in &callers {
                check(client, who, method, path).await;
                checked += 1;
            }
        }
    }
    assert!(checked > 150, "{checked} checks: the description has lost its routes");
}

async fn check(client: &Client, who: &str, method: &str, path: &str) {
    let group = group(method, path);
    let real = path
        .replace("{job}", "999999")
        .replace("{run}", "999999")
        .replace("{other}", "999999")
        .replace("{digest}", &"0".repeat(64))
        .replace("{schedule}", "999999")
        .replace("{test}", "999999")
        .replace("{area}", "public")
        .replace("{hash}", &"0".repeat(64))
        .replace("{rack}", "nowhere")
        .replace("{slot}", "1")
        .replace("{dut}", "999999")
        .replace("{reservation}", "999999")
        .replace("{id}", "000000000000")
        .replace("{name}", "nothing")
        .replace("{path}", "x.txt");
    // A body that is refused for its form shows that the gate was passed, and changes nothing.
    let request = client.request(Method::from_bytes(method.to_uppercase().as_bytes()).unwrap(), &real);
    let request = if method == "get" { request } else { request.json(&json!({ "no_such_field": 1 })) };
    let response = request.send().await.unwrap();
    let status = response.status();
    let refused = matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN);
    assert_eq!(
        !refused,
        admitted(group, who) || (group == For::Newcomers && status == 422),
        "{who}: {method} {path} gave {status}"
    );
    if refused {
        let known = matches!(who, "user" | "rack" | "admin") && group != For::Newcomers;
        let wanted = if known { StatusCode::FORBIDDEN } else { StatusCode::UNAUTHORIZED };
        assert_eq!(status, wanted, "{who}: {method} {path}");
        assert_eq!(response.headers()["content-type"], "application/problem+json");
    }
}

#[tokio::test]
async fn what_is_not_there_is_not_told_to_strangers() {
    let lab = Lab::start().await;
    let stranger = Client { token: None, ..lab.client.clone() };
    for path in [
        "/",
        "/api/v1/nothing",
        "/api/v1/jobs/",
        "/API/v1/jobs",
        "/api/v1//jobs",
        "/api/v1/jobs;x",
        "/metrics",
        "/healthz/",
    ] {
        assert_eq!(stranger.get(path).await.problem(), "unauthenticated", "{path}");
    }
    for path in
        ["/nothing", "/api/v1/nothing", "/API/v1/jobs", "/api/v1/jobs;x", "/api/v1/jobs/", "/api/v1/%2e%2e/jobs"]
    {
        assert_eq!(lab.client.get(path).await.problem(), "not_found", "{path}");
    }
    let answer = lab.client.send(lab.client.request(Method::DELETE, "/api/v1/jobs")).await;
    assert_eq!((answer.status.as_u16(), answer.problem().as_str()), (405, "method_not_allowed"));
    assert!(answer.headers.contains_key("allow"));
}

#[tokio::test]
async fn only_an_administrator_acts_for_others() {
    let lab = Lab::start().await;
    let ann = lab.user("ann").await;
    let who = async |client: &Client, act_as: &str| {
        client.send(client.request(Method::GET, "/api/v1/server").header("x-headend-user", act_as)).await
    };
    assert_eq!(who(&lab.client, "bob").await.ok(StatusCode::OK)["user"], json!("bob"));
    assert_eq!(who(&ann, "ann").await.ok(StatusCode::OK)["user"], json!("ann"));
    assert_eq!(who(&ann, "bob").await.problem(), "forbidden");
    assert_eq!(who(&lab.client, "../bob").await.problem(), "bad_request");
}

#[tokio::test]
async fn open_mode_serves_anybody_on_loopback_only() {
    let lab = Lab::start_with(|options| options.auth = headend_server::AuthMode::Open).await;
    let stranger = Client { token: None, ..lab.client.clone() };
    let request = stranger.request(Method::GET, "/api/v1/server").header("x-headend-user", "ann");
    let me = stranger.send(request).await.ok(StatusCode::OK);
    assert_eq!(me["user"], json!("ann"));
    assert_eq!(stranger.get("/api/v1/server").await.ok(StatusCode::OK)["user"], json!("anonymous"));
    // A wrong token is still a wrong token.
    let wrong = Client { token: Some("x".to_owned()), ..stranger.clone() };
    assert_eq!(wrong.get("/api/v1/server").await.problem(), "unauthenticated");

    let folder = tempfile::tempdir().unwrap();
    let mut options = headend_server::ServeOptions::new(folder.path());
    options.listen = "0.0.0.0:0".parse().unwrap();
    options.auth = headend_server::AuthMode::Open;
    let refused = headend_server::Server::start(options).await.err().unwrap();
    assert!(refused.to_string().contains("loopback"), "{refused}");
}

#[tokio::test]
async fn an_enrolment_token_is_good_once() {
    let lab = Lab::start().await;
    let token = lab.client.post("/api/v1/racks/tokens", &json!({})).await.ok(StatusCode::CREATED);
    let newcomer = Client { token: token["token"].as_str().map(str::to_owned), ..lab.client.clone() };
    let enrol = async |client: &Client, body: Value| client.post("/api/v1/racks/enrol", &body).await;
    assert_eq!(enrol(&newcomer, json!({ "protocol": 99, "name": "rack1" })).await.problem(), "version");
    assert_eq!(enrol(&newcomer, json!({ "protocol": 1, "name": "rack 1" })).await.problem(), "invalid");
    assert_eq!(enrol(&lab.client, json!({ "protocol": 1, "name": "rack1" })).await.problem(), "unauthenticated");
    enrol(&newcomer, json!({ "protocol": 1, "name": "rack1" })).await.ok(StatusCode::CREATED);
    assert_eq!(enrol(&newcomer, json!({ "protocol": 1, "name": "rack2" })).await.problem(), "unauthenticated");
    // It opens nothing else.
    assert_eq!(newcomer.get("/api/v1/server").await.problem(), "unauthenticated");
}

#[tokio::test]
async fn a_rack_reaches_only_what_is_its_own() {
    let lab = Lab::start().await;
    lab.upload("a.py", "print(1)").await;
    let mut mine = lab.rack("rack1", 1).await;
    let other = lab.rack("rack2", 1).await;
    lab.client.submit("a.py", &[1]).await;
    let order = mine.take().await.remove(0);
    let run = order.lease.run;
    let blob = blake3::hash(b"print(1)").to_hex().to_string();
    for path in [format!("/api/v1/trees/{}", order.public_tree), format!("/api/v1/blobs/{blob}")] {
        assert_eq!(mine.client.get(&path).await.status, StatusCode::OK, "{path}");
        assert_eq!(other.client.get(&path).await.problem(), "not_found", "{path}");
    }
    let file = format!("/api/v1/runs/{run}/files/out.txt");
    assert_eq!(other.client.put_bytes(&file, b"x").await.problem(), "not_found");
    mine.client.put_bytes(&file, b"x").await.ok(StatusCode::OK);
    // An end told by the wrong rack is no end.
    let mut thief = other;
    thief.holds = mine.holds.clone();
    thief.pass().await;
    let jobs = lab.client.get("/api/v1/jobs?state=open").await.ok(StatusCode::OK);
    assert_eq!(jobs["jobs"][0]["running"], json!(1), "{jobs}");
    mine.pass().await;
}

#[tokio::test]
async fn tokens_are_listed_end_in_time_and_are_revoked_for_ever() {
    let mut lab = Lab::start().await;
    let ann = lab.user("ann").await;
    let made = lab.client.post("/api/v1/tokens", &json!({ "user": "bob", "label": "ci", "expires_in_s": 3600 })).await;
    let made = made.ok(StatusCode::CREATED);
    let bob = Client { token: made["token"].as_str().map(str::to_owned), ..lab.client.clone() };
    let users = async |client: &Client| {
        let list = client.get("/api/v1/tokens").await.ok(StatusCode::OK);
        let text = list.to_string();
        assert!(!text.contains("headend_user_") && !text.contains("hash"), "{text}");
        list["tokens"].as_array().unwrap().iter().map(|t| t["user"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(users(&lab.client).await, ["admin", "ann", "bob"]);
    assert_eq!(users(&ann).await, ["ann"]);

    let revoke = async |client: &Client, id: &Value| {
        let path = format!("/api/v1/tokens/{}", id.as_str().unwrap());
        client.send(client.request(Method::DELETE, &path)).await
    };
    assert_eq!(revoke(&ann, &made["id"]).await.problem(), "not_found", "what is another's is not there");
    assert_eq!(revoke(&lab.client, &made["id"]).await.status, StatusCode::NO_CONTENT);
    assert_eq!(bob.get("/api/v1/server").await.problem(), "unauthenticated");
    let own = lab.client.get("/api/v1/tokens").await.ok(StatusCode::OK)["tokens"][0]["id"].clone();
    assert_eq!(revoke(&lab.client, &own).await.problem(), "conflict", "nobody saws off the branch");

    let brief = lab.client.post("/api/v1/tokens", &json!({ "user": "eve", "expires_in_s": 1 })).await;
    let brief = brief.ok(StatusCode::CREATED);
    let eve = Client { token: brief["token"].as_str().map(str::to_owned), ..lab.client.clone() };
    while eve.get("/api/v1/server").await.status != StatusCode::UNAUTHORIZED {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    lab.restart().await;
    assert_eq!(
        Client { base: lab.client.base.clone(), ..bob }.get("/api/v1/server").await.problem(),
        "unauthenticated"
    );
    assert_eq!(users(&lab.client).await, ["admin", "ann"]);
    for bad in
        [json!({ "user": "x", "expires_in_s": 0 }), json!({ "user": "x", "role": "root" }), json!({ "user": "a b" })]
    {
        assert_eq!(lab.client.post("/api/v1/tokens", &bad).await.problem(), "invalid", "{bad}");
    }
}

#[tokio::test]
async fn a_token_may_come_as_a_password_and_may_be_good_for_others() {
    let lab = Lab::start().await;
    let made =
        lab.client.post("/api/v1/tokens", &json!({ "user": "ci", "act_as": true })).await.ok(StatusCode::CREATED);
    let token = made["token"].as_str().unwrap();
    let nobody = Client { token: None, ..lab.client.clone() };
    let ask = || nobody.request(Method::GET, "/api/v1/server");
    assert_eq!(nobody.send(ask().basic_auth("anything", Some(token))).await.ok(StatusCode::OK)["user"], json!("ci"));
    let as_ann =
        nobody.send(ask().basic_auth("", Some(token)).header("x-headend-user", "ann")).await.ok(StatusCode::OK);
    assert_eq!((&as_ann["user"], &as_ann["role"]), (&json!("ann"), &json!("user")));
    for bad in ["Basic", "Basic !!!", "Basic OnRva2Vu x", "Basic YQ==", "Digest x", "Bearer "] {
        let answer = nobody.send(ask().header("authorization", bad)).await;
        assert_eq!(answer.problem(), "unauthenticated", "{bad}");
    }
}

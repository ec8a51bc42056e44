//! What clients should not send: each gets a clear error that names the field, and nothing is stored.

use headend_wire::rack::Ready;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::{FakeRack, Lab, job};

fn with(change: impl FnOnce(&mut Value)) -> Value {
    let mut request = job("a.py", &[1]);
    change(&mut request);
    request
}

#[tokio::test]
async fn bad_submissions_name_the_field_and_leave_nothing() {
    let lab = Lab::start().await;
    lab.upload("a.py", "").await;
    lab.rack("rack1", 2).await;
    let script = |text: &str| with(|r| r["tests"][0]["script"] = json!(text));
    let needed = |n: Value| with(|r| r["tests"][0]["slots_needed"] = n);
    let long = "a".repeat(300);
    let cases = [
        ("no_tests", "/tests", with(|r| r["tests"] = json!([]))),
        ("no_targets", "/slots", with(|r| r["slots"] = json!([]))),
        ("unknown_rack", "/slots/0", with(|r| r["slots"][0]["rack"] = json!("rack9"))),
        ("unknown_slot", "/slots/0", with(|r| r["slots"][0]["slot"] = json!(99))),
        ("unknown_dut", "/duts/0", with(|r| r["duts"] = json!([999_999]))),
        ("duplicate_target", "/slots/1", job("a.py", &[1, 1])),
        ("unknown_policy", "/tests/0/mode", with(|r| r["tests"][0]["mode"] = json!("nothing-such"))),
        ("unknown_mode", "/tests/0/mode", with(|r| r["tests"][0]["mode"] = json!(7))),
        ("bad_slots_needed", "/tests/0/slots_needed", needed(json!(0))),
        ("bad_slots_needed", "/tests/0/slots_needed", needed(json!(-1))),
        ("bad_slots_needed", "/tests/0/slots_needed", needed(json!(2_147_483_648_u64))),
        ("invalid", "/tests/0/slots_needed", needed(json!(1e300))),
        ("invalid", "/tests/0/slots_needed", needed(json!("4"))),
        ("bad_path", "/tests/0/script", script("../secret.py")),
        ("bad_path", "/tests/0/script", script("C:\\x.py")),
        ("bad_path", "/tests/0/script", script("a\u{0}b.py")),
        ("bad_path", "/tests/0/script", script(&long)),
        ("bad_path", "/tests/0/script", script("\"samples/a.py")),
        ("bad_path", "/tests/0/script", script("")),
        ("bad_arguments", "/tests/0/args", with(|r| r["tests"][0]["args"] = json!("--x 'y"))),
        ("invalid", "/priority", with(|r| r["priority"] = json!(10))),
        ("invalid", "/priority", with(|r| r["priority"] = json!(-1))),
        ("invalid", "/name", with(|r| r["name"] = json!(" "))),
        ("invalid", "/tests/0/time_limit_s", with(|r| r["tests"][0]["time_limit_s"] = json!(0))),
        (
            "too_many_runs",
            "/tests",
            with(|r| {
                r["tests"] = json!([{ "script": "a.py", "slots_needed": 100_000 }, { "script": "a.py", "slots_needed": 100_000 }]);
            }),
        ),
    ];
    for (code, field, request) in cases {
        let answer = lab.client.post("/api/v1/jobs", &request).await;
        assert_eq!(answer.problem(), code, "{request}: {}", answer.text);
        assert_eq!(answer.json()["fields"], json!([field]), "{request}: {}", answer.text);
    }
    let extra = with(|r| r["admin"] = json!(true));
    assert_eq!(lab.client.post("/api/v1/jobs", &extra).await.problem(), "invalid");
    let jobs = lab.client.get("/api/v1/jobs").await.ok(StatusCode::OK);
    assert_eq!(jobs["jobs"], json!([]));
}

#[tokio::test]
async fn errors_say_what_there_is_instead() {
    let lab = Lab::start().await;
    lab.rack("rack1", 2).await;
    let detail = async |request: Value| lab.client.post("/api/v1/jobs", &request).await.json()["detail"].clone();
    let text = detail(with(|r| r["slots"][0]["rack"] = json!("rakc1"))).await;
    assert_eq!(text, json!("there is no rack \"rakc1\"; there are: rack1"));
    let text = detail(with(|r| r["slots"][0]["slot"] = json!(9))).await;
    assert_eq!(text, json!("rack \"rack1\" has no slot 9; it has: 1, 2"));
    let text = detail(with(|r| r["tests"][0]["slots_needed"] = json!(-1))).await;
    assert_eq!(text, json!("slots_needed is -1; use 1 to 100000"));
    let text = detail(with(|r| r["tests"][0]["mode"] = json!("x"))).await;
    assert_eq!(text, json!("there is no policy \"x\"; installed are: none"));
}

#[tokio::test]
async fn bodies_that_are_no_json_are_refused() {
    let lab = Lab::start().await;
    let send = async |media: &str, body: String| {
        let request = lab.client.request(Method::POST, "/api/v1/jobs").header("content-type", media).body(body);
        lab.client.send(request).await.problem()
    };
    let deep = format!("{{\"name\":{}1{}}}", "[".repeat(100_000), "]".repeat(100_000));
    assert_eq!(send("application/json", deep).await, "bad_request");
    assert_eq!(send("application/json", "{".to_owned()).await, "bad_request");
    assert_eq!(send("application/json", "{\"name\":\"x\",\"tests\":[]} x".to_owned()).await, "bad_request");
    assert_eq!(send("text/plain", "{}".to_owned()).await, "media_type");
    assert_eq!(send("application/x-www-form-urlencoded", "a=b".to_owned()).await, "media_type");
    let large = format!("{{\"name\":\"{}\"}}", "x".repeat(5 << 20));
    assert_eq!(send("application/json", large).await, "too_large");
    for path in ["/api/v1/jobs/x", "/api/v1/jobs/-1", "/api/v1/jobs/99999999999999999999999"] {
        assert_eq!(lab.client.get(path).await.problem(), "bad_request", "{path}");
    }
    assert_eq!(lab.client.get("/api/v1/blobs/xyz").await.problem(), "invalid");
    assert_eq!(lab.client.get("/api/v1/files/secret").await.problem(), "not_found");
}

#[tokio::test]
async fn foreign_hosts_and_pages_are_turned_away_before_anything_else() {
    let lab = Lab::start().await;
    for (name, value) in [("host", "evil.example"), ("origin", "http://evil.example"), ("origin", "null")] {
        for path in ["/healthz", "/api/v1/server", "/nothing"] {
            let answer = lab.client.send(lab.client.request(Method::GET, path).header(name, value)).await;
            assert_eq!((answer.status.as_u16(), answer.problem().as_str()), (421, "wrong_host"), "{name}: {value}");
        }
    }
    let own = lab.client.request(Method::GET, "/api/v1/server").header("origin", lab.client.base.clone());
    let answer = lab.client.send(own).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.headers["x-content-type-options"], "nosniff");
    assert!(!answer.headers.contains_key("access-control-allow-origin"));
}

#[tokio::test]
async fn a_second_server_on_the_folder_is_refused_and_names_the_first() {
    let lab = Lab::start().await;
    let mut options = headend_server::ServeOptions::new(lab.folder.path());
    options.listen = "127.0.0.1:0".parse().unwrap();
    let refused = headend_server::Server::start(options).await.err().unwrap();
    let text = refused.to_string();
    assert!(text.contains("already in use") && text.contains(&std::process::id().to_string()), "{text}");
    assert_eq!(lab.client.get("/readyz").await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_rack_with_a_slot_0_or_an_epoch_that_never_was_is_refused() {
    let lab = Lab::start().await;
    let rack = FakeRack::enrol(&lab, "rack1", 1).await;
    let refused = async |change: &dyn Fn(&mut Ready)| {
        let mut message = rack.ready_message(2);
        change(message.ready.as_mut().unwrap());
        let answer = rack.say(&message).await;
        (answer.problem(), answer.json()["fields"][0].as_str().unwrap_or_default().to_owned())
    };
    let invalid = |field: &str| ("invalid".to_owned(), field.to_owned());
    assert_eq!(refused(&|ready| ready.slots[1].no = 0).await, invalid("/ready/slots/1/no"));
    assert_eq!(refused(&|ready| ready.slots[0].epoch = u64::MAX).await, invalid("/ready/slots/0"));
    assert_eq!(refused(&|ready| ready.dut_epochs.push((1, u64::MAX))).await, invalid("/ready/dut_epochs/0"));
    assert_eq!(rack.say(&rack.ready_message(2)).await.status, StatusCode::OK);
}

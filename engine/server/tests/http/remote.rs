//! The document's calls over XML-RPC: shapes, codes, refusals.

use headend_wire::xmlrpc::{self, Limits, Response, Value};
use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::support::{Client, Lab, upload};

pub(crate) fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

pub(crate) fn list(items: Vec<Value>) -> Value {
    Value::Array(items)
}

async fn respond(client: &Client, method: &str, params: &[Value]) -> Response {
    let request = client.request(Method::POST, "/").header("content-type", "text/xml");
    let answer = client.send(request.body(xmlrpc::write_call(method, params))).await;
    assert_eq!((answer.status, &*answer.media), (StatusCode::OK, "text/xml; charset=utf-8"), "{}", answer.text);
    xmlrpc::parse_response(answer.text.as_bytes(), &Limits::default()).unwrap()
}

pub(crate) async fn call(client: &Client, method: &str, params: &[Value]) -> Vec<Value> {
    match respond(client, method, params).await {
        Response::Value(Value::Array(items)) => items,
        other => panic!("{method} gave {other:?}"),
    }
}

pub(crate) fn number(value: &Value) -> i64 {
    value.as_int().unwrap_or_else(|| panic!("{value:?} is no number"))
}

fn test(script: &str, slots: i64) -> Value {
    list(vec![text(script), Value::Bool(true), Value::Int(slots), Value::Int(1), text("")])
}

fn slot(number: i64) -> Value {
    list(vec![text("rack1"), Value::Int(number)])
}

#[tokio::test]
async fn a_job_goes_through_and_its_status_has_the_documents_shape() {
    let lab = Lab::start().await;
    let mut rack = lab.rack("rack1", 2).await;
    lab.upload("samples/test1/script_one.py", "print(1)").await;
    let tests = list(vec![test("samples\\test1\\script_one.py", 3)]);
    let job = [text("My 1st job"), list(vec![slot(1), slot(2)]), Value::Nil, tests];
    let answer = call(&lab.client, "submitBatchJob", &job).await;
    let handle = number(&answer[2]);
    // Three slots are needed and two given: a warning, and the surplus is reported as incomplete.
    assert_eq!((number(&answer[0]), answer.len()), (-2, 4), "{answer:?}");
    let warnings = answer[3].as_array().unwrap();
    assert_eq!(warnings.len(), 1);
    assert_eq!(warnings[0].as_array().unwrap()[2], text("samples/test1/script_one.py"));

    assert_eq!(rack.take().await.len(), 2);
    rack.pass().await;
    rack.pass().await;
    let answer = call(&lab.client, "getBatchStatus", &[text(&handle.to_string())]).await;
    let status = answer[2].as_array().unwrap();
    assert_eq!((number(&status[0]), number(&status[3]), status.len()), (2, 0, 5), "{status:?}");
    assert!(number(&status[1]) > 1_700_000_000 && number(&status[2]) >= number(&status[1]));
    let rows: Vec<&[Value]> = status[4].as_array().unwrap().iter().map(|row| row.as_array().unwrap()).collect();
    assert_eq!(rows.len(), 3);
    assert!(rows.iter().all(|row| row.len() == 9 && row[0] == rows[0][0]), "one test, one identifier: {rows:?}");
    let passed: Vec<_> = rows.iter().filter(|row| number(&row[2]) == 111).collect();
    assert_eq!(passed.len(), 2);
    assert_eq!(passed[0][6], text("public/samples/test1/script_one.py"));
    let surplus = rows.iter().find(|row| number(&row[2]) == 1).unwrap();
    let nulls = list(vec![text("NULL"), text("NULL"), text("NULL")]);
    assert_eq!(surplus[8], list(vec![nulls]));

    // The log's address opens, also for a browser that knows the token as a password.
    let url = passed[0][7].as_text().unwrap();
    assert!(url.contains("/logs/public/samples/test1/script_one_20"), "{url}");
    let token = lab.client.token.clone().unwrap();
    let page = lab.client.http.get(url).basic_auth("me", Some(token)).send().await.unwrap();
    assert_eq!(
        (page.status(), page.headers()["content-type"].to_str().unwrap()),
        (StatusCode::OK, "text/html; charset=utf-8")
    );
    let stranger = lab.client.http.get(url).send().await.unwrap();
    assert_eq!(stranger.status(), StatusCode::UNAUTHORIZED);

    let killed = call(&lab.client, "killBatchJob", &[Value::Int(handle)]).await;
    assert_eq!((number(&killed[0]), number(&killed[2])), (-8, handle));
}

#[tokio::test]
async fn with_fail_on_warning_there_is_no_handle() {
    let lab = Lab::start().await;
    let _rack = lab.rack("rack1", 1).await;
    let params =
        |fail| [text("job"), list(vec![slot(1)]), Value::Nil, list(vec![test("missing.py", 1)]), Value::Bool(fail)];
    let refused = call(&lab.client, "submitBatchJob", &params(true)).await;
    assert_eq!((number(&refused[0]), number(&refused[2])), (32, 0), "{refused:?}");
    assert_eq!(number(&refused[3].as_array().unwrap()[0].as_array().unwrap()[0]), -1);
    let jobs = lab.client.get("/api/v1/jobs").await.ok(StatusCode::OK);
    assert_eq!(jobs["jobs"], json!([]));
    let taken = call(&lab.client, "submitBatchJob", &params(false)).await;
    assert_eq!(number(&taken[0]), -1);
    let kill = call(&lab.client, "killBatchJob", &[taken[2].clone()]).await;
    assert_eq!(kill[2], taken[2]);
}

/// What is said of a job whose only test has this script, public.
async fn said_of(client: &Client, rack: &str, script: &str) -> Vec<Value> {
    let slots = list(vec![list(vec![text(rack), Value::Int(1)])]);
    call(client, "submitBatchJob", &[text("job"), slots, Value::Nil, list(vec![test(script, 1)])]).await
}

#[tokio::test]
async fn a_rack_is_known_whatever_its_letter_case_unless_two_are_meant() {
    let lab = Lab::start().await;
    let _rack = lab.rack("rack1", 1).await;
    lab.upload("a.py", "print(1)").await;
    assert_eq!(number(&said_of(&lab.client, "RACK1", "a.py").await[0]), 0);
    let _twin = lab.rack("Rack1", 1).await;
    assert_eq!(number(&said_of(&lab.client, "RACK1", "a.py").await[0]), 22, "which of both?");
    assert_eq!(number(&said_of(&lab.client, "Rack1", "a.py").await[0]), 0);
}

#[tokio::test]
async fn a_path_with_the_name_of_its_area_in_front_is_told_so() {
    let lab = Lab::start().await;
    let _rack = lab.rack("rack1", 1).await;
    lab.upload("a/one.py", "print(1)").await;
    let said = said_of(&lab.client, "rack1", "public\\a\\one.py").await;
    assert_eq!(number(&said[0]), -1);
    assert!(said[1].as_text().unwrap().ends_with("so leave out `public/`"), "{said:?}");
    let listed = call(&lab.client, "listPublicFiles", &[text("public/a")]).await;
    assert!(listed[1].as_text().unwrap().ends_with("so leave out `public/`"), "{listed:?}");
    let listed = call(&lab.client, "listPublicFiles", &[text("b")]).await;
    assert_eq!(listed[1], text("Not found: there is no file or folder b in the area"));
}

#[tokio::test]
async fn where_libraries_go_without_a_path_the_same_calls_are_taken() {
    let lab = Lab::start().await;
    let request = |path| {
        let request = lab.client.request(Method::POST, path).header("content-type", "text/xml");
        lab.client.send(request.body(xmlrpc::write_call("system.listMethods", &[])))
    };
    let (root, other) = (request("/").await, request("/RPC2").await);
    assert_eq!((other.status, &other.text), (StatusCode::OK, &root.text));
}

#[tokio::test]
async fn devices_are_found_in_rows_of_twenty() {
    let lab = Lab::start().await;
    let _rack = lab.rack("rack1", 1).await;
    let doc = json!({
        "model": [{ "name": "M1", "manufacturer": "Grundig" }], "ir_set": [{ "name": "nec" }],
        "dut": [{ "dut": 3822, "name": "TP200686A-L-80", "model": "M1", "ir_set": "nec", "place": "rack1/1" }],
    });
    lab.client.post("/api/v1/inventory", &doc).await.ok(StatusCode::OK);
    let answer = call(&lab.client, "findStb", &[list(vec![text("Name==TP*"), text("Manufacturer==*")])]).await;
    let row = answer[2].as_array().unwrap()[0].as_array().unwrap();
    assert_eq!(row.len(), 20);
    assert_eq!(
        (&row[0], &row[5], &row[14], &row[16]),
        (&text("TP200686A-L-80"), &text("Grundig"), &text("NULL"), &Value::Int(3822))
    );
    assert!(number(&row[17]) > 1_700_000_000);
    assert_eq!((&row[18], &row[19]), (&Value::Int(1), &text("rack1")));
    let quoted = call(&lab.client, "findStb", &[list(vec![text("Name==\"TP*")])]).await;
    assert_eq!(number(&quoted[0]), 39);
    assert!(quoted[1].as_text().unwrap().contains("write it without"), "{quoted:?}");
}

#[tokio::test]
async fn refusals_are_answers_with_numbers_and_name_the_argument() {
    let lab = Lab::start().await;
    let _rack = lab.rack("rack1", 1).await;
    let refused = async |method: &str, params: Vec<Value>| {
        let answer = call(&lab.client, method, &params).await;
        (number(&answer[0]), answer[1].as_text().unwrap().to_owned())
    };
    let job = |slots: Value, tests: Value| vec![text("job"), slots, Value::Nil, tests];
    let one = || list(vec![test("a.py", 1)]);
    assert_eq!(refused("submitBatchJob", job(list(vec![slot(9)]), one())).await.0, 20);
    assert_eq!(refused("submitBatchJob", job(list(vec![]), one())).await.0, 26);
    assert_eq!(refused("submitBatchJob", job(list(vec![slot(1)]), list(vec![]))).await.0, 25);
    let (code, what) = refused("submitBatchJob", job(list(vec![text("rack1")]), one())).await;
    assert!(code == 2 && what.contains("slots[0] is \"rack1\""), "{what}");
    let (code, what) = refused("submitBatchJob", job(list(vec![slot(1)]), list(vec![list(vec![text("a.py")])]))).await;
    assert!(code == 2 && what.contains("tests[0] has 1 elements; give 5"), "{what}");
    let (code, what) = refused("getBatchStatus", vec![text("abc")]).await;
    assert!(code == 2 && what.contains("handle is \"abc\""), "{what}");
    assert_eq!(refused("getBatchStatus", vec![Value::Int(999_999)]).await.0, 5);
    assert_eq!(refused("killBatchJob", vec![Value::Int(999_999)]).await.0, 5);
    assert_eq!(refused("findStb", vec![list(vec![]), Value::Int(1)]).await.0, 2);
}

#[tokio::test]
async fn what_is_no_call_is_a_fault() {
    let lab = Lab::start().await;
    let fault = async |method: &str| match respond(&lab.client, method, &[]).await {
        Response::Fault { code, text } => (code, text),
        Response::Value(value) => panic!("{value:?}"),
    };
    let (code, what) = fault("FindSTB").await;
    assert!(code == -32601 && what.contains("did you mean \"findStb\""), "{what}");
    let post = async |media: &'static str, body: &'static str| {
        lab.client.send(lab.client.request(Method::POST, "/").header("content-type", media).body(body)).await
    };
    assert_eq!(post("text/plain", "<methodCall/>").await.problem(), "media_type");
    let answer = post("text/xml", "<!DOCTYPE x><methodCall/>").await;
    assert!(answer.text.contains("<fault>") && answer.text.contains("-32700"), "{}", answer.text);
    let nobody = Client { token: None, ..lab.client.clone() };
    let request = nobody.request(Method::POST, "/").header("content-type", "text/xml").body("x");
    assert_eq!(nobody.send(request).await.problem(), "unauthenticated");
}

#[tokio::test]
async fn customers_own_tools_find_what_they_read() {
    let lab = Lab::start().await;
    let _rack = lab.rack("rack1", 2).await;
    lab.client.post("/api/v1/inventory", &json!({ "model": [{ "name": "HD+" }] })).await.ok(StatusCode::OK);
    let models = call(&lab.client, "GetStbModelInfo", &[]).await;
    let model = models[2].as_array().unwrap()[0].as_array().unwrap().to_vec();
    assert_eq!(model[0], text("HD+"));
    let server = call(&lab.client, "GetServerId", &[text("rack1")]).await[2].clone();
    let params = [text("admin"), server, Value::Int(2), model[3].clone(), text("box 2"), text("10.0.0.2"), text("NA")];
    let made = call(&lab.client, "CreateDutInstanceByModel", &params).await;
    assert_eq!(number(&made[0]), 0, "{made:?}");

    let servers = call(&lab.client, "GetServerList", &[]).await;
    let row = servers[2].as_array().unwrap()[0].as_array().unwrap();
    assert_eq!((row.len(), &row[0]), (19, &text("rack1")));
    let second = row[18].as_array().unwrap()[1].as_array().unwrap();
    assert_eq!((&second[0], &second[2], &second[3]), (&Value::Int(2), &text("box 2"), &text("10.0.0.2")));

    let id = call(&lab.client, "GetSlotIdFromAddress", &[text("rack1"), Value::Int(2)]).await[2].clone();
    let dut = call(&lab.client, "GetDutInstance", std::slice::from_ref(&id)).await[2].as_array().unwrap()[0].clone();
    assert_eq!(dut, made[2]);

    upload(&lab.client, "public", "tech/python/x.py", "print(1)").await;
    let job = [
        text("ann"),
        Value::Int(5),
        Value::Int(1),
        Value::Int(1),
        text("-s 'an argument'"),
        Value::Bool(true),
        list(vec![text("tech/python/x.py")]),
        text(""),
        list(vec![]),
        list(vec![dut.clone()]),
    ];
    let created = call(&lab.client, "CreateRemoteJob", &job).await;
    let handle = created[2].as_text().unwrap_or_else(|| panic!("{created:?}"));
    let found = lab.client.get(&format!("/api/v1/jobs/{handle}")).await.ok(StatusCode::OK);
    assert_eq!((&found["owner"], &found["tests"][0]["args"]), (&json!("ann"), &json!(["-s", "an argument"])));
    let bob = lab.user("bob").await;
    assert_eq!(number(&call(&bob, "CreateRemoteJob", &job).await[0]), 4, "bob is not ann");

    // Not while a job names it.
    let kept = call(&lab.client, "DeleteDutInstance", &[text("admin"), dut.clone()]).await;
    assert!(
        number(&kept[0]) == 6 && kept[1].as_text().unwrap().contains(&format!("job {handle} names it")),
        "{kept:?}"
    );
    assert_eq!(number(&call(&lab.client, "GetDutInstance", &[id]).await[0]), 0);
}

//! Schedules: the document's calls in its shapes, the same by REST, who may what, and one that comes due.

use std::time::Instant;

use headend_model::Span;
use headend_wire::xmlrpc::Value;
use jiff::civil::date;
use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::live::Feed;
use crate::remote::{call, list, number, text};
use crate::support::{Client, Lab, PATIENCE, upload};

/// A lab in Dublin, as the document's was.
async fn lab() -> Lab {
    Lab::start_with(|options| {
        options.time_zone = Some("Europe/Dublin".to_owned());
        options.farm.schedule_settle = Span::millis(100);
    })
    .await
}

/// A lab elsewhere.
async fn lab_in(zone: &'static str) -> Lab {
    Lab::start_with(move |options| options.time_zone = Some(zone.to_owned())).await
}

/// The arguments of a schedule, without its name or id.
fn timing(kind: &str, end: Option<&str>, more: &[Value]) -> Vec<Value> {
    let end = end.map_or(Value::Nil, text);
    let dates = [text(kind), text("2013-09-17"), end, text("10:00:00"), text("20:00:00")];
    dates.into_iter().chain(more.iter().cloned()).collect()
}

async fn ok(client: &Client, method: &str, params: &[Value]) -> Option<Value> {
    let answer = call(client, method, params).await;
    assert_eq!((&answer[0], &answer[1]), (&Value::Int(0), &text("OK")), "{method}: {answer:?}");
    assert!(answer.len() <= 3, "{method}: {answer:?}");
    answer.get(2).cloned()
}

async fn refused(client: &Client, method: &str, params: &[Value]) -> (i64, String) {
    let answer = call(client, method, params).await;
    assert_eq!(answer.len(), 2, "{method}: {answer:?}");
    (number(&answer[0]), answer[1].as_text().unwrap().to_owned())
}

async fn create(client: &Client, name: &str, timing: Vec<Value>) -> Value {
    let params: Vec<Value> = [text(name)].into_iter().chain(timing).collect();
    let id = ok(client, "createSchedule", &params).await.unwrap();
    let digits = id.as_text().unwrap_or_else(|| panic!("an id is text here: {id:?}"));
    Value::Int(digits.parse().unwrap())
}

fn rows(value: Option<Value>) -> Vec<Vec<Value>> {
    let rows = value.unwrap();
    rows.as_array().unwrap().iter().map(|row| row.as_array().unwrap().to_vec()).collect()
}

fn int(value: i64) -> Value {
    Value::Int(value)
}

#[tokio::test]
async fn schedules_are_made_and_shown_as_the_document_does() {
    let lab = lab().await;
    let me = &lab.client;
    let daily = create(me, "a daily schedule", timing("Daily", None, &[int(100), int(1)])).await;
    let days = list(vec![text("Fri"), text("Wed")]);
    let weekly = create(me, "a weekly schedule", timing("Weekly", None, &[int(0), int(3), days])).await;
    let looped = create(me, "a loop schedule", timing("Loop", Some("2013-09-20"), &[])).await;
    let shown = rows(ok(me, "showSchedules", &[]).await);
    assert_eq!(shown.iter().map(|row| row[0].clone()).collect::<Vec<_>>(), [daily.clone(), weekly, looped.clone()]);
    assert!(shown.iter().all(|row| row.len() == 13 && matches!(row[2], Value::DateTime(_))), "{shown:?}");

    let at = |year, month, day, hour| Value::DateTime(date(year, month, day).at(hour, 0, 0, 0));
    let texts = |row: &[Value], from: usize, to: usize| {
        row[from..to].iter().map(|value| value.as_text().unwrap().to_owned()).collect::<Vec<_>>()
    };
    // The hundredth day of a count is its end date, as in the document's own row.
    assert_eq!(texts(&shown[0], 3, 8), ["Daily", "2013-09-17", "2013-12-25", "10:00:00", "20:00:00"]);
    assert_eq!(shown[0][8..11], [int(100), int(1), list(vec![])]);
    // Instants are UTC, as in that row: 10:00 in Dublin's summer is 09:00, in its winter nothing is added.
    assert_eq!(shown[0][11..], [at(2013, 9, 17, 9), at(2013, 12, 25, 20)]);
    // No end is 2038 for the document, and nothing else.
    assert_eq!(texts(&shown[1], 3, 8), ["Weekly", "2013-09-17", "2038-01-19", "10:00:00", "20:00:00"]);
    assert_eq!(shown[1][8..11], [int(0), int(3), list(vec![text("Wed"), text("Fri")])]);
    assert_eq!(shown[1][11..], [at(2013, 9, 18, 9), Value::DateTime(date(2038, 1, 19).at(3, 14, 7, 0))]);
    assert_eq!(texts(&shown[2], 3, 8), ["Loop", "2013-09-17", "2013-09-20", "10:00:00", "20:00:00"]);
    assert_eq!((&shown[2][9], &shown[2][12]), (&text("NULL"), &at(2013, 9, 20, 19)));

    assert_eq!(ok(me, "renameSchedule", &[daily.clone(), text("new name")]).await, None);
    assert_eq!(ok(me, "getScheduleIdFromName", &[text("new name")]).await, Some(daily.clone()));
    assert_eq!(refused(me, "getScheduleIdFromName", &[text("a daily schedule")]).await.0, 5);
    let modify = [daily.clone()].into_iter().chain(timing("Weekdays", Some("2038-01-19"), &[])).collect::<Vec<_>>();
    let modified = ok(me, "modifySchedule", &modify).await;
    assert_eq!(modified, Some(text(&number(&daily).to_string())));
    let shown = rows(ok(me, "showSchedules", &[text("admin")]).await);
    // What was shown as no end comes back as no end.
    assert_eq!((&shown[0][1], &shown[0][3], &shown[0][5]), (&text("new name"), &text("Weekdays"), &text("2038-01-19")));
    let path = format!("/api/v1/schedules/{}", number(&daily));
    let rest = me.get(&path).await.ok(StatusCode::OK);
    assert_eq!((&rest["timing"]["end_date"], &rest["timing"]["time_zone"]), (&json!(null), &json!("Europe/Dublin")));

    assert_eq!(ok(me, "deleteSchedule", &[text(&number(&looped).to_string())]).await, None);
    assert_eq!(refused(me, "deleteSchedule", &[looped]).await.0, 5);
    assert_eq!(rows(ok(me, "showSchedules", &[]).await).len(), 2);
}

#[tokio::test]
async fn slots_duts_and_tests_are_added_shown_and_removed() {
    let lab = lab().await;
    let _rack = lab.rack("rack1", 2).await;
    let me = &lab.client;
    let doc = json!({ "model": [{ "name": "gufsat20sd" }],
        "dut": [{ "dut": 148, "name": "Grundig-1", "model": "gufsat20sd" }] });
    me.post("/api/v1/inventory", &doc).await.ok(StatusCode::OK);
    let id = create(me, "nightly", timing("Daily", None, &[])).await;
    let slot = |number: i64| [id.clone(), text("rack1"), int(number)];
    assert_eq!(ok(me, "addSlotToSchedule", &slot(2)).await, None);
    assert_eq!(ok(me, "addSlotToSchedule", &slot(1)).await, None);
    let shown = rows(ok(me, "showSlotsOnSchedule", std::slice::from_ref(&id)).await);
    assert_eq!(shown, [[text("rack1"), int(2)], [text("rack1"), int(1)]]);
    // What is so already is a warning.
    assert_eq!(refused(me, "addSlotToSchedule", &slot(1)).await.0, -9);
    assert_eq!(ok(me, "removeSlotFromSchedule", &slot(1)).await, None);
    assert_eq!(refused(me, "removeSlotFromSchedule", &slot(1)).await.0, -10);
    assert_eq!(ok(me, "addStbToSchedule", &[id.clone(), int(148)]).await, None);
    let shown = rows(ok(me, "showStbsOnSchedule", std::slice::from_ref(&id)).await);
    assert_eq!(shown, [[int(148), text("Grundig-1"), text(""), text("gufsat20sd")]]);
    assert_eq!(ok(me, "removeStbFromSchedule", &[id.clone(), text("148")]).await, None);
    assert_eq!(refused(me, "removeStbFromSchedule", &[id.clone(), int(148)]).await.0, -10);

    lab.upload("tests/test1.py", "print(1)").await;
    upload(me, "private", "Basic_Test.py", "print(2)").await;
    let public = [id.clone(), text("tests\\test1.py"), Value::Bool(true), int(2)];
    let first = ok(me, "addTestToSchedule", &public).await.unwrap();
    let private =
        [id.clone(), text("Basic_Test.py"), Value::Bool(false), int(3), int(5), int(1), text("-s \"an argument\"")];
    let second = ok(me, "addTestToSchedule", &private).await.unwrap();
    let number_of = |id: &Value| id.as_text().unwrap().parse::<i64>().unwrap();
    let shown = rows(ok(me, "showJobsOnSchedule", std::slice::from_ref(&id)).await);
    assert!(shown.iter().all(|row| row.len() == 15 && matches!(row[3], Value::DateTime(_))), "{shown:?}");
    assert_eq!(shown[0][..2], [int(number_of(&first)), int(0)]);
    assert_eq!(
        shown[0][4..],
        [
            text(""),
            int(1),
            text("public/tests/test1.py"),
            text("not run"),
            int(1),
            int(0),
            int(1),
            int(2),
            int(0),
            int(0),
            int(0)
        ]
    );
    assert_eq!(
        shown[1][4..],
        [
            text("-s \"an argument\""),
            int(1),
            text("admin/Basic_Test.py"),
            text("not run"),
            int(5),
            int(0),
            int(0),
            int(3),
            int(1),
            int(0),
            int(0)
        ]
    );
    assert_eq!(shown[0][2], shown[1][2], "the number of a user is the same everywhere");

    let update = [second.clone(), Value::Bool(true), int(4), int(9), int(77), int(2), text("x 'y z'")];
    assert_eq!(ok(me, "updateJob", &update).await, Some(second.clone()));
    let shown = rows(ok(me, "showJobsOnSchedule", std::slice::from_ref(&id)).await);
    assert_eq!((&shown[1][4], &shown[1][6]), (&text("x \"y z\""), &text("public/Basic_Test.py")));
    assert_eq!((&shown[1][8], &shown[1][9], &shown[1][11], &shown[1][12]), (&int(9), &int(0), &int(4), &int(2)));
    assert_eq!(ok(me, "deleteJob", std::slice::from_ref(&second)).await, Some(text("1 records deleted")));
    assert_eq!(refused(me, "deleteJob", &[second]).await.0, 5);
    assert_eq!(rows(ok(me, "showJobsOnSchedule", &[id]).await).len(), 1);
}

#[tokio::test]
async fn refusals_name_the_argument_and_have_numbers() {
    let lab = lab().await;
    let _rack = lab.rack("rack1", 1).await;
    let me = &lab.client;
    let id = create(me, "nightly", timing("Daily", None, &[])).await;
    let create = async |timing: Vec<Value>| {
        let params: Vec<Value> = [text("other")].into_iter().chain(timing).collect();
        refused(me, "createSchedule", &params).await
    };
    let changed = |at: usize, value: Value| {
        let mut timing = timing("Daily", None, &[int(0), int(1), Value::Nil]);
        timing[at] = value;
        timing
    };
    for (timing, code, what) in [
        (changed(0, text("Hourly")), 50, "scheduleType \"Hourly\""),
        (changed(1, text("17.9.2013")), 2, "startDate: date \"17.9.2013\""),
        (changed(1, Value::Nil), 2, "startDate is missing"),
        (changed(2, text("2013-09-16")), 50, "endDate 2013-09-16 is before startDate"),
        (changed(3, text("25:00:00")), 2, "startTime: time \"25:00:00\""),
        (changed(3, int(10)), 2, "startTime is of type int"),
        (changed(4, text("20:00:00[Europe/Berlin]")), 2, "the time zone of startTime is none"),
        (changed(5, int(-1)), 2, "repeatCount is -1"),
        (changed(6, int(0)), 50, "repeatRate is 0"),
        (changed(7, list(vec![text("Mon")])), 50, "repeatDays is Mon, but a Daily"),
        (changed(7, list(vec![int(1)])), 2, "repeatDays[0] is 1"),
        (timing("Daily", Some("2013-12-25"), &[int(5)]), 50, "repeatCount is 5 and endDate is 2013-12-25"),
        (timing("Daily", None, &[int(0), int(1), Value::Nil, int(1)]), 2, "createSchedule takes (name, scheduleType"),
    ] {
        let (number, said) = create(timing).await;
        assert!(number == code && said.contains(what), "{number} {said}, not {code} {what}");
    }
    let zoned = |zone: &str| {
        let mut timing = changed(3, text(&format!("10:00:00[{zone}]")));
        timing[4] = text(&format!("20:00:00[{zone}]"));
        timing
    };
    assert_eq!(create(zoned("Mars/Base")).await.0, 51);
    assert_eq!(create(zoned("../etc")).await.0, 51);

    let taken: Vec<Value> = [text("nightly")].into_iter().chain(timing("Daily", None, &[])).collect();
    let (code, said) = refused(me, "createSchedule", &taken).await;
    assert!(code == 52 && said.contains("choose another name"), "{said}");
    assert_eq!(refused(me, "createSchedule", &[text(" x ")]).await.0, 2);
    assert_eq!(refused(me, "addSlotToSchedule", &[id.clone(), text("rack9"), int(1)]).await.0, 22);
    assert_eq!(refused(me, "addSlotToSchedule", &[id.clone(), text("rack1"), int(9)]).await.0, 20);
    assert_eq!(refused(me, "addSlotToSchedule", &[id.clone(), text("rack1"), int(-1)]).await.0, 2);
    assert_eq!(refused(me, "addStbToSchedule", &[id.clone(), int(999_999)]).await.0, 21);
    let test = |slots: i64, priority: i64, mode: i64, args: &str| {
        vec![id.clone(), text("a.py"), Value::Bool(true), int(slots), int(priority), int(mode), text(args)]
    };
    for (params, code) in
        [(test(0, 1, 1, ""), 28), (test(1, 10, 1, ""), 2), (test(1, 1, 3, ""), 24), (test(1, 1, 1, "'"), 33)]
    {
        assert_eq!(refused(me, "addTestToSchedule", &params).await.0, code, "{params:?}");
    }
    let up = [id.clone(), text("../a.py"), Value::Bool(true), int(1)];
    assert_eq!(refused(me, "addTestToSchedule", &up).await.0, 29);
    let gone = int(999_999);
    for (method, params) in every_call(&gone, &gone) {
        if method != "showSchedules" && method != "createSchedule" && method != "getScheduleIdFromName" {
            assert_eq!(refused(me, method, &params).await.0, 5, "{method}");
        }
    }
}

/// Every call, on this schedule and this test.
fn every_call(schedule: &Value, test: &Value) -> Vec<(&'static str, Vec<Value>)> {
    let on = |rest: Vec<Value>| [schedule.clone()].into_iter().chain(rest).collect::<Vec<_>>();
    vec![
        ("createSchedule", [text("mine")].into_iter().chain(timing("Daily", None, &[])).collect()),
        ("showSchedules", vec![]),
        ("getScheduleIdFromName", vec![text("nightly")]),
        ("modifySchedule", on(timing("Daily", None, &[]))),
        ("renameSchedule", on(vec![text("another")])),
        ("addSlotToSchedule", on(vec![text("rack1"), int(1)])),
        ("removeSlotFromSchedule", on(vec![text("rack1"), int(1)])),
        ("addStbToSchedule", on(vec![int(1)])),
        ("removeStbFromSchedule", on(vec![int(1)])),
        ("addTestToSchedule", on(vec![text("a.py"), Value::Bool(true), int(1)])),
        ("updateJob", vec![test.clone(), Value::Bool(true), int(1), int(1), int(0), int(1), text("")]),
        ("deleteJob", vec![test.clone()]),
        ("showSlotsOnSchedule", on(vec![])),
        ("showStbsOnSchedule", on(vec![])),
        ("showJobsOnSchedule", on(vec![])),
        ("deleteSchedule", on(vec![])),
    ]
}

#[tokio::test]
async fn what_is_anothers_is_not_there() {
    let lab = lab().await;
    let _rack = lab.rack("rack1", 1).await;
    let (ann, bob) = (lab.user("ann").await, lab.user("bob").await);
    let id = create(&ann, "nightly", timing("Daily", None, &[])).await;
    let test = [id.clone(), text("a.py"), Value::Bool(true), int(1)];
    let test = ok(&ann, "addTestToSchedule", &test).await.unwrap();
    for (method, params) in every_call(&id, &test) {
        match method {
            "createSchedule" => drop(ok(&bob, method, &params).await),
            "showSchedules" => assert_eq!(rows(ok(&bob, method, &params).await).len(), 1, "bob sees his own"),
            _ => assert_eq!(refused(&bob, method, &params).await.0, 5, "{method}"),
        }
    }
    // Whether there is such a user, or such a schedule of hers, makes no difference.
    for user in ["ann", "nobody"] {
        assert_eq!(refused(&bob, "showSchedules", &[text(user)]).await.0, 4);
        assert_eq!(refused(&bob, "getScheduleIdFromName", &[text("nightly"), text(user)]).await.0, 4);
    }
    let path = format!("/api/v1/schedules/{}", number(&id));
    let test_path = format!("/api/v1/scheduled-tests/{}", test.as_text().unwrap());
    for (method, path, body) in [
        (Method::GET, path.clone(), json!(null)),
        (Method::PATCH, path.clone(), json!({ "name": "x" })),
        (Method::DELETE, path.clone(), json!(null)),
        (
            Method::PUT,
            format!("{path}/timing"),
            json!({ "type": "Daily", "start_date": "", "start_time": "", "end_time": "" }),
        ),
        (Method::PUT, format!("{path}/slots/rack1/1"), json!(null)),
        (Method::DELETE, format!("{path}/duts/1"), json!(null)),
        (Method::POST, format!("{path}/tests"), json!({ "script": "a.py" })),
        (Method::PATCH, test_path.clone(), json!({ "priority": 2 })),
        (Method::DELETE, test_path, json!(null)),
        (Method::GET, format!("{path}/coming"), json!(null)),
        (Method::GET, format!("{path}/past"), json!(null)),
    ] {
        let answer = bob.send(bob.request(method.clone(), &path).json(&body)).await;
        assert_eq!(answer.problem(), "not_found", "{method} {path}");
    }
    assert_eq!(bob.get("/api/v1/schedules?owner=ann").await.problem(), "forbidden");

    // An administrator sees and changes all of it; it stays ann's.
    let shown = rows(ok(&lab.client, "showSchedules", &[text("ann")]).await);
    assert_eq!((shown.len(), &shown[0][0]), (1, &id));
    assert_eq!(ok(&lab.client, "getScheduleIdFromName", &[text("nightly"), text("ann")]).await, Some(id.clone()));
    ok(&lab.client, "renameSchedule", &[id.clone(), text("hers")]).await;
    assert_eq!(lab.client.get(&path).await.ok(StatusCode::OK)["owner"], json!("ann"));
    assert_eq!(ok(&ann, "getScheduleIdFromName", &[text("hers")]).await, Some(id));
}

#[tokio::test]
async fn rest_does_the_same_and_a_restart_changes_nothing() {
    let mut lab = lab().await;
    let _rack = lab.rack("rack1", 2).await;
    let year = jiff::Zoned::now().year() + 1;
    let request = json!({
        "name": "über Nacht / 1", "while_former_runs": "skip",
        "timing": { "type": "Daily", "start_date": format!("{year}-03-27"), "start_time": "02:30", "end_time": "02:45",
            "time_zone": "europe/berlin", "repeat_count": 3 },
    });
    let made = lab.client.post("/api/v1/schedules", &request).await.ok(StatusCode::CREATED);
    assert_eq!(
        (&made["timing"]["time_zone"], &made["timing"]["start_time"]),
        (&json!("Europe/Berlin"), &json!("02:30:00"))
    );
    assert_eq!((&made["while_former_runs"], &made["at_window_end"]), (&json!("skip"), &json!("wait")));
    assert_eq!(lab.client.post("/api/v1/schedules", &request).await.problem(), "name_taken");
    let found = lab.client.get("/api/v1/schedules?name=%C3%BCber%20Nacht%20/%201").await.ok(StatusCode::OK);
    assert_eq!(found["schedules"][0]["schedule"], made["schedule"]);
    let none = lab.client.get("/api/v1/schedules?name=x").await.ok(StatusCode::OK);
    assert_eq!(none, json!({ "schedules": [] }));

    let path = format!("/api/v1/schedules/{}", made["schedule"]);
    let send = async |lab: &Lab, method: Method, path: String, body: serde_json::Value| {
        lab.client.send(lab.client.request(method, &path).json(&body)).await
    };
    let slot = || format!("{path}/slots/rack1/1");
    for (method, changed) in
        [(Method::PUT, true), (Method::PUT, false), (Method::DELETE, true), (Method::DELETE, false)]
    {
        let answer = send(&lab, method.clone(), slot(), json!(null)).await.ok(StatusCode::OK);
        assert_eq!(answer["changed"], json!(changed), "{method}");
    }
    send(&lab, Method::PUT, slot(), json!(null)).await.ok(StatusCode::OK);
    send(&lab, Method::PUT, format!("{path}/slots/rack1/2"), json!(null)).await.ok(StatusCode::OK);
    let test = json!({ "script": "a.py", "args": "-s 'x y'", "time_limit_s": 60 });
    let added = send(&lab, Method::POST, format!("{path}/tests"), test).await.ok(StatusCode::CREATED);
    let test_path = format!("/api/v1/scheduled-tests/{}", added["test"]);
    send(&lab, Method::PATCH, test_path, json!({ "priority": 4 })).await.ok(StatusCode::OK);
    let change = json!({ "name": "nightly", "at_window_end": "end" });
    send(&lab, Method::PATCH, path.clone(), change).await.ok(StatusCode::OK);
    let detail = lab.client.get(&path).await.ok(StatusCode::OK);
    assert_eq!((&detail["name"], &detail["at_window_end"]), (&json!("nightly"), &json!("end")));
    assert_eq!(detail["slots"], json!([{ "rack": "rack1", "slot": 1 }, { "rack": "rack1", "slot": 2 }]));
    let test = &detail["test_list"][0];
    assert_eq!((&test["priority"], &test["slots_needed"], &test["mode"]), (&json!(4), &json!(2), &json!(1)));
    assert_eq!(
        (&test["args"], &test["time_limit_s"], &test["status"]),
        (&json!(["-s", "x y"]), &json!(60), &json!("not run"))
    );

    let coming = lab.client.get(&format!("{path}/coming?most=2")).await.ok(StatusCode::OK);
    assert_eq!(coming["coming"].as_array().unwrap().len(), 2);
    assert_eq!(coming["time_zone"], json!("Europe/Berlin"));
    assert!(coming["coming"][0]["starts_local"].as_str().unwrap().starts_with(&format!("{year}-03-27 0")), "{coming}");
    assert_eq!(lab.client.get(&format!("{path}/past")).await.ok(StatusCode::OK)["past"], json!([]));
    for (body, field) in [
        (json!({ "type": "Daily", "start_date": "x", "start_time": "02:30", "end_time": "02:45" }), "/start_date"),
        (
            json!({ "type": "Weekly", "start_date": "2013-09-17", "start_time": "02:30", "end_time": "02:45" }),
            "/repeat_days",
        ),
        (json!({ "type": "Daily", "start_date": "2013-09-17", "start_time": "2", "end_time": "02:45" }), "/start_time"),
        (
            json!({ "type": "Daily", "start_date": "2013-09-17", "start_time": "02:30", "end_time": "02:45", "time_zone": "X/Y" }),
            "/time_zone",
        ),
    ] {
        let answer = send(&lab, Method::PUT, format!("{path}/timing"), body).await;
        answer.problem();
        assert_eq!(answer.json()["fields"], json!([field]));
    }
    lab.restart().await;
    assert_eq!(lab.client.get(&format!("{path}/coming?most=2")).await.ok(StatusCode::OK), coming);
    assert_eq!(lab.client.get(&path).await.ok(StatusCode::OK), detail);
    send(&lab, Method::DELETE, path.clone(), json!(null)).await.ok(StatusCode::OK);
    assert_eq!(lab.client.get(&path).await.problem(), "not_found");
}

#[tokio::test]
async fn an_occurrence_runs_is_recorded_and_its_revision_is_that_of_its_run() {
    let lab = lab().await;
    let mut rack = lab.rack("rack1", 1).await;
    let (ann, bob) = (lab.user("ann").await, lab.user("bob").await);
    upload(&ann, "private", "a.py", "print(1)").await;
    let later = [text("OneOff"), text("2900-01-01"), Value::Nil, text("10:00:00"), text("20:00:00")];
    let id = create(&ann, "once", later.to_vec()).await;
    ok(&ann, "addSlotToSchedule", &[id.clone(), text("rack1"), int(1)]).await;
    let test = [id.clone(), text("a.py"), Value::Bool(false), int(1), int(1), int(1), text("-x")];
    ok(&ann, "addTestToSchedule", &test).await;
    // All is on it: now its window is open.
    let now = [id.clone(), text("OneOff"), text("2013-09-17"), text("2900-01-01"), text("10:00:00"), text("20:00:00")];
    ok(&ann, "modifySchedule", &now).await;
    let order = rack.take().await.remove(0);
    assert!(order.private_tree.is_some(), "the tree of its owner");
    let path = format!("/api/v1/schedules/{}", number(&id));
    let active = ann.get(&path).await.ok(StatusCode::OK);
    assert_eq!(active["active"]["jobs"], json!([order.lease.job.0]), "{active}");
    let job = ann.job(order.lease.job.0).await;
    assert_eq!((&job["owner"], &job["tests"][0]["args"]), (&json!("ann"), &json!(["-x"])));
    upload(&ann, "private", "a.py", "print(2)").await;
    let row = rows(ok(&ann, "showJobsOnSchedule", std::slice::from_ref(&id)).await).remove(0);
    assert_eq!((&row[5], &row[6], &row[7]), (&int(1), &text("ann/a.py"), &text("running")));
    rack.pass().await;

    let until = Instant::now() + PATIENCE;
    let record = loop {
        let past = ann.get(&format!("{path}/past")).await.ok(StatusCode::OK)["past"].clone();
        if past[0].is_object() {
            break past[0].clone();
        }
        assert!(Instant::now() < until, "no record of the occurrence");
    };
    // Changed inside its window, so it began late, and once.
    assert_eq!(
        (&record["fate"], &record["first"], &record["last"]),
        (&json!("late"), &json!(1), &json!(1)),
        "{record}"
    );
    assert_eq!(record["jobs"], json!([order.lease.job.0]));
    assert_eq!(record["planned_local"], json!("2013-09-17 10:00:00+01:00"));
    let row = rows(ok(&ann, "showJobsOnSchedule", std::slice::from_ref(&id)).await).remove(0);
    assert_eq!((&row[1], &row[5], &row[7]), (&int(1), &int(1), &text("ran")), "the run had the first revision");
    assert!(number(&row[14]) >= number(&row[13]) && number(&row[13]) > 1_700_000_000, "{row:?}");

    let mut feed = Feed::open(&ann, "/api/v1/events?after=0", None).await;
    let began = feed.next_of("occurrence_began").await;
    assert_eq!(began["data"]["schedule"], json!(number(&id)), "{began}");
    let made = feed.next_of("job_accepted").await;
    assert_eq!((&made["job"], &made["data"]["occurrence"]), (&json!(order.lease.job.0), &json!(1)), "{made}");
    let ended = feed.next_of("occurrence_ended").await;
    assert!(ended["text"].as_str().unwrap().starts_with("schedule once, occurrence 1 late: "), "{ended}");
    // Bob's feed has nothing of it up to what he did last.
    upload(&bob, "private", "b.py", "print(1)").await;
    let mut feed = Feed::open(&bob, "/api/v1/events?after=0", None).await;
    loop {
        let event = feed.next().await;
        match event["kind"].as_str().unwrap() {
            "files_changed" => break,
            kind => assert_eq!(kind, "rack_changed", "{event}"),
        }
    }
}

/// The document names no zone for the dates with time that it shows; its own rows do: they are UTC.
#[tokio::test]
async fn the_documents_own_rows_come_out_as_printed() {
    let lab = lab().await;
    let me = &lab.client;
    let days = list(vec![text("Wed"), text("Fri")]);
    let wall = |kind, from, to, start: &str, end: &str| vec![text(kind), text(from), to, text(start), text(end)];
    let mut daily = wall("Daily", "2013-09-17", Value::Nil, "10:00:00", "20:00:00");
    daily.extend([int(100), int(1)]);
    create(me, "a daily schedule", daily).await;
    // The document's weekly schedule was created at 14:24:08, for 15:24 on that day in Dublin's summer.
    let mut weekly = wall("Weekly", "2013-09-13", Value::Nil, "15:24:00", "16:24:00");
    weekly.extend([int(0), int(3), days]);
    create(me, "a weekly schedule", weekly).await;
    let shown = rows(ok(me, "showSchedules", &[]).await);
    let at = |month, day, hour, minute| Value::DateTime(date(2013, month, day).at(hour, minute, 0, 0));
    assert_eq!((&shown[0][6], &shown[0][11]), (&text("10:00:00"), &at(9, 17, 9, 0)));
    assert_eq!((&shown[1][6], &shown[1][11]), (&text("15:24:00"), &at(9, 13, 14, 24)));
}

/// What was given comes out as it was given, wherever the server is: 09:00 is 09:00.
#[tokio::test]
async fn dates_and_times_come_back_as_given_and_instants_are_utc() {
    // A quarter to six before UTC, all the year.
    let lab = lab_in("Asia/Kathmandu").await;
    let me = &lab.client;
    let given = [text("Daily"), text("2900-07-01"), text("2900-07-09"), text("09:00:00"), text("17:30:00")];
    let id = create(me, "nine to five", given.to_vec()).await;
    let elsewhere =
        [text("Daily"), text("2900-07-01"), text("2900-07-09"), text("09:00:00-05:00"), text("17:30:00-05:00")];
    create(me, "in another zone", elsewhere.to_vec()).await;
    let test = [id.clone(), text("a.py"), Value::Bool(true), int(1)];
    ok(me, "addTestToSchedule", &test).await;
    let shown = rows(ok(me, "showSchedules", &[]).await);
    for row in &shown {
        assert_eq!(row[3..8], given, "date and time are the schedule's own");
    }
    let at = |day, hour, minute| Value::DateTime(date(2900, 7, day).at(hour, minute, 0, 0));
    assert_eq!(shown[0][11..], [at(1, 3, 15), at(9, 11, 45)]);
    assert_eq!(shown[1][11..], [at(1, 14, 0), at(9, 22, 30)]);
    // A row that is given back changes nothing.
    let back: Vec<Value> = [id.clone()].into_iter().chain(shown[0][3..8].iter().cloned()).collect();
    ok(me, "modifySchedule", &back).await;
    assert_eq!(rows(ok(me, "showSchedules", &[]).await), shown);
    let tests = rows(ok(me, "showJobsOnSchedule", &[id]).await);
    let now = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).datetime();
    for created in [&shown[0][2], &tests[0][3]] {
        let Value::DateTime(created) = created else { panic!("{created:?}") };
        let away = now.duration_since(*created).as_hours();
        assert!(away.abs() < 3, "{created} is the time in UTC, which is {now}");
    }
}

/// The farm remembers fifty records of a schedule; the database all of them, over restarts, and when it is deleted.
#[tokio::test]
async fn every_occurrence_is_recorded_for_ever() {
    const ALL: u64 = 130;
    let mut lab = lab().await;
    let (ann, bob) = (lab.user("ann").await, lab.user("bob").await);
    let start = |day: u64| {
        json!({ "type": "OneOff", "start_date": format!("2013-{:02}-{:02}", 1 + day / 28, 1 + day % 28),
        "start_time": "10:00", "end_date": "2900-01-01", "end_time": "20:00" })
    };
    let made = ann.post("/api/v1/schedules", &json!({ "name": "edited", "timing": start(0) })).await;
    let path = format!("/api/v1/schedules/{}", made.ok(StatusCode::CREATED)["schedule"]);
    // Without tests nothing begins: each window is open until another one takes its place, and is skipped then.
    for day in 1..=ALL {
        let change = ann.request(Method::PUT, &format!("{path}/timing")).json(&start(day));
        ann.send(change).await.ok(StatusCode::OK);
    }
    let past = async |client: &Client, query: &str| client.get(&format!("{path}/past{query}")).await;
    let all = async |client: &Client| {
        let (mut records, mut query) = (Vec::new(), "?most=40".to_owned());
        loop {
            let page = past(client, &query).await.ok(StatusCode::OK);
            let on_page = page["past"].as_array().unwrap().clone();
            assert!(on_page.len() <= 40);
            records.extend(on_page);
            match page["next"].as_u64() {
                Some(next) => query = format!("?most=40&before={next}"),
                None => return records,
            }
        }
    };
    let found = all(&ann).await;
    let numbers: Vec<u64> = found.iter().map(|record| record["first"].as_u64().unwrap()).collect();
    assert_eq!(numbers, (1..=ALL).rev().collect::<Vec<_>>());
    assert!(found.iter().all(|record| record["fate"] == "skipped" && record["reason"].is_string()), "{found:?}");
    assert_eq!(past(&bob, "").await.problem(), "not_found");
    assert_eq!(past(&ann, "").await.ok(StatusCode::OK)["past"].as_array().unwrap().len(), 20);

    lab.restart().await;
    let (ann, bob) =
        (Client { token: ann.token, ..lab.client.clone() }, Client { token: bob.token, ..lab.client.clone() });
    assert_eq!(all(&ann).await, found);
    ann.send(ann.request(Method::DELETE, &path)).await.ok(StatusCode::OK);
    let after = all(&ann).await;
    assert_eq!((after.len() as u64, &after[0]["reason"]), (ALL + 1, &json!("the schedule was deleted")));
    assert_eq!(after[1]["planned"], found[0]["planned"]);
    assert_eq!(past(&bob, "").await.problem(), "not_found");
    assert_eq!(ann.get("/api/v1/schedules/999999/past").await.problem(), "not_found");
    lab.restart().await;
    let ann = Client { token: ann.token, ..lab.client.clone() };
    assert_eq!(all(&ann).await, after);
}

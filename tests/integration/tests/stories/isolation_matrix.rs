//! The isolation matrix: every call of both surfaces by every kind of caller, with ids of somebody else.
//!
//! ```text
//!  rest.txt    every operation of the server's own description   x  olga, theo, admin, nobody, rack
//!  remote.txt  every method of the server's own table            x  the same
//! ```
//!
//! Strangers learn nothing, not even what there is: what they get for an id of the owner's is what they get for an id that
//! does not exist. Who may do what, and why, is written in `engine/design/0015`.

mod call;
mod hers;
mod table;

use std::collections::{BTreeMap, BTreeSet};

use headend_wire::api::{ServerInfo, TokenAnswer};
use headend_wire::xmlrpc::{self, Limits, Response, Value};
use reqwest::Method;
use serde_json::json;

use call::{Caller, Got};
use hers::{SECRET, Stage};
use table::{IDENTITIES, Row};

const REST: &str = include_str!("isolation_matrix/rest.txt");
const REMOTE: &str = include_str!("isolation_matrix/remote.txt");
/// Addresses that the description leaves out: no part of REST.
const BESIDE: [&str; 4] = ["GET /api/openapi.json", "POST /", "GET /logs/{path}", "GET /no/such/address/{job}"];
/// Who may learn nothing of the owner's.
const STRANGERS: [&str; 3] = ["theo", "nobody", "rack"];

#[derive(Clone, Copy)]
enum Surface {
    Rest,
    Remote,
}

impl Surface {
    async fn call(self, caller: &Caller, call: &str, given: &str) -> Got {
        match self {
            Self::Rest => caller.rest(call, given).await,
            Self::Remote => caller.remote(call, given).await,
        }
    }

    fn verdict(self, got: &Got) -> i64 {
        match self {
            Self::Rest => got.status,
            Self::Remote => got.code(),
        }
    }
}

#[tokio::test]
async fn every_operation_of_rest_by_every_identity() {
    let mut stage = Stage::set().await;
    let rows = table::read(REST);
    let description = stage.caller("admin").rest("GET /api/openapi.json", "-").await.body;
    assert_eq!(without_row(&operations(&description), &rows), BTreeSet::new(), "operations without a row in rest.txt");
    play(&mut stage, Surface::Rest, &rows).await;
}

#[tokio::test]
async fn every_method_of_the_legacy_wire_by_every_identity() {
    let mut stage = Stage::set().await;
    let rows = table::read(REMOTE);
    let told = stage.caller("admin").remote("system.listMethods", "[]").await.body;
    let Ok(Response::Value(Value::Array(names))) = xmlrpc::parse_response(told.as_bytes(), &Limits::default()) else {
        panic!("no list of methods: {told}")
    };
    let known: BTreeSet<&str> = names.iter().filter_map(Value::as_text).collect();
    let asked: BTreeSet<&str> = rows.iter().map(|row| row.call).collect();
    assert_eq!(known, asked, "the methods of the server, and those with a row in remote.txt");
    play(&mut stage, Surface::Remote, &rows).await;
}

/// Strangers first, who may change nothing; then those who may.
async fn play(stage: &mut Stage, surface: Surface, rows: &[Row]) {
    let mut wrong = Vec::new();
    let before = stage.seen_by_her().await;
    for who in STRANGERS {
        for row in rows {
            wrong.extend(as_stranger(stage, surface, who, row).await);
        }
    }
    let after = stage.seen_by_her().await;
    for (before, after) in before.iter().zip(&after).filter(|(before, after)| before != after) {
        wrong.push(format!("a stranger has changed what is hers:\n  {before}\n  {after}"));
    }
    for who in ["admin", "olga"] {
        for row in rows {
            renew(stage, row).await;
            let (call, given) = filled(stage, row, who, true);
            let got = surface.call(stage.caller(who), &call, &given).await;
            wrong.extend(verdict(surface, who, row, &got));
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n\n{}\n", wrong.len(), wrong.join("\n\n"));
}

async fn renew(stage: &mut Stage, row: &Row) {
    for name in ["new_job", "new_schedule", "new_test", "new_token", "new_private", "new_reservation", "tree"] {
        if row.names_hers(|text| text.contains(&format!("{{{name}}}"))) {
            stage.renew(name).await;
        }
    }
}

/// The row for one identity; a `[fresh]` name is its own.
fn filled(stage: &Stage, row: &Row, who: &str, real: bool) -> (String, String) {
    let given = row.given.replace("[fresh]", &format!("of {who}"));
    (stage.filled(row.call, real), stage.filled(&given, real))
}

async fn as_stranger(stage: &Stage, surface: Surface, who: &str, row: &Row) -> Vec<String> {
    let caller = stage.caller(who);
    let (call, given) = filled(stage, row, who, true);
    let got = surface.call(caller, &call, &given).await;
    let mut wrong: Vec<String> = verdict(surface, who, row, &got).into_iter().collect();
    if row.names_hers(|text| stage.names_hers(text)) {
        let (call, given) = filled(stage, row, who, false);
        let twin = surface.call(caller, &call, &given).await.text();
        let twin = stage.as_if_real(&twin, &format!("{} {}", row.call, row.given));
        if twin != got.text() {
            let told = row.told();
            wrong.push(format!("{who} can tell what is there by {told}\n  hers: {}\n  none: {twin}", got.text()));
        }
    } else if got.text().contains(SECRET) {
        wrong.push(format!("{who} is told of what is hers by {}\n  {}", row.told(), got.text()));
    }
    wrong
}

fn verdict(surface: Surface, who: &str, row: &Row, got: &Got) -> Option<String> {
    let (wanted, found) = (row.wanted(who), surface.verdict(got));
    (wanted != found).then(|| format!("{who} gets {found}, not {wanted}, for {}\n  {}", row.told(), got.text()))
}

/// `METHOD /path` of each operation.
fn operations(description: &str) -> BTreeSet<String> {
    let description: serde_json::Value = serde_json::from_str(description).unwrap();
    let paths: BTreeMap<String, BTreeMap<String, serde_json::Value>> =
        serde_json::from_value(description["paths"].clone()).unwrap();
    let verbs = ["get", "put", "post", "patch", "delete", "head", "options", "trace"];
    let of = |(path, methods): (&String, &BTreeMap<String, serde_json::Value>)| {
        let methods = methods.keys().filter(|method| verbs.contains(&method.as_str()));
        methods.map(|method| format!("{} {path}", method.to_uppercase())).collect::<Vec<_>>()
    };
    paths.iter().flat_map(of).collect()
}

/// The operations that no row calls.
///
/// # Panics
/// When a row calls what is no operation.
fn without_row(operations: &BTreeSet<String>, rows: &[Row]) -> BTreeSet<String> {
    let mut left = operations.clone();
    for row in rows {
        let all = operations.iter().map(String::as_str).chain(BESIDE);
        // `/files/convert` is also an area of that name; the more literal one is meant.
        let meant = all.filter(|one| is_of(one, row.call)).min_by_key(|one| one.matches('{').count());
        let meant = meant.unwrap_or_else(|| panic!("{} is no operation of the description", row.told()));
        left.remove(meant);
    }
    left
}

/// Whether a call is one of that operation. The last part of a path takes slashes.
fn is_of(operation: &str, call: &str) -> bool {
    let mut words = call.split(' ');
    let (method, path) = (words.next().unwrap(), words.next().unwrap());
    let path = path.split('?').next().unwrap();
    let Some((verb, template)) = operation.split_once(' ') else { return false };
    let (wanted, given): (Vec<&str>, Vec<&str>) = (template.split('/').collect(), path.split('/').collect());
    let is_rest = wanted.last() == Some(&"{path}");
    let fits = if is_rest { given.len() >= wanted.len() } else { given.len() == wanted.len() };
    method == verb
        && fits
        && wanted.iter().zip(&given).all(|(wanted, given)| wanted.starts_with('{') || wanted == given)
}

/// Else it could shut out those for whom it acts, administrators among them.
#[tokio::test]
async fn a_token_that_acts_for_others_has_no_hand_on_their_tokens() {
    let stage = Stage::set().await;
    let robot = json!({ "user": "robot", "act_as": true });
    let robot: TokenAnswer = stage.lab.client.post("/tokens", &robot).await.json();
    let robot = Caller { token: Some(robot.token), ..stage.caller("nobody").clone() };
    let jobs = robot.rest("GET /api/v1/jobs x-headend-user=olga", "-").await;
    assert!(jobs.status == 200 && jobs.body.contains(SECRET), "{}", jobs.text());
    for whose in ["olga", "admin"] {
        let tokens = robot.rest(&format!("GET /api/v1/tokens x-headend-user={whose}"), "-").await;
        assert!(tokens.status == 200 && tokens.body.contains("\"robot\""), "{}", tokens.text());
        assert!(!tokens.body.contains(&format!("\"{whose}\"")), "{}", tokens.text());
    }
    let call = "DELETE /api/v1/tokens/{new_token} x-headend-user={user}";
    let hers = robot.rest(&stage.filled(call, true), "-").await;
    assert_eq!(hers.status, 404, "{}", hers.text());
}

/// What everybody may know comes, and nothing of hers, from the oldest item on. Who has reserved a
/// slot everybody may know (design 0015).
#[tokio::test]
async fn the_feed_tells_strangers_nothing() {
    let stage = Stage::set().await;
    for on in [true, false] {
        let answer = stage.lab.client.post("/racks/rack1/drain", &json!({ "on": on })).await;
        assert!(answer.status.is_success(), "{}", answer.text());
    }
    let last: ServerInfo = stage.lab.client.get("/server").await.json();
    let hers = feed(stage.caller("olga"), last.event).await;
    assert!(hers.contains("job_accepted") && hers.contains("schedule_changed") && hers.contains(SECRET), "{hers}");
    let theirs = feed(stage.caller("theo"), last.event).await;
    assert!(theirs.contains("rack_changed") && theirs.contains("reservation_made"), "{theirs}");
    let told_of_slots = |item: &&str| item.contains("event: reservation_");
    let theirs: String = theirs.split_inclusive("\n\n").filter(|item| !told_of_slots(item)).collect();
    assert!(!theirs.contains(SECRET) && !theirs.contains("olga"), "{theirs}");
    let of_theirs = [("job", "job"), ("job", "live"), ("run", "run"), ("run", "live_run")];
    for (kind, name) in of_theirs {
        let told = format!("\"{kind}\":{},", stage.names[name].0);
        assert!(hers.contains(&told) && !theirs.contains(&told), "{told} is told:\n{theirs}");
    }
}

/// All items up to that number, or to the first that comes after it.
async fn feed(caller: &Caller, last: u64) -> String {
    let request = caller.request(Method::GET, "/api/v1/events?after=0");
    let mut response = request.send().await.unwrap();
    let mut told = String::new();
    let read = async {
        let number = |line: &str| line.strip_prefix("id: ").or_else(|| line.strip_prefix("id:"))?.trim().parse().ok();
        while !told.lines().filter_map(number).any(|number: u64| number >= last) {
            let chunk = response.chunk().await.unwrap().expect("the feed goes on");
            told.push_str(&String::from_utf8_lossy(&chunk));
        }
    };
    tokio::time::timeout(headend_integration::DEADLINE, read).await.expect("the feed tells what has happened");
    told
}

/// The columns are read by their order.
#[test]
fn identities_are_the_columns() {
    for (table, text) in [("rest.txt", REST), ("remote.txt", REMOTE)] {
        let head = text.lines().find(|line| line.contains(&IDENTITIES.join(" | ")));
        assert!(head.is_some(), "{table} does not say which column is whose");
    }
}

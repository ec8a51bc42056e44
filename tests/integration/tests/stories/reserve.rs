//! Slots that people have: reserved, extended, driven from another machine, taken away, and what survives whom.

use std::process::Stdio;

use headend_integration::client::{request, slots, test};
use headend_integration::lab::program;
use headend_integration::{Client, Lab, eventually, witness};
use headend_wire::PROTOCOL;
use headend_wire::api::{ReservationItem, ReservationList, TokenAnswer, WhyAnswer};
use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::process::{Child, Command};

use crate::scripts;

/// A rack is heard of although the machine is loaded: people are told at once of one that is not.
const CALM: &[(&str, &str)] = &[("HEADEND_LEASE_MS", "12000"), ("HEADEND_HEARTBEAT_MS", "1000")];

async fn user(lab: &Lab, name: &str) -> Client {
    let token: TokenAnswer = lab.client.post("/tokens", &json!({ "user": name })).await.json();
    lab.client.with_token(&token.token)
}

fn wish(slot: u16, seconds: u32) -> Value {
    json!({ "slot": { "rack": "rack1", "slot": slot }, "seconds": seconds, "note": "a look" })
}

/// A slot that is to be had as soon as its rack is heard of (again).
async fn reserve(client: &Client, slot: u16, seconds: u32) -> ReservationItem {
    let wish = wish(slot, seconds);
    eventually("the slot to be had", || async {
        let answer = client.post("/reservations", &wish).await;
        (answer.status != StatusCode::CONFLICT).then(|| answer.json())
    })
    .await
}

async fn all(client: &Client) -> Vec<ReservationItem> {
    client.get("/reservations").await.json::<ReservationList>().reservations
}

async fn is_free(client: &Client, slot: u16) {
    eventually("the slot to be free", || async {
        let racks: Value = client.get("/racks").await.json();
        (racks["racks"][0]["slots"][usize::from(slot) - 1]["state"] == "free").then_some(())
    })
    .await;
}

/// `headend session --slot`, and a script's connection to it.
struct Visit {
    child: Child,
    lines: Lines<BufReader<OwnedReadHalf>>,
    write: OwnedWriteHalf,
    calls: u64,
    out: std::path::PathBuf,
}

impl Visit {
    async fn open(lab: &Lab, client: &Client, slot: &str, out: &str) -> Self {
        let out = lab.folder.path().join(out);
        let mut child = Command::new(program())
            .args(["session", "--slot", slot, "--out", out.to_str().unwrap()])
            .env("HEADEND_SERVER", format!("http://127.0.0.1:{}", lab.port))
            .env("HEADEND_TOKEN", client.token())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut greeting = BufReader::new(child.stdout.take().unwrap()).lines();
        let Some(line) = greeting.next_line().await.unwrap() else {
            panic!("no session: {}\n{}", said(&mut child).await, lab.logs())
        };
        let greeting: Value = serde_json::from_str(&line).unwrap();
        let stream = UnixStream::connect(greeting["socket"].as_str().unwrap()).await.unwrap();
        let (read, write) = stream.into_split();
        let mut visit = Self { child, lines: BufReader::new(read).lines(), write, calls: 0, out };
        let hello = json!({ "hello": { "protocol": PROTOCOL, "token": greeting["token"] } });
        let welcome = visit.says(&hello).await.unwrap();
        assert_eq!(welcome["welcome"]["under_daemon"], false, "{welcome}");
        assert_eq!(welcome["welcome"]["out"], visit.out.to_str().unwrap());
        visit
    }

    async fn says(&mut self, what: &Value) -> Option<Value> {
        self.write.write_all(format!("{what}\n").as_bytes()).await.ok()?;
        let line = self.lines.next_line().await.ok()??;
        Some(serde_json::from_str(&line).unwrap())
    }

    async fn call(&mut self, call: &str, args: Value) -> Option<Value> {
        self.calls += 1;
        let reply = self.says(&json!({ "call": { "id": self.calls, "call": call, "args": args } })).await?;
        Some(reply["reply"].clone())
    }

    async fn take_slot(&mut self) {
        self.call("connect", json!({ "server": "any", "description": "by hand" })).await.unwrap();
        let taken = self.call("reserve_slot", json!({ "slot": 1 })).await.unwrap();
        assert_eq!(taken["ok"], true, "{taken}");
    }

    /// The script has gone; what the program said and whether it was content.
    async fn leave(mut self) -> (bool, String) {
        drop(self.child.stdin.take());
        let said = said(&mut self.child).await;
        (self.child.wait().await.unwrap().success(), said)
    }
}

async fn said(child: &mut Child) -> String {
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).await.unwrap();
    said
}

#[tokio::test]
async fn one_of_two_people_gets_the_slot_and_a_job_waits_until_it_is_released() {
    let lab = Lab::start_with(1, CALM).await;
    let (anna, bert) = (user(&lab, "anna").await, user(&lab, "bert").await);
    let wish = wish(1, 3_600);
    let (hers, his) = tokio::join!(anna.post("/reservations", &wish), bert.post("/reservations", &wish));
    let (won, lost, winner, name) =
        if hers.status == StatusCode::CREATED { (hers, his, &anna, "anna") } else { (his, hers, &bert, "bert") };
    let won: ReservationItem = won.json();
    assert_eq!((won.user.as_str(), won.note.as_str()), (name, "a look"));
    assert_eq!((lost.status, lost.problem().code.as_str()), (StatusCode::CONFLICT, "slot_taken"));
    assert!(lost.problem().detail.contains(&format!("reserved by {name} until {}", won.until)), "{}", lost.text());

    lab.client.upload("public", &[("pass.rhai", scripts::PASS.as_bytes())]).await;
    let job = bert.submit(&request("waits", &slots("rack1", [1]), [test("pass.rhai")])).await.job;
    let why: WhyAnswer = bert.get(&format!("/jobs/{job}/why")).await.json();
    let at = &why.waiting[0].at[0];
    assert!(at.code == "reserved" && at.reason.contains(&won.until), "{at:?}");
    let released = winner.post(&format!("/reservations/{}/release", won.reservation), &json!({})).await;
    assert_eq!(released.status, StatusCode::NO_CONTENT, "{}", released.text());
    assert_eq!(bert.finished(job).await.run_list[0].result, 111);
    assert_eq!(all(&anna).await, []);
}

#[tokio::test]
async fn a_reservation_is_extended_outlives_the_server_and_expires_under_an_open_session() {
    let mut lab = Lab::start_with(2, CALM).await;
    let anna = user(&lab, "anna").await;
    let kept = reserve(&anna, 2, 600).await;
    let longer = anna.post(&format!("/reservations/{}/extend", kept.reservation), &json!({ "seconds": 60 })).await;
    let longer: ReservationItem = longer.json();
    assert!(longer.until > kept.until && longer.begun == kept.begun);
    let far = anna.post(&format!("/reservations/{}/extend", kept.reservation), &json!({ "seconds": 99_999_999 })).await;
    assert_eq!(far.problem().code, "reservation_limit");

    lab.server.as_mut().unwrap().kill();
    lab.start_server(CALM);
    lab.server_ready().await;
    assert_eq!(all(&anna).await, [longer], "the same, killed or not");
    lab.rack_online().await;

    let short = reserve(&anna, 1, 5).await;
    let mut visit = Visit::open(&lab, &anna, "rack1/1", "out").await;
    visit.take_slot().await;
    let over = said(&mut visit.child).await;
    assert!(over.contains("cut off"), "{over}");
    assert!(!visit.child.wait().await.unwrap().success());
    is_free(&anna, 1).await;
    let gone = anna.post(&format!("/reservations/{}/extend", short.reservation), &json!({ "seconds": 1 })).await;
    assert_eq!(gone.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_script_far_away_drives_the_slot_and_gets_its_files() {
    let lab = Lab::start_with(1, CALM).await;
    let (anna, bert) = (user(&lab, "anna").await, user(&lab, "bert").await);
    let own = reserve(&anna, 1, 600).await;
    let path = format!("/reservations/{}/session", own.reservation);
    assert_eq!(bert.get(&path).await.status, StatusCode::NOT_FOUND, "it is not his");
    assert_eq!(anna.get(&path).await.status, StatusCode::BAD_REQUEST, "no stream was asked for");

    let mut visit = Visit::open(&lab, &anna, "rack1:1", "out").await;
    visit.take_slot().await;
    let second = anna.request(reqwest::Method::GET, &path);
    let second = second.header("connection", "upgrade").header("upgrade", headend_wire::relay::UPGRADE);
    assert_eq!(anna.send(second).await.unwrap().problem().code, "session_open");
    visit.call("power", json!({ "on": true, "slot": 1 })).await.unwrap();
    let pressed = visit.call("press", json!({ "key": "Menu", "slot": 1 })).await.unwrap();
    assert_eq!(pressed["ok"][0]["value"], true, "{pressed}");
    let shot = visit.call("capture", json!({ "rect": null, "name": "menu.png", "slot": 1 })).await.unwrap();
    let file = std::path::PathBuf::from(shot["ok"][0]["value"]["path"].as_str().unwrap_or_else(|| panic!("{shot}")));
    assert!(file.starts_with(&visit.out) && file.is_file(), "the picture is here when the answer is: {shot}");

    // A picture of the script's own machine is compared there.
    let mine = lab.folder.path().join("mine.png");
    std::fs::copy(&file, &mine).unwrap();
    let question = json!({ "analyser": "image-match", "parameters": null,
        "references": [{ "name": "reference", "path": mine }] });
    let seen = visit.call("analyse", json!({ "question": question, "picture": mine })).await.unwrap();
    assert!(!seen.to_string().contains("cannot read"), "{seen}");

    assert!(all(&bert).await[0].in_session);
    visit.call("result", json!({ "code": 111, "comment": "looked at it" })).await.unwrap();
    let out = visit.out.clone();
    let (content, said) = visit.leave().await;
    assert!(content, "{said}");
    let told = said.split_whitespace().collect::<Vec<_>>().join(" ");
    let told_where = format!("log and captures of the session are in {}; the server keeps none of it", out.display());
    assert!(told.contains(&told_where), "{said}");
    assert!(std::fs::read_to_string(out.join("log.jsonl")).unwrap().contains("Menu"));
    witness::judge(&witness::read(&lab.witness()));

    let again =
        eventually("the session to be over", || async { all(&anna).await.into_iter().find(|item| !item.in_session) });
    assert_eq!(again.await.until, own.until, "the reservation stays");
    let mut visit = Visit::open(&lab, &anna, "rack1/1", "again").await;
    visit.take_slot().await;
    assert!(visit.leave().await.0);
    witness::judge(&witness::read(&lab.witness()));
}

#[tokio::test]
async fn a_kick_ends_the_session_at_once_and_a_lost_server_ends_it_in_time() {
    let lab = Lab::start_with(2, CALM).await;
    let anna = user(&lab, "anna").await;
    let own = reserve(&anna, 1, 600).await;
    let mut visit = Visit::open(&lab, &anna, "rack1/1", "kicked").await;
    visit.take_slot().await;
    visit.call("press", json!({ "key": "Menu", "slot": 1 })).await.unwrap();
    let out = visit.out.clone();
    let kick = format!("/reservations/{}/kick", own.reservation);
    assert_eq!(anna.post(&kick, &json!({})).await.status, StatusCode::FORBIDDEN);
    let kicked = lab.client.post(&kick, &json!({ "reason": "maintenance" })).await;
    assert_eq!(kicked.status, StatusCode::NO_CONTENT, "{}", kicked.text());
    let over = said(&mut visit.child).await;
    assert!(over.contains("cut off"), "{over}");
    assert!(over.contains(&out.display().to_string()), "where its files are is told all the same: {over}");
    assert!(
        visit
            .call("press", json!({ "key": "Menu", "slot": 1 }))
            .await
            .is_none_or(|reply| reply["error"] != Value::Null)
    );
    is_free(&anna, 1).await;

    reserve(&anna, 2, 600).await;
    let mut visit = Visit::open(&lab, &anna, "rack1/2", "cut").await;
    visit.take_slot().await;
    let run = witness::read(&lab.witness()).last().unwrap().run;
    assert_eq!(lab.sightings(run, witness::END), 0);
    // Nobody answers the rack any more, and no connection breaks.
    lab.server.as_ref().unwrap().pause();
    lab.witnessed(run, witness::END).await;
    lab.server.as_ref().unwrap().resume();
    let over = said(&mut visit.child).await;
    assert!(over.contains("cut off") && !visit.child.wait().await.unwrap().success(), "{over}");
    eventually("the slot to be idle", || async {
        // Connections that were idle meanwhile may have been given up by the server.
        let answer = anna.send(anna.request(reqwest::Method::GET, "/reservations")).await.ok()?;
        let list: ReservationList = answer.json();
        list.reservations.into_iter().find(|item| item.slot.slot == 2 && !item.in_session)
    })
    .await;
    witness::judge(&witness::read(&lab.witness()));
}

/// `HEADEND_SLOT=rack1/1 python script.py` with this server in the script; what it said, and whether it was content.
async fn at_a_prompt(lab: &Lab, server: &str, environment: &[(&str, &str)]) -> Option<(bool, String)> {
    let python = std::env::var_os("HEADEND_PYTHON3")?;
    let folder = lab.folder.path().join("prompt");
    std::fs::create_dir_all(&folder).unwrap();
    let script = format!(
        "import stormtest.ClientAPI as S\nS.ConnectToServer('{server}', 'by hand')\n\
         assert S.ReserveSlot(3) and S.PressButton('Menu')\nS.ReturnTestResult(S.TM.PASS)\n"
    );
    std::fs::write(folder.join("script.py"), script).unwrap();
    let config = folder.join("none").display().to_string();
    let mut command = Command::new(python);
    command.arg("script.py").current_dir(&folder).env_remove("HEADEND_SERVER").env_remove("HEADEND_TOKEN");
    command.env("PYTHONPATH", headend_integration::lab::repository().join("sdk/python"));
    command.envs([("HEADEND_PROGRAM", program().to_str().unwrap()), ("XDG_CONFIG_HOME", &config)]);
    let output = command.env("HEADEND_SLOT", "rack1/1").envs(environment.iter().copied()).output().await.unwrap();
    Some((output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned()))
}

#[tokio::test]
async fn the_servers_name_in_a_script_chooses_it_if_there_is_a_token_and_is_told_apart_if_not() {
    let lab = Lab::start_with(1, CALM).await;
    let anna = user(&lab, "anna").await;
    reserve(&anna, 1, 600).await;
    let address = format!("127.0.0.1:{}", lab.port);
    let named = format!("http://anna:{}@{address}", anna.token());
    let Some((content, said)) = at_a_prompt(&lab, &named, &[]).await else { return };
    assert!(content && !said.contains("WARNING"), "{said}");
    assert!(!said.contains(anna.token()), "a token is shown to nobody: {said}");
    let folder = said.split("log and captures of the session are in ").nth(1).and_then(|rest| rest.split(';').next());
    let folder = std::path::Path::new(folder.unwrap());
    let log = std::fs::read_to_string(folder.join("log.jsonl")).unwrap();
    assert!(log.contains("Menu") && !log.contains(anna.token()), "{log}");
    assert!(folder.join("src/script.py").is_file(), "its source is kept here");

    let server = format!("http://{address}");
    let usual = [("HEADEND_SERVER", server.as_str()), ("HEADEND_TOKEN", anna.token())];
    let (content, said) = at_a_prompt(&lab, "stormserver01", &usual).await.unwrap();
    let told =
        format!("ConnectToServer(stormserver01): HEADEND_SERVER goes before it; the session is on rack1/1 of {server}");
    assert!(content && said.contains(&told), "a legacy script runs as it did, and says where: {said}");
}

//! `headend run --slot rack1/1`: Rhai and WASM scripts of one's own machine on a slot that one has reserved.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

use headend_integration::lab::{guests, program, repository};
use headend_integration::{Client, Lab, eventually, witness};
use headend_wire::api::{ReservationItem, ReservationList, TokenAnswer};
use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio::process::{Child, Command};

use super::screens;

/// A rack is heard of although the machine is loaded: people are told at once of one that is not.
const CALM: &[(&str, &str)] = &[("HEADEND_LEASE_MS", "12000"), ("HEADEND_HEARTBEAT_MS", "1000")];

/// Drives until it is told to stop, and says what it was told.
const ENDLESS: &str = r#"
    connect("", "endless");
    reserve_slot(1);
    try {
        loop { press("Menu"); wait(1.0); }
    } catch (error) {
        print(`told: ${error.code}: ${error.message}`);
        throw error;
    }
"#;

async fn user(lab: &Lab, name: &str) -> Client {
    let token: TokenAnswer = lab.client.post("/tokens", &json!({ "user": name })).await.json();
    lab.client.with_token(&token.token)
}

/// A slot that is to be had as soon as its rack is heard of, or the last session there has ended.
async fn reserve(client: &Client, seconds: u32) -> ReservationItem {
    let wish = json!({ "slot": { "rack": "rack1", "slot": 1 }, "seconds": seconds, "note": "a look" });
    eventually("the slot to be had", || async {
        let answer = client.post("/reservations", &wish).await;
        (answer.status != StatusCode::CONFLICT).then(|| answer.json())
    })
    .await
}

async fn all(client: &Client) -> Vec<ReservationItem> {
    client.get("/reservations").await.json::<ReservationList>().reservations
}

/// A person's own folder, and her token.
struct Desk<'a> {
    lab: &'a Lab,
    client: &'a Client,
    folder: PathBuf,
}

impl<'a> Desk<'a> {
    fn new(lab: &'a Lab, client: &'a Client) -> Self {
        let folder = lab.folder.path().join("desk");
        std::fs::create_dir_all(&folder).unwrap();
        Self { lab, client, folder }
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.folder.join(name), text).unwrap();
    }

    fn copy(&self, from: &Path) {
        std::fs::copy(from, self.folder.join(from.file_name().unwrap())).unwrap();
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(program());
        command.arg("run").args(words).current_dir(&self.folder).env("NO_COLOR", "1").kill_on_drop(true);
        command.env("HEADEND_SERVER", format!("http://127.0.0.1:{}", self.lab.port));
        command.env("HEADEND_TOKEN", self.client.token());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    async fn run(&self, words: &[&str]) -> (Option<i32>, String) {
        let output = self.command(words).output().await.unwrap();
        (output.status.code(), said(&output))
    }

    /// A script that drives the slot by now.
    async fn driving(&self, words: &[&str]) -> Child {
        let pressed = || witness::read(&self.lab.witness()).iter().filter(|seen| seen.what == "press").count();
        let before = pressed();
        let child = RefCell::new(self.command(words).spawn().unwrap());
        eventually("the script to press keys", || async {
            let ended = child.borrow_mut().try_wait().unwrap();
            assert!(ended.is_none(), "{ended:?}: {}", self.lab.logs());
            (pressed() > before).then_some(())
        })
        .await;
        child.into_inner()
    }

    fn log(&self, out: &str) -> Vec<Value> {
        let text = std::fs::read_to_string(self.folder.join(out).join("log.jsonl")).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

/// All that was said, with single blanks: long lines are broken wherever the terminal ends.
fn said(output: &Output) -> String {
    let said = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned()).concat();
    said.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[tokio::test]
async fn scripts_in_rhai_and_wasm_press_keys_look_and_pass_on_a_reserved_slot() {
    let lab = Lab::start_with(1, CALM).await;
    let anna = user(&lab, "anna").await;
    let own = reserve(&anna, 600).await;
    let desk = Desk::new(&lab, &anna);
    desk.copy(&repository().join("examples/rhai-watch/watch.rhai"));
    let (code, said) = desk.run(&["--slot", "rack1/1", "--out", "rhai", "watch.rhai", "1"]).await;
    assert_eq!(code, Some(0), "{said}\n{}", lab.logs());
    assert!(said.contains("PASS: 1 of 1 zaps") && said.contains("step zap 1"), "{said}");
    let out = desk.folder.join("rhai");
    let told = format!("log and captures of the session are in {}; the server keeps none of it", out.display());
    assert!(said.contains(&told), "{said}");
    let log = desk.log("rhai");
    let pressed = log.iter().find(|event| event["kind"] == "press").unwrap();
    assert_eq!((&pressed["key"], &pressed["source"][0]), (&json!("Channel+"), &json!("watch.rhai:18")));
    assert!(log.iter().any(|event| event["kind"] == "watch" && event["analyser"] == "motion"), "{log:#?}");
    // The picture was made there, brought here, named by the script, and looked at there.
    assert!(log.iter().any(|event| event["kind"] == "analyse" && event["analyser"] == "black"), "{log:#?}");
    assert!(out.join("last.png").is_file());
    // Sources stay on this machine, and are on the page all the same; the log has paths of this machine.
    let script = |folder: &Path| std::fs::read(folder.join("watch.rhai")).unwrap();
    assert_eq!(script(&out.join("src")), script(&desk.folder));
    let page = std::fs::read_to_string(out.join("logfile.html")).unwrap();
    assert!(page.contains("<h2>Sources</h2>") && page.contains("href=\"#s0-18\""), "{page}");
    let capture = log.iter().find(|event| event["kind"] == "capture").unwrap();
    assert_eq!(capture["path"], out.join("last.png").display().to_string());
    assert!(log.iter().any(|event| event["kind"] == "script" && event["name"] == "watch.rhai"), "{log:#?}");

    desk.copy(&guests().join("examples/wasm-watch/watch.wasm"));
    let mut command = desk.command(&["--json", "--out", "wasm", "watch.wasm", "1"]);
    let output = command.env("HEADEND_SLOT", "rack1/1").output().await.unwrap();
    assert_eq!(output.status.code(), Some(0), "{}\n{}", self::said(&output), lab.logs());
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let wanted = json!({ "result": 111, "text": "PASS", "comment": "1 zaps", "out": "wasm", "slot": "rack1/1", "cut_off": null });
    assert_eq!(report, wanted);
    assert!(desk.log("wasm").iter().any(|event| event["kind"] == "measure" && event["within"].is_boolean()));
    // A picture of the zap was made there and brought here.
    let names = std::fs::read_dir(desk.folder.join("wasm")).unwrap().map(|entry| entry.unwrap().file_name());
    let kept = |name: &std::ffi::OsStr| name.to_string_lossy().starts_with("zapframe_1_");
    assert_eq!(names.filter(|name| kept(name)).count(), 1);

    eventually("the session to be over", || async { all(&anna).await.into_iter().find(|item| !item.in_session) }).await;
    assert_eq!(all(&anna).await[0].until, own.until, "the reservation stays");
    let left = eventually("the rack to forget the sessions", || async {
        let left = std::fs::read_dir(lab.folder.path().join("rack1/sessions")).ok()?.count();
        (left == 0).then_some(left)
    });
    assert_eq!(left.await, 0);
    witness::judge(&witness::read(&lab.witness()));
}

/// Makes a screen of a picture that was made there, and looks for it there; all files are of this machine.
const OWN_SCREEN: &str = r#"
    connect("", "own screen");
    reserve_slot(1);
    press("Guide");
    wait(2);
    let picture = capture("guide")[0].path;
    let title = #{ Type: "ImageTest", Name: "title", Rect: "/UI/guide title", ReferenceImage: picture };
    let page = #{ Type: "ScreenDef", Name: "own", Regions: [title] };
    let kept = save_screen(page, "own");
    if !look_for_screen(kept).met { throw "the saved screen is not there"; }
    if !look_at_screen(picture, kept).met { throw "it is not what it was made of"; }
    press("Exit");
    wait(2);
    if look_for_screen(page).met { throw "it is still there"; }
    for wrong in [|| screen("none.stscreen"), || named_string("/UI/none"), || look_for_screen(#{ Regions: 7 })] {
        try { wrong.call(); } catch (error) { print(`${error.code}: ${error.message}`); }
    }
    result(PASS);
"#;

#[tokio::test]
async fn screens_of_ones_own_machine_are_looked_for_on_a_reserved_slot() {
    let lab = Lab::start_with(1, CALM).await;
    let anna = user(&lab, "anna").await;
    reserve(&anna, 600).await;
    let desk = Desk::new(&lab, &anna);
    let tree = ["guide.stscreen", "menus.json", "screens.rhai", "screens.wasm"];
    for name in tree {
        desk.copy(&screens::example().join(name));
    }
    std::fs::create_dir(desk.folder.join("resources")).unwrap();
    let shared = "resources/UI.json";
    std::fs::copy(screens::example().join(shared), desk.folder.join(shared)).unwrap();

    desk.write("own.rhai", OWN_SCREEN);
    let (code, said) = desk.run(&["--slot", "rack1/1", "--out", "own", "own.rhai"]).await;
    assert_eq!(code, Some(0), "{said}\n{}", lab.logs());
    let folder = desk.folder.display();
    for told in [
        "bad_call: cannot load the screen \"none.stscreen\"",
        &format!("bad_call: there is no string named \"/UI/none\": none of {folder}/resources has"),
        "bad_call: the screen \"\" has the Regions 7; they are a list",
    ] {
        assert!(said.contains(told), "{told}: {said}");
    }
    // What was looked at is kept here, and what is saved can be moved with its picture.
    let own: Value = serde_json::from_slice(&std::fs::read(desk.folder.join("own/own.stscreen")).unwrap()).unwrap();
    let image = own["Regions"][0]["ReferenceImage"].as_str().unwrap();
    assert!(desk.folder.join("own").join(image).is_file() && Path::new(image).is_relative(), "{own}");
    let wanted = [("own", true), ("own", true), ("own", false)].map(|(name, met)| (name.to_owned(), met));
    assert_eq!(screens::screens_of(&desk.folder.join("own")), wanted);

    if screens::texts_are_read() {
        for language in ["rhai", "wasm"] {
            let script = format!("screens.{language}");
            let (code, said) = desk.run(&["--slot", "rack1/1", "--out", language, &script]).await;
            assert!(code == Some(0) && said.contains("PASS: 2 of 2 screens"), "{said}\n{}", lab.logs());
            assert_eq!(screens::screens_of(&desk.folder.join(language)), screens::as_the_example_says());
        }
    }
    witness::judge(&witness::read(&lab.witness()));
}

#[tokio::test]
async fn how_a_script_ends_is_in_its_log_and_only_pictures_leave_the_machine() {
    let lab = Lab::start_with(1, CALM).await;
    let anna = user(&lab, "anna").await;
    reserve(&anna, 600).await;
    let desk = Desk::new(&lab, &anna);
    desk.write("notes.txt", "not for the lab");
    desk.write(
        "breaks.rhai",
        r#"
            connect("", "breaks");
            reserve_slot(1);
            press("Menu");
            try { look_at("notes.txt", "black"); } catch (error) { print(`${error.code}: ${error.message}`); }
            throw "on purpose";
        "#,
    );
    let (code, said) = desk.run(&["--slot", "rack1:1", "--out", "breaks", "breaks.rhai"]).await;
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("bad_call: \"notes.txt\" is no picture that can be taken"), "{said}");
    assert!(
        said.contains("INCOMPLETE: Incomplete test (crashed: breaks.rhai:6") && said.contains("on purpose"),
        "{said}"
    );
    let end = desk.log("breaks").pop().unwrap();
    assert!(end["kind"] == "end" && end["text"].as_str().unwrap().contains("on purpose"), "{end}");

    // The same limits as on a box of one's own.
    desk.write("endless.rhai", ENDLESS);
    let (code, said) = desk.run(&["--slot", "rack1/1", "--out", "long", "--time-limit", "5", "endless.rhai"]).await;
    assert!(code == Some(1) && said.contains("limit: time of 5 s"), "{code:?} {said}");
    let end = desk.log("long").pop().unwrap();
    assert!(end["text"].as_str().unwrap().contains("time of 5 s"), "{end}");

    let mut child = desk.driving(&["--slot", "rack1/1", "--out", "stopped", "endless.rhai"]).await;
    let pid = rustix::process::Pid::from_raw(i32::try_from(child.id().unwrap()).unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    assert_eq!(child.wait().await.unwrap().code(), Some(130));
    let end = desk.log("stopped").pop().unwrap();
    assert!(end["text"].as_str().unwrap().contains("stopped by user"), "{end}");
    witness::judge(&witness::read(&lab.witness()));
}

#[tokio::test]
async fn a_script_is_told_why_its_session_ends() {
    let lab = Lab::start_with(1, CALM).await;
    let anna = user(&lab, "anna").await;
    let desk = Desk::new(&lab, &anna);
    desk.write("endless.rhai", ENDLESS);
    for (how, why) in [
        ("kick", "the reservation of anna was ended by admin: maintenance"),
        ("release", "the reservation of anna was released"),
        ("expire", "the reservation of anna has run out"),
    ] {
        let own = reserve(&anna, if how == "expire" { 15 } else { 600 }).await;
        let child = desk.driving(&["--slot", "rack1/1", "--out", how, "endless.rhai"]).await;
        let path = format!("/reservations/{}/{how}", own.reservation);
        match how {
            "kick" => drop(lab.client.post(&path, &json!({ "reason": "maintenance" })).await),
            "release" => drop(anna.post(&path, &json!({})).await),
            _ => {}
        }
        let output = child.wait_with_output().await.unwrap();
        let said = said(&output);
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains(&format!("told: lease_lost: the session is over: {why}")), "{said}");
        let ended = format!("INCOMPLETE: Incomplete test (no result: the session was cut off: {why})");
        assert!(said.contains(&ended), "{said}");
        let files = format!("before the end is in {}; the server keeps none of it", desk.folder.join(how).display());
        assert!(said.contains(&files), "{said}");
        assert!(desk.log(how).iter().any(|event| event["kind"] == "press"));
    }
    witness::judge(&witness::read(&lab.witness()));
}

#[tokio::test]
async fn what_is_not_reserved_is_not_driven_and_the_remedy_is_named() {
    let lab = Lab::start_with(1, CALM).await;
    let (anna, bert) = (user(&lab, "anna").await, user(&lab, "bert").await);
    let desk = Desk::new(&lab, &anna);
    desk.write("endless.rhai", ENDLESS);
    desk.write("legacy.py", "");
    let (code, said) = desk.run(&["--slot", "rack1/1", "endless.rhai"]).await;
    assert_eq!(code, Some(4), "{said}");
    assert!(said.contains("rack1/1 is not reserved") && said.contains("headend reserve rack1/1 --for 30m"), "{said}");

    let his = reserve(&bert, 600).await;
    let (code, said) = desk.run(&["--slot", "rack1/1", "endless.rhai"]).await;
    assert_eq!(code, Some(5), "{said}");
    assert!(said.contains("rack1/1 is reserved by bert until") && said.contains("not by you"), "{said}");
    bert.post(&format!("/reservations/{}/release", his.reservation), &json!({})).await;

    reserve(&anna, 600).await;
    let first = desk.driving(&["--slot", "rack1/1", "--out", "first", "endless.rhai"]).await;
    let (code, said) = desk.run(&["--slot", "rack1/1", "endless.rhai"]).await;
    assert!(code == Some(6) && said.contains("a session of reservation"), "{code:?} {said}");
    drop(first);

    for (words, wanted, word) in [
        (&["--slot", "rack1/1", "legacy.py"][..], 2, "HEADEND_SLOT=rack1/1 python legacy.py"),
        (&["--slot", "rack1/1", "none.rhai"], 4, "cannot read the script none.rhai"),
        (&["--slot", "1", "endless.rhai"], 2, "1 is no slot of a server"),
        (&["--slot", "rack1/1", "--slot", "rack1/2", "endless.rhai"], 2, "a session has one slot of a server"),
        (&["--slot", "rack1/1", "--slots", "2", "endless.rhai"], 2, "cannot be used with"),
    ] {
        let (code, said) = desk.run(words).await;
        assert!(code == Some(wanted) && said.contains(word), "{words:?}: {code:?} {said}");
    }
    assert!(!desk.folder.join("headend-runs").exists(), "nothing is left of what was not run");
}

//! All that the owner has: a job that has ended and one under way, what runs left, a schedule, files, tokens.

use std::collections::BTreeMap;

use headend_integration::client::{slots, test};
use headend_integration::lab::guests;
use headend_integration::{Client, Gate, Lab, eventually};
use headend_wire::api::{ArtifactList, JobDetail, ModeRef, ReservationItem, SubmitRequest, TestRequest, TokenAnswer};
use headend_wire::files::FileList;
use headend_wire::schedules::{ScheduleItem, ScheduleNoted};
use serde_json::json;

use super::call::Caller;
use crate::scripts;

/// Stands in every name and content of hers, and in nothing else.
pub(super) const SECRET: &str = "olgas-secret";

/// What a name in a row stands for: for real, and with an id that there is not.
type Names = BTreeMap<&'static str, (String, String)>;

pub(super) struct Stage {
    pub(super) lab: Lab,
    pub(super) names: Names,
    /// The same for everybody: `[name]` in a row.
    pub(super) shared: BTreeMap<&'static str, String>,
    olga: Client,
    callers: BTreeMap<&'static str, Caller>,
    /// Her second job runs until it is opened.
    gate: Gate,
}

const SHOOTS: &str = r#"
    connect("any server", "story");
    reserve_slot(1);
    capture("olgas-secret.png");
    result(PASS);
"#;

impl Stage {
    pub(super) async fn set() -> Self {
        // Nothing gets lost here, however loaded the machine is.
        let calm = [("HEADEND_LEASE_MS", "120000"), ("HEADEND_HEARTBEAT_MS", "2000")];
        let lab = Lab::start_with(5, &calm).await;
        let gate = Gate::closed();
        let olga = lab.client.with_token(&token(&lab, "olga").await.token);
        let theo = lab.client.with_token(&token(&lab, "theo").await.token);
        let with = |token: Option<&str>| Caller {
            base: format!("http://127.0.0.1:{}", lab.port),
            token: token.map(str::to_owned),
        };
        let rack = enrol(&lab).await;
        let callers = BTreeMap::from([
            ("olga", with(Some(olga.token()))),
            ("theo", with(Some(theo.token()))),
            ("admin", with(Some(lab.client.token()))),
            ("nobody", with(None)),
            ("rack", with(Some(&rack))),
        ]);
        let mut stage = Self { lab, names: Names::new(), shared: BTreeMap::new(), olga, callers, gate };
        stage.files().await;
        stage.jobs(&theo).await;
        stage.schedule().await;
        let reservation = stage.reserve(4).await;
        stage.name("reservation", reservation, "987654330");
        for fresh in ["new_job", "new_schedule", "new_test", "new_token", "new_private", "new_reservation"] {
            stage.renew(fresh).await;
        }
        stage
    }

    pub(super) fn caller(&self, who: &str) -> &Caller {
        &self.callers[who]
    }

    fn name(&mut self, name: &'static str, real: impl std::fmt::Display, absent: &str) {
        self.names.insert(name, (real.to_string(), absent.to_owned()));
    }

    async fn files(&mut self) {
        let plugin = guests().join("plugins/spread");
        let loaded = self.lab.client.post("/plugins/load", &json!({ "path": plugin })).await;
        assert!(loaded.status.is_success(), "{}", loaded.text());
        self.lab.client.upload("public", &[("pub.rhai", scripts::PASS.as_bytes())]).await;
        let waits = scripts::python(&format!("{}# {SECRET}", self.gate.wait()));
        let plan = format!("the plan of {SECRET}\n");
        let shoots = format!("{SHOOTS}// {SECRET}");
        let files = [
            ("olgas-secret/shoots.rhai", shoots.as_bytes()),
            ("olgas-secret/waits.py", waits.as_bytes()),
            ("olgas-secret/plan.txt", plan.as_bytes()),
        ];
        self.olga.upload("private", &files).await;
        let list: FileList = self.olga.get("/files/private").await.json();
        let file = list.files.iter().find(|file| file.path.ends_with("plan.txt")).unwrap();
        self.name("user", "olga", "nemo");
        self.name("private", "olgas-secret/plan.txt", "no-such-thing/at-all.txt");
        self.name("blob", &file.hash, &format!("00{}", &file.hash[2..]));
        self.name("tree", &list.tree, &format!("00{}", &list.tree[2..]));
        let digest = sha256(plan.as_bytes());
        self.name("digest", format!("sha256:{digest}"), &format!("sha256:00{}", &digest[2..]));
        self.shared.insert("size", file.size.to_string());
        let disk = self.lab.server_data().to_str().unwrap().to_owned();
        self.name("disk", disk, "/no/such/folder");
        self.name("rack", "rack1", "rack9");
    }

    async fn jobs(&mut self, theo: &Client) {
        let ended = self.submit("olgas-secret/shoots.rhai", 1).await;
        let run = self.olga.finished(ended).await.run_list.remove(0);
        assert_eq!(run.result, 111, "{}\n{}", run.comment, self.lab.logs());
        let (olga, number) = (self.olga.clone(), run.run);
        let left = eventually("the picture of her run", || async {
            let list: ArtifactList = olga.get(&format!("/runs/{number}/files")).await.json();
            list.files.into_iter().find(|file| file.path.contains(SECRET))
        })
        .await;
        let live = self.submit("olgas-secret/waits.py", 2).await;
        let live_run = eventually("her second job to run", || async {
            let job: JobDetail = olga.get(&format!("/jobs/{live}")).await.json();
            job.run_list.into_iter().find(|run| run.state == 1).map(|run| run.run)
        })
        .await;
        let request = SubmitRequest {
            name: "theos".to_owned(),
            slots: slots("rack1", [3]),
            tests: vec![test("pub.rhai")],
            ..SubmitRequest::default()
        };
        let theos = theo.submit(&request).await.job;
        let theos_run = theo.finished(theos).await.run_list.remove(0).run;
        self.name("job", ended, "987654321");
        self.name("live", live, "987654322");
        self.name("run", number, "987654323");
        self.name("live_run", live_run, "987654324");
        self.name("artifact", left.path, "no-such-picture.png");
        let log = |run: &str| format!("olga/olgas-secret/shoots_20260101_101010_{run}");
        self.name("log", log(&number.to_string()), &log("987654323"));
        self.name("key", format!("{SECRET}-key"), "no-such-key");
        self.shared.insert("theos_run", theos_run.to_string());
        // Behind her second job, for as long as that runs.
        let behind = theo.submit(&SubmitRequest { slots: slots("rack1", [2]), ..request }).await.job;
        self.shared.insert("theos_job", behind.to_string());
        self.shared.insert("dut", self.shelf_dut().await);
    }

    async fn submit(&self, script: &str, slot: u16) -> u64 {
        let one = TestRequest {
            script: script.to_owned(),
            public: false,
            mode: ModeRef::Number(1),
            args: format!("--of {SECRET}"),
            ..test(script)
        };
        let request = SubmitRequest {
            name: format!("{SECRET}-job"),
            slots: slots("rack1", [slot]),
            tests: vec![one],
            ..SubmitRequest::default()
        };
        let send = self.olga.request(reqwest::Method::POST, "/jobs").json(&request);
        // Her first job has the key that others will try.
        let first = slot == 1;
        let send = if first { send.header("idempotency-key", format!("{SECRET}-key")) } else { send };
        let answer: headend_wire::api::SubmitAnswer = self.olga.send(send).await.unwrap().json();
        answer.job
    }

    async fn shelf_dut(&self) -> String {
        let answer = self.lab.client.post("/duts", &json!({ "dut": 0, "name": "on the shelf" })).await;
        answer.json::<serde_json::Value>()["dut"].to_string()
    }

    async fn schedule(&mut self) {
        let name = format!("{SECRET}-nightly");
        let schedule = self.new_schedule(&name).await;
        self.name("schedule", schedule, "987654325");
        self.name("schedule_name", name, "no-such-schedule");
        let test = self.new_test().await;
        self.name("test", test, "987654326");
        let slot = self.olga.request(reqwest::Method::PUT, &format!("/schedules/{schedule}/slots/rack1/1"));
        assert!(self.olga.send(slot).await.unwrap().status.is_success());
    }

    async fn new_schedule(&self, name: &str) -> u64 {
        let timing = json!({ "type": "Daily", "start_date": "2037-01-01", "start_time": "10:00:00",
            "end_time": "11:00:00" });
        self.olga.post("/schedules", &json!({ "name": name, "timing": timing })).await.json::<ScheduleItem>().schedule
    }

    async fn new_test(&self) -> u64 {
        let path = format!("/schedules/{}/tests", self.names["schedule"].0);
        let test = json!({ "script": "olgas-secret/shoots.rhai", "public": false, "args": SECRET,
            "mode": "spread" });
        self.olga.post(&path, &test).await.json::<ScheduleNoted>().test.unwrap()
    }

    /// Others see the note: it holds nothing of hers.
    async fn reserve(&self, slot: u16) -> u64 {
        let request = json!({ "slot": { "rack": "rack1", "slot": slot }, "seconds": 3600, "note": "a look" });
        let answer = self.olga.post("/reservations", &request).await;
        assert!(answer.status.is_success(), "{}", answer.text());
        answer.json::<ReservationItem>().reservation
    }

    /// Something of hers that a call may take away: a new one.
    pub(super) async fn renew(&mut self, name: &'static str) {
        let fresh = format!("{SECRET}-{}", blake3::hash(format!("{:?}", self.names).as_bytes()).to_hex());
        match name {
            "new_job" => {
                let job = self.submit("olgas-secret/shoots.rhai", 2).await;
                self.name(name, job, "987654327");
            }
            "new_schedule" => {
                let schedule = self.new_schedule(&fresh).await;
                self.name(name, schedule, "987654328");
            }
            "new_test" => {
                let test = self.new_test().await;
                self.name(name, test, "987654329");
            }
            "new_token" => {
                let token = token(&self.lab, "olga").await;
                self.name(name, token.id, "0000000000ab");
            }
            "new_reservation" => {
                if let Some((before, _)) = self.names.get(name) {
                    self.olga.post(&format!("/reservations/{before}/release"), &json!({})).await;
                }
                let reservation = self.reserve(5).await;
                self.name(name, reservation, "987654331");
            }
            // What she has now: each change of her files makes another one.
            "tree" => {
                let list: FileList = self.olga.get("/files/private").await.json();
                self.name(name, &list.tree, &format!("00{}", &list.tree[2..]));
            }
            "new_private" => {
                let path = format!("{SECRET}/{fresh}.txt");
                self.olga.upload("private", &[(&path, fresh.as_bytes())]).await;
                self.name(name, path, "no-such-thing/at-all.txt");
            }
            _ => panic!("nobody makes {name}"),
        }
    }

    /// What she sees of it all.
    pub(super) async fn seen_by_her(&self) -> Vec<String> {
        let mut seen = Vec::new();
        for path in [
            "/jobs/{job}",
            "/jobs/{live}",
            "/jobs/{new_job}",
            "/runs/{run}/files",
            "/schedules",
            "/reservations",
            "/schedules/{schedule}",
            "/schedules/{new_schedule}",
            "/files/private",
            "/tokens",
        ] {
            let answer = self.olga.get(&self.filled(path, true)).await;
            assert!(answer.status.is_success(), "{path}: {}", answer.text());
            seen.push(format!("{path}: {}", answer.text()));
        }
        seen
    }

    /// A row's text with its names filled in.
    pub(super) fn filled(&self, text: &str, real: bool) -> String {
        let text =
            self.shared.iter().fold(text.to_owned(), |text, (name, value)| text.replace(&format!("[{name}]"), value));
        self.names.iter().fold(text, |text, (name, (here, nowhere))| {
            text.replace(&format!("{{{name}}}"), if real { here } else { nowhere })
        })
    }

    /// Whether a text names something of hers.
    pub(super) fn names_hers(&self, text: &str) -> bool {
        self.names.keys().any(|name| text.contains(&format!("{{{name}}}")))
    }

    /// An answer about ids that there are not, with hers in their place.
    pub(super) fn as_if_real(&self, answer: &str, call: &str) -> String {
        // The address of a log has the run in it, and answers name that.
        let in_call = |name: &str| call.contains(&format!("{{{name}}}")) || name == "run" && call.contains("{log}");
        let used = self.names.iter().filter(|(name, _)| in_call(name));
        used.fold(answer.to_owned(), |text, (_, (here, nowhere))| text.replace(nowhere, here))
    }
}

async fn token(lab: &Lab, user: &str) -> TokenAnswer {
    let label = if user == "olga" { format!("{SECRET}-token") } else { String::new() };
    lab.client.post("/tokens", &json!({ "user": user, "label": label })).await.json()
}

/// The token of a rack that is known, and does nothing.
async fn enrol(lab: &Lab) -> String {
    let newcomer = lab.client.with_token(&lab.enrol_token().await);
    let enrolled = json!({ "protocol": headend_wire::PROTOCOL, "name": "rack2" });
    let answer: serde_json::Value = newcomer.post("/racks/enrol", &enrolled).await.json();
    answer["token"].as_str().unwrap().to_owned()
}

fn sha256(bytes: &[u8]) -> String {
    use sha2::{Digest, Sha256};
    Sha256::digest(bytes).iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}

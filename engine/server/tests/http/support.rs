//! A server in a folder of its own, and the two kinds of clients.

use std::time::Duration;

use headend_model::{LeaseTerms, Outcome, Span, TestResult};
use headend_scheduler::event::Claim;
use headend_scheduler::fence::EndReport;
use headend_server::{ServeOptions, Server, ServerHandle};
use headend_wire::rack::{Beat, Exchange, Orders, Ready, ReadySlot};
use reqwest::{Method, Response, StatusCode};
use serde_json::{Value, json};

/// Longest that a condition is waited for.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// A server and what it needs.
pub(crate) struct Lab {
    pub(crate) server: Option<ServerHandle>,
    pub(crate) folder: tempfile::TempDir,
    pub(crate) client: Client,
    change: Change,
}

type Change = std::sync::Arc<dyn Fn(&mut ServeOptions) + Send + Sync>;

impl Lab {
    pub(crate) async fn start() -> Self {
        Self::start_with(|_| ()).await
    }

    pub(crate) async fn start_with(change: impl Fn(&mut ServeOptions) + Send + Sync + 'static) -> Self {
        let change: Change = std::sync::Arc::new(change);
        let folder = tempfile::tempdir().unwrap();
        let (server, client) = start(folder.path(), &change).await;
        Self { server: Some(server), folder, client, change }
    }

    /// Stops the server in order and starts it again on the same folder.
    pub(crate) async fn restart(&mut self) {
        self.stop().await;
        let (server, client) = start(self.folder.path(), &self.change).await;
        (self.server, self.client) = (Some(server), client);
    }

    pub(crate) async fn stop(&mut self) {
        if let Some(server) = self.server.take() {
            server.shutdown().await.unwrap();
        }
    }

    pub(crate) fn address(&self) -> std::net::SocketAddr {
        self.server.as_ref().unwrap().address()
    }

    /// A client with a user's token.
    pub(crate) async fn user(&self, name: &str) -> Client {
        let answer = self.client.post("/api/v1/tokens", &json!({ "user": name })).await;
        let token = answer.ok(StatusCode::CREATED)["token"].as_str().unwrap().to_owned();
        Client { token: Some(token), ..self.client.clone() }
    }

    /// A rack with slots 1 to `slots`, each with a box of its own, that has said `ready`.
    pub(crate) async fn rack(&self, name: &str, slots: u16) -> FakeRack {
        let mut rack = FakeRack::enrol(self, name, 1).await;
        rack.ready(slots).await;
        rack
    }

    /// Uploads a script to the public area.
    pub(crate) async fn upload(&self, path: &str, text: &str) {
        upload(&self.client, "public", path, text).await;
    }
}

pub(crate) async fn upload(client: &Client, area: &str, path: &str, text: &str) {
    let hash = blake3::hash(text.as_bytes()).to_hex().to_string();
    client.put_bytes(&format!("/api/v1/blobs/{hash}"), text.as_bytes()).await.ok(StatusCode::OK);
    let file = json!({ "path": path, "hash": hash, "size": text.len() });
    client.post(&format!("/api/v1/files/{area}/commit"), &json!({ "put": [file] })).await.ok(StatusCode::OK);
}

async fn start(folder: &std::path::Path, change: &Change) -> (ServerHandle, Client) {
    let mut options = ServeOptions::new(folder);
    options.listen = "127.0.0.1:0".parse().unwrap();
    // Nothing here may depend on a loaded machine being quick.
    options.farm.lease =
        LeaseTerms { heartbeat: Span::seconds(20), length: Span::seconds(300), ..LeaseTerms::default() };
    change(&mut options);
    let server = Server::start(options).await.unwrap();
    let base = format!("http://{}", server.address());
    let token = Some(server.admin_token().to_owned());
    (server, Client { base, token, http: reqwest::Client::builder().no_proxy().build().unwrap() })
}

/// Whoever has a token, or none.
#[derive(Clone)]
pub(crate) struct Client {
    pub(crate) base: String,
    pub(crate) token: Option<String>,
    pub(crate) http: reqwest::Client,
}

/// An answer, read whole.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) media: String,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    async fn of(response: Response) -> Self {
        let (status, headers) = (response.status(), response.headers().clone());
        let media = headers.get("content-type").map(|v| v.to_str().unwrap().to_owned()).unwrap_or_default();
        Self { status, media, headers, text: response.text().await.unwrap() }
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("{} is no JSON: {}", self.status, self.text))
    }

    /// The body of an answer with this status.
    pub(crate) fn ok(&self, status: StatusCode) -> Value {
        assert_eq!(self.status, status, "{}", self.text);
        self.json()
    }

    /// A problem document: its code. Everything about its form is checked.
    pub(crate) fn problem(&self) -> String {
        assert_eq!(self.media, "application/problem+json", "{}: {}", self.status, self.text);
        let problem: headend_wire::Problem = serde_json::from_str(&self.text).unwrap();
        assert_eq!(problem.status, self.status.as_u16());
        assert!(!problem.detail.is_empty() && !problem.title.is_empty(), "{}", self.text);
        assert!(headend_wire::codes::by_name(&problem.code).is_some(), "{} is not in the table", problem.code);
        assert!(self.headers.contains_key("x-request-id"));
        problem.code
    }
}

impl Client {
    pub(crate) fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.base)).timeout(PATIENCE);
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    pub(crate) async fn send(&self, request: reqwest::RequestBuilder) -> Answer {
        Answer::of(request.send().await.unwrap()).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(self.request(Method::GET, path)).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send(self.request(Method::POST, path).json(body)).await
    }

    pub(crate) async fn put(&self, path: &str, body: &Value) -> Answer {
        self.send(self.request(Method::PUT, path).json(body)).await
    }

    pub(crate) async fn put_bytes(&self, path: &str, body: &[u8]) -> Answer {
        self.send(self.request(Method::PUT, path).body(body.to_vec())).await
    }

    /// Submits one test on slots of `rack1`; the handle.
    pub(crate) async fn submit(&self, script: &str, slots: &[u16]) -> u64 {
        let answer = self.post("/api/v1/jobs", &job(script, slots)).await;
        answer.ok(StatusCode::CREATED)["job"].as_u64().unwrap()
    }

    pub(crate) async fn job(&self, job: u64) -> Value {
        self.get(&format!("/api/v1/jobs/{job}")).await.ok(StatusCode::OK)
    }
}

/// A job with one test on slots of `rack1`.
pub(crate) fn job(script: &str, slots: &[u16]) -> Value {
    let slots: Vec<Value> = slots.iter().map(|slot| json!({ "rack": "rack1", "slot": slot })).collect();
    json!({ "name": "a job", "slots": slots, "tests": [{ "script": script }] })
}

/// A rack without devices: says what it is told to say.
pub(crate) struct FakeRack {
    pub(crate) client: Client,
    pub(crate) incarnation: u64,
    pub(crate) holds: Vec<Claim>,
    pub(crate) ends: u64,
}

impl FakeRack {
    pub(crate) async fn enrol(lab: &Lab, name: &str, incarnation: u64) -> Self {
        let token = lab.server.as_ref().unwrap().new_enrol_token().await.unwrap();
        let newcomer = Client { token: Some(token), ..lab.client.clone() };
        let answer = newcomer.post("/api/v1/racks/enrol", &json!({ "protocol": 1, "name": name })).await;
        let token = answer.ok(StatusCode::CREATED)["token"].as_str().unwrap().to_owned();
        Self { client: Client { token: Some(token), ..lab.client.clone() }, incarnation, holds: Vec::new(), ends: 0 }
    }

    pub(crate) fn blank(&self) -> Exchange {
        Exchange {
            protocol: 1,
            incarnation: self.incarnation,
            ready: None,
            beat: None,
            started: Vec::new(),
            declined: Vec::new(),
            ends: Vec::new(),
            notes: Vec::new(),
            holds: self.holds.clone(),
            stopping: Vec::new(),
            wait_ms: 0,
        }
    }

    pub(crate) async fn say(&self, exchange: &Exchange) -> Answer {
        self.client.post("/api/v1/racks/exchange", &serde_json::to_value(exchange).unwrap()).await
    }

    pub(crate) async fn orders(&self, exchange: &Exchange) -> Orders {
        serde_json::from_value(self.say(exchange).await.ok(StatusCode::OK)).unwrap()
    }

    pub(crate) fn ready_message(&self, slots: u16) -> Exchange {
        let slots = (1..=slots).map(|no| ReadySlot {
            no,
            epoch: 0,
            driver: "virtual".to_owned(),
            builtin_dut: Some(format!("box {no}")),
        });
        let ready = Ready {
            version: "0".to_owned(),
            slots: slots.collect(),
            dut_epochs: Vec::new(),
            logs: None,
            former: Vec::new(),
        };
        Exchange { ready: Some(ready), beat: Some(Beat { cpu_percent: 1, ..Beat::default() }), ..self.blank() }
    }

    pub(crate) async fn ready(&mut self, slots: u16) -> Orders {
        self.orders(&self.ready_message(slots)).await
    }

    /// Waits until the server wants something started, takes it, and says so.
    pub(crate) async fn take(&mut self) -> Vec<headend_wire::rack::StartOrder> {
        let until = std::time::Instant::now() + PATIENCE;
        loop {
            let orders = self.orders(&Exchange { wait_ms: 5_000, ..self.blank() }).await;
            if !orders.start.is_empty() {
                let claims = orders.start.iter().map(|order| claim_of(&order.lease));
                self.holds.extend(claims);
                let started = Exchange { started: self.holds.clone(), ..self.blank() };
                self.orders(&started).await;
                return orders.start;
            }
            assert!(std::time::Instant::now() < until, "nothing was to be started");
        }
    }

    /// Ends the oldest run it holds with a pass.
    pub(crate) async fn pass(&mut self) -> Orders {
        let claim = self.holds.remove(0);
        self.ends += 1;
        let outcome = Outcome::Done { result: TestResult::Pass, comment: String::new() };
        let end = EndReport { seq: self.ends, claim, outcome, unkillable: false };
        let orders = self.orders(&Exchange { ends: vec![end], ..self.blank() }).await;
        assert_eq!(orders.acknowledged, Some(self.ends));
        orders
    }
}

pub(crate) fn claim_of(lease: &headend_model::Lease) -> Claim {
    Claim { run: lease.run, attempt: lease.attempt, epoch: lease.targets[0].slot_epoch }
}

//! A REST client that keeps what came back: status, problem, body.

use headend_wire::Problem;
use headend_wire::api::{JobDetail, ModeRef, SlotRef, SubmitAnswer, SubmitRequest, TestRequest};
use headend_wire::files::{CommitAnswer, CommitRequest, PutItem};
use reqwest::{Method, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::eventually;

#[derive(Clone, Debug)]
pub struct Client {
    http: reqwest::Client,
    base: String,
    token: String,
}

/// An answer with whatever status it has.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub body: Vec<u8>,
}

impl Answer {
    /// The problem document of a refused request.
    pub fn problem(&self) -> Problem {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|e| panic!("{}: not a problem document ({e}): {}", self.status, self.text()))
    }

    pub fn json<T: DeserializeOwned>(&self) -> T {
        assert!(self.status.is_success(), "{}: {}", self.status, self.text());
        serde_json::from_slice(&self.body).unwrap_or_else(|e| panic!("{e}: {}", self.text()))
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

impl Client {
    pub fn new(base: &str, token: &str) -> Self {
        Self { http: reqwest::Client::new(), base: base.trim_end_matches('/').to_owned(), token: token.to_owned() }
    }

    /// The same server, another token.
    #[must_use]
    pub fn with_token(&self, token: &str) -> Self {
        Self { token: token.to_owned(), ..self.clone() }
    }

    pub fn token(&self) -> &str {
        &self.token
    }

    pub fn url(&self, path: &str) -> String {
        format!("{}/api/v1{path}", self.base)
    }

    pub fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        self.http.request(method, self.url(path)).bearer_auth(&self.token)
    }

    /// Sends; an unreachable server is an `Err`.
    pub async fn send(&self, request: reqwest::RequestBuilder) -> Result<Answer, reqwest::Error> {
        let response = request.send().await?;
        let status = response.status();
        Ok(Answer { status, body: response.bytes().await?.to_vec() })
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send(self.request(Method::GET, path)).await.expect("the server answers")
    }

    pub async fn post<B: Serialize + Sync>(&self, path: &str, body: &B) -> Answer {
        self.send(self.request(Method::POST, path).json(body)).await.expect("the server answers")
    }

    pub async fn submit(&self, request: &SubmitRequest) -> SubmitAnswer {
        self.post("/jobs", request).await.json()
    }

    /// Submits under a key until some server says yes: what a client does whose server dies now and then.
    pub async fn submit_until_acknowledged(&self, request: &SubmitRequest, key: &str) -> SubmitAnswer {
        eventually("a submit to be acknowledged", || async {
            let send = self.request(Method::POST, "/jobs").header("idempotency-key", key).json(request);
            let answer = self.send(send).await.ok()?;
            answer.status.is_success().then(|| answer.json())
        })
        .await
    }

    pub async fn job(&self, job: u64) -> JobDetail {
        self.get(&format!("/jobs/{job}")).await.json()
    }

    /// Waits until the job has its final status; survives servers that are away for a while.
    pub async fn finished(&self, job: u64) -> JobDetail {
        eventually(&format!("job {job} to end"), || async {
            let answer = self.send(self.request(Method::GET, &format!("/jobs/{job}"))).await.ok()?;
            if !answer.status.is_success() {
                return None;
            }
            let detail: JobDetail = answer.json();
            (!matches!(detail.item.status, 0 | 1 | 4)).then_some(detail)
        })
        .await
    }

    /// Uploads files as one revision.
    pub async fn upload(&self, area: &str, files: &[(&str, &[u8])]) -> CommitAnswer {
        let mut put = Vec::new();
        for (path, bytes) in files {
            let hash = blake3::hash(bytes).to_hex().to_string();
            let request = self.request(Method::PUT, &format!("/blobs/{hash}")).body(bytes.to_vec());
            let answer = self.send(request).await.expect("the server answers");
            assert!(answer.status.is_success(), "{}", answer.text());
            put.push(PutItem { path: (*path).to_owned(), hash, size: bytes.len() as u64, edited: None });
        }
        self.post(&format!("/files/{area}/commit"), &CommitRequest { put, delete: Vec::new() }).await.json()
    }
}

/// A job request in one line: `request("name", &slots("rack1", 1..=4), [test("a.rhai")])`.
pub fn request(name: &str, slots: &[SlotRef], tests: impl IntoIterator<Item = TestRequest>) -> SubmitRequest {
    SubmitRequest {
        name: name.to_owned(),
        slots: slots.to_vec(),
        tests: tests.into_iter().collect(),
        ..SubmitRequest::default()
    }
}

pub fn slots(rack: &str, numbers: impl IntoIterator<Item = u16>) -> Vec<SlotRef> {
    numbers.into_iter().map(|slot| SlotRef { rack: rack.to_owned(), slot }).collect()
}

/// A public test on every target, in DUT coverage.
pub fn test(script: &str) -> TestRequest {
    TestRequest {
        script: script.to_owned(),
        public: true,
        slots_needed: None,
        mode: ModeRef::Number(1),
        args: String::new(),
        time_limit_s: None,
    }
}

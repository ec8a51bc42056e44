//! Speaks REST to the server.

use std::time::Duration;

use futures::StreamExt;
use headend_wire::Problem;
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::credentials::{Credentials, ServerArgs};
use crate::exit::Exit;
use crate::failure::{Failure, Result};

/// Longest wait for the answer to a plain request.
const REQUEST_LIMIT: Duration = Duration::from_mins(1);
/// Longest wait for one with a large body: a part of a file at some 30 KiB a second.
const BODY_LIMIT: Duration = Duration::from_mins(10);
/// Largest answer that is read.
const ANSWER_LIMIT: usize = 256 << 20;

/// A server and how to talk to it. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Client {
    http: reqwest::Client,
    credentials: Credentials,
}

impl Client {
    /// The server that flags, environment and credentials file name.
    pub(crate) fn new(args: &ServerArgs) -> Result<Self> {
        Self::with(Credentials::find(args)?)
    }

    /// This server.
    pub(crate) fn with(credentials: Credentials) -> Result<Self> {
        let http = reqwest::Client::builder()
            .user_agent(concat!("headend/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(Duration::from_secs(5))
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(|error| Failure::new(Exit::Fault, "http", "cannot set up HTTP").because(error))?;
        Ok(Self { http, credentials })
    }

    /// Address of the server.
    pub(crate) fn server(&self) -> &str {
        &self.credentials.server
    }

    /// A request with the token, below `/api/v1`.
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let url = format!("{}/api/v1{path}", self.credentials.server);
        self.http.request(method, url).bearer_auth(&self.credentials.token)
    }

    /// Sends, and turns whatever is not a success into a failure.
    pub(crate) async fn send(&self, request: RequestBuilder) -> Result<Response> {
        let response = request.send().await.map_err(|error| self.unreachable(error))?;
        if response.status().is_success() {
            return Ok(response);
        }
        let status = response.status();
        let body = self.body(response).await?;
        Err(Failure::problem(problem(status, &body)))
    }

    /// Sends and reads the answer.
    pub(crate) async fn fetch<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T> {
        self.read(request.timeout(REQUEST_LIMIT)).await
    }

    async fn read<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T> {
        let response = self.send(request).await?;
        let body = self.body(response).await?;
        let body: &[u8] = if body.is_empty() { b"null" } else { &body };
        serde_json::from_slice(body).map_err(|error| {
            Failure::new(Exit::Fault, "bad_answer", format!("cannot understand the answer of {}", self.server()))
                .because(error)
                .help("check that the address is that of a Headend server of the same release")
        })
    }

    /// The same for a request whose body may take long, and the answer after it.
    pub(crate) async fn fetch_patiently<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T> {
        self.read(request.timeout(BODY_LIMIT)).await
    }

    /// A file as it is.
    #[cfg(feature = "host")]
    pub(crate) async fn bytes(&self, path: &str) -> Result<Vec<u8>> {
        let response = self.send(self.request(Method::GET, path).timeout(BODY_LIMIT)).await?;
        self.body(response).await
    }

    pub(crate) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T> {
        self.fetch(self.request(Method::GET, path)).await
    }

    pub(crate) async fn post<B: Serialize + Sync, T: DeserializeOwned>(&self, path: &str, body: &B) -> Result<T> {
        self.fetch(self.request(Method::POST, path).json(body)).await
    }

    pub(crate) async fn put<B: Serialize + Sync, T: DeserializeOwned>(&self, path: &str, body: &B) -> Result<T> {
        self.fetch(self.request(Method::PUT, path).json(body)).await
    }

    /// A connection that is no HTTP any more, as the server's answer to a request for this protocol.
    #[cfg(feature = "host")]
    pub(crate) async fn stream(&self, path: &str, protocol: &str) -> Result<reqwest::Upgraded> {
        let request = self.request(Method::GET, path);
        let request = request.header("connection", "upgrade").header("upgrade", protocol);
        let answered = tokio::time::timeout(REQUEST_LIMIT, request.send()).await;
        let late =
            |_| Failure::new(Exit::TimedOut, "timed_out", format!("the server {} did not answer", self.server()));
        let response = answered.map_err(late)?.map_err(|error| self.unreachable(error))?;
        if response.status() == StatusCode::SWITCHING_PROTOCOLS {
            return response.upgrade().await.map_err(|error| self.unreachable(error));
        }
        let status = response.status();
        let body = self.body(response).await?;
        Err(Failure::problem(problem(status, &body)))
    }

    async fn body(&self, response: Response) -> Result<Vec<u8>> {
        let mut chunks = response.bytes_stream();
        let mut body = Vec::new();
        while let Some(chunk) = chunks.next().await {
            body.extend_from_slice(&chunk.map_err(|error| self.unreachable(error))?);
            if body.len() > ANSWER_LIMIT {
                return Err(Failure::new(Exit::Fault, "bad_answer", format!("{} sends without end", self.server())));
            }
        }
        Ok(body)
    }

    fn unreachable(&self, error: reqwest::Error) -> Failure {
        let (what, exit, code) = if error.is_timeout() && !error.is_connect() {
            ("did not answer in time", Exit::TimedOut, "timed_out")
        } else if error.is_connect() {
            ("cannot be reached", Exit::Unavailable, "unreachable")
        } else {
            ("broke off the exchange", Exit::Unavailable, "broken_off")
        };
        Failure::new(exit, code, format!("the server {} {what}", self.server()))
            .because(error.without_url())
            .help("start one with `headend up`, or name another with --server or HEADEND_SERVER")
    }
}

/// The problem in a body, or one made of the status.
fn problem(status: StatusCode, body: &[u8]) -> Problem {
    serde_json::from_slice(body).unwrap_or_else(|_| Problem {
        r#type: "about:blank".to_owned(),
        title: status.to_string(),
        status: status.as_u16(),
        detail: format!("the server answered {status}"),
        code: "http".to_owned(),
        number: None,
        fields: Vec::new(),
    })
}

/// A word as one segment of a path.
pub(crate) fn segment(text: &str) -> String {
    use std::fmt::Write;
    text.bytes().fold(String::new(), |mut out, byte| {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~') {
            out.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            write!(out, "%{byte:02X}").ok();
        }
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_segment_stays_one_segment() {
        assert_eq!(segment("rack-1.lab"), "rack-1.lab");
        assert_eq!(segment("a/../b c"), "a%2F..%2Fb%20c");
    }
}

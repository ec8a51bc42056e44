//! HTTP to the server.

use std::time::Duration;

use headend_wire::plugins::AnalyserAnswer;
use headend_wire::rack::{Enrol, Enrolled, Exchange, Orders};
use headend_wire::{PROTOCOL, Problem, relay};
use reqwest::StatusCode;
use reqwest::header::{CONNECTION, UPGRADE};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::RackError;

/// Most bytes of an answer that are read for an error's text.
const ERROR_TEXT: usize = 2_000;

/// Why a request failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LinkError {
    #[error("the server cannot be reached")]
    Away(#[from] reqwest::Error),
    #[error("the server answered {status}: {text}")]
    Refused { status: StatusCode, text: String },
}

impl LinkError {
    /// Trying again with the same words will not help.
    pub(crate) fn is_final(&self) -> bool {
        let Self::Refused { status, .. } = self else { return false };
        matches!(status.as_u16(), 400 | 401 | 403 | 404 | 422 | 426)
    }

    /// Another process speaks for this rack, or did until a moment ago.
    pub(crate) fn is_taken(&self) -> bool {
        matches!(self, Self::Refused { status, .. } if *status == StatusCode::CONFLICT)
    }

    pub(crate) fn at_start(self, server: &str, name: &str, tried: Duration) -> RackError {
        match self {
            Self::Away(source) => {
                RackError::Unreachable { server: server.to_owned(), seconds: tried.as_secs(), source }
            }
            Self::Refused { status, text } => {
                let reason = format!("{status}: {text}");
                RackError::Refused { server: server.to_owned(), name: name.to_owned(), reason }
            }
        }
    }
}

/// A client with the rack's token.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    http: reqwest::Client,
    base: String,
    token: String,
}

impl Client {
    pub(crate) fn new(server: &str, token: &str) -> Result<Self, RackError> {
        let http = reqwest::Client::builder()
            .connect_timeout(Duration::from_secs(5))
            .pool_max_idle_per_host(8)
            .tcp_nodelay(true)
            .no_proxy()
            .build()
            .map_err(RackError::Client)?;
        Ok(Self { http, base: format!("{}/api/v1", server.trim_end_matches('/')), token: token.to_owned() })
    }

    /// The same server under another token.
    pub(crate) fn with_token(&self, token: &str) -> Self {
        Self { token: token.to_owned(), ..self.clone() }
    }

    /// A one-use token for the rack's own.
    pub(crate) async fn enrol(&self, name: &str) -> Result<Enrolled, LinkError> {
        let enrol = Enrol { protocol: PROTOCOL, name: name.to_owned() };
        self.post("racks/enrol", &enrol, Duration::from_secs(10)).await
    }

    /// One exchange. `patience`: how long the answer may take.
    pub(crate) async fn exchange(&self, exchange: &Exchange, patience: Duration) -> Result<Orders, LinkError> {
        self.post("racks/exchange", exchange, patience).await
    }

    async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
        patience: Duration,
    ) -> Result<T, LinkError> {
        let url = format!("{}/{path}", self.base);
        let answer = self.http.post(url).bearer_auth(&self.token).timeout(patience).json(body).send().await?;
        Ok(accepted(answer).await?.json().await?)
    }

    /// The analyser in force under a name; without its code if that content is here.
    pub(crate) async fn analyser(
        &self,
        name: &str,
        have: Option<&str>,
        patience: Duration,
    ) -> Result<AnalyserAnswer, LinkError> {
        let url = format!("{}/racks/analysers/{}", self.base, escaped(name));
        let have: Vec<_> = have.map(|have| ("have", have)).into_iter().collect();
        let request = self.http.get(url).query(&have).bearer_auth(&self.token).timeout(patience);
        Ok(accepted(request.send().await?).await?.json().await?)
    }

    /// The bytes of a blob, as they come.
    pub(crate) async fn blob(&self, hash: &str) -> Result<reqwest::Response, LinkError> {
        let url = format!("{}/blobs/{hash}", self.base);
        accepted(self.http.get(url).bearer_auth(&self.token).send().await?).await
    }

    /// The person's end of a session.
    pub(crate) async fn session(&self, run: u64) -> Result<reqwest::Upgraded, LinkError> {
        let url = format!("{}/sessions/{run}/rack", self.base);
        let request = self.http.get(url).bearer_auth(&self.token);
        let answer = request.header(CONNECTION, "upgrade").header(UPGRADE, relay::UPGRADE).send().await?;
        if answer.status() == StatusCode::SWITCHING_PROTOCOLS {
            return Ok(answer.upgrade().await?);
        }
        let status = answer.status();
        accepted(answer).await?;
        Err(LinkError::Refused { status, text: "the connection was not upgraded".to_owned() })
    }

    /// Hands a file of a run over.
    pub(crate) async fn put_run_file(&self, run: u64, path: &str, bytes: Vec<u8>) -> Result<(), LinkError> {
        let path = path.split('/').map(escaped).collect::<Vec<_>>().join("/");
        let url = format!("{}/runs/{run}/files/{path}", self.base);
        let request = self.http.put(url).bearer_auth(&self.token).timeout(Duration::from_mins(1)).body(bytes);
        accepted(request.send().await?).await.map(drop)
    }
}

/// Percent-encodes a component of a path.
fn escaped(component: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    component
        .bytes()
        .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

async fn accepted(answer: reqwest::Response) -> Result<reqwest::Response, LinkError> {
    let status = answer.status();
    if status.is_success() {
        return Ok(answer);
    }
    let text = answer.text().await.unwrap_or_default();
    let text = match serde_json::from_str::<Problem>(&text) {
        Ok(problem) => problem.to_string(),
        Err(_) => text.chars().take(ERROR_TEXT).collect(),
    };
    Err(LinkError::Refused { status, text })
}

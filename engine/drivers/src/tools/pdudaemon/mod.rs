//! Mains switched by a running [pdudaemon](https://github.com/pdudaemon/pdudaemon), which knows dozens of kinds of switches.
//!
//! It is asked by HTTP. What the daemon takes, it carries out before it answers; whether the switch obeyed, it does not always know.

use std::time::Duration;

use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};

use crate::{DriverError, Place, Tool};

/// Most bytes of an answer that are looked at.
const SAID: usize = 2 << 10;
/// Time limit of a probe.
const PROBE: Duration = Duration::from_secs(5);

/// A port of a switch that pdudaemon knows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Options {
    /// Where pdudaemon listens. Default: `http://127.0.0.1:16421`.
    #[serde(default = "url")]
    pub url: String,
    /// Name of the switch, as it stands under `pdus` in the daemon's configuration.
    pub hostname: String,
    /// The port: a number, counted as the switch counts, or a name for switches that have names.
    pub port: Port,
    /// Time limit of a switching, in milliseconds, 100 to 600000. Default: 30000. The daemon tries a switch that fails five times, five
    /// seconds apart, unless it is told otherwise; with less time its answer is not heard, and it may still switch later.
    #[serde(default = "timeout_ms")]
    pub timeout_ms: u32,
}

/// A port of a switch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Port {
    /// As most switches have it.
    Number(u32),
    /// As some have it.
    Name(String),
}

impl std::fmt::Display for Port {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::Name(name) => name.fmt(f),
        }
    }
}

fn url() -> String {
    "http://127.0.0.1:16421".to_owned()
}

fn timeout_ms() -> u32 {
    30_000
}

impl Options {
    /// A port with all else as it is by default.
    pub fn of_port(hostname: &str, port: Port) -> Self {
        Self { url: url(), hostname: hostname.to_owned(), port, timeout_ms: timeout_ms() }
    }

    /// What can be said without asking the daemon.
    ///
    /// # Errors
    /// The first key that is wrong, its value, and what to do.
    pub fn check(&self) -> Result<(), DriverError> {
        self.base()?;
        if self.hostname.trim().is_empty() {
            return Err(DriverError(
                "`hostname` is empty; it is the name of a switch in pdudaemon's configuration".into(),
            ));
        }
        if matches!(&self.port, Port::Name(name) if name.trim().is_empty()) {
            return Err(DriverError("`port` is empty; it is a number or a name of a port of that switch".into()));
        }
        if !(100..=600_000).contains(&self.timeout_ms) {
            return Err(DriverError(format!("`timeout_ms` is {}; it is 100 to 600000", self.timeout_ms)));
        }
        Ok(())
    }

    fn base(&self) -> Result<reqwest::Url, DriverError> {
        let wrong = |why: &str| {
            DriverError(format!("`url` is {:?}: {why}; it is where pdudaemon listens, such as {:?}", self.url, url()))
        };
        let base: reqwest::Url = self.url.parse().map_err(|_| wrong("it is no URL"))?;
        match base.scheme() {
            "http" if base.host_str().is_some() => Ok(base),
            "http" => Err(wrong("it has no host")),
            _ => Err(wrong("it does not begin with http://, and pdudaemon speaks nothing else")),
        }
    }
}

/// One port of a switch.
#[derive(Debug)]
pub struct Pdudaemon {
    options: Options,
    base: reqwest::Url,
    client: reqwest::Client,
    /// One at a time: a late `off` must not pass an `on`.
    turn: tokio::sync::Mutex<()>,
}

/// Checks that the daemon answers. Switches nothing.
///
/// # Errors
/// The options are wrong, or nothing answers.
pub async fn start(options: &Options, _place: &Place) -> Result<Pdudaemon, DriverError> {
    options.check()?;
    // The daemon stands in the lab: no proxy of the environment leads there. A redirection would be answered by something else.
    let client = reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        // A daemon that was started anew knows nothing of a connection that was kept, and a switching is not to fail for that.
        .pool_max_idle_per_host(0)
        .build()
        .map_err(|error| DriverError(format!("no HTTP client: {error}")))?;
    let base = options.base()?;
    let tool = Pdudaemon { options: options.clone(), base, client, turn: tokio::sync::Mutex::new(()) };
    tool.probe().await?;
    Ok(tool)
}

/// An answer: the status, and its text.
struct Answer {
    status: u16,
    said: String,
}

impl Pdudaemon {
    async fn get(&self, path: &str, query: &[(&str, &str)], within: Duration) -> Result<Answer, DriverError> {
        let mut url = self.base.clone();
        url.set_path(path);
        let asked = async {
            let mut answer = self.client.get(url).query(query).send().await?;
            let status = answer.status().as_u16();
            let mut said = Vec::new();
            while let Some(part) = answer.chunk().await? {
                said.extend_from_slice(&part);
                if said.len() >= SAID {
                    said.truncate(SAID);
                    break;
                }
            }
            Ok::<_, reqwest::Error>(Answer { status, said: String::from_utf8_lossy(&said).trim().to_owned() })
        };
        match tokio::time::timeout(within, asked).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => Err(self.silent(&cause(&error))),
            Err(_) => Err(self.silent(&format!("no answer within {} ms", within.as_millis()))),
        }
    }

    fn silent(&self, why: &str) -> DriverError {
        DriverError(format!(
            "pdudaemon at {} does not answer: {why}; check `url`, and that it runs with listener `http`",
            self.base
        ))
    }

    async fn control(&self, request: &str) -> Result<bool, DriverError> {
        let _turn = self.turn.lock().await;
        let port = self.options.port.to_string();
        let query = [("hostname", self.options.hostname.as_str()), ("port", &port)];
        let within = Duration::from_millis(self.options.timeout_ms.into());
        let answer = self.get(&format!("/power/control/{request}"), &query, within).await?;
        match answer.status {
            200 => Ok(true),
            status => Err(DriverError(format!(
                "pdudaemon at {} did not switch port {port} of `hostname` {:?} {request}: {status}, {:?}; check that its \
                 configuration has this switch, and its log",
                self.base, self.options.hostname, answer.said
            ))),
        }
    }
}

/// The innermost reason: what is around it names the URL once more.
fn cause(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}

impl Tool for Pdudaemon {
    fn name(&self) -> &'static str {
        "pdudaemon"
    }

    fn probe(&self) -> BoxFuture<'_, Result<String, DriverError>> {
        Box::pin(async {
            // It has no question that switches nothing. A request without a switch and a port is refused by it, and by nothing else so.
            let answer = self.get("/power/control/on", &[], PROBE).await?;
            if answer.status == 500 && answer.said.starts_with("Invalid request") {
                return Ok(format!(
                    "pdudaemon answers at {}; port {} of {} was not tried",
                    self.base, self.options.port, self.options.hostname
                ));
            }
            Err(DriverError(format!(
                "what answers at {} is no pdudaemon: {}, {:?}; check `url`",
                self.base, answer.status, answer.said
            )))
        })
    }
}

impl crate::Power for Pdudaemon {
    fn switch(&self, on: bool) -> BoxFuture<'_, Result<bool, DriverError>> {
        Box::pin(self.control(if on { "on" } else { "off" }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrong_options_are_told_with_key_and_remedy() {
        let options: Options = toml::from_str("hostname = 'rack-pdu'\nport = 3").unwrap();
        options.check().unwrap();
        let said = |change: fn(&mut Options)| {
            let mut options = options.clone();
            change(&mut options);
            options.check().unwrap_err().to_string()
        };
        assert!(said(|o| o.url = "pdu.lab:16421".into()).contains("http://"));
        assert!(said(|o| o.url = "https://pdu.lab".into()).contains("nothing else"));
        assert!(said(|o| o.url = "here".into()).contains("\"here\": it is no URL"));
        assert!(said(|o| o.hostname = " ".into()).contains("`hostname` is empty"));
        assert!(said(|o| o.timeout_ms = 1).contains("`timeout_ms` is 1"));
    }
}

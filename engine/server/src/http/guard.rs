//! Who may be addressed, and from which pages: the defence against DNS rebinding and cross-site requests.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use headend_wire::codes;
use http::header::{HOST, ORIGIN};
use http::uri::Authority;

use super::problem::ApiError;
use crate::app::Shared;

/// Names under which clients may reach the server.
#[derive(Clone, Debug)]
pub(crate) struct AllowedHosts {
    names: BTreeSet<String>,
}

impl AllowedHosts {
    /// Loopback, the listen address, and what was added.
    pub(crate) fn new(listen: SocketAddr, added: &[String]) -> Self {
        let mut names: BTreeSet<String> = ["localhost", "127.0.0.1", "[::1]"].map(str::to_owned).into();
        if !listen.ip().is_unspecified() {
            names.insert(match listen {
                SocketAddr::V4(v4) => v4.ip().to_string(),
                SocketAddr::V6(v6) => format!("[{}]", v6.ip()),
            });
        }
        names.extend(added.iter().map(|name| host_of(name).unwrap_or_else(|| name.to_ascii_lowercase())));
        Self { names }
    }

    /// The host part of `authority` (any port) is on the list.
    pub(crate) fn allows(&self, authority: &str) -> bool {
        host_of(authority).is_some_and(|host| self.names.contains(&host))
    }
}

fn host_of(text: &str) -> Option<String> {
    let authority: Authority = text.trim().parse().ok()?;
    // `user@host` is no Host header.
    (!text.contains('@')).then(|| authority.host().trim_end_matches('.').to_ascii_lowercase())
}

/// Refuses foreign `Host` and `Origin` headers before anything else looks at the request.
pub(crate) async fn check(State(app): State<Shared>, request: Request, next: Next) -> Response {
    match verdict(&app.allowed_hosts, &request) {
        Ok(()) => next.run(request).await,
        Err(error) => error.into_response(),
    }
}

fn verdict(allowed: &AllowedHosts, request: &Request) -> Result<(), ApiError> {
    let mut hosts = request.headers().get_all(HOST).iter();
    let host = match (hosts.next(), hosts.next()) {
        (Some(one), None) => one.to_str().unwrap_or_default(),
        (None, _) => request.uri().authority().map(Authority::as_str).unwrap_or_default(),
        (Some(_), Some(_)) => return Err(ApiError::new(&codes::BAD_REQUEST, "two Host headers; send one")),
    };
    let refused = |header: &str, value: &str| {
        let value: String = value.chars().take(80).collect();
        ApiError::new(
            &codes::WRONG_HOST,
            format!(
                "{header} {value:?} is not on the allow-list; use the server's own name, or add it with --allow-host"
            ),
        )
    };
    if !allowed.allows(host) {
        return Err(refused("Host", host));
    }
    let Some(origin) = request.headers().get(ORIGIN) else { return Ok(()) };
    let origin = origin.to_str().unwrap_or_default();
    let own = origin.split_once("://").is_some_and(|(_, authority)| same_site(allowed, host, authority));
    if own { Ok(()) } else { Err(refused("Origin", origin)) }
}

/// A page served by somebody else on another port of this machine is another site.
fn same_site(allowed: &AllowedHosts, host: &str, origin: &str) -> bool {
    allowed.allows(origin) && host.eq_ignore_ascii_case(origin)
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    fn verdict_of(headers: &[(&str, &str)]) -> Result<(), String> {
        let allowed = AllowedHosts::new(SocketAddr::from(([10, 0, 0, 7], 8001)), &["lab.example:8001".to_owned()]);
        let mut request = http::Request::builder().uri("/api/v1/jobs");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        verdict(&allowed, &request.body(Body::empty()).unwrap()).map_err(|e| e.problem().code.clone())
    }

    #[test]
    fn foreign_hosts_and_origins_are_refused() {
        for good in ["localhost:8001", "127.0.0.1", "[::1]:9", "10.0.0.7:8001", "lab.example", "LAB.example.:80"] {
            assert_eq!(verdict_of(&[("host", good)]), Ok(()), "{good}");
        }
        for bad in ["evil.example", "localhost.evil.example", "user@localhost", "", "10.0.0.8", "localhost:80:80"] {
            assert_eq!(verdict_of(&[("host", bad)]), Err("wrong_host".into()), "{bad}");
        }
        assert_eq!(verdict_of(&[]), Err("wrong_host".into()));
        assert_eq!(verdict_of(&[("host", "localhost"), ("host", "evil.example")]), Err("bad_request".into()));
        let own = [("host", "localhost:8001"), ("origin", "http://localhost:8001")];
        assert_eq!(verdict_of(&own), Ok(()));
        for origin in ["http://evil.example", "null", "http://localhost:9999", "http://127.0.0.1:8001"] {
            assert_eq!(verdict_of(&[own[0], ("origin", origin)]), Err("wrong_host".into()), "{origin}");
        }
    }
}

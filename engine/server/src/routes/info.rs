//! The server about itself.

use std::fmt::Write as _;
use std::sync::atomic::Ordering;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use headend_scheduler::view::SlotState;
use headend_wire::api::{ServerInfo, VersionAnswer};
use headend_wire::{PROTOCOL, Problem, codes};
use http::header::CONTENT_TYPE;

use crate::app::Shared;
use crate::auth::Person;
use crate::clock::rfc3339;
use crate::http::{ApiError, ApiResult};

/// Version of this server.
pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The server, and who is asking.
#[utoipa::path(get, path = "/server", operation_id = "get_server", tag = "server",
    responses((status = 200, body = ServerInfo), (status = "4XX", body = Problem)))]
pub(crate) async fn server(State(app): State<Shared>, person: Person) -> ApiResult<axum::Json<ServerInfo>> {
    let open_jobs = app.farm.read(|view| view.farm.open_jobs().count() as u64).await?;
    Ok(axum::Json(ServerInfo {
        version: VERSION.to_owned(),
        started: rfc3339(app.started),
        user: person.user.to_string(),
        role: person.role().to_owned(),
        open_jobs,
        event: app.tell.bus.last(),
    }))
}

/// Version of the server and of the rack exchange.
#[utoipa::path(get, path = "/version", operation_id = "get_version", tag = "server", responses((status = 200, body = VersionAnswer)))]
pub(crate) async fn version() -> axum::Json<VersionAnswer> {
    axum::Json(VersionAnswer { version: VERSION.to_owned(), protocol: PROTOCOL })
}

/// The process is alive.
#[utoipa::path(get, path = "/healthz", operation_id = "healthz", tag = "server", responses((status = 200, body = String)))]
pub(crate) async fn healthz() -> &'static str {
    "ok\n"
}

/// The farm answers, the store can be read, and the server is not shutting down.
#[utoipa::path(get, path = "/readyz", operation_id = "readyz", tag = "server",
    responses((status = 200, body = String), (status = 503, body = Problem)))]
pub(crate) async fn readyz(State(app): State<Shared>) -> ApiResult<&'static str> {
    if app.stop.is_cancelled() {
        return Err(ApiError::new(&codes::UNAVAILABLE, "the server is shutting down"));
    }
    app.store.last_feed().await?;
    app.farm.read(|_| ()).await?;
    Ok("ready\n")
}

/// Figures for Prometheus.
#[utoipa::path(get, path = "/metrics", operation_id = "metrics", tag = "server",
    responses((status = 200, body = String, content_type = "text/plain")))]
pub(crate) async fn metrics(State(app): State<Shared>, _person: Person) -> ApiResult<Response> {
    let farm = app.farm.read(|view| figures(view.farm)).await?;
    let mut text = String::new();
    metric(
        &mut text,
        "headend_build_info",
        "gauge",
        "Version of the server.",
        &[(format!("version=\"{VERSION}\""), 1)],
    );
    let counters = &app.counters;
    for (name, help, value) in [
        ("headend_requests_total", "Requests answered.", counters.requests.load(Ordering::Relaxed)),
        (
            "headend_request_failures_total",
            "Requests answered with a 5xx status.",
            counters.failures.load(Ordering::Relaxed),
        ),
        ("headend_rack_exchanges_total", "Exchanges with racks.", counters.exchanges.load(Ordering::Relaxed)),
        ("headend_feed_items_total", "Items of the feed.", app.tell.bus.last()),
    ] {
        metric(&mut text, name, "counter", help, &[(String::new(), value)]);
    }
    metric(&mut text, "headend_jobs_open", "gauge", "Jobs that are not final.", &[(String::new(), farm.open_jobs)]);
    let runs = [("state=\"queued\"".to_owned(), farm.queued), ("state=\"running\"".to_owned(), farm.running)];
    metric(&mut text, "headend_runs", "gauge", "Runs of open jobs by state.", &runs);
    metric(&mut text, "headend_slots", "gauge", "Slots by rack and state.", &farm.slots);
    metric(&mut text, "headend_rack_online", "gauge", "1 for a rack that was heard of lately.", &farm.racks);
    Ok(([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response())
}

#[derive(Default)]
struct Figures {
    open_jobs: u64,
    queued: u64,
    running: u64,
    slots: Vec<(String, u64)>,
    racks: Vec<(String, u64)>,
}

fn figures(farm: &headend_scheduler::Farm) -> Figures {
    let mut figures = Figures::default();
    for job in farm.open_jobs() {
        figures.open_jobs += 1;
        figures.queued += u64::from(job.queued);
        figures.running += job.running.len() as u64;
    }
    for rack in farm.racks() {
        let mut states = std::collections::BTreeMap::<&str, u64>::new();
        for slot in &rack.slots {
            *states.entry(state_name(&slot.state)).or_default() += 1;
        }
        // Names of racks hold nothing that would need an escape here.
        let of = |state: &str| format!("rack=\"{}\",state=\"{state}\"", rack.name);
        figures.slots.extend(states.into_iter().map(|(state, count)| (of(state), count)));
        figures.racks.push((format!("rack=\"{}\"", rack.name), u64::from(rack.online)));
    }
    figures
}

fn state_name(state: &SlotState) -> &'static str {
    match state {
        SlotState::Free => "free",
        SlotState::Leased { .. } => "leased",
        SlotState::Held { .. } => "held",
        SlotState::Offered { .. } => "offered",
        SlotState::Cooling { .. } => "cooling",
        SlotState::Reserved(_) => "reserved",
        SlotState::Quarantined => "quarantined",
        SlotState::Out { .. } => "out",
    }
}

fn metric(text: &mut String, name: &str, kind: &str, help: &str, values: &[(String, u64)]) {
    // Writing to a string cannot fail.
    let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
    for (labels, value) in values {
        let _ = if labels.is_empty() {
            writeln!(text, "{name} {value}")
        } else {
            writeln!(text, "{name}{{{labels}}} {value}")
        };
    }
}

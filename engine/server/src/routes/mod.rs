//! The resources, each route in the group that says whom it serves.

pub(crate) mod analysers;
mod artifacts;
mod blobs;
mod describe;
pub(crate) mod duts;
mod eta;
mod events;
pub(crate) mod exchange;
mod files;
mod files_diff;
mod info;
mod inventory;
pub(crate) mod jobs;
pub(crate) mod logs;
mod pack;
mod plugins;
mod plugins_life;
mod plugins_trials;
pub(crate) mod racks;
mod report;
mod reservations;
mod results;
mod retention;
mod schedules;
mod sessions;
mod tokens;
mod turns;
mod uploads;
mod why;
mod why_not;

use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use http::header::CONTENT_TYPE;
use tower_http::catch_panic::CatchPanicLayer;
use utoipa::OpenApi;
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouter};
use utoipa_axum::routes;

use crate::app::Shared;
use crate::auth::gate;
use crate::http::{guard, headers, problem};

use describe::{NEWCOMER, PERSON, RACK, behind};

#[derive(OpenApi)]
#[openapi(
    info(title = "Headend", description = "Remote job dispatcher and plugin host for device labs.", version = "1"),
    components(schemas(headend_wire::Problem)),
    tags((name = "jobs"), (name = "schedules"), (name = "files"), (name = "racks"), (name = "duts"), (name = "plugins"), (name = "events"),
        (name = "runs"), (name = "results"), (name = "server"))
)]
struct Document;

/// People with a token.
fn for_people() -> OpenApiRouter<Shared> {
    let routes = OpenApiRouter::new()
        .routes(routes!(jobs::submit, jobs::list))
        .routes(routes!(jobs::detail))
        .routes(routes!(jobs::runs))
        .routes(routes!(jobs::kill))
        .routes(routes!(why::why))
        .routes(routes!(report::report))
        .routes(routes!(why_not::why_not))
        .routes(routes!(why_not::change))
        .routes(routes!(eta::eta))
        .routes(routes!(schedules::list, schedules::create))
        .routes(routes!(schedules::detail, schedules::change, schedules::delete))
        .routes(routes!(schedules::modify))
        .routes(routes!(schedules::add_slot, schedules::remove_slot))
        .routes(routes!(schedules::add_dut, schedules::remove_dut))
        .routes(routes!(schedules::add_test))
        .routes(scheduled_tests())
        .routes(routes!(schedules::coming))
        .routes(routes!(schedules::past))
        .routes(routes!(files::list))
        .routes(routes!(files::usage))
        .routes(routes!(files::missing))
        .routes(routes!(files::commit))
        .routes(routes!(files::convert))
        .routes(routes!(files::history))
        .routes(routes!(files_diff::diff))
        .routes(routes!(blobs::put))
        .routes(routes!(blobs::pack))
        .routes(routes!(uploads::progress, uploads::append))
        .routes(routes!(racks::list))
        .routes(routes!(reservations::list, reservations::reserve))
        .routes(routes!(reservations::extend))
        .routes(routes!(reservations::release))
        .routes(routes!(sessions::open))
        .routes(routes!(duts::list))
        .routes(routes!(inventory::get))
        .routes(routes!(plugins::list))
        .routes(routes!(plugins_life::detail))
        .routes(routes!(plugins_life::grants))
        .routes(routes!(plugins::queue))
        .routes(routes!(plugins::load))
        .routes(routes!(events::watch))
        .routes(routes!(artifacts::list))
        .routes(routes!(artifacts::get))
        .routes(routes!(results::runs))
        .routes(routes!(results::steps))
        .routes(routes!(results::measurements))
        .routes(routes!(results::artifacts))
        .routes(routes!(retention::pin, retention::unpin))
        .routes(routes!(retention::pins))
        .routes(routes!(info::server))
        .routes(routes!(tokens::list))
        .routes(routes!(tokens::revoke))
        .route_layer(from_fn(gate::people));
    behind(&[PERSON], routes)
}

/// As `schedules` describes them; changes take turns.
fn scheduled_tests() -> UtoipaMethodRouter<Shared> {
    let (schemas, paths, _) = routes!(schedules::change_test, schedules::delete_test);
    (schemas, paths, axum::routing::patch(turns::change_test).delete(schedules::delete_test))
}

/// Administrators.
fn for_admins() -> OpenApiRouter<Shared> {
    let routes = OpenApiRouter::new()
        .routes(routes!(eta::load))
        .routes(routes!(retention::retention))
        .routes(routes!(racks::drain))
        .routes(routes!(racks::clear))
        .routes(routes!(racks::token))
        .routes(routes!(reservations::kick))
        .routes(routes!(duts::create))
        .routes(routes!(inventory::apply))
        .routes(routes!(duts::place))
        .routes(routes!(plugins_life::install))
        .routes(routes!(plugins_life::verify))
        .routes(routes!(plugins_life::roll_back))
        .routes(routes!(plugins_life::set_parameters))
        .routes(routes!(plugins_life::remove))
        .routes(routes!(plugins_life::grant))
        .routes(routes!(plugins_life::revoke))
        .routes(routes!(plugins::reload))
        .routes(routes!(plugins::disable))
        .routes(routes!(plugins::enable))
        .routes(routes!(plugins::use_queue))
        .routes(routes!(plugins_trials::shadows, plugins_trials::begin_shadow))
        .routes(routes!(plugins_trials::shadow))
        .routes(routes!(plugins_trials::stop_shadow))
        .routes(routes!(plugins_trials::canaries, plugins_trials::begin_canary))
        .routes(routes!(plugins_trials::canary))
        .routes(routes!(plugins_trials::stop_canary))
        .routes(routes!(plugins_trials::promote))
        .routes(routes!(tokens::make))
        .route_layer(from_fn(gate::admins));
    behind(&[PERSON], routes)
}

/// Racks.
fn for_racks() -> OpenApiRouter<Shared> {
    let routes = OpenApiRouter::new()
        .routes(routes!(exchange::exchange))
        .routes(routes!(analysers::get))
        .routes(routes!(sessions::take))
        .routes(routes!(artifacts::put))
        .route_layer(from_fn(gate::racks));
    behind(&[RACK], routes)
}

/// People and racks.
fn for_both() -> OpenApiRouter<Shared> {
    let routes = OpenApiRouter::new()
        .routes(routes!(blobs::get))
        .routes(routes!(blobs::tree))
        .route_layer(from_fn(gate::anybody));
    behind(&[PERSON, RACK], routes)
}

/// Whoever holds a one-use token; the handler looks at it.
fn for_newcomers() -> OpenApiRouter<Shared> {
    behind(&[NEWCOMER], OpenApiRouter::new().routes(routes!(racks::enrol)))
}

/// What tells only that the server is there, and what it counts (behind the gate).
fn top() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(info::healthz))
        .routes(routes!(info::readyz))
        .routes(routes!(info::version))
        .merge(behind(&[PERSON], OpenApiRouter::new().routes(routes!(info::metrics))))
}

fn described() -> OpenApiRouter<Shared> {
    let api = for_people().merge(for_admins()).merge(for_racks()).merge(for_both()).merge(for_newcomers());
    OpenApiRouter::with_openapi(Document::openapi()).merge(top()).nest("/api/v1", api)
}

/// The routes and their description.
fn split() -> (Router<Shared>, serde_json::Value) {
    let (routes, api) = described().split_for_parts();
    (routes, describe::document(&api))
}

/// The description of all routes, OpenAPI 3.1, as committed in `openapi.json`.
pub fn openapi_json() -> String {
    let (_, api) = split();
    format!("{api:#}\n")
}

/// All routes with all that stands before them.
pub(crate) fn router(app: Shared) -> Router {
    let (routes, api) = split();
    let description: Arc<str> = api.to_string().into();
    let describe = move || {
        let description = description.clone();
        async move { ([(CONTENT_TYPE, "application/json")], description.to_string()).into_response() }
    };
    routes
        .route("/api/openapi.json", axum::routing::get(describe).route_layer(from_fn(gate::people)))
        .route("/", axum::routing::post(crate::remote::serve).route_layer(from_fn(gate::people)))
        // Where XML-RPC libraries go when the address has no path.
        .route("/RPC2", axum::routing::post(crate::remote::serve).route_layer(from_fn(gate::people)))
        .route("/logs/{*path}", axum::routing::get(logs::open).route_layer(from_fn(gate::people)))
        .fallback(problem::no_route)
        // From the last to the first that sees a request.
        .layer(DefaultBodyLimit::disable())
        .layer(from_fn_with_state(app.clone(), gate::authenticate))
        .layer(from_fn_with_state(app.clone(), guard::check))
        .layer(CatchPanicLayer::custom(headers::after_panic))
        .layer(from_fn(problem::never_plain))
        .layer(from_fn(headers::on_every_answer))
        .layer(from_fn_with_state(app.clone(), count))
        .with_state(app)
}

async fn count(State(app): State<Shared>, request: Request, next: Next) -> Response {
    let response = next.run(request).await;
    app.counters.requests.fetch_add(1, Ordering::Relaxed);
    if response.status().is_server_error() {
        app.counters.failures.fetch_add(1, Ordering::Relaxed);
    }
    response
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_committed_description_is_the_one_of_the_code() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/openapi.json");
        let now = super::openapi_json();
        if std::env::var_os("HEADEND_RENEW").is_some() {
            std::fs::write(path, &now).unwrap();
        }
        let committed = std::fs::read_to_string(path).unwrap_or_default();
        assert!(
            committed == now,
            "openapi.json is not what the code says; renew it with `HEADEND_RENEW=1 cargo test -p headend-server --lib`"
        );
    }
}

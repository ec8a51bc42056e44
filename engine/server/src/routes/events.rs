//! The feed as server-sent events, with a cursor that survives lost connections.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Query, State};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures::Stream;
use headend_wire::Problem;
use headend_wire::api::EventItem;
use headend_wire::codes;
use http::{HeaderMap, HeaderName, HeaderValue};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

use crate::app::Shared;
use crate::auth::Person;
use crate::edge::ids;
use crate::events::item_of;
use crate::http::{ApiError, ApiResult};

/// Items read from the store at once.
const PAGE: u32 = 200;
/// A comment this often tells both sides that the connection lives.
const PING: Duration = Duration::from_secs(15);

/// Where to begin.
#[derive(Debug, Default, serde::Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct EventQuery {
    /// Items after this number; 0: from the oldest that is kept. Without it, and without `Last-Event-ID`: only what happens from now on.
    after: Option<u64>,
    /// Only items about this job.
    job: Option<u64>,
}

/// What happens, as it happens. `id:` is the item's number; resume with `Last-Event-ID` or `?after=`.
#[utoipa::path(get, path = "/events", operation_id = "watch_events", tag = "events", params(EventQuery,
    ("Last-Event-ID" = Option<u64>, Header, description = "The last number that was seen.")),
    responses((status = 200, body = EventItem, content_type = "text/event-stream"), (status = "4XX", body = Problem)))]
pub(crate) async fn watch(
    State(app): State<Shared>,
    person: Person,
    headers: HeaderMap,
    Query(query): Query<EventQuery>,
) -> ApiResult<Response> {
    // Listen before looking: nothing falls between the stored and the live items.
    let live = app.tell.bus.watch();
    let asked = last_event_id(&headers)?.or(query.after);
    let after = asked.map_or_else(|| app.tell.bus.last(), |number| number.min(ids::LARGEST));
    let watcher = Watcher { app, person, job: query.job, after, live, stored: VecDeque::new(), behind: true };
    let stream = Sse::new(watcher.into_stream()).keep_alive(KeepAlive::new().interval(PING));
    let no_buffering = (HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    Ok(([no_buffering], stream).into_response())
}

fn last_event_id(headers: &HeaderMap) -> ApiResult<Option<u64>> {
    let Some(value) = headers.get("last-event-id") else { return Ok(None) };
    let number = value.to_str().ok().and_then(|text| text.trim().parse().ok());
    number.map(Some).ok_or_else(|| ApiError::new(&codes::BAD_REQUEST, "Last-Event-ID is no number"))
}

/// One client. Holds at most a page of items: a slow reader costs no more, it is served from the store.
struct Watcher {
    app: Shared,
    person: Person,
    job: Option<u64>,
    after: u64,
    live: Receiver<Arc<EventItem>>,
    stored: VecDeque<EventItem>,
    /// There may be items in the store that were not sent.
    behind: bool,
}

impl Watcher {
    fn into_stream(self) -> impl Stream<Item = Result<Event, Infallible>> {
        let first = Event::default().retry(Duration::from_secs(1)).comment("headend");
        futures::stream::unfold((self, Some(first)), |(mut watcher, first)| async move {
            if let Some(first) = first {
                return Some((Ok(first), (watcher, None)));
            }
            let item = watcher.next().await?;
            let mut event = Event::default().event(&item.kind);
            if item.number > 0 {
                event = event.id(item.number.to_string());
            }
            // A feed item is plain data and always serialises.
            let event = event.json_data(&item).unwrap_or_default();
            Some((Ok(event), (watcher, None)))
        })
    }

    async fn next(&mut self) -> Option<EventItem> {
        loop {
            if let Some(item) = self.stored.pop_front() {
                self.after = item.number;
                if self.shows(&item) {
                    return Some(item);
                }
            } else if self.behind {
                self.catch_up().await?;
            } else if let Some(item) = self.next_live().await? {
                return Some(item);
            }
        }
    }

    /// Reads a page from the store. `None` when it fails: the client comes again with its cursor.
    async fn catch_up(&mut self) -> Option<()> {
        let rows = self.app.store.feed_after(self.after, PAGE).await.ok()?;
        self.behind = rows.len() as u32 == PAGE;
        self.stored = rows.into_iter().map(item_of).collect();
        Some(())
    }

    /// The next live item, if it is new and shown. The outer `None` ends the stream.
    async fn next_live(&mut self) -> Option<Option<EventItem>> {
        let received = tokio::select! {
            received = self.live.recv() => received,
            () = self.app.stop.cancelled() => return None,
        };
        match received {
            Ok(item) if item.number == 0 => Some(self.shows_note(&item).await.then(|| (*item).clone())),
            Ok(item) if item.number <= self.after => Some(None),
            // A gap: something was sent while we read the store. It is there.
            Ok(item) if item.number > self.after + 1 => {
                self.behind = true;
                Some(None)
            }
            Ok(item) => {
                self.after = item.number;
                Some(self.shows(&item).then(|| (*item).clone()))
            }
            Err(RecvError::Lagged(_)) => {
                self.behind = true;
                Some(None)
            }
            Err(RecvError::Closed) => None,
        }
    }

    /// What is about somebody else's job or files is not shown.
    fn shows(&self, item: &EventItem) -> bool {
        let wanted = self.job.is_none_or(|job| item.job == Some(job));
        let owner = item.data.get("owner").and_then(serde_json::Value::as_str);
        let own = owner.map_or(item.job.is_none(), |owner| owner == self.person.user.as_str());
        wanted && (self.person.admin || own)
    }

    /// Notes of runs carry no owner; they are looked up.
    async fn shows_note(&self, item: &EventItem) -> bool {
        let run = item.run;
        let found = self.app.farm.read(move |view| super::artifacts::live_run(view.farm, run.unwrap_or(0))).await;
        let Ok(Some(live)) = found else { return false };
        self.job.is_none_or(|job| job == live.job.0) && self.person.may_see(&live.owner)
    }
}

//! The server's events (SSE), resumed where they broke off. They wake; what is true is asked for.

use std::time::Duration;

use futures::StreamExt;
use futures::stream::BoxStream;
use headend_wire::api::EventItem;
use reqwest::Method;

use crate::client::Client;
use crate::failure::Result;

/// Wait before a broken stream is opened again.
const REOPEN: Duration = Duration::from_secs(1);
/// Longest event that is kept.
const EVENT_LIMIT: usize = 1 << 20;

/// A stream of events that opens itself again.
pub(crate) struct Events {
    client: Client,
    /// `None`: of the whole lab.
    job: Option<u64>,
    after: Option<u64>,
    open: Option<Open>,
}

struct Open {
    chunks: BoxStream<'static, reqwest::Result<Vec<u8>>>,
    parser: Parser,
    ready: std::collections::VecDeque<EventItem>,
}

impl Events {
    /// Events about a job after the given number; the newest only when there is none.
    pub(crate) const fn new(client: Client, job: u64, after: Option<u64>) -> Self {
        Self { client, job: Some(job), after, open: None }
    }

    /// All that the user may see, after the given number.
    #[cfg(feature = "host")]
    pub(crate) const fn of_the_lab(client: Client, after: u64) -> Self {
        Self { client, job: None, after: Some(after), open: None }
    }

    /// The next event. Waits as long as it takes; a server that is away is tried again.
    ///
    /// Safe to drop while waiting: no event is lost.
    pub(crate) async fn next(&mut self) -> EventItem {
        loop {
            if let Ok(Some(event)) = self.try_next().await {
                self.after = Some(event.number);
                return event;
            }
            self.open = None;
            tokio::time::sleep(REOPEN).await;
        }
    }

    /// The next event, or `None` when the stream has ended.
    async fn try_next(&mut self) -> Result<Option<EventItem>> {
        if self.open.is_none() {
            self.open = Some(self.reopen().await?);
        }
        let Some(open) = &mut self.open else { return Ok(None) };
        loop {
            if let Some(event) = open.ready.pop_front() {
                return Ok(Some(event));
            }
            match open.chunks.next().await {
                Some(Ok(chunk)) => open.ready.extend(open.parser.take(&chunk)),
                Some(Err(_)) | None => return Ok(None),
            }
        }
    }

    async fn reopen(&self) -> Result<Open> {
        let path = self.job.map_or_else(|| "/events".to_owned(), |job| format!("/events?job={job}"));
        let mut request = self.client.request(Method::GET, &path).header("accept", "text/event-stream");
        if let Some(after) = self.after {
            request = request.header("last-event-id", after.to_string());
        }
        let response = self.client.send(request).await?;
        let chunks = response.bytes_stream().map(|chunk| chunk.map(|bytes| bytes.to_vec())).boxed();
        Ok(Open { chunks, parser: Parser::default(), ready: std::collections::VecDeque::new() })
    }
}

/// Cuts a byte stream into events.
#[derive(Default)]
struct Parser {
    line: Vec<u8>,
    data: String,
}

impl Parser {
    fn take(&mut self, bytes: &[u8]) -> Vec<EventItem> {
        let mut events = Vec::new();
        for byte in bytes {
            if *byte == b'\n' {
                let line = std::mem::take(&mut self.line);
                events.extend(self.take_line(&String::from_utf8_lossy(&line)));
            } else if self.line.len() < EVENT_LIMIT {
                self.line.push(*byte);
            }
        }
        events
    }

    /// An empty line ends an event; comments and events of other shapes are passed over.
    fn take_line(&mut self, line: &str) -> Option<EventItem> {
        let line = line.strip_suffix('\r').unwrap_or(line);
        if line.is_empty() {
            return serde_json::from_str(&std::mem::take(&mut self.data)).ok();
        }
        if let Some(data) = line.strip_prefix("data:")
            && self.data.len() < EVENT_LIMIT
        {
            self.data.push_str(data.strip_prefix(' ').unwrap_or(data));
            self.data.push('\n');
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_come_out_whole_however_they_are_cut() {
        let text = ": hello\r\nretry: 1000\r\n\r\nid: 7\r\ndata: {\"number\":7,\"at\":\"\",\"kind\":\"note\",\r\ndata: \"job\":3,\"run\":null,\"text\":\"x\",\"data\":null}\r\n\r\ndata: not json\n\n";
        for size in [1, 2, 7, text.len()] {
            let mut parser = Parser::default();
            let events: Vec<_> = text.as_bytes().chunks(size).flat_map(|chunk| parser.take(chunk)).collect();
            assert_eq!(events.iter().map(|e| (e.number, e.job)).collect::<Vec<_>>(), [(7, Some(3))], "cut to {size}");
        }
    }
}

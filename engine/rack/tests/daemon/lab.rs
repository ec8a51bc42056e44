//! A server, a data folder, and lives of a rack's daemon on it.

use std::path::PathBuf;

use headend_rack::options::GuestProgram;
use headend_rack::{Rack, RackHandle, RackOptions};
use serde_json::Value;

use crate::server::FakeServer;

pub(crate) struct Lab {
    pub server: FakeServer,
    pub folder: tempfile::TempDir,
}

impl Lab {
    pub(crate) async fn new() -> Self {
        Self { server: FakeServer::start().await, folder: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn witness(&self) -> PathBuf {
        self.folder.path().join("witness.jsonl")
    }

    pub(crate) fn options(&self) -> RackOptions {
        let mut options =
            RackOptions::new(&self.server.url, "rack1", self.folder.path().join("rack"), 4).virtual_time(true);
        options.enrol_token = Some("once".into());
        options.witness = Some(self.witness());
        options.max_guests = 2;
        options.guest = guest();
        options
    }

    /// A daemon that the server knows.
    pub(crate) async fn rack(&self) -> RackHandle {
        let rack = Rack::start(self.options()).await.unwrap();
        assert!(rack.ready().await);
        rack
    }

    /// What the witness saw, as (what, run).
    pub(crate) fn seen(&self) -> Vec<(String, u64)> {
        let text = std::fs::read_to_string(self.witness()).unwrap_or_default();
        let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        lines.map(|line| (line["what"].as_str().unwrap().to_owned(), line["run"].as_u64().unwrap())).collect()
    }

    pub(crate) fn count(&self, what: &str, run: u64) -> usize {
        self.seen().iter().filter(|(seen, of)| seen == what && *of == run).count()
    }
}

/// This test binary, started again as a guest.
pub(crate) fn guest() -> GuestProgram {
    let args = ["--exact", "guest_process", "--nocapture"].map(str::to_owned).to_vec();
    GuestProgram { program: std::env::current_exe().unwrap(), args }
}

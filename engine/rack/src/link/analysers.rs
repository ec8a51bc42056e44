//! Analysers that the server hands out.

use std::time::Duration;

use headend_wire::plugins::AnalyserAnswer;
use reqwest::StatusCode;
use tokio::runtime::Handle;

use super::Client;
use super::client::LinkError;
use crate::served::{HandsOut, NotHanded};

/// For an answer without code this is long, for one with 32 MiB of it short enough.
const PATIENCE: Duration = Duration::from_secs(20);

/// Asks `GET /api/v1/racks/analysers/{name}`, from threads that may block.
#[derive(Debug)]
pub(crate) struct ServerAnalysers {
    client: Client,
    runtime: Handle,
}

impl ServerAnalysers {
    /// To be made within the runtime that carries the client.
    pub(crate) fn new(client: Client) -> Self {
        Self { client, runtime: Handle::current() }
    }
}

impl HandsOut for ServerAnalysers {
    fn analyser(&self, name: &str, have: Option<&str>) -> Result<Option<AnalyserAnswer>, NotHanded> {
        match self.runtime.block_on(self.client.analyser(name, have, PATIENCE)) {
            Ok(answer) => Ok(Some(answer)),
            Err(LinkError::Refused { status: StatusCode::NOT_FOUND, .. }) => Ok(None),
            Err(LinkError::Refused { status: StatusCode::CONFLICT, text }) => Err(NotHanded::Refused(text)),
            Err(error) => Err(NotHanded::Away(crate::core::chain(&error))),
        }
    }
}

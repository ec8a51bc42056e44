//! A job as `headend status --json` gives it, cut down to what the demo looks at.

use serde_json::Value;

use crate::shell::{Context, Result};

/// A job and its runs.
pub(crate) struct Job {
    /// In lease order, those that never started last.
    pub(crate) runs: Vec<Run>,
    /// How it ended, in words.
    pub(crate) status: String,
}

/// A run on one box.
#[derive(Clone)]
pub(crate) struct Run {
    pub(crate) id: u64,
    /// Position of its test in the job.
    pub(crate) test: usize,
    /// Number of its slot; 0 if it never started.
    pub(crate) slot: u16,
    /// `TM` code; 111 is PASS.
    pub(crate) result: u64,
    pub(crate) comment: String,
    started: String,
}

impl Job {
    pub(crate) fn read(detail: &Value) -> Result<Self> {
        let list = detail["run_list"].as_array().context("`headend status` gave no runs")?;
        let mut runs = list
            .iter()
            .map(Run::read)
            .collect::<Option<Vec<_>>>()
            .context("`headend status` gave a run of another shape")?;
        // The list comes in lease order, which a stable sort by time keeps within the same microsecond.
        runs.sort_by(|a, b| (a.started.is_empty(), &a.started).cmp(&(b.started.is_empty(), &b.started)));
        Ok(Self { runs, status: detail["status_text"].as_str().unwrap_or("?").to_owned() })
    }

    /// Runs that were started, in order.
    pub(crate) fn starts(&self) -> impl Iterator<Item = &Run> {
        self.runs.iter().filter(|run| run.slot > 0)
    }
}

impl Run {
    fn read(run: &Value) -> Option<Self> {
        Some(Self {
            id: run["run"].as_u64()?,
            test: run["test"].as_u64()? as usize,
            slot: run["slots"].as_array()?.first().and_then(|slot| slot["slot"].as_u64()).unwrap_or(0) as u16,
            result: run["result"].as_u64()?,
            comment: run["comment"].as_str()?.to_owned(),
            started: run["started"].as_str().unwrap_or_default().to_owned(),
        })
    }

    #[cfg(test)]
    pub(crate) fn new(id: u64, test: usize, slot: u16, result: u64) -> Self {
        Self { id, test, slot, result, comment: String::new(), started: format!("{id:09}") }
    }
}

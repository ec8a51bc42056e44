//! What coverage policies say has come of their plans.

use headend_model::{JobId, Timestamp};
use headend_scheduler::action::PolicyReport;

use crate::codec::{Columns, Values};
use crate::error::StoreError;
use crate::store::Store;

/// What a policy says has come of its plan. One for each group of a job's tests at most.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReportRow {
    /// Which job
    pub job: JobId,
    /// and which group of its tests.
    pub group: u32,
    /// Whose word it is.
    pub policy: String,
    /// JSON text; or why there is none, for people.
    pub report: Result<String, String>,
    /// When it was told.
    pub at: Timestamp,
}

impl ReportRow {
    /// To be kept.
    pub fn of(report: &PolicyReport, at: Timestamp) -> Self {
        let PolicyReport { job, group, policy, report } = report;
        Self { job: *job, group: *group, policy: policy.to_string(), report: report.clone(), at }
    }
}

/// The last word counts: a server that was killed before it was durable asks again.
pub(crate) const INSERT: &str = "INSERT INTO reports (job, grp, policy, report, fault, at) VALUES ($1, $2, $3, $4, $5, $6) \
                                 ON CONFLICT (job, grp) DO UPDATE SET policy = excluded.policy, report = excluded.report, \
                                 fault = excluded.fault, at = excluded.at";

pub(crate) fn bind(values: &mut Values, row: &ReportRow) {
    values.number(row.job.0).number(u64::from(row.group)).text(&row.policy);
    let (report, fault) = (row.report.as_ref().ok(), row.report.as_ref().err());
    values.maybe_text(report.map(String::as_str)).maybe_text(fault.map(String::as_str)).time(row.at);
}

fn read(row: &Columns<'_>) -> Result<ReportRow, StoreError> {
    let fault = row.maybe_text("fault")?;
    Ok(ReportRow {
        job: JobId(row.number("job")?),
        group: row.number("grp")?,
        policy: row.text("policy")?,
        report: row.maybe_text("report")?.ok_or(fault.unwrap_or_default()),
        at: row.time("at")?,
    })
}

impl Store {
    /// The reports of a job, by group.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] or a failure of the database.
    pub async fn reports(&self, job: JobId) -> Result<Vec<ReportRow>, StoreError> {
        let mut values = Values::default();
        values.number(job.0.min(i64::MAX as u64));
        self.reader().rows("SELECT * FROM reports WHERE job = $1 ORDER BY grp", values, read).await
    }
}

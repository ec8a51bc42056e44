//! What has come of a job, in the words of its coverage policies.

use axum::extract::{Path, State};
use headend_model::JobId;
use headend_store::ReportRow;
use headend_wire::Problem;
use headend_wire::api::{JobReport, PolicyReport};
use serde_json::Value;

use super::jobs::visible;
use crate::app::Shared;
use crate::auth::Person;
use crate::clock::rfc3339;
use crate::http::ApiResult;

/// What the coverage policies of a job say has come of it. Made once, when the runs that a policy ordered have all ended.
#[utoipa::path(get, path = "/jobs/{job}/report", operation_id = "report_job", tag = "jobs", params(("job" = u64, Path,)),
    responses((status = 200, body = JobReport), (status = "4XX", body = Problem)))]
pub(crate) async fn report(
    State(app): State<Shared>,
    person: Person,
    Path(job): Path<u64>,
) -> ApiResult<axum::Json<JobReport>> {
    visible(&app, &person, JobId(job)).await?;
    let reports = app.store.reports(JobId(job)).await?.into_iter().map(shown).collect();
    Ok(axum::Json(JobReport { job, reports }))
}

fn shown(row: ReportRow) -> PolicyReport {
    let (report, fault) = match row.report {
        // It was looked at before it was kept; text that is no JSON would still be shown as text.
        Ok(text) => (serde_json::from_str(&text).unwrap_or(Value::String(text)), None),
        Err(fault) => (Value::Null, Some(fault)),
    };
    PolicyReport { group: row.group, policy: row.policy, report, fault, at: rfc3339(row.at) }
}

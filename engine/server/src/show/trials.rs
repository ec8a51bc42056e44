//! Canaries in words.

use headend_model::{JobId, PolicyName};
use headend_scheduler::Farm;
use headend_scheduler::farm::{CanaryView, JobOnTrial};
use headend_scheduler::trials::{Arm, CanaryState};
use headend_wire::trials::{ArmItem, CanaryItem, CanaryTerms, WhyCanary};
use serde_json::{Value, json};

use crate::clock::rfc3339;

/// A change, as the feed tells it.
pub(crate) fn change(farm: &Farm, policy: &PolicyName) -> Option<(String, Value)> {
    let view = farm.canary(policy)?;
    let data = json!({
        "policy": policy.as_str(), "beside": view.request.beside.as_str(), "state": view.state.as_str(),
        "reason": reason(&view),
    });
    Some((text(&view), data))
}

/// How it stands, in one sentence.
pub(crate) fn text(view: &CanaryView<'_>) -> String {
    let (request, share) = (view.request, view.request.terms.share);
    let about = format!("canary {} beside {}", request.policy, request.beside);
    match view.state {
        CanaryState::Running => format!("{about} gets {share} of the new jobs until {}", rfc3339(view.until)),
        CanaryState::Passed => {
            format!("{about} has passed; `headend plugin promote {}` puts it into force", request.policy)
        }
        CanaryState::Unproven => {
            let (ended, wanted) = (view.own.ended, request.terms.min_runs);
            format!("{about} is over and proves nothing: {ended} of its runs have ended, {wanted} were wanted")
        }
        CanaryState::Broken(breach) => format!("{about} was broken off: {breach}"),
        CanaryState::Stopped { by } => format!("{about} was stopped by {by}"),
        CanaryState::Promoted { by } if request.plugin == request.beside => {
            format!("{about} was promoted by {by}")
        }
        CanaryState::Promoted { by } => {
            format!("{about} was promoted by {by}: it serves all new jobs that name {}", request.beside)
        }
    }
}

fn reason(view: &CanaryView<'_>) -> Option<String> {
    match view.state {
        CanaryState::Broken(breach) => Some(breach.to_string()),
        CanaryState::Stopped { by } => Some(format!("stopped by {by}")),
        _ => None,
    }
}

/// A canary.
pub(crate) fn item(view: &CanaryView<'_>) -> CanaryItem {
    let request = view.request;
    CanaryItem {
        policy: request.policy.to_string(),
        plugin: request.plugin.to_string(),
        hash: request.hash.clone(),
        beside: request.beside.to_string(),
        by: request.by.to_string(),
        state: view.state.as_str().to_owned(),
        reason: reason(view),
        text: text(view),
        began: rfc3339(view.began),
        until: rfc3339(view.until),
        since: rfc3339(view.since),
        terms: CanaryTerms {
            share_permille: request.terms.share.0,
            length_s: request.terms.length.as_millis().max(0) as u64 / 1_000,
            max_faults: request.terms.max_faults,
            max_incomplete_permille: request.terms.max_incomplete.map(|most| most.0),
            max_wait_percent: request.terms.max_wait_ratio,
            min_runs: request.terms.min_runs,
        },
        own: arm(view.own),
        others: arm(view.others),
        jobs: view.jobs.iter().map(|job| job.0).collect(),
    }
}

fn arm(arm: &Arm) -> ArmItem {
    ArmItem {
        jobs: arm.jobs,
        started: arm.started,
        ended: arm.ended,
        incomplete: arm.incomplete,
        faults: arm.faults,
        last_fault: Some(arm.last_fault.clone()).filter(|fault| !fault.is_empty()),
        declined: arm.declined,
        median_wait_ms: arm.waits.median().map(|wait| wait.as_millis().max(0) as u64),
    }
}

/// What a job has to do with canaries: only what has changed who serves it.
pub(crate) fn of_job(farm: &Farm, job: JobId) -> Vec<WhyCanary> {
    let served = farm.trials_of(job).into_iter().filter(|trial| trial.served);
    let told = served.map(|JobOnTrial { policy, beside, left, .. }| {
        let text = match &left {
            None => format!("canary {policy} serves it in place of {beside}"),
            Some((at, reason)) => format!("{beside} serves it since {} in place of {policy}: {reason}", rfc3339(*at)),
        };
        WhyCanary { policy: policy.to_string(), beside: beside.to_string(), serves: left.is_none(), text }
    });
    told.collect()
}

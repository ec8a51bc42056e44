//! What a schedule asks of policies. Its jobs hand it on to the policies that their tests name.

use std::collections::BTreeMap;

use headend_model::{Mode, PolicyName, ScheduleId};
use serde_json::{Map, Value};

use super::look;
use crate::app::Shared;
use crate::auth::Person;
use crate::edge::submit;
use crate::http::ApiResult;

/// Parameters by the policy's name, each checked against the plugin's schema.
///
/// # Errors
/// `invalid` for what is no object or for a policy that is not installed; `bad_parameters`.
pub(super) fn checked(app: &Shared, given: &Map<String, Value>) -> ApiResult<BTreeMap<PolicyName, String>> {
    let installed = app.plugins.coverage_policies();
    let parameters = submit::parameters(given, |policy| {
        let unknown = || "are for nobody: no coverage policy of that name is installed".to_owned();
        if installed.contains(policy) { Ok(()) } else { Err(unknown()) }
    })?;
    app.plugins.check_parameters(std::iter::empty(), &parameters)?;
    Ok(parameters)
}

/// What the schedule has with these in place: `null` takes a policy's away, policies that are not named keep theirs.
///
/// # Errors
/// As [`checked`]; `bad_parameters` also when a test on the schedule cannot do without what is taken away.
pub(super) async fn merged(
    app: &Shared,
    person: &Person,
    id: ScheduleId,
    asked: &Map<String, Value>,
) -> ApiResult<BTreeMap<PolicyName, String>> {
    let given: Map<String, Value> =
        asked.iter().filter(|(_, value)| !value.is_null()).map(|(name, value)| (name.clone(), value.clone())).collect();
    let given = checked(app, &given)?;
    let (mut all, modes) = of(app, person, id).await?;
    all.retain(|name, _| !asked.contains_key(name.as_str()));
    all.extend(given);
    // A policy whose plugin has gone since keeps what it was asked for: it may come back.
    app.plugins.check_parameters(modes.iter(), &all)?;
    Ok(all)
}

/// Whether the policy of a test that comes onto the schedule takes what the schedule asks of it.
///
/// # Errors
/// `bad_parameters`.
pub(super) async fn check_test(app: &Shared, person: &Person, id: ScheduleId, mode: &Mode) -> ApiResult<()> {
    let Mode::Policy(policy) = mode else { return Ok(()) };
    let (mut all, _) = of(app, person, id).await?;
    all.retain(|name, _| name == policy);
    app.plugins.check_parameters(std::iter::once(mode), &all)
}

/// What a schedule asks, and the modes of its tests.
async fn of(app: &Shared, person: &Person, id: ScheduleId) -> ApiResult<(BTreeMap<PolicyName, String>, Vec<Mode>)> {
    look(app, person, id, |view, found| {
        let tests = view.farm.schedule_tests(found.schedule).unwrap_or_default();
        (found.policy_parameters.clone(), tests.iter().map(|test| test.spec.test.mode.clone()).collect())
    })
    .await
}

//! What jobs and schedules ask of their policies, checked before anything is stored.

use std::collections::{BTreeMap, BTreeSet};

use headend_model::{Mode, PolicyName};
use headend_plugin_host::PolicyHost;
use headend_plugin_host::manifest::ParameterError;
use headend_wire::codes;

use super::plugins::Plugins;
use crate::http::{ApiError, ApiResult};

impl Plugins {
    /// Whether the policies of these tests take what is asked of them; `asked`: per policy, JSON text of an object.
    ///
    /// The version in force is asked. The one that serves the job is asked again when it is built: it may be another one by then.
    ///
    /// # Errors
    /// `bad_parameters` with the parameter, its value, and what the plugin's schema wants.
    pub(crate) fn check_parameters<'a>(
        &self,
        modes: impl Iterator<Item = &'a Mode>,
        asked: &BTreeMap<PolicyName, String>,
    ) -> ApiResult<()> {
        let named = modes.filter_map(|mode| if let Mode::Policy(name) = mode { Some(name) } else { None });
        let all: BTreeSet<&PolicyName> = named.chain(asked.keys()).collect();
        all.into_iter().try_for_each(|policy| check(&self.host, policy, asked.get(policy)))
    }
}

fn check(host: &PolicyHost, policy: &PolicyName, asked: Option<&String>) -> ApiResult<()> {
    host.check_parameters(policy, asked.map_or("", String::as_str)).map_err(|error| told(policy, &error))
}

fn told(policy: &PolicyName, error: &ParameterError) -> ApiError {
    let ParameterError { pointer, what } = error;
    let detail = match pointer.strip_prefix('/') {
        Some(name) => format!("parameter {name:?} of {policy} {what}"),
        None => format!("what is asked of {policy} {what}"),
    };
    ApiError::new(&codes::BAD_PARAMETERS, detail).at(format!("/parameters/{policy}{pointer}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parameter_stands_in_the_words_and_in_the_place() {
        let policy = PolicyName::new("mine").unwrap_or_else(|error| panic!("{error}"));
        let error = ParameterError { pointer: "/night/hours".to_owned(), what: "is \"x\"".to_owned() };
        let problem = told(&policy, &error).problem().clone();
        assert_eq!(problem.detail.as_str(), "parameter \"night/hours\" of mine is \"x\"");
        assert_eq!(
            (problem.code.as_str(), problem.fields),
            ("bad_parameters", vec!["/parameters/mine/night/hours".to_owned()])
        );
    }
}

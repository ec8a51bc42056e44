//! A submission: from what the client wrote to a [`JobSpec`], or an error that names the field.

use std::collections::BTreeMap;

use headend_model::{JobSpec, Mode, PolicyName, Priority, Span, Target, TestSpec, TreePath, UserName};
use headend_scheduler::Farm;
use headend_wire::api::{ModeRef, SubmitRequest, TestRequest};
use headend_wire::codes;
use serde_json::{Map, Value};

use super::{args, names};
use crate::http::ApiError;

/// Longest name of a job, in characters.
const MAX_NAME: usize = 200;
/// Most tests of one job.
const MAX_TESTS: usize = 10_000;
/// Most targets of one job.
const MAX_TARGETS: usize = 10_000;
/// Most slots that one test may need.
const MAX_SLOTS_NEEDED: i64 = 100_000;
/// Most bytes of JSON text that the parameters of one policy may have.
const MAX_PARAMETERS: usize = 16 << 10;
/// Longest time limit: a week.
const MAX_TIME_LIMIT_S: u64 = 7 * 86_400;

/// What names are checked against.
pub(crate) struct Known<'a> {
    /// Racks, slots and DUTs.
    pub(crate) farm: &'a Farm,
    /// Coverage policies that are installed.
    pub(crate) policies: &'a [PolicyName],
}

/// Checks everything that can be said before the farm decides.
///
/// # Errors
/// The first problem found, with the field at fault.
pub(crate) fn spec(request: &SubmitRequest, owner: UserName, known: &Known<'_>) -> Result<JobSpec, ApiError> {
    let name = job_name(&request.name)?;
    let priority = priority(request.priority)?;
    let targets = targets(request, known.farm)?;
    let tests = tests(&request.tests, targets.len(), known)?;
    let policy_parameters = parameters(&request.parameters, |policy| named_by(policy, &tests))?;
    Ok(JobSpec { name, owner, priority, targets, tests, policy_parameters })
}

fn named_by(policy: &PolicyName, tests: &[TestSpec]) -> Result<(), String> {
    let of = |test: &TestSpec| matches!(&test.mode, Mode::Policy(named) if named == policy);
    let nobody = || "are for nobody: no test of the job names that policy as its mode".to_owned();
    if tests.iter().any(of) { Ok(()) } else { Err(nobody()) }
}

/// Parameters of policies by their names: the form only. `fits` says whether they are for anybody, in words that go on from their name.
///
/// # Errors
/// `invalid`.
pub(crate) fn parameters(
    given: &Map<String, Value>,
    fits: impl Fn(&PolicyName) -> Result<(), String>,
) -> Result<BTreeMap<PolicyName, String>, ApiError> {
    let check = |(name, value): (&String, &Value)| {
        let bad = |what: &str| {
            let at = format!("/parameters/{}", name.replace('~', "~0").replace('/', "~1"));
            ApiError::new(&codes::INVALID, format!("the parameters of {:?} {what}", names::cut(name))).at(&at)
        };
        let policy = PolicyName::new(name).map_err(|error| bad(&format!("are for nobody: {error}")))?;
        fits(&policy).map_err(|what| bad(&what))?;
        let text = value.to_string();
        if !value.is_object() {
            return Err(bad("are not an object; write {\"name\": value}"));
        }
        if text.len() > MAX_PARAMETERS {
            return Err(bad(&format!("are longer than {MAX_PARAMETERS} bytes of JSON")));
        }
        Ok((policy, text))
    };
    given.iter().map(check).collect()
}

fn job_name(name: &str) -> Result<String, ApiError> {
    let bad = |what: &str| ApiError::new(&codes::INVALID, format!("the job's name {what}")).at("/name");
    if name.trim().is_empty() {
        return Err(bad("is empty; give it one"));
    }
    if name.chars().count() > MAX_NAME {
        return Err(bad(&format!("is longer than {MAX_NAME} characters")));
    }
    if name.chars().any(char::is_control) {
        return Err(bad("has a control character; remove it"));
    }
    Ok(name.to_owned())
}

fn priority(given: Option<u8>) -> Result<Priority, ApiError> {
    match given {
        None => Ok(Priority::default()),
        Some(priority @ 1..=9) => Ok(Priority(priority)),
        Some(other) => {
            let detail = format!("priority is {other}; use 1 (first) to 9 (last)");
            Err(ApiError::new(&codes::INVALID, detail).at("/priority"))
        }
    }
}

fn targets(request: &SubmitRequest, farm: &Farm) -> Result<Vec<Target>, ApiError> {
    let count = request.slots.len() + request.duts.len();
    if count == 0 {
        return Err(
            ApiError::new(&codes::NO_TARGETS, "the job has no slots and no DUTs; give at least one").at("/slots")
        );
    }
    if count > MAX_TARGETS {
        return Err(ApiError::new(&codes::INVALID, format!("{count} targets; at most {MAX_TARGETS} are taken")));
    }
    let slots = request.slots.iter().zip(0..).map(|(named, at)| {
        let pointer: String = format!("/slots/{at}");
        (names::slot(farm, named).map(Target::Slot), pointer, format!("slot {} of {}", named.slot, named.rack))
    });
    let duts = request.duts.iter().zip(0..).map(|(number, at)| {
        let pointer: String = format!("/duts/{at}");
        (names::dut(farm, *number).map(Target::Dut), pointer, format!("DUT {number}"))
    });
    let mut targets = Vec::with_capacity(count);
    let mut seen = std::collections::BTreeSet::new();
    for (target, pointer, named) in slots.chain(duts) {
        let target = target.map_err(|problem| problem.at(&pointer))?;
        if !seen.insert(target) {
            let detail = format!("{named} is given twice; name each slot or DUT once");
            return Err(ApiError::new(&codes::DUPLICATE_TARGET, detail).at(pointer));
        }
        targets.push(target);
    }
    Ok(targets)
}

fn tests(tests: &[TestRequest], targets: usize, known: &Known<'_>) -> Result<Vec<TestSpec>, ApiError> {
    if tests.is_empty() {
        return Err(ApiError::new(&codes::NO_TESTS, "the job has no tests; give at least one").at("/tests"));
    }
    if tests.len() > MAX_TESTS {
        let detail = format!("{} tests; at most {MAX_TESTS} are taken, split the job", tests.len());
        return Err(ApiError::new(&codes::TOO_MANY_RUNS, detail).at("/tests"));
    }
    tests.iter().zip(0..).map(|(test, at)| one_test(test, at, targets, known)).collect()
}

fn one_test(test: &TestRequest, at: usize, targets: usize, known: &Known<'_>) -> Result<TestSpec, ApiError> {
    let field = |name: &str| format!("/tests/{at}/{name}");
    Ok(TestSpec {
        script: script(&test.script).map_err(|problem| problem.at(field("script")))?,
        public: test.public,
        slots_needed: slots_needed(test.slots_needed, targets).map_err(|problem| problem.at(field("slots_needed")))?,
        mode: mode(&test.mode, known.policies).map_err(|problem| problem.at(field("mode")))?,
        args: args::split(&test.args)
            .map_err(|error| ApiError::new(&codes::BAD_ARGUMENTS, error.to_string()).at(field("args")))?,
        time_limit: time_limit(test.time_limit_s).map_err(|problem| problem.at(field("time_limit_s")))?,
    })
}

/// The path of a script.
///
/// # Errors
/// `bad_path`.
pub(crate) fn script(text: &str) -> Result<TreePath, ApiError> {
    if text.starts_with(['"', '\'']) || text.ends_with(['"', '\'']) {
        let detail = format!("script {:?} has a quote as part of its name; give the path without it", names::cut(text));
        return Err(ApiError::new(&codes::BAD_PATH, detail));
    }
    TreePath::parse(text).map_err(|error| ApiError::new(&codes::BAD_PATH, error.to_string()))
}

fn slots_needed(given: Option<i64>, targets: usize) -> Result<u32, ApiError> {
    match given {
        None => Ok(u32::try_from(targets).unwrap_or(u32::MAX)),
        Some(needed @ 1..=MAX_SLOTS_NEEDED) => Ok(needed as u32),
        Some(other) => {
            let detail = format!("slots_needed is {other}; use 1 to {MAX_SLOTS_NEEDED}");
            Err(ApiError::new(&codes::BAD_SLOTS_NEEDED, detail))
        }
    }
}

/// A mode or a policy that is installed.
///
/// # Errors
/// `unknown_mode`, `unknown_policy`.
pub(crate) fn mode(given: &ModeRef, policies: &[PolicyName]) -> Result<Mode, ApiError> {
    match given {
        ModeRef::Number(0) => Ok(Mode::SingleProcess),
        ModeRef::Number(1) => Ok(Mode::DutCoverage),
        ModeRef::Number(2) => Ok(Mode::TestCoverage),
        ModeRef::Number(other) => {
            let known = names::listed(policies.iter().map(ToString::to_string));
            let detail = format!(
                "mode {other}; use 0 (single process), 1 (DUT coverage), 2 (test coverage) or a policy: {known}"
            );
            Err(ApiError::new(&codes::UNKNOWN_MODE, detail))
        }
        ModeRef::Name(name) => named_mode(name, policies),
    }
}

fn named_mode(name: &str, policies: &[PolicyName]) -> Result<Mode, ApiError> {
    if let Some(policy) = policies.iter().find(|policy| policy.as_str() == name) {
        return Ok(Mode::Policy(policy.clone()));
    }
    // The built-in rules go by the names of their plugin twins.
    match name {
        "single-process" => Ok(Mode::SingleProcess),
        "dut-coverage" => Ok(Mode::DutCoverage),
        "test-coverage" => Ok(Mode::TestCoverage),
        _ => {
            let known = names::listed(policies.iter().map(ToString::to_string));
            let detail = format!("there is no policy {:?}; installed are: {known}", names::cut(name));
            Err(ApiError::new(&codes::UNKNOWN_POLICY, detail))
        }
    }
}

/// A time limit within bounds.
///
/// # Errors
/// `invalid`.
pub(crate) fn time_limit(given: Option<u64>) -> Result<Option<Span>, ApiError> {
    match given {
        None => Ok(None),
        Some(seconds @ 1..=MAX_TIME_LIMIT_S) => Ok(Some(Span::seconds(seconds as i64))),
        Some(other) => {
            let detail = format!("time_limit_s is {other}; use 1 to {MAX_TIME_LIMIT_S}");
            Err(ApiError::new(&codes::INVALID, detail))
        }
    }
}

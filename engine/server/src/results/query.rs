//! What clients ask for, as the store understands it.

use headend_model::{JobId, RunId, Timestamp, UserName};
use headend_store::{OUTCOMES, ResultQuery};
use headend_wire::codes;

use crate::auth::Person;
use crate::edge::{ids, names};
use crate::http::{ApiError, ApiResult};

/// Most of a page.
const PAGE: u32 = 1_000;
/// Unless the client says otherwise.
const USUAL: u32 = 200;
/// Longest pattern, and most `*` in it: a pattern is tried on every test.
const LONGEST_PATTERN: usize = 200;
const MOST_STARS: usize = 6;

/// Which results.
#[derive(Debug, Default, serde::Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ResultParams {
    /// Only of this job.
    job: Option<u64>,
    /// Only this run.
    run: Option<u64>,
    /// Only of tests whose path (`public/…` or `private/…`) this pattern fits: `*` any text, `?` one character, `[a-z]` one of
    /// these.
    test: Option<String>,
    /// Only of a DUT of this name or id.
    dut: Option<String>,
    /// Only runs that ended at this time (RFC 3339) or later.
    since: Option<String>,
    /// Only runs that ended before this time (RFC 3339).
    until: Option<String>,
    /// Only runs that ended so: `pass`, `partial_pass`, `fail`, `not_run`, `incomplete`, `killed`; several with `,`.
    outcome: Option<String>,
    /// Only this user's (administrators; others see their own only).
    owner: Option<String>,
    /// The `next` of the page before.
    after: Option<String>,
    /// At most so many, 1 to 1000; 200 unless given.
    limit: Option<u32>,
}

impl ResultParams {
    /// What it asks for, as far as this person may see it.
    ///
    /// # Errors
    /// `invalid` with the parameter.
    pub(crate) fn query(self, person: &Person) -> ApiResult<ResultQuery> {
        Ok(ResultQuery {
            owner: owner(person, self.owner)?,
            job: self.job.map(|job| JobId(job.min(ids::LARGEST))),
            run: self.run.map(|run| RunId(run.min(ids::LARGEST))),
            test: self.test.map(pattern).transpose()?,
            dut: self.dut.map(|dut| dut.chars().take(LONGEST_PATTERN).collect()),
            since: self.since.map(|text| time("since", &text)).transpose()?,
            until: self.until.map(|text| time("until", &text)).transpose()?,
            outcomes: self.outcome.as_deref().map(outcomes).transpose()?.unwrap_or_default(),
            after: self.after.as_deref().map(place).transpose()?,
            limit: self.limit.unwrap_or(USUAL).clamp(1, PAGE),
        })
    }
}

fn bad(parameter: &'static str, detail: impl Into<String>) -> ApiError {
    ApiError::new(&codes::INVALID, detail).at(parameter)
}

fn owner(person: &Person, asked: Option<String>) -> ApiResult<Option<UserName>> {
    match asked {
        _ if !person.admin => Ok(Some(person.user.clone())),
        None => Ok(None),
        Some(owner) => UserName::new(owner).map(Some).map_err(|error| bad("owner", error.to_string())),
    }
}

fn pattern(text: String) -> ApiResult<String> {
    if text.len() > LONGEST_PATTERN || text.matches('*').count() > MOST_STARS {
        return Err(bad("test", format!("a pattern has at most {LONGEST_PATTERN} bytes and {MOST_STARS} `*`")));
    }
    Ok(text)
}

fn time(name: &'static str, text: &str) -> ApiResult<Timestamp> {
    let found: Result<jiff::Timestamp, _> = text.parse();
    let remedy = "write it as 2030-01-31T08:00:00Z";
    found
        .map(|at| Timestamp::from_micros(at.as_microsecond()))
        .map_err(|_| bad(name, format!("{name} is {:?}, which is no time; {remedy}", names::cut(text))))
}

fn outcomes(text: &str) -> ApiResult<Vec<String>> {
    let each = text.split(',').map(str::trim).map(|word| {
        let known = OUTCOMES.contains(&word).then(|| word.to_owned());
        known.ok_or_else(|| {
            bad("outcome", format!("{:?} is no outcome; there are {}", names::cut(word), OUTCOMES.join(", ")))
        })
    });
    each.collect()
}

/// `RUN`, or `RUN.REST` for what a run has several of.
fn place(text: &str) -> ApiResult<(RunId, Option<String>)> {
    let (run, rest) = text.split_once('.').map_or((text, None), |(run, rest)| (run, Some(rest.to_owned())));
    let run: u64 = run.parse().map_err(|_| bad("after", "`after` is the `next` of the page before"))?;
    Ok((RunId(run.min(ids::LARGEST)), rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn person(admin: bool) -> Person {
        Person { user: UserName::new("ann".to_owned()).unwrap(), admin, act_as: false, token: None }
    }

    #[test]
    fn people_see_their_own_whatever_they_ask_for() {
        let asked = |admin| {
            let params = ResultParams { owner: Some("bob".to_owned()), ..ResultParams::default() };
            params.query(&person(admin)).unwrap().owner.unwrap().to_string()
        };
        assert_eq!((&*asked(false), &*asked(true)), ("ann", "bob"));
        assert_eq!(ResultParams::default().query(&person(true)).unwrap().owner, None);
    }

    #[test]
    fn what_cannot_be_read_is_refused_with_the_remedy() {
        let refused = |params: ResultParams| params.query(&person(true)).unwrap_err().problem().detail.clone();
        let with = |f: &dyn Fn(&mut ResultParams)| {
            let mut params = ResultParams::default();
            f(&mut params);
            refused(params)
        };
        assert!(with(&|p| p.since = Some("yesterday".to_owned())).contains("2030-01-31"));
        assert!(with(&|p| p.outcome = Some("pass,great".to_owned())).contains("partial_pass"));
        assert!(with(&|p| p.test = Some("*a".repeat(9))).contains("at most"));
        assert!(with(&|p| p.after = Some("x".to_owned())).contains("next"));
    }

    #[test]
    fn pages_go_on_where_they_ended() {
        assert_eq!(place("17").unwrap(), (RunId(17), None));
        assert_eq!(place("17.3").unwrap(), (RunId(17), Some("3".to_owned())));
        assert_eq!(place("17.a/b.png").unwrap(), (RunId(17), Some("a/b.png".to_owned())));
    }
}

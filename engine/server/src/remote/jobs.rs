//! `submitBatchJob`, `getBatchStatus`, `killBatchJob` (document 4.4, 4.7, 5.1).

use headend_model::{JobId, JobStatus};
use headend_wire::api::{ModeRef, RunItem, SlotRef, SubmitAnswer, SubmitRequest, TestRequest, WarningItem};
use headend_wire::codes;
use headend_wire::xmlrpc::Value;
use http::HeaderMap;

use super::Caller;
use super::answer::{Answer, int, list, text};
use super::args::{self, Args, bad};
use crate::auth::Person;
use crate::http::{ApiError, ApiResult};
use crate::routes::jobs::{self, HandIn};

/// `submitBatchJob(name, slots, duts, tests, failOnWarning=False)`.
pub(super) async fn submit(caller: &Caller<'_>, mut args: Args) -> ApiResult<Answer> {
    let name = args.text("name")?;
    let (slots, duts) = targets(&mut args)?;
    let tests = args.list("tests")?.into_iter().enumerate().map(|(at, test)| test_of(at, test));
    let tests = tests.collect::<ApiResult<Vec<TestRequest>>>()?;
    let fail_on_warning = args.flag_or("failOnWarning", false)?;
    args.done("submitBatchJob", &["name", "slots", "duts", "tests", "failOnWarning"])?;
    let request = SubmitRequest { name, slots, duts, tests, fail_on_warning, ..SubmitRequest::default() };
    hand_in(caller, request).await
}

async fn hand_in(caller: &Caller<'_>, request: SubmitRequest) -> ApiResult<Answer> {
    match jobs::hand_in(caller.app, &caller.person, caller.headers, request).await? {
        HandIn::Accepted(answer) => Ok(accepted(&answer)),
        HandIn::Refused { problem, warnings } => {
            // The handle is never allocated.
            Ok(Answer::refused_with(&problem, [int(0), warning_rows(&warnings)]))
        }
    }
}

/// `[code, text, handle, warnings]`; the code is that of the first warning, if there is one.
fn accepted(answer: &SubmitAnswer) -> Answer {
    let rest = [int(answer.job), warning_rows(&answer.warnings)];
    match answer.warnings.first().and_then(|first| Some((codes::by_name(&first.code)?, first))) {
        Some((code, first)) => Answer::with(code, first.message.clone(), rest),
        None => Answer::ok(rest),
    }
}

fn warning_rows(warnings: &[WarningItem]) -> Value {
    list(warnings.iter().map(|one| list([int(one.number), text(&one.message), text(&one.parameter)])))
}

fn targets(args: &mut Args) -> ApiResult<(Vec<SlotRef>, Vec<u64>)> {
    let slots = args.list("slots")?.into_iter().enumerate().map(|(at, slot)| slot_of(at, slot));
    let slots = slots.collect::<ApiResult<_>>()?;
    let duts = args.list("duts")?.into_iter().enumerate().map(|(at, dut)| dut_of(at, &dut));
    Ok((slots, duts.collect::<ApiResult<_>>()?))
}

fn slot_of(at: usize, value: Value) -> ApiResult<SlotRef> {
    let name = format!("slots[{at}]");
    let mut pair = args::list(&name, value)?.into_iter();
    let (Some(rack), Some(slot), None) = (pair.next(), pair.next(), pair.next()) else {
        return Err(bad(&name, "is no pair (server, slot number)"));
    };
    let number = args::int(&name, &slot)?;
    let slot =
        u16::try_from(number).map_err(|_| bad(&name, &format!("has slot {number}; slots are counted from 1")))?;
    Ok(SlotRef { rack: args::text(&name, rack)?, slot })
}

fn dut_of(at: usize, value: &Value) -> ApiResult<u64> {
    let name = format!("duts[{at}]");
    let number = args::int(&name, value)?;
    u64::try_from(number).map_err(|_| bad(&name, &format!("is {number}; ids are not negative")))
}

/// `(script, public, slots needed, mode, arguments)`.
fn test_of(at: usize, value: Value) -> ApiResult<TestRequest> {
    let name = format!("tests[{at}]");
    let items = args::list(&name, value)?;
    if items.len() != 5 {
        let what = format!("has {} elements; give 5: (script, public, slots needed, mode, arguments)", items.len());
        return Err(bad(&name, &what));
    }
    let mut items = Args::new(items);
    Ok(TestRequest {
        script: items.text(&format!("{name} script"))?,
        public: items.flag(&format!("{name} public flag"))?,
        slots_needed: Some(items.int(&format!("{name} slots needed"))?),
        mode: mode_of(&format!("{name} mode"), items.optional())?,
        args: items.text_or(&format!("{name} arguments"), "")?,
        time_limit_s: None,
    })
}

/// 0, 1, 2, or the name of a coverage policy. The document takes any number but 0 for multi-process: numbers above 2 are
/// refused all the same, since they can only be a mistake.
pub(super) fn mode_of(name: &str, value: Option<Value>) -> ApiResult<ModeRef> {
    match value {
        None => Err(bad(name, "is missing; give 0, 1, 2 or the name of a policy")),
        Some(Value::Text(text)) => Ok(text.trim().parse().map_or(ModeRef::Name(text), ModeRef::Number)),
        Some(other) => Ok(ModeRef::Number(args::int(name, &other)?)),
    }
}

/// `getBatchStatus(handle)`: `[status, started, ended, still to run, [rows]]`.
pub(super) async fn status(caller: &Caller<'_>, mut args: Args) -> ApiResult<Answer> {
    let job = JobId(args.id("handle")?);
    args.done("getBatchStatus", &["handle"])?;
    let found = jobs::whole(caller.app, &caller.person, job).await?;
    let base = log_base(caller.headers);
    let rows = found.runs.iter().map(|run| row(&base, &found, run));
    let item = &found.item;
    let status = [
        int(item.status),
        seconds(item.started.as_deref()),
        seconds(item.ended.as_deref()),
        int(item.queued),
        list(rows),
    ];
    Ok(Answer::ok([list(status)]))
}

/// The nine elements of document 5.1.
fn row(base: &str, job: &jobs::Whole, run: &RunItem) -> Value {
    let path = script_path(&job.item.owner, &run.script);
    let started = run.started.as_deref();
    let url = match run.log_url {
        Some(_) => text(format!("{base}/{}", crate::routes::logs::path(&path, started, run.run))),
        None => text(""),
    };
    list([
        int(job.test_id(run.test)),
        int(run.state),
        int(run.result),
        text(&run.comment),
        seconds(started),
        seconds(run.ended.as_deref()),
        text(path),
        url,
        slots(run),
    ])
}

/// `public/...`, or the user's name in place of `private`, as the document shows paths.
fn script_path(owner: &str, script: &str) -> String {
    match script.strip_prefix("private/") {
        Some(rest) => format!("{owner}/{rest}"),
        None => script.to_owned(),
    }
}

/// Where it ran; `NULL`s for a run that ended without running anywhere.
fn slots(run: &RunItem) -> Value {
    if run.slots.is_empty() && run.state == 0 {
        return list([list([text("NULL"), text("NULL"), text("NULL")])]);
    }
    list(run.slots.iter().map(|slot| list([text(&slot.rack), int(slot.slot), int(slot.dut)])))
}

/// The address under which this client reached the server: a URL made of it opens where the client is.
fn log_base(headers: &HeaderMap) -> String {
    let given = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let host = given("host").unwrap_or("localhost:8001");
    // TLS ends at a proxy, which says so. A client that says it changes its own answer alone.
    let scheme = if given("x-forwarded-proto") == Some("https") { "https" } else { "http" };
    format!("{scheme}://{host}/logs")
}

fn seconds(time: Option<&str>) -> Value {
    let parsed = time.and_then(|text| text.parse::<jiff::Timestamp>().ok());
    int(parsed.map_or(0, jiff::Timestamp::as_second))
}

/// `killBatchJob(handle)`: the handle again. A job that has ended stays as it is, which is a warning.
pub(super) async fn kill(caller: &Caller<'_>, mut args: Args) -> ApiResult<Answer> {
    let job = JobId(args.id("handle")?);
    args.done("killBatchJob", &["handle"])?;
    let before = jobs::visible(caller.app, &caller.person, job).await?.status;
    if before.is_final() && before != JobStatus::Stopped {
        let what = format!("{}: it is {before}", codes::WARN_JOB_FINAL.text);
        return Ok(Answer::with(&codes::WARN_JOB_FINAL, what, [int(job.0)]));
    }
    jobs::stop(caller.app, &caller.person, job).await?;
    Ok(Answer::ok([int(job.0)]))
}

/// `CreateRemoteJob(user, priority, slots needed, mode, args, public, scripts, "", slots, duts)`: the handle as text.
pub(super) async fn create(caller: &Caller<'_>, mut args: Args) -> ApiResult<Answer> {
    let user = args.text("user")?;
    let priority = args.int("priority")?;
    let priority = u8::try_from(priority).map_err(|_| bad("priority", &format!("is {priority}; use 1 to 9")))?;
    let slots_needed = args.int("slots needed")?;
    let mode = mode_of("mode", args.optional())?;
    let arguments = args.text_or("arguments", "")?;
    let public = args.flag("public")?;
    let scripts = args.list("scripts")?;
    let _unused = args.text_or("comment", "")?;
    let (slots, duts) = targets(&mut args)?;
    let names =
        ["user", "priority", "slots needed", "mode", "arguments", "public", "scripts", "comment", "slots", "duts"];
    args.done("CreateRemoteJob", &names)?;
    let tests = scripts.into_iter().map(|script| {
        let script = args::text("scripts", script)?;
        let (mode, args) = (mode.clone(), arguments.clone());
        Ok(TestRequest { script, public, slots_needed: Some(slots_needed), mode, args, time_limit_s: None })
    });
    let tests = tests.collect::<ApiResult<Vec<TestRequest>>>()?;
    let name = tests.first().map_or_else(|| "remote job".to_owned(), |test| test.script.clone());
    let person = acting_as(&caller.person, &user)?;
    let request = SubmitRequest { name, priority: Some(priority), slots, duts, tests, ..SubmitRequest::default() };
    match jobs::hand_in(caller.app, &person, caller.headers, request).await? {
        HandIn::Accepted(answer) => Ok(Answer::ok([text(answer.job.to_string())])),
        HandIn::Refused { problem, .. } => Err(problem),
    }
}

/// The person as the user that a call names: the same one, or anybody for those who may act for others.
///
/// # Errors
/// `forbidden`.
pub(super) fn acting_as(person: &Person, user: &str) -> ApiResult<Person> {
    if user.is_empty() || user == person.user.as_str() {
        return Ok(person.clone());
    }
    let user = headend_model::UserName::new(user).map_err(|error| bad("user", &format!("is refused: {error}")))?;
    if !person.act_as {
        let detail = format!("this token is {}'s and cannot act as {user}", person.user);
        return Err(ApiError::new(&codes::FORBIDDEN, detail));
    }
    Ok(Person { user, ..person.clone() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn log_urls_begin_as_the_client_came() {
        let mut headers = HeaderMap::new();
        assert_eq!(log_base(&headers), "http://localhost:8001/logs");
        headers.insert("host", "lab.example".parse().unwrap());
        assert_eq!(log_base(&headers), "http://lab.example/logs");
        headers.insert("x-forwarded-proto", "https".parse().unwrap());
        assert_eq!(log_base(&headers), "https://lab.example/logs");
    }
}

//! The document's calls (chapters 4 to 7) over XML-RPC, in the document's shapes. The rules are not here: each call does
//! what a REST route does, by the same function.
//!
//! ```text
//!  POST / ─► xmlrpc::parse_call ─► Args (names, types) ─► deed ─► [code, text, ...] ─► xmlrpc::write_response
//! ```
//!
//! A refusal is an answer whose first element is the positive number of the code table; a fault is only for what is no call
//! (`engine/design/0010`).

mod answer;
mod args;
mod duts;
mod facility;
mod files;
mod jobs;
mod scheduled_tests;
mod schedules;

use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use headend_wire::codes;
use headend_wire::xmlrpc::{self, Call, Limits, Value};
use http::HeaderMap;
use http::header::CONTENT_TYPE;

use crate::app::Shared;
use crate::auth::Person;
use crate::http::json::read_body;
use crate::http::{ApiError, ApiResult};

pub(crate) use answer::Answer;
pub(crate) use args::Args;

/// `faultCode` of what is no XML-RPC, and of an unknown method (as XML-RPC libraries use them).
const NOT_A_CALL: i32 = -32700;
const NO_SUCH_METHOD: i32 = -32601;

/// What every call has.
pub(crate) struct Caller<'a> {
    pub(crate) app: &'a Shared,
    /// For whom.
    pub(crate) person: Person,
    pub(crate) headers: &'a HeaderMap,
}

/// The legacy wire.
pub(crate) async fn serve(
    State(app): State<Shared>,
    person: Person,
    headers: HeaderMap,
    request: Request,
) -> ApiResult<Response> {
    require_xml(&headers)?;
    let bytes = read_body(request, &app.options.limits).await?;
    let limits = Limits { bytes: app.options.limits.json_bytes, ..Limits::default() };
    let text = match xmlrpc::parse_call(&bytes, &limits) {
        Err(error) => xmlrpc::write_fault(NOT_A_CALL, &format!("this is no XML-RPC call: {error}")),
        Ok(call) => {
            let method = call.method.clone();
            let caller = Caller { app: &app, person, headers: &headers };
            match dispatch(&caller, call).await {
                Some(answer) => xmlrpc::write_response(&answer.into_value()),
                None => xmlrpc::write_fault(NO_SUCH_METHOD, &no_such_method(&method)),
            }
        }
    };
    Ok(([(CONTENT_TYPE, "text/xml; charset=utf-8")], text).into_response())
}

/// A page of another site can send forms and plain text without being asked; XML it cannot.
fn require_xml(headers: &HeaderMap) -> ApiResult<()> {
    let media = headers.get(CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let essence = media.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if matches!(essence.as_str(), "text/xml" | "application/xml") {
        return Ok(());
    }
    let given: String = media.chars().take(60).collect();
    Err(ApiError::new(&codes::MEDIA_TYPE, format!("Content-Type is {given:?}; an XML-RPC call is text/xml")))
}

/// One table of names and deeds, so that `system.listMethods` knows every method.
macro_rules! methods {
    ($($name:literal => $chapter:ident :: $deed:ident;)*) => {
        /// Names of all methods, for people and for `system.listMethods`.
        pub(crate) const METHODS: &[&str] = &[$($name,)* LIST_METHODS];

        /// `None`: there is no such method.
        async fn dispatch(caller: &Caller<'_>, call: Call) -> Option<Answer> {
            let args = Args::new(call.params);
            let done = match call.method.as_str() {
                $($name => $chapter::$deed(caller, args).await,)*
                LIST_METHODS => args.done(LIST_METHODS, &[]).map(|()| list_methods()),
                _ => return None,
            };
            Some(done.unwrap_or_else(|error| Answer::refusal(&error)))
        }
    };
}

const LIST_METHODS: &str = "system.listMethods";

methods! {
    "CreateDutInstanceByModel" => facility::create_dut;
    "CreateRemoteJob" => facility::create_remote_job;
    "DeleteDutInstance" => facility::delete_dut;
    "GetDutInstance" => facility::dut_in_slot;
    "GetServerId" => facility::server_id;
    "GetServerList" => facility::server_list;
    "GetSlotIdFromAddress" => facility::slot_id;
    "GetStbModelInfo" => facility::models;
    "addSlotToSchedule" => schedules::add_slot;
    "addStbToSchedule" => schedules::add_dut;
    "addTestToSchedule" => schedules::add_test;
    "convertFilesToPublic" => files::convert;
    "createSchedule" => schedules::create;
    "deleteJob" => schedules::delete_test;
    "deletePrivateFiles" => files::delete_private;
    "deletePublicFiles" => files::delete_public;
    "deleteSchedule" => schedules::delete;
    "findStb" => duts::find;
    "getBatchStatus" => jobs::status;
    "getScheduleIdFromName" => schedules::id_of_name;
    "killBatchJob" => jobs::kill;
    "listPrivateFiles" => files::list_private;
    "listPublicFiles" => files::list_public;
    "modifySchedule" => schedules::modify;
    "removeSlotFromSchedule" => schedules::remove_slot;
    "removeStbFromSchedule" => schedules::remove_dut;
    "renameSchedule" => schedules::rename;
    "showJobsOnSchedule" => schedules::show_tests;
    "showSchedules" => schedules::show_all;
    "showSlotsOnSchedule" => schedules::show_slots;
    "showStbsOnSchedule" => schedules::show_duts;
    "submitBatchJob" => jobs::submit;
    "updateJob" => schedules::update_test;
}

fn list_methods() -> Answer {
    Answer::bare(Value::Array(METHODS.iter().map(|name| Value::Text((*name).to_owned())).collect()))
}

/// Calls of the document that are none of this wire, and where they are.
const ELSEWHERE: &[(&str, &str)] = &[
    ("uploadFiles", "the package sends files by REST; see `POST /api/v1/files/{area}/commit`"),
    ("setUser", "the package sends the header `X-Headend-User`"),
    ("ServerVersion", "the package asks `GET /api/v1/server`"),
    ("ServerStartTime", "the package asks `GET /api/v1/server`"),
];

fn no_such_method(name: &str) -> String {
    if let Some((known, how)) = ELSEWHERE.iter().find(|(known, _)| *known == name) {
        return format!("{known} is a call of the Python package alone (stormtest/JobConfigurator.py); {how}");
    }
    let same = METHODS.iter().find(|known| known.eq_ignore_ascii_case(name));
    match same {
        Some(known) => format!("there is no method {name:?}; did you mean {known:?}?"),
        None => format!("there is no method {name:?}; there are: {}", METHODS.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_method_that_is_none_is_told_where_to_look() {
        assert!(no_such_method("uploadFiles").contains("/files/{area}/commit"));
        assert!(no_such_method("setUser").contains("X-Headend-User"));
        assert!(no_such_method("GETBATCHSTATUS").ends_with("did you mean \"getBatchStatus\"?"));
        assert!(no_such_method("nope").contains("submitBatchJob"));
        assert!(ELSEWHERE.iter().all(|(name, _)| !METHODS.contains(name)));
    }
}

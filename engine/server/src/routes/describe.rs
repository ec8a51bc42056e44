//! What all operations have in common is said here once, for the whole description: who may ask, how a refusal looks, how
//! far numbers reach, and what is no JSON.

use headend_wire::problem::MEDIA_TYPE;
use serde_json::{Map, Value, json};
use utoipa::openapi::OpenApi;
use utoipa::openapi::path::{Operation, PathItem};
use utoipa::openapi::security::SecurityRequirement;
use utoipa_axum::router::OpenApiRouter;

use crate::app::Shared;

/// The token of a person.
pub(super) const PERSON: &str = "person";
/// The token of a rack.
pub(super) const RACK: &str = "rack";
/// A one-use token for a rack that is to be.
pub(super) const NEWCOMER: &str = "newcomer";

/// BLAKE3 in hex.
const HASH: &str = "^[0-9a-f]{64}$";
/// What a user may be called.
const NAME: &str = "^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$";
const NAME_OR_NONE: &str = "^([A-Za-z0-9][A-Za-z0-9._-]{0,63})?$";
/// Under which name a request may be sent again.
const KEY: &str = "^[!-~]{1,200}$";
/// Where a page of a history ends: a revision and a path.
const CURSOR: &str = "^[0-9]{1,18}:";
/// What an upload may be called.
const DIGEST: &str = "^(sha256:)?[0-9a-f]{64}$";

/// Notes that these routes want a token of one of these kinds.
pub(super) fn behind(kinds: &[&str], mut routes: OpenApiRouter<Shared>) -> OpenApiRouter<Shared> {
    for item in routes.get_openapi_mut().paths.paths.values_mut() {
        for operation in operations(item) {
            let required = kinds.iter().map(|kind| SecurityRequirement::new(*kind, Vec::<String>::new()));
            operation.security = Some(required.collect());
        }
    }
    routes
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    let all = [&mut item.get, &mut item.put, &mut item.post, &mut item.delete, &mut item.patch];
    all.into_iter().filter_map(Option::as_mut)
}

/// The whole description.
pub(super) fn document(api: &OpenApi) -> Value {
    let mut document = serde_json::to_value(api).unwrap_or_default();
    if let Some(paths) = document.get_mut("paths").and_then(Value::as_object_mut) {
        // A path that takes slashes is written `{*path}` for the router and `{path}` here.
        *paths = std::mem::take(paths).into_iter().map(|(path, item)| (path.replace("{*", "{"), item)).collect();
        for (path, item) in paths {
            for (method, operation) in item.as_object_mut().into_iter().flatten() {
                describe(path, method, operation);
            }
        }
    }
    bound(&mut document);
    let token = |text: &str| json!({ "type": "http", "scheme": "bearer", "description": text });
    document["components"]["securitySchemes"] = json!({
        PERSON: token("The token of a person; also taken as the password of `Basic`, under any name."),
        RACK: token("The token that a rack got when it enrolled."),
        NEWCOMER: token("A one-use token of `POST /racks/tokens`."),
    });
    document
}

fn describe(path: &str, method: &str, operation: &mut Value) {
    for parameter in operation.get_mut("parameters").and_then(Value::as_array_mut).into_iter().flatten() {
        let name = parameter["name"].as_str().unwrap_or_default();
        let form = match (name, method) {
            ("hash", "put") | ("digest", _) => Some(("pattern", json!(DIGEST))),
            ("hash", _) => Some(("pattern", json!(HASH))),
            ("area", _) => Some(("enum", json!(["public", "private"]))),
            ("slot", _) => Some(("minimum", json!(1))),
            ("state", _) => Some(("enum", json!(["open", "all"]))),
            ("owner", _) => Some(("pattern", json!(if path.ends_with("/jobs") { NAME } else { NAME_OR_NONE }))),
            ("Idempotency-Key", _) => Some(("pattern", json!(KEY))),
            ("after", _) if path.ends_with("/history") => Some(("pattern", json!(CURSOR))),
            _ => None,
        };
        if let Some((key, value)) = form {
            parameter["schema"][key] = value;
        }
    }
    if let Some(content) = operation.pointer_mut("/requestBody/content") {
        plain_bytes(content);
    }
    let Some(responses) = operation.get_mut("responses").and_then(Value::as_object_mut) else { return };
    refusals(responses, path);
    for content in responses.values_mut().filter_map(|response| response.get_mut("content")) {
        plain_bytes(content);
    }
}

/// Any request may be refused, and every refusal is a problem document.
fn refusals(responses: &mut Map<String, Value>, path: &str) {
    let problem = json!({ MEDIA_TYPE: { "schema": { "$ref": "#/components/schemas/Problem" } } });
    for (status, response) in &mut *responses {
        if status.starts_with(['4', '5']) {
            response["content"] = problem.clone();
        }
    }
    let mut add = |status: &str, text: &str| {
        let response = json!({ "description": text, "content": problem.clone() });
        responses.entry(status).or_insert(response);
    };
    add("4XX", "The request is refused; the problem says why and what helps.");
    if path.starts_with("/api/") || path == "/metrics" {
        add("503", "The server cannot answer now, or is shutting down.");
    }
}

/// Bytes are no list of numbers.
fn plain_bytes(content: &mut Value) {
    for (media, body) in content.as_object_mut().into_iter().flatten() {
        if matches!(media.as_str(), "application/octet-stream" | "application/x-headend-pack") {
            body["schema"] = json!({ "type": "string", "format": "binary" });
        }
    }
}

/// How far an integer reaches follows from its width; a reader that does not know the names of widths still sees it.
fn bound(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(bound),
        Value::Object(fields) => {
            // utoipa's own names of widths are none of the registry's.
            let width = match fields.get("format").and_then(Value::as_str) {
                Some("u-int8") => Some(("uint8", json!(u8::MAX))),
                Some("u-int16") => Some(("uint16", json!(u16::MAX))),
                Some("u-int32") => Some(("uint32", json!(u32::MAX))),
                Some("u-int64") => Some(("uint64", json!(u64::MAX))),
                _ => None,
            };
            if let Some((format, most)) = width {
                fields.insert("format".to_owned(), json!(format));
                fields.entry("minimum").or_insert(json!(0));
                fields.entry("maximum").or_insert(most);
            }
            fields.values_mut().for_each(bound);
        }
        _ => {}
    }
}

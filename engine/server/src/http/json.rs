//! JSON bodies: bounded, of bounded depth, strict, and when something is wrong the field is named.

use std::time::Duration;

use axum::body::Body;
use axum::extract::{FromRequest, Request};
use bytes::{Bytes, BytesMut};
use headend_wire::codes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http_body_util::BodyExt;
use serde::de::DeserializeOwned;

use super::objects::Objects;
use super::problem::{ApiError, ApiResult};
use crate::app::Shared;
use crate::options::Limits;

/// A body of this type.
pub(crate) struct Json<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequest<Shared> for Json<T> {
    type Rejection = ApiError;
    async fn from_request(request: Request, app: &Shared) -> Result<Self, ApiError> {
        let limits = &app.options.limits;
        require_json(&request)?;
        let bytes = read_body(request, limits).await?;
        parse(&bytes, limits.json_depth).map(Self)
    }
}

/// The same for what has many rows: [`Limits::commit_bytes`].
pub(crate) struct LongJson<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequest<Shared> for LongJson<T> {
    type Rejection = ApiError;
    async fn from_request(request: Request, app: &Shared) -> Result<Self, ApiError> {
        let limits = Limits { json_bytes: app.options.limits.commit_bytes, ..app.options.limits };
        require_json(&request)?;
        let bytes = read_body(request, &limits).await?;
        parse(&bytes, limits.json_depth).map(Self)
    }
}

/// A page of another site can send forms and plain text without being asked; JSON it cannot.
fn require_json(request: &Request) -> ApiResult<()> {
    let media = request.headers().get(CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let essence = media.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if essence == "application/json" {
        return Ok(());
    }
    let given: String = media.chars().take(60).collect();
    Err(ApiError::new(&codes::MEDIA_TYPE, format!("Content-Type is {given:?}; send application/json")))
}

/// A whole body, bounded in size and pace.
pub(crate) async fn read_body(request: Request, limits: &Limits) -> ApiResult<Bytes> {
    let too_large =
        || ApiError::new(&codes::TOO_LARGE, format!("the body is over {} bytes; send less at once", limits.json_bytes));
    let announced = request.headers().get(CONTENT_LENGTH).and_then(|v| v.to_str().ok()).and_then(|v| v.parse().ok());
    if announced.is_some_and(|length: u64| length > limits.json_bytes as u64) {
        return Err(too_large());
    }
    let mut body = request.into_body();
    let mut bytes = BytesMut::new();
    while let Some(data) = next_piece(&mut body, limits.body_timeout).await? {
        if bytes.len() + data.len() > limits.json_bytes {
            return Err(too_large());
        }
        bytes.extend_from_slice(&data);
    }
    Ok(bytes.freeze())
}

/// The next piece of a body, or `None` at its end.
///
/// # Errors
/// When nothing comes for `pause`, or the client goes away.
pub(crate) async fn next_piece(body: &mut Body, pause: Duration) -> ApiResult<Option<Bytes>> {
    loop {
        let frame = tokio::time::timeout(pause, body.frame())
            .await
            .map_err(|_| ApiError::new(&codes::TOO_SLOW, format!("nothing came for {pause:?}")))?;
        match frame {
            None => return Ok(None),
            Some(Err(_)) => return Err(ApiError::new(&codes::BAD_REQUEST, "the body broke off")),
            Some(Ok(frame)) => {
                if let Ok(data) = frame.into_data() {
                    return Ok(Some(data));
                }
            }
        }
    }
}

/// Reads a document of bounded depth.
///
/// # Errors
/// `bad_request` for what is no JSON, `invalid` for JSON that does not fit, naming the field in both.
pub(crate) fn parse<T: DeserializeOwned>(bytes: &[u8], max_depth: usize) -> ApiResult<T> {
    if depth(bytes) > max_depth {
        return Err(ApiError::new(&codes::BAD_REQUEST, format!("the JSON is nested deeper than {max_depth}")));
    }
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(Objects(&mut reader)).map_err(|error| {
        let pointer = pointer(error.path());
        let cause = error.into_inner();
        let code = if cause.is_data() { &codes::INVALID } else { &codes::BAD_REQUEST };
        ApiError::new(code, text_of(&cause)).at(pointer)
    })?;
    reader.end().map_err(|_| ApiError::new(&codes::BAD_REQUEST, "something follows the JSON document"))?;
    Ok(value)
}

fn text_of(error: &serde_json::Error) -> String {
    // A message may quote the value it met, however long that is.
    error.to_string().chars().take(300).collect()
}

fn pointer(path: &serde_path_to_error::Path) -> String {
    use serde_path_to_error::Segment;
    path.iter().fold(String::new(), |mut text, segment| {
        text.push('/');
        match segment {
            Segment::Seq { index } => text.push_str(&index.to_string()),
            Segment::Map { key } => text.push_str(&key.replace('~', "~0").replace('/', "~1")),
            Segment::Enum { variant } => text.push_str(variant),
            Segment::Unknown => text.push('?'),
        }
        text
    })
}

/// Deepest nesting, found without recursion.
fn depth(bytes: &[u8]) -> usize {
    let (mut now, mut most, mut in_text, mut escaped) = (0_usize, 0, false, false);
    for byte in bytes {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_text => escaped = true,
            b'"' => in_text = !in_text,
            b'[' | b'{' if !in_text => {
                now += 1;
                most = most.max(now);
            }
            b']' | b'}' if !in_text => now = now.saturating_sub(1),
            _ => {}
        }
    }
    most
}

#[cfg(test)]
mod tests {
    use headend_wire::api::SubmitRequest;

    use super::*;

    fn problem(text: &str) -> headend_wire::Problem {
        parse::<SubmitRequest>(text.as_bytes(), 64).err().unwrap().problem().clone()
    }

    #[test]
    fn the_field_at_fault_is_named() {
        let found = problem(r#"{"name":"x","tests":[{"script":"a"},{"script":"b","slots_needed":"many"}]}"#);
        assert_eq!((found.code.as_str(), found.fields), ("invalid", vec!["/tests/1/slots_needed".to_owned()]));
        let found = problem(r#"{"name":"x","tests":[],"admin":true}"#);
        assert_eq!(found.code, "invalid");
        assert!(found.detail.contains("admin"), "{}", found.detail);
    }

    #[test]
    fn records_are_objects_at_any_depth() {
        let found = problem(r#"["x",5,[],[],[],false]"#);
        assert_eq!((found.code.as_str(), found.fields), ("invalid", vec![String::new()]));
        let found = problem(r#"{"name":"x","slots":[["rack1",1]],"tests":[]}"#);
        assert_eq!((found.code.as_str(), found.fields), ("invalid", vec!["/slots/0".to_owned()]));
    }

    #[test]
    fn hostile_documents_are_refused() {
        let deep = "[".repeat(1_000_000);
        for bad in [
            deep.as_str(),
            "",
            "nul",
            r#"{"name":"x","name":"y","tests":[]}"#,
            r#"{"name":"x","tests":[]} {}"#,
            r#"{"name":"\ud800","tests":[]}"#,
            r#"{"name":"x","tests":[{"script":"a","slots_needed":1e400}]}"#,
            "{\"name\":\"x\u{1}\",\"tests\":[]}",
        ] {
            let status = problem(bad).status;
            assert!(matches!(status, 400 | 422), "{status} for {bad:.40}");
        }
    }

    #[test]
    fn brackets_in_texts_do_not_count() {
        assert_eq!(depth(br#"{"a":"[[[[\"[[","b":[1,[2]]}"#), 3);
    }
}

//! Every refusal leaves as a problem document (RFC 9457).

use axum::response::{IntoResponse, Response};
use headend_wire::Problem;
use headend_wire::codes::{self, Code};
use headend_wire::problem::MEDIA_TYPE;
use http::header::{ALLOW, CONTENT_TYPE, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{Method, StatusCode, Uri};

/// The error of every handler.
#[derive(Debug)]
pub(crate) struct ApiError(Box<Problem>);

/// What a handler gives.
pub(crate) type ApiResult<T> = Result<T, ApiError>;

impl ApiError {
    /// A problem of this kind with what is special about it.
    pub(crate) fn new(code: &Code, detail: impl Into<String>) -> Self {
        Self(Box::new(Problem::new(code, detail)))
    }

    /// Names the field at fault, as a JSON pointer.
    pub(crate) fn at(self, pointer: impl Into<String>) -> Self {
        Self(Box::new(self.0.at(pointer)))
    }

    /// Not there, or not for the caller: the two look the same.
    pub(crate) fn not_found(what: impl std::fmt::Display) -> Self {
        Self::new(&codes::NOT_FOUND, format!("there is no {what} here"))
    }

    /// Our own fault: the cause goes to the log, the client learns only that it happened.
    pub(crate) fn internal(what: &str, cause: &dyn std::error::Error) -> Self {
        tracing::error!(cause = %Chain(cause), "{what}");
        Self::new(&codes::INTERNAL, format!("{what}; the server's log tells more"))
    }

    /// The document.
    pub(crate) fn problem(&self) -> &Problem {
        &self.0
    }
}

impl From<Problem> for ApiError {
    fn from(problem: Problem) -> Self {
        Self(Box::new(problem))
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.0.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = serde_json::to_vec(&self.0).unwrap_or_default();
        let mut response = (status, [(CONTENT_TYPE, MEDIA_TYPE)], body).into_response();
        let headers = response.headers_mut();
        match status {
            StatusCode::UNAUTHORIZED => {
                headers.insert(
                    WWW_AUTHENTICATE,
                    HeaderValue::from_static("Bearer realm=\"headend\", Basic realm=\"headend, token as password\""),
                );
            }
            StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS | StatusCode::INSUFFICIENT_STORAGE => {
                headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
            }
            _ => {}
        }
        response
    }
}

/// An error with its causes, for the log.
pub(crate) struct Chain<'a>(pub(crate) &'a dyn std::error::Error);

impl std::fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)?;
        let mut cause = self.0.source();
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}

/// For addresses that are none of ours.
pub(crate) async fn no_route(uri: Uri) -> ApiError {
    let path: String = uri.path().chars().take(80).collect();
    ApiError::new(&codes::NOT_FOUND, format!("there is nothing at {path:?}; see /api/openapi.json"))
}

/// Turns the bare answers of the router and of layers into problem documents.
pub(crate) async fn never_plain(request: axum::extract::Request, next: axum::middleware::Next) -> Response {
    let method = request.method().clone();
    let path: String = request.uri().path().chars().take(80).collect();
    let response = next.run(request).await;
    let is_error = response.status().is_client_error() || response.status().is_server_error();
    let is_problem =
        response.headers().get(CONTENT_TYPE).is_some_and(|t| t.as_bytes().starts_with(MEDIA_TYPE.as_bytes()));
    if !is_error || is_problem {
        return response;
    }
    replace(&response, &method, &path)
}

fn replace(plain: &Response, method: &Method, path: &str) -> Response {
    let error = match plain.status() {
        StatusCode::METHOD_NOT_ALLOWED => {
            ApiError::new(&codes::METHOD_NOT_ALLOWED, format!("{path:?} does not take {method}"))
        }
        StatusCode::NOT_FOUND => ApiError::new(&codes::NOT_FOUND, format!("there is nothing at {path:?}")),
        StatusCode::PAYLOAD_TOO_LARGE => ApiError::new(&codes::TOO_LARGE, "the body is larger than is taken here"),
        StatusCode::REQUEST_TIMEOUT => ApiError::new(&codes::TOO_SLOW, "the body came in too slowly"),
        status if status.is_client_error() => {
            ApiError::new(&codes::BAD_REQUEST, format!("{method} {path:?} cannot be read ({status})"))
        }
        _ => ApiError::new(&codes::INTERNAL, "the server's log tells more"),
    };
    let mut response = error.into_response();
    if let Some(allow) = plain.headers().get(ALLOW) {
        response.headers_mut().insert(ALLOW, allow.clone());
    }
    response
}

impl std::fmt::Display for ApiError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

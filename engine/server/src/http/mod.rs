//! HTTP without the resources: the accept loop, what is checked before a handler runs, and the form of errors.

pub(crate) mod guard;
pub(crate) mod headers;
pub(crate) mod json;
pub(crate) mod listener;
mod objects;
mod patient;
pub(crate) mod problem;

pub(crate) use json::{Json, LongJson};
pub(crate) use problem::{ApiError, ApiResult};

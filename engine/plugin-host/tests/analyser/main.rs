//! Analysers from end to end: loading, budgets, and our own through frames drawn by code.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs, reason = "tests")]

mod corpus;
mod hostile;
mod loading;
mod stored;
mod support;

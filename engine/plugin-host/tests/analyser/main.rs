//! Analysers from end to end: loading, budgets, and our own through frames drawn by code.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs, reason = "tests")]

#[path = "../shared/cases.rs"]
mod cases;
mod corpus;
mod data;
mod faults;
mod hostile;
mod hostile_corpus;
mod icons;
mod letters;
mod loading;
mod ocr;
mod released;
mod serial;
mod sound;
mod stored;
mod support;
mod zap;

//! What a user reads when a script breaks: what, where, and the line itself.

use std::fmt::Write as _;
use std::time::Duration;

use headend_wire::session::{GuestLimits, ScriptEnd};
use rhai::{Dynamic, EvalAltResult, Map, ParseError, Position};

use super::super::guard::{Work, limit_text};
use super::engine::{ITEMS, STRING_BYTES};
use crate::excerpt::excerpt as below;

/// Why a script was stopped from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    Cpu,
    Memory,
    /// The supervisor hung up.
    Gone,
}

/// A source that does not parse.
pub(super) fn parse_text(name: &str, source: &str, error: &ParseError) -> String {
    excerpt(name, source, error.position(), &error.err_type().to_string())
}

/// How a script that broke has ended.
pub(super) fn end(name: &str, source: &str, error: &EvalAltResult, limits: &GuestLimits) -> ScriptEnd {
    if matches!(error, EvalAltResult::Exit(..)) {
        return ScriptEnd::Finished;
    }
    let (innermost, calls) = unwind(error);
    let limit = limit_of(innermost, limits);
    let message = limit.clone().unwrap_or_else(|| message(innermost));
    let mut text = excerpt(name, source, innermost.position(), &message);
    for (function, position) in &calls {
        let _ = write!(text, "\n  in `{function}`, called at {}", place(name, *position));
    }
    if limit.is_some() { ScriptEnd::Limit(text) } else { ScriptEnd::Crashed(text) }
}

/// The error itself, and the calls that led to it, innermost first.
fn unwind(error: &EvalAltResult) -> (&EvalAltResult, Vec<(&str, Position)>) {
    let mut calls = Vec::new();
    let mut error = error;
    while let EvalAltResult::ErrorInFunctionCall(function, _, inner, position) = error {
        calls.push((function.as_str(), *position));
        error = inner;
    }
    calls.reverse();
    (error, calls)
}

/// The text of a limit; `None` for an ordinary error.
fn limit_of(error: &EvalAltResult, limits: &GuestLimits) -> Option<String> {
    match error {
        EvalAltResult::ErrorTooManyOperations(_) => {
            Some(format!("operations: more than {} were needed", limits.operations))
        }
        EvalAltResult::ErrorTooManyVariables(_) => Some("variables: too many at once".into()),
        EvalAltResult::ErrorTooManyModules(_) => Some("modules: `import` is not available in tests".into()),
        EvalAltResult::ErrorStackOverflow(_) => Some("call depth: functions call each other too deeply".into()),
        EvalAltResult::ErrorDataTooLarge(what, _) => Some(format!(
            "data size: {what} is over the limit ({STRING_BYTES} bytes of text, {ITEMS} items of arrays and maps)"
        )),
        EvalAltResult::ErrorTerminated(token, _) => Some(stop_text(token, limits)),
        _ => None,
    }
}

fn stop_text(token: &Dynamic, limits: &GuestLimits) -> String {
    match token.clone().try_cast::<Stop>() {
        Some(Stop::Cpu) => limit_text(Work::Running, Duration::from_millis(limits.cpu_ms)),
        Some(Stop::Memory) => {
            format!("memory_bytes: the script needs more than its {} MiB", limits.memory_bytes >> 20)
        }
        Some(Stop::Gone) | None => "the rack closed the session".into(),
    }
}

/// The error without its position, which the excerpt tells.
fn message(error: &EvalAltResult) -> String {
    match error {
        EvalAltResult::ErrorRuntime(value, _) => thrown(value),
        // Rhai has no way to show an error without its position but to ask for the text before it.
        other => {
            let text = other.to_string();
            text.rfind(" (line ").map_or(text.clone(), |end| text[..end].to_owned())
        }
    }
}

/// A thrown value: the session's errors are maps with `code` and `message`.
fn thrown(value: &Dynamic) -> String {
    let field = |map: &Map, name| map.get(name).map(Dynamic::to_string);
    if let Some(map) = value.read_lock::<Map>()
        && let (Some(code), Some(message)) = (field(&map, "code"), field(&map, "message"))
    {
        return format!("{message} ({code})");
    }
    format!("thrown: {value}")
}

fn place(name: &str, position: Position) -> String {
    match (position.line(), position.position()) {
        (Some(line), Some(column)) => format!("{name}:{line}:{column}"),
        (Some(line), None) => format!("{name}:{line}"),
        _ => name.to_owned(),
    }
}

/// `message` with the place, the line, and a caret below it.
fn excerpt(name: &str, source: &str, position: Position, message: &str) -> String {
    let mut text = format!("{}: {message}", place(name, position));
    let below = position.line().and_then(|line| below(source, line, position.position().unwrap_or(1)));
    text.push_str(&below.unwrap_or_default());
    text
}

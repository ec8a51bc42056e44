//! What a user reads when a WASM test breaks: what, and the calls that led to it.

use std::fmt::Write as _;
use std::time::Duration;

use headend_wire::session::{GuestLimits, ScriptEnd};
use wasmtime::{FrameInfo, Trap, WasmBacktrace};

use super::super::guard::{Work, limit_text};
use super::super::link::LinkError;
use super::limiter::Exceeded;

/// Frames shown.
const FRAMES: usize = 16;

/// The operating system's words for `ENOMEM`. The runtime passes them on under several types.
const NO_MEMORY: &str = "os error 12";

/// The CPU time is used up.
#[derive(Debug, thiserror::Error)]
#[error("the CPU time is used up")]
pub(super) struct CpuLimit;

/// How a script that broke has ended.
pub(super) fn end(name: &str, error: &wasmtime::Error, limits: &GuestLimits) -> ScriptEnd {
    if let Some(limit) = limit_of(error, limits) {
        return ScriptEnd::Limit(with_frames(format!("{name}: {limit}"), error));
    }
    let text = match error.downcast_ref::<Trap>() {
        Some(trap) => trap_text(*trap),
        None => error.root_cause().to_string(),
    };
    ScriptEnd::Crashed(with_frames(format!("{name}: {text}"), error))
}

/// Why a component cannot be run here: an import that nobody offers, or no `run`.
pub(super) fn link_text(error: &wasmtime::Error) -> String {
    format!(
        "not a component of the world `headend:script/script@1.4.0`: {error:#}; build it with the SDK, without WASI"
    )
}

fn limit_of(error: &wasmtime::Error, limits: &GuestLimits) -> Option<String> {
    if error.is::<CpuLimit>() {
        return Some(limit_text(Work::Running, Duration::from_millis(limits.cpu_ms)));
    }
    if let Some(exceeded) = error.downcast_ref::<Exceeded>() {
        return Some(exceeded.to_string());
    }
    if let Some(gone) = error.downcast_ref::<LinkError>() {
        return Some(gone.to_string());
    }
    // Memory that a component declares is taken before the limiter is asked; the process's own limit has refused it.
    if error.root_cause().to_string().contains(NO_MEMORY) {
        return Some(format!("memory_bytes: more memory was asked for than the {} bytes allowed", limits.memory_bytes));
    }
    match error.downcast_ref::<Trap>() {
        Some(Trap::StackOverflow) => Some("call depth: functions call each other too deeply".into()),
        Some(Trap::Interrupt) => Some(limit_text(Work::Running, Duration::from_millis(limits.cpu_ms))),
        _ => None,
    }
}

fn trap_text(trap: Trap) -> String {
    match trap {
        Trap::UnreachableCodeReached => "trap: unreachable code (in Rust: a panic; the log has its text)".into(),
        other => format!("trap: {other}"),
    }
}

/// Adds the WASM calls, innermost first.
fn with_frames(mut text: String, error: &wasmtime::Error) -> String {
    let Some(backtrace) = error.downcast_ref::<WasmBacktrace>() else { return text };
    for frame in backtrace.frames().iter().take(FRAMES) {
        let _ = write!(text, "\n  in {}", frame_text(frame));
    }
    let more = backtrace.frames().len().saturating_sub(FRAMES);
    if more > 0 {
        let _ = write!(text, "\n  and {more} more");
    }
    text
}

fn frame_text(frame: &FrameInfo) -> String {
    let name = frame.func_name().map(|name| symbol_name(frame, name));
    let mut text = name.unwrap_or_else(|| format!("function {}", frame.func_index()));
    if let Some(symbol) = frame.symbols().first()
        && let (Some(file), Some(line)) = (symbol.file(), symbol.line())
    {
        let _ = write!(text, " at {file}:{line}");
    } else if let Some(offset) = frame.module_offset() {
        let _ = write!(text, " at offset {offset:#x}");
    }
    text
}

/// The name from the debugging information, or the function's own, as its author wrote it.
fn symbol_name(frame: &FrameInfo, name: &str) -> String {
    let name = frame.symbols().first().and_then(|symbol| symbol.name()).unwrap_or(name);
    // The alternate form leaves the hash out.
    format!("{:#}", rustc_demangle::demangle(name))
}

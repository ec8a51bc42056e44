//! Tests in Rhai.

mod calls;
mod engine;
mod errors;
mod screens;
mod senses;
mod text;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use headend_wire::session::{GuestLimits, ScriptEnd};
use rhai::{AST, Engine, Scope};

use self::engine::MemoryCap;
use super::cache::Recent;
use super::desk::Desk;
use super::guard::Work;
use super::limits::Memory;

/// How many parsed scripts are kept.
const KEPT_SCRIPTS: usize = 64;

/// The engine, made once, and what was parsed lately.
pub(super) struct RhaiHost {
    engine: Engine,
    desk: Arc<Desk>,
    memory: Arc<Memory>,
    cap: Arc<MemoryCap>,
    parsed: Recent<AST>,
}

/// What a test in Rhai may call, as a definition file for editors (`.d.rhai`).
///
/// # Errors
/// When the parts of an engine that never runs cannot be made: no descriptors, no thread.
pub fn definitions() -> std::io::Result<String> {
    // An engine with its calls, that leads nowhere: nothing is called.
    let (stream, _other_end) = std::os::unix::net::UnixStream::pair()?;
    let guard = super::guard::Guard::start(stream.try_clone()?, || {})?;
    let desk = Arc::new(Desk::new(super::link::Link::new(stream), guard));
    let engine = engine::build(&desk, &Arc::new(Memory::init()?), &Arc::new(MemoryCap::default()));
    let scope = calls::scope(&desk);
    Ok(engine.definitions_with_scope(&scope).single_file())
}

impl RhaiHost {
    pub(super) fn new(desk: &Arc<Desk>, memory: &Arc<Memory>) -> Self {
        let cap = Arc::new(MemoryCap::default());
        Self {
            engine: engine::build(desk, memory, &cap),
            desk: Arc::clone(desk),
            memory: Arc::clone(memory),
            cap,
            parsed: Recent::new(KEPT_SCRIPTS),
        }
    }

    /// Runs a source to its end. The CPU guard counts already.
    pub(super) fn run(&mut self, script: &Path, source: &[u8], limits: &GuestLimits) -> ScriptEnd {
        let name = script.file_name().unwrap_or(script.as_os_str()).to_string_lossy();
        let Ok(text) = str::from_utf8(source) else {
            return ScriptEnd::CannotStart(format!("`{name}` is not UTF-8 text; save it as UTF-8"));
        };
        if limits.operations == 0 {
            return ScriptEnd::Limit("operations: none are allowed".into());
        }
        if let Err(error) = self.memory.cap_run(limits.memory_bytes) {
            return ScriptEnd::CannotStart(format!("cannot limit the script's memory: {error}"));
        }
        self.cap.set(&self.memory, limits.memory_bytes);
        self.engine.set_max_operations(limits.operations);
        let mut scope = calls::scope(&self.desk);
        let ast = match self.parse(source, text, &scope) {
            Ok(ast) => ast,
            Err(error) => return ScriptEnd::CannotStart(errors::parse_text(&name, text, &error)),
        };
        self.desk.compute(Work::Running, Duration::from_millis(limits.cpu_ms));
        let end = self.engine.run_ast_with_scope(&mut scope, &ast);
        end.map_or_else(|error| errors::end(&name, text, &error, limits), |()| ScriptEnd::Finished)
    }

    fn parse(&mut self, source: &[u8], text: &str, scope: &Scope) -> Result<Arc<AST>, rhai::ParseError> {
        let hash = blake3::hash(source);
        if let Some(ast) = self.parsed.get(&hash) {
            return Ok(ast);
        }
        let ast = Arc::new(self.engine.compile_with_scope(scope, text)?);
        self.parsed.put(hash, Arc::clone(&ast));
        Ok(ast)
    }
}

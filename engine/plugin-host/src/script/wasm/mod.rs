//! Tests in WebAssembly: the world `script` of `sdk/wit/v1`.

mod compile;
mod engine;
mod errors;
mod host;
mod limiter;
mod screens;
mod senses;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use headend_wire::session::{GuestLimits, ScriptEnd};
use wasmtime::component::{HasSelf, Linker};
use wasmtime::{Store, UpdateDeadline};

pub(super) use self::engine::WasmEngine;

use self::compile::{CompileError, Compiler};
use self::host::State;
use self::host::bindings::{Script, ScriptPre};
use super::cache::Recent;
use super::desk::Desk;
use super::guard::Work;
use super::limits::Memory;

/// How many compiled scripts are kept in memory.
const KEPT_SCRIPTS: usize = 16;
/// Bytes that strings and lists of one call may take in the host.
const HOSTCALL_BYTES: usize = 1 << 20;

/// The engine and linker, made once, and what was compiled lately.
pub(super) struct WasmHost {
    engine: WasmEngine,
    compiler: Compiler,
    linker: Linker<State>,
    desk: Arc<Desk>,
    memory: Arc<Memory>,
    compiled: Recent<ScriptPre<State>>,
}

impl WasmHost {
    /// `cache`: a private folder for compiled code, made when missing.
    pub(super) fn new(
        engine: WasmEngine,
        desk: &Arc<Desk>,
        memory: &Arc<Memory>,
        cache: Option<&Path>,
    ) -> wasmtime::Result<Self> {
        let mut linker = Linker::new(&engine);
        Script::add_to_linker::<_, HasSelf<State>>(&mut linker, |state| state)?;
        Ok(Self {
            compiler: Compiler::new(&engine, cache),
            linker,
            desk: Arc::clone(desk),
            memory: Arc::clone(memory),
            compiled: Recent::new(KEPT_SCRIPTS),
            engine,
        })
    }

    /// Runs a component, or a core module that carries its WIT, to its end. The CPU guard counts already.
    pub(super) fn run(&mut self, script: &Path, bytes: &[u8], limits: &GuestLimits) -> ScriptEnd {
        let name = script.file_name().unwrap_or(script.as_os_str()).to_string_lossy().into_owned();
        let ready = match self.load(&name, bytes, limits) {
            Ok(ready) => ready,
            Err(end) => return end,
        };
        if let Err(error) = self.memory.cap_run(limits.memory_bytes) {
            return ScriptEnd::CannotStart(format!("cannot limit the script's memory: {error}"));
        }
        self.desk.compute(Work::Running, Duration::from_millis(limits.cpu_ms));
        let mut store = self.store(limits);
        let done = ready.instantiate(&mut store).and_then(|script| script.call_run(&mut store));
        match done {
            Ok(Ok(())) => ScriptEnd::Finished,
            Ok(Err(text)) => ScriptEnd::Crashed(format!("{name}: {text}")),
            Err(error) => errors::end(&name, &error, limits),
        }
    }

    /// The compiled and linked script, from memory, from disk, or made now.
    fn load(&mut self, name: &str, bytes: &[u8], limits: &GuestLimits) -> Result<Arc<ScriptPre<State>>, ScriptEnd> {
        let hash = blake3::hash(bytes);
        if let Some(ready) = self.compiled.get(&hash) {
            return Ok(ready);
        }
        let cannot = |error: String| ScriptEnd::CannotStart(format!("{name}: {error}"));
        self.memory.cap_compile().map_err(|error| cannot(format!("cannot limit the compiler's memory: {error}")))?;
        self.desk.compute(Work::Preparing, compile::budget(limits));
        let component = self.compiler.component(&hash, bytes).map_err(|error| match error {
            CompileError::TooLarge(_) => ScriptEnd::Limit(format!("{name}: {error}")),
            error => cannot(error.to_string()),
        })?;
        let linked = self.linker.instantiate_pre(&component).and_then(ScriptPre::new);
        let ready = Arc::new(linked.map_err(|error| cannot(errors::link_text(&error)))?);
        self.compiled.put(hash, Arc::clone(&ready));
        Ok(ready)
    }

    /// A fresh store: nothing of an earlier run is in it.
    fn store(&self, limits: &GuestLimits) -> Store<State> {
        let mut store = Store::new(&self.engine, State::new(&self.desk, limits.memory_bytes));
        store.limiter(|state| &mut state.limiter);
        store.set_hostcall_fuel(HOSTCALL_BYTES);
        store.set_epoch_deadline(1);
        // The epoch moves when a budget is used up. It may have been an earlier run's, which ended at the same moment.
        store.epoch_deadline_callback(|context| {
            let expired = context.data().desk.guard().expired();
            if expired { Err(errors::CpuLimit.into()) } else { Ok(UpdateDeadline::Continue(1)) }
        });
        store
    }
}

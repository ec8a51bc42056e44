//! The wasmtime engine of the process.

use std::ops::Deref;

use wasmtime::{Config, Engine, OptLevel};

/// Stack of a script, in bytes.
const STACK_BYTES: usize = 1 << 20;

/// One engine per process. Proposals that tests do not need are off: fewer features, fewer faults.
pub(crate) struct WasmEngine(Engine);

impl WasmEngine {
    pub(crate) fn new() -> wasmtime::Result<Self> {
        let mut config = Config::new();
        config
            .wasm_component_model(true)
            .wasm_tail_call(false)
            .wasm_memory64(false)
            .wasm_multi_memory(false)
            .wasm_relaxed_simd(false)
            .epoch_interruption(true)
            .max_wasm_stack(STACK_BYTES)
            .cranelift_opt_level(OptLevel::Speed)
            // One thread: the CPU guard then measures the script's own time, and the process stays small.
            .parallel_compilation(false);
        Ok(Self(Engine::new(&config)?))
    }

    /// Makes running scripts look at the clock.
    pub(crate) fn interrupter(&self) -> impl Fn() + Send + 'static {
        let engine = self.0.weak();
        move || {
            if let Some(engine) = engine.upgrade() {
                engine.increment_epoch();
            }
        }
    }
}

impl Deref for WasmEngine {
    type Target = Engine;

    fn deref(&self) -> &Engine {
        &self.0
    }
}

//! WebAssembly for guests that answer within this process: one engine per way of counting, no WASI, no clock, no randomness.
//!
//! The parts: the engine's settings, a ticker that makes deadlines bite, a meter that caps memory, and compilation in a child process
//! with a private cache.

mod cache;
mod compile;
mod meter;
mod ticker;

pub use compile::{CompileError, compile_main};

pub(crate) use cache::Compiler;
#[cfg(any(test, feature = "fuzz"))]
pub(crate) use compile::componentize;
pub(crate) use meter::Meter;
pub(crate) use ticker::Ticker;

use wasmtime::{Config, Engine};

/// Stack of a guest in bytes. Recursion past it is a trap.
const MAX_WASM_STACK: usize = 512 << 10;

/// Address space set aside per memory. Small, so that thousands of instances fit; the price is an explicit bounds check per access.
const MEMORY_RESERVATION: u64 = 64 << 20;

/// How calls are counted, which has to be settled when code is compiled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Counting {
    /// Wall-clock time only.
    Time,
    /// Time and instructions.
    Fuel,
}

impl Counting {
    /// As an argument of the compiling child.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Time => "time",
            Self::Fuel => "fuel",
        }
    }
}

/// The settings. Host and compiling child must agree on them, or the host refuses the child's code.
pub(crate) fn config(counting: Counting) -> Config {
    let mut config = Config::new();
    config
        .wasm_component_model(true)
        .epoch_interruption(true)
        .consume_fuel(counting == Counting::Fuel)
        .max_wasm_stack(MAX_WASM_STACK)
        .memory_reservation(MEMORY_RESERVATION)
        .memory_guard_size(64 << 10)
        .concurrency_support(false)
        .wasm_backtrace_max_frames(std::num::NonZeroUsize::new(8))
        // What policies do not need is off: each proposal is code that could be wrong.
        .wasm_simd(false)
        .wasm_relaxed_simd(false)
        .wasm_tail_call(false)
        .wasm_memory64(false)
        .wasm_multi_memory(false);
    config
}

/// Both engines of a process, and the thread that makes their deadlines bite.
pub(crate) struct Engines {
    time: Engine,
    fuel: Engine,
    ticker: std::sync::Arc<Ticker>,
}

impl Engines {
    /// Builds the engines and starts the ticker.
    pub(crate) fn new() -> wasmtime::Result<Self> {
        let time = Engine::new(&config(Counting::Time))?;
        let fuel = Engine::new(&config(Counting::Fuel))?;
        let ticker = Ticker::start(vec![time.weak(), fuel.weak()])?;
        Ok(Self { time, fuel, ticker })
    }

    pub(crate) fn of(&self, counting: Counting) -> &Engine {
        match counting {
            Counting::Time => &self.time,
            Counting::Fuel => &self.fuel,
        }
    }

    pub(crate) fn ticker(&self) -> &std::sync::Arc<Ticker> {
        &self.ticker
    }
}

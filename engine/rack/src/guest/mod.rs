//! Rhai and WASM scripts: guest processes, pre-warmed, used again as long as they are clean.

mod host;
mod pool;
mod process;

pub use host::run;
pub use pool::GuestPool;

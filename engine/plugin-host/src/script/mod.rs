//! The script host: Rhai and WebAssembly tests, run one after the other in a disposable process.
//!
//! ```text
//!  rack's supervisor ── socket (fd 3), one JSON object per line ── guest process
//!        Run {info, limits} ─────────────────────────────────────▶ by extension: .rhai or .wasm
//!        ◀──────────────────────────── Call, Reply, Call, Reply …  the script's calls
//!        ◀────────────────────────────────────────── Ended {how}   next Run, or the end
//! ```
//!
//! [`guest_main`] is the whole process. Foreign code never runs in the supervisor, so whatever a script breaks, it breaks here:
//!
//! * `guard` watches the CPU time without a call, also where an interpreter cannot be interrupted (parsing, compiling);
//! * `limits` caps the process's memory; an allocation past the cap ends the process, and the supervisor sees it die;
//! * `rhai` and `wasm` set every limit that their engine has.
//!
//! A guest stays usable after [`ScriptEnd::Finished`], [`ScriptEnd::Crashed`] and [`ScriptEnd::CannotStart`]: each run has a fresh scope or
//! a fresh store, and nothing of a run is kept but compiled code. After [`ScriptEnd::Limit`], and when a run leaves much memory behind, it
//! says `Ended` and goes. A supervisor that finds a guest gone between two runs starts another; nothing is lost.
//!
//! [`ScriptEnd::Finished`]: headend_wire::session::ScriptEnd::Finished
//! [`ScriptEnd::Crashed`]: headend_wire::session::ScriptEnd::Crashed
//! [`ScriptEnd::CannotStart`]: headend_wire::session::ScriptEnd::CannotStart
//! [`ScriptEnd::Limit`]: headend_wire::session::ScriptEnd::Limit

mod cache;
mod desk;
#[cfg(any(test, feature = "fuzz"))]
pub(crate) mod fuzz;
mod guard;
mod guest;
mod limits;
mod link;
mod rhai;
mod source;
#[cfg(test)]
mod tests;
mod wasm;

pub use self::rhai::definitions;
pub use guest::{ENV_CACHE, guest_main};

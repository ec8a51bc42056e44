//! What the fuzz targets of `tests/fuzz` call, and the property tests beside it: foreign bytes through the steps that they take in
//! the server, in the compiling child and in the guests, all in this process. No promise of the library: it is there for tests alone.
//!
//! Each entry panics when a rule does not hold; what it is about is said there.

#![allow(clippy::expect_used, clippy::missing_panics_doc, reason = "a broken rule is a panic here")]

mod mirror;
#[cfg(test)]
mod tests;

pub use crate::policy::scripted::fuzz::policy_source;
pub use crate::script::fuzz::script_source;
pub use mirror::Mirror;

use std::path::Path;
use std::sync::{Arc, OnceLock};

use wasmtime::Engine;
use wasmtime::component::Component;

use crate::lifecycle::{Package, Upload};
use crate::manifest::{Kind, Limits, Manifest, ManifestError};
use crate::policy::wasm::WasmPolicy;
use crate::wasm::{Counting, Ticker, componentize, config};

/// The most that a manifest may ask for here.
pub const MOST: Limits = Limits { memory_mib: 64, deadline_ms: 1_000, fuel: None, host_calls: 1_000 };

/// A file that somebody sends, through all that the server itself does with it: unpacked, its manifest found and read. Whether it is a
/// package. What was taken has a code within its bounds and the name of a plain file, and reads the same again.
pub fn package(file: &str, bytes: &[u8]) -> bool {
    let read = || {
        let upload = Upload { file: file.to_owned(), bytes: bytes.to_vec(), signature: None };
        Package::sent(upload, &MOST)
    };
    match (read(), read()) {
        (Ok(one), Ok(two)) => {
            assert_eq!((&one.hash, &one.manifest), (&two.hash, &two.manifest));
            assert!(!one.manifest.file.contains(['/', '\\']) && !one.manifest.file.starts_with('.'));
            true
        }
        (Err(one), Err(two)) => {
            assert_eq!(one.to_string(), two.to_string());
            false
        }
        _ => panic!("the same bytes are read differently twice"),
    }
}

/// Text of a manifest. What is taken keeps within the host's limits; what is refused is refused in one short line that names a line of
/// the text.
///
/// # Errors
/// Why it is refused.
pub fn manifest(text: &str) -> Result<Manifest, ManifestError> {
    let parsed = Manifest::parse(text, Path::new("headend-plugin.toml"), &MOST);
    match &parsed {
        Ok(Manifest { limits, version, description, .. }) => {
            assert!(limits.memory_mib <= MOST.memory_mib && limits.deadline_ms <= MOST.deadline_ms);
            assert!(limits.host_calls <= MOST.host_calls && version.len() <= 64 && description.len() <= 300);
        }
        Err(error) => {
            assert!(error.line >= 1 && error.line <= 1 + text.lines().count(), "line {}", error.line);
            assert!(error.what.len() <= 2_000, "{} bytes of error", error.what.len());
            assert!(!error.what.contains('\n'), "{:?}", error.what);
        }
    }
    parsed
}

/// Code of a plugin, through all that the compiling child does, and linked as each of the worlds. Whether it is a policy. What was made a
/// component stays one.
///
/// Core modules are left out: the encoder that makes components of them panics and recurses when the WIT inside is malformed, which ends the
/// child that it works in and nothing else (`hostile_corpus.rs` sends such modules through the host).
pub fn code(bytes: &[u8]) -> bool {
    if bytes.get(..8).is_none_or(|head| head[6] == 0) {
        return false;
    }
    let Ok(component) = componentize(bytes.to_vec()) else { return false };
    assert_eq!(componentize(component.clone()).as_ref(), Ok(&component), "a component passes unchanged");
    let Ok(component) = Component::new(engine(), &component) else { return false };
    let worlds = [(Kind::CoveragePolicy, 1), (Kind::CoveragePolicy, 2), (Kind::QueuePolicy, 1), (Kind::QueuePolicy, 2)];
    let links =
        |(kind, major): &(Kind, u32)| WasmPolicy::compiled_here(&component, &of(*kind, *major), ticker()).is_ok();
    worlds.iter().filter(|world| links(world)).count() > 0
}

fn ticker() -> &'static Arc<Ticker> {
    static TICKER: OnceLock<Arc<Ticker>> = OnceLock::new();
    TICKER.get_or_init(|| Ticker::start(vec![engine().weak()]).expect("a thread"))
}

/// The settings of the server, with the least of optimisation: nothing here runs for long.
fn engine() -> &'static Engine {
    static ENGINE: OnceLock<Engine> = OnceLock::new();
    ENGINE.get_or_init(|| {
        let mut config = config(Counting::Time);
        config.cranelift_opt_level(wasmtime::OptLevel::None).parallel_compilation(false);
        Engine::new(&config).expect("an engine")
    })
}

/// A manifest of that kind, against that contract, with all that may be asked for.
fn of(kind: Kind, major: u32) -> Manifest {
    let text = format!(
        "name = \"fuzz\"\nversion = \"1\"\nkind = \"{kind}\"\nworld = \"{major}.0.0\"\nfile = \"p.wasm\"\n\
         capabilities = [\"log\"]\n[limits]\ndeadline_ms = 1000\nmemory_mib = 16\n"
    );
    Manifest::parse(&text, Path::new("headend-plugin.toml"), &MOST).expect("our own manifest")
}

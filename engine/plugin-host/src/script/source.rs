//! Reads a script's file, whichever language it is in.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use headend_wire::session::{GuestLimits, ScriptEnd};

/// Largest WASM file, in bytes. Compiling is limited too; this keeps the attempt cheap.
const MAX_WASM_BYTES: u64 = 32 << 20;

/// Which host runs the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Language {
    Rhai,
    Wasm,
}

impl Language {
    /// By the file's extension, whatever its case.
    pub(super) fn of(script: &Path) -> Option<Self> {
        match script.extension()?.to_str()?.to_ascii_lowercase().as_str() {
            "rhai" => Some(Self::Rhai),
            "wasm" => Some(Self::Wasm),
            _ => None,
        }
    }

    fn limit(self, limits: &GuestLimits) -> (u64, &'static str) {
        match self {
            Self::Rhai => (limits.source_bytes, "source_bytes"),
            Self::Wasm => (MAX_WASM_BYTES, "module size"),
        }
    }
}

/// Reads the file up to the language's limit.
pub(super) fn read(script: &Path, language: Language, limits: &GuestLimits) -> Result<Vec<u8>, ScriptEnd> {
    let (limit, name) = language.limit(limits);
    let cannot = |error: std::io::Error| {
        ScriptEnd::CannotStart(format!("cannot read the script `{}`: {error}; was it uploaded?", script.display()))
    };
    let file = File::open(script).map_err(cannot)?;
    let size = file.metadata().map_err(cannot)?.len();
    let mut bytes = Vec::with_capacity(size.min(limit) as usize + 1);
    // One byte more than allowed tells a file that has grown since.
    file.take(limit.saturating_add(1)).read_to_end(&mut bytes).map_err(cannot)?;
    if bytes.len() as u64 > limit {
        let size = size.max(bytes.len() as u64);
        return Err(ScriptEnd::Limit(format!("{name}: the script has {size} bytes; at most {limit} are allowed")));
    }
    Ok(bytes)
}

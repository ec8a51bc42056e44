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
    let bytes = read_all(file, size, limit).map_err(cannot)?;
    if bytes.len() as u64 > limit {
        let size = size.max(bytes.len() as u64);
        return Err(ScriptEnd::Limit(format!("{name}: the script has {size} bytes; at most {limit} are allowed")));
    }
    Ok(bytes)
}

/// All of the file, usually with one read; one byte more than the limit tells a file that has grown since.
fn read_all(mut file: File, size: u64, limit: u64) -> std::io::Result<Vec<u8>> {
    let mut bytes = vec![0; size.min(limit) as usize + 1];
    let mut filled = 0;
    while let Some(rest) = bytes.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match file.read(rest) {
            Ok(0) => {
                bytes.truncate(filled);
                return Ok(bytes);
            }
            Ok(read) => filled += read,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    // It has grown while it was read.
    file.take(limit.saturating_add(1).saturating_sub(filled as u64)).read_to_end(&mut bytes)?;
    Ok(bytes)
}

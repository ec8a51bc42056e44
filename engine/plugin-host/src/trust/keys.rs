//! Public keys of minisign: from a flag, or from files.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use minisign_verify::PublicKey;

/// Largest key file in bytes: a comment and a line.
const MAX_KEY_FILE: u64 = 8 << 10;

/// A key that is trusted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustedKey {
    /// Its id, as minisign shows it: 16 hex digits.
    pub id: String,
    /// What the operator calls it: the name of its file without `.pub`.
    pub name: String,
    pub(super) key: PublicKey,
}

/// Something that is no key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// A file that cannot be read.
    #[error("cannot read the key file {}", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// Others may write to it.
    #[error("{} may be written by others than its owner; `chmod go-w` it first", path.display())]
    Open {
        /// Which.
        path: PathBuf,
    },
    /// Not a key.
    #[error("{given:?} is no public key of minisign; it is the second line of a .pub file and begins with RW")]
    NoKey {
        /// The file, or what was given in its place.
        given: String,
    },
}

impl TrustedKey {
    /// A key file, or the key itself in base64.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn parse(given: &str) -> Result<Self, KeyError> {
        match Self::from_text(given, "given by flag") {
            Some(key) => Ok(key),
            None if Path::new(given).exists() => Self::from_file(Path::new(given)),
            None => Err(KeyError::NoKey { given: given.chars().take(100).collect() }),
        }
    }

    /// A `.pub` file.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn from_file(path: &Path) -> Result<Self, KeyError> {
        let fail = |source| KeyError::Read { path: path.into(), source };
        let meta = fs::metadata(path).map_err(fail)?;
        if !meta.is_file() || meta.len() > MAX_KEY_FILE {
            return Err(KeyError::NoKey { given: path.display().to_string() });
        }
        closed_to_others(path, &meta)?;
        let text = fs::read_to_string(path).map_err(fail)?;
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        Self::from_text(&text, &name).ok_or_else(|| KeyError::NoKey { given: path.display().to_string() })
    }

    /// The key is the last line: before it there may be a comment.
    fn from_text(text: &str, name: &str) -> Option<Self> {
        let line = text.lines().map(str::trim).rfind(|line| !line.is_empty())?;
        Some(Self { id: id_of(line)?, name: name.to_owned(), key: PublicKey::from_base64(line).ok()? })
    }
}

/// Who may write a key may bring plugins.
fn closed_to_others(path: &Path, meta: &fs::Metadata) -> Result<(), KeyError> {
    if meta.mode() & 0o022 == 0 { Ok(()) } else { Err(KeyError::Open { path: path.into() }) }
}

/// The id in a line of a key or a signature: bytes 2 to 10, shown from the last to the first.
pub(super) fn id_of(line: &str) -> Option<String> {
    use base64::Engine;
    let bytes = base64::engine::general_purpose::STANDARD.decode(line.trim()).ok()?;
    let id: [u8; 8] = bytes.get(2..10)?.try_into().ok()?;
    Some(format!("{:016X}", u64::from_le_bytes(id)))
}

/// All keys in a folder, by file name.
pub(super) fn in_folder(folder: &Path) -> Vec<TrustedKey> {
    let told = |error: KeyError| {
        let cause = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
        tracing::warn!(%error, cause, "this key is not trusted");
    };
    match fs::metadata(folder) {
        // No folder, no keys.
        Err(_) => return Vec::new(),
        Ok(meta) => {
            if let Err(error) = closed_to_others(folder, &meta) {
                told(error);
                return Vec::new();
            }
        }
    }
    let entries = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut files: Vec<PathBuf> = entries.filter(|path| path.extension().is_some_and(|end| end == "pub")).collect();
    files.sort();
    files.iter().filter_map(|path| TrustedKey::from_file(path).map_err(told).ok()).collect()
}

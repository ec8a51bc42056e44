//! The name of a blob.

use std::fmt;
use std::str::FromStr;

use crate::error::FilesError;

/// BLAKE3 of some bytes; shown as 64 lower-case hex digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct BlobHash([u8; 32]);

impl BlobHash {
    /// The hash of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(*blake3::hash(bytes).as_bytes())
    }

    /// The 32 bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl From<blake3::Hash> for BlobHash {
    fn from(hash: blake3::Hash) -> Self {
        Self(*hash.as_bytes())
    }
}

impl fmt::Display for BlobHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(blake3::Hash::from_bytes(self.0).to_hex().as_str())
    }
}

impl fmt::Debug for BlobHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for BlobHash {
    type Err = FilesError;
    fn from_str(text: &str) -> Result<Self, FilesError> {
        let bad = || FilesError::BadHash { text: text.chars().take(80).collect() };
        // One spelling only: a hash is also a file name.
        if text.len() != 64 || !text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
            return Err(bad());
        }
        blake3::Hash::from_hex(text).map(Self::from).map_err(|_| bad())
    }
}

impl TryFrom<String> for BlobHash {
    type Error = FilesError;
    fn try_from(text: String) -> Result<Self, FilesError> {
        text.parse()
    }
}

impl From<BlobHash> for String {
    fn from(hash: BlobHash) -> Self {
        hash.to_string()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_hash_has_one_spelling() {
        let hash = BlobHash::of(b"headend");
        assert_eq!(hash.to_string().parse::<BlobHash>().unwrap(), hash);
        for bad in ["", "ab", &hash.to_string().to_uppercase(), &"g".repeat(64), &format!("{hash} "), "../../etc"] {
            assert!(bad.parse::<BlobHash>().is_err() || bad == hash.to_string(), "{bad:?} was taken");
        }
    }
}

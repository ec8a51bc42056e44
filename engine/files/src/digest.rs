//! The names by which clients may call bytes: their BLAKE3, as we do, or their SHA-256, which every standard library has.

use std::fmt;
use std::str::FromStr;

use sha2::Digest as _;

use crate::error::FilesError;
use crate::hash::BlobHash;

/// How a SHA-256 digest begins in text.
const PREFIX: &str = "sha256:";

/// SHA-256 of some bytes; shown as 64 lower-case hex digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sha256Hash([u8; 32]);

impl Sha256Hash {
    /// The hash of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(sha2::Sha256::digest(bytes).into())
    }
}

impl fmt::Display for Sha256Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Both are 32 bytes, and hex is hex.
        f.write_str(blake3::Hash::from_bytes(self.0).to_hex().as_str())
    }
}

impl fmt::Debug for Sha256Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What a client calls some bytes: `sha256:` and 64 lower-case hex digits, or the 64 of BLAKE3 alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Digest {
    /// Our own name.
    Blake3(BlobHash),
    /// The other one.
    Sha256(Sha256Hash),
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Blake3(hash) => hash.fmt(f),
            Self::Sha256(hash) => write!(f, "{PREFIX}{hash}"),
        }
    }
}

impl FromStr for Digest {
    type Err = FilesError;
    fn from_str(text: &str) -> Result<Self, FilesError> {
        match text.strip_prefix(PREFIX) {
            None => text.parse().map(Self::Blake3),
            Some(digits) => {
                let hash: BlobHash =
                    digits.parse().map_err(|_| FilesError::BadHash { text: text.chars().take(80).collect() })?;
                Ok(Self::Sha256(Sha256Hash(*hash.as_bytes())))
            }
        }
    }
}

impl From<BlobHash> for Digest {
    fn from(hash: BlobHash) -> Self {
        Self::Blake3(hash)
    }
}

/// Both hashes of bytes that come piece by piece.
#[derive(Clone)]
pub struct Hashes {
    blake3: blake3::Hasher,
    sha256: Option<sha2::Sha256>,
}

impl Hashes {
    /// Of nothing yet.
    pub fn both() -> Self {
        Self { blake3: blake3::Hasher::new(), sha256: Some(sha2::Sha256::new()) }
    }

    /// BLAKE3 alone: half the work, for whoever needs no more.
    pub(crate) fn blake3() -> Self {
        Self { blake3: blake3::Hasher::new(), sha256: None }
    }

    /// More bytes.
    pub fn update(&mut self, bytes: &[u8]) -> &mut Self {
        self.blake3.update(bytes);
        if let Some(sha256) = &mut self.sha256 {
            sha256.update(bytes);
        }
        self
    }

    /// The hashes of all bytes so far.
    pub fn finish(&self) -> (BlobHash, Option<Sha256Hash>) {
        (self.blake3.finalize().into(), self.sha256.clone().map(|sha256| Sha256Hash(sha256.finalize().into())))
    }

    /// Whether the bytes so far are those that a client calls so; their own name if not.
    ///
    /// # Errors
    /// [`FilesError::WrongHash`].
    pub(crate) fn require(&self, claimed: Option<Digest>) -> Result<(BlobHash, Option<Sha256Hash>), FilesError> {
        let (hash, sha256) = self.finish();
        let found = match claimed {
            Some(Digest::Sha256(_)) => sha256.map_or(Digest::Blake3(hash), Digest::Sha256),
            _ => Digest::Blake3(hash),
        };
        match claimed {
            Some(claimed) if claimed != found => Err(FilesError::WrongHash { claimed, found }),
            _ => Ok((hash, sha256)),
        }
    }
}

impl fmt::Debug for Hashes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hashes").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_digest_says_of_which_kind_it_is() {
        // FIPS 180-2, appendix B.1.
        let abc = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(Digest::Sha256(Sha256Hash::of(b"abc")).to_string(), abc);
        assert_eq!(abc.parse::<Digest>().unwrap(), Digest::Sha256(Sha256Hash::of(b"abc")));
        let plain = BlobHash::of(b"abc");
        assert_eq!(plain.to_string().parse::<Digest>().unwrap(), Digest::Blake3(plain));
        for bad in
            ["sha256:", "sha1:00", "SHA256:00", &abc.to_uppercase(), &format!("{abc}0"), &format!("blake3:{plain}")]
        {
            assert!(bad.parse::<Digest>().is_err(), "{bad} was taken");
        }
    }

    #[test]
    fn bytes_that_come_in_pieces_have_the_same_hashes() {
        let mut hashes = Hashes::both();
        hashes.update(b"a").update(b"").update(b"bc");
        let both = (BlobHash::of(b"abc"), Some(Sha256Hash::of(b"abc")));
        assert_eq!(hashes.finish(), both);
        assert_eq!(hashes.require(Some(Digest::Sha256(Sha256Hash::of(b"abc")))).unwrap(), both);
        assert!(hashes.require(Some(Digest::Sha256(Sha256Hash::of(b"abd")))).is_err());
        assert!(hashes.require(Some(Digest::Blake3(BlobHash::of(b"abd")))).is_err());
    }
}

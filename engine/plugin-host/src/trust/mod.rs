//! Who may bring plugins: signatures in minisign's format (Ed25519), and the keys that this host trusts.
//!
//! What a signature covers depends on how the plugin comes:
//!
//! | comes as | what is signed | where the signature is |
//! |---|---|---|
//! | bundle (`.tar`, `.tar.gz`, `.zip`) | the bundle's bytes | `BUNDLE.minisig` beside it |
//! | one file with its manifest inside | the file's bytes | `FILE.minisig` beside it |
//! | folder, or a bundle without a signature of its own | the manifest, which names the `sha256` of the code | `headend-plugin.toml.minisig` |
//!
//! Both forms that minisign knows are taken, of the whole and of its hash. Keys do not expire: one that is not to be trusted any more
//! is taken off the list, and what it signed is refused from the next load on.

mod keys;

use std::path::PathBuf;

use minisign_verify::{Error, Signature};

pub use keys::{KeyError, TrustedKey};

/// What is done about plugins that nobody vouches for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SignatureMode {
    /// Signatures are not looked at.
    #[default]
    Off,
    /// They are loaded, and it is said.
    Warn,
    /// They are refused.
    Require,
}

impl SignatureMode {
    /// As written in a flag.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Warn => "warn",
            Self::Require => "require",
        }
    }
}

/// Whom a host trusts.
#[derive(Clone, Debug, Default)]
pub struct Trust {
    /// What is done about the others.
    pub mode: SignatureMode,
    /// Keys that are always trusted.
    pub keys: Vec<TrustedKey>,
    /// A folder of `*.pub` files, read anew at each load: a key comes and goes without a restart.
    pub folder: Option<PathBuf>,
}

/// What was found out about a plugin's signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SignatureInfo {
    /// Nobody has looked.
    NotChecked,
    /// A trusted key has signed it.
    Good(Signer),
    /// It was let in although nobody trusted vouches for it.
    Doubtful(SignatureFault),
}

/// Who has signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signer {
    /// Id of the key, as minisign shows it.
    pub key: String,
    /// What the operator calls the key.
    pub name: String,
    /// The comment that the signature covers: usually time and file name.
    pub comment: String,
}

/// Why a signature does not vouch for a plugin.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureFault {
    /// There is none.
    #[error(
        "it has no signature; sign {what} with minisign and put {what}.minisig beside it (of a folder sign headend-plugin.toml, with the \
         `sha256` of the code in it)"
    )]
    Missing {
        /// What was to be signed.
        what: String,
    },
    /// The manifest is signed and says nothing of the code.
    #[error("its manifest is signed, but does not name the `sha256` of the code; add it and sign again")]
    CodeNotCovered,
    /// It is no signature.
    #[error("the signature of {what} cannot be read as one of minisign: {why}")]
    Malformed {
        /// What was to be signed.
        what: String,
        /// Why not.
        why: String,
    },
    /// Signed by somebody that this host does not know.
    #[error("{what} is signed with key {key}, which is not trusted here; {known}")]
    UnknownKey {
        /// What was signed.
        what: String,
        /// Id of the key.
        key: String,
        /// The keys that are trusted, and how to add one.
        known: String,
    },
    /// The bytes are not those that were signed, or the comment is not.
    #[error("{what} is not what key {key} ({name}) has signed: it or its signature was changed afterwards")]
    Tampered {
        /// What was signed.
        what: String,
        /// Id of the key.
        key: String,
        /// What the operator calls the key.
        name: String,
    },
}

/// Bytes, and the signature that came with them.
pub(crate) struct Claim<'a> {
    /// For messages: a file name.
    pub(crate) what: &'a str,
    pub(crate) bytes: &'a [u8],
    pub(crate) signature: Option<&'a str>,
    /// The bytes tell of all of the plugin.
    pub(crate) covers_code: bool,
}

impl Trust {
    /// Looks at a signature.
    ///
    /// # Errors
    /// [`SignatureFault`], in mode [`SignatureMode::Require`] only.
    pub(crate) fn look(&self, claim: &Claim<'_>) -> Result<SignatureInfo, SignatureFault> {
        match (self.mode, self.verify(claim)) {
            (SignatureMode::Off, _) => Ok(SignatureInfo::NotChecked),
            (_, Ok(signer)) => Ok(SignatureInfo::Good(signer)),
            (SignatureMode::Warn, Err(fault)) => Ok(SignatureInfo::Doubtful(fault)),
            (SignatureMode::Require, Err(fault)) => Err(fault),
        }
    }

    fn verify(&self, claim: &Claim<'_>) -> Result<Signer, SignatureFault> {
        let what = claim.what.to_owned();
        let text = claim.signature.ok_or(SignatureFault::Missing { what: what.clone() })?;
        let malformed = |why: String| SignatureFault::Malformed { what: what.clone(), why };
        let signature = Signature::decode(text).map_err(|error| malformed(error.to_string()))?;
        let id = keys::id_of(text.lines().nth(1).unwrap_or_default()).ok_or_else(|| malformed("no key id".into()))?;
        let trusted = self.trusted();
        let Some(trust) = trusted.iter().find(|key| key.id == id) else {
            return Err(SignatureFault::UnknownKey { what, key: id, known: self.known(&trusted) });
        };
        match trust.key.verify(claim.bytes, &signature, true) {
            Ok(()) if !claim.covers_code => Err(SignatureFault::CodeNotCovered),
            Ok(()) => Ok(Signer { key: id, name: trust.name.clone(), comment: comment(&signature) }),
            Err(Error::InvalidSignature | Error::UnexpectedKeyId) => {
                Err(SignatureFault::Tampered { what, key: id, name: trust.name.clone() })
            }
            Err(error) => Err(malformed(error.to_string())),
        }
    }

    /// The keys that are trusted now. A file that is no key is told and left out: that can only make the list shorter.
    pub fn trusted(&self) -> Vec<TrustedKey> {
        let mut all = self.keys.clone();
        if let Some(folder) = &self.folder {
            all.extend(keys::in_folder(folder));
        }
        all
    }

    fn known(&self, trusted: &[TrustedKey]) -> String {
        let add = match &self.folder {
            Some(folder) => format!("put the signer's .pub file into {} if you trust it", folder.display()),
            None => "name the signer's key with --trusted-key if you trust it".to_owned(),
        };
        let names: Vec<String> = trusted.iter().map(|key| format!("{} ({})", key.id, key.name)).collect();
        match names.as_slice() {
            [] => format!("no key is; {add}"),
            _ => format!("trusted are {}; {add}", names.join(", ")),
        }
    }
}

/// For people: one line, of bounded length, without what a terminal would take for an order.
fn comment(signature: &Signature) -> String {
    let plain = |c: char| if c.is_control() { ' ' } else { c };
    signature.trusted_comment().chars().take(200).map(plain).collect()
}

#[cfg(test)]
mod tests;

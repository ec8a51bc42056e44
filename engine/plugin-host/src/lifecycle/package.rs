//! Steps 1 to 5: what somebody brought becomes a package that may be compiled.

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::{Grants, Kinds, LoadError, bundle, inside};
use crate::manifest::{Kind, Language, Limits, MANIFEST_FILE, Manifest, WorldVersion};
use crate::trust::{Claim, SignatureInfo, Trust};

/// Largest code file in bytes.
pub const MAX_CODE: u64 = 32 << 20;

/// Largest file that is brought, in bytes: code, or a bundle with it.
pub const MAX_UPLOAD: u64 = MAX_CODE + (1 << 20);

/// Largest Rhai source in bytes: parsing takes time that grows with the square of the number of statements.
const MAX_RHAI: u64 = 64 << 10;

/// Largest manifest in bytes.
const MAX_MANIFEST: u64 = 64 << 10;

/// Largest signature in bytes.
pub const MAX_SIGNATURE: u64 = 8 << 10;

/// Ending of a signature, behind the name of what it signs.
pub(crate) const SIGNATURE_ENDING: &str = ".minisig";

/// The contracts this build offers to policies, oldest first (`sdk/wit/*/policy`).
pub(crate) const POLICY_WORLDS: &[WorldVersion] = &[WorldVersion(1, 0, 0), WorldVersion(2, 0, 0)];

/// Where a plugin came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A folder, or a file, on this machine.
    Path(PathBuf),
    /// It was sent; the name of the file.
    Upload(String),
}

impl Origin {
    /// The path, if it came from one.
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::Path(path) => Some(path),
            Self::Upload(_) => None,
        }
    }

    /// What comes from here may take the place of what came from there.
    pub(crate) fn may_replace(&self, there: &Self) -> bool {
        match (self, there) {
            (Self::Path(here), Self::Path(there)) => here == there,
            (Self::Upload(_), Self::Upload(_)) => true,
            _ => false,
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(path) => path.display().fmt(f),
            Self::Upload(file) => write!(f, "an upload of {file}"),
        }
    }
}

/// A file that somebody sends in place of a path.
#[derive(Clone, Debug)]
pub struct Upload {
    /// Its name, by whose ending it is known: `.tar`, `.tar.gz`, `.tgz`, `.zip`, `.rhai`, `.wasm`.
    pub file: String,
    /// Its content.
    pub bytes: Vec<u8>,
    /// The text of its `.minisig`, if there is one.
    pub signature: Option<String>,
}

/// A plugin as read: its bytes are in memory, so that what is hashed is what is compiled.
pub(crate) struct Package {
    pub(crate) manifest: Manifest,
    /// Text of the manifest.
    pub(crate) text: String,
    pub(crate) code: Arc<[u8]>,
    pub(crate) origin: Origin,
    /// BLAKE3 over manifest and code, in hex.
    pub(crate) hash: String,
    pub(crate) brought: Brought,
}

/// In which form it came: what a signature covers.
pub(crate) enum Brought {
    /// Manifest and code apart; the signature is the manifest's.
    Parts { signature: Option<String> },
    /// One file; the signature is the file's.
    File { name: String, bytes: Arc<[u8]>, signature: Option<String> },
}

impl Package {
    /// Reads a plugin's folder, the folder of the manifest that is named, a bundle, or a single file.
    pub(crate) fn read(path: &Path, most: &Limits) -> Result<Self, LoadError> {
        if path.is_file() && !path.ends_with(MANIFEST_FILE) {
            let file = file_name(path);
            let real = path.canonicalize().map_err(|source| LoadError::Read { path: path.into(), source })?;
            let bytes = read_capped(path, MAX_UPLOAD)?;
            if bundle::is_bundle(&file) || inside::manifest_in(&file, &bytes).is_some() {
                let upload = Upload { file, bytes, signature: signature_of(path)? };
                return Self::from_file(upload, Origin::Path(real), most);
            }
        }
        let folder = Folder::find(path)?;
        // One folder has one spelling from here on: a plugin's name belongs to its folder.
        let origin =
            folder.path.canonicalize().map_err(|source| LoadError::Read { path: folder.manifest.clone(), source })?;
        let (text, signature) = (folder.text()?, signature_of(&folder.manifest)?);
        let manifest = Manifest::parse(&text, &folder.manifest, most)?;
        let code = read_capped(&origin.join(&manifest.file), code_cap(&manifest))?;
        Self::new(manifest, text, code.into(), Origin::Path(origin), Brought::Parts { signature })
    }

    /// The same for what was sent.
    pub(crate) fn sent(upload: Upload, most: &Limits) -> Result<Self, LoadError> {
        let origin = Origin::Upload(upload.file.clone());
        Self::from_file(upload, origin, most)
    }

    fn from_file(upload: Upload, origin: Origin, most: &Limits) -> Result<Self, LoadError> {
        let Upload { file, bytes, signature } = upload;
        let bytes: Arc<[u8]> = bytes.into();
        if !bundle::is_bundle(&file) {
            let no_manifest = || LoadError::Bundle {
                bundle: file.clone(),
                what: format!(
                    "it is no bundle and has no manifest inside; put {MANIFEST_FILE} beside it and pack both"
                ),
            };
            let text = inside::manifest_in(&file, &bytes).ok_or_else(no_manifest)?;
            let manifest = Manifest::parse(&text, Path::new(&file), most)?;
            within(Path::new(&file), bytes.len(), code_cap(&manifest))?;
            let brought = Brought::File { name: file, bytes: bytes.clone(), signature };
            return Self::new(manifest, text, bytes, origin, brought);
        }
        let mut files = bundle::unpack(&file, &bytes)?;
        let place = |name: &str| Path::new(&file).join(name);
        let at = place(MANIFEST_FILE);
        let text = files.remove(MANIFEST_FILE).unwrap_or_default();
        within(&at, text.len(), MAX_MANIFEST)?;
        let text = utf8(&at, text)?;
        let manifest = Manifest::parse(&text, &at, most)?;
        let code = files.remove(&manifest.file).ok_or_else(|| LoadError::Bundle {
            bundle: file.clone(),
            what: format!("{:?}, which its manifest names, is not beside the manifest", manifest.file),
        })?;
        within(&place(&manifest.file), code.len(), code_cap(&manifest))?;
        let inner = files.remove(&format!("{MANIFEST_FILE}{SIGNATURE_ENDING}"));
        let brought = match (signature, inner) {
            (None, Some(inner)) => Brought::Parts { signature: Some(utf8(&at, inner)?) },
            (signature, _) => Brought::File { name: file, bytes, signature },
        };
        Self::new(manifest, text, code.into(), origin, brought)
    }

    fn new(
        manifest: Manifest,
        text: String,
        code: Arc<[u8]>,
        origin: Origin,
        brought: Brought,
    ) -> Result<Self, LoadError> {
        if let Some(named) = &manifest.sha256 {
            let found = hex::encode(Sha256::digest(&code));
            if *named != found {
                return Err(LoadError::OtherCode { plugin: label(&manifest), file: manifest.file.clone(), found });
            }
        }
        let hash = hash(&text, &code);
        Ok(Self { manifest, text, code, origin, hash, brought })
    }

    /// Name and version, for messages.
    pub(crate) fn label(&self) -> String {
        label(&self.manifest)
    }

    /// Steps 3 and 4: it is of a kind that is loaded here, its contract is offered, and what is asked for is granted.
    pub(crate) fn check_contract(
        &self,
        kinds: &'static [Kind],
        worlds: &'static [WorldVersion],
        grants: &Grants,
    ) -> Result<(), LoadError> {
        let manifest = &self.manifest;
        if !kinds.contains(&manifest.kind) {
            return Err(LoadError::Kind { plugin: self.label(), kind: manifest.kind, taken: Kinds(kinds) });
        }
        if !worlds.iter().any(|offered| offered.serves(manifest.world)) {
            let offered = super::Worlds(worlds);
            return Err(LoadError::World { plugin: self.label(), asked: manifest.world, offered });
        }
        match grants.missing(manifest).as_slice() {
            [] => Ok(()),
            missing => Err(LoadError::Capability {
                plugin: self.label(),
                name: manifest.name.to_string(),
                missing: missing.to_vec(),
            }),
        }
    }

    /// Step 5: somebody trusted vouches for it.
    pub(crate) fn check_signature(&self, trust: &Trust) -> Result<SignatureInfo, LoadError> {
        let (what, bytes, signature) = match &self.brought {
            Brought::Parts { signature } => (MANIFEST_FILE, self.text.as_bytes(), signature),
            Brought::File { name, bytes, signature } => (name.as_str(), &**bytes, signature),
        };
        let covers_code = matches!(self.brought, Brought::File { .. }) || self.manifest.sha256.is_some();
        let claim = Claim { what, bytes, signature: signature.as_deref(), covers_code };
        trust.look(&claim).map_err(|source| LoadError::Signature { plugin: self.label(), source })
    }
}

/// A manifest with its code beside it.
struct Folder {
    path: PathBuf,
    manifest: PathBuf,
}

impl Folder {
    /// The folder itself, the one of this manifest, or the one of this code.
    fn find(path: &Path) -> Result<Self, LoadError> {
        let parent = || path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        if !path.is_file() {
            return Ok(Self { path: path.into(), manifest: path.join(MANIFEST_FILE) });
        }
        let found = Self { path: parent().into(), manifest: parent().join(MANIFEST_FILE) };
        if path.ends_with(MANIFEST_FILE) {
            return Ok(found);
        }
        let file = file_name(path);
        match found.code_name() {
            Ok(code) if code == file => Ok(found),
            Ok(code) => Err(LoadError::Bundle {
                bundle: file,
                what: format!("the {MANIFEST_FILE} beside it is that of {code:?}"),
            }),
            Err(LoadError::Read { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {
                let what =
                    format!("it is no bundle, and has no manifest, neither inside nor as {MANIFEST_FILE} beside it");
                Err(LoadError::Bundle { bundle: file, what })
            }
            Err(error) => Err(error),
        }
    }

    fn text(&self) -> Result<String, LoadError> {
        utf8(&self.manifest, read_capped(&self.manifest, MAX_MANIFEST)?)
    }

    /// The limits are for the host to judge, where it is known which they are.
    fn code_name(&self) -> Result<String, LoadError> {
        let most = Limits { memory_mib: u32::MAX, deadline_ms: u64::MAX, fuel: None, host_calls: u32::MAX };
        Ok(Manifest::parse(&self.text()?, &self.manifest, &most)?.file)
    }
}

fn signature_of(path: &Path) -> Result<Option<String>, LoadError> {
    let mut name = path.as_os_str().to_owned();
    name.push(SIGNATURE_ENDING);
    let path = PathBuf::from(name);
    if !path.exists() {
        return Ok(None);
    }
    utf8(&path, read_capped(&path, MAX_SIGNATURE)?).map(Some)
}

fn utf8(path: &Path, bytes: Vec<u8>) -> Result<String, LoadError> {
    String::from_utf8(bytes).map_err(|error| LoadError::Read {
        path: path.into(),
        source: std::io::Error::new(std::io::ErrorKind::InvalidData, error),
    })
}

fn within(path: &Path, length: usize, most: u64) -> Result<(), LoadError> {
    if length as u64 > most { Err(LoadError::TooLarge { path: path.into(), most }) } else { Ok(()) }
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// Name and version.
pub(crate) fn label(manifest: &Manifest) -> String {
    format!("{} {}", manifest.name, manifest.version)
}

fn code_cap(manifest: &Manifest) -> u64 {
    match manifest.language {
        Language::Wasm => MAX_CODE,
        Language::Rhai => MAX_RHAI,
    }
}

fn read_capped(path: &Path, most: u64) -> Result<Vec<u8>, LoadError> {
    let fail = |source| LoadError::Read { path: path.into(), source };
    // Looked at before it is opened: a FIFO would hold the loader up, a device would never end.
    if !std::fs::metadata(path).map_err(fail)?.is_file() {
        return Err(fail(std::io::Error::other("it is not a plain file")));
    }
    let file = File::open(path).map_err(fail)?;
    let mut bytes = Vec::new();
    // One byte more than allowed tells "too large" from "just fits", whatever the file's length said.
    file.take(most + 1).read_to_end(&mut bytes).map_err(fail)?;
    within(path, bytes.len(), most)?;
    Ok(bytes)
}

fn hash(manifest: &str, code: &[u8]) -> String {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&(manifest.len() as u64).to_le_bytes()).update(manifest.as_bytes()).update(code);
    hasher.finalize().to_hex().to_string()
}

//! `headend-plugin.toml`: what a plugin says of itself, checked strictly.
//!
//! ```toml
//! name = "spread"
//! version = "1.0.0"
//! kind = "coverage-policy"
//! world = "1.0.0"                # version of the contract in sdk/wit
//! file = "spread.rhai"           # or .wasm, beside the manifest
//! description = "Starts on the rack that has started least."
//! capabilities = ["log"]         # optional
//!
//! sha256 = "9f86d0…"             # optional: of the code; with it, a signature of the manifest covers both
//!
//! [limits]                       # optional, each with a default
//! memory_mib = 16
//! deadline_ms = 50
//! fuel = 10_000_000              # WASM only; without it time is the limit
//! host_calls = 100
//!
//! [parameters]                   # optional: what may be set, as JSON Schema
//! type = "object"
//! properties.weight = { type = "integer", minimum = 1, default = 10 }
//! ```

mod keys;
mod parameters;

pub use parameters::{MAX_PARAMETERS, ParameterError, Parameters};

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};

use headend_model::PolicyName;
use serde::Deserialize;
use toml::Spanned;

/// Its file name.
pub const MANIFEST_FILE: &str = "headend-plugin.toml";

/// What a plugin is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Which test of a job next on a free target.
    CoveragePolicy,
    /// Which job gets a free slot first.
    QueuePolicy,
    /// Frames or audio in, verdict out.
    Analyser,
    /// A test.
    Script,
}

impl Kind {
    /// As written in a manifest.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::CoveragePolicy => "coverage-policy",
            Self::QueuePolicy => "queue-policy",
            Self::Analyser => "analyser",
            Self::Script => "script",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a plugin may do beyond answering its calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Capability {
    /// Write lines to the server's log.
    Log,
}

impl Capability {
    /// All that there are.
    pub const ALL: &[Self] = &[Self::Log];

    /// As written in a manifest and in a grant.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Log => "log",
        }
    }

    /// What it lets a plugin do, for people.
    pub const fn about(self) -> &'static str {
        match self {
            Self::Log => "write lines to the server's log",
        }
    }

    /// The capability of this name.
    ///
    /// # Errors
    /// A sentence that names the nearest one, or all.
    pub fn parse(text: &str) -> Result<Self, String> {
        let known: Vec<&str> = Self::ALL.iter().map(|known| known.as_str()).collect();
        Self::ALL.iter().copied().find(|known| known.as_str() == text).ok_or_else(|| {
            let text: String = text.chars().take(40).collect();
            match keys::nearest(&text, &known) {
                Some(near) => format!("unknown capability `{text}`; did you mean `{near}`?"),
                None => format!("unknown capability `{text}`; this server knows: {}", known.join(", ")),
            }
        })
    }
}

impl fmt::Display for Capability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What each call of a plugin may cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Memory of one instance (WASM) or of the plugin's process beyond its program (Rhai), in MiB.
    pub memory_mib: u32,
    /// Wall-clock time of one question, in ms. Building an instance, which reads the plan's whole past, may take ten times as long.
    pub deadline_ms: u64,
    /// Instructions of one call, as the runtime counts them. `None`: only time is counted. WASM only.
    pub fuel: Option<u64>,
    /// Calls into the host (log lines) during one call.
    pub host_calls: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self { memory_mib: 16, deadline_ms: 50, fuel: None, host_calls: 100 }
    }
}

/// A checked manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// What jobs and people call the plugin.
    pub name: PolicyName,
    /// Its own version.
    pub version: String,
    /// What it is for.
    pub kind: Kind,
    /// Version of the contract it was written against.
    pub world: WorldVersion,
    /// Its code, beside the manifest.
    pub file: String,
    /// What it is written in, told by the ending of `file`.
    pub language: Language,
    /// One sentence for people.
    pub description: String,
    /// What it asks for.
    pub capabilities: BTreeSet<Capability>,
    /// What it promises to keep to.
    pub limits: Limits,
    /// SHA-256 of its code, in hex, if the manifest vouches for it.
    pub sha256: Option<String>,
    /// What may be set.
    pub parameters: Parameters,
}

/// What a plugin's code is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// A WebAssembly component, or a core module with its WIT inside.
    Wasm,
    /// A Rhai script.
    Rhai,
}

impl Language {
    /// For people.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Wasm => "wasm",
            Self::Rhai => "rhai",
        }
    }
}

/// `major.minor.patch` of a contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct WorldVersion(pub u32, pub u32, pub u32);

impl WorldVersion {
    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('.').map(|part| part.parse().ok());
        let version = Self(parts.next()??, parts.next()??, parts.next()??);
        parts.next().is_none().then_some(version)
    }

    /// A host that offers `self` can serve a plugin written against `wanted`: same major, and nothing newer.
    pub fn serves(self, wanted: Self) -> bool {
        self.0 == wanted.0 && wanted <= self
    }
}

impl fmt::Display for WorldVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.0, self.1, self.2)
    }
}

/// A mistake in a manifest.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}, line {line}: {what}", file.display())]
pub struct ManifestError {
    /// The manifest.
    pub file: PathBuf,
    /// Where, from 1.
    pub line: usize,
    /// What is wrong, and what helps.
    pub what: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    name: Spanned<String>,
    version: Spanned<String>,
    kind: Kind,
    world: Spanned<String>,
    file: Spanned<String>,
    #[serde(default)]
    description: Option<Spanned<String>>,
    #[serde(default)]
    capabilities: Vec<Spanned<String>>,
    #[serde(default)]
    limits: RawLimits,
    #[serde(default)]
    sha256: Option<Spanned<String>>,
    #[serde(default)]
    parameters: Option<Spanned<serde_json::Value>>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawLimits {
    memory_mib: Option<Spanned<u32>>,
    deadline_ms: Option<Spanned<u64>>,
    fuel: Option<Spanned<u64>>,
    host_calls: Option<Spanned<u32>>,
}

impl Manifest {
    /// Reads a manifest's text. `file` is for messages, `most` is what the operator allows any plugin.
    ///
    /// # Errors
    /// [`ManifestError`] with the line of the first mistake.
    pub fn parse(text: &str, file: &Path, most: &Limits) -> Result<Self, ManifestError> {
        let at = Reader { text, file };
        at.known_keys()?;
        let raw: Raw = toml::from_str(text).map_err(|error| at.syntax(&error))?;
        let language = at.language(&raw.file)?;
        Ok(Self {
            name: PolicyName::new(raw.name.get_ref()).map_err(|error| at.fault(&raw.name, error.to_string()))?,
            version: at.version(&raw.version)?,
            kind: raw.kind,
            world: at.world(&raw.world)?,
            language,
            description: at.description(raw.description)?,
            capabilities: raw.capabilities.iter().map(|asked| at.capability(asked)).collect::<Result<_, _>>()?,
            sha256: at.sha256(raw.sha256)?,
            parameters: at.parameters(raw.parameters)?,
            limits: at.limits(&raw.limits, most, language)?,
            file: raw.file.into_inner(),
        })
    }
}

/// Turns spans into lines.
struct Reader<'a> {
    text: &'a str,
    file: &'a Path,
}

impl Reader<'_> {
    fn line(&self, offset: usize) -> usize {
        1 + self.text.bytes().take(offset).filter(|byte| *byte == b'\n').count()
    }

    fn fault<T>(&self, at: &Spanned<T>, what: String) -> ManifestError {
        ManifestError { file: self.file.into(), line: self.line(at.span().start), what }
    }

    fn syntax(&self, error: &toml::de::Error) -> ManifestError {
        let line = self.line(error.span().map_or(0, |span| span.start));
        ManifestError { file: self.file.into(), line, what: error.message().replace('\n', " ") }
    }

    /// Told before anything else is looked at: a key with a slip of the pen is more likely than a key too few.
    fn known_keys(&self) -> Result<(), ManifestError> {
        let table = toml::de::DeTable::parse(self.text).map_err(|error| self.syntax(&error))?;
        match keys::first_unknown(table.get_ref()) {
            None => Ok(()),
            Some(keys::Unknown { at, what }) => {
                Err(ManifestError { file: self.file.into(), line: self.line(at), what })
            }
        }
    }

    fn capability(&self, raw: &Spanned<String>) -> Result<Capability, ManifestError> {
        Capability::parse(raw.get_ref()).map_err(|what| self.fault(raw, what))
    }

    fn sha256(&self, raw: Option<Spanned<String>>) -> Result<Option<String>, ManifestError> {
        let Some(raw) = raw else { return Ok(None) };
        let text = raw.get_ref().to_ascii_lowercase();
        if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(self.fault(&raw, "sha256 must have 64 hex digits; take them from `sha256sum FILE`".into()));
        }
        Ok(Some(text))
    }

    fn parameters(&self, raw: Option<Spanned<serde_json::Value>>) -> Result<Parameters, ManifestError> {
        let Some(raw) = raw else { return Ok(Parameters::default()) };
        Parameters::new(raw.get_ref().clone()).map_err(|what| self.fault(&raw, what))
    }

    fn version(&self, raw: &Spanned<String>) -> Result<String, ManifestError> {
        let text = raw.get_ref();
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '+');
        if text.is_empty() || text.len() > 64 || !text.chars().all(plain) {
            return Err(self.fault(raw, format!("version {text:?} is not a version; write one such as \"1.0.0\"")));
        }
        Ok(text.clone())
    }

    fn world(&self, raw: &Spanned<String>) -> Result<WorldVersion, ManifestError> {
        let text = raw.get_ref();
        let what = || format!("world {text:?} is not a contract version; write three numbers such as \"1.0.0\"");
        WorldVersion::parse(text).ok_or_else(|| self.fault(raw, what()))
    }

    fn language(&self, raw: &Spanned<String>) -> Result<Language, ManifestError> {
        let name = raw.get_ref();
        // The file must lie beside the manifest: a plugin folder is complete in itself, and a manifest reads nothing else.
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
        if name.is_empty() || name.starts_with('.') || name.len() > 128 || !name.chars().all(plain) {
            let what = format!("file {name:?} is not a plain file name; put the code beside the manifest");
            return Err(self.fault(raw, what));
        }
        match name.rsplit_once('.').map(|(_, ending)| ending) {
            Some("wasm") => Ok(Language::Wasm),
            Some("rhai") => Ok(Language::Rhai),
            _ => Err(self.fault(raw, format!("file {name:?} ends in neither .wasm nor .rhai"))),
        }
    }

    fn description(&self, raw: Option<Spanned<String>>) -> Result<String, ManifestError> {
        let Some(raw) = raw else { return Ok(String::new()) };
        if raw.get_ref().len() > 300 {
            return Err(self.fault(&raw, "description is longer than 300 bytes; tell the rest in a README".into()));
        }
        Ok(raw.into_inner())
    }

    fn limits(&self, raw: &RawLimits, most: &Limits, language: Language) -> Result<Limits, ManifestError> {
        let usual = Limits::default();
        if let (Some(fuel), Language::Rhai) = (&raw.fuel, language) {
            let what = "limits.fuel counts WebAssembly instructions; a Rhai plugin is limited by deadline_ms".into();
            return Err(self.fault(fuel, what));
        }
        Ok(Limits {
            memory_mib: self.within("memory_mib", raw.memory_mib.as_ref(), usual.memory_mib, most.memory_mib)?,
            deadline_ms: self.within("deadline_ms", raw.deadline_ms.as_ref(), usual.deadline_ms, most.deadline_ms)?,
            fuel: match &raw.fuel {
                Some(fuel) => Some(self.within("fuel", Some(fuel), 0, most.fuel.unwrap_or(u64::MAX))?),
                None => None,
            },
            host_calls: self.within("host_calls", raw.host_calls.as_ref(), usual.host_calls, most.host_calls)?,
        })
    }

    fn within<T: Copy + PartialOrd + From<u8> + fmt::Display>(
        &self,
        name: &str,
        raw: Option<&Spanned<T>>,
        usual: T,
        most: T,
    ) -> Result<T, ManifestError> {
        let Some(raw) = raw else { return Ok(if usual > most { most } else { usual }) };
        let value = *raw.get_ref();
        if value < T::from(1) || value > most {
            return Err(self.fault(raw, format!("limits.{name} is {value}; this server allows 1 to {most}")));
        }
        Ok(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "name = \"spread\"\nversion = \"1.2.0\"\nkind = \"coverage-policy\"\nworld = \"1.0.0\"\n\
                        file = \"spread.rhai\"\ncapabilities = [\"log\"]\n\n[limits]\ndeadline_ms = 20\n";

    fn parse(text: &str) -> Result<Manifest, ManifestError> {
        let most = Limits { memory_mib: 64, deadline_ms: 1_000, fuel: None, host_calls: 1_000 };
        Manifest::parse(text, Path::new("p/headend-plugin.toml"), &most)
    }

    #[test]
    fn a_good_manifest_gets_defaults_for_what_it_leaves_out() {
        let manifest = parse(GOOD).unwrap();
        assert_eq!(manifest.limits, Limits { deadline_ms: 20, ..Limits::default() });
        assert_eq!((manifest.language, manifest.world), (Language::Rhai, WorldVersion(1, 0, 0)));
        assert_eq!(manifest.capabilities, BTreeSet::from([Capability::Log]));
    }

    #[test]
    fn each_mistake_names_its_line_and_the_remedy() {
        let cases = [
            ("name = \"spread\"", "name = \"../x\"", 1, "use 1 to 64 letters"),
            ("version = \"1.2.0\"", "version = \"one two\"", 2, "write one such as"),
            ("\"coverage-policy\"", "\"policy\"", 3, "expected one of `coverage-policy`"),
            ("world = \"1.0.0\"", "world = \"1.0\"", 4, "three numbers"),
            ("\"spread.rhai\"", "\"../spread.rhai\"", 5, "beside the manifest"),
            ("\"spread.rhai\"", "\"spread.py\"", 5, "neither .wasm nor .rhai"),
            ("[\"log\"]", "[\"network\"]", 6, "unknown capability `network`; this server knows: log"),
            ("deadline_ms = 20", "deadline_ms = 0", 9, "1 to 1000"),
            ("deadline_ms = 20", "deadline_ms = 2000", 9, "1 to 1000"),
            ("deadline_ms = 20", "memory_mib = -1", 9, "invalid value"),
            ("deadline_ms = 20", "fuel = 5", 9, "counts WebAssembly"),
            (
                "deadline_ms = 20",
                "deadline = 20",
                9,
                "unknown key `limits.deadline`; did you mean `limits.deadline_ms`?",
            ),
            ("name =", "nmae =", 1, "unknown key `nmae`; did you mean `name`?"),
            ("name = \"spread\"", "colour = 1", 1, "unknown key `colour`; known here: name, version, kind"),
            ("[\"log\"]", "[\"logs\"]", 6, "unknown capability `logs`; did you mean `log`?"),
            ("\n[limits]", "sha256 = \"12\"\n[limits]", 7, "64 hex digits"),
            ("[limits]", "parameters = 5\n[limits]", 8, "type = \"object\""),
            (
                "[limits]",
                "parameters.type = \"object\"\nparameters.prperties = {}\n[limits]",
                9,
                "`parameters.properties`?",
            ),
            (
                "[limits]",
                "parameters = { type = \"object\", properties.a.\"$ref\" = \"#\" }\n[limits]",
                8,
                "`parameters.properties.a.$ref`",
            ),
            (
                "[limits]",
                "parameters = { type = \"object\", properties.a.type = \"int\" }\n[limits]",
                8,
                "no good JSON Schema",
            ),
            ("kind = \"coverage-policy\"\n", "", 1, "missing field `kind`"),
            ("kind =", "kind", 3, ""),
        ];
        for (from, to, line, words) in cases {
            let error = parse(&GOOD.replacen(from, to, 1)).unwrap_err();
            assert_eq!(error.line, line, "{to:?}: {error}");
            assert!(error.what.contains(words), "{to:?}: {error}");
        }
    }

    #[test]
    fn an_older_contract_of_the_same_major_is_served() {
        let host = WorldVersion(1, 2, 0);
        assert!(host.serves(WorldVersion(1, 0, 0)) && host.serves(host));
        assert!(!host.serves(WorldVersion(1, 3, 0)) && !host.serves(WorldVersion(2, 0, 0)));
        assert!(!host.serves(WorldVersion(0, 9, 0)));
    }
}

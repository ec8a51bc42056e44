//! What a manifest is made of: kinds, capabilities, limits, languages, versions of the contract.

use std::fmt;

use serde::Deserialize;

use super::keys;

/// What a plugin is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Which test of a job next on a free target.
    CoveragePolicy,
    /// Which job gets a free slot first.
    QueuePolicy,
    /// Frames, sound or serial lines in, verdict out.
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
    /// Have text in pictures read by a program of the host (analysers).
    Ocr,
}

impl Capability {
    /// All that there are.
    pub const ALL: &[Self] = &[Self::Log, Self::Ocr];

    /// As written in a manifest and in a grant.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Log => "log",
            Self::Ocr => "ocr",
        }
    }

    /// What it lets a plugin do, for people.
    pub const fn about(self) -> &'static str {
        match self {
            Self::Log => "write lines to the server's log",
            Self::Ocr => "have text in pictures read by tesseract, a program of the host",
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

/// What an analyser is given of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Senses {
    /// Frames.
    pub sight: bool,
    /// Sound.
    pub sound: bool,
    /// Lines of the serial port. Since version 1.2.0 of the contract.
    pub serial: bool,
}

impl Default for Senses {
    /// Frames alone.
    fn default() -> Self {
        Self { sight: true, sound: false, serial: false }
    }
}

impl Senses {
    /// The version of the contract that has what is given.
    pub(super) const fn since(self) -> WorldVersion {
        if self.serial { WorldVersion(1, 2, 0) } else { WorldVersion(1, 0, 0) }
    }

    /// From the words `sight`, `sound` and `serial`.
    ///
    /// # Errors
    /// A sentence, when there is no word or another one.
    pub(super) fn parse(words: &[String]) -> Result<Self, String> {
        const REMEDY: &str = "write [\"sight\"], [\"sound\"], [\"serial\"] or several of them";
        let has = |sense: &str| words.iter().any(|word| word == sense);
        let senses = Self { sight: has("sight"), sound: has("sound"), serial: has("serial") };
        match words.iter().find(|word| !matches!(word.as_str(), "sight" | "sound" | "serial")) {
            Some(other) => Err(format!("unknown sense {:?}; {REMEDY}", other.chars().take(40).collect::<String>())),
            None if senses.sight || senses.sound || senses.serial => Ok(senses),
            None => Err(format!("an analyser without senses is given nothing; {REMEDY}")),
        }
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
    pub(super) fn parse(text: &str) -> Option<Self> {
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

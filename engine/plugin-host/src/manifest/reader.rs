//! From a manifest's text to a [`Manifest`], or to the line of its first mistake.

use std::fmt;
use std::path::Path;

use headend_model::PolicyName;
use serde::Deserialize;
use toml::Spanned;

use super::{Capability, Kind, Language, Limits, Manifest, ManifestError, Parameters, Senses, WorldVersion, keys};

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
    senses: Option<Spanned<Vec<String>>>,
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
        let world = at.world(&raw.world)?;
        Ok(Self {
            name: PolicyName::new(raw.name.get_ref()).map_err(|error| at.fault(&raw.name, error.to_string()))?,
            version: at.version(&raw.version)?,
            kind: raw.kind,
            world,
            language,
            description: at.description(raw.description)?,
            capabilities: raw.capabilities.iter().map(|asked| at.capability(asked)).collect::<Result<_, _>>()?,
            senses: at.senses(raw.senses.as_ref(), raw.kind, world)?,
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

    fn senses(
        &self,
        raw: Option<&Spanned<Vec<String>>>,
        kind: Kind,
        world: WorldVersion,
    ) -> Result<Senses, ManifestError> {
        let Some(raw) = raw else { return Ok(Senses::default()) };
        if kind != Kind::Analyser {
            return Err(self.fault(raw, format!("senses are for analysers; a {kind} has none")));
        }
        let senses = Senses::parse(raw.get_ref()).map_err(|what| self.fault(raw, what))?;
        let since = senses.since();
        if world < since {
            let what = format!("{world} of the contract has no such sense; write world = \"{since}\"");
            return Err(self.fault(raw, what));
        }
        Ok(senses)
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

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
//! senses = ["sight", "serial"]   # analysers only: sight, sound, serial; without it an analyser is given frames alone
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

mod example;
mod form;
mod keys;
mod parameters;
mod reader;

pub use example::AtLoad;
pub use form::{Capability, Kind, Language, Limits, Senses, WorldVersion};
pub use parameters::{MAX_PARAMETERS, ParameterError, Parameters};

use std::collections::BTreeSet;
use std::path::PathBuf;

use headend_model::PolicyName;

/// Its file name.
pub const MANIFEST_FILE: &str = "headend-plugin.toml";

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
    /// What it is given (analysers).
    pub senses: Senses,
    /// What it promises to keep to.
    pub limits: Limits,
    /// SHA-256 of its code, in hex, if the manifest vouches for it.
    pub sha256: Option<String>,
    /// What may be set.
    pub parameters: Parameters,
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

#[cfg(test)]
mod tests {
    use std::path::Path;

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
            ("capabilities", "senses = [\"sound\"]\ncapabilities", 6, "senses are for analysers"),
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
    fn an_analyser_says_what_it_wants_of_a_stream() {
        let of = |senses: &str| {
            let kind = format!("kind = \"analyser\"\n{senses}");
            parse(&GOOD.replace("kind = \"coverage-policy\"\n", &kind)).map(|manifest| manifest.senses)
        };
        assert_eq!(of("").unwrap(), Senses { sight: true, sound: false, serial: false });
        assert_eq!(of("senses = [\"sound\"]\n").unwrap(), Senses { sight: false, sound: true, serial: false });
        assert_eq!(
            of("senses = [\"sound\", \"sight\"]\n").unwrap(),
            Senses { sight: true, sound: true, serial: false }
        );
        assert!(of("senses = [\"smell\"]\n").unwrap_err().what.contains("unknown sense \"smell\""));
        assert!(of("senses = []\n").unwrap_err().what.contains("given nothing"));
        let early = of("senses = [\"serial\"]\n").unwrap_err();
        assert!(early.line == 4 && early.what.contains("write world = \"1.2.0\""), "{early}");
        let kind = "kind = \"analyser\"\nsenses = [\"serial\"]\n";
        let text = GOOD.replace("kind = \"coverage-policy\"\n", kind).replace("world = \"1.0.0\"", "world = \"1.2.0\"");
        assert_eq!(parse(&text).unwrap().senses, Senses { sight: false, sound: false, serial: true });
    }

    #[test]
    fn an_older_contract_of_the_same_major_is_served() {
        let host = WorldVersion(1, 2, 0);
        assert!(host.serves(WorldVersion(1, 0, 0)) && host.serves(host));
        assert!(!host.serves(WorldVersion(1, 3, 0)) && !host.serves(WorldVersion(2, 0, 0)));
        assert!(!host.serves(WorldVersion(0, 9, 0)));
    }
}

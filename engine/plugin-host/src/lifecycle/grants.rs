//! What plugins may do beyond answering: granted by the operator, with nobody at the screen.
//!
//! A grant is written `PLUGIN=CAPABILITY`, or `*=CAPABILITY` for all plugins.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use headend_model::PolicyName;

use crate::manifest::{Capability, Manifest};

/// One capability for one plugin, or for all.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Grant {
    /// Which plugin; `None`: any.
    pub plugin: Option<PolicyName>,
    /// What it may do.
    pub capability: Capability,
}

impl fmt::Display for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.plugin {
            Some(plugin) => write!(f, "{plugin}={}", self.capability),
            None => write!(f, "*={}", self.capability),
        }
    }
}

/// A grant that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("grant {given:?} cannot be read: {why}; write PLUGIN=CAPABILITY, or *=CAPABILITY for all plugins")]
pub struct BadGrant {
    /// What was given.
    pub given: String,
    /// What is wrong with it.
    pub why: String,
}

impl FromStr for Grant {
    type Err = BadGrant;
    fn from_str(text: &str) -> Result<Self, BadGrant> {
        let bad = |why: String| BadGrant { given: text.chars().take(100).collect(), why };
        let (plugin, capability) = text.split_once('=').ok_or_else(|| bad("there is no `=`".into()))?;
        let plugin = match plugin.trim() {
            "*" => None,
            name => Some(PolicyName::new(name).map_err(|error| bad(error.to_string()))?),
        };
        Ok(Self { plugin, capability: Capability::parse(capability.trim()).map_err(bad)? })
    }
}

/// All grants of a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grants(pub BTreeSet<Grant>);

impl Default for Grants {
    /// Logging for all: lines of a log are bounded and harm nobody.
    fn default() -> Self {
        Self(BTreeSet::from([Grant { plugin: None, capability: Capability::Log }]))
    }
}

impl Grants {
    /// Nothing for nobody.
    pub const fn none() -> Self {
        Self(BTreeSet::new())
    }

    /// Whether this plugin may do this.
    pub fn allow(&self, plugin: &PolicyName, capability: Capability) -> bool {
        let fits = |grant: &Grant| grant.plugin.as_ref().is_none_or(|named| named == plugin);
        self.0.iter().any(|grant| grant.capability == capability && fits(grant))
    }

    /// What the plugin asks for and does not get.
    pub fn missing(&self, manifest: &Manifest) -> Vec<Capability> {
        manifest.capabilities.iter().copied().filter(|asked| !self.allow(&manifest.name, *asked)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grants_are_read_and_written_alike() {
        for text in ["*=log", "spread=log"] {
            assert_eq!(text.parse::<Grant>().unwrap().to_string(), text);
        }
        for (text, words) in [("log", "no `=`"), ("a=lgo", "did you mean `log`?"), ("../x=log", "policy name")] {
            let error = text.parse::<Grant>().unwrap_err().to_string();
            assert!(error.contains(words) && error.contains("PLUGIN=CAPABILITY"), "{error}");
        }
    }

    #[test]
    fn a_grant_is_for_its_plugin_alone() {
        let grants = Grants(BTreeSet::from(["spread=log".parse().unwrap()]));
        let name = |name: &str| PolicyName::new(name).unwrap();
        assert!(grants.allow(&name("spread"), Capability::Log) && !grants.allow(&name("other"), Capability::Log));
        assert!(Grants::default().allow(&name("other"), Capability::Log));
        assert!(!Grants::none().allow(&name("spread"), Capability::Log));
    }
}

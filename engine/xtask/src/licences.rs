//! Licences, bans and sources of dependencies by `deny.toml`, for machines that have no cargo-deny. What packages say of themselves is believed: their
//! texts are not read, and versions are not compared.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::Path;

use serde_json::Value;

use crate::shell::{self, Context, Failure, Result, Shell};

/// What `deny.toml` says.
struct Rules {
    allowed: BTreeSet<String>,
    /// For single packages, besides.
    exceptions: BTreeMap<String, BTreeSet<String>>,
    banned: BTreeSet<String>,
}

/// Checks all that a workspace is built of, on all platforms; gives how many packages that are.
///
/// # Errors
/// Each package that breaks a rule, with what it says.
pub(crate) fn check(shell: &Shell, manifest: &Path) -> Result<usize> {
    let file = shell.path("deny.toml");
    let text = std::fs::read_to_string(&file).context(file.display())?;
    let rules = Rules::read(&text)?;
    let mut metadata =
        shell.cargo(["metadata", "--format-version", "1", "--all-features", "--locked", "--manifest-path"]);
    let metadata: Value = serde_json::from_str(&shell::read(metadata.arg(manifest))?).context("cargo metadata")?;
    let packages = metadata["packages"].as_array().context("cargo metadata names no packages")?;
    // Without a source it is our own, and so is its licence.
    let foreign: Vec<_> = packages.iter().filter(|package| package["source"].is_string()).collect();
    let mut faults: Vec<String> = foreign.iter().filter_map(|package| rules.fault_of(package)).collect();
    let registries: BTreeSet<_> = foreign.iter().filter_map(|package| package["source"].as_str()).collect();
    if registries.len() > 1 {
        faults.push(format!("there is one registry, and packages come from {registries:?}"));
    }
    if faults.is_empty() { Ok(foreign.len()) } else { Err(Failure::new(faults.join("\n"))) }
}

impl Rules {
    fn read(text: &str) -> Result<Self> {
        let table: toml::Table = text.parse().context("deny.toml")?;
        let part =
            |part: &str, key: &str| table.get(part).and_then(|part| part.get(key)).and_then(toml::Value::as_array);
        let allowed = names(part("licenses", "allow").context("deny.toml allows no licences")?);
        let exceptions = part("licenses", "exceptions").into_iter().flatten().filter_map(|one| {
            let of = one.get("crate")?.as_str()?.to_owned();
            Some((of, names(one.get("allow")?.as_array()?)))
        });
        let banned = part("bans", "deny").into_iter().flatten();
        let banned = banned.filter_map(|one| Some(one.get("crate")?.as_str()?.to_owned()));
        Ok(Self { allowed, exceptions: exceptions.collect(), banned: banned.collect() })
    }

    fn fault_of(&self, package: &Value) -> Option<String> {
        let name = package["name"].as_str()?;
        let shown = format!("{name} {}", package["version"].as_str().unwrap_or_default());
        if self.banned.contains(name) {
            return Some(format!("{shown} is banned by deny.toml"));
        }
        if package["source"].as_str().is_some_and(|source| !source.starts_with("registry+")) {
            return Some(format!("{shown} does not come from a registry"));
        }
        let more = self.exceptions.get(name);
        let is_allowed =
            |licence: &str| self.allowed.contains(licence) || more.is_some_and(|more| more.contains(licence));
        match package["license"].as_str() {
            Some(licence) if permits(licence, &is_allowed) == Some(true) => None,
            Some(licence) => Some(format!("{shown} is under {licence:?}, which deny.toml does not allow")),
            None => Some(format!("{shown} does not name its licence")),
        }
    }
}

fn names(list: &[toml::Value]) -> BTreeSet<String> {
    list.iter().filter_map(|name| name.as_str().map(str::to_owned)).collect()
}

/// Whether an SPDX expression can be met with allowed licences; `None`: it is no expression.
fn permits(expression: &str, is_allowed: &dyn Fn(&str) -> bool) -> Option<bool> {
    // Old packages write `MIT/Apache-2.0`.
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let mut words: VecDeque<&str> = spaced.split_whitespace().collect();
    let met = either(&mut words, is_allowed)?;
    words.is_empty().then_some(met)
}

/// Takes this word, if it is the next.
fn next_is(words: &mut VecDeque<&str>, word: &str) -> bool {
    let found = words.front() == Some(&word);
    if found {
        words.pop_front();
    }
    found
}

fn either(words: &mut VecDeque<&str>, is_allowed: &dyn Fn(&str) -> bool) -> Option<bool> {
    let mut met = both(words, is_allowed)?;
    while next_is(words, "OR") {
        met |= both(words, is_allowed)?;
    }
    Some(met)
}

fn both(words: &mut VecDeque<&str>, is_allowed: &dyn Fn(&str) -> bool) -> Option<bool> {
    let mut met = one(words, is_allowed)?;
    while next_is(words, "AND") {
        met &= one(words, is_allowed)?;
    }
    Some(met)
}

fn one(words: &mut VecDeque<&str>, is_allowed: &dyn Fn(&str) -> bool) -> Option<bool> {
    let word = words.pop_front()?;
    if word == "(" {
        let met = either(words, is_allowed)?;
        return next_is(words, ")").then_some(met);
    }
    if matches!(word, ")" | "OR" | "AND" | "WITH") {
        return None;
    }
    if next_is(words, "WITH") {
        return Some(is_allowed(&format!("{word} WITH {}", words.pop_front()?)));
    }
    // `MPL-2.0+`: this version or a later one.
    Some(is_allowed(word.strip_suffix('+').unwrap_or(word)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn expressions_are_met_as_they_are_written() {
        let permits = |expression: &str| {
            permits(expression, &|licence| ["MIT", "Apache-2.0 WITH LLVM-exception", "Unicode-3.0"].contains(&licence))
        };
        for (expression, met) in [
            ("MIT", Some(true)),
            ("Unicode-3.0+", Some(true)),
            ("GPL-3.0-only", Some(false)),
            ("GPL-3.0-only OR MIT", Some(true)),
            ("GPL-3.0-only/MIT", Some(true)),
            ("(MIT OR Apache-2.0) AND Unicode-3.0", Some(true)),
            ("MIT AND GPL-3.0-only OR Zlib", Some(false)),
            ("Apache-2.0 WITH LLVM-exception OR Apache-2.0", Some(true)),
            ("(MIT", None),
            ("MIT Zlib", None),
            ("OR", None),
            ("", None),
        ] {
            assert_eq!(permits(expression), met, "{expression}");
        }
    }

    #[test]
    fn packages_that_break_a_rule_are_named() {
        let rules = Rules::read(
            "[licenses]\nallow = [\"MIT\"]\nexceptions = [{ crate = \"odd\", allow = [\"IJG\"] }]\n\
             [bans]\ndeny = [{ crate = \"heavy\", reason = \"\" }]\n",
        )
        .unwrap();
        let fault = |name: &str, licence: &str, source: &str| {
            rules.fault_of(&json!({ "name": name, "version": "1.0.0", "license": licence, "source": source }))
        };
        assert_eq!(fault("fine", "MIT", "registry+here"), None);
        assert_eq!(fault("odd", "MIT AND IJG", "registry+here"), None);
        for (name, licence, source) in
            [("fine", "IJG", "registry+here"), ("heavy", "MIT", "registry+here"), ("fine", "MIT", "git+there")]
        {
            assert!(fault(name, licence, source).unwrap().contains(name), "{name} {licence} {source}");
        }
        assert!(rules.fault_of(&json!({ "name": "silent", "version": "1.0.0", "source": "registry+here" })).is_some());
    }
}

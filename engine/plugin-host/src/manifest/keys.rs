//! Keys that nobody knows are refused, with the nearest one that is known: a misspelt limit must not be a limit that is not kept.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::parameters::KEYWORDS;

/// Keys of a manifest.
pub(super) const MANIFEST: &[&str] = &[
    "name",
    "version",
    "kind",
    "world",
    "file",
    "sha256",
    "description",
    "capabilities",
    "senses",
    "limits",
    "parameters",
];
/// Keys of `[limits]`.
const LIMITS: &[&str] = &["memory_mib", "deadline_ms", "fuel", "host_calls"];

/// A key that is not known: where it stands, and what to say.
pub(super) struct Unknown {
    /// Byte offset.
    pub(super) at: usize,
    pub(super) what: String,
}

/// The first key that a manifest must not have.
pub(super) fn first_unknown(table: &DeTable<'_>) -> Option<Unknown> {
    let own = in_table(table, MANIFEST, "");
    let inner = table.iter().filter_map(|(key, value)| match (key.get_ref().as_ref(), value.get_ref()) {
        ("limits", DeValue::Table(limits)) => in_table(limits, LIMITS, "limits."),
        ("parameters", DeValue::Table(schema)) => in_schema(schema, "parameters."),
        _ => None,
    });
    own.into_iter().chain(inner).min_by_key(|unknown| unknown.at)
}

fn in_table(table: &DeTable<'_>, known: &[&str], place: &str) -> Option<Unknown> {
    let keys = table.keys().filter(|key| !known.contains(&key.get_ref().as_ref()));
    let first = keys.min_by_key(|key| key.span().start)?;
    Some(unknown(first, known, place))
}

fn unknown(key: &Spanned<std::borrow::Cow<'_, str>>, known: &[&str], place: &str) -> Unknown {
    let shown: String = key.get_ref().chars().take(40).collect();
    let near = match nearest(&shown, known) {
        Some(near) => format!("did you mean `{place}{near}`?"),
        None => format!("known here: {}", known.join(", ")),
    };
    Unknown { at: key.span().start, what: format!("unknown key `{place}{shown}`; {near}") }
}

/// The keywords of a schema, and those of the schemas in it. The names of properties are the plugin's own.
fn in_schema(schema: &DeTable<'_>, place: &str) -> Option<Unknown> {
    let own = in_table(schema, KEYWORDS, place);
    let inner = schema.iter().filter_map(|(key, value)| {
        let place = format!("{place}{}.", key.get_ref());
        match (key.get_ref().as_ref(), value.get_ref()) {
            ("properties" | "patternProperties" | "dependentSchemas", DeValue::Table(named)) => named
                .iter()
                .filter_map(|(name, value)| in_value(value.get_ref(), &format!("{place}{}.", name.get_ref())))
                .min_by_key(|unknown| unknown.at),
            // Values, not schemas.
            ("default" | "const" | "enum" | "examples" | "required" | "dependentRequired", _) => None,
            (_, value) => in_value(value, &place),
        }
    });
    own.into_iter().chain(inner).min_by_key(|unknown| unknown.at)
}

fn in_value(value: &DeValue<'_>, place: &str) -> Option<Unknown> {
    match value {
        DeValue::Table(schema) => in_schema(schema, place),
        DeValue::Array(all) => all.iter().find_map(|value| in_value(value.get_ref(), place)),
        _ => None,
    }
}

/// The known word that was most likely meant.
pub(super) fn nearest<'a>(word: &str, known: &[&'a str]) -> Option<&'a str> {
    let distance = |known: &str| {
        // The beginning of a word is as good as a slip of the pen: `deadline` for `deadline_ms`.
        if known.starts_with(word) || word.starts_with(known) { 1 } else { strsim::damerau_levenshtein(word, known) }
    };
    let (near, far) = known.iter().map(|known| (*known, distance(known))).min_by_key(|(_, far)| *far)?;
    (far <= 2.max(word.chars().count() / 3)).then_some(near)
}

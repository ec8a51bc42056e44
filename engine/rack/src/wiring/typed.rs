//! TOML tables into our types: each key that is wrong is told, not only the first.

use serde::de::DeserializeOwned;
use toml::Spanned;
use toml::de::{DeTable, DeValue, Error, ValueDeserializer};

use super::fault::{At, Source};

/// What a table says; `None`: something in it is wrong, and was told.
pub(super) fn typed<T: DeserializeOwned>(source: &mut Source<'_>, at: &At, table: &DeTable<'_>) -> Option<T> {
    let (mut table, mut dropped) = (table.clone(), Vec::new());
    loop {
        let value = Spanned::new(at.span.clone(), DeValue::Table(table.clone()));
        let error = match T::deserialize(ValueDeserializer::from(value)) {
            Ok(read) => return dropped.is_empty().then_some(read),
            Err(error) => error,
        };
        // What is said of the table as a whole lies in none of its keys.
        let hit = if error.span().as_ref() == Some(&at.span) { None } else { entry_of(&table, &error) };
        let missing = error.message().strip_prefix("missing field `").and_then(|rest| rest.split('`').next());
        match (hit, missing) {
            (Some((key, entry)), _) => {
                tell(source, &at.below(&key, entry.key), Some(entry.value), &error);
                table = table.into_iter().filter(|(other, _)| other.get_ref() != &key).collect();
                dropped.push(key);
            }
            // It was there, and wrong: that has been told.
            (None, Some(key)) if dropped.iter().any(|dropped| dropped == key) => return None,
            (None, Some(key)) => {
                let remedy = format!("add `{key} = …`; `headend rack schema` says what it may be");
                source.fault(at, format!("the key `{key}` is missing"), remedy);
                return None;
            }
            (None, None) => {
                tell(source, at, None, &error);
                return None;
            }
        }
    }
}

struct Entry {
    key: std::ops::Range<usize>,
    value: std::ops::Range<usize>,
}

/// The entry of the table in which an error lies.
fn entry_of(table: &DeTable<'_>, error: &Error) -> Option<(String, Entry)> {
    let span = error.span()?;
    let within = |outer: &std::ops::Range<usize>| outer.start <= span.start && span.end <= outer.end;
    let (key, value) = table.iter().find(|(key, value)| within(&key.span()) || within(&value.span()))?;
    Some((key.get_ref().to_string(), Entry { key: key.span(), value: value.span() }))
}

fn tell(source: &mut Source<'_>, at: &At, value: Option<std::ops::Range<usize>>, error: &Error) {
    let message = error.message();
    let Some((name, known)) = unknown_field(message) else {
        return source.fault_of(at, value, message, "`headend rack schema` says what it may be");
    };
    let problem = format!("there is no key `{name}` here");
    source.fault_of(at, value, problem, known_names(&name, &known.iter().map(String::as_str).collect::<Vec<_>>()));
}

/// The name that is not known, and those that are, from what serde says.
pub(super) fn unknown_field(message: &str) -> Option<(String, Vec<String>)> {
    let rest = message.strip_prefix("unknown field `")?;
    let (name, rest) = rest.split_once('`')?;
    let known = rest.split('`').skip(1).step_by(2).map(str::to_owned).collect();
    Some((name.to_owned(), known))
}

/// `known: a, b; did you mean a?`
pub(super) fn known_names(name: &str, known: &[&str]) -> String {
    if known.is_empty() {
        return "it takes no keys".to_owned();
    }
    let nearest = known.iter().map(|other| (distance(name, other), other)).min();
    let meant = nearest.filter(|(far, other)| *far <= 1 + other.len() / 3);
    let meant = meant.map(|(_, other)| format!("; did you mean `{other}`?")).unwrap_or_default();
    format!("known: {}{meant}", known.join(", "))
}

/// Letters to change, add or take away (Levenshtein).
fn distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (at, letter) in from.chars().enumerate() {
        let mut corner = std::mem::replace(&mut row[0], at + 1);
        for (column, other) in to.iter().enumerate() {
            let change = corner + usize::from(letter != *other);
            corner = row[column + 1];
            row[column + 1] = change.min(corner + 1).min(row[column] + 1);
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Port {
        path: String,
        #[serde(default)]
        baud: u32,
    }

    fn read(text: &str) -> (Option<Port>, Vec<String>) {
        let mut source = Source::new(text);
        let table = DeTable::parse(text).unwrap();
        let at = At { slot: Some(2), key: "serial".to_owned(), span: 0..0 };
        let port = typed(&mut source, &at, table.get_ref());
        (port, source.faults.iter().map(|fault| format!("{}: {fault}", fault.line)).collect())
    }

    #[test]
    fn every_wrong_key_is_told_once() {
        assert_eq!(read("path = \"/dev/x\"\nbaud = 9600").0, Some(Port { path: "/dev/x".to_owned(), baud: 9_600 }));
        let (port, faults) = read("path = 7\nbuad = 9600\nbaud = \"fast\"\n");
        assert_eq!(port, None);
        assert_eq!(faults.len(), 3, "{faults:#?}");
        assert!(faults.iter().any(|fault| fault
            == "2: slot 2, serial.buad = 9600: there is no key `buad` here; known: path, baud; did you mean `baud`?"));
        assert!(faults.iter().any(|fault| fault.starts_with("1: slot 2, serial.path = 7: invalid type: integer")));
        assert!(faults.iter().any(|fault| fault.starts_with("3: slot 2, serial.baud = \"fast\": invalid type")));
        let (_, faults) = read("baud = 1");
        assert!(faults[0].contains("the key `path` is missing; add `path = …`"), "{faults:?}");
    }

    #[test]
    fn names_that_are_near_are_proposed() {
        assert_eq!(known_names("capure", &["capture", "remote"]), "known: capture, remote; did you mean `capture`?");
        assert_eq!(known_names("x", &["capture", "remote"]), "known: capture, remote");
        assert_eq!((distance("kitten", "sitting"), distance("", "abc")), (3, 3));
    }
}

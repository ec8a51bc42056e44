//! Text functions that check their answer's size *before* they make it.
//!
//! Rhai checks sizes after an operation: one `replace` of 1 MB in 1 MB asks for a terabyte first. `pad` checks beforehand itself.

use rhai::{Array, Dynamic, Engine, EvalAltResult, INT, ImmutableString, Position};

use super::engine::{ITEMS, STRING_BYTES};

type Checked<T> = Result<T, Box<EvalAltResult>>;

/// Replaces Rhai's own functions of the same names.
pub(super) fn register(engine: &mut Engine) {
    register_replace(engine);
    register_split(engine);
    register_repeat(engine);
}

fn register_replace(engine: &mut Engine) {
    engine.register_fn("replace", |text: &mut ImmutableString, from: &str, to: &str| replace(text, from, to));
    engine.register_fn("replace", |text: &mut ImmutableString, from: &str, to: char| {
        replace(text, from, to.encode_utf8(&mut [0; 4]))
    });
    engine.register_fn("replace", |text: &mut ImmutableString, from: char, to: &str| {
        replace(text, from.encode_utf8(&mut [0; 4]), to)
    });
    engine.register_fn("replace", |text: &mut ImmutableString, from: char, to: char| {
        replace(text, from.encode_utf8(&mut [0; 4]), to.encode_utf8(&mut [0; 4]))
    });
}

fn register_split(engine: &mut Engine) {
    engine.register_fn("to_chars", |text: &str| items(text.chars().map(Dynamic::from)));
    engine.register_fn("split", |text: &mut ImmutableString| items(text.split_whitespace().map(part)));
    engine.register_fn("split", |text: &mut ImmutableString, at: &str| items(text.split(at).map(part)));
    engine.register_fn("split", |text: &mut ImmutableString, at: char| items(text.split(at).map(part)));
    engine.register_fn("split", |text: &mut ImmutableString, at: &str, most: INT| {
        items(text.splitn(segments(most), at).map(part))
    });
    engine.register_fn("split", |text: &mut ImmutableString, at: char, most: INT| {
        items(text.splitn(segments(most), at).map(part))
    });
    engine.register_fn("split_rev", |text: &mut ImmutableString, at: &str| items(text.rsplit(at).map(part)));
    engine.register_fn("split_rev", |text: &mut ImmutableString, at: char| items(text.rsplit(at).map(part)));
    engine.register_fn("split_rev", |text: &mut ImmutableString, at: &str, most: INT| {
        items(text.rsplitn(segments(most), at).map(part))
    });
    engine.register_fn("split_rev", |text: &mut ImmutableString, at: char, most: INT| {
        items(text.rsplitn(segments(most), at).map(part))
    });
}

fn register_repeat(engine: &mut Engine) {
    engine.register_fn("repeat", |text: &str, times: INT| -> Checked<String> {
        let times = usize::try_from(times).unwrap_or(0);
        fits(text.len().checked_mul(times))?;
        Ok(text.repeat(times))
    });
}

fn replace(text: &mut ImmutableString, from: &str, to: &str) -> Checked<()> {
    let found = text.matches(from).count();
    let kept = text.len() - found * from.len();
    fits(found.checked_mul(to.len()).and_then(|added| added.checked_add(kept)))?;
    *text = text.replace(from, to).into();
    Ok(())
}

fn fits(bytes: Option<usize>) -> Checked<()> {
    match bytes {
        Some(bytes) if bytes <= STRING_BYTES => Ok(()),
        _ => Err(too_large("Length of string")),
    }
}

fn part(text: &str) -> Dynamic {
    ImmutableString::from(text).into()
}

/// As Rhai: a negative number of segments counts as one.
fn segments(most: INT) -> usize {
    usize::try_from(most).unwrap_or(1).max(1)
}

/// An array of at most [`ITEMS`]; taking stops there.
fn items(parts: impl Iterator<Item = Dynamic>) -> Checked<Array> {
    let array: Array = parts.take(ITEMS + 1).collect();
    if array.len() > ITEMS { Err(too_large("Size of array/BLOB")) } else { Ok(array) }
}

#[allow(clippy::unnecessary_box_returns, reason = "Rhai's errors are boxed everywhere")]
fn too_large(what: &str) -> Box<EvalAltResult> {
    EvalAltResult::ErrorDataTooLarge(what.to_owned(), Position::NONE).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replacement_is_measured_before_it_is_made() {
        let mut text = ImmutableString::from("a".repeat(STRING_BYTES));
        let error = replace(&mut text, "a", &"b".repeat(STRING_BYTES)).unwrap_err();
        assert!(matches!(*error, EvalAltResult::ErrorDataTooLarge(..)), "{error}");
        assert_eq!(text.len(), STRING_BYTES);
        replace(&mut text, "a", "b").unwrap();
        assert!(text.starts_with('b'));
    }

    #[test]
    fn a_split_stops_at_the_limit() {
        let text = ",".repeat(ITEMS * 2);
        assert!(items(text.split(',').map(part)).is_err());
        assert_eq!(items("a,b".split(',').map(part)).unwrap().len(), 2);
    }
}

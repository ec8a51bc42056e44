//! Which interpreter runs a script.
//!
//! 1. A comment `# headend: python=2.7` in the first twenty lines names the version; `3`, `3.11` and `3.11.7` are fine too.
//! 2. Else a first line `#!...python2.7`, `#!/usr/bin/env python2` or `python3` does; a plain `python` says nothing.
//! 3. Else the preferred Python 3. If its parser refuses the script and a Python 2's accepts it, that one.
//!
//! A version that is named and not there is an error: another one would give another test.

use super::interpreters::{Interpreter, ask};
use crate::process::Nursery;

/// Lines in which a comment counts.
const LINES: usize = 20;

/// What a script says about its interpreter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wish {
    /// This version, from the front: `[2, 7]`.
    Version(Vec<u32>),
    /// Nothing.
    None,
}

/// Reads the script's own words.
pub fn wish(source: &[u8]) -> Wish {
    let head = String::from_utf8_lossy(&source[..source.len().min(8 << 10)]);
    let comment = head.lines().take(LINES).find_map(|line| {
        let rest = line.trim_start().strip_prefix('#')?.trim_start().strip_prefix("headend:")?;
        version(rest.trim().strip_prefix("python")?.trim_start().strip_prefix('=')?)
    });
    let shebang = || {
        let line = head.lines().next()?.trim_start_matches('\u{feff}').strip_prefix("#!")?;
        version(line.rsplit("python").next().filter(|_| line.contains("python"))?)
    };
    comment.or_else(shebang).map_or(Wish::None, Wish::Version)
}

/// The number at the start of a text.
fn version(text: &str) -> Option<Vec<u32>> {
    let number = text.trim().split(|c: char| !c.is_ascii_digit() && c != '.').next()?;
    let parts: Vec<u32> = number.split('.').map_while(|part| part.parse().ok()).take(3).collect();
    (!parts.is_empty()).then_some(parts)
}

/// The first interpreter of a version.
///
/// # Errors
/// A sentence for the run's outcome.
pub fn named(found: &[Interpreter], wanted: &[u32]) -> Result<Interpreter, String> {
    let text = wanted.iter().map(u32::to_string).collect::<Vec<_>>().join(".");
    found.iter().find(|python| python.is(wanted)).cloned().ok_or_else(|| {
        format!(
            "the script asks for Python {text}, and the rack has {}; install it or give its path with --python",
            list(found)
        )
    })
}

fn list(found: &[Interpreter]) -> String {
    let versions: Vec<_> =
        found.iter().map(|python| format!("{}.{}.{}", python.version.0, python.version.1, python.version.2)).collect();
    if versions.is_empty() { "none".to_owned() } else { versions.join(", ") }
}

/// Python 3 unless only Python 2 can read the script.
pub(super) async fn by_syntax(found: &[Interpreter], source: &[u8], nursery: &Nursery) -> Result<Interpreter, String> {
    let three = found.iter().find(|python| python.is(&[3]));
    let two = found.iter().find(|python| python.is(&[2]));
    match (three, two) {
        (None, None) => Err("the rack has no Python; install python3 or give a path to `headend rack`".to_owned()),
        (Some(only), None) | (None, Some(only)) => Ok(only.clone()),
        (Some(three), Some(two)) => {
            let for_two = !reads(nursery, three, source).await && reads(nursery, two, source).await;
            Ok(if for_two { two } else { three }.clone())
        }
    }
}

/// Does this interpreter's parser accept the script?
async fn reads(nursery: &Nursery, python: &Interpreter, source: &[u8]) -> bool {
    let check = "import sys; compile(getattr(sys.stdin, 'buffer', sys.stdin).read(), 'script', 'exec', 0, 1)";
    ask(nursery, &python.path, check, source).await.is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn python(version: (u32, u32, u32)) -> Interpreter {
        Interpreter { path: format!("/{version:?}").into(), version }
    }

    #[test]
    fn the_scripts_own_words_are_read() {
        let cases: [(&str, Option<&[u32]>); 9] = [
            ("#!/usr/bin/python2.7\n", Some(&[2, 7])),
            ("#!/usr/bin/env python3\nx", Some(&[3])),
            ("#!/usr/bin/env python\n", None),
            ("#!/usr/bin/env -S python3.12 -u\n", Some(&[3, 12])),
            ("# -*- coding: utf-8 -*-\n#headend: python = 2.7\n", Some(&[2, 7])),
            ("#!/usr/bin/python3\n# headend: python=2\n", Some(&[2])),
            ("#!/bin/sh\n", None),
            ("print 'python2.7'\n", None),
            ("", None),
        ];
        for (source, wanted) in cases {
            assert_eq!(
                wish(source.as_bytes()),
                wanted.map_or(Wish::None, |wanted| Wish::Version(wanted.to_vec())),
                "{source:?}"
            );
        }
        assert_eq!(wish(b"\xff\xfe\x00#!python2"), Wish::None);
    }

    #[test]
    fn a_named_version_that_is_missing_is_an_error() {
        let found = [python((3, 11, 2)), python((2, 7, 18)), python((3, 12, 1))];
        assert_eq!(named(&found, &[3]).unwrap().version, (3, 11, 2));
        assert_eq!(named(&found, &[3, 12]).unwrap().version, (3, 12, 1));
        let error = named(&found, &[3, 9]).unwrap_err();
        assert!(error.contains("asks for Python 3.9, and the rack has 3.11.2, 2.7.18, 3.12.1"), "{error}");
    }
}

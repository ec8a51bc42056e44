//! Arguments as one line become a list, split as a POSIX shell would, without a shell: blanks separate, quotes and
//! backslashes group, nothing is expanded. It is what Python's `shlex.split` does, but that a NUL and a very long line are
//! refused, and that a stray quote is named with its place; `oracle` compares the two.

/// A line that cannot be split.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "each message says it")]
pub(crate) enum BadArguments {
    #[error("the quote {quote} opened at character {at} is not closed; close it, or write \\{quote}")]
    OpenQuote { quote: char, at: usize },
    #[error("the line ends in a backslash; double it, or remove it")]
    TrailingBackslash,
    #[error("the line has the character NUL, which no process can be given; remove it")]
    Nul,
    #[error("the line is {0} bytes long; at most {MAX_BYTES} are taken")]
    TooLong(usize),
}

/// Longest line of arguments, in bytes.
pub(crate) const MAX_BYTES: usize = 32_768;

/// Splits a line.
///
/// # Errors
/// [`BadArguments`] with the place of the stray quote (counted from 1) or backslash.
pub(crate) fn split(line: &str) -> Result<Vec<String>, BadArguments> {
    if line.len() > MAX_BYTES {
        return Err(BadArguments::TooLong(line.len()));
    }
    if line.contains('\0') {
        return Err(BadArguments::Nul);
    }
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut chars = line.chars().enumerate();
    while let Some((at, c)) = chars.next() {
        match c {
            ' ' | '\t' | '\n' | '\r' => words.extend(word.take()),
            '\'' => single(&mut chars, word.get_or_insert_default(), at)?,
            '"' => double(&mut chars, word.get_or_insert_default(), at)?,
            '\\' => {
                let (_, next) = chars.next().ok_or(BadArguments::TrailingBackslash)?;
                word.get_or_insert_default().push(next);
            }
            c => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    Ok(words)
}

fn single(chars: &mut impl Iterator<Item = (usize, char)>, word: &mut String, at: usize) -> Result<(), BadArguments> {
    for (_, c) in chars {
        if c == '\'' {
            return Ok(());
        }
        word.push(c);
    }
    Err(BadArguments::OpenQuote { quote: '\'', at: at + 1 })
}

fn double(chars: &mut impl Iterator<Item = (usize, char)>, word: &mut String, at: usize) -> Result<(), BadArguments> {
    while let Some((_, c)) = chars.next() {
        match c {
            '"' => return Ok(()),
            '\\' => match chars.next() {
                Some((_, escaped @ ('"' | '\\'))) => word.push(escaped),
                Some((_, other)) => word.extend(['\\', other]),
                None => return Err(BadArguments::TrailingBackslash),
            },
            c => word.push(c),
        }
    }
    Err(BadArguments::OpenQuote { quote: '"', at: at + 1 })
}

/// The line that [`split`] makes these words of.
pub(crate) fn join(words: &[String]) -> String {
    words.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" ")
}

fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "@%+=:,./-_".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    // The document's own example has double quotes.
    format!("\"{}\"", word.replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod oracle;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_split_as_pythons_shlex_does() {
        for (line, words) in [
            ("", vec![]),
            ("  \t ", vec![]),
            ("a b", vec!["a", "b"]),
            ("--x='a b' \"c d\"e", vec!["--x=a b", "c de"]),
            (r#"a\ b "q\"q" 'r\r' "s\s""#, vec!["a b", "q\"q", r"r\r", r"s\s"]),
            ("'' \"\"", vec!["", ""]),
            ("$HOME `x` *", vec!["$HOME", "`x`", "*"]),
            ("ü 'é è'", vec!["ü", "é è"]),
        ] {
            assert_eq!(split(line).unwrap(), words, "{line:?}");
        }
    }

    #[test]
    fn words_join_to_a_line_that_splits_into_them() {
        for line in ["", "-s \"an argument\"", "a b", "\"\"", r#""q\"q" "b\\s" "$HOME" "it's" ü"#] {
            assert_eq!(join(&split(line).unwrap()), line);
        }
    }

    #[test]
    fn stray_quotes_say_where_they_are() {
        assert_eq!(split("a 'b").unwrap_err(), BadArguments::OpenQuote { quote: '\'', at: 3 });
        assert_eq!(split("\"").unwrap_err(), BadArguments::OpenQuote { quote: '"', at: 1 });
        assert_eq!(split("a\\").unwrap_err(), BadArguments::TrailingBackslash);
        assert_eq!(split("a\0").unwrap_err(), BadArguments::Nul);
        assert!(split(&"a".repeat(MAX_BYTES + 1)).is_err());
    }
}

//! The place of a mistake in a script: its line, and a caret below the column.

use std::fmt::Write as _;

/// Characters of a line that are shown at most.
const WIDTH: usize = 100;

/// What stands below a message: a margin, the line, the caret. Both numbers count from 1. `None`: the source has no such line.
pub(crate) fn excerpt(source: &str, line: usize, column: usize) -> Option<String> {
    let text = source.lines().nth(line.checked_sub(1)?)?;
    let (shown, caret) = window(text, column.saturating_sub(1));
    let margin = line.to_string().len();
    let mut below = String::new();
    // Writing to a string cannot fail.
    let _ = write!(below, "\n{:margin$} |\n{line} | {shown}\n{:margin$} | {:caret$}^", "", "", "");
    Some(below)
}

/// The part of a line around a column, and the column in that part.
fn window(line: &str, column: usize) -> (String, usize) {
    let from = column.saturating_sub(WIDTH / 2);
    let part = line.chars().skip(from).take(WIDTH);
    let shown = part.map(|character| if character.is_control() { ' ' } else { character }).collect();
    (shown, column - from)
}

/// A message of Rhai with the place that it names, `(line 3, position 5)`: of several the first, which is where it happened; the others
/// are the calls that led there.
pub(crate) fn with_place(source: &str, mut message: String) -> String {
    let below = place(&message).and_then(|(line, column)| excerpt(source, line, column));
    message.push_str(&below.unwrap_or_default());
    message
}

fn place(message: &str) -> Option<(usize, usize)> {
    let (_, rest) = message.split_once("(line ")?;
    let (place, _) = rest.split_once(')')?;
    match place.split_once(", position ") {
        Some((line, column)) => Some((line.parse().ok()?, column.parse().ok()?)),
        None => Some((place.parse().ok()?, 1)),
    }
}

/// The same message where there is room for one line only: the numbers of the place are still in it.
pub fn without_place(message: &str) -> &str {
    let begin = message.find(" |\n").and_then(|bar| {
        let begin = message.get(..bar)?.rfind('\n')?;
        message.get(begin + 1..bar)?.chars().all(|margin| margin == ' ').then_some(begin)
    });
    begin.and_then(|begin| message.get(..begin)).unwrap_or(message)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: &str = "fn propose(plan, free) {\n\tlet n = 1;\n    nosuch(n)\n}\n";

    #[test]
    fn a_place_is_shown_with_its_line_and_a_caret() {
        let told = "Function not found: nosuch (i64) (line 3, position 5)";
        let shown = with_place(SOURCE, told.to_owned());
        assert_eq!(shown, format!("{told}\n  |\n3 |     nosuch(n)\n  |     ^"));
        assert_eq!(without_place(&shown), told);
        let called = format!("{told}\nin call to function 'f' (line 1, position 1)");
        let shown = with_place(SOURCE, called.clone());
        assert!(shown.ends_with("3 |     nosuch(n)\n  |     ^"), "{shown}");
        assert_eq!(without_place(&shown), called);
        assert!(with_place(SOURCE, "odd (line 2)".into()).ends_with("2 |  let n = 1;\n  | ^"));
    }

    #[test]
    fn what_names_no_line_of_the_source_stays_as_it_is() {
        for told in
            ["", "odd", "(line 9, position 1)", "(line 0, position 1)", "(line x)", "(line 3", "(line 3, position y)"]
        {
            assert_eq!(with_place(SOURCE, told.to_owned()), told);
            assert_eq!(without_place(told), told);
        }
        assert_eq!(without_place("a |\nb"), "a |\nb");
    }

    #[test]
    fn of_a_long_line_the_part_around_the_place_is_shown() {
        let long = "x".repeat(10_000);
        let shown = with_place(&long, "odd (line 1, position 5000)".into());
        assert!(shown.len() < 400 && shown.ends_with('^'), "{shown}");
    }
}

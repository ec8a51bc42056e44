//! CSV as RFC 4180 has it.

/// A line with its end. A value with a comma, a quote, or an end of line in it is quoted.
pub(super) fn line<'a>(values: impl Iterator<Item = &'a str>) -> String {
    let mut line = String::new();
    for (value, at) in values.zip(0..) {
        if at > 0 {
            line.push(',');
        }
        if value.contains([',', '"', '\r', '\n']) || value.starts_with(' ') || value.ends_with(' ') {
            line.push('"');
            line.push_str(&value.replace('"', "\"\""));
            line.push('"');
        } else {
            line.push_str(value);
        }
    }
    line.push_str("\r\n");
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A reader of RFC 4180, as strict as it is short.
    fn parse(text: &str) -> Vec<Vec<String>> {
        let (mut rows, mut row, mut value, mut quoted) = (Vec::new(), Vec::new(), String::new(), false);
        let mut rest = text.chars().peekable();
        while let Some(c) = rest.next() {
            match (c, quoted) {
                ('"', true) if rest.peek() == Some(&'"') => value.extend(rest.next()),
                ('"', _) => quoted = !quoted,
                (',', false) => row.push(std::mem::take(&mut value)),
                ('\r', false) => {
                    assert_eq!(rest.next(), Some('\n'));
                    row.push(std::mem::take(&mut value));
                    rows.push(std::mem::take(&mut row));
                }
                (c, _) => value.push(c),
            }
        }
        assert!(!quoted && row.is_empty() && value.is_empty(), "cut off");
        rows
    }

    #[test]
    fn whatever_is_written_is_read_again() {
        let rows = [
            vec!["plain", "", "a,b", "say \"no\"", "two\r\nlines", " blanks ", "ä—漢"],
            vec!["\"", "\n", ",", "\"\"", "\r", "'", "=1+1"],
        ];
        let text: String = rows.iter().map(|row| line(row.iter().copied())).collect();
        assert_eq!(parse(&text), rows);
    }
}

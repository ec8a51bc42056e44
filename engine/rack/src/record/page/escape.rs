//! Text of others in a page.

use std::borrow::Cow;
use std::fmt::Write;

/// Text for elements and for attributes in quotes. Control characters other than line ends and tabs are shown as `�`.
pub(super) fn escaped(text: &str) -> Cow<'_, str> {
    let odd = |c: char| matches!(c, '&' | '<' | '>' | '"' | '\'') || c.is_control() && !matches!(c, '\n' | '\t');
    if !text.contains(odd) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + text.len() / 8);
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\r' => {}
            c if odd(c) => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    Cow::Owned(out)
}

/// A path below the page's folder as a link: nothing in it can be read as a scheme, a host or a query.
pub(super) fn link(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    for byte in path.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'/' => out.push(char::from(byte)),
            byte => {
                // Writing to a string cannot fail.
                let _ = write!(out, "%{byte:02X}");
            }
        }
    }
    // A leading slash would lead to the root, two to another host.
    format!("./{}", out.trim_start_matches('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_a_text_becomes_markup() {
        assert_eq!(
            escaped("<b a='1' c=\"2\">&\u{1b}[31m\r\n"),
            "&lt;b a=&#39;1&#39; c=&quot;2&quot;&gt;&amp;\u{fffd}[31m\n"
        );
        assert!(matches!(escaped("plain text, ä, 日本\n"), Cow::Borrowed(_)));
    }

    #[test]
    fn a_link_leads_below() {
        assert_eq!(link("a b#1?.png"), "./a%20b%231%3F.png");
        assert_eq!(link("javascript:alert(1)"), "./javascript%3Aalert%281%29");
        assert_eq!(link("//evil/x.png"), "./evil/x.png");
    }
}

//! What policies say to people: one sentence, bounded, and nothing in it that plays tricks on a terminal or a page.

/// Most bytes of a sentence.
pub(super) const MAX_SENTENCE: usize = 300;

/// The first 300 bytes, cut between characters. Control characters, and those that turn the direction of writing, become blanks.
pub(super) fn sentence(text: &str) -> String {
    let plain: String = cut(text.trim(), MAX_SENTENCE).chars().map(|c| if is_odd(c) { ' ' } else { c }).collect();
    plain.trim().to_owned()
}

/// Not for the eye: what it does to the text around it cannot be seen.
fn is_odd(c: char) -> bool {
    c.is_control() || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// The first `most` bytes, cut between characters.
pub(super) fn cut(text: &str, most: usize) -> &str {
    let mut end = text.len().min(most);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_is_short_and_plain() {
        assert_eq!(sentence(" never ran here\r\n"), "never ran here");
        assert_eq!(sentence("a\u{1b}[31mb\u{202e}c\nd"), "a [31mb c d");
        let long = sentence(&"\u{20ac}".repeat(101));
        assert_eq!((long.len(), long.chars().count()), (300, 100));
        assert_eq!(sentence(&format!("a{}", "\u{20ac}".repeat(100))).len(), 298, "no half characters");
    }
}

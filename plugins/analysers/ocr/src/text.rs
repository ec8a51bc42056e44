//! How far a text is from being somewhere in another.

/// One space between words, and one case if that does not matter.
pub(crate) fn plain(text: &str, ignore_case: bool) -> String {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if ignore_case { text.to_lowercase() } else { text }
}

/// The fewest characters that are wrong, missing or too many when `wanted` is looked for anywhere in `text` (Sellers).
pub(crate) fn distance(wanted: &str, text: &str) -> usize {
    let wanted: Vec<char> = wanted.chars().collect();
    // Costs of the beginnings of `wanted`, ending at the place in `text` where we are. To begin costs nothing anywhere.
    let mut costs: Vec<usize> = (0..=wanted.len()).collect();
    let mut best = wanted.len();
    for seen in text.chars() {
        let mut diagonal = 0;
        for (at, want) in wanted.iter().enumerate() {
            let replaced = diagonal + usize::from(*want != seen);
            diagonal = costs[at + 1];
            costs[at + 1] = replaced.min(costs[at] + 1).min(diagonal + 1);
        }
        best = best.min(costs[wanted.len()]);
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_looked_for_anywhere() {
        for (wanted, text, expected) in [
            ("one", "bbc one hd", 0),
            ("one", "bbc 0ne", 1),
            ("one", "on", 1),
            ("one", "o n e", 2),
            ("one", "", 3),
            ("", "anything", 0),
            ("über", "uber", 1),
            ("abc", "xabbcx", 1),
        ] {
            assert_eq!(distance(wanted, text), expected, "{wanted:?} in {text:?}");
        }
        assert_eq!(plain("  BBC \n One ", true), "bbc one");
        assert_eq!(plain("BBC", false), "BBC");
    }
}

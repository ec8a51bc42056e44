//! What the script printed, among the events by the time at which it came.

use std::ops::Range;

use super::escape::escaped;
use super::lines::clock;

/// Pieces within so much time are shown as one, in microseconds.
const TOGETHER_US: i64 = 200_000;

/// A console with the times of its pieces.
#[derive(Debug)]
pub(super) struct Console<'a> {
    bytes: &'a [u8],
    /// When, and which bytes, in order: whole lines.
    pieces: Vec<(i64, Range<usize>)>,
    /// The next one to be shown.
    next: usize,
}

impl<'a> Console<'a> {
    /// `times`: lines of a place in the console and microseconds. Whatever is no such line is passed over: a script may write there, too.
    pub(super) fn new(bytes: &'a [u8], times: &str) -> Self {
        let mark = |line: &str| {
            let (place, at) = line.split_once(' ')?;
            Some((at.parse().ok()?, place.parse().ok()?))
        };
        Self { bytes, pieces: pieces(bytes, times.lines().filter_map(mark)), next: 0 }
    }

    /// What had been printed by then and is not shown yet, as lines of the page.
    pub(super) fn until(&mut self, at: i64) -> String {
        let mut out = String::new();
        while let Some((began, mut part)) = self.pieces.get(self.next).filter(|(piece, _)| *piece <= at).cloned() {
            self.next += 1;
            let together = |(piece, _): &&(i64, Range<usize>)| *piece <= at.min(began.saturating_add(TOGETHER_US));
            while let Some((_, more)) = self.pieces.get(self.next).filter(together) {
                part.end = more.end;
                self.next += 1;
            }
            let text = String::from_utf8_lossy(self.bytes.get(part).unwrap_or_default());
            let text = escaped(text.strip_suffix('\n').unwrap_or(&text)).into_owned();
            out.push_str("<div class=\"line console\"><time>");
            out.push_str(&clock(began));
            out.push_str("</time> <b>CONSOLE</b> <span>");
            out.push_str(&text);
            out.push_str("</span></div>\n");
        }
        out
    }

    /// All that is left. Without times that is one block.
    pub(super) fn rest(&mut self) -> String {
        if !self.pieces.is_empty() || self.bytes.is_empty() {
            return self.until(i64::MAX);
        }
        let text = String::from_utf8_lossy(self.bytes);
        format!(
            "<details class=\"region console\" open><summary>Console</summary><pre>{}</pre></details>\n",
            escaped(&text)
        )
    }
}

/// From mark to mark, each to the end of its last whole line: a line belongs to the time at which it was complete.
fn pieces(bytes: &[u8], marks: impl Iterator<Item = (i64, usize)>) -> Vec<(i64, Range<usize>)> {
    let mut ordered: Vec<(i64, usize)> = Vec::new();
    for (at, place) in marks {
        if place < bytes.len() && ordered.last().is_none_or(|(_, last)| *last < place) {
            ordered.push((at, place));
        }
    }
    let ends = ordered.iter().skip(1).map(|(_, place)| Some(*place)).chain([None]);
    let mut shown = 0;
    let mut pieces = Vec::with_capacity(ordered.len());
    for ((at, _), end) in ordered.iter().zip(ends) {
        let whole = end.map(|end| bytes.get(shown..end).and_then(|part| part.iter().rposition(|byte| *byte == b'\n')));
        let end = match whole {
            // Nothing comes after it.
            None => bytes.len(),
            Some(Some(line_end)) => shown + line_end + 1,
            Some(None) => continue,
        };
        pieces.push((*at, shown..end));
        shown = end;
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str, times: &str) -> Vec<(i64, String)> {
        let console = Console::new(text.as_bytes(), times);
        console.pieces.iter().map(|(at, part)| (*at, text[part.clone()].to_owned())).collect()
    }

    #[test]
    fn lines_stand_at_the_time_at_which_they_were_complete() {
        let seen = shown("one\ntwo\nth", "0 10\n2 20\n4 30\n8 40\n");
        assert_eq!(seen, [(20, "one\n".to_owned()), (30, "two\n".to_owned()), (40, "th".to_owned())]);
        assert_eq!(shown("old\nnew\n", "4 9\n"), [(9, "old\nnew\n".to_owned())], "what was there before has no time");
    }

    #[test]
    fn what_is_no_time_is_passed_over() {
        assert_eq!(shown("a\nb\n", "x y\n0 1\n99 2\n0 3\n-1 4\n2 5"), [(1, "a\n".to_owned()), (5, "b\n".to_owned())]);
        let mut without = Console::new(b"<b>\n", "");
        assert!(without.until(i64::MAX).is_empty());
        assert!(without.rest().contains("<pre>&lt;b&gt;\n</pre>"));
        assert!(Console::new(b"", "0 1").rest().is_empty());
    }

    #[test]
    fn pieces_close_together_are_one_line_of_the_page() {
        let mut console = Console::new(b"a\nb\nc\n", "0 1000\n2 2000\n4 900000");
        assert_eq!(console.until(1_500).matches("<div").count(), 1);
        assert_eq!(console.until(5_000_000).matches("<div").count(), 2);
        assert_eq!(console.rest(), "");
        let mut console = Console::new(b"a\nb\nc\n", "0 1000\n2 2000\n4 900000");
        assert!(console.rest().contains("<span>a\nb</span>"));
    }
}

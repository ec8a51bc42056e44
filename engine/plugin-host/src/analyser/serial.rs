//! Lines of a serial port, in pieces that one call may hand over.

use super::verdict::shorten;

/// Most lines of one call.
pub const MAX_LINES: usize = 256;
/// Most bytes of a line; what is longer is cut.
pub const MAX_LINE: usize = 4 << 10;
/// Most bytes of text of one call.
pub const MAX_TEXT: usize = 64 << 10;

/// A line that a device said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// When its end came: of the stream's clock, in microseconds.
    pub at_us: i64,
    /// Without its line end.
    pub text: String,
}

/// What was said since the last look, as much of it as one call may hand over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct News {
    lines: Vec<Line>,
    lost: u64,
    now_us: i64,
}

impl News {
    /// In order, one for each call, and at least one: that nothing was said is news, too. `lost`: lines before these that are gone. `now_us`: there are no others
    /// up to then.
    ///
    /// ```
    /// use headend_plugin_host::analyser::serial::{Line, News};
    ///
    /// let said = (0..600).map(|n| Line { at_us: n, text: format!("line {n}") });
    /// let calls = News::of(said, 3, 1_000);
    /// assert_eq!(calls.iter().map(|call| call.lines().len()).collect::<Vec<_>>(), [256, 256, 88]);
    /// assert_eq!((calls[0].now_us(), calls[0].lost(), calls[2].now_us(), calls[2].lost()), (255, 3, 1_000, 0));
    /// ```
    pub fn of(lines: impl IntoIterator<Item = Line>, lost: u64, now_us: i64) -> Vec<Self> {
        let mut parts = Vec::new();
        let mut part = Self { lines: Vec::new(), lost, now_us };
        let mut bytes = 0;
        for mut line in lines {
            shorten(&mut line.text, MAX_LINE);
            if part.lines.len() == MAX_LINES || bytes + line.text.len() > MAX_TEXT {
                part.now_us = part.last_us();
                parts.push(std::mem::replace(&mut part, Self { lines: Vec::new(), lost: 0, now_us }));
                bytes = 0;
            }
            bytes += line.text.len();
            part.lines.push(line);
        }
        // A line may have come while the clock was read.
        part.now_us = now_us.max(part.last_us());
        parts.push(part);
        parts
    }

    fn last_us(&self) -> i64 {
        self.lines.last().map_or(self.now_us, |last| last.at_us)
    }

    /// In the order in which they were said.
    pub fn lines(&self) -> &[Line] {
        &self.lines
    }

    /// Lines before these that are gone.
    pub const fn lost(&self) -> u64 {
        self.lost
    }

    /// How far the stream has come, in microseconds of its clock: there are no other lines up to here.
    pub const fn now_us(&self) -> i64 {
        self.now_us
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lines_are_cut_and_many_bytes_are_several_calls() {
        let long = |n: i64| Line { at_us: n, text: "ü".repeat(3_000) };
        let calls = News::of((0..20).map(long), 0, 5);
        assert_eq!(calls.iter().map(|call| call.lines().len()).collect::<Vec<_>>(), [16, 4]);
        assert!(calls.iter().flat_map(News::lines).all(|line| line.text.len() == MAX_LINE));
        assert_eq!((calls[0].now_us(), calls[1].now_us()), (15, 19), "never before the last line");
        let nothing = News::of([], 7, 40);
        assert_eq!((nothing.len(), nothing[0].lost(), nothing[0].now_us()), (1, 7, 40));
        assert!(nothing[0].lines().is_empty());
    }
}

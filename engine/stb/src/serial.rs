//! The serial line: what the box has said, as far back as it is kept, and what was typed so far.

use std::collections::VecDeque;

/// Lines kept.
const LINES: usize = 400;
/// Bytes of text kept.
const BYTES: usize = 24 * 1_024;
/// Characters of a line; what is longer is cut.
const WIDTH: usize = 200;

/// A line that the box said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// When, in microseconds of the box's clock.
    pub at_us: u64,
    /// Without its line end.
    pub text: Box<str>,
}

/// What was said since somebody looked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct News {
    /// In the order in which they were said.
    pub lines: Vec<Line>,
    /// Where the next look begins.
    pub next: u64,
    /// Lines that were gone before they were looked at.
    pub lost: u64,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Serial {
    lines: VecDeque<Line>,
    bytes: usize,
    /// Lines said since the box was made.
    said: u64,
    /// Of a command, before its line end.
    typed: String,
}

impl Serial {
    pub(crate) fn say(&mut self, at_us: u64, text: &str) {
        let text: Box<str> = text.chars().take(WIDTH).collect::<String>().into();
        self.bytes += text.len();
        self.lines.push_back(Line { at_us, text });
        self.said += 1;
        while self.lines.len() > LINES || self.bytes > BYTES {
            self.bytes -= self.lines.pop_front().map_or(0, |line| line.text.len());
        }
    }

    /// Without the lines that are kept; what was typed of a command stays.
    pub(crate) fn forgotten(&self) -> Self {
        Self { said: self.said, typed: self.typed.clone(), ..Self::default() }
    }

    pub(crate) fn since(&self, from: u64) -> News {
        let gone = self.said - self.lines.len() as u64;
        let first = from.clamp(gone, self.said);
        let lines = self.lines.iter().skip((first - gone) as usize).cloned().collect();
        News { lines, next: self.said, lost: first.saturating_sub(from) }
    }

    /// Takes a byte of a command; the command when it is complete.
    pub(crate) fn typed(&mut self, byte: u8) -> Option<String> {
        match byte {
            b'\r' | b'\n' => Some(std::mem::take(&mut self.typed)).filter(|command| !command.trim().is_empty()),
            // Backspace, as terminals send it in two ways.
            8 | 127 => {
                self.typed.pop();
                None
            }
            b' '..=b'~' if self.typed.len() < WIDTH => {
                self.typed.push(char::from(byte));
                None
            }
            _ => None,
        }
    }
}

/// Text from outside in one line without control characters.
pub(crate) fn plain(text: &str) -> String {
    text.chars().take(80).map(|letter| if letter.is_control() { '?' } else { letter }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_gone_is_counted() {
        let mut serial = Serial::default();
        for line in 0..LINES as u64 + 50 {
            serial.say(line, &format!("line {line}"));
        }
        let all = serial.since(0);
        assert_eq!((all.lines.len(), all.lost, all.next), (LINES, 50, LINES as u64 + 50));
        assert_eq!(&*all.lines[0].text, "line 50");
        assert_eq!(serial.since(all.next), News { lines: vec![], next: all.next, lost: 0 });
        assert_eq!(serial.since(60).lines[0].at_us, 60);
        assert_eq!(serial.since(u64::MAX).lines, []);
        (0..1_000).for_each(|_| serial.say(0, &"ü".repeat(1_000)));
        assert!(serial.bytes <= BYTES);
    }

    #[test]
    fn commands_end_with_their_line() {
        let mut serial = Serial::default();
        let commands: Vec<String> =
            b"sta\x7fatus\r\n\n help\xff\n".iter().filter_map(|byte| serial.typed(*byte)).collect();
        assert_eq!(commands, ["status", " help"]);
    }
}

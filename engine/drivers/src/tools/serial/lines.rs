//! Lines out of bytes, as far back as they are kept.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt};

use crate::{SerialLine, SerialNews, now_us};

/// Lines kept.
const LINES: usize = 4096;
/// Bytes of text kept.
const BYTES: usize = 512 << 10;
/// Bytes of a line; what is longer is given in parts.
const WIDTH: usize = 4096;

/// What came over a serial line. Shared between who reads it and who looks.
#[derive(Debug, Default)]
pub(crate) struct Lines(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    lines: VecDeque<SerialLine>,
    bytes: usize,
    /// Lines that came since the beginning.
    came: u64,
    /// Of a line without its end.
    open: Vec<u8>,
    /// The last byte ended a line as a carriage return, so a line feed belongs to it.
    returned: bool,
}

impl Lines {
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes bytes as they came.
    pub(crate) fn heard(&self, at_us: u64, bytes: &[u8]) {
        let mut kept = self.kept();
        for byte in bytes {
            kept.take(at_us, *byte);
        }
    }

    /// Gives what stands without a line end as a line: a prompt, or what came before a cut.
    pub(crate) fn close(&self, at_us: u64) {
        let mut kept = self.kept();
        if !kept.open.is_empty() {
            kept.end(at_us);
        }
    }

    /// Something stands without a line end.
    fn is_open(&self) -> bool {
        !self.kept().open.is_empty()
    }

    /// What came since a look that ended at `from`.
    pub(crate) fn since(&self, from: u64) -> SerialNews {
        let kept = self.kept();
        let gone = kept.came - kept.lines.len() as u64;
        let first = from.clamp(gone, kept.came);
        let lines = kept.lines.iter().skip((first - gone) as usize).cloned().collect();
        SerialNews { lines, next: kept.came, lost: first.saturating_sub(from) }
    }
}

impl Kept {
    fn take(&mut self, at_us: u64, byte: u8) {
        let pair = std::mem::replace(&mut self.returned, byte == b'\r');
        match byte {
            // The second half of a line end, or carriage returns in a row.
            b'\n' | b'\r' if pair && self.open.is_empty() => {}
            b'\n' | b'\r' => self.end(at_us),
            byte => {
                if self.open.len() == WIDTH {
                    self.end(at_us);
                }
                self.open.push(byte);
            }
        }
    }

    fn end(&mut self, at_us: u64) {
        let text = String::from_utf8_lossy(&self.open).into_owned();
        self.open.clear();
        self.bytes += text.len();
        self.came += 1;
        self.lines.push_back(SerialLine { at_us, text });
        while self.lines.len() > LINES || self.bytes > BYTES {
            self.bytes -= self.lines.pop_front().map_or(0, |line| line.text.len());
        }
    }
}

/// Reads until the other side goes, and gives the reason. A line without an end is given after `quiet` without a byte; zero: never.
pub(crate) async fn listen(from: &mut (impl AsyncRead + Unpin), lines: &Lines, quiet: Duration) -> String {
    let mut bytes = vec![0; 4096];
    let reason = loop {
        let read = if quiet.is_zero() || !lines.is_open() {
            from.read(&mut bytes).await
        } else {
            let Ok(read) = tokio::time::timeout(quiet, from.read(&mut bytes)).await else {
                lines.close(now_us());
                continue;
            };
            read
        };
        match read {
            Ok(0) => break "the other side has gone".to_owned(),
            Ok(count) => lines.heard(now_us(), &bytes[..count]),
            Err(error) => break error.to_string(),
        }
    };
    lines.close(now_us());
    reason
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(lines: &Lines) -> Vec<String> {
        lines.since(0).lines.into_iter().map(|line| line.text).collect()
    }

    #[test]
    fn every_kind_of_line_end_ends_one_line() {
        let lines = Lines::default();
        lines.heard(1, b"one\r\ntwo\nthree\r\r\nfour\rfive");
        assert_eq!(texts(&lines), ["one", "two", "three", "four"]);
        lines.heard(2, b" six\n\nend\n");
        assert_eq!(texts(&lines), ["one", "two", "three", "four", "five six", "", "end"]);
        assert_eq!(lines.since(4).lines[0].at_us, 2);
    }

    #[test]
    fn a_line_end_may_come_in_two_parts() {
        let lines = Lines::default();
        lines.heard(1, b"one\r");
        lines.heard(2, b"\ntwo\r");
        lines.heard(3, b"three\n");
        assert_eq!(texts(&lines), ["one", "two", "three"]);
    }

    #[test]
    fn bytes_that_are_no_text_do_no_harm() {
        let lines = Lines::default();
        lines.heard(1, b"\xff\xfe ok\n");
        assert_eq!(texts(&lines), ["\u{fffd}\u{fffd} ok"]);
    }

    #[test]
    fn a_long_line_comes_in_parts() {
        let lines = Lines::default();
        lines.heard(1, &vec![b'x'; WIDTH * 2]);
        lines.heard(2, b"\nnext\n");
        let lengths: Vec<usize> = texts(&lines).iter().map(String::len).collect();
        assert_eq!(lengths, [WIDTH, WIDTH, 4]);
    }

    #[test]
    fn what_is_gone_is_counted() {
        let lines = Lines::default();
        for line in 0..LINES + 10 {
            lines.heard(1, format!("line {line}\n").as_bytes());
        }
        let news = lines.since(4);
        assert_eq!((news.lost, news.lines.len(), news.next), (6, LINES, LINES as u64 + 10));
        assert_eq!(news.lines[0].text, "line 10");
        assert_eq!(lines.since(news.next), SerialNews { next: news.next, ..SerialNews::default() });
        // Bytes are bounded too.
        let wide = vec![b'y'; WIDTH];
        (0..LINES).for_each(|_| lines.heard(2, &wide));
        let held: usize = lines.since(0).lines.iter().map(|line| line.text.len()).sum();
        assert!(held <= BYTES, "{held}");
    }

    #[tokio::test]
    async fn a_prompt_is_given_after_a_while() {
        let lines = Lines::default();
        let (mut near, mut far) = tokio::io::duplex(64);
        let say = async {
            tokio::io::AsyncWriteExt::write_all(&mut near, b"boot\nlogin: ").await.unwrap();
            while lines.since(0).lines.len() < 2 {
                tokio::task::yield_now().await;
            }
            drop(near);
        };
        let listen = listen(&mut far, &lines, Duration::from_millis(20));
        let both = async { tokio::join!(say, listen).1 };
        let reason = tokio::time::timeout(Duration::from_mins(1), both).await.unwrap();
        assert_eq!(texts(&lines), ["boot", "login: "]);
        assert_eq!(reason, "the other side has gone");
    }
}

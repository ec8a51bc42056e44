//! What ffmpeg said last.

use std::collections::VecDeque;

use tokio::io::{AsyncRead, AsyncReadExt};

/// Lines that are kept.
const LINES: usize = 6;
/// Bytes of a line that are kept.
const LENGTH: usize = 240;

/// The last lines of standard error, without secrets. Bounded, whatever comes.
#[derive(Debug, Default)]
pub(super) struct Words {
    lines: VecDeque<String>,
    open: Vec<u8>,
}

impl Words {
    /// Takes bytes as they come.
    pub(super) fn hear(&mut self, bytes: &[u8]) {
        for byte in bytes {
            match byte {
                b'\n' | b'\r' => self.close(),
                _ if self.open.len() < LENGTH => self.open.push(*byte),
                _ => {}
            }
        }
    }

    fn close(&mut self) {
        let open = std::mem::take(&mut self.open);
        let line = without_secrets(String::from_utf8_lossy(&open).trim());
        // The same again says nothing new, and a broken stream says it a hundred times a second.
        if line.is_empty() || self.lines.back() == Some(&line) {
            return;
        }
        if self.lines.len() == LINES {
            self.lines.pop_front();
        }
        self.lines.push_back(line);
    }

    /// All that is kept, in one line.
    pub(super) fn text(&self) -> String {
        self.lines.iter().map(String::as_str).collect::<Vec<_>>().join(" | ")
    }
}

/// Reads to the end.
pub(super) async fn listen(mut from: impl AsyncRead + Unpin, hear: impl Fn(&[u8])) {
    let mut bytes = [0; 4096];
    while let Ok(count @ 1..) = from.read(&mut bytes).await {
        hear(&bytes[..count]);
    }
}

/// Takes user and password out of addresses.
pub(super) fn without_secrets(text: &str) -> String {
    let mut parts = text.split("://");
    let mut clean = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let end = part.find(['/', '?', '#', ' ', '\'', '"']).unwrap_or(part.len());
        let host = part[..end].rfind('@').map_or(0, |at| at + 1);
        clean.push_str(if host > 0 { "://…@" } else { "://" });
        clean.push_str(&part[host..]);
    }
    clean
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_lines_are_kept_and_no_more() {
        let mut words = Words::default();
        (0..20).for_each(|line| words.hear(format!("line {line}\r\n").as_bytes()));
        words.hear(b"line 19\nnot yet");
        assert_eq!(words.text(), "line 14 | line 15 | line 16 | line 17 | line 18 | line 19");
        words.hear("x".repeat(100_000).as_bytes());
        words.hear(b"\n\xff\n");
        assert!(words.text().len() <= LINES * (LENGTH + 3), "{}", words.text().len());
        assert!(words.text().ends_with('\u{fffd}'));
    }

    #[test]
    fn passwords_are_not_repeated() {
        for (text, clean) in [
            ("rtsp://me:pass@cam:554/1", "rtsp://…@cam:554/1"),
            ("rtsp://cam/a@b", "rtsp://cam/a@b"),
            ("'http://a:b@c@host': refused, http://x:y@z", "'http://…@host': refused, http://…@z"),
            ("nothing @ all", "nothing @ all"),
        ] {
            assert_eq!(without_secrets(text), clean);
        }
    }
}

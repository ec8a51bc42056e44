//! The serial line: what a script sends and reads, and what is kept of it.

use headend_wire::session::{CallError, SerialLine, SerialRead, SlotAnswer};
use serde_json::{Value, json};

use super::Session;
use super::calls::{device_error, value};

/// Most bytes of lines in one answer, so that it stays a line of the wire.
const MOST_BYTES: usize = 256 << 10;
/// Longest line in an answer and in the log, in bytes.
const LONGEST: usize = 4 << 10;

/// Where the lines of a slot begin and how far they have been kept.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mark {
    began: u64,
    kept: u64,
}

impl Session {
    /// A slot was reserved: what its device said before is nobody's business.
    pub(super) fn mark_serial(&mut self, place: usize) {
        if let Some(driver) = self.setup.drivers.get(place) {
            let next = driver.serial_since(0).next;
            self.serial.entry(place).or_insert(Mark { began: next, kept: next });
        }
    }

    /// Where the lines begin that this run may read.
    pub(super) fn serial_began(&self, place: usize) -> u64 {
        self.serial.get(&place).map_or(0, |mark| mark.began)
    }

    /// Keeps the lines that have come. A slot whose lease is over says nothing to this run any more.
    pub(super) fn collect_serial(&mut self) {
        for (number, place) in self.slots.chosen(None) {
            let Ok((_, _, driver)) = self.device_quietly(number, place) else { continue };
            let Some(mark) = self.serial.get_mut(&place) else { continue };
            let news = driver.serial_since(mark.kept);
            mark.kept = news.next;
            for line in &news.lines {
                self.recorder.serial(number, line.at_us, cut(&line.text));
            }
            if news.lost > 0 {
                self.recorder.event("serial_lost", false, &json!({ "slot": number, "lines": news.lost }));
            }
        }
    }

    pub(super) async fn serial_send(&mut self, text: &str, slot: Option<u32>) -> Result<Value, CallError> {
        let bytes: Option<Vec<u8>> = text.chars().map(|byte| u8::try_from(u32::from(byte)).ok()).collect();
        let Some(bytes) = bytes else {
            return Self::refuse("bad_call", "bytes for the serial port are characters of the code points 0 to 255");
        };
        let chosen = self.chosen("sending to the serial port", slot)?;
        let mut answers = Vec::with_capacity(chosen.len());
        for (number, place, driver) in chosen {
            self.device(number, place)?;
            self.setup.witness.target(&self.setup.lease, &self.setup.lease.targets[place], "serial");
            driver.serial_send(&bytes).await.map_err(|error| device_error(number, &error))?;
            answers.push(SlotAnswer { slot: number, value: true });
        }
        self.keep_slots("serial_send", &json!({ "text": cut(text) }), &answers);
        Ok(value(&answers))
    }

    pub(super) fn serial_read(&mut self, from: u64, slot: Option<u32>) -> Result<Value, CallError> {
        let mut answers = Vec::new();
        for (number, place, driver) in self.chosen("reading from the serial port", slot)? {
            let news = driver.serial_since(from.max(self.serial_began(place)));
            let mut room = MOST_BYTES;
            let fits = |line: &&crate::driver::SerialLine| {
                let size = cut(&line.text).len() + 64;
                room = room.saturating_sub(size);
                room > 0
            };
            // The newest count: what does not fit is lost, and told so.
            let mut lines: Vec<SerialLine> = news.lines.iter().rev().take_while(fits).map(line).collect();
            lines.reverse();
            let lost = news.lost + (news.lines.len() - lines.len()) as u64;
            answers.push(SlotAnswer { slot: number, value: SerialRead { lines, next: news.next, lost } });
        }
        Ok(value(&answers))
    }
}

fn line(line: &crate::driver::SerialLine) -> SerialLine {
    SerialLine { at_us: line.at_us, text: cut(&line.text).to_owned() }
}

fn cut(text: &str) -> &str {
    &text[..text.floor_char_boundary(LONGEST)]
}

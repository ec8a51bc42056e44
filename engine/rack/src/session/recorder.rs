//! What a run leaves behind: `log.jsonl` (one event per line), `console.txt`, `serial.txt`, captures; the page is made of them at the end.
//! `console.times` tells when each piece of the console came: its place in `console.txt` and microseconds of the wall clock, one piece a line.
//!
//! The folder is made when the first thing worth keeping is written. A run that only connects, reserves and reports
//! leaves nothing on the disk. Files have a bound; what goes beyond it is counted and the count is written at the end.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use headend_wire::session::CalledFrom;
use serde_json::{Value, json};

use crate::clock::wall_now;
use crate::options::LogLimits;

/// Lines wait in memory up to this many bytes.
const BUFFER: usize = 32 << 10;
/// When what was printed came.
pub const CONSOLE_TIMES: &str = "console.times";
/// Pieces of the console whose time is told.
const MOST_TIMES: u32 = 20_000;
/// Lines of serial ports among the events; all are in `serial.txt`.
const SERIAL_EVENTS: u32 = 2_000;

/// Why something cannot be recorded, as a call's error.
#[derive(Debug)]
pub struct NotRecorded {
    /// Code of the call error.
    pub code: &'static str,
    /// For people.
    pub message: String,
}

/// A file with a bound.
#[derive(Debug, Default)]
struct Bounded {
    written: u64,
    dropped: u64,
    pending: Vec<u8>,
}

impl Bounded {
    /// `false`: there was no room.
    fn push(&mut self, bytes: &[u8], limit: u64) -> bool {
        let fits = self.written + bytes.len() as u64 <= limit;
        if fits {
            self.written += bytes.len() as u64;
            self.pending.extend_from_slice(bytes);
        } else {
            self.dropped += bytes.len() as u64;
        }
        fits
    }
}

/// Writes the evidence of one run.
#[derive(Debug)]
pub struct Recorder {
    folder: PathBuf,
    limits: LogLimits,
    log: Bounded,
    console: Bounded,
    /// Bytes that the file of the console had before.
    printed_before: Option<u64>,
    times: Bounded,
    times_told: u32,
    serial: Bounded,
    serial_events: u32,
    captures: u32,
    pictures: u32,
    /// Where the call that is under way stands in the script.
    source: CalledFrom,
    /// Pictures to compare with that are in the folder, by name.
    references: BTreeSet<String>,
    worth_keeping: bool,
    made: bool,
    broken: Option<String>,
}

impl Recorder {
    /// For a run whose output goes to `folder`.
    pub fn new(folder: PathBuf, limits: LogLimits) -> Self {
        Self {
            folder,
            limits,
            log: Bounded::default(),
            console: Bounded::default(),
            printed_before: None,
            times: Bounded::default(),
            times_told: 0,
            serial: Bounded::default(),
            serial_events: 0,
            captures: 0,
            pictures: 0,
            source: CalledFrom::new(),
            references: BTreeSet::new(),
            worth_keeping: false,
            made: false,
            broken: None,
        }
    }

    /// The folder, which may not be there yet.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Events to come are of a call that stands there in the script.
    pub fn called_from(&mut self, source: CalledFrom) {
        self.source = source;
    }

    /// There is something to keep.
    pub fn is_worth_keeping(&self) -> bool {
        self.worth_keeping
    }

    /// Keeps an event. `keep`: it is worth a file; other events are written only if something else is.
    pub fn event(&mut self, kind: &str, keep: bool, what: &Value) {
        self.worth_keeping |= keep;
        let mut line = json!({ "at": wall_now().micros(), "kind": kind });
        if let (Some(line), Some(what)) = (line.as_object_mut(), what.as_object()) {
            line.extend(what.iter().map(|(key, value)| (key.clone(), value.clone())));
            // What a device says by itself no line of the script has called for.
            if !self.source.is_empty() && !matches!(kind, "serial" | "serial_lost") {
                line.insert("source".to_owned(), json!(self.source));
            }
        }
        let mut bytes = serde_json::to_vec(&line).unwrap_or_default();
        bytes.push(b'\n');
        self.log.push(&bytes, self.limits.log_bytes);
        self.flush_if_full();
    }

    /// Keeps what the script printed.
    pub fn console(&mut self, bytes: &[u8]) {
        self.worth_keeping |= !bytes.is_empty();
        let file = self.folder.join("console.txt");
        let before =
            *self.printed_before.get_or_insert_with(|| fs::symlink_metadata(file).map_or(0, |file| file.len()));
        let place = before + self.console.written;
        if self.console.push(bytes, self.limits.log_bytes) && self.times_told < MOST_TIMES {
            self.times_told += 1;
            self.times.push(format!("{place} {}\n", wall_now().micros()).as_bytes(), self.limits.log_bytes);
        }
        self.flush_if_full();
    }

    /// Keeps a line of a slot's serial port. Devices talk all the time: that alone makes no run worth a file.
    pub fn serial(&mut self, slot: u32, at_us: u64, text: &str) {
        let seconds = at_us as f64 / 1e6;
        self.serial.push(format!("[{seconds:.3}] slot {slot}: {text}\n").as_bytes(), self.limits.log_bytes);
        self.serial_events = self.serial_events.saturating_add(1);
        if self.serial_events <= SERIAL_EVENTS {
            self.event("serial", false, &json!({ "slot": slot, "at_us": at_us, "text": text }));
        }
        self.flush_if_full();
    }

    /// The console was written by somebody else: is there anything in it?
    pub fn keep_console(&mut self, path: &Path) {
        match fs::metadata(path) {
            Ok(file) if file.len() > 0 => self.worth_keeping = true,
            _ => {
                let _ = fs::remove_file(path);
                let _ = fs::remove_file(path.with_file_name(CONSOLE_TIMES));
            }
        }
    }

    /// The folder, made, with room for one more capture.
    pub fn folder_for_capture(&mut self) -> Result<PathBuf, NotRecorded> {
        if self.captures >= self.limits.captures {
            let message = format!("a run may take {} captures; take fewer or raise the rack's limit", self.captures);
            return Err(NotRecorded { code: "limit", message });
        }
        self.captures += 1;
        self.worth_keeping = true;
        self.make_folder().map_err(|error| NotRecorded {
            code: "device",
            message: format!("cannot make the folder {}: {error}", self.folder.display()),
        })?;
        Ok(self.folder.clone())
    }

    /// The folder, made, with room for one more picture that nobody has asked for. `None`: there are enough.
    pub fn folder_for_picture(&mut self) -> Option<PathBuf> {
        if self.pictures >= self.limits.captures {
            return None;
        }
        self.pictures += 1;
        self.worth_keeping = true;
        self.make_folder().ok()?;
        Some(self.folder.clone())
    }

    /// This picture to compare with is in the folder.
    pub fn has_reference(&self, name: &str) -> bool {
        self.references.contains(name)
    }

    /// It is from now on.
    pub fn add_reference(&mut self, name: String) {
        self.references.insert(name);
    }

    /// Makes the folder if it is not there.
    pub fn make_folder(&mut self) -> std::io::Result<()> {
        if !self.made {
            fs::create_dir_all(&self.folder)?;
            self.made = true;
        }
        Ok(())
    }

    /// Writes what waits. `true`: the run left something.
    pub fn finish(&mut self) -> bool {
        let dropped = [
            ("log.jsonl", self.log.dropped),
            ("console.txt", self.console.dropped),
            ("serial.txt", self.serial.dropped),
        ];
        for (name, dropped) in dropped {
            if dropped > 0 {
                let note = json!({ "kind": "dropped", "file": name, "bytes": dropped, "limit": self.limits.log_bytes });
                self.log.pending.extend_from_slice(format!("{note}\n").as_bytes());
            }
        }
        if self.worth_keeping {
            self.flush();
        } else if self.made {
            // The script may have put something there itself; an empty folder says nothing.
            self.worth_keeping = fs::remove_dir(&self.folder).is_err();
        }
        self.worth_keeping
    }

    fn flush_if_full(&mut self) {
        if self.worth_keeping
            && self.log.pending.len() + self.console.pending.len() + self.serial.pending.len() > BUFFER
        {
            self.flush();
        }
    }

    fn flush(&mut self) {
        if let Err(error) = self.write()
            && self.broken.is_none()
        {
            // The run's result does not hang on its log: say it once and go on.
            tracing::error!(folder = %self.folder.display(), %error, "cannot write the evidence of a run");
            self.broken = Some(error.to_string());
        }
        self.log.pending.clear();
        self.console.pending.clear();
        self.times.pending.clear();
        self.serial.pending.clear();
    }

    fn write(&mut self) -> std::io::Result<()> {
        self.make_folder()?;
        append(&self.folder.join("log.jsonl"), &self.log.pending)?;
        append(&self.folder.join("console.txt"), &self.console.pending)?;
        append(&self.folder.join(CONSOLE_TIMES), &self.times.pending)?;
        append(&self.folder.join("serial.txt"), &self.serial.pending)
    }
}

fn append(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    if bytes.is_empty() {
        return Ok(());
    }
    // A script may write in that folder, too: what a link leads to is not ours to write.
    let no_links = rustix::fs::OFlags::NOFOLLOW.bits() as i32;
    let mut file: File = OpenOptions::new().create(true).append(true).custom_flags(no_links).open(path)?;
    file.write_all(bytes)
}

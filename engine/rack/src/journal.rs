//! The rack's journal: which epochs are used up, which runs have ended, what the server has of it.
//!
//! One record per line: length and checksum of the text, then the text itself as JSON, in hexadecimal where it is a number:
//!
//! ```text
//! 00000053 9f86d081884c7d65 {"starting":{...}}
//! ```
//!
//! A batch is written with one `write` and made durable with one `fdatasync`. A crash can tear the tail: what follows
//! the last whole line is cut off at the next start. Damage anywhere before that is refused, never repaired silently.
//! At start the file is compacted: written anew beside the old one, synced, and renamed over it.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use headend_scheduler::fence::FenceRecord;

use crate::error::RackError;

/// Length and checksum in front of each line: 8 + 1 + 16 + 1 characters.
const HEAD: usize = 26;
/// A journal longer than this many bytes is compacted while the daemon runs.
const LONG: u64 = 16 << 20;

/// The open journal.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    file: File,
    /// Bytes that are durable.
    length: u64,
    /// The last append failed; what it may have left behind is cut off before the next.
    broken: bool,
}

impl Journal {
    /// Reads what a former life left and opens the file for appending, its torn tail cut off.
    pub fn open(path: &Path) -> Result<(Self, Vec<FenceRecord>), RackError> {
        let bytes = match fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(RackError::io("read the journal", path)(error)),
        };
        let (records, whole) = read(path, &bytes)?;
        if whole < bytes.len() {
            tracing::warn!(cut = bytes.len() - whole, "the journal had a torn tail, which was cut off");
        }
        let file = OpenOptions::new().create(true).append(true).open(path);
        let file = file.map_err(RackError::io("open the journal", path))?;
        file.set_len(whole as u64).map_err(RackError::io("cut the torn tail of the journal", path))?;
        let journal = Self { path: path.to_owned(), file, length: whole as u64, broken: false };
        journal.sync_folder()?;
        Ok((journal, records))
    }

    /// Appends the records and returns when they are durable.
    pub fn append(&mut self, records: &[FenceRecord]) -> Result<(), RackError> {
        let mut text = Vec::with_capacity(records.len() * 160);
        for record in records {
            write_line(&mut text, record);
        }
        if self.broken {
            self.file.set_len(self.length).map_err(RackError::io("cut the journal", &self.path))?;
        }
        self.broken = true;
        self.file.write_all(&text).map_err(RackError::io("write to the journal", &self.path))?;
        self.file.sync_data().map_err(RackError::io("sync the journal", &self.path))?;
        self.broken = false;
        self.length += text.len() as u64;
        Ok(())
    }

    /// So long that it should be compacted.
    pub fn is_long(&self) -> bool {
        self.length > LONG
    }

    /// Replaces the content by `records`, which must have the same future as the whole journal.
    pub fn compact(&mut self, records: &[FenceRecord]) -> Result<(), RackError> {
        let beside = self.path.with_extension("new");
        let mut text = Vec::new();
        for record in records {
            write_line(&mut text, record);
        }
        let write = || -> std::io::Result<File> {
            if let Err(error) = fs::remove_file(&beside)
                && error.kind() != std::io::ErrorKind::NotFound
            {
                return Err(error);
            }
            let mut file = OpenOptions::new().create_new(true).append(true).open(&beside)?;
            file.write_all(&text)?;
            file.sync_all()?;
            fs::rename(&beside, &self.path)?;
            // Nothing may fail after the rename: the old handle would append to a file that has no name any more.
            Ok(file)
        };
        let written = write();
        if written.is_err() {
            // On a full disk half a copy would only take the room that the journal needs.
            let _ = fs::remove_file(&beside);
        }
        self.file = written.map_err(RackError::io("compact the journal", &self.path))?;
        (self.length, self.broken) = (text.len() as u64, false);
        self.sync_folder()
    }

    fn sync_folder(&self) -> Result<(), RackError> {
        let folder = self.path.parent().unwrap_or(Path::new("."));
        let sync = File::open(folder).and_then(|folder| folder.sync_all());
        sync.map_err(RackError::io("sync the folder", folder))
    }
}

fn checksum(text: &[u8]) -> u64 {
    let hash = blake3::hash(text);
    let mut first = [0; 8];
    first.copy_from_slice(&hash.as_bytes()[..8]);
    u64::from_be_bytes(first)
}

fn write_line(out: &mut Vec<u8>, record: &FenceRecord) {
    // Records are plain structs of numbers and strings: turning them into JSON cannot fail.
    let text = serde_json::to_vec(record).unwrap_or_default();
    out.extend_from_slice(format!("{:08x} {:016x} ", text.len(), checksum(&text)).as_bytes());
    out.extend_from_slice(&text);
    out.push(b'\n');
}

/// The records, and how many bytes they take from the start.
fn read(path: &Path, bytes: &[u8]) -> Result<(Vec<FenceRecord>, usize), RackError> {
    let mut records = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        match read_line(&bytes[at..]) {
            Ok((record, used)) => {
                records.push(record);
                at += used;
            }
            Err(problem) if is_tail(&bytes[at..]) => {
                tracing::debug!(problem, "torn tail");
                break;
            }
            Err(problem) => {
                let line = records.len() + 1;
                return Err(RackError::Journal { path: path.to_owned(), line, problem: problem.to_owned() });
            }
        }
    }
    Ok((records, at))
}

fn read_line(bytes: &[u8]) -> Result<(FenceRecord, usize), &'static str> {
    let head = bytes.get(..HEAD).ok_or("short head")?;
    let head = std::str::from_utf8(head).map_err(|_| "head is not text")?;
    let length = usize::from_str_radix(&head[..8], 16).map_err(|_| "length is not a number")?;
    let sum = u64::from_str_radix(&head[9..25], 16).map_err(|_| "checksum is not a number")?;
    let text = bytes.get(HEAD..HEAD.saturating_add(length)).ok_or("shorter than it says")?;
    if bytes.get(HEAD + length) != Some(&b'\n') {
        return Err("no end of line");
    }
    if checksum(text) != sum {
        return Err("checksum does not match");
    }
    let record = serde_json::from_slice(text).map_err(|_| "not a record that this version knows")?;
    Ok((record, HEAD + length + 1))
}

/// Torn by a crash: nothing that reads as a whole line follows. (A batch is one `write`, but the disk may have kept
/// any part of it.)
fn is_tail(bytes: &[u8]) -> bool {
    let mut rest = bytes;
    while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
        rest = &rest[end + 1..];
        if read_line(rest).is_ok() {
            return false;
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use headend_model::DutId;
    use headend_model::run::Incomplete;
    use headend_model::{Epoch, JobId, Lease, LeasedTarget, Outcome, RackId, RunId, SlotId, Timestamp};
    use headend_scheduler::event::Claim;
    use headend_scheduler::fence::EndReport;

    use super::*;

    fn starting(run: u64) -> FenceRecord {
        let target = LeasedTarget { slot: SlotId(3), slot_epoch: Epoch(run), dut: DutId(7), dut_epoch: Epoch(run) };
        FenceRecord::Starting(Lease {
            job: JobId(1),
            run: RunId(run),
            attempt: 1,
            rack: RackId(1),
            targets: vec![target],
            until: Timestamp::EPOCH,
        })
    }

    fn ended(run: u64) -> FenceRecord {
        FenceRecord::Ended(EndReport {
            seq: run,
            claim: Claim { run: RunId(run), attempt: 1, epoch: Epoch(run) },
            outcome: Outcome::Incomplete(Incomplete::NoResult("line one\nline two \u{1F4FA}".into())),
            unkillable: false,
        })
    }

    #[test]
    fn a_tail_torn_at_any_byte_is_cut_and_the_rest_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        let all = [starting(1), ended(1), starting(2), FenceRecord::Acknowledged(1)];
        let mut whole = Vec::new();
        let mut ends = vec![0];
        for record in &all {
            write_line(&mut whole, record);
            ends.push(whole.len());
        }
        for cut in 0..=whole.len() {
            fs::write(&path, &whole[..cut]).unwrap();
            let kept = ends.iter().filter(|end| **end <= cut).count() - 1;
            let (mut journal, records) = Journal::open(&path).unwrap();
            assert_eq!(records, all[..kept], "torn at byte {cut}");
            // What is appended after the cut is read back: no half line stands in front of it.
            journal.append(&[ended(9)]).unwrap();
            drop(journal);
            let (_, records) = Journal::open(&path).unwrap();
            assert_eq!(records.last(), Some(&ended(9)), "torn at byte {cut}");
            assert_eq!(records.len(), kept + 1);
        }
    }

    #[test]
    fn damage_in_the_middle_is_refused_and_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        let (mut journal, _) = Journal::open(&path).unwrap();
        journal.append(&[starting(1), ended(1), starting(2)]).unwrap();
        let mut bytes = fs::read(&path).unwrap();
        bytes[HEAD + 5] ^= 1;
        fs::write(&path, &bytes).unwrap();
        let error = Journal::open(&path).unwrap_err().to_string();
        assert!(error.contains("damaged in line 1 (checksum does not match)"), "{error}");
        assert_eq!(fs::read(&path).unwrap(), bytes, "the file is left as it was");
    }

    #[test]
    fn compacting_replaces_the_content() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        let (mut journal, _) = Journal::open(&path).unwrap();
        journal.append(&[starting(1), ended(1), starting(2)]).unwrap();
        journal.compact(&[starting(2)]).unwrap();
        journal.append(&[ended(2)]).unwrap();
        let (_, records) = Journal::open(&path).unwrap();
        assert_eq!(records, [starting(2), ended(2)]);
    }
}

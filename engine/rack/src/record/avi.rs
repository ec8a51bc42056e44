//! A film as players know it: JPEG pictures in AVI 1.0 with an index, written as they come.
//!
//! ```text
//!  RIFF AVI ─┬─ LIST hdrl ─┬─ avih
//!            │             └─ LIST strl: strh, strf
//!            ├─ LIST movi: 00dc 00dc 00dc …      an empty one: the picture before is shown on
//!            └─ idx1
//! ```
//!
//! The sizes in front are put right at the end. A film that was cut off lacks them and the index; most players show it all the same.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::os::unix::fs::FileExt;

/// Bytes before the first picture.
const HEAD: u32 = 12 + LIST_HDRL + 12;
/// The list `hdrl` with its own head: `avih`, and the list `strl` with `strh` and `strf`.
const LIST_HDRL: u32 = 12 + (8 + 56) + 12 + (8 + 56) + (8 + 40);
/// Where the number of pictures stands, twice, and the largest picture's size.
const AT_FRAMES: u64 = 24 + 8 + 16;
const AT_LENGTH: u64 = 24 + 64 + 12 + 8 + 32;
const AT_MOVI_SIZE: u64 = (HEAD - 8) as u64;
/// This chunk can be decoded by itself.
const KEY_FRAME: u32 = 0x10;
/// The file has an index.
const HAS_INDEX: u32 = 0x10;

/// An entry of the index: flags, place after `movi`, size.
type Entry = [u32; 3];

/// A film under way.
#[derive(Debug)]
pub struct Avi {
    out: BufWriter<File>,
    index: Vec<Entry>,
    /// Bytes from the word `movi` on.
    place: u32,
    largest: u32,
    rate: u32,
}

impl Avi {
    /// Begins a film of pictures of this size, `rate` a second, in an empty file.
    ///
    /// # Errors
    /// The disk's.
    pub fn begin(file: File, (width, height): (u32, u32), rate: u32) -> std::io::Result<Self> {
        let rate = rate.max(1);
        let mut out = BufWriter::new(file);
        out.write_all(&head(width, height, rate))?;
        Ok(Self { out, index: Vec::new(), place: 4, largest: 0, rate })
    }

    /// Adds a picture, a whole JPEG file.
    ///
    /// # Errors
    /// The disk's.
    pub fn picture(&mut self, jpeg: &[u8]) -> std::io::Result<()> {
        self.chunk(jpeg, KEY_FRAME)
    }

    /// Shows the last picture for one more turn.
    ///
    /// # Errors
    /// The disk's.
    pub fn again(&mut self) -> std::io::Result<()> {
        self.chunk(&[], 0)
    }

    fn chunk(&mut self, bytes: &[u8], flags: u32) -> std::io::Result<()> {
        let size = u32::try_from(bytes.len()).map_err(std::io::Error::other)?;
        let whole = 8 + size + size % 2;
        let next = self.place.checked_add(whole).ok_or_else(|| std::io::Error::other("the film is full"))?;
        self.out.write_all(b"00dc")?;
        self.out.write_all(&size.to_le_bytes())?;
        self.out.write_all(bytes)?;
        self.out.write_all(&[0][..bytes.len() % 2])?;
        self.index.push([flags, self.place, size]);
        self.place = next;
        self.largest = self.largest.max(size);
        Ok(())
    }

    /// Pictures so far, those shown again included.
    pub fn frames(&self) -> usize {
        self.index.len()
    }

    /// How long it is, in seconds.
    pub fn seconds(&self) -> f64 {
        self.index.len() as f64 / f64::from(self.rate)
    }

    /// Bytes that the file will have when it is finished now.
    pub fn bytes(&self) -> u64 {
        u64::from(HEAD - 4) + u64::from(self.place) + 8 + 16 * self.index.len() as u64
    }

    /// Writes the index and puts the sizes right.
    ///
    /// # Errors
    /// The disk's.
    pub fn finish(mut self) -> std::io::Result<()> {
        let frames = u32::try_from(self.index.len()).map_err(std::io::Error::other)?;
        let index = frames.saturating_mul(16);
        self.out.write_all(b"idx1")?;
        self.out.write_all(&index.to_le_bytes())?;
        for entry in &self.index {
            self.out.write_all(b"00dc")?;
            for number in entry {
                self.out.write_all(&number.to_le_bytes())?;
            }
        }
        let file = self.out.into_inner().map_err(std::io::IntoInnerError::into_error)?;
        let riff = HEAD - 12 + self.place + 8 + index;
        for (place, number) in [
            (4, riff),
            (AT_FRAMES, frames),
            (AT_FRAMES + 12, self.largest),
            (AT_LENGTH, frames),
            (AT_LENGTH + 4, self.largest),
            (AT_MOVI_SIZE, self.place),
        ] {
            file.write_all_at(&number.to_le_bytes(), place)?;
        }
        Ok(())
    }
}

/// All that stands before the first picture, sizes and numbers of pictures still 0.
fn head(width: u32, height: u32, rate: u32) -> Vec<u8> {
    let mut head = Vec::with_capacity(HEAD as usize);
    let mut text = |part: &[u8], numbers: &[u32]| {
        head.extend_from_slice(part);
        head.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
    };
    text(b"RIFF", &[0]);
    text(b"AVI LIST", &[LIST_HDRL - 8]);
    text(b"hdrlavih", &[56]);
    // Microseconds a picture, most bytes a second, padding, flags, pictures, initial ones, streams, buffer, sides, reserved.
    text(b"", &[1_000_000 / rate, 0, 0, HAS_INDEX, 0, 0, 1, 0, width, height, 0, 0, 0, 0]);
    text(b"LIST", &[LIST_HDRL - 12 - 64 - 8]);
    text(b"strlstrh", &[56]);
    // Flags, priority and language, initial pictures, scale, rate, start, length, buffer, quality, sample size, frame (four words).
    text(b"vidsMJPG", &[0, 0, 0, 1, rate, 0, 0, 0, u32::MAX, 0, 0, (height << 16) | (width & 0xffff)]);
    text(b"strf", &[40, 40, width, height]);
    // Planes and bits a pixel, two bytes each.
    text(b"", &[(24 << 16) | 1]);
    text(b"MJPG", &[width.saturating_mul(height).saturating_mul(3), 0, 0, 0, 0]);
    text(b"LIST", &[0]);
    text(b"movi", &[]);
    head
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_have_the_sizes_that_they_tell() {
        assert_eq!(head(640, 360, 10).len(), HEAD as usize);
    }

    #[test]
    fn a_reader_finds_each_picture_by_the_index() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("film.avi");
        let mut film = Avi::begin(File::create_new(&path).unwrap(), (64, 36), 10).unwrap();
        film.picture(b"one").unwrap();
        film.again().unwrap();
        film.picture(b"three3").unwrap();
        assert_eq!((film.frames(), film.seconds()), (3, 0.3));
        let told = film.bytes();
        film.finish().unwrap();
        let bytes = std::fs::read(&path).unwrap();
        assert_eq!(bytes.len() as u64, told);
        let number = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()) as usize;
        assert_eq!((number(4), &bytes[..4], &bytes[8..12]), (bytes.len() - 8, b"RIFF".as_slice(), b"AVI ".as_slice()));
        let movi = HEAD as usize - 4;
        assert_eq!(&bytes[movi..movi + 8], b"movi00dc");
        let index = movi + number(movi - 4);
        assert_eq!((&bytes[index..index + 4], number(index + 4)), (b"idx1".as_slice(), 48));
        let entry = |no: usize| {
            let at = index + 8 + 16 * no;
            let (place, size) = (movi + number(at + 8), number(at + 12));
            assert_eq!(&bytes[place..place + 4], b"00dc");
            assert_eq!(number(place + 4), size);
            bytes[place + 8..place + 8 + size].to_vec()
        };
        assert_eq!([entry(0), entry(1), entry(2)], [b"one".to_vec(), vec![], b"three3".to_vec()]);
        assert_eq!((number(AT_FRAMES as usize), number(AT_LENGTH as usize)), (3, 3));
    }
}

//! Stored pictures: PNG and JPEG from anywhere, decoded within bounds.

use std::io::Cursor;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use headend_media::{MAX_SIDE, Picture};
use zune_jpeg::JpegDecoder;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

/// Most bytes of a file.
const MAX_FILE: u64 = 64 << 20;
/// Most bytes that a decoder may take beside the picture itself.
const MAX_DECODER: usize = 256 << 20;
/// Most scans of a progressive JPEG: each one is work over the whole picture.
const MAX_SCANS: usize = 64;

/// A decoded picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// In colour. What is transparent has the colour that the file gives it.
    pub picture: Picture,
    /// 0 where it is transparent (less than half opaque); `None`: nowhere.
    pub mask: Option<Picture>,
}

/// A file that is no picture for us.
#[derive(Debug, thiserror::Error)]
pub enum StoredError {
    /// It cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// It is not decoded.
    #[error("{} is no picture that can be taken: {what}", path.display())]
    Picture {
        /// Which.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
}

/// Reads and decodes a file, by its first bytes, whatever its name says.
///
/// # Errors
/// [`StoredError`].
pub fn read(path: &Path) -> Result<Stored, StoredError> {
    let fail = |source| StoredError::Read { path: path.into(), source };
    let meta = std::fs::metadata(path).map_err(fail)?;
    // A FIFO would hold us up, a device would never end.
    if !meta.is_file() {
        return Err(fail(std::io::Error::other("it is not a plain file")));
    }
    if meta.len() > MAX_FILE {
        return Err(fail(std::io::Error::other(format!("it is larger than {} MiB", MAX_FILE >> 20))));
    }
    let bytes = std::fs::read(path).map_err(fail)?;
    decode(&bytes).map_err(|what| StoredError::Picture { path: path.into(), what })
}

/// Decodes PNG or JPEG of at most 4096 pixels a side.
///
/// # Errors
/// A sentence on what is wrong with it.
pub fn decode(bytes: &[u8]) -> Result<Stored, String> {
    let decode = || match bytes {
        [0x89, b'P', b'N', b'G', ..] => png(bytes),
        [0xff, 0xd8, 0xff, ..] => jpeg(bytes),
        _ => Err("it is neither PNG nor JPEG".into()),
    };
    // The decoders promise not to panic. A picture from anywhere is no reason to believe it.
    catch_unwind(AssertUnwindSafe(decode)).unwrap_or_else(|_| Err("the decoder gave up on it".into()))
}

fn sides(width: u32, height: u32) -> Result<(), String> {
    if width <= MAX_SIDE && height <= MAX_SIDE {
        return Ok(());
    }
    Err(format!("it has {width}x{height} pixels; at most {MAX_SIDE} a side are taken"))
}

fn png(bytes: &[u8]) -> Result<Stored, String> {
    let bad = |error: png::DecodingError| format!("bad PNG: {error}");
    let mut decoder = png::Decoder::new_with_limits(Cursor::new(bytes), png::Limits { bytes: MAX_DECODER });
    decoder.set_transformations(png::Transformations::normalize_to_color8());
    decoder.set_ignore_text_chunk(true);
    let mut reader = decoder.read_info().map_err(bad)?;
    let (width, height) = (reader.info().width, reader.info().height);
    sides(width, height)?;
    let size = reader.output_buffer_size().ok_or("bad PNG: it is too large")?;
    let mut data = vec![0; size];
    let info = reader.next_frame(&mut data).map_err(bad)?;
    data.truncate(info.buffer_size());
    let (colours, alpha): (Vec<u8>, Option<Vec<u8>>) = match info.color_type {
        png::ColorType::Rgb => (data, None),
        png::ColorType::Rgba => (spread(&data, 4, [0, 1, 2]), Some(every(&data, 4, 3))),
        png::ColorType::Grayscale => (spread(&data, 1, [0, 0, 0]), None),
        png::ColorType::GrayscaleAlpha => (spread(&data, 2, [0, 0, 0]), Some(every(&data, 2, 1))),
        png::ColorType::Indexed => return Err("bad PNG: its palette was not applied".into()),
    };
    let whole = |fault| format!("bad PNG: {fault:?}");
    let picture = Picture::colour(width, height, colours).map_err(whole)?;
    let opaque = |alpha: u8| if alpha < 128 { 0 } else { u8::MAX };
    let mask = alpha.map(|alpha| alpha.into_iter().map(opaque).collect::<Vec<u8>>());
    let mask = mask.filter(|mask| mask.contains(&0));
    let mask = mask.map(|mask| Picture::of_grey(width, height, mask)).transpose().map_err(whole)?;
    Ok(Stored { picture, mask })
}

fn spread(data: &[u8], step: usize, from: [usize; 3]) -> Vec<u8> {
    data.chunks_exact(step).flat_map(|pixel| from.map(|channel| pixel[channel])).collect()
}

fn every(data: &[u8], step: usize, channel: usize) -> Vec<u8> {
    data.chunks_exact(step).map(|pixel| pixel[channel]).collect()
}

fn jpeg(bytes: &[u8]) -> Result<Stored, String> {
    let options = DecoderOptions::new_safe()
        .set_max_width(MAX_SIDE as usize)
        .set_max_height(MAX_SIDE as usize)
        .jpeg_set_max_scans(MAX_SCANS)
        .jpeg_set_out_colorspace(ColorSpace::RGB);
    let bad = |error: &dyn std::fmt::Debug| format!("bad JPEG: {error:?}");
    let mut decoder = JpegDecoder::new_with_options(zune_jpeg::zune_core::bytestream::ZCursor::new(bytes), options);
    let data = decoder.decode().map_err(|error| bad(&error))?;
    let info = decoder.info().ok_or("bad JPEG: it has no header")?;
    let (width, height) = (u32::from(info.width), u32::from(info.height));
    sides(width, height)?;
    let picture = Picture::colour(width, height, data).map_err(|fault| bad(&fault))?;
    Ok(Stored { picture, mask: None })
}

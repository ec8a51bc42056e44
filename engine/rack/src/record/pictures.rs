//! Pictures as files: encoded, named so that nothing is overwritten, with a small one beside them.

use std::fs::{self, File, OpenOptions};
use std::io::{BufWriter, ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use headend_media::Picture;

/// Quality of JPEG files, as the Client API's default.
const JPEG_QUALITY: u8 = 80;
/// Of small ones.
const SMALL_QUALITY: u8 = 70;
/// Width of a small picture, in pixels.
const SMALL_WIDTH: u32 = 192;
/// Names tried before a picture gives up on finding a free one.
const MOST_NAMES: u32 = 100_000;

/// Writes a picture under this name, or with a number added, as its extension says: JPEG, else PNG. A small one lies beside it in `thumbs`.
///
/// # Errors
/// The disk's; nothing is left then.
pub fn write(folder: &Path, name: &str, picture: &Picture) -> std::io::Result<PathBuf> {
    let (mut file, path) = create(folder, name)?;
    if let Err(error) = encode(picture, &path, &mut file) {
        let _ = fs::remove_file(&path);
        return Err(error);
    }
    if let Err(error) = write_small(folder, &path, picture) {
        // The picture itself is there: that counts.
        tracing::debug!(%error, path = %path.display(), "no small picture");
    }
    Ok(path)
}

/// Name of the small picture, below the run's folder.
pub fn small_name(name: &str) -> String {
    let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    format!("thumbs/{stem}_thumb.jpeg")
}

fn write_small(folder: &Path, path: &Path, picture: &Picture) -> std::io::Result<()> {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or("picture");
    let small = shrunk(picture, SMALL_WIDTH)?;
    let thumbs = folder.join("thumbs");
    match fs::create_dir(&thumbs) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    // A script may write in that folder, too: what a link leads to is not ours to write.
    if !fs::symlink_metadata(&thumbs)?.is_dir() {
        return Err(std::io::Error::other("`thumbs` is no folder"));
    }
    new_file(&folder.join(small_name(name)))?.write_all(&jpeg(&small, SMALL_QUALITY)?)
}

/// Not wider than this, the sides in the same relation.
///
/// # Errors
/// The picture cannot be scaled.
pub fn shrunk(picture: &Picture, width: u32) -> std::io::Result<Picture> {
    if picture.width() <= width {
        return Ok(picture.clone());
    }
    let height = (u64::from(picture.height()) * u64::from(width) / u64::from(picture.width())).max(1);
    let height = u32::try_from(height).map_err(std::io::Error::other)?;
    picture.scale(width, height).map_err(|fault| std::io::Error::other(format!("cannot scale it: {fault:?}")))
}

fn new_file(path: &Path) -> std::io::Result<File> {
    OpenOptions::new().create_new(true).write(true).mode(0o644).open(path)
}

/// A new file of that name, or with a number added: an existing one is never overwritten.
///
/// # Errors
/// The disk's, or no name is free.
pub fn create(folder: &Path, name: &str) -> std::io::Result<(File, PathBuf)> {
    let (stem, extension) = name.rsplit_once('.').unwrap_or((name, "png"));
    for number in 0..MOST_NAMES {
        let name = if number == 0 { format!("{stem}.{extension}") } else { format!("{stem}_{number}.{extension}") };
        let path = folder.join(name);
        match new_file(&path) {
            Ok(file) => return Ok((file, path)),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    Err(std::io::Error::from(ErrorKind::AlreadyExists))
}

fn encode(picture: &Picture, path: &Path, file: &mut File) -> std::io::Result<()> {
    let extension = path.extension().map(std::ffi::OsStr::to_ascii_lowercase);
    let jpeg_file = extension.is_some_and(|extension| extension == "jpg" || extension == "jpeg");
    if jpeg_file {
        return file.write_all(&jpeg(picture, JPEG_QUALITY)?);
    }
    let mut out = BufWriter::new(file);
    encode_png(picture, &mut out)?;
    out.flush()
}

fn encode_png(picture: &Picture, out: &mut impl Write) -> std::io::Result<()> {
    let mut encoder = png::Encoder::new(out, picture.width(), picture.height());
    encoder.set_color(if picture.is_grey() { png::ColorType::Grayscale } else { png::ColorType::Rgb });
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_compression(png::Compression::Fast);
    let mut writer = encoder.write_header().map_err(std::io::Error::other)?;
    writer.write_image_data(&picture.read(picture.bounds())).map_err(std::io::Error::other)
}

/// A whole JPEG file.
///
/// # Errors
/// The picture is too large for the format.
pub fn jpeg(picture: &Picture, quality: u8) -> std::io::Result<Vec<u8>> {
    let side = |pixels: u32| u16::try_from(pixels).map_err(std::io::Error::other);
    let mut out = Vec::new();
    let encoder = jpeg_encoder::Encoder::new(&mut out, quality);
    let colour = if picture.is_grey() { jpeg_encoder::ColorType::Luma } else { jpeg_encoder::ColorType::Rgb };
    let (width, height) = (side(picture.width())?, side(picture.height())?);
    encoder.encode(&picture.read(picture.bounds()), width, height, colour).map_err(std::io::Error::other)?;
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_never_taken_twice() {
        let folder = tempfile::tempdir().unwrap();
        let names: Vec<_> = (0..3).map(|_| create(folder.path(), "menu.png").unwrap().1).collect();
        let names: Vec<_> = names.iter().filter_map(|path| path.file_name()?.to_str()).collect();
        assert_eq!(names, ["menu.png", "menu_1.png", "menu_2.png"]);
    }

    #[test]
    fn a_small_one_lies_beside_a_picture_and_follows_no_link() {
        let folder = tempfile::tempdir().unwrap();
        let picture = Picture::colour(400, 200, vec![7; 400 * 200 * 3]).unwrap();
        let path = write(folder.path(), "shot.png", &picture).unwrap();
        assert!(std::fs::read(path).unwrap().starts_with(b"\x89PNG"));
        let small = std::fs::read(folder.path().join("thumbs/shot_thumb.jpeg")).unwrap();
        let small = headend_plugin_host::analyser::stored::decode(&small).unwrap().picture;
        assert_eq!((small.width(), small.height()), (192, 96));
        let (other, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        std::os::unix::fs::symlink(elsewhere.path(), other.path().join("thumbs")).unwrap();
        write(other.path(), "shot.png", &picture).unwrap();
        assert_eq!(std::fs::read_dir(elsewhere.path()).unwrap().count(), 0);
    }
}

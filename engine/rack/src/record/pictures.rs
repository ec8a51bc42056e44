//! Pictures as files: encoded, named so that nothing is overwritten, with a small one beside them.

use std::fs::{self, File, OpenOptions};
use std::io::{BufWriter, ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use headend_media::Picture;
use headend_plugin_host::analyser::Reference;

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

/// Where a picture to compare with is kept, below the run's folder: by what is in it, so that each is kept once.
pub fn reference_name(reference: &Reference) -> String {
    let mut hash = blake3::Hasher::new();
    for picture in [Some(&reference.picture), reference.mask.as_ref()].into_iter().flatten() {
        hash.update(&picture.width().to_le_bytes());
        hash.update(&picture.read(picture.bounds()));
    }
    let hash = hash.finalize().to_hex();
    format!("references/{}.png", hash.get(..16).unwrap_or(&hash))
}

/// Keeps a picture to compare with, what is transparent in it included, under its [`reference_name`].
///
/// # Errors
/// The disk's; nothing is left then.
pub fn write_reference(folder: &Path, name: &str, reference: &Reference) -> std::io::Result<()> {
    let below = folder.join("references");
    own_folder(&below)?;
    let path = folder.join(name);
    let written = new_file(&path).and_then(|file| encode_reference(reference, file));
    if written.is_err() {
        let _ = fs::remove_file(&path);
    }
    written
}

fn encode_reference(reference: &Reference, file: File) -> std::io::Result<()> {
    let mut out = BufWriter::new(file);
    let Reference { picture, mask, .. } = reference;
    let Some(mask) = mask else {
        encode_png(picture, &mut out)?;
        return out.flush();
    };
    let (colours, opaque) = (picture.read(picture.bounds()), mask.read(mask.bounds()));
    let pixel = |(colour, opaque): (&[u8], &u8)| {
        let alpha = if *opaque == 0 { 0 } else { u8::MAX };
        colour.iter().copied().chain([alpha]).collect::<Vec<u8>>()
    };
    let pixels: Vec<u8> = colours.chunks_exact(3).zip(&opaque).flat_map(pixel).collect();
    let mut encoder = png::Encoder::new(&mut out, picture.width(), picture.height());
    encoder.set_color(png::ColorType::Rgba);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_compression(png::Compression::Fast);
    let mut writer = encoder.write_header().map_err(std::io::Error::other)?;
    writer.write_image_data(&pixels).map_err(std::io::Error::other)?;
    writer.finish().map_err(std::io::Error::other)?;
    out.flush()
}

/// A folder below that of a run. A script may write there, too: what a link leads to is not ours to write.
pub(super) fn own_folder(path: &Path) -> std::io::Result<()> {
    match fs::create_dir(path) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    if fs::symlink_metadata(path)?.is_dir() {
        return Ok(());
    }
    Err(std::io::Error::other(format!("{} is no folder", path.display())))
}

/// Name of the small picture, below the run's folder.
pub fn small_name(name: &str) -> String {
    let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    format!("thumbs/{stem}_thumb.jpeg")
}

fn write_small(folder: &Path, path: &Path, picture: &Picture) -> std::io::Result<()> {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or("picture");
    let small = shrunk(picture, SMALL_WIDTH)?;
    own_folder(&folder.join("thumbs"))?;
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

pub(super) fn new_file(path: &Path) -> std::io::Result<File> {
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
    fn what_was_compared_with_is_kept_with_its_holes_and_by_what_is_in_it() {
        let folder = tempfile::tempdir().unwrap();
        let picture = Picture::colour(3, 2, (0..18).collect()).unwrap();
        let holes = Picture::of_grey(3, 2, vec![0, 255, 255, 255, 255, 0]).unwrap();
        let plain = Reference { name: "logo".into(), picture: picture.clone(), mask: None };
        let masked = Reference { mask: Some(holes.clone()), ..plain.clone() };
        let names = [&plain, &masked].map(|reference| {
            let name = reference_name(reference);
            write_reference(folder.path(), &name, reference).unwrap();
            name
        });
        assert_ne!(names[0], names[1]);
        assert_eq!(names[0], reference_name(&Reference { name: "other".into(), ..plain }));
        let read = names.map(|name| headend_plugin_host::analyser::stored::read(&folder.path().join(name)).unwrap());
        assert_eq!((&read[0].picture, &read[0].mask), (&picture, &None));
        assert_eq!((&read[1].picture, &read[1].mask), (&picture, &Some(holes)));
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

//! Pictures of the screen as files.

use std::fs::{self, File, OpenOptions};
use std::io::{BufWriter, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use headend_wire::session::Captured;

use crate::driver::{Driver, DriverError, Frame};

/// Quality of JPEG files, as the Client API's default.
const JPEG_QUALITY: u8 = 80;
/// Names tried before a capture gives up on finding a free one.
const MOST_NAMES: u32 = 100_000;

/// What is wanted.
#[derive(Debug)]
pub struct Wish {
    /// Where to.
    pub folder: PathBuf,
    /// What the script calls it; may be a whole path, of which the last part counts.
    pub name: Option<String>,
    /// The script's slot, for a name of our own.
    pub slot: u32,
    /// Part of the screen `[x, y, width, height]`.
    pub rect: Option<[u32; 4]>,
}

/// Draws or grabs, encodes and writes, on a thread where that does no harm.
pub async fn take(driver: Arc<dyn Driver>, wish: Wish) -> Result<Captured, DriverError> {
    let work = tokio::task::spawn_blocking(move || write(driver.as_ref(), &wish));
    work.await.unwrap_or_else(|_| Err(DriverError("the capture broke off".to_owned())))
}

fn write(driver: &dyn Driver, wish: &Wish) -> Result<Captured, DriverError> {
    let mut frame = driver.capture()?;
    if let Some(rect) = wish.rect {
        let outside =
            || DriverError(format!("the area {rect:?} lies outside the {}x{} screen", frame.width, frame.height));
        frame = frame.crop(rect).ok_or_else(outside)?;
    }
    let name = file_name(wish.name.as_deref(), wish.slot);
    let (mut file, path) = create(&wish.folder, &name).map_err(|error| {
        DriverError(format!("cannot write the capture {name} in {}: {error}", wish.folder.display()))
    })?;
    if let Err(error) = encode(&frame, &path, &mut file) {
        let _ = fs::remove_file(&path);
        return Err(DriverError(format!("cannot write the capture {}: {error}", path.display())));
    }
    Ok(Captured { path: path.display().to_string(), width: frame.width, height: frame.height })
}

/// A plain name: the last part of what was given, `%d` and `%t` replaced by date and time, nothing odd in it.
fn file_name(wanted: Option<&str>, slot: u32) -> String {
    let Some(wanted) = wanted else { return format!("capture_{slot}.png") };
    let now = jiff::Zoned::now();
    let last = wanted.rsplit(['/', '\\']).next().unwrap_or(wanted);
    let dated =
        last.replace("%d", &now.strftime("%Y-%m-%d").to_string()).replace("%t", &now.strftime("%H.%M.%S").to_string());
    let plain: String =
        dated.chars().map(|c| if c.is_alphanumeric() || "-_. ()+".contains(c) { c } else { '_' }).take(100).collect();
    let plain = plain.trim_matches(['.', ' ']);
    match plain {
        "" => format!("capture_{slot}.png"),
        plain if plain.contains('.') => plain.to_owned(),
        plain => format!("{plain}.jpg"),
    }
}

/// A new file of that name, or with a number added: an existing one is never overwritten.
fn create(folder: &Path, name: &str) -> std::io::Result<(File, PathBuf)> {
    let (stem, extension) = name.rsplit_once('.').unwrap_or((name, "png"));
    for number in 0..MOST_NAMES {
        let name = if number == 0 { format!("{stem}.{extension}") } else { format!("{stem}_{number}.{extension}") };
        let path = folder.join(name);
        match OpenOptions::new().create_new(true).write(true).open(&path) {
            Ok(file) => return Ok((file, path)),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    Err(std::io::Error::from(ErrorKind::AlreadyExists))
}

fn encode(frame: &Frame, path: &Path, file: &mut File) -> std::io::Result<()> {
    let extension = path.extension().map(std::ffi::OsStr::to_ascii_lowercase);
    let jpeg = extension.is_some_and(|extension| extension == "jpg" || extension == "jpeg");
    let mut out = BufWriter::new(file);
    if jpeg {
        encode_jpeg(frame, &mut out)?;
    } else {
        encode_png(frame, &mut out)?;
    }
    out.flush()
}

fn encode_png(frame: &Frame, out: &mut impl Write) -> std::io::Result<()> {
    let mut encoder = png::Encoder::new(out, frame.width, frame.height);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_compression(png::Compression::Fast);
    let mut writer = encoder.write_header().map_err(std::io::Error::other)?;
    writer.write_image_data(&frame.rgb).map_err(std::io::Error::other)
}

fn encode_jpeg(frame: &Frame, out: &mut impl Write) -> std::io::Result<()> {
    let side = |pixels: u32| u16::try_from(pixels).map_err(std::io::Error::other);
    let encoder = jpeg_encoder::Encoder::new(out, JPEG_QUALITY);
    let colour = jpeg_encoder::ColorType::Rgb;
    encoder.encode(&frame.rgb, side(frame.width)?, side(frame.height)?, colour).map_err(std::io::Error::other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_plain_and_never_overwrite() {
        assert_eq!(file_name(Some("C:\\shots\\menu.png"), 1), "menu.png");
        assert_eq!(file_name(Some("../../etc/passwd"), 1), "passwd.jpg");
        assert_eq!(file_name(Some(".."), 1), "capture_1.png");
        assert_eq!(file_name(Some("a\0b:c.bmp"), 1), "a_b_c.bmp");
        assert!(!file_name(Some("x_%d_%t"), 1).contains('%'));
        let folder = tempfile::tempdir().unwrap();
        let names: Vec<_> = (0..3).map(|_| create(folder.path(), "menu.png").unwrap().1).collect();
        let names: Vec<_> = names.iter().filter_map(|path| path.file_name()?.to_str()).collect();
        assert_eq!(names, ["menu.png", "menu_1.png", "menu_2.png"]);
    }
}

//! Pictures of the screen as files.

use std::path::PathBuf;
use std::sync::Arc;

use headend_media::Rect;
use headend_wire::session::Captured;

use crate::driver::{Driver, DriverError, Shot};
use crate::record::pictures;

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
pub async fn take(driver: Arc<dyn Driver>, wish: Wish) -> Result<(Captured, Shot), DriverError> {
    let work = tokio::task::spawn_blocking(move || write(driver.as_ref(), &wish));
    work.await.unwrap_or_else(|_| Err(DriverError("the capture broke off".to_owned())))
}

fn write(driver: &dyn Driver, wish: &Wish) -> Result<(Captured, Shot), DriverError> {
    let shot = driver.capture()?;
    let screen = shot.picture.clone();
    let picture = match wish.rect {
        Some([x, y, width, height]) => screen.crop(Rect { x, y, width, height }).map_err(|_empty| {
            let (across, down) = (screen.width(), screen.height());
            DriverError(format!("the area {:?} lies outside the {across}x{down} screen", [x, y, width, height]))
        })?,
        None => screen,
    };
    let name = file_name(wish.name.as_deref(), wish.slot);
    let path = pictures::write(&wish.folder, &name, &picture).map_err(|error| {
        DriverError(format!("cannot write the capture {name} in {}: {error}", wish.folder.display()))
    })?;
    Ok((Captured { path: path.display().to_string(), width: picture.width(), height: picture.height() }, shot))
}

fn file_name(wanted: Option<&str>, slot: u32) -> String {
    match wanted.and_then(plain_name) {
        None => format!("capture_{slot}.png"),
        Some(plain) if plain.contains('.') => plain,
        Some(plain) => format!("{plain}.jpg"),
    }
}

/// A plain name: the last part of what was given, `%d` and `%t` replaced by date and time, nothing odd in it. `None`: nothing is left.
pub(crate) fn plain_name(wanted: &str) -> Option<String> {
    let now = jiff::Zoned::now();
    let last = wanted.rsplit(['/', '\\']).next().unwrap_or(wanted);
    let dated =
        last.replace("%d", &now.strftime("%Y-%m-%d").to_string()).replace("%t", &now.strftime("%H.%M.%S").to_string());
    let plain: String =
        dated.chars().map(|c| if c.is_alphanumeric() || "-_. ()+".contains(c) { c } else { '_' }).take(100).collect();
    let plain = plain.trim_matches(['.', ' ']);
    (!plain.is_empty()).then(|| plain.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_plain() {
        assert_eq!(file_name(Some("C:\\shots\\menu.png"), 1), "menu.png");
        assert_eq!(file_name(Some("../../etc/passwd"), 1), "passwd.jpg");
        assert_eq!(file_name(Some(".."), 1), "capture_1.png");
        assert_eq!(file_name(Some("a\0b:c.bmp"), 1), "a_b_c.bmp");
        assert!(!file_name(Some("x_%d_%t"), 1).contains('%'));
    }
}

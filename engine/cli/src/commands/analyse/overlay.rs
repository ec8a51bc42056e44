//! What was found, drawn over its frame.

use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};

use headend_plugin_host::analyser::media::Rect;
use headend_plugin_host::analyser::{Tone, Verdict};

use super::stream;
use crate::exit::Exit;
use crate::failure::{Failure, Result};

/// Thickness of a line in pixels.
const LINE: u32 = 2;

/// Writes the verdict's frame with its shapes. A verdict without a frame of the stream has nothing to be drawn over.
pub(super) fn write(path: &Path, files: &[PathBuf], verdict: &Verdict) -> Result<()> {
    let frame = usize::try_from(verdict.frame).ok().and_then(|frame| files.get(frame));
    let Some(frame) = frame else { return Ok(()) };
    let picture = stream::read(frame)?.picture;
    let (width, height) = (picture.width(), picture.height());
    let mut pixels = picture.read(picture.bounds());
    for shape in &verdict.overlay {
        let colour = match shape.tone {
            Tone::Good => [0, 220, 90],
            Tone::Bad => [255, 60, 60],
            Tone::Note => [255, 200, 0],
        };
        draw(&mut pixels, width, height, shape.area, colour);
    }
    let failed = |error: png::EncodingError| {
        Failure::new(Exit::Io, "file", format!("cannot write {}", path.display())).because(error)
    };
    let file = File::create(path).map_err(|error| Failure::file("write", path, error))?;
    let mut encoder = png::Encoder::new(BufWriter::new(file), width, height);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    let mut writer = encoder.write_header().map_err(failed)?;
    writer.write_image_data(&pixels).map_err(failed)?;
    writer.finish().map_err(failed)
}

/// The edge of a rectangle, as far as it lies in the picture.
fn draw(pixels: &mut [u8], width: u32, height: u32, area: Rect, colour: [u8; 3]) {
    let area = area.within(width, height);
    for y in area.y..area.y + area.height {
        for x in area.x..area.x + area.width {
            let (right, bottom) = (area.x + area.width - 1 - x, area.y + area.height - 1 - y);
            let edge = (x - area.x).min(y - area.y).min(right).min(bottom) < LINE;
            let at = (y as usize * width as usize + x as usize) * 3;
            if let (true, Some(pixel)) = (edge, pixels.get_mut(at..at + 3)) {
                pixel.copy_from_slice(&colour);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_edge_is_drawn_and_only_inside() {
        let mut pixels = vec![0; 10 * 10 * 3];
        draw(&mut pixels, 10, 10, Rect { x: 2, y: 2, width: 6, height: 6 }, [9; 3]);
        let drawn = |pixels: &[u8], value: u8| pixels.iter().map(|byte| usize::from(*byte == value)).sum::<usize>();
        assert_eq!(drawn(&pixels, 9), (36 - 4) * 3);
        draw(&mut pixels, 10, 10, Rect { x: 8, y: 9, width: u32::MAX, height: u32::MAX }, [7; 3]);
        assert_eq!(drawn(&pixels, 7), 2 * 3);
    }
}

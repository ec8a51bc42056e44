//! What `screencap -p` gives.

use std::io::Cursor;

use headend_media::{MAX_SIDE, Picture};
use png::{ColorType, Decoder, Limits, Transformations};

/// Most bytes of a file: a noisy picture of 3840 x 2160.
pub(super) const MAX_FILE: usize = 32 << 20;

/// The picture, without its transparency. The error says what is wrong with the file.
pub(super) fn picture(file: &[u8]) -> Result<Picture, String> {
    if file.is_empty() {
        return Err("it is empty".to_owned());
    }
    // For rows and chunks beside the pixels. The size of the pixels is looked at before there is room for them.
    let mut decoder = Decoder::new_with_limits(Cursor::new(file), Limits { bytes: 4 << 20 });
    decoder.set_transformations(Transformations::normalize_to_color8());
    let mut reader = decoder.read_info().map_err(|error| error.to_string())?;
    let (width, height) = reader.info().size();
    if width > MAX_SIDE || height > MAX_SIDE {
        return Err(format!("{width}x{height} pixels are more than {MAX_SIDE} a side"));
    }
    let size = reader.output_buffer_size().ok_or("it is too large")?;
    let mut data = vec![0; size];
    let form = reader.next_frame(&mut data).map_err(|error| error.to_string())?;
    data.truncate(form.buffer_size());
    let data = match form.color_type {
        ColorType::Rgb => data,
        ColorType::Rgba => data.chunks_exact(4).flat_map(|pixel| [pixel[0], pixel[1], pixel[2]]).collect(),
        ColorType::Grayscale => data.iter().flat_map(|grey| [*grey; 3]).collect(),
        ColorType::GrayscaleAlpha => data.chunks_exact(2).flat_map(|pixel| [pixel[0]; 3]).collect(),
        ColorType::Indexed => return Err("its colours are numbers".to_owned()),
    };
    Picture::colour(width, height, data).map_err(|fault| format!("{fault:?}"))
}

#[cfg(test)]
mod tests {
    use png::BitDepth;

    use super::*;

    fn file(kind: ColorType, width: u32, height: u32, data: &[u8]) -> Vec<u8> {
        let mut file = Vec::new();
        let mut encoder = png::Encoder::new(&mut file, width, height);
        encoder.set_color(kind);
        encoder.set_depth(BitDepth::Eight);
        encoder.write_header().unwrap().write_image_data(data).unwrap();
        file
    }

    #[test]
    fn pictures_of_any_kind_become_colours() {
        for (kind, data, want) in [
            (ColorType::Rgb, &[1, 2, 3, 4, 5, 6][..], [1, 2, 3, 4, 5, 6]),
            (ColorType::Rgba, &[1, 2, 3, 0, 4, 5, 6, 255], [1, 2, 3, 4, 5, 6]),
            (ColorType::Grayscale, &[7, 8], [7, 7, 7, 8, 8, 8]),
            (ColorType::GrayscaleAlpha, &[7, 1, 8, 1], [7, 7, 7, 8, 8, 8]),
        ] {
            let picture = picture(&file(kind, 2, 1, data)).unwrap();
            assert_eq!((picture.width(), picture.height(), picture.row(0)), (2, 1, &want[..]));
        }
    }

    #[test]
    fn what_is_no_picture_is_told() {
        let good = file(ColorType::Rgb, 2, 1, &[1, 2, 3, 4, 5, 6]);
        for length in 0..good.len() - 12 {
            assert!(picture(&good[..length]).is_err(), "{length}");
        }
        let wide = file(ColorType::Grayscale, 5_000, 1, &[0; 5_000]);
        assert_eq!(picture(&wide).unwrap_err(), "5000x1 pixels are more than 4096 a side");
        assert!(picture(b"error: no display").is_err());
    }
}

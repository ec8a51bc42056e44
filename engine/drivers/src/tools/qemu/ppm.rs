//! Pictures as `screendump` writes them: binary PPM.

use headend_media::{MAX_SIDE, Picture};

/// Most bytes of a picture: the largest one, and its head.
pub(super) const MOST: u64 = (MAX_SIDE as u64) * (MAX_SIDE as u64) * 3 + 128;

/// Reads `P6`, width, height, 255, and the pixels.
pub(super) fn picture(bytes: &[u8]) -> Result<Picture, String> {
    let rest = bytes.strip_prefix(b"P6").ok_or("it is no binary PPM")?;
    let (width, rest) = number(rest)?;
    let (height, rest) = number(rest)?;
    let (most, rest) = number(rest)?;
    if most != 255 {
        return Err(format!("its channels go to {most}, not to 255"));
    }
    // One white space, and the pixels begin.
    let pixels = rest.get(1..).unwrap_or_default();
    Picture::colour(width, height, pixels.to_vec())
        .map_err(|fault| format!("{width} x {height} pixels in {} bytes: {fault:?}", pixels.len()))
}

/// A number after white space and comments, and what comes after it.
fn number(mut bytes: &[u8]) -> Result<(u32, &[u8]), String> {
    loop {
        match bytes {
            [space, rest @ ..] if space.is_ascii_whitespace() => bytes = rest,
            [b'#', rest @ ..] => {
                bytes = rest.iter().position(|byte| *byte == b'\n').map_or(&[][..], |end| &rest[end..]);
            }
            _ => break,
        }
    }
    let digits = bytes.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, rest) = bytes.split_at(digits);
    let number = std::str::from_utf8(digits).ok().and_then(|digits| digits.parse().ok());
    number.map(|number| (number, rest)).ok_or_else(|| "its head is cut short or odd".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_is_read() {
        let read = picture(b"P6\n# of a machine\n2 1\n255\n\x01\x02\x03\x0a\x0b\x0c").unwrap();
        assert_eq!((read.width(), read.height(), read.row(0)), (2, 1, &[1, 2, 3, 10, 11, 12][..]));
    }

    #[test]
    fn what_is_no_picture_is_refused() {
        for (bytes, said) in [
            (&b""[..], "no binary PPM"),
            (b"P6", "cut short"),
            (b"P6 2 x", "cut short"),
            (b"P6 2 2 255\n123", "2 x 2 pixels in 3 bytes"),
            (b"P6 0 2 255\n", "Empty"),
            (b"P6 99999 2 255\n", "TooLarge"),
            (b"P6 99999999999 2 255\n", "cut short"),
            (b"P6 1 1 65535\n123456", "65535"),
        ] {
            let error = picture(bytes).unwrap_err();
            assert!(error.contains(said), "{error}");
        }
    }
}

//! Stored pictures: what is good is decoded to the pixel, what is not is refused in a sentence.

use headend_plugin_host::analyser::drawn::{card, noise};
use headend_plugin_host::analyser::media::Picture;
use headend_plugin_host::analyser::stored::decode;

fn png(picture: &Picture) -> Vec<u8> {
    encoded(picture.width(), picture.height(), png::ColorType::Rgb, &picture.read(picture.bounds()))
}

fn encoded(width: u32, height: u32, color: png::ColorType, data: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, width, height);
    encoder.set_color(color);
    encoder.set_depth(png::BitDepth::Eight);
    let mut writer = encoder.write_header().unwrap();
    writer.write_image_data(data).unwrap();
    writer.finish().unwrap();
    bytes
}

#[test]
fn png_is_decoded_to_the_pixel_and_transparency_becomes_a_mask() {
    let picture = noise(33, 17, 1);
    let stored = decode(&png(&picture)).unwrap();
    assert!(stored.picture == picture && stored.mask.is_none());
    let clear = decode(&encoded(2, 1, png::ColorType::Rgba, &[1, 2, 3, 127, 4, 5, 6, 128])).unwrap();
    assert_eq!(clear.picture.read(clear.picture.bounds()), [1, 2, 3, 4, 5, 6]);
    assert_eq!(clear.mask.map(|mask| mask.read(mask.bounds())), Some(vec![0, 255]));
    let grey = decode(&encoded(2, 1, png::ColorType::Grayscale, &[9, 200])).unwrap();
    assert_eq!(grey.picture.read(grey.picture.bounds()), [9, 9, 9, 200, 200, 200]);
}

#[test]
fn what_is_cut_bent_or_too_large_is_refused() {
    let whole = png(&card(64, 36, 0));
    for end in 0..whole.len() {
        // Cut between the last rows and the end mark a decoder may be content.
        let _ = decode(&whole[..end]);
    }
    assert!(decode(&whole[..whole.len() / 2]).is_err());
    for at in 0..whole.len() {
        let mut bent = whole.clone();
        bent[at] ^= 0x55;
        let _ = decode(&bent);
    }
    let mut wide = whole.clone();
    wide[16..20].copy_from_slice(&5_000_u32.to_be_bytes());
    assert!(decode(&wide).is_err());
    for rubbish in [&b""[..], b"GIF89a", b"\x89PNG", b"\xff\xd8\xff", b"\xff\xd8\xff\xe0\x00\x10JFIF\x00"] {
        assert!(decode(rubbish).is_err(), "{rubbish:?}");
    }
}

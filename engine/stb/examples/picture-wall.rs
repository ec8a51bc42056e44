//! A wall of boxes in one picture: each on its own channel, some on other screens, one that is broken.
//!
//! `cargo run -p headend-stb --example picture-wall -- wall.png 36`

use std::error::Error;
use std::fs::File;
use std::io::BufWriter;
use std::time::Duration;

use headend_media::Picture;
use headend_stb::{Film, Options};

/// Size of a box on the wall.
const TILE: (u32, u32) = (320, 180);
/// Pixels between two.
const GAP: u32 = 4;
/// What is done to a box besides its zap.
const STORIES: [&str; 12] = [
    "",
    "Info",
    "",
    "Menu Down",
    "Guide Down Right",
    "Vol+",
    "Search Ok Right Right Ok",
    "Apps",
    "Record List",
    "",
    "Settings",
    "Text",
];

fn main() -> Result<(), Box<dyn Error>> {
    let mut words = std::env::args().skip(1);
    let path = words.next().unwrap_or_else(|| "picture-wall.png".to_owned());
    let boxes: u32 = words.next().map_or(Ok(36), |count| count.parse())?;
    let across = (1..=boxes).find(|across| across * across >= boxes).unwrap_or(1);
    let down = boxes.div_ceil(across).max(1);
    let (width, height) = (across * (TILE.0 + GAP) + GAP, down * (TILE.1 + GAP) + GAP);
    let mut wall = vec![24; (width * height * 3) as usize];
    for number in 0..boxes {
        let tile = picture(number)?.scale(TILE.0, TILE.1).map_err(|fault| format!("{fault:?}"))?;
        let left = (GAP + number % across * (TILE.0 + GAP)) as usize * 3;
        let top = GAP + number / across * (TILE.1 + GAP);
        for (row, pixels) in tile.rows().enumerate() {
            let start = (top as usize + row) * width as usize * 3 + left;
            wall[start..start + pixels.len()].copy_from_slice(pixels);
        }
    }
    let mut encoder = png::Encoder::new(BufWriter::new(File::create(&path)?), width, height);
    encoder.set_color(png::ColorType::Rgb);
    encoder.write_header()?.write_image_data(&wall)?;
    println!("{path}: {boxes} boxes, {width} x {height} pixels");
    Ok(())
}

fn picture(number: u32) -> Result<Picture, Box<dyn Error>> {
    let mut film = Film::new(Options::seeded(u64::from(number) + 1));
    let channel = number % headend_stb::CHANNELS as u32 + 1;
    for digit in channel.to_string().chars() {
        film.press(&digit.to_string());
    }
    film.press("Ok").skip(Duration::from_secs(8)).press_all(STORIES[number as usize % STORIES.len()]);
    match number % 24 {
        9 => _ = film.inject("no-signal 10s")?,
        14 => _ = film.inject("macroblocks 10s")?,
        21 => _ = film.inject("crash")?.skip(Duration::from_secs(12)),
        _ => {}
    }
    Ok(film.skip(Duration::from_millis(400)).frame().picture)
}

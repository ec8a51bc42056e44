//! What each analyser asks of its frames, without the guest around it: the same questions, the same decision.

use headend_media::{Cell, Colour, Picture, Statistics};

use super::Answer;

fn most(channels: [f64; 3]) -> f64 {
    channels.into_iter().fold(0.0, f64::max)
}

fn passed(passed: bool) -> Answer {
    Answer { passed, place: None }
}

pub(crate) const COLOUR: [u8; 3] = [90, 40, 160];

pub(crate) fn colour(frames: &[Picture], _: Option<&Picture>) -> Answer {
    let picture = &frames[0];
    let seen = picture.statistics(picture.bounds()).unwrap();
    let [red, green, blue] = COLOUR;
    let near = picture.near(picture.bounds(), Colour::new(red, green, blue), Colour::new(10, 10, 10));
    let right = seen.mean.iter().zip(COLOUR).all(|(mean, wanted)| (mean.round() - f64::from(wanted)).abs() <= 10.0);
    let flatness = 100.0 * (1.0 - most(seen.deviation) / 127.5);
    let off = 100.0 * f64::from(seen.pixels - near) / f64::from(seen.pixels);
    passed(right && flatness >= 70.0 && off <= 2.0)
}

/// The score below which 95 % of the pixels cannot be within 32.
const LEAST: f64 = 1.0 - 0.95 * 32.0 / 255.0 - 0.05 - 1e-9;

pub(crate) fn image_match(frames: &[Picture], reference: Option<&Picture>) -> Answer {
    let (picture, wanted) = (&frames[0], reference.unwrap());
    let found = picture.find(wanted, None, picture.bounds(), LEAST, &|| false).unwrap();
    let Some(found) = found else { return passed(false) };
    let area = headend_media::Rect { x: found.x, y: found.y, ..wanted.bounds() };
    let seen = picture.crop(area).unwrap().compare(wanted, 32, None).unwrap();
    let passed = 100.0 * f64::from(seen.within) / f64::from(seen.pixels) >= 95.0;
    Answer { passed, place: passed.then_some((found.x, found.y)) }
}

pub(crate) fn icon_search(frames: &[Picture], reference: Option<&Picture>) -> Answer {
    let picture = &frames[0];
    let found = picture.find(reference.unwrap(), None, picture.bounds(), 0.9, &|| false).unwrap();
    Answer { passed: found.is_some(), place: found.map(|found| (found.x, found.y)) }
}

pub(crate) fn black(frames: &[Picture], _: Option<&Picture>) -> Answer {
    let grey = frames[0].grey();
    let black = grey.near(grey.bounds(), Colour::default(), Colour::new(24, 24, 24));
    passed(f64::from(black) / grey.bounds().pixels() as f64 >= 0.98)
}

pub(crate) fn freeze(frames: &[Picture], _: Option<&Picture>) -> Answer {
    let seen = frames[1].compare(&frames[0], 8, None).unwrap();
    passed(f64::from(seen.pixels - seen.within) / f64::from(seen.pixels) <= 0.001)
}

pub(crate) fn motion(frames: &[Picture], _: Option<&Picture>) -> Answer {
    let seen = frames[1].compare(&frames[0], 16, None).unwrap();
    passed(100.0 * f64::from(seen.pixels - seen.within) / f64::from(seen.pixels) >= 1.0)
}

pub(crate) fn blur(frames: &[Picture], _: Option<&Picture>) -> Answer {
    let grey = frames[0].grey();
    let sharpness = grey.sharpness(grey.bounds()).unwrap();
    let seen = grey.statistics(grey.bounds()).unwrap();
    passed(seen.deviation[0] >= 5.0 && sharpness < 100.0)
}

pub(crate) fn macroblocks(frames: &[Picture], _: Option<&Picture>) -> Answer {
    let grey = frames[0].grey();
    let share = |side: u32| {
        let cells = grey.grid(grey.bounds(), side).unwrap();
        broken(&cells, (grey.width() / side) as usize) as f64 / cells.len() as f64
    };
    passed(share(8).max(share(16)) >= 0.01)
}

fn broken(cells: &[Cell], columns: usize) -> usize {
    let rows = cells.len() / columns;
    let inner = (1..rows - 1).flat_map(|row| (1..columns - 1).map(move |column| row * columns + column));
    let is_broken = |at: &usize| {
        let (cell, right, below) = (cells[*at], cells[at + 1], cells[at + columns]);
        let weakest = cell.left.min(cell.top).min(right.left).min(below.top);
        weakest >= 12 && u32::from(weakest) >= 3 * u32::from(cell.inside)
    };
    inner.filter(is_broken).count()
}

/// Of the last frame: it was lost before, too.
pub(crate) fn signal_loss(frames: &[Picture], _: Option<&Picture>) -> Answer {
    let picture = frames.last().unwrap();
    let grey = picture.grey();
    let (colours, greys) = (of(picture), of(&grey));
    let sharpness = grey.sharpness(grey.bounds()).unwrap();
    let variance = greys.deviation[0].powi(2);
    let noise = if variance > 0.0 { (sharpness / (20.0 * variance)).min(1.0) } else { 0.0 };
    let even = most(colours.deviation) <= 3.0;
    passed(if even { most(colours.mean) > 24.0 } else { noise >= 0.6 })
}

fn of(picture: &Picture) -> Statistics {
    picture.statistics(picture.bounds()).unwrap()
}

//! What is asked: each analyser on pictures for which the answer is known.

use std::path::{Path, PathBuf};

use headend_media::Picture;
use serde_json::{Value, json};

use super::{Answer, native};
use crate::drawn::{SIZES, blurred, broken, even, logo, noisy, scene, snow, with};

/// One question.
pub(crate) struct Case {
    pub(crate) size: &'static str,
    pub(crate) analyser: &'static str,
    pub(crate) word: &'static str,
    pub(crate) parameters: Value,
    /// A stream; what is measured is its last frame.
    pub(crate) frames: Vec<Picture>,
    pub(crate) reference: Option<Picture>,
    pub(crate) native: fn(&[Picture], Option<&Picture>) -> Answer,
    /// What anybody has to say.
    pub(crate) expected: Answer,
}

/// The files of a case.
pub(crate) struct Files {
    pub(crate) frames: Vec<PathBuf>,
    pub(crate) reference: Option<PathBuf>,
}

impl Case {
    pub(crate) fn name(&self) -> String {
        format!("{} {} {}", self.size, self.analyser, self.word)
    }

    /// Writes its pictures, without loss.
    pub(crate) fn write(&self, folder: &Path) -> Files {
        let stem = self.name().replace(' ', "-");
        let write = |name: String, picture: &Picture| {
            let path = folder.join(name);
            png(&path, picture);
            path
        };
        let frames = self.frames.iter().enumerate();
        let frames = frames.map(|(number, frame)| write(format!("{stem}-{number}.png"), frame)).collect();
        Files { frames, reference: self.reference.as_ref().map(|it| write(format!("{stem}-reference.png"), it)) }
    }
}

fn png(path: &Path, picture: &Picture) {
    let file = std::io::BufWriter::new(std::fs::File::create(path).unwrap());
    let mut encoder = png::Encoder::new(file, picture.width(), picture.height());
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_compression(png::Compression::Fast);
    encoder.write_header().unwrap().write_image_data(&picture.read(picture.bounds())).unwrap();
}

/// Those whose name has all of these words in it.
pub(crate) fn all(words: &[String]) -> Vec<Case> {
    let cases = SIZES.into_iter().flat_map(|(size, width, height)| of_size(size, width, height));
    cases.filter(|case| words.iter().all(|word| case.name().contains(word.as_str()))).collect()
}

fn of_size(size: &'static str, width: u32, height: u32) -> Vec<Case> {
    let mut cases = searches(size, width, height);
    cases.extend(looks(size, width, height));
    cases
}

/// A logo of 100x60: there to the pixel, there as a capture card shows it, and not there with something like it on the screen.
fn searches(size: &'static str, width: u32, height: u32) -> Vec<Case> {
    let (below, known, other) = (scene(width, height), logo(1), logo(2));
    let place = (width - 240, height / 2 + 31);
    let on = |logo: &Picture, noise| with(&below, logo, place.0, place.1, noise);
    let mut cases = Vec::new();
    for (word, screen) in [("there", on(&known, 0)), ("noisy", on(&known, 12)), ("absent", on(&other, 0))] {
        let there = word != "absent";
        let expected = Answer { passed: there, place: there.then_some(place) };
        let case = |analyser, parameters, native| Case {
            size,
            analyser,
            word,
            parameters,
            frames: vec![screen.clone()],
            reference: Some(known.clone()),
            native,
            expected,
        };
        cases.push(case("image-match", json!({ "percent": 95, "tolerance": 32 }), native::image_match));
        cases.push(case("icon-search", json!({ "percent": 90 }), native::icon_search));
    }
    cases
}

/// All of the screen, once as it is looked for and once not.
fn looks(size: &'static str, width: u32, height: u32) -> Vec<Case> {
    let live = scene(width, height);
    let (still, moved) = (noisy(&live, 4), with(&live, &scene(width / 2, height / 2), 0, 0, 60));
    let tenth = [even(width, height, native::COLOUR, 4), even(width, height, [6, 6, 6], 6)];
    let [coloured, dark] = tenth;
    let case = |analyser, word, parameters, frames: &[&Picture], native, passed| Case {
        size,
        analyser,
        word,
        parameters,
        frames: frames.iter().map(|frame| (*frame).clone()).collect(),
        reference: None,
        native,
        expected: Answer { passed, place: None },
    };
    // Frames are 40 ms apart: two are still for long enough, three are lost for long enough, and the time from one to the next is no loss.
    let long = json!({ "seconds": 0.03 });
    // All three do the same work: a text on one colour is not looked for, and squares have two sizes.
    let (lost, sides) = (json!({ "seconds": 0.06, "share": 1 }), json!({ "sides": [8, 16] }));
    let colour = json!({ "value": native::COLOUR });
    let (soft, gone, noise) = (blurred(width, height), broken(width, height), snow(width, height, 5));
    let noises = [&noise, &snow(width, height, 6), &noise];
    vec![
        case("colour", "is it", colour.clone(), &[&coloured], native::colour, true),
        case("colour", "is another", colour, &[&live], native::colour, false),
        case("black", "is black", json!({}), &[&dark], native::black, true),
        case("black", "is not", json!({}), &[&live], native::black, false),
        case("freeze", "is still", long.clone(), &[&live, &still], native::freeze, true),
        case("freeze", "moves", long, &[&live, &moved], native::freeze, false),
        case("motion", "moves", json!({}), &[&live, &moved], native::motion, true),
        case("motion", "is still", json!({}), &[&live, &still], native::motion, false),
        case("blur", "is blurred", json!({}), &[&soft], native::blur, true),
        case("blur", "is sharp", json!({}), &[&live], native::blur, false),
        case("macroblocks", "broken", sides.clone(), &[&gone], native::macroblocks, true),
        case("macroblocks", "whole", sides, &[&live], native::macroblocks, false),
        case("signal-loss", "snow", lost.clone(), &noises, native::signal_loss, true),
        case("signal-loss", "picture", lost, &[&live, &still, &live], native::signal_loss, false),
    ]
}

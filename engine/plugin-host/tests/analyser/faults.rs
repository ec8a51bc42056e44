//! What goes wrong with pictures: no signal, blur, broken squares.

use headend_plugin_host::analyser::drawn::{card, noise, picture, plain, stream};
use headend_plugin_host::analyser::media::{Colour, Picture, Rect};
use headend_plugin_host::analyser::{Frame, Verdict};

use crate::support::{Lab, laid};

const BLUE: Colour = Colour::new(0, 0, 180);

fn grey(value: u8) -> Colour {
    Colour::new(value, value, value)
}

fn one(lab: &Lab, name: &str, parameters: &str, frame: Picture) -> Verdict {
    let verdicts = lab.verdicts(name, parameters, &[], &stream([frame])).unwrap();
    assert_eq!(verdicts.len(), 1, "{verdicts:?}");
    verdicts.into_iter().next().unwrap()
}

#[test]
fn a_lost_signal_is_told_from_black_from_pictures_and_from_a_short_drop() {
    let lab = Lab::own("signal-loss");
    let judge = |parameters: &str, frames: Vec<Picture>| {
        lab.verdicts("signal-loss", parameters, &[], &stream(frames)).unwrap().remove(0)
    };
    let blue = judge("", (0..40).map(|n| if n < 5 { card(64, 36, n) } else { plain(64, 36, BLUE) }).collect());
    assert!(blue.passed && blue.frame == 30 && blue.sentence.contains("one even colour for 1.00 s"), "{blue:?}");
    let snow = judge("", (0..40).map(|n| noise(64, 36, n)).collect());
    assert!(snow.passed && snow.sentence.contains("snow"), "{snow:?}");
    assert!(!judge("", (0..40).map(|n| card(64, 36, n)).collect()).passed);
    let short = (0..40).map(|n| if (5..25).contains(&n) { plain(64, 36, BLUE) } else { card(64, 36, n) });
    let short = judge("", short.collect());
    assert!(!short.passed && short.sentence.contains("0.76 s at most"), "{short:?}");
    let black = || vec![plain(64, 36, grey(16)); 40];
    assert!(!judge("", black()).passed && judge(r#"{"black": true}"#, black()).passed);
    // Fine, but no noise: text on a page.
    let text = || picture(64, 36, |x, y| if (x / 2 + y / 3) % 2 == 0 { grey(230) } else { grey(30) });
    assert!(!judge("", vec![text(); 40]).passed);
    assert!(judge("", vec![plain(1, 1, BLUE); 40]).passed && !judge("", vec![]).passed);
}

#[test]
fn a_gap_in_the_frames_is_a_lost_signal() {
    let lab = Lab::own("signal-loss");
    let frame = |number: u64, at_us| Frame { number, at_us, picture: card(64, 36, 0) };
    let judge = |gap: i64| {
        let frames = [frame(0, 0), frame(1, 40_000), frame(2, 40_000 + gap), frame(3, 80_000 + gap)];
        lab.verdicts("signal-loss", "", &[], &frames).unwrap().remove(0)
    };
    let lost = judge(1_500_000);
    assert!(lost.passed && lost.frame == 2 && lost.sentence.contains("no frames for 1.50 s"), "{lost:?}");
    assert!(!judge(900_000).passed);
}

/// Each pixel the mean of those around it.
fn smoothed(sharp: &Picture, reach: u32) -> Picture {
    let side = 2 * reach + 1;
    picture(sharp.width(), sharp.height(), |x, y| {
        let area = Rect { x: x.saturating_sub(reach), y: y.saturating_sub(reach), width: side, height: side };
        let mean = sharp.statistics(area).unwrap().mean.map(|mean| mean.round() as u8);
        Colour::from(mean)
    })
}

#[test]
fn blur_is_told_from_sharpness_and_from_emptiness() {
    let lab = Lab::own("blur");
    let letters = picture(160, 90, |x, y| if (x / 3 + y / 5) % 2 == 0 { grey(220) } else { grey(40) });
    let judge = |parameters: &str, frame: Picture| one(&lab, "blur", parameters, frame);
    assert!(!judge("", letters.clone()).passed);
    let soft = judge("", smoothed(&letters, 1));
    assert!(!soft.passed, "a little softer than it was: {soft:?}");
    // A gradient has contrast and no detail at all.
    let gradient = judge("", picture(160, 90, |x, _| grey((x + 40) as u8)));
    assert!(gradient.passed, "{gradient:?}");
    let large = picture(160, 90, |x, y| if (x / 40 + y / 30) % 2 == 0 { grey(220) } else { grey(40) });
    assert!(judge("", smoothed(&large, 6)).passed && !judge("", large).passed);
    let even = judge("", plain(160, 90, grey(90)));
    assert!(!even.passed && even.sentence.contains("too even"), "{even:?}");
    let sharpness = soft.values.iter().find(|value| value.name == "sharpness").unwrap().number;
    let above = format!("{{\"sharpness\": {}}}", sharpness + 1.0);
    assert!(judge(&above, smoothed(&letters, 1)).passed, "the threshold decides");
    let left = picture(160, 90, |x, y| if x < 80 { grey((x + 40) as u8) } else { grey((x * y % 251) as u8) });
    assert!(!judge("", left.clone()).passed && judge(r#"{"region": [0, 0, 80, 90]}"#, left).passed);
    assert!(!judge("", plain(2, 2, BLUE)).passed, "too small to tell");
}

/// A natural picture: soft hills.
fn hills(width: u32, height: u32) -> Picture {
    picture(width, height, |x, y| {
        let wave = |v: u32, length: f64| (f64::from(v) / length).sin();
        let value = 120.0 + 60.0 * wave(x, 23.0) * wave(y, 17.0) + 30.0 * wave(x + y, 31.0);
        Colour::new(value as u8, (value * 0.9) as u8, (value * 0.7) as u8)
    })
}

/// With squares of one colour at these places of a grid.
fn broken(below: &Picture, side: u32, places: &[(u32, u32)]) -> Picture {
    places.iter().enumerate().fold(below.clone(), |picture, (number, (column, row))| {
        let value = if number % 2 == 0 { 245 } else { 5 };
        laid(&picture, &plain(side, side, grey(value)), column * side, row * side)
    })
}

#[test]
fn broken_squares_are_told_from_edges_of_the_picture() {
    let lab = Lab::own("macroblocks");
    let judge = |parameters: &str, frame: Picture| one(&lab, "macroblocks", parameters, frame);
    let places: Vec<(u32, u32)> = (2..12).map(|n| (n, 2 + n * 3 % 5)).collect();
    let sixteen = judge("", broken(&hills(320, 160), 16, &places));
    assert!(sixteen.passed && sixteen.sentence.starts_with("10 squares of 16x16"), "{sixteen:?}");
    assert!(
        sixteen.overlay.iter().any(|shape| shape.area == Rect { x: 32, y: 48, width: 16, height: 16 }),
        "{sixteen:?}"
    );
    let eight: Vec<(u32, u32)> = (2..30).map(|n| (n, 2 + n * 7 % 15)).collect();
    let eight = judge("", broken(&hills(320, 160), 8, &eight));
    assert!(eight.passed && eight.sentence.contains("8x8"), "{eight:?}");
    assert!(!judge("", hills(320, 160)).passed && !judge("", noise(320, 160, 3)).passed);
    // Bars and tiles have edges on the grid, and are no squares of it.
    assert!(!judge("", card(320, 160, 0)).passed);
    let tiles = picture(320, 160, |x, y| if (x / 64 + y / 48) % 2 == 0 { grey(30) } else { grey(200) });
    assert!(!judge("", tiles).passed);
    let beside = laid(&hills(320, 160), &broken(&hills(300, 140), 16, &places), 5, 3);
    assert!(!judge("", beside).passed, "off the grid it is something else");
    let few = broken(&hills(320, 160), 16, &places[..1]);
    assert!(!judge("", few.clone()).passed && judge(r#"{"share": 0.005}"#, few.clone()).passed, "1 of 200 squares");
    assert!(!judge(r#"{"share": 0.005, "region": [160, 0, 160, 160]}"#, few).passed);
    assert!(!judge("", plain(1, 1, BLUE)).passed);
}

//! Our own analysers through frames that are so, that are not, and that nearly are.

use headend_plugin_host::analyser::drawn::{card, noise, picture, plain, stream};
use headend_plugin_host::analyser::media::{Colour, Picture, Rect};
use headend_plugin_host::analyser::{AnalyserFault, Reference, Verdict};

use crate::support::{Lab, laid};

const BLACK: Colour = Colour::new(0, 0, 0);
const WHITE: Colour = Colour::new(255, 255, 255);

/// One frame, one verdict.
fn one(lab: &Lab, name: &str, parameters: &str, references: &[Reference], frame: Picture) -> Verdict {
    let verdicts = lab.verdicts(name, parameters, references, &stream([frame])).unwrap();
    assert_eq!(verdicts.len(), 1, "{verdicts:?}");
    verdicts.into_iter().next().unwrap()
}

#[test]
fn black_is_told_from_dark_and_from_nearly_black() {
    let lab = Lab::own("black");
    let judge = |parameters: &str, frame| one(&lab, "black", parameters, &[], frame).passed;
    let limited = plain(320, 180, Colour::new(16, 16, 16));
    let bar = |share: u32| picture(100, 100, move |x, _| if x < share { BLACK } else { WHITE });
    assert!(judge("", plain(320, 180, BLACK)) && judge("", limited.clone()) && judge("", plain(1, 1, BLACK)));
    assert!(judge("", bar(98)) && !judge("", bar(97)), "the share is 0.98 unless it is set");
    assert!(
        !judge("", plain(320, 180, Colour::new(25, 25, 25))) && judge("", plain(320, 180, Colour::new(24, 24, 24)))
    );
    assert!(!judge("", card(320, 180, 0)) && !judge("", plain(320, 180, Colour::new(0, 0, 255))));
    assert!(!judge(r#"{"level": 15}"#, limited));
    assert!(judge(r#"{"region": [0, 0, 50, 100]}"#, bar(50)) && !judge(r#"{"region": [50, 0, 50, 100]}"#, bar(50)));
    let outside = one(&lab, "black", r#"{"region": [200, 0, 50, 100]}"#, &[], bar(50));
    assert!(!outside.passed && outside.sentence.contains("outside"), "{outside:?}");
}

#[test]
fn colour_needs_mean_evenness_and_few_that_are_off() {
    let lab = Lab::own("colour");
    let blue = Colour::new(47, 106, 162);
    let judge = |frame| one(&lab, "colour", r#"{"value": [47, 106, 162], "tolerance": [5, 5, 5]}"#, &[], frame);
    assert!(judge(plain(64, 64, blue)).passed && judge(plain(1, 1, blue)).passed);
    assert!(judge(plain(64, 64, Colour::new(52, 106, 157))).passed, "at the tolerance");
    assert!(!judge(plain(64, 64, Colour::new(53, 106, 162))).passed, "past it");
    let spots = |one_in: u32| picture(100, 100, move |x, y| if (y * 100 + x) % one_in == 0 { WHITE } else { blue });
    assert!(judge(spots(100)).passed && !judge(spots(40)).passed, "1 % may be off, 2.5 % may not");
    // The mean is right, and no pixel is.
    let grey = r#"{"value": [128, 128, 128]}"#;
    let halves = one(&lab, "colour", grey, &[], picture(64, 64, |x, _| if x < 32 { BLACK } else { WHITE }));
    assert!(!halves.passed && halves.sentence.contains("even only to 0.0 %"), "{}", halves.sentence);
    let declined = lab.verdicts("colour", "{}", &[], &[]);
    assert!(matches!(declined, Err(AnalyserFault::Declined { .. })), "{declined:?}");
}

#[test]
fn freeze_tells_stillness_from_creeping_and_noise() {
    let lab = Lab::own("freeze");
    let judge = |frames: Vec<Picture>| lab.verdicts("freeze", r#"{"seconds": 0.4}"#, &[], &stream(frames)).unwrap();
    let still = judge((0..15).map(|n| card(160, 90, n.min(3))).collect());
    assert_eq!((still.len(), still[0].passed, still[0].frame), (1, true, 13), "frames 3 to 13 are 0.4 s: {still:?}");
    // One column a frame: each frame is all but the same as the one before.
    let creeping = judge((0..15).map(|n| picture(400, 90, move |x, _| if x < n { WHITE } else { BLACK })).collect());
    assert!(!creeping[0].passed, "{creeping:?}");
    let jitter = |n: u32| {
        picture(160, 90, move |x, y| {
            let v = 100 + ((x * 7 + y * 13 + n * 5) % 8) as u8;
            Colour::new(v, v, v)
        })
    };
    assert!(judge((0..15).map(jitter).collect())[0].passed, "noise within the tolerance is stillness");
    assert!(!judge((0..15).map(|n| noise(160, 90, n)).collect())[0].passed);
    assert!(!judge(vec![])[0].passed && !judge(vec![card(1, 1, 0)])[0].passed);
    let resized = judge((0..15).map(|n| plain(if n < 7 { 10 } else { 20 }, 10, BLACK)).collect());
    assert!(!resized[0].passed, "another size begins anew: {resized:?}");
}

#[test]
fn motion_is_counted_where_it_counts() {
    let lab = Lab::own("motion");
    let judge =
        |parameters: &str, frames: Vec<Picture>| lab.verdicts("motion", parameters, &[], &stream(frames)).unwrap();
    let moving = || vec![card(160, 90, 0), card(160, 90, 4)];
    let seen = judge("", moving());
    assert!(seen.len() == 1 && seen[0].passed && seen[0].frame == 1, "{seen:?}");
    let moved = seen[0].overlay[0].area;
    assert!(moved.y == 30 && moved.height == 15, "the square of the card: {moved:?}");
    assert!(!judge("", vec![card(160, 90, 0); 2])[0].passed);
    // 45 of 14400 pixels are 0.3 %.
    let spot = |lit: u32| picture(160, 90, move |x, y| if y == 0 && x < lit { WHITE } else { BLACK });
    assert!(!judge(r#"{"percent": 0.4}"#, vec![spot(0), spot(45)])[0].passed);
    assert!(judge(r#"{"percent": 0.3}"#, vec![spot(0), spot(45)])[0].passed);
    assert!(!judge(r#"{"region": [0, 60, 160, 30]}"#, moving())[0].passed);
    assert!(!judge(r#"{"excluded": [[0, 30, 160, 15]]}"#, moving())[0].passed);
    assert!(!judge(r#"{"excluded": [[0, 0, 999, 999]]}"#, moving())[0].passed);
    assert!(judge("", vec![card(160, 90, 0)]).is_empty() && judge("", vec![card(9, 9, 0), card(8, 9, 0)]).is_empty());
}

fn reference(name: &str, picture: Picture, mask: Option<Picture>) -> Vec<Reference> {
    vec![Reference { name: name.into(), picture, mask }]
}

#[test]
fn a_picture_is_found_where_it_is_and_only_if_it_is() {
    let lab = Lab::own("image-match");
    let (screen, logo) = (card(320, 180, 0), noise(37, 21, 5));
    let known = reference("logo", logo.clone(), None);
    let judge = |parameters: &str, frame: Picture| one(&lab, "image-match", parameters, &known, frame);
    for (x, y) in [(0, 0), (283, 159), (140, 77)] {
        let seen = judge("", laid(&screen, &logo, x, y));
        assert!(seen.passed && seen.area == Some(Rect { x, y, width: 37, height: 21 }), "{seen:?}");
    }
    assert!(!judge("", screen.clone()).passed && !judge("", plain(1, 1, BLACK)).passed);
    assert!(!judge(r#"{"region": [0, 0, 100, 180]}"#, laid(&screen, &logo, 140, 77)).passed, "elsewhere is not there");
    // One letter of it is another one.
    let changed = |width| laid(&logo, &plain(width, 21, WHITE), 10, 0);
    assert!(judge("", laid(&screen, &changed(1), 50, 50)).passed, "2.7 % of it");
    let near = judge("", laid(&screen, &changed(3), 50, 50));
    assert!(!near.passed && near.overlay.len() == 2, "8.1 % of it: {near:?}");
    let covered = judge(r#"{"excluded": [[10, 0, 3, 21]]}"#, laid(&screen, &changed(3), 50, 50));
    assert!(covered.passed, "{covered:?}");
    // Twins: the topmost is taken.
    let twice = judge("", laid(&laid(&screen, &logo, 200, 100), &logo, 20, 30));
    assert_eq!(twice.area.map(|area| (area.x, area.y)), Some((20, 30)));
}

#[test]
fn a_whole_screen_is_held_against_its_place() {
    let lab = Lab::own("image-match");
    let menu = card(320, 180, 2);
    let known = reference("menu", menu.clone(), None);
    let judge = |parameters: &str, frame: Picture| one(&lab, "image-match", parameters, &known, frame);
    let same = r#"{"where": "same-place"}"#;
    let tenth = laid(&menu, &noise(100, 60, 1), 50, 50);
    assert!(judge(same, menu.clone()).passed && !judge(same, tenth).passed);
    assert!(judge(same, card(320, 180, 9)).passed, "a small square is elsewhere: 3.1 % of it");
    assert!(!judge(same, card(300, 180, 2)).passed, "another size");
    let exact = r#"{"where": "same-place", "percent": 100, "tolerance": 0}"#;
    assert!(
        judge(exact, menu.clone()).passed
            && !judge(exact, laid(&menu, &plain(1, 1, Colour::new(1, 2, 3)), 9, 9)).passed
    );
    let hole = picture(320, 180, |x, _| if x < 160 { BLACK } else { WHITE }).grey();
    let masked = reference("menu", menu.clone(), Some(hole));
    let half = laid(&menu, &noise(160, 180, 3), 0, 0);
    assert!(one(&lab, "image-match", exact, &masked, half).passed, "what the mask hides does not count");
    let nothing = lab.verdicts("image-match", r#"{"excluded": [[0, 0, 320, 180]]}"#, &known, &[]);
    assert!(matches!(nothing, Err(AnalyserFault::Declined { .. })), "{nothing:?}");
    let none = lab.verdicts("image-match", "", &[], &[]);
    assert!(matches!(&none, Err(AnalyserFault::Declined { what, .. }) if what.contains("none is given")), "{none:?}");
}

//! Icons: which one, where, and what is not one of them.

use headend_plugin_host::analyser::drawn::{card, noise, picture, plain};
use headend_plugin_host::analyser::media::{Colour, Picture, Rect};
use headend_plugin_host::analyser::{AnalyserFault, Reference, Verdict};

use crate::support::{Lab, laid};

const WHITE: Colour = Colour::new(255, 255, 255);

fn ring() -> Picture {
    picture(24, 24, |x, y| {
        let (dx, dy) = (i64::from(x) - 12, i64::from(y) - 12);
        if (60..130).contains(&(dx * dx + dy * dy)) { WHITE } else { Colour::new(20, 40, 90) }
    })
}

/// Counts where the ring is.
fn ring_alone() -> Picture {
    picture(24, 24, |x, y| {
        let (dx, dy) = (i64::from(x) - 12, i64::from(y) - 12);
        if (60..130).contains(&(dx * dx + dy * dy)) { WHITE } else { Colour::default() }
    })
    .grey()
}

fn cross() -> Picture {
    picture(24, 24, |x, y| if x.abs_diff(12) < 4 || y.abs_diff(12) < 4 { WHITE } else { Colour::new(20, 40, 90) })
}

fn known(mask: bool) -> Vec<Reference> {
    let reference = |name: &str, picture, mask| Reference { name: name.into(), picture, mask };
    vec![reference("cross", cross(), None), reference("ring", ring(), mask.then(ring_alone))]
}

fn one(lab: &Lab, parameters: &str, references: &[Reference], frame: Picture) -> Verdict {
    let frames = headend_plugin_host::analyser::drawn::stream([frame]);
    lab.verdicts("icon-search", parameters, references, &frames).unwrap().remove(0)
}

#[test]
fn the_icon_that_is_there_is_named_and_placed() {
    let lab = Lab::own("icon-search");
    let judge = |parameters: &str, frame| one(&lab, parameters, &known(false), frame);
    let screen = card(320, 180, 0);
    let seen = judge("", laid(&screen, &ring(), 200, 90));
    assert!(seen.passed && seen.sentence.starts_with("ring is there, at 200, 90: 100.00"), "{seen:?}");
    assert_eq!(seen.area, Some(Rect { x: 200, y: 90, width: 24, height: 24 }));
    assert_eq!(judge("", laid(&screen, &cross(), 3, 4)).overlay[0].label, "cross");
    let absent = judge("", screen.clone());
    assert!(!absent.passed && absent.sentence.contains("none of cross, ring"), "{absent:?}");
    assert!(!judge(r#"{"reference": "cross"}"#, laid(&screen, &ring(), 200, 90)).passed, "the other one");
    assert!(!judge(r#"{"region": [0, 0, 100, 100]}"#, laid(&screen, &ring(), 200, 90)).passed, "elsewhere");
    assert!(!judge("", plain(8, 8, WHITE)).passed, "it does not fit");
    // Both: the first of equals.
    let both = laid(&laid(&screen, &ring(), 200, 90), &cross(), 20, 20);
    assert_eq!(judge("", both).overlay[0].label, "cross");
}

#[test]
fn a_dimmed_icon_is_nearly_it_and_a_mask_leaves_the_background_out() {
    let lab = Lab::own("icon-search");
    let screen = card(320, 180, 0);
    let dimmed = picture(24, 24, |x, y| {
        let pixel = ring().read(Rect { x, y, width: 1, height: 1 });
        Colour::new(pixel[0] / 10 * 9, pixel[1] / 10 * 9, pixel[2] / 10 * 9)
    });
    let on = laid(&screen, &dimmed, 100, 100);
    let score = one(&lab, "", &known(false), on.clone()).score;
    assert!((0.94..0.99).contains(&score), "{score}");
    assert!(!one(&lab, r#"{"percent": 99}"#, &known(false), on).passed);
    // The ring alone, on something else.
    let bare = picture(24, 24, |x, y| {
        let here = Rect { x, y, width: 1, height: 1 };
        if ring_alone().read(here)[0] > 0 { WHITE } else { Colour::from([noise(24, 24, 1).read(here)[0]; 3]) }
    });
    let on = laid(&screen, &bare, 100, 100);
    assert!(!one(&lab, "", &known(false), on.clone()).passed);
    let masked = one(&lab, r#"{"percent": 99}"#, &known(true), on);
    assert!(masked.passed && masked.area == Some(Rect { x: 100, y: 100, width: 24, height: 24 }), "{masked:?}");
    let none = lab.verdicts("icon-search", "", &[], &[]);
    assert!(matches!(&none, Err(AnalyserFault::Declined { what, .. }) if what.contains("at least one")), "{none:?}");
}

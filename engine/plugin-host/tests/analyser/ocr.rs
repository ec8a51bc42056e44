//! Text on screens, read by the real program; without it only what is said then is tested.

use std::process::{Command, Stdio};

use headend_model::PolicyName;
use headend_plugin_host::analyser::drawn::{plain, stream};
use headend_plugin_host::analyser::media::{Colour, Picture, Rect};
use headend_plugin_host::analyser::{AnalyserFault, Verdict};
use headend_plugin_host::lifecycle::LoadError;

use crate::letters::written;
use crate::support::{Lab, guests};

const WHITE: Colour = Colour::new(235, 235, 235);
const BLUE: Colour = Colour::new(20, 40, 110);

pub(crate) fn granted() -> Lab {
    Lab::with(|config| {
        config.grants.0.insert("ocr=ocr".parse().unwrap());
    })
}

/// Tesseract with English. What is left out is told.
pub(crate) fn is_here() -> bool {
    let asked = Command::new("tesseract").arg("--list-langs").stdin(Stdio::null()).stderr(Stdio::null()).output();
    let here = asked.is_ok_and(|said| String::from_utf8_lossy(&said.stdout).lines().any(|line| line == "eng"));
    if !here {
        eprintln!("NOT TRIED: text is not read, tesseract-ocr and tesseract-ocr-eng are not installed");
    }
    here
}

/// A banner at the bottom of a screen.
fn banner(text: &str) -> Picture {
    written((640, 360), text, (60, 280), 5, [WHITE, BLUE])
}

fn judge(lab: &Lab, parameters: &str, frame: Picture) -> Verdict {
    lab.verdicts("ocr", parameters, &[], &stream([frame])).unwrap().remove(0)
}

#[test]
fn it_is_let_in_only_with_the_grant() {
    let folder = guests().join("analysers/ocr");
    let error = Lab::new().host.load(&folder).unwrap_err();
    assert!(matches!(&error, LoadError::Capability { .. }), "{error}");
    assert!(error.to_string().contains("`headend plugin grant ocr ocr`"), "{error}");
    // What does not ask does not get it, whatever its code does.
    let lab = granted();
    let source = "fn feed(frame) { if frame.width > 64 { frame.picture.read_text((), #{}); } }";
    lab.rhai("sly", source, "").unwrap();
    let fault = lab.verdicts("sly", "", &[], &stream([plain(65, 9, WHITE)])).unwrap_err();
    assert!(fault.to_string().contains("does not ask for the capability `ocr`"), "{fault}");
}

#[test]
fn what_is_not_installed_is_told_when_it_is_asked_for_and_not_taken_for_an_empty_screen() {
    let lab = Lab::with(|config| {
        config.grants.0.insert("*=ocr".parse().unwrap());
        config.tesseract = "no-such-program".into();
    })
    .and("ocr");
    let fault = lab.host.instance(&PolicyName::new("ocr").unwrap(), &[], "").err().unwrap();
    let said = fault.to_string();
    assert!(matches!(fault, AnalyserFault::Declined { .. }), "{said}");
    assert!(said.contains("no program `no-such-program`") && said.contains("apt-get install tesseract-ocr"), "{said}");
    if !is_here() {
        return;
    }
    let lab = granted().and("ocr");
    let fault = lab.host.instance(&PolicyName::new("ocr").unwrap(), &[], r#"{"languages": ["eng", "xyz"]}"#);
    let said = fault.err().unwrap().to_string();
    assert!(said.contains("lacks the language `xyz`") && said.contains("tesseract-ocr-xyz"), "{said}");
}

#[test]
fn a_banner_is_read_and_held_against_what_is_expected() {
    if !is_here() {
        return;
    }
    let lab = granted().and("ocr");
    let region = r#""region": [40, 260, 560, 80]"#;
    let read = judge(&lab, &format!("{{{region}}}"), banner("TITLE 12"));
    assert!(read.passed && read.sentence.contains("TITLE 12"), "{read:?}");
    let first = &read.overlay[0];
    assert_eq!(first.label, "TITLE");
    let drawn = Rect { x: 60, y: 280, width: 145, height: 35 };
    let near = |one: u32, other: u32| one.abs_diff(other) <= 8;
    assert!(
        near(first.area.x, drawn.x) && near(first.area.y, drawn.y) && near(first.area.width, drawn.width),
        "{read:?}"
    );

    let expect = |text: &str, frame| judge(&lab, &format!("{{\"expect\": {text:?}, {region}}}"), frame);
    assert!(expect("title 12", banner("TITLE 12")).passed, "case does not matter");
    assert!(expect("TITLE 12", banner("TILE 12")).passed, "one of eight characters is missing");
    let other = expect("TITLE 12", banner("MUTE 47"));
    assert!(!other.passed && other.sentence.contains("is not there"), "{other:?}");
    let strict = format!("{{\"expect\": \"TITLE 12\", \"errors\": 0, {region}}}");
    assert!(!judge(&lab, &strict, banner("TILE 12")).passed && judge(&lab, &strict, banner("TITLE 12")).passed);
    assert!(!expect("TITLE 12", plain(640, 360, BLUE)).passed);
    assert!(!judge(&lab, r#"{"region": [0, 0, 640, 200]}"#, banner("TITLE 12")).passed, "it is elsewhere");
}

#[test]
fn a_whitelist_leaves_only_its_characters_and_rhai_reads_too() {
    if !is_here() {
        return;
    }
    let lab = granted().and("ocr");
    let digits = r#"{"whitelist": "0123456789", "layout": "line", "region": [40, 260, 560, 80]}"#;
    let read = judge(&lab, digits, banner("124"));
    assert!(read.sentence.contains("124"), "{read:?}");
    let source = "fn feed(frame) { if frame.width <= 64 { return (); }
        let words = frame.picture.read_text([40, 260, 560, 80], #{ layout: \"line\" });
        #{ passed: words.len() == 2, sentence: `${words[0].text} ${words[0].line} ${words[0].area}` } }";
    let lab = Lab::with(|config| {
        config.grants.0.insert("*=ocr".parse().unwrap());
    });
    lab.rhai("reads", source, "capabilities = [\"ocr\"]\n[limits]\ndeadline_ms = 30000").unwrap();
    let read = lab.verdicts("reads", "", &[], &stream([banner("TITLE 12")])).unwrap();
    assert!(read[0].passed && read[0].sentence.starts_with("TITLE 0 ["), "{read:?}");
}

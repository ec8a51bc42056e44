//! Analysers that were compiled against former versions of the contract load for ever, and answer as they did then.

use headend_plugin_host::analyser::drawn::{card, plain, stream};
use headend_plugin_host::analyser::media::{Colour, Rect};
use headend_plugin_host::analyser::serial::News;

use crate::support::{Lab, pieces, sine, workspace};

#[test]
fn an_analyser_of_the_first_version_answers_as_it_did_then() {
    let lab = Lab::new();
    let info = lab.host.load(&workspace().join("tests/guests/released/black-1.0.0")).unwrap();
    assert_eq!((info.world.as_str(), info.version.as_str()), ("1.0.0", "1.0.0"));
    let frames = stream([plain(64, 36, Colour::default()), card(64, 36, 0)]);
    let said = lab.verdicts("black", "", &[], &frames).unwrap();
    let all = Rect { x: 0, y: 0, width: 64, height: 36 };
    assert_eq!((said.len(), said[0].passed, said[1].passed), (2, true, false));
    assert_eq!((said[0].score, said[0].area, said[1].frame, said[1].at_us), (1.0, Some(all), 1, 40_000));
    assert_eq!(said[0].sentence, "100.0 % of it is black, 98.0 % must be");
    assert_eq!((said[0].values[0].name.as_str(), said[0].overlay[0].label.as_str()), ("share_black", "black"));
    let half = lab.verdicts("black", r#"{"share": 0.1, "level": 30}"#, &[], &frames[1..]).unwrap();
    assert!(half[0].passed && half[0].score < 0.3, "{half:?}");
}

#[test]
fn an_analyser_of_the_second_version_hears_as_it_did_then() {
    let lab = Lab::new();
    let info = lab.host.load(&workspace().join("tests/guests/released/silence-1.1.0")).unwrap();
    assert_eq!((info.world.as_str(), info.senses.sound, info.senses.serial), ("1.1.0", true, false));
    let gap = |time: f64| if (0.4..1.2).contains(&time) { 0.0 } else { sine(440.0, time) };
    let heard = lab.events("silence", r#"{"seconds": 0.5}"#, pieces(2.0, |time| [gap(time); 2]));
    assert!(heard.len() == 1 && heard[0].passed && heard[0].at_us == 900_000, "{heard:?}");
    assert_eq!(heard[0].sentence, "it has been silent for 0.50 s");
    let name = headend_model::PolicyName::new("silence").unwrap();
    let mut instance = lab.host.instance(&name, &[], "").unwrap();
    assert_eq!(instance.read(&News::of([], 0, 40_000)[0]), Ok(None), "it cannot read, and is not asked to");
}

//! What is read: lines that are so, that are not, and that nearly are.

use headend_model::PolicyName;
use headend_plugin_host::analyser::serial::{Line, News};
use headend_plugin_host::analyser::{AnalyserFault, Verdict};
use headend_plugin_host::lifecycle::{LoadError, Step};

use crate::support::{Lab, workspace};

const PATTERN: &str = "serial-pattern";

/// One line a second from 1 s on, one call for each; and the verdict at the end.
fn read(lab: &Lab, name: &str, parameters: &str, lines: &[&str]) -> Result<Vec<Verdict>, AnalyserFault> {
    let mut instance = lab.host.instance(&PolicyName::new(name).unwrap(), &[], parameters)?;
    let mut verdicts = Vec::new();
    for (text, second) in lines.iter().zip(1..) {
        let line = Line { at_us: second * 1_000_000, text: (*text).to_owned() };
        for news in News::of([line], 0, second * 1_000_000) {
            verdicts.extend(instance.read(&news)?);
        }
    }
    verdicts.extend(instance.finish()?);
    Ok(verdicts)
}

fn value(verdict: &Verdict, name: &str) -> f64 {
    verdict.values.iter().find(|value| value.name == name).unwrap().number
}

const BOOT: [&str; 4] = ["boot: kernel 5.10.0, 2 cores", "boot: tuner 0 ready", "", "stb login: "];

#[test]
fn a_line_is_told_with_its_time_and_what_is_nearly_it_is_not() {
    let lab = Lab::own(PATTERN);
    let judge = |parameters: &str| read(&lab, PATTERN, parameters, &BOOT).unwrap();
    let there = judge(r#"{"pattern": "login:"}"#);
    assert_eq!((there.len(), there[0].passed, there[0].at_us, there[0].frame), (1, true, 4_000_000, 0), "{there:?}");
    assert_eq!(there[0].sentence, "a line with \"login:\" came at 4.000 s: \"stb login: \"");
    assert_eq!((value(&there[0], "matches"), value(&there[0], "lines"), value(&there[0], "line_s")), (1.0, 4.0, 4.0));
    assert_eq!(there[0].overlay[0].label, "login:");
    for near in ["Login:", "login::", "kernel 5.10.1", "coresboot", "5.10.0, 3"] {
        let missed = judge(&format!("{{\"pattern\": {near:?}}}"));
        assert!(
            missed.len() == 1 && !missed[0].passed && missed[0].sentence.contains("none had"),
            "{near}: {missed:?}"
        );
    }
    assert!(judge(r#"{"pattern": "LOGIN:", "ignore_case": true}"#)[0].passed);
    let tuner = judge(r#"{"pattern": "^boot: tuner (\\d+) (?P<state>\\w+)$", "regex": true}"#);
    let labels: Vec<&str> = tuner[0].overlay.iter().map(|shape| shape.label.as_str()).collect();
    assert_eq!((labels, value(&tuner[0], "group_1")), (vec!["boot: tuner 0 ready", "0", "ready"], 0.0));
    let text = judge(r#"{"pattern": "tuner (\\d+)"}"#);
    assert!(!text[0].passed, "an expression is text unless it is said to be one: {text:?}");
}

#[test]
fn so_many_lines_or_none() {
    let lab = Lab::own(PATTERN);
    let judge = |parameters: &str| read(&lab, PATTERN, parameters, &BOOT).unwrap();
    let two = judge(r#"{"pattern": "boot:", "count": 2}"#);
    assert_eq!(two.iter().map(|seen| seen.passed).collect::<Vec<_>>(), [false, true], "{two:?}");
    let three = judge(r#"{"pattern": "boot:", "count": 3}"#);
    let end = three.last().unwrap();
    assert!(!end.passed && end.sentence == "4 lines came, and 2 had \"boot:\"; 3 are asked for", "{three:?}");
    assert!(end.at_us == 4_000_000 && (end.score - 2.0 / 3.0).abs() < 1e-9, "{end:?}");
    let calm = judge(r#"{"pattern": "panic", "absent": true}"#);
    assert!(calm.len() == 1 && calm[0].passed, "{calm:?}");
    let alarm = judge(r#"{"pattern": "tuner", "absent": true}"#);
    assert!(alarm.len() == 1 && !alarm[0].passed && alarm[0].at_us == 2_000_000, "{alarm:?}");
    let nothing = read(&lab, PATTERN, r#"{"pattern": "x"}"#, &[]).unwrap();
    assert!(nothing[0].sentence.starts_with("no line came at all"), "{nothing:?}");
}

#[test]
fn what_is_lost_is_told_and_what_is_long_is_cut() {
    let lab = Lab::own(PATTERN);
    let name = PolicyName::new(PATTERN).unwrap();
    let mut absent = lab.host.instance(&name, &[], r#"{"pattern": "x", "absent": true}"#).unwrap();
    for news in News::of([], 3, 1_000_000) {
        assert_eq!(absent.read(&news), Ok(None));
    }
    let end = absent.finish().unwrap().unwrap();
    assert!(!end.passed && end.sentence.contains("3 were lost") && value(&end, "lost") > 2.0, "{end:?}");
    let long = format!("{}end", "ü".repeat(5_000));
    let cut = read(&lab, PATTERN, r#"{"pattern": "end"}"#, &[&long, "the end"]).unwrap();
    assert!(cut.len() == 1 && cut[0].at_us == 2_000_000, "past 4 KiB there is nothing: {cut:?}");
    let many = (0..1_000).map(|n| Line { at_us: n, text: format!("line {n}") });
    let mut counting = lab.host.instance(&name, &[], r#"{"pattern": "line", "count": 1000}"#).unwrap();
    let said: Vec<_> = News::of(many, 0, 1_000).iter().filter_map(|news| counting.read(news).unwrap()).collect();
    assert!(said.len() == 4 && said[3].passed && value(&said[3], "matches") > 999.0, "{said:?}");
}

#[test]
fn a_pattern_that_makes_no_sense_is_declined() {
    let lab = Lab::own(PATTERN);
    for (parameters, words) in [
        (r#"{"pattern": "(", "regex": true}"#, "no regular expression"),
        (r#"{"pattern": "a{1000}{1000}", "regex": true}"#, "no regular expression"),
        (r#"{"pattern": ""}"#, "/pattern"),
        ("{}", "pattern"),
    ] {
        let declined = read(&lab, PATTERN, parameters, &BOOT).unwrap_err();
        let named = matches!(declined, AnalyserFault::Declined { .. }) && declined.to_string().contains(words);
        assert!(named, "{parameters}: {declined}");
    }
}

#[test]
fn a_script_reads_too() {
    let lab = Lab::new();
    let source = r#"
        fn build(setup) { this.seen = 0; }
        fn read(news) {
            for line in news.lines {
                let parts = line.text.split(" ");
                if line.text.starts_with("zap") { this.seen += parts[1].parse_int(); }
            }
            if news.lines.len == 0 { return (); }
            #{ passed: this.seen > 4, sentence: `${news.lost} lost up to ${news.now}`, values: #{ seen: this.seen } }
        }
    "#;
    lab.rhai("zaps", source, "senses = [\"serial\"]").unwrap();
    let said = read(&lab, "zaps", "", &["zap 2 One", "key Ok", "zap 3 Two"]).unwrap();
    assert_eq!(
        said.iter().map(|said| (said.passed, said.at_us)).collect::<Vec<_>>(),
        [(false, 1_000_000), (false, 2_000_000), (true, 3_000_000)]
    );
    assert_eq!(said[2].sentence, "0 lost up to 3000000");
    // Frames are not what it asked for, and do it no harm.
    let frames = headend_plugin_host::analyser::drawn::stream([headend_plugin_host::analyser::drawn::card(64, 36, 0)]);
    assert!(lab.verdicts("zaps", "", &[], &frames).unwrap().is_empty());
}

#[test]
fn who_asks_for_lines_must_be_able_to_read_them() {
    let lab = Lab::new();
    let black = std::fs::read(workspace().join("tests/guests/released/black-1.0.0/black.wasm")).unwrap();
    let folder = lab.write("black", "black.wasm", &black, "senses = [\"serial\"]");
    let error: LoadError = lab.host.load(&folder).unwrap_err();
    assert!(error.step() == Step::Link && error.to_string().contains("headend:analyser/serial"), "{error}");
}

#![allow(clippy::unwrap_used, reason = "tests")]

use headend_model::TestResult;

use super::*;

fn done(result: TestResult) -> Outcome {
    Outcome::Done { result, comment: String::new() }
}

fn path(text: &str) -> TreePath {
    TreePath::parse(text).unwrap()
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::EPOCH + Span::seconds(seconds)
}

fn note(history: &mut History, script: &str, dut: u64, outcome: &Outcome, end: i64, took_ms: i64) {
    let path = path(script);
    let name = ScriptName { owner: None, path: &path };
    history.note(name, std::iter::once(DutId(dut)), outcome, at(end), Span::millis(took_ms));
}

fn of(history: &History, script: &str) -> Option<ScriptHistory> {
    history.script(ScriptName { owner: None, path: &path(script) })
}

#[test]
fn counts_and_quantiles_are_those_of_runs_that_say_something() {
    let mut history = History::default();
    for took in 1..=40 {
        note(&mut history, "a.py", took, &done(TestResult::Pass), took as i64, took as i64 * 100);
    }
    note(&mut history, "a.py", 1, &done(TestResult::Fail), 41, 50);
    note(&mut history, "a.py", 2, &Outcome::Incomplete(Incomplete::Crashed("trap".into())), 42, 60);
    note(&mut history, "a.py", 3, &Outcome::Killed, 43, 1);
    note(&mut history, "a.py", 3, &Outcome::Incomplete(Incomplete::RackLost), 44, 1);
    let told = of(&history, "a.py").unwrap();
    assert_eq!((told.runs, told.passed, told.last_code, told.failures_in_a_row), (42, 40, 1, 2));
    // The last 32: 50, 60 and 1,100 to 4,000.
    assert_eq!((told.p50, told.p90), (Span::millis(2_400), Span::millis(3_700)));
    let last = |dut: u64| {
        let path = path("a.py");
        let mut all = history.outcomes(ScriptName { owner: None, path: &path });
        all.find(|(on, _)| *on == DutId(dut)).map(|(_, last)| (last.code, last.at))
    };
    assert_eq!((last(1), last(2), last(3)), (Some((100, at(41))), Some((1, at(42))), Some((111, at(3)))));
}

#[test]
fn areas_are_kept_apart() {
    let (mut history, anna, file) = (History::default(), UserName::new("anna").unwrap(), path("a.py"));
    let private = ScriptName { owner: Some(&anna), path: &file };
    history.note(private, std::iter::empty(), &done(TestResult::Pass), at(1), Span::seconds(1));
    assert_eq!(of(&history, "a.py"), None);
    assert_eq!(history.script(private).map(|told| told.runs), Some(1));
}

#[test]
fn the_script_that_ran_longest_ago_is_forgotten_first() {
    let mut history = History::default();
    for script in 0..MOST_SCRIPTS {
        note(&mut history, &format!("{script}.py"), 1, &done(TestResult::Pass), script as i64, 1);
    }
    note(&mut history, "0.py", 1, &done(TestResult::Pass), 5_000, 1);
    note(&mut history, "new.py", 1, &done(TestResult::Pass), 5_001, 1);
    assert_eq!((of(&history, "1.py"), of(&history, "0.py").map(|told| told.runs)), (None, Some(2)));
    assert!(of(&history, "new.py").is_some() && of(&history, "2.py").is_some());
}

#[test]
fn pairs_are_bounded_for_each_script_and_over_all() {
    let mut history = History::default();
    for script in 0..=(MOST_PAIRS / MOST_DUTS) {
        for dut in 0..=MOST_DUTS {
            note(&mut history, &format!("{script}.py"), dut as u64, &done(TestResult::Pass), dut as i64, 1);
        }
    }
    let duts = |script: &str| history.outcomes(ScriptName { owner: None, path: &path(script) }).count();
    assert_eq!((duts("0.py"), duts("1.py")), (0, MOST_DUTS), "the first script went with its pairs");
    let path = path("1.py");
    let mut kept = history.outcomes(ScriptName { owner: None, path: &path });
    assert_eq!(kept.next().map(|(dut, _)| dut), Some(DutId(1)), "the oldest outcome went");
}

#[cfg(feature = "serde")]
#[test]
fn a_snapshot_keeps_what_is_remembered_and_in_which_order_it_is_forgotten() {
    let mut history = History::default();
    for script in 0..MOST_SCRIPTS {
        note(&mut history, &format!("{script}.py"), 7, &done(TestResult::Fail), script as i64, 30);
    }
    note(&mut history, "0.py", 8, &done(TestResult::Pass), 9_000, 40);
    let text = serde_json::to_string(&history).unwrap();
    let mut read: History = serde_json::from_str(&text).unwrap();
    assert_eq!(serde_json::to_string(&read).unwrap(), text);
    for history in [&mut history, &mut read] {
        note(history, "new.py", 7, &done(TestResult::Pass), 9_001, 50);
    }
    assert_eq!(serde_json::to_string(&read).unwrap(), serde_json::to_string(&history).unwrap());
    assert_eq!(of(&read, "1.py"), None);
}

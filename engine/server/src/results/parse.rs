//! From a run's events (`log.jsonl`, one JSON object a line) to its steps and measurements. Nothing here reads a file or a clock.
//!
//! A script can write nearly anything: names are cut, numbers are bounded, what is no event is passed over, and what is over a
//! bound is counted.

use std::collections::BTreeMap;

use headend_model::{TestResult, Timestamp};
use headend_store::{MeasurementRow, RunNumbers, StepRow, result_word};
use serde_json::Value;

/// Most steps of a run that are stored.
pub(crate) const MOST_STEPS: usize = 10_000;
/// Most measurements of a run that are stored.
pub(crate) const MOST_MEASUREMENTS: usize = 10_000;
/// Longest line that is looked at, in bytes.
pub(crate) const LONGEST_LINE: usize = 256 << 10;
/// Most analysers, and names that scripts give to files, that are remembered.
const MOST_NAMES: usize = 1_000;
/// Longest names and units, in characters.
const LONGEST_NAME: usize = 200;
/// Longest comments, in characters.
const LONGEST_TEXT: usize = 2_000;
/// Longest paths of steps, in characters: each step has its own, so steps in steps without end would multiply.
const LONGEST_PATH: usize = 400;

/// What a run's events tell.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Parsed {
    /// Steps and measurements.
    pub(crate) numbers: RunNumbers,
    /// Versions of analysers.
    pub(crate) plugins: BTreeMap<String, String>,
    /// What the script calls its files, by path.
    pub(crate) names: BTreeMap<String, String>,
    /// Steps over the bound.
    pub(crate) steps_left_out: u64,
    /// Measurements over the bound.
    pub(crate) measurements_left_out: u64,
    /// Bytes of events that the rack did not write.
    pub(crate) log_bytes_left_out: u64,
}

/// Takes lines one after the other.
#[derive(Debug, Default)]
pub(crate) struct Parser {
    found: Parsed,
    /// Steps under way, the innermost last: name, and place among the steps unless it is left out.
    open: Vec<(String, Option<usize>)>,
}

impl Parser {
    /// The next line. What is no event of ours is passed over.
    pub(crate) fn line(&mut self, line: &[u8]) {
        let Ok(event) = serde_json::from_slice::<Value>(line) else { return };
        match event["kind"].as_str() {
            Some("step") => self.step(&event),
            Some("step_end") => self.step_end(&event),
            Some("measure") => self.measure(&event),
            Some("artifact") => self.artifact(&event),
            Some("analyser") => self.analyser(&event),
            Some("dropped") if event["file"] == "log.jsonl" => {
                self.found.log_bytes_left_out = event["bytes"].as_u64().unwrap_or_default();
            }
            _ => {}
        }
    }

    /// What they told. Steps that are still open stay so.
    pub(crate) fn finish(self) -> Parsed {
        self.found
    }

    fn step(&mut self, event: &Value) {
        let name = text(&event["name"], LONGEST_NAME);
        let place = self.add_step(name.clone(), time(event));
        // A script can open steps without end; those are counted, and closed in vain.
        if self.open.len() < MOST_STEPS {
            self.open.push((name, place));
        }
    }

    fn add_step(&mut self, name: String, began: Option<Timestamp>) -> Option<usize> {
        let steps = &mut self.found.numbers.steps;
        if steps.len() >= MOST_STEPS {
            self.found.steps_left_out += 1;
            return None;
        }
        let parent = self.open.iter().rev().find_map(|(_, place)| *place).and_then(|place| steps.get(place));
        let written = name.replace('/', "\\/");
        let path = parent.map_or_else(|| written.clone(), |parent| format!("{}/{written}", parent.path));
        let row = StepRow {
            no: steps.len() as u32 + 1,
            parent: parent.map(|parent| parent.no),
            depth: parent.map_or(0, |parent| parent.depth + 1),
            path: cut(&path, LONGEST_PATH),
            name,
            outcome: "open".to_owned(),
            code: None,
            began,
            ended: None,
            comment: String::new(),
        };
        steps.push(row);
        Some(steps.len() - 1)
    }

    /// Ends the innermost open step of that name, as the session does. Steps inside it stay open.
    fn step_end(&mut self, event: &Value) {
        let name = text(&event["name"], LONGEST_NAME);
        let Some(at) = self.open.iter().rposition(|(open, _)| *open == name) else { return };
        let (_, place) = self.open.remove(at);
        let Some(step) = place.and_then(|place| self.found.numbers.steps.get_mut(place)) else { return };
        step.code = event["result"].as_i64();
        let word = step.code.and_then(TestResult::from_code).map_or("other", result_word);
        word.clone_into(&mut step.outcome);
        step.ended = time(event);
        step.comment = text(&event["comment"], LONGEST_TEXT);
    }

    fn measure(&mut self, event: &Value) {
        let Some(value) = event["value"].as_f64().filter(|value| value.is_finite()) else { return };
        if self.found.numbers.measurements.len() >= MOST_MEASUREMENTS {
            self.found.measurements_left_out += 1;
            return;
        }
        let step = self.open.iter().rev().find_map(|(_, place)| *place);
        let step = step.and_then(|place| self.found.numbers.steps.get(place));
        let row = MeasurementRow {
            no: self.found.numbers.measurements.len() as u32 + 1,
            step: step.map(|step| step.no),
            path: step.map_or_else(String::new, |step| step.path.clone()),
            name: text(&event["name"], LONGEST_NAME),
            value,
            unit: text(&event["unit"], LONGEST_NAME),
            low: limit(&event["low"]),
            high: limit(&event["high"]),
            at: time(event),
        };
        self.found.numbers.measurements.push(row);
    }

    fn artifact(&mut self, event: &Value) {
        let (path, name) = (text(&event["path"], LONGEST_TEXT), text(&event["name"], LONGEST_NAME));
        if !name.is_empty() && self.found.names.len() < MOST_NAMES {
            self.found.names.insert(path, name);
        }
    }

    fn analyser(&mut self, event: &Value) {
        if self.found.plugins.len() < MOST_NAMES {
            let (name, version) = (text(&event["name"], LONGEST_NAME), text(&event["version"], LONGEST_NAME));
            self.found.plugins.insert(name, version);
        }
    }
}

fn limit(value: &Value) -> Option<f64> {
    value.as_f64().filter(|value| value.is_finite())
}

fn time(event: &Value) -> Option<Timestamp> {
    event["at"].as_i64().map(Timestamp::from_micros)
}

fn text(value: &Value, most: usize) -> String {
    value.as_str().map(|text| cut(text, most)).unwrap_or_default()
}

/// At most so many characters; the last one then says that there were more.
pub(crate) fn cut(text: &str, most: usize) -> String {
    // NUL ends a text for many a reader of a database.
    let clean = |text: &str| text.replace('\0', "\u{fffd}");
    match text.char_indices().nth(most) {
        None => clean(text),
        Some(_) => clean(&text.chars().take(most - 1).collect::<String>()) + "…",
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parsed<'a>(lines: impl IntoIterator<Item = &'a str>) -> Parsed {
        let mut parser = Parser::default();
        lines.into_iter().for_each(|line| parser.line(line.as_bytes()));
        parser.finish()
    }

    #[test]
    fn steps_are_nested_and_measurements_belong_to_the_innermost() {
        let found = parsed([
            r#"{"at":1,"kind":"step","name":"zap"}"#,
            r#"{"at":2,"kind":"step","name":"a/b"}"#,
            r#"{"at":3,"kind":"measure","name":"time","value":1.5,"unit":"s","high":2}"#,
            r#"{"at":4,"kind":"step_end","name":"a/b","result":100,"comment":"slow","ok":true}"#,
            r#"{"at":5,"kind":"measure","name":"level","value":-20,"unit":null}"#,
            r#"{"at":6,"kind":"step_end","name":"zap","result":111,"comment":null,"ok":true}"#,
            r#"{"at":7,"kind":"step","name":"last"}"#,
            r#"{"at":8,"kind":"step_end","name":"nobody's","result":111,"ok":false}"#,
            r#"{"at":9,"kind":"step_open_at_end","name":"last"}"#,
        ]);
        let steps: Vec<_> = found.numbers.steps.iter().map(|step| (&*step.path, &*step.outcome, step.parent)).collect();
        assert_eq!(steps, [("zap", "pass", None), ("zap/a\\/b", "fail", Some(1)), ("last", "open", None)]);
        assert_eq!(found.numbers.steps[1].comment, "slow");
        assert_eq!(found.numbers.steps[1].ended, Some(Timestamp::from_micros(4)));
        assert_eq!(found.numbers.steps[2].ended, None);
        let taken: Vec<_> = found.numbers.measurements.iter().map(|one| (&*one.path, one.value, one.high)).collect();
        assert_eq!(taken, [("zap/a\\/b", 1.5, Some(2.0)), ("zap", -20.0, None)]);
    }

    /// Scripts do end an outer step first.
    #[test]
    fn an_outer_step_may_end_before_an_inner_one() {
        let found = parsed([
            r#"{"kind":"step","name":"outer"}"#,
            r#"{"kind":"step","name":"inner"}"#,
            r#"{"kind":"step_end","name":"outer","result":111}"#,
            r#"{"kind":"step","name":"next"}"#,
            r#"{"kind":"step_end","name":"inner","result":5}"#,
        ]);
        let steps: Vec<_> = found.numbers.steps.iter().map(|step| (&*step.path, &*step.outcome)).collect();
        assert_eq!(steps, [("outer", "pass"), ("outer/inner", "other"), ("outer/inner/next", "open")]);
    }

    #[test]
    fn what_is_over_a_bound_is_counted() {
        let lines = std::iter::repeat_n(r#"{"kind":"step","name":"x"}"#, MOST_STEPS + 7)
            .chain(std::iter::repeat_n(r#"{"kind":"measure","name":"m","value":1}"#, MOST_MEASUREMENTS + 3))
            .chain([r#"{"kind":"dropped","file":"log.jsonl","bytes":42,"limit":1}"#]);
        let found = parsed(lines);
        assert_eq!((found.numbers.steps.len(), found.steps_left_out), (MOST_STEPS, 7));
        assert_eq!((found.numbers.measurements.len(), found.measurements_left_out), (MOST_MEASUREMENTS, 3));
        assert_eq!(found.log_bytes_left_out, 42);
        // However deep the nesting: a path has a bound.
        assert!(found.numbers.steps.iter().all(|step| step.path.chars().count() <= LONGEST_PATH));
    }

    #[test]
    fn long_and_odd_texts_are_cut() {
        assert_eq!(cut("äöü", 3), "äöü");
        assert_eq!(cut("äöüß", 3), "äö…");
        assert_eq!(cut("a\0b", 5), "a\u{fffd}b");
    }

    proptest! {
        #[test]
        fn nothing_that_a_script_writes_breaks_it(
            lines in proptest::collection::vec(
                prop_oneof![
                    ".*",
                    Just(r#"{"kind":"step","name":"a"}"#.to_owned()),
                    Just(r#"{"kind":"step_end","name":"a","result":"x"}"#.to_owned()),
                    Just(r#"{"kind":"step_end","result":111}"#.to_owned()),
                    Just(r#"{"kind":"measure","value":1e999}"#.to_owned()),
                    Just(r#"{"kind":"measure","name":{},"value":3}"#.to_owned()),
                ],
                0..40,
            )
        ) {
            let found = parsed(lines.iter().map(String::as_str));
            for (step, no) in found.numbers.steps.iter().zip(1..) {
                prop_assert_eq!(step.no, no);
                prop_assert!(step.parent.is_none_or(|parent| parent < no));
            }
            prop_assert!(found.numbers.measurements.iter().all(|one| one.value.is_finite()));
        }
    }
}

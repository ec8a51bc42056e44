//! The contract tests of analysers.

use std::time::Instant;

use headend_plugin_host::analyser::drawn::{STEP_US, card, noise, plain};
use headend_plugin_host::analyser::media::{Colour, Picture};
use headend_plugin_host::analyser::serial::{Line, MAX_LINE, News};
use headend_plugin_host::analyser::{Frame, Reference, Verdict};
use headend_plugin_host::lifecycle::{Grant, Tried, Upload};
use headend_plugin_host::policy::PluginInfo;
use headend_plugin_host::{AnalyserFault, AnalyserHost, AnalyserHostConfig, Capability, GuestProgram, Kind};
use serde_json::{Value, json};

use super::cover::{TRIES, millis};
use super::passport::{Fault, Passport, Test};
use crate::failure::{Failure, Result};

const ANSWERS: &str = "answers";
const REPEATABLE: &str = "repeatable";
const SIZES: &str = "sizes";
const EMPTY: &str = "empty";
const LINES: &str = "lines";
const SETTINGS: &str = "settings";
const LOAD: &str = "load";

/// Of frames that are small, thin, odd, and as large as they come.
const SHAPES: &[(u32, u32)] =
    &[(1, 1), (2, 1), (1, 720), (1280, 1), (3, 5), (17, 31), (4096, 2), (320, 180), (1280, 720)];
/// Lines at once.
const MANY: i64 = 600;
/// Frames of the load test.
const FRAMES: u32 = 25;

/// Takes the steps of loading, then the tests. `None`: it is no analyser.
pub(super) fn passport(
    guest: GuestProgram,
    cache: &std::path::Path,
    upload: Upload,
    set: Option<&Value>,
) -> Result<Option<Passport>> {
    let fault =
        |error| Failure::new(crate::exit::Exit::Fault, "plugins", "the plugin host cannot start").because(error);
    let mut config = AnalyserHostConfig::new(guest, cache);
    // What it asks for stands in its passport; whether it gets that is for the server that it goes to.
    config.grants.0.extend(Capability::ALL.iter().map(|capability| Grant { plugin: None, capability: *capability }));
    let host = AnalyserHost::new(config).map_err(fault)?;
    let set = set.cloned().unwrap_or(Value::Null);
    let tried = host.try_out(upload.clone(), set.clone());
    if tried.info.as_ref().is_none_or(|info| info.kind != Kind::Analyser) {
        return Ok(None);
    }
    let passport = Passport::new(&tried);
    let Tried { info: Some(info), error: None } = tried else { return Ok(Some(passport)) };
    host.install(upload, set).map_err(|error| {
        Failure::new(crate::exit::Exit::Fault, "bad_plugin", "it loads only sometimes").because(error)
    })?;
    Ok(Some(passport.with(tests(&host, &info))))
}

/// An analyser with parameters that it takes.
struct Bench<'a> {
    host: &'a AnalyserHost,
    info: &'a PluginInfo,
    parameters: Value,
    references: Vec<Reference>,
}

type Verdicts = std::result::Result<Vec<Option<Verdict>>, AnalyserFault>;

fn tests(host: &AnalyserHost, info: &PluginInfo) -> Vec<Test> {
    let mut bench = Bench { host, info, parameters: example(&info.schema), references: Vec::new() };
    let frames = mixed();
    let mut first = bench.run(&frames);
    if matches!(first, Err(AnalyserFault::Declined { .. })) {
        bench.references = vec![Reference { name: "reference".into(), picture: noise(40, 24, 7), mask: None }];
        first = bench.run(&frames);
    }
    let figures = format!("{} frames", frames.len());
    let first = match first {
        Ok(first) => first,
        Err(AnalyserFault::Declined { what, .. }) => {
            return [ANSWERS, REPEATABLE, SIZES, EMPTY, SETTINGS, LOAD].map(|test| Test::not_tried(test, &what)).into();
        }
        Err(fault) => {
            return vec![Test::new(ANSWERS, figures, Some(bench.fault(&fault, &json!({ "frames": frames.len() }))))];
        }
    };
    let said = first.iter().flatten().count();
    let mut tests = vec![
        Test::new(ANSWERS, format!("{figures}, {said} verdicts"), Bench::lies(&first, &frames)),
        Test::new(REPEATABLE, figures, bench.again(&first, &frames)),
        Test::new(SIZES, format!("{} sizes from 1x1 to 4096x2 and 1280x720", SHAPES.len()), bench.sizes()),
        Test::new(EMPTY, "a stream without frames".into(), bench.empty()),
        bench.settings(),
        bench.load(),
    ];
    if info.senses.serial {
        tests.insert(4, Test::new(LINES, format!("{MANY} lines, and none, long ones, odd ones"), bench.lines()));
    }
    tests
}

/// What devices say: nothing, words, what is no text, more than fits into one call.
fn said_by_devices() -> Vec<News> {
    let line = |at_us: i64, text: String| Line { at_us, text };
    let odd = ["boot: ok", "", "login: ", "\u{1b}[31m\u{0}\u{7f}", "ä漢🎬", "{{(([[\\"];
    let odd = (0..).zip(odd).map(|(at, text)| line(at * STEP_US, text.to_owned()));
    let long = ["x".repeat(MAX_LINE), "ü".repeat(MAX_LINE)].map(|text| line(STEP_US * 10, text));
    let many = (0..MANY).map(|at| line(STEP_US * 11 + at, format!("line {at}")));
    [
        News::of([], 0, 0),
        News::of(odd, 0, STEP_US * 9),
        News::of(long, 7, STEP_US * 10),
        News::of(many, 0, STEP_US * 99),
    ]
    .concat()
}

/// Black, a card that moves, noise, and the reference on a card.
fn mixed() -> Vec<Frame> {
    let black = || plain(320, 180, Colour::default());
    let pictures = [
        black(),
        black(),
        card(320, 180, 0),
        card(320, 180, 1),
        card(320, 180, 1),
        noise(320, 180, 7),
        noise(40, 24, 7),
    ];
    stream(pictures)
}

fn stream(pictures: impl IntoIterator<Item = Picture>) -> Vec<Frame> {
    headend_plugin_host::analyser::drawn::stream(pictures)
}

impl Bench<'_> {
    fn with(&self, parameters: &Value, frames: &[Frame]) -> Verdicts {
        let mut instance = self.host.instance(&self.info.name, &self.references, &parameters.to_string())?;
        let mut said = frames.iter().map(|frame| instance.feed(frame)).collect::<std::result::Result<Vec<_>, _>>()?;
        said.push(instance.finish()?);
        Ok(said)
    }

    fn run(&self, frames: &[Frame]) -> Verdicts {
        patiently(|| self.with(&self.parameters, frames))
    }

    fn fault(&self, fault: &AnalyserFault, input: &Value) -> Fault {
        Fault { what: fault.to_string(), input: json!({ "parameters": self.parameters, "input": input }) }
    }

    /// A verdict is about a frame that was fed, and not about a later one.
    fn lies(said: &[Option<Verdict>], frames: &[Frame]) -> Option<Fault> {
        let mut all = said.iter().enumerate().filter_map(|(at, verdict)| Some((at, verdict.as_ref()?)));
        let wrong = |at: usize, verdict: &Verdict| {
            let known = frames.iter().take(at + 1).any(|frame| frame.number == verdict.frame);
            !known || verdict.sentence.is_empty()
        };
        let (at, verdict) = all.find(|(at, verdict)| wrong(*at, verdict))?;
        let what = format!("its verdict after frame {at} is about frame {}, or has no sentence", verdict.frame);
        Some(Fault { what, input: json!(verdict) })
    }

    fn again(&self, first: &[Option<Verdict>], frames: &[Frame]) -> Option<Fault> {
        let again = match self.run(frames) {
            Ok(again) => again,
            Err(fault) => return Some(self.fault(&fault, &json!({ "frames": frames.len() }))),
        };
        let at = first.iter().zip(&again).position(|(one, other)| one != other)?;
        let what = format!("after frame {at} another instance gave another verdict on the same stream");
        Some(Fault { what, input: json!([first[at], again[at]]) })
    }

    /// Each by itself, and all in one stream.
    fn sizes(&self) -> Option<Fault> {
        let mut streams = SHAPES.iter().map(|(width, height)| vec![(*width, *height); 2]).chain([SHAPES.to_vec()]);
        streams.find_map(|sizes| {
            let pictures = sizes.iter().enumerate().map(|(n, (width, height))| card(*width, *height, n as u32));
            let fault = self.run(&stream(pictures)).err()?;
            Some(self.fault(&fault, &json!({ "sizes": sizes })))
        })
    }

    fn read(&self) -> Verdicts {
        let mut instance = self.host.instance(&self.info.name, &self.references, &self.parameters.to_string())?;
        let news = said_by_devices();
        let mut said = news.iter().map(|news| instance.read(news)).collect::<std::result::Result<Vec<_>, _>>()?;
        said.push(instance.finish()?);
        Ok(said)
    }

    /// It copes with all of them, and says the same of them again.
    fn lines(&self) -> Option<Fault> {
        let input = json!({ "lines": MANY });
        let both = patiently(|| self.read()).and_then(|first| Ok((first, patiently(|| self.read())?)));
        match both {
            Ok((first, again)) => {
                let at = first.iter().zip(&again).position(|(one, other)| one != other)?;
                let what = "another instance gave another verdict on the same lines".to_owned();
                Some(Fault { what, input: json!([first[at], again[at]]) })
            }
            Err(fault) => Some(self.fault(&fault, &input)),
        }
    }

    fn empty(&self) -> Option<Fault> {
        self.run(&[]).err().map(|fault| self.fault(&fault, &json!({ "sizes": [] })))
    }

    /// The ends of what the schema allows. Declining is an answer.
    fn settings(&self) -> Test {
        let all = extremes(&self.info.schema, &self.parameters);
        let frames = stream([card(64, 36, 0), card(64, 36, 1), noise(1, 1, 1)]);
        let fault = all.iter().find_map(|parameters| {
            let tried = patiently(|| self.with(parameters, &frames));
            match tried {
                Ok(_) | Err(AnalyserFault::Declined { .. }) => None,
                Err(fault) => Some(Fault { what: fault.to_string(), input: json!({ "parameters": parameters }) }),
            }
        });
        Test::new(SETTINGS, format!("{} settings at the ends of its schema", all.len()), fault)
    }

    fn load(&self) -> Test {
        let limits = format!("limit {} ms", self.info.limits.deadline_ms);
        let mut held = String::new();
        for (width, height) in [(1280, 720), (1920, 1080)] {
            match patiently(|| self.slowest(width, height)) {
                Ok((mean, slowest)) => {
                    held = format!("{width}x{height}: {mean} a frame, {slowest} at worst ({limits})");
                }
                Err(fault) => {
                    let fault = self.fault(&fault, &json!({ "width": width, "height": height }));
                    return Test::new(LOAD, held, Some(fault));
                }
            }
        }
        Test::new(LOAD, held, None)
    }

    fn slowest(&self, width: u32, height: u32) -> std::result::Result<(String, String), AnalyserFault> {
        let pictures = [card(width, height, 0), card(width, height, 1), noise(width, height, 1)];
        let mut instance = self.host.instance(&self.info.name, &self.references, &self.parameters.to_string())?;
        let (begin, mut slowest) = (Instant::now(), std::time::Duration::ZERO);
        for number in 0..FRAMES {
            let picture = pictures[number as usize % pictures.len()].clone();
            let frame = Frame { number: number.into(), at_us: i64::from(number) * STEP_US, picture };
            let before = Instant::now();
            instance.feed(&frame)?;
            slowest = slowest.max(before.elapsed());
        }
        Ok((millis(begin.elapsed() / FRAMES), millis(slowest)))
    }
}

/// A busy machine may make a sound plugin miss its deadline.
fn patiently<T>(
    mut ask: impl FnMut() -> std::result::Result<T, AnalyserFault>,
) -> std::result::Result<T, AnalyserFault> {
    let mut result = ask();
    for _ in 1..TRIES {
        if !matches!(result, Err(AnalyserFault::Deadline { .. })) {
            break;
        }
        result = ask();
    }
    result
}

/// A value that the schema allows, as far as one can be made up: defaults, and the least of what is required.
fn example(schema: &Value) -> Value {
    let required = schema.get("required").and_then(Value::as_array).into_iter().flatten();
    let properties = schema.get("properties");
    let made = required.filter_map(Value::as_str).filter_map(|name| {
        let schema = properties?.get(name)?;
        Some((name.to_owned(), least(schema)))
    });
    Value::Object(made.collect())
}

fn least(schema: &Value) -> Value {
    let given = schema.get("default").or_else(|| schema.get("examples")?.get(0)).or_else(|| schema.get("enum")?.get(0));
    if let Some(given) = given {
        return given.clone();
    }
    match schema.get("type").and_then(Value::as_str) {
        Some("array") => {
            let count = schema.get("minItems").and_then(Value::as_u64).unwrap_or(0).min(64);
            let item = schema.get("items").map_or(Value::Null, least);
            Value::Array((0..count).map(|_| item.clone()).collect())
        }
        Some("integer" | "number") => schema.get("minimum").cloned().unwrap_or(json!(0)),
        Some("boolean") => json!(false),
        Some("object") => example(schema),
        _ => json!(""),
    }
}

/// One property at an end, the others as they are.
fn extremes(schema: &Value, usual: &Value) -> Vec<Value> {
    let properties = schema.get("properties").and_then(Value::as_object).into_iter().flatten();
    let ends = properties.flat_map(|(name, schema)| ends(schema).into_iter().map(move |end| (name, end)));
    let with = |(name, end): (&String, Value)| {
        let mut all = usual.clone();
        all[name] = end;
        all
    };
    ends.map(with).collect()
}

fn ends(schema: &Value) -> Vec<Value> {
    if let Some(words) = schema.get("enum").and_then(Value::as_array) {
        return words.clone();
    }
    let bounds = || ["minimum", "maximum"].iter().filter_map(|bound| schema.get(bound).cloned());
    match schema.get("type").and_then(Value::as_str) {
        Some("integer" | "number") => bounds().collect(),
        Some("boolean") => vec![json!(false), json!(true)],
        Some("string") => vec![json!(""), json!("\u{0}"), json!("ä".repeat(100))],
        Some("array") => {
            let count = |bound: &str| schema.get(bound).and_then(Value::as_u64);
            let item = schema.get("items").cloned().unwrap_or(Value::Null);
            let counts = [count("minItems").unwrap_or(0), count("maxItems").unwrap_or(8).min(64)];
            let inner = ends(&item);
            let of = |count: u64| inner.iter().map(move |end| Value::Array((0..count).map(|_| end.clone()).collect()));
            counts.into_iter().flat_map(of).collect()
        }
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn examples_and_ends_fit_their_schema() {
        let schema = json!({"type": "object", "required": ["value"], "properties": {
            "value": {"type": "array", "items": {"type": "integer", "minimum": 0, "maximum": 255}, "minItems": 3, "maxItems": 3},
            "level": {"type": "integer", "minimum": 1, "maximum": 9, "default": 5},
        }});
        let usual = example(&schema);
        assert_eq!(usual, json!({"value": [0, 0, 0]}));
        let all = extremes(&schema, &usual);
        for wanted in [
            json!({"value": [255, 255, 255]}),
            json!({"value": [0, 0, 0], "level": 1}),
            json!({"value": [0, 0, 0], "level": 9}),
        ] {
            assert!(all.contains(&wanted), "{wanted} in {all:?}");
        }
    }
}

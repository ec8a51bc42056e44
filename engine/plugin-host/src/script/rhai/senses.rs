//! What a script sees, hears and measures, under Rhai names.
//!
//! ```rhai
//! let seen = wait_for("colour", #{ value: [47, 106, 162], region: [100, 80, 300, 40] }, 10);
//! if !seen.met { throw seen.sentence; }
//! ```
//!
//! Parameters are the analyser's own, and two of the call's: `pictures`, a file or a map of names to files to compare with, and `gap`, seconds from
//! one look to the next. An answer is a map; where several slots are meant it is that of the first for which it is not so, and `slots` has all.

use std::sync::Arc;

use headend_wire::session::{
    Call, Captured, Frames, Question, ReferenceFile, SerialRead, Signal, SlotAnswer, Until, Watched,
};
use rhai::{Array, Dynamic, Engine, FLOAT, INT, Map};
use serde_json::Value;

use super::super::desk::{Desk, milliseconds, refused};
use super::calls::{Outcome, all, call, map, ok, slot_option, throw};

/// Registers the calls.
pub(super) fn register(engine: &mut Engine, desk: &Arc<Desk>) {
    register_watch(engine, desk);
    register_timers(engine, desk);
    register_serial(engine, desk);
    register_video(engine, desk);
    register_results(engine, desk);
}

fn register_watch(engine: &mut Engine, desk: &Arc<Desk>) {
    for (name, until) in [("wait_for", Until::Match), ("wait_while", Until::NoMatch), ("watch", Until::End)] {
        call!(engine, desk, name, |d, analyser: &str, seconds: Dynamic| -> Map {
            watch(d, until, (analyser, Map::new()), &seconds, None)
        });
        call!(engine, desk, name, |d, analyser: &str, parameters: Map, seconds: Dynamic| -> Map {
            watch(d, until, (analyser, parameters), &seconds, None)
        });
        call!(engine, desk, name, |d, analyser: &str, parameters: Map, seconds: Dynamic, slot: INT| -> Map {
            watch(d, until, (analyser, parameters), &seconds, Some(slot))
        });
    }
    call!(engine, desk, "look_for", |d, analyser: &str| -> Map { look(d, analyser, Map::new(), None) });
    call!(engine, desk, "look_for", |d, analyser: &str, parameters: Map| -> Map {
        look(d, analyser, parameters, None)
    });
    call!(engine, desk, "look_for", |d, analyser: &str, parameters: Map, slot: INT| -> Map {
        look(d, analyser, parameters, Some(slot))
    });
    call!(engine, desk, "look_at", |d, picture: &str, analyser: &str| -> Map {
        look_at(d, picture, analyser, Map::new())
    });
    call!(engine, desk, "look_at", |d, picture: &str, analyser: &str, parameters: Map| -> Map {
        look_at(d, picture, analyser, parameters)
    });
}

fn look(desk: &Desk, analyser: &str, parameters: Map, slot: Option<INT>) -> Outcome<Map> {
    watch(desk, Until::Match, (analyser, parameters), &Dynamic::from(0 as INT), slot)
}

fn watch(
    desk: &Desk,
    until: Until,
    (analyser, parameters): (&str, Map),
    time: &Dynamic,
    slot: Option<INT>,
) -> Outcome<Map> {
    let (question, gap_ms) = question(analyser, parameters)?;
    let timeout_ms = ok(milliseconds(seconds(time)?))?;
    let slot = slot_option(slot)?;
    let answers: Vec<_> = ok(desk.call(Call::Watch { question, until, timeout_ms, gap_ms, slot }))?;
    Ok(seen(&answers))
}

fn look_at(desk: &Desk, picture: &str, analyser: &str, parameters: Map) -> Outcome<Map> {
    let (question, _) = question(analyser, parameters)?;
    let watched: Watched = ok(desk.call(Call::Analyse { question, picture: picture.to_owned() }))?;
    Ok(one(&SlotAnswer { slot: 0, value: watched }))
}

/// The analyser's parameters, less those of the call: the pictures, and the gap in milliseconds.
fn question(analyser: &str, mut parameters: Map) -> Outcome<(Question, u64)> {
    let gap = parameters.remove("gap");
    let gap_ms = gap.map_or(Ok(0), |gap| ok(milliseconds(seconds(&gap)?)))?;
    let references = parameters.remove("pictures").map_or_else(|| Ok(Vec::new()), pictures)?;
    let parameters = serde_json::to_value(Dynamic::from(parameters)).map_err(|error| {
        throw(refused("bad_call", format!("the parameters for {analyser} cannot be written as JSON: {error}")))
    })?;
    let parameters = if parameters == Value::Object(serde_json::Map::new()) { Value::Null } else { parameters };
    Ok((Question { analyser: analyser.to_owned(), parameters, references }, gap_ms))
}

/// A file, or a map of names to files.
fn pictures(given: Dynamic) -> Outcome<Vec<ReferenceFile>> {
    let bad = || throw(refused("bad_call", "`pictures` is a file name, or a map of names to file names".to_owned()));
    if let Ok(file) = given.as_immutable_string_ref() {
        return Ok(vec![ReferenceFile { name: "picture".to_owned(), path: file.to_string() }]);
    }
    let files = given.try_cast::<Map>().ok_or_else(bad)?;
    let file = |(name, file): (rhai::Identifier, Dynamic)| {
        let path = file.into_string().map_err(|_| bad())?;
        Ok(ReferenceFile { name: name.to_string(), path })
    };
    files.into_iter().map(file).collect()
}

pub(super) fn seconds(time: &Dynamic) -> Outcome<FLOAT> {
    let whole = time.as_int().map(|whole| whole as FLOAT);
    whole
        .or_else(|_| time.as_float())
        .map_err(|other| throw(refused("bad_call", format!("seconds are a number, not a value of type {other}"))))
}

/// Of the first slot for which it is not so, else of the first.
fn seen(answers: &[SlotAnswer<Watched>]) -> Map {
    let chosen = answers.iter().find(|answer| !answer.value.met).or_else(|| answers.first());
    let mut seen = chosen.map(one).unwrap_or_default();
    let slots: Array = answers.iter().map(|answer| one(answer).into()).collect();
    seen.insert("slots".into(), slots.into());
    seen
}

pub(super) fn one(SlotAnswer { slot, value }: &SlotAnswer<Watched>) -> Map {
    let found = value.found.iter().map(|found| {
        let area: Array = found.area.iter().map(|&side| INT::from(side).into()).collect();
        let found =
            map([("area", area.into()), ("tone", found.tone.clone().into()), ("label", found.label.clone().into())]);
        Dynamic::from(found)
    });
    let values: Map = value.values.iter().map(|(name, &number)| (name.as_str().into(), number.into())).collect();
    map([
        ("slot", INT::from(*slot).into()),
        ("met", value.met.into()),
        ("passed", value.passed.into()),
        ("score", value.score.into()),
        ("sentence", value.sentence.clone().into()),
        ("values", values.into()),
        ("found", found.collect::<Array>().into()),
        ("at", value.at_us.into()),
        ("looks", INT::try_from(value.looks).unwrap_or(INT::MAX).into()),
        ("seconds", value.seconds.into()),
        ("picture", value.picture.clone().map_or(Dynamic::UNIT, Dynamic::from)),
    ])
}

fn register_timers(engine: &mut Engine, desk: &Arc<Desk>) {
    call!(engine, desk, "arm", |d, analyser: &str, parameters: Map, seconds: Dynamic| -> bool {
        arm(d, (analyser, parameters), None, &seconds, None)
    });
    call!(engine, desk, "arm", |d, analyser: &str, parameters: Map, seconds: Dynamic, key: &str| -> bool {
        arm(d, (analyser, parameters), Some(key), &seconds, None)
    });
    call!(engine, desk, "arm", |d, analyser: &str, parameters: Map, seconds: Dynamic, key: &str, slot: INT| -> bool {
        arm(d, (analyser, parameters), Some(key), &seconds, Some(slot))
    });
    call!(engine, desk, "armed", |d| -> Map { armed(d, None) });
    call!(engine, desk, "armed", |d, slot: INT| -> Map { armed(d, Some(slot)) });
    call!(engine, desk, "keep_frames", |d, most: INT| -> bool { keep_frames(d, most, None) });
    call!(engine, desk, "keep_frames", |d, most: INT, slot: INT| -> bool { keep_frames(d, most, Some(slot)) });
    call!(engine, desk, "kept_frames", |d| -> INT { kept_frames(d, None) });
    call!(engine, desk, "kept_frames", |d, slot: INT| -> INT { kept_frames(d, Some(slot)) });
    call!(engine, desk, "kept_frame", |d, index: INT| -> Dynamic { kept_frame(d, index, None) });
    call!(engine, desk, "kept_frame", |d, index: INT, slot: INT| -> Dynamic { kept_frame(d, index, Some(slot)) });
}

fn arm(
    desk: &Desk,
    (analyser, parameters): (&str, Map),
    key: Option<&str>,
    time: &Dynamic,
    slot: Option<INT>,
) -> Outcome<bool> {
    let (question, _) = question(analyser, parameters)?;
    let timeout_ms = ok(milliseconds(seconds(time)?))?;
    let (key, slot) = (key.map(str::to_owned), slot_option(slot)?);
    Ok(all(&ok(desk.call::<Vec<_>>(Call::Arm { question, key, presses: 1, timeout_ms, slot }))?))
}

fn armed(desk: &Desk, slot: Option<INT>) -> Outcome<Map> {
    let answers: Vec<_> = ok(desk.call(Call::Armed { slot: slot_option(slot)? }))?;
    Ok(seen(&answers))
}

/// Single pictures from the key on that a timer waits for; 0: none any more.
fn keep_frames(desk: &Desk, most: INT, slot: Option<INT>) -> Outcome<bool> {
    let (most, slot) = (number_of(most), slot_option(slot)?);
    Ok(all(&ok(desk.call::<Vec<_>>(Call::KeepFrames { most, first: 0, skip: 0, slot }))?))
}

/// How many there are at the first slot that is meant.
fn kept_frames(desk: &Desk, slot: Option<INT>) -> Outcome<INT> {
    let answers: Vec<SlotAnswer<Frames>> = ok(desk.call(Call::KeptFrames { slot: slot_option(slot)? }))?;
    Ok(answers.first().map_or(0, |answer| INT::from(answer.value.count)))
}

/// The file of one, of the first slot that is meant; `()`: there is none of that number.
fn kept_frame(desk: &Desk, index: INT, slot: Option<INT>) -> Outcome<Dynamic> {
    let (index, slot) = (number_of(index), slot_option(slot)?);
    let answers: Vec<SlotAnswer<Option<Captured>>> = ok(desk.call(Call::KeptFrame { index, slot }))?;
    let captured = answers.into_iter().next().and_then(|answer| answer.value);
    Ok(captured.map_or(Dynamic::UNIT, |captured| captured.path.into()))
}

fn number_of(number: INT) -> u32 {
    u32::try_from(number.max(0)).unwrap_or(u32::MAX)
}

fn register_serial(engine: &mut Engine, desk: &Arc<Desk>) {
    call!(engine, desk, "serial_send", |d, text: &str| -> bool { serial_send(d, text, None) });
    call!(engine, desk, "serial_send", |d, text: &str, slot: INT| -> bool { serial_send(d, text, Some(slot)) });
    call!(engine, desk, "serial_read", |d| -> Map { serial_read(d, 0, None) });
    call!(engine, desk, "serial_read", |d, from: INT| -> Map { serial_read(d, from, None) });
    call!(engine, desk, "serial_read", |d, from: INT, slot: INT| -> Map { serial_read(d, from, Some(slot)) });
}

/// Text goes out as UTF-8.
fn serial_send(desk: &Desk, text: &str, slot: Option<INT>) -> Outcome<bool> {
    let bytes = text.bytes().map(char::from).collect();
    Ok(all(&ok(desk.call::<Vec<_>>(Call::SerialSend { bytes, slot: slot_option(slot)? }))?))
}

/// Of the first slot that is meant: `lines` of `text` and `at`, `next`, `lost`.
fn serial_read(desk: &Desk, from: INT, slot: Option<INT>) -> Outcome<Map> {
    let from = u64::try_from(from).unwrap_or(0);
    let answers: Vec<SlotAnswer<SerialRead>> = ok(desk.call(Call::SerialRead { from, slot: slot_option(slot)? }))?;
    let read = answers.into_iter().next().map(|answer| answer.value).unwrap_or_default();
    let number = |number: u64| Dynamic::from(INT::try_from(number).unwrap_or(INT::MAX));
    let line = |line: headend_wire::session::SerialLine| {
        Dynamic::from(map([("at", number(line.at_us)), ("text", line.text.into())]))
    };
    let lines: Array = read.lines.into_iter().map(line).collect();
    Ok(map([("lines", lines.into()), ("next", number(read.next)), ("lost", number(read.lost))]))
}

fn register_video(engine: &mut Engine, desk: &Arc<Desk>) {
    call!(engine, desk, "video_start", |d| -> Array { video_start(d, None) });
    call!(engine, desk, "video_start", |d, prefix: &str| -> Array { video_start(d, Some(prefix)) });
    call!(engine, desk, "video_stop", |d| -> bool { Ok(all(&ok(d.call::<Vec<_>>(Call::VideoStop { slot: None }))?)) });
    call!(engine, desk, "signal", |d| -> Map { signal(d, None) });
    call!(engine, desk, "signal", |d, slot: INT| -> Map { signal(d, Some(slot)) });
    call!(engine, desk, "inject", |d, fault: &str| -> bool { inject(d, fault, None) });
    call!(engine, desk, "inject", |d, fault: &str, slot: INT| -> bool { inject(d, fault, Some(slot)) });
}

/// The files of those that are filmed from now on.
fn video_start(desk: &Desk, prefix: Option<&str>) -> Outcome<Array> {
    let call = Call::VideoStart { prefix: prefix.map(str::to_owned), slot: None };
    let films: Vec<SlotAnswer<Option<String>>> = ok(desk.call(call))?;
    Ok(films.into_iter().filter_map(|film| film.value).map(Dynamic::from).collect())
}

fn signal(desk: &Desk, slot: Option<INT>) -> Outcome<Map> {
    let answers: Vec<SlotAnswer<Signal>> = ok(desk.call(Call::Signal { slot: slot_option(slot)? }))?;
    let signal = answers.into_iter().next().map(|answer| answer.value).unwrap_or_default();
    Ok(map([
        ("present", signal.present.into()),
        ("width", INT::from(signal.width).into()),
        ("height", INT::from(signal.height).into()),
        ("rate", signal.rate.into()),
    ]))
}

fn inject(desk: &Desk, fault: &str, slot: Option<INT>) -> Outcome<bool> {
    Ok(all(&ok(desk.call::<Vec<_>>(Call::Inject { fault: fault.to_owned(), slot: slot_option(slot)? }))?))
}

fn register_results(engine: &mut Engine, desk: &Arc<Desk>) {
    call!(engine, desk, "measure", |d, name: &str, value: Dynamic| -> () {
        measure(d, name, &value, Details::default()).map(drop)
    });
    call!(engine, desk, "measure", |d, name: &str, value: Dynamic, unit: &str| -> () {
        measure(d, name, &value, Details { unit: Some(unit.to_owned()), ..Details::default() }).map(drop)
    });
    call!(engine, desk, "measure", |d, name: &str, value: Dynamic, details: Map| -> bool {
        measure(d, name, &value, Details::read(name, details)?)
    });
    call!(engine, desk, "artifact", |d, path: &str| -> () { artifact(d, path, None) });
    call!(engine, desk, "artifact", |d, path: &str, name: &str| -> () { artifact(d, path, Some(name)) });
}

/// What a script may say of a number: `#{ unit: "s", low: 0.5, high: 2 }`, each left out where there is none.
#[derive(Default)]
struct Details {
    unit: Option<String>,
    low: Option<FLOAT>,
    high: Option<FLOAT>,
}

impl Details {
    fn read(name: &str, given: Map) -> Outcome<Self> {
        let mut details = Self::default();
        for (key, value) in given {
            match key.as_str() {
                _ if value.is_unit() => {}
                "unit" => details.unit = Some(value.into_string().or_else(|_| bad(name, "its unit is no text"))?),
                "low" => details.low = Some(finite(name, &value)?),
                "high" => details.high = Some(finite(name, &value)?),
                _ => return bad(name, &format!("there is no `{key}`; known are unit, low, high")),
            }
        }
        Ok(details)
    }
}

fn bad<T>(name: &str, what: &str) -> Outcome<T> {
    Err(throw(refused("bad_call", format!("the measurement {name}: {what}"))))
}

/// JSON has no words for what is not finite: it would come out as null.
fn finite(name: &str, value: &Dynamic) -> Outcome<FLOAT> {
    let value = value.as_int().map(|whole| whole as FLOAT).or_else(|_| value.as_float()).ok();
    value.filter(|value| value.is_finite()).map_or_else(|| bad(name, "this is not a finite number"), Ok)
}

/// Whether it lies within its limits, if it has some.
fn measure(desk: &Desk, name: &str, value: &Dynamic, Details { unit, low, high }: Details) -> Outcome<bool> {
    let value = finite(name, value)?;
    let within: Option<bool> = ok(desk.call(Call::Measure { name: name.to_owned(), value, unit, low, high }))?;
    Ok(within.unwrap_or(true))
}

fn artifact(desk: &Desk, path: &str, name: Option<&str>) -> Outcome<()> {
    ok(desk.call(Call::Artifact { path: path.to_owned(), name: name.map(str::to_owned) }))
}

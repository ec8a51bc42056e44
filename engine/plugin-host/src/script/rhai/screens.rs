//! Screens and named resources, under Rhai names.
//!
//! ```rhai
//! let guide = wait_for_screen("screens/guide.stscreen", 10);
//! if !guide.met { throw `the guide did not come: ${guide.regions}`; }
//! ```
//!
//! A screen is a file's name or a map in the form of `.stscreen` files, as `screen` gives it and scripts may make it. The time is seconds, or a map of
//! `within` and `gap`, seconds from one look to the next. An answer is a map; where several slots are meant it is that of the first where the screen is
//! not, and `slots` has all.

use std::sync::Arc;

use headend_wire::session::{Call, RegionSeen, Resource, Screened, Screens, SlotAnswer};
use rhai::serde::to_dynamic;
use rhai::{Array, Dynamic, Engine, INT, Map};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::super::desk::{Desk, milliseconds, refused};
use super::calls::{Outcome, call, map, ok, slot_option, throw};
use super::senses::{one as verdict, seconds};

/// From one look to the next, where the script does not say: some regions take long to read.
const GAP_MS: u64 = 1_000;

/// Registers the calls.
pub(super) fn register(engine: &mut Engine, desk: &Arc<Desk>) {
    register_files(engine, desk);
    register_looks(engine, desk);
    register_named(engine, desk);
}

fn register_files(engine: &mut Engine, desk: &Arc<Desk>) {
    call!(engine, desk, "screens", |d, file: &str| -> Array {
        load(d, file)?.screens.iter().map(|screen| Ok(of_json(screen)?.into())).collect()
    });
    call!(engine, desk, "screen", |d, file: &str| -> Map { of_json(&the_screen(d, file, None)?) });
    call!(engine, desk, "screen", |d, file: &str, name: &str| -> Map { of_json(&the_screen(d, file, Some(name))?) });
    call!(engine, desk, "save_screen", |d, screen: Map, name: &str| -> String {
        ok(d.call(Call::SaveScreen { screen: json(screen)?, name: name.to_owned() }))
    });
}

fn load(desk: &Desk, file: &str) -> Outcome<Screens> {
    ok(desk.call(Call::Screens { file: file.to_owned() }))
}

/// The only one of a file, or the one of this name.
fn the_screen(desk: &Desk, file: &str, name: Option<&str>) -> Outcome<Value> {
    let mut screens = load(desk, file)?.screens;
    let found = match name {
        Some(name) => screens.iter().position(|screen| screen["Name"] == name),
        None => (screens.len() == 1).then_some(0),
    };
    let missing = || {
        let names: Vec<&str> = screens.iter().filter_map(|screen| screen["Name"].as_str()).collect();
        let which = name.map_or_else(|| "it has more than one".to_owned(), |name| format!("it has no {name:?}"));
        bad(format!("which screen of {file:?}? {which}; they are {}", names.join(", ")))
    };
    let place = found.ok_or_else(missing)?;
    Ok(screens.swap_remove(place))
}

fn register_looks(engine: &mut Engine, desk: &Arc<Desk>) {
    call!(engine, desk, "wait_for_screen", |d, file: &str, time: Dynamic| -> Map {
        wait(d, the_screen(d, file, None)?, &time, None)
    });
    call!(engine, desk, "wait_for_screen", |d, screen: Map, time: Dynamic| -> Map {
        wait(d, json(screen)?, &time, None)
    });
    call!(engine, desk, "wait_for_screen", |d, file: &str, time: Dynamic, slot: INT| -> Map {
        wait(d, the_screen(d, file, None)?, &time, Some(slot))
    });
    call!(engine, desk, "wait_for_screen", |d, screen: Map, time: Dynamic, slot: INT| -> Map {
        wait(d, json(screen)?, &time, Some(slot))
    });
    call!(engine, desk, "look_for_screen", |d, file: &str| -> Map { look(d, the_screen(d, file, None)?, None) });
    call!(engine, desk, "look_for_screen", |d, screen: Map| -> Map { look(d, json(screen)?, None) });
    call!(engine, desk, "look_for_screen", |d, file: &str, slot: INT| -> Map {
        look(d, the_screen(d, file, None)?, Some(slot))
    });
    call!(engine, desk, "look_for_screen", |d, screen: Map, slot: INT| -> Map { look(d, json(screen)?, Some(slot)) });
    call!(engine, desk, "look_at_screen", |d, picture: &str, file: &str| -> Map {
        look_at(d, picture, the_screen(d, file, None)?)
    });
    call!(engine, desk, "look_at_screen", |d, picture: &str, screen: Map| -> Map {
        look_at(d, picture, json(screen)?)
    });
}

fn look(desk: &Desk, screen: Value, slot: Option<INT>) -> Outcome<Map> {
    wait(desk, screen, &Dynamic::from(0 as INT), slot)
}

fn wait(desk: &Desk, screen: Value, time: &Dynamic, slot: Option<INT>) -> Outcome<Map> {
    let (timeout_ms, gap_ms) = times(time)?;
    let slot = slot_option(slot)?;
    let answers: Vec<_> = ok(desk.call(Call::WaitScreen { screen, timeout_ms, gap_ms, slot }))?;
    let chosen = answers.iter().find(|answer: &&SlotAnswer<Screened>| !answer.value.met).or_else(|| answers.first());
    let mut seen = chosen.map(screened).unwrap_or_default();
    let slots: Array = answers.iter().map(|answer| screened(answer).into()).collect();
    seen.insert("slots".into(), slots.into());
    Ok(seen)
}

/// How long, and from one look to the next, in milliseconds.
fn times(time: &Dynamic) -> Outcome<(u64, u64)> {
    let Some(times) = time.read_lock::<Map>() else { return Ok((ok(milliseconds(seconds(time)?))?, GAP_MS)) };
    if let Some(odd) = times.keys().find(|key| !matches!(key.as_str(), "within" | "gap")) {
        return Err(bad(format!("the time has no `{odd}`; it is #{{ within: seconds, gap: seconds }}")));
    }
    let of = |key: &str, none: u64| times.get(key).map_or(Ok(none), |time| ok(milliseconds(seconds(time)?)));
    Ok((of("within", 0)?, of("gap", GAP_MS)?))
}

fn look_at(desk: &Desk, picture: &str, screen: Value) -> Outcome<Map> {
    let seen = ok(desk.call(Call::MatchScreen { screen, picture: picture.to_owned() }))?;
    Ok(screened(&SlotAnswer { slot: 0, value: seen }))
}

fn screened(SlotAnswer { slot, value }: &SlotAnswer<Screened>) -> Map {
    let regions: Array = value.regions.iter().map(|seen| region(*slot, seen)).collect();
    map([
        ("slot", INT::from(*slot).into()),
        ("met", value.met.into()),
        ("name", value.name.clone().into()),
        ("regions", regions.into()),
        ("seconds", value.seconds.into()),
        ("looks", INT::try_from(value.looks).unwrap_or(INT::MAX).into()),
        ("picture", value.picture.clone().map_or(Dynamic::UNIT, Dynamic::from)),
    ])
}

/// The analyser's verdict, with what the region makes of it.
fn region(slot: u32, region: &RegionSeen) -> Dynamic {
    let mut seen = verdict(&SlotAnswer { slot, value: region.seen.clone() });
    seen.extend(map([
        ("name", region.name.clone().into()),
        ("kind", region.kind.clone().into()),
        ("met", region.met.into()),
        ("counts", region.counts.into()),
    ]));
    seen.into()
}

fn register_named(engine: &mut Engine, desk: &Arc<Desk>) {
    for (name, kind) in [("named_image", Resource::Image), ("named_string", Resource::String)] {
        call!(engine, desk, name, |d, path: &str| -> String { named(d, kind, path, None) });
        call!(engine, desk, name, |d, path: &str, slot: INT| -> String { named(d, kind, path, Some(slot)) });
    }
    call!(engine, desk, "named_region", |d, path: &str| -> Array { area(d, path, None) });
    call!(engine, desk, "named_region", |d, path: &str, slot: INT| -> Array { area(d, path, Some(slot)) });
    call!(engine, desk, "named_colour", |d, path: &str| -> Map { of_json(&named(d, Resource::Colour, path, None)?) });
    call!(engine, desk, "named_colour", |d, path: &str, slot: INT| -> Map {
        of_json(&named(d, Resource::Colour, path, Some(slot))?)
    });
}

fn named<T: DeserializeOwned>(desk: &Desk, kind: Resource, name: &str, slot: Option<INT>) -> Outcome<T> {
    let slot = slot_option(slot)?;
    ok(desk.call(Call::Named { kind, name: name.to_owned(), slot }))
}

fn area(desk: &Desk, name: &str, slot: Option<INT>) -> Outcome<Array> {
    let sides: [u32; 4] = named(desk, Resource::Region, name, slot)?;
    Ok(sides.map(|side| INT::from(side).into()).into())
}

fn json(screen: Map) -> Outcome<Value> {
    serde_json::to_value(Dynamic::from(screen))
        .map_err(|error| bad(format!("the screen cannot be written as JSON: {error}")))
}

fn of_json(value: &Value) -> Outcome<Map> {
    to_dynamic(value)?.try_cast().ok_or_else(|| bad(format!("the rack's answer is no object: {value}")))
}

#[allow(clippy::unnecessary_box_returns, reason = "Rhai's errors are boxed everywhere")]
fn bad(message: String) -> Box<rhai::EvalAltResult> {
    throw(refused("bad_call", message))
}

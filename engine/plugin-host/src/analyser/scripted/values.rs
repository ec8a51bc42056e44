//! Between what scripts write and what the host takes: rectangles, colours, verdicts.

use headend_media::{Cell, Colour, Comparison, Found, Rect, Statistics};
use rhai::{Array, Dynamic, FLOAT, INT, Map};

use super::super::ocr::{Layout, Reading, Word};
use super::super::{Shape, Tone, Value, Verdict};
use super::protocol::WireNews;

/// A number of pixels or the like: what is below 0 counts as 0, what is too large as the most.
fn whole(value: &Dynamic) -> Option<u32> {
    let value = value.as_int().ok()?;
    Some(u32::try_from(value.max(0)).unwrap_or(u32::MAX))
}

pub(super) fn number(value: &Dynamic) -> Option<f64> {
    value.as_float().ok().or_else(|| value.as_int().ok().map(|whole| whole as FLOAT))
}

fn four(value: &Dynamic, names: [&str; 4]) -> Option<[u32; 4]> {
    if let Some(map) = value.read_lock::<Map>() {
        let one = |name: &str| whole(map.get(name)?);
        return Some([one(names[0])?, one(names[1])?, one(names[2])?, one(names[3])?]);
    }
    let list = value.read_lock::<Array>()?;
    match list.as_slice() {
        [a, b, c, d] => Some([whole(a)?, whole(b)?, whole(c)?, whole(d)?]),
        _ => None,
    }
}

/// `[x, y, width, height]`, a map of these, or `()` for everything.
pub(super) fn rect(value: &Dynamic) -> Result<Rect, String> {
    if value.is_unit() {
        return Ok(Rect::of_size(u32::MAX, u32::MAX));
    }
    let found = four(value, ["x", "y", "width", "height"]);
    found
        .map(|[x, y, width, height]| Rect { x, y, width, height })
        .ok_or_else(|| format!("{value} is no part of a picture; write [x, y, width, height], or () for all of it"))
}

/// `[red, green, blue]`, or one number for all three.
pub(super) fn colour(value: &Dynamic) -> Result<Colour, String> {
    let byte = |value: &Dynamic| Some(whole(value)?.min(255) as u8);
    let found = match value.read_lock::<Array>() {
        Some(list) => match list.as_slice() {
            [red, green, blue] => byte(red).zip(byte(green)).zip(byte(blue)).map(|((r, g), b)| Colour::new(r, g, b)),
            _ => None,
        },
        None => byte(value).map(|all| Colour::new(all, all, all)),
    };
    found.ok_or_else(|| format!("{value} is no colour; write [red, green, blue], each 0 to 255"))
}

pub(super) fn int(value: impl Into<u64>) -> Dynamic {
    Dynamic::from_int(INT::try_from(value.into()).unwrap_or(INT::MAX))
}

pub(super) fn list(values: impl IntoIterator<Item = Dynamic>) -> Dynamic {
    Dynamic::from_array(values.into_iter().collect())
}

pub(super) fn rect_list(area: Rect) -> Dynamic {
    list([area.x, area.y, area.width, area.height].map(int))
}

pub(super) fn statistics_map(of: &Statistics) -> Map {
    let levels = |of: [f64; 3]| list(of.map(Dynamic::from_float));
    let bytes = |of: Colour| list(of.channels().map(int));
    Map::from([
        ("pixels".into(), int(of.pixels)),
        ("mean".into(), levels(of.mean)),
        ("deviation".into(), levels(of.deviation)),
        ("least".into(), bytes(of.least)),
        ("most".into(), bytes(of.most)),
    ])
}

pub(super) fn comparison_map(of: &Comparison) -> Map {
    Map::from([
        ("pixels".into(), int(of.pixels)),
        ("within".into(), int(of.within)),
        ("mean".into(), Dynamic::from_float(of.mean)),
        ("most".into(), int(of.most)),
        ("changed".into(), of.changed.map_or(Dynamic::UNIT, rect_list)),
    ])
}

pub(super) fn found_map(of: Option<Found>) -> Dynamic {
    of.map_or(Dynamic::UNIT, |Found { x, y, score }| {
        Dynamic::from_map(Map::from([
            ("x".into(), int(x)),
            ("y".into(), int(y)),
            ("score".into(), Dynamic::from_float(score)),
        ]))
    })
}

/// `[left, top, inside]`.
pub(super) fn cell_list(Cell { left, top, inside }: Cell) -> Dynamic {
    list([left, top, inside].map(int))
}

pub(super) fn word_map(word: Word) -> Dynamic {
    Dynamic::from_map(Map::from([
        ("text".into(), word.text.into()),
        ("area".into(), rect_list(word.area)),
        ("confidence".into(), Dynamic::from_float(word.confidence)),
        ("line".into(), int(word.line)),
    ]))
}

/// `#{lines: [#{at, text}, ..], lost, now}`.
pub(super) fn news_map(news: WireNews) -> Map {
    let line = |(at, text): (i64, String)| {
        Dynamic::from_map(Map::from([("at".into(), Dynamic::from_int(at)), ("text".into(), text.into())]))
    };
    Map::from([
        ("lines".into(), list(news.lines.into_iter().map(line))),
        ("lost".into(), int(news.lost)),
        ("now".into(), Dynamic::from_int(news.now)),
    ])
}

/// `#{languages: ["eng"], whitelist: "0123456789", layout: "line"}`; English, everything and `sparse` for what is left out.
pub(super) fn reading(how: &Map) -> Result<Reading, String> {
    if let Some(name) = how.keys().find(|name| !["languages", "whitelist", "layout"].contains(&name.as_str())) {
        return Err(format!("`{name}` says nothing about reading; known are languages, whitelist, layout"));
    }
    let text = |value: &Dynamic| value.clone().into_string().ok();
    let languages = match how.get("languages") {
        None => Some(vec!["eng".to_owned()]),
        Some(given) => given.read_lock::<Array>().and_then(|list| list.iter().map(text).collect()),
    };
    let whitelist = how.get("whitelist").map_or(Some(String::new()), text);
    let layout = match how.get("layout").map_or(Some("sparse".to_owned()), text).as_deref() {
        Some("page") => Ok(Layout::Page),
        Some("block") => Ok(Layout::Block),
        Some("line") => Ok(Layout::Line),
        Some("word") => Ok(Layout::Word),
        Some("sparse") => Ok(Layout::Sparse),
        _ => Err("a layout is \"page\", \"block\", \"line\", \"word\" or \"sparse\""),
    };
    Ok(Reading {
        languages: languages.ok_or("languages are an array of names such as \"eng\"")?,
        whitelist: whitelist.ok_or("a whitelist is a string")?,
        layout: layout?,
    })
}

/// `()`, or `#{passed: .., score: .., sentence: .., area: .., values: #{..}, overlay: [..]}`; frame and instant are those of the last frame unless it says so.
pub(super) fn verdict(answer: Dynamic, frame: u64, at: i64) -> Result<Option<Verdict>, String> {
    if answer.is_unit() {
        return Ok(None);
    }
    let map =
        answer.try_cast_result::<Map>().map_err(|other| format!("with {other}, which is neither () nor a map"))?;
    let known = ["passed", "score", "sentence", "area", "frame", "at", "values", "overlay"];
    if let Some(name) = map.keys().find(|name| !known.contains(&name.as_str())) {
        return Err(format!("with a verdict that has `{name}`; known are {}", known.join(", ")));
    }
    let get = |name: &str| map.get(name).filter(|value| !value.is_unit());
    let missing = |name: &str, what: &str| format!("with a verdict whose `{name}` is not {what}");
    let passed =
        get("passed").and_then(|value| value.as_bool().ok()).ok_or_else(|| missing("passed", "true or false"))?;
    let score = get("score").map_or(Some(if passed { 1.0 } else { 0.0 }), number);
    let sentence = get("sentence").and_then(|value| value.clone().into_string().ok());
    let frame = get("frame").map_or(Some(frame), |value| u64::try_from(value.as_int().ok()?).ok());
    Ok(Some(Verdict {
        passed,
        score: score.ok_or_else(|| missing("score", "a number"))?,
        area: get("area").map(rect).transpose()?,
        frame: frame.ok_or_else(|| missing("frame", "the number of a frame"))?,
        at_us: get("at").map_or(Some(at), |value| value.as_int().ok()).ok_or_else(|| missing("at", "an instant"))?,
        sentence: sentence.ok_or_else(|| missing("sentence", "a string"))?,
        values: get("values").map_or(Some(Vec::new()), values).ok_or_else(|| missing("values", "a map of numbers"))?,
        overlay: get("overlay").map_or(Ok(Vec::new()), overlay)?,
    }))
}

fn values(given: &Dynamic) -> Option<Vec<Value>> {
    let map = given.read_lock::<Map>()?;
    map.iter().map(|(name, value)| Some(Value { name: name.to_string(), number: number(value)? })).collect()
}

fn overlay(given: &Dynamic) -> Result<Vec<Shape>, String> {
    let wrong = || "with an overlay that is no array of #{area: [..], tone: \"good\", label: \"..\"}".to_owned();
    let list = given.read_lock::<Array>().ok_or_else(wrong)?;
    let shape = |shape: &Dynamic| {
        let map = shape.read_lock::<Map>().ok_or_else(wrong)?;
        let text = |name: &str| map.get(name).and_then(|value| value.clone().into_string().ok());
        let tone = match text("tone").as_deref() {
            None | Some("note") => Tone::Note,
            Some("good") => Tone::Good,
            Some("bad") => Tone::Bad,
            Some(_) => return Err(wrong()),
        };
        let area = rect(map.get("area").ok_or_else(wrong)?)?;
        Ok(Shape { area, tone, label: text("label").unwrap_or_default() })
    };
    list.iter().map(shape).collect()
}

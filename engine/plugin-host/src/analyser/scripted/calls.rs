//! What scripts may call: `sdk/wit/v1/analyser/analyser.wit` in Rhai's clothes.

use std::sync::Arc;

use headend_media::Span;
use rhai::{Dynamic, Engine, EvalAltResult, INT, Map};

use super::super::desk::Handle;
use super::guest::{Link, say};
use super::protocol::{Call, FromChild, Reply, WireFrame, WireSound};
use super::values::{
    cell_list, colour, comparison_map, found_map, int, list, number, reading, rect, statistics_map, word_map,
};
use crate::rhai_child::{engine, strings};

type Told<T> = Result<T, Box<EvalAltResult>>;

fn threw<T>(what: impl Into<String>) -> Told<T> {
    Err(what.into().into())
}

fn strange<T>() -> Told<T> {
    threw("the host answered another question")
}

/// Told to the host when the last copy goes.
#[derive(Debug)]
struct Kept {
    handle: Handle,
    link: Link,
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.link.gone(self.handle);
    }
}

impl Kept {
    fn ask(&self, call: Call) -> Told<Reply> {
        self.link.call(call).map_err(Into::into)
    }

    fn made(&self, call: Call) -> Told<Picture> {
        match self.ask(call)? {
            Reply::Handle(handle) => Ok(Picture::new(handle, &self.link)),
            _ => strange(),
        }
    }
}

/// A picture of the host's.
#[derive(Clone, Debug)]
pub(super) struct Picture(Arc<Kept>);

impl Picture {
    pub(super) fn new(handle: Handle, link: &Link) -> Self {
        Self(Arc::new(Kept { handle, link: link.clone() }))
    }

    fn size(&mut self) -> Told<(u32, u32, bool)> {
        match self.0.ask(Call::Size(self.0.handle))? {
            Reply::Size(width, height, grey) => Ok((width, height, grey)),
            _ => strange(),
        }
    }
}

/// Sums of the host's.
#[derive(Clone, Debug)]
struct Sums(Arc<Kept>);

/// A frame, lent for one call: later the host knows nothing of it.
#[derive(Clone, Debug)]
pub(super) struct Frame {
    frame: WireFrame,
    link: Link,
}

impl Frame {
    pub(super) fn new(frame: WireFrame, link: &Link) -> Self {
        Self { frame, link: link.clone() }
    }
}

/// A sound, lent for one call.
#[derive(Clone, Debug)]
pub(super) struct Sound {
    sound: WireSound,
    link: Link,
}

impl Sound {
    pub(super) fn new(sound: WireSound, link: &Link) -> Self {
        Self { sound, link: link.clone() }
    }
}

/// All of it.
pub(super) fn register(engine: &mut Engine, link: &Link) {
    engine.register_type_with_name::<Picture>("Picture").register_type_with_name::<Sums>("Sums");
    engine.register_type_with_name::<Frame>("Frame").register_type_with_name::<Sound>("Sound");
    frames(engine);
    making(engine, link);
    asking(engine);
    comparing(engine);
    sounds(engine);
    strings::register(engine);
    engine.register_fn("log", |text: &str| {
        // A host that is gone hears nothing.
        let _ = say(&FromChild::Log(text.to_owned()));
    });
}

fn frames(engine: &mut Engine) {
    engine.register_get("number", |of: &mut Frame| int(of.frame.number));
    engine.register_get("at", |of: &mut Frame| of.frame.at);
    engine.register_get("width", |of: &mut Frame| int(of.frame.width));
    engine.register_get("height", |of: &mut Frame| int(of.frame.height));
    engine.register_get("picture", |of: &mut Frame| -> Told<Picture> {
        match of.link.call(Call::FramePicture(of.frame.handle))? {
            Reply::Handle(handle) => Ok(Picture::new(handle, &of.link)),
            _ => strange(),
        }
    });
}

fn making(engine: &mut Engine, link: &Link) {
    engine.register_get("width", |of: &mut Picture| -> Told<Dynamic> { Ok(int(of.size()?.0)) });
    engine.register_get("height", |of: &mut Picture| -> Told<Dynamic> { Ok(int(of.size()?.1)) });
    engine.register_get("is_grey", |of: &mut Picture| -> Told<bool> { Ok(of.size()?.2) });
    engine.register_fn("crop", |of: &mut Picture, area: Dynamic| -> Told<Picture> {
        of.0.made(Call::Crop(of.0.handle, rect(&area)?))
    });
    engine.register_fn("grey", |of: &mut Picture| -> Told<Picture> { of.0.made(Call::Grey(of.0.handle)) });
    engine.register_fn("scale", |of: &mut Picture, width: INT, height: INT| -> Told<Picture> {
        of.0.made(Call::Scale(of.0.handle, pixels(width), pixels(height)))
    });
    engine.register_fn("difference", |of: &mut Picture, other: Picture| -> Told<Picture> {
        of.0.made(Call::Difference(of.0.handle, other.0.handle))
    });
    engine.register_fn("covered", |of: &mut Picture, parts: rhai::Array| -> Told<Picture> {
        let parts = parts.iter().map(rect).collect::<Result<_, _>>()?;
        of.0.made(Call::Covered(of.0.handle, parts))
    });
    let link = link.clone();
    engine.register_fn("plain_picture", move |width: INT, height: INT, value: INT| -> Told<Picture> {
        match link.call(Call::Plain(pixels(width), pixels(height), byte(value)))? {
            Reply::Handle(handle) => Ok(Picture::new(handle, &link)),
            _ => strange(),
        }
    });
}

fn asking(engine: &mut Engine) {
    engine.register_fn("read", |of: &mut Picture, area: Dynamic| -> Told<Dynamic> {
        match of.0.ask(Call::Read(of.0.handle, rect(&area)?))? {
            Reply::Bytes(bytes) => Ok(list(bytes.into_iter().map(int))),
            _ => strange(),
        }
    });
    engine.register_fn("statistics", |of: &mut Picture, area: Dynamic| -> Told<Map> {
        match of.0.ask(Call::Statistics(of.0.handle, rect(&area)?))? {
            Reply::Statistics(statistics) => Ok(statistics_map(&statistics)),
            _ => strange(),
        }
    });
    engine.register_fn("histogram", |of: &mut Picture, area: Dynamic| -> Told<Dynamic> {
        match of.0.ask(Call::Histogram(of.0.handle, rect(&area)?))? {
            Reply::Counts(counts) => Ok(list(counts.into_iter().map(int))),
            _ => strange(),
        }
    });
    engine.register_fn("near", |of: &mut Picture, area: Dynamic, to: Dynamic, tolerance: Dynamic| -> Told<Dynamic> {
        match of.0.ask(Call::Near(of.0.handle, rect(&area)?, colour(&to)?, colour(&tolerance)?))? {
            Reply::Count(count) => Ok(int(count)),
            _ => strange(),
        }
    });
    engine.register_fn("sharpness", |of: &mut Picture, area: Dynamic| -> Told<f64> {
        match of.0.ask(Call::Sharpness(of.0.handle, rect(&area)?))? {
            Reply::Share(sharpness) => Ok(sharpness),
            _ => strange(),
        }
    });
    engine.register_fn("grid", |of: &mut Picture, area: Dynamic, side: INT| -> Told<Dynamic> {
        match of.0.ask(Call::Grid(of.0.handle, rect(&area)?, pixels(side)))? {
            Reply::Cells(cells) => Ok(list(cells.into_iter().map(cell_list))),
            _ => strange(),
        }
    });
    engine.register_fn("read_text", |of: &mut Picture, area: Dynamic, how: Map| -> Told<Dynamic> {
        match of.0.ask(Call::ReadText(of.0.handle, rect(&area)?, reading(&how)?))? {
            Reply::Words(Ok(words)) => Ok(list(words.into_iter().map(word_map))),
            Reply::Words(Err(what)) => threw(what),
            _ => strange(),
        }
    });
    engine.register_fn("sums", |of: &mut Picture| -> Told<Sums> {
        match of.0.ask(Call::Sums(of.0.handle))? {
            Reply::Handle(handle) => Ok(Sums(Arc::new(Kept { handle, link: of.0.link.clone() }))),
            _ => strange(),
        }
    });
    engine.register_fn("sum", |of: &mut Sums, area: Dynamic| -> Told<Dynamic> { Ok(int(sum(of, &area)?.0)) });
    engine.register_fn("square_sum", |of: &mut Sums, area: Dynamic| -> Told<Dynamic> { Ok(int(sum(of, &area)?.1)) });
}

fn sum(of: &Sums, area: &Dynamic) -> Told<(u64, u64)> {
    match of.0.ask(Call::Sum(of.0.handle, rect(area)?))? {
        Reply::Sum(sum, squares) => Ok((sum, squares)),
        _ => strange(),
    }
}

fn comparing(engine: &mut Engine) {
    engine.register_fn("compare", |of: &mut Picture, other: Picture, tolerance: INT| {
        compare(of, &other, tolerance, None)
    });
    engine.register_fn("compare", |of: &mut Picture, other: Picture, tolerance: INT, mask: Picture| {
        compare(of, &other, tolerance, Some(&mask))
    });
    engine.register_fn("find", |of: &mut Picture, what: Picture, area: Dynamic, least: Dynamic| {
        find(of, &what, None, &area, &least)
    });
    engine.register_fn("find", |of: &mut Picture, what: Picture, mask: Picture, area: Dynamic, least: Dynamic| {
        find(of, &what, Some(&mask), &area, &least)
    });
}

fn compare(of: &Picture, other: &Picture, tolerance: INT, mask: Option<&Picture>) -> Told<Map> {
    let mask = mask.map(|mask| mask.0.handle);
    match of.0.ask(Call::Compare(of.0.handle, other.0.handle, byte(tolerance), mask))? {
        Reply::Comparison(comparison) => Ok(comparison_map(&comparison)),
        _ => strange(),
    }
}

fn find(of: &Picture, what: &Picture, mask: Option<&Picture>, area: &Dynamic, least: &Dynamic) -> Told<Dynamic> {
    let Some(least) = number(least).filter(|least| least.is_finite()) else {
        return threw(format!("{least} is no score; write a number from 0.0 to 1.0"));
    };
    let mask = mask.map(|mask| mask.0.handle);
    match of.0.ask(Call::Find(of.0.handle, what.0.handle, mask, rect(area)?, least))? {
        Reply::Found(found) => Ok(found_map(found)),
        _ => strange(),
    }
}

fn sounds(engine: &mut Engine) {
    engine.register_get("at", |of: &mut Sound| of.sound.at);
    engine.register_get("rate", |of: &mut Sound| int(of.sound.rate));
    engine.register_get("channels", |of: &mut Sound| int(of.sound.channels));
    engine.register_get("count", |of: &mut Sound| int(of.sound.count));
    engine.register_fn("levels", |of: &mut Sound, channel: INT, first: INT, count: INT| -> Told<Map> {
        match of.link.call(Call::Levels(of.sound.handle, pixels(channel), span(first, count)))? {
            Reply::Levels(rms, peak, dbfs) => Ok(Map::from([
                ("rms".into(), Dynamic::from_float(rms)),
                ("peak".into(), Dynamic::from_float(peak)),
                ("dbfs".into(), Dynamic::from_float(dbfs)),
            ])),
            _ => strange(),
        }
    });
    engine.register_fn("tone", |of: &mut Sound, channel: INT, first: INT, count: INT, hertz: Dynamic| -> Told<f64> {
        let Some(hertz) = number(&hertz).filter(|hertz| hertz.is_finite()) else {
            return threw(format!("{hertz} is no frequency"));
        };
        match of.link.call(Call::Tone(of.sound.handle, pixels(channel), span(first, count), hertz))? {
            Reply::Share(share) => Ok(share),
            _ => strange(),
        }
    });
    engine.register_fn("read", |of: &mut Sound, channel: INT, first: INT, count: INT| -> Told<Dynamic> {
        match of.link.call(Call::Samples(of.sound.handle, pixels(channel), span(first, count)))? {
            Reply::Samples(samples) => Ok(list(samples.into_iter().map(|sample| Dynamic::from_int(INT::from(sample))))),
            _ => strange(),
        }
    });
}

fn pixels(value: INT) -> u32 {
    u32::try_from(value.max(0)).unwrap_or(u32::MAX)
}

fn byte(value: INT) -> u8 {
    value.clamp(0, 255) as u8
}

fn span(first: INT, count: INT) -> Span {
    Span { first: pixels(first), count: pixels(count) }
}

/// What an analyser in Rhai may call, as a definition file for editors (`.d.rhai`).
pub fn definitions() -> String {
    let mut engine = engine();
    register(&mut engine, &Link::default());
    engine.definitions().single_file()
}

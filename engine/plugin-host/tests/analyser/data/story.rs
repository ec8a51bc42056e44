//! Stories: what is done to a virtual box, and how it is looked at.

use std::time::Duration;

use headend_plugin_host::analyser::media::{Colour, Picture};
use headend_plugin_host::analyser::serial::{Line, News};
use headend_plugin_host::analyser::{Frame, Heard, drawn};
pub(super) use headend_plugin_host::manifest::Senses;
use headend_stb::{FRAME_US, Fault, Film, Options};
use serde::Deserialize;

/// What comes of it, in the order in which it comes.
pub(super) enum Event {
    Shown(Frame),
    Heard(Heard),
    Said(News),
}

type Tell<'a> = &'a mut dyn FnMut(Event) -> Result<(), String>;

/// Steps, one after the other.
#[derive(Default, Deserialize)]
#[serde(try_from = "Told")]
pub(super) struct Story(Vec<Step>);

/// A text with `;` between the steps, or a list of them.
#[derive(Deserialize)]
#[serde(untagged)]
enum Told {
    Text(String),
    Steps(Vec<String>),
}

enum Step {
    Key(String),
    Mains(bool),
    Fault(Fault),
    Send(String),
    Skip(Duration),
    Roll(Drawn, Duration),
    Lens(Lens),
}

/// What is shown.
#[derive(Clone, Copy)]
enum Drawn {
    Box,
    Plain(Colour),
    Card,
    Noise,
}

/// What becomes of a picture on its way.
#[derive(Clone, Copy)]
enum Lens {
    Size(u32, u32),
    Dim(u32),
    Soften(u32),
    Grain(u32),
}

impl TryFrom<Told> for Story {
    type Error = String;

    fn try_from(told: Told) -> Result<Self, String> {
        let steps: Vec<String> = match told {
            Told::Text(text) => text.split(';').map(str::to_owned).collect(),
            Told::Steps(steps) => steps,
        };
        let steps = steps.iter().map(|step| step.trim()).filter(|step| !step.is_empty());
        steps.map(Step::parse).collect::<Result<_, _>>().map(Self)
    }
}

impl Step {
    fn parse(text: &str) -> Result<Self, String> {
        let (name, rest) = text.split_once(' ').unwrap_or((text, ""));
        let rest = rest.trim();
        let lens = |lens: Option<Lens>| lens.map(Self::Lens);
        let roll = |what, time: &str| Some(Self::Roll(what, seconds(time)?));
        let step = match name {
            "key" if !rest.is_empty() => Some(Self::Key(rest.to_owned())),
            "mains" if rest == "on" || rest == "off" => Some(Self::Mains(rest == "on")),
            "fault" => Some(Self::Fault(rest.parse::<Fault>().map_err(|error| error.to_string())?)),
            "send" => Some(Self::Send(rest.to_owned())),
            "skip" => seconds(rest).map(Self::Skip),
            "roll" => roll(Drawn::Box, rest),
            "card" => roll(Drawn::Card, rest),
            "noise" => roll(Drawn::Noise, rest),
            "plain" => plain(rest),
            "size" => lens(size(rest)),
            "dim" => lens(number(rest, 0..=100).map(Lens::Dim)),
            "soften" => lens(number(rest, 0..=64).map(Lens::Soften)),
            "grain" => lens(number(rest, 0..=64).map(Lens::Grain)),
            _ => None,
        };
        step.ok_or_else(|| {
            format!(
                "{text:?} is no step of a story; there are: key NAME, mains on, mains off, fault TEXT, send LINE, skip SECONDS, roll SECONDS, \
                 plain RED GREEN BLUE SECONDS, card SECONDS, noise SECONDS, size WIDTH HEIGHT, dim PERCENT, soften PIXELS, grain LEVELS"
            )
        })
    }
}

/// At most a minute: each second is 25 pictures.
fn seconds(text: &str) -> Option<Duration> {
    text.parse::<f64>().ok().filter(|seconds| (0.0..=60.0).contains(seconds)).map(Duration::from_secs_f64)
}

fn number(text: &str, range: std::ops::RangeInclusive<u32>) -> Option<u32> {
    text.parse::<u32>().ok().filter(|number| range.contains(number))
}

fn plain(text: &str) -> Option<Step> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let [red, green, blue, time] = words[..] else { return None };
    let level = |text: &str| text.parse::<u8>().ok();
    Some(Step::Roll(Drawn::Plain(Colour::new(level(red)?, level(green)?, level(blue)?)), seconds(time)?))
}

fn size(text: &str) -> Option<Lens> {
    let (width, height) = text.split_once(' ')?;
    Some(Lens::Size(number(width, 1..=4_096)?, number(height, 1..=4_096)?))
}

impl Story {
    /// Plays it, and rolls for so many seconds more. Lines count from the beginning, pictures and sound as far as they are rolled.
    pub(super) fn play(&self, options: Options, more: f64, senses: Senses, tell: Tell<'_>) -> Result<(), String> {
        options.check().map_err(|error| error.to_string())?;
        let mut player = Player { film: Film::new(options), lenses: Vec::new(), senses, next_line: 0 };
        for step in &self.0 {
            player.step(step, tell)?;
        }
        player.roll(Drawn::Box, Duration::from_secs_f64(more.clamp(0.0, 60.0)), tell)
    }
}

struct Player {
    film: Film,
    lenses: Vec<Lens>,
    senses: Senses,
    next_line: u64,
}

impl Player {
    fn step(&mut self, step: &Step, tell: Tell<'_>) -> Result<(), String> {
        match step {
            Step::Key(key) => _ = self.film.press(key),
            Step::Mains(on) => _ = self.film.mains(*on),
            Step::Fault(fault) => _ = self.film.order(*fault),
            Step::Send(line) => _ = self.film.send(line),
            Step::Skip(time) => _ = self.film.skip(*time),
            Step::Roll(what, time) => return self.roll(*what, *time, tell),
            Step::Lens(lens) => {
                // One of each kind.
                self.lenses.retain(|old| std::mem::discriminant(old) != std::mem::discriminant(lens));
                self.lenses.push(*lens);
            }
        }
        Ok(())
    }

    fn roll(&mut self, what: Drawn, time: Duration, tell: Tell<'_>) -> Result<(), String> {
        let frames = (time.as_micros() as u64).div_ceil(FRAME_US);
        (0..frames).try_for_each(|_| self.frame(what, tell))
    }

    fn frame(&mut self, what: Drawn, tell: Tell<'_>) -> Result<(), String> {
        let from_us = self.film.now_us();
        let at_us = from_us as i64;
        if self.senses.sight {
            let number = from_us / FRAME_US;
            let picture = self.picture(what, number as u32);
            tell(Event::Shown(Frame { number, at_us, picture }))?;
        } else {
            self.film.skip(Duration::from_micros(FRAME_US));
        }
        if self.senses.sound {
            let sound = self.film.sound(from_us, FRAME_US).ok_or("what was heard is not kept")?;
            tell(Event::Heard(Heard { at_us, sound }))?;
        }
        if self.senses.serial { self.lines(tell) } else { Ok(()) }
    }

    fn picture(&mut self, what: Drawn, number: u32) -> Picture {
        let live = self.film.frame().picture;
        let (width, height) = (live.width(), live.height());
        let picture = match what {
            Drawn::Box => live,
            Drawn::Plain(colour) => drawn::plain(width, height, colour),
            Drawn::Card => drawn::card(width, height, number),
            Drawn::Noise => drawn::noise(width, height, number),
        };
        self.lenses.iter().fold(picture, |picture, lens| lens.seen_through(&picture, number))
    }

    fn lines(&mut self, tell: Tell<'_>) -> Result<(), String> {
        let now_us = self.film.now_us();
        // A look lets the box's time go on, and what is done to it next comes at this very time: so a copy is asked.
        let said = self.film.stb().clone().serial_since(self.next_line, now_us);
        self.next_line = said.next;
        let line = |line: headend_stb::Line| Line { at_us: line.at_us as i64, text: line.text.into() };
        News::of(said.lines.into_iter().map(line), said.lost, now_us as i64)
            .into_iter()
            .try_for_each(|news| tell(Event::Said(news)))
    }
}

impl Lens {
    fn seen_through(self, picture: &Picture, number: u32) -> Picture {
        let (width, height) = (picture.width(), picture.height());
        let bytes = || picture.read(picture.bounds());
        let changed = match self {
            Self::Size(width, height) => return picture.scale(width, height).unwrap(),
            Self::Dim(percent) => bytes().iter().map(|value| (u32::from(*value) * percent / 100) as u8).collect(),
            Self::Soften(reach) => smeared(&smeared(&bytes(), 3, reach), width as usize * 3, reach),
            Self::Grain(levels) => {
                let noise = drawn::noise(width, height, number).read(picture.bounds());
                let value = |(value, noise): (&u8, &u8)| {
                    let off = u32::from(*noise) % (2 * levels + 1);
                    (u32::from(*value) + off).saturating_sub(levels).min(255) as u8
                };
                bytes().iter().zip(&noise).map(value).collect()
            }
        };
        Picture::colour(width, height, changed).unwrap()
    }
}

/// Each byte the mean of itself and of so many before and after it, each so many bytes apart.
fn smeared(bytes: &[u8], apart: usize, reach: u32) -> Vec<u8> {
    let reach = reach as usize;
    let mean = |at: usize| {
        let first = at - (at / apart).min(reach) * apart;
        let around = bytes[first..].iter().step_by(apart).take(2 * reach + 1);
        let (sum, count) = around.fold((0, 0), |(sum, count), value| (sum + u32::from(*value), count + 1));
        (sum / count) as u8
    };
    (0..bytes.len()).map(mean).collect()
}

//! Pictures: a pure function of what a box remembers and of the time.

mod app;
mod canvas;
mod damage;
mod guide;
mod osd;
mod page;
mod panel;
mod power;
mod scene;
mod search;
mod text;

use std::sync::Arc;

use headend_media::Picture;

use crate::chance::{Stream, throw};
use crate::lineup::{Channel, Style, channel};
use crate::options::{Options, Size};
use crate::state::{Power, Screen, State};
use crate::{SECOND_US, programme};
use canvas::Canvas;

/// What is seen at a time: all that a picture needs, without the box, so that nobody waits while it is drawn.
#[derive(Clone, Debug)]
pub struct View {
    options: Arc<Options>,
    state: Arc<State>,
    frame_us: u64,
}

/// What the tuner or the disk gives: a channel, and which time of it.
#[derive(Clone, Copy)]
struct Content {
    index: usize,
    channel: Channel,
    at_us: u64,
}

impl View {
    pub(crate) fn new(options: Arc<Options>, state: Arc<State>, frame_us: u64) -> Self {
        Self { options, state, frame_us }
    }

    /// When the picture came up: a multiple of [`crate::FRAME_US`].
    pub fn at_us(&self) -> u64 {
        self.frame_us
    }

    /// Size of the picture.
    pub fn size(&self) -> Size {
        self.shown().0.settings.picture
    }

    /// Draws it.
    ///
    /// # Panics
    /// Never: a canvas has as many bytes as its picture.
    pub fn draw(&self) -> Picture {
        let size = self.size();
        match Picture::colour(size.width(), size.height(), self.pixels()) {
            Ok(picture) => picture,
            Err(fault) => unreachable!("a canvas has the size of its picture: {fault:?}"),
        }
    }

    /// Draws it as rows of red, green, blue.
    pub fn pixels(&self) -> Vec<u8> {
        let (state, at_us) = self.shown();
        let mut canvas = Canvas::new(state.settings.picture);
        match state.power {
            Power::Off => {}
            _ if self.state.faults.is_black() => {}
            Power::Standby => power::standby(&mut canvas, state),
            Power::Starting { since_us, until_us, cold, .. } => {
                power::starting(&mut canvas, at_us - since_us, until_us - since_us, cold);
            }
            Power::On => self.screen(&mut canvas, state, at_us),
        }
        canvas.finish()
    }

    /// What stands still while it is frozen, or what is.
    fn shown(&self) -> (&State, u64) {
        let frozen = self.state.faults.frozen.as_ref().filter(|_| self.state.power == Power::On);
        frozen.map_or((&self.state, self.frame_us), |frozen| (&frozen.state, frozen.frame_us))
    }

    fn screen(&self, canvas: &mut Canvas, state: &State, at_us: u64) {
        let lineup = self.options.lineup;
        self.picture(canvas, state, at_us);
        match state.screen {
            Screen::Live => osd::live(canvas, lineup, state, at_us),
            Screen::Menu { selected } => panel::menu(canvas, selected, at_us),
            Screen::Guide(place) => guide::draw(canvas, lineup, place, at_us),
            Screen::Recordings { selected } => panel::recordings(canvas, lineup, state, selected, at_us),
            Screen::Search(place) => search::draw(canvas, lineup, &state.search.text, place, at_us),
            Screen::Apps { selected } => app::tiles(canvas, selected, at_us),
            Screen::App(page) => app::page(canvas, lineup, page, at_us),
            Screen::Settings { selected } => panel::settings(canvas, state, selected, at_us),
            Screen::Page(kind) => page::draw(canvas, &self.options, kind, state, at_us),
        }
        osd::volume(canvas, state, at_us);
    }

    /// What lies below everything: a channel, a recording, or why there is none.
    fn picture(&self, canvas: &mut Canvas, state: &State, at_us: u64) {
        if state.zap.is_some() {
            return;
        }
        // A recording comes from the disk and needs no signal.
        if state.faults.has_no_signal() && state.playing.is_none() {
            return power::no_signal(canvas);
        }
        let content = self.content(state, at_us);
        scene::draw(canvas, content.channel, content.at_us + self.phase(content.channel));
        if state.settings.subtitles {
            osd::subtitles(canvas, programme(self.options.lineup, content.index, content.at_us), content.at_us);
        }
        if state.settings.narrow {
            canvas.rect(0, 0, 160, canvas::HEIGHT, osd::BLACK);
            canvas.rect(canvas::WIDTH - 160, 0, 160, canvas::HEIGHT, osd::BLACK);
        }
        if state.faults.has_macroblocks() {
            damage::blocks(canvas, self.options.seed, at_us);
        }
    }

    fn content(&self, state: &State, at_us: u64) -> Content {
        let (index, at_us) = match state.playing {
            Some(playing) => (playing.recording.channel, playing.content(at_us)),
            None => (state.channel, state.shift.content(at_us)),
        };
        Content { index, channel: channel(self.options.lineup, index), at_us }
    }

    /// Boxes are not in step, except for what goes with the sound.
    fn phase(&self, channel: Channel) -> u64 {
        if channel.style == Style::TestCard {
            return 0;
        }
        throw(self.options.seed, Stream::Motion, 0) % 600 * SECOND_US
    }
}

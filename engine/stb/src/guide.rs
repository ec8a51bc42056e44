//! The programme guide: channels downwards, time to the right.

use crate::CHANNELS;
use crate::keys::Key;
use crate::lineup::channel;
use crate::programme::{HALF_HOUR_US, clock};
use crate::state::Screen;
use crate::stb::Stb;

/// Channels seen at once.
pub(crate) const ROWS: usize = 7;
/// Time seen at once.
pub(crate) const SPAN_US: u64 = 4 * HALF_HOUR_US;
const DAY_US: u64 = 48 * HALF_HOUR_US;
/// How far ahead the guide knows.
const AHEAD_US: u64 = 7 * DAY_US;

/// Where the guide is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct GuidePlace {
    /// Position in the line-up.
    pub(crate) channel: usize,
    /// A time within the selected programme.
    pub(crate) at_us: u64,
    /// Left edge of what is seen: a full or half hour.
    pub(crate) left_us: u64,
}

impl GuidePlace {
    /// Top row of what is seen.
    pub(crate) fn first(self) -> usize {
        self.channel.saturating_sub(ROWS / 2).min(CHANNELS - ROWS)
    }

    /// Selects another time, and moves the view after it.
    fn at(self, at_us: u64) -> Self {
        let left_us = if at_us < self.left_us {
            half_hour(at_us)
        } else if at_us >= self.left_us + SPAN_US {
            half_hour(at_us) + HALF_HOUR_US - SPAN_US
        } else {
            self.left_us
        };
        Self { at_us, left_us, ..self }
    }
}

fn half_hour(at_us: u64) -> u64 {
    at_us / HALF_HOUR_US * HALF_HOUR_US
}

impl Stb {
    pub(crate) fn open_guide(&mut self, at_us: u64) {
        let channel = self.state.channel;
        self.state.screen = Screen::Guide(GuidePlace { channel, at_us, left_us: half_hour(at_us) });
    }

    pub(crate) fn guide_key(&mut self, key: Key, place: GuidePlace, at_us: u64) {
        let to = |channel: usize| GuidePlace { channel, ..place };
        let shown = self.on_air(place.channel, place.at_us);
        // What is over cannot be watched, nor can what is known be left.
        let (first_us, last_us) = (at_us, half_hour(at_us) + AHEAD_US);
        let place = match key {
            Key::Up => to((place.channel + CHANNELS - 1) % CHANNELS),
            Key::Down => to((place.channel + 1) % CHANNELS),
            Key::ChannelUp => to(place.channel.saturating_sub(ROWS)),
            Key::ChannelDown => to((place.channel + ROWS).min(CHANNELS - 1)),
            Key::Right => place.at(shown.end_us.min(last_us)),
            Key::Left => place.at(shown.start_us.saturating_sub(1).max(first_us)),
            Key::Forward => place.at((place.at_us + SPAN_US).min(last_us)),
            Key::Rewind => place.at(place.at_us.saturating_sub(SPAN_US).max(first_us)),
            Key::Green => place.at((place.at_us + DAY_US).min(last_us)),
            Key::Red => place.at(place.at_us.saturating_sub(DAY_US).max(first_us)),
            Key::Digit(digit) => to(usize::from(digit).saturating_sub(1).min(CHANNELS - 1)),
            Key::Back => {
                self.state.screen = Screen::Live;
                return;
            }
            Key::Ok if shown.start_us <= at_us => {
                self.zap(place.channel, at_us);
                return;
            }
            Key::Ok => {
                let words = format!("{} begins at {}", shown.title, clock(shown.start_us));
                self.say(at_us, words);
                return;
            }
            _ => return,
        };
        self.state.screen = Screen::Guide(place);
    }

    pub(crate) fn guide_words(&self, place: GuidePlace) -> String {
        let (tuned, shown) = (channel(self.options.lineup, place.channel), self.on_air(place.channel, place.at_us));
        format!("{} {}, {} {}", tuned.number, tuned.name, clock(shown.start_us), shown.title)
    }
}

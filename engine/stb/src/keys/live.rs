//! Keys over live television.

use super::Key;
use crate::CHANNELS;
use crate::SECOND_US;
use crate::state::{Digits, Shift};
use crate::stb::Stb;

/// Digits of the longest number.
const LARGEST: u32 = 999;
/// How far back live television goes.
const BACK_US: u64 = 3_600 * SECOND_US;
/// Every fourth channel is a favourite.
const FAVOURITE: usize = 4;

impl Stb {
    pub(super) fn live_key(&mut self, key: Key, at_us: u64) {
        let channel = self.state.channel;
        match key {
            Key::ChannelUp | Key::Up => self.zap((channel + 1) % CHANNELS, at_us),
            Key::ChannelDown | Key::Down => self.zap((channel + CHANNELS - 1) % CHANNELS, at_us),
            Key::Swap => self.zap(self.state.former, at_us),
            Key::Fav => self.zap((channel / FAVOURITE + 1) * FAVOURITE % CHANNELS, at_us),
            Key::Digit(digit) => self.digit(digit, at_us),
            Key::Ok => match self.state.digits {
                Some(digits) => self.dial(digits, at_us),
                None => self.show_banner(at_us),
            },
            Key::Info => self.show_banner(at_us),
            Key::Back => {
                self.state.banner_until_us = 0;
                self.state.digits = None;
            }
            Key::Red => self.open_app(crate::apps::INTERACTIVE, at_us),
            _ => self.shift_key(key, at_us),
        }
    }

    fn digit(&mut self, digit: u8, at_us: u64) {
        let before = self.state.digits.map_or(0, |digits| digits.number);
        let number = before * 10 + u32::from(digit);
        let number = if number > LARGEST { u32::from(digit) } else { number };
        self.state.digits = Some(Digits { number, at_us });
    }

    /// Pause and back in live television.
    fn shift_key(&mut self, key: Key, at_us: u64) {
        let Shift { delay_us, paused_us } = self.state.shift;
        self.state.shift = match (key, paused_us) {
            (Key::Play | Key::PlayPause, Some(paused_us)) => {
                self.say(at_us, "play");
                Shift { delay_us: (delay_us + at_us - paused_us).min(BACK_US), paused_us: None }
            }
            (Key::Pause | Key::PlayPause, None) => {
                self.say(at_us, "pause");
                Shift { delay_us, paused_us: Some(at_us) }
            }
            (Key::Rewind | Key::Replay, _) => Shift { delay_us: (delay_us + 10 * SECOND_US).min(BACK_US), paused_us },
            (Key::Forward | Key::Advance, _) => Shift { delay_us: delay_us.saturating_sub(10 * SECOND_US), paused_us },
            (Key::Stop, _) => Shift::default(),
            _ => return,
        };
        self.show_banner(at_us);
    }

    /// From wherever it is to what is broadcast now.
    pub(super) fn go_live(&mut self, at_us: u64) {
        self.state.screen = crate::state::Screen::Live;
        self.state.shift = Shift::default();
        self.state.playing = None;
        self.show_banner(at_us);
    }
}

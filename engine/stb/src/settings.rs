//! What a user sets.

use crate::SECOND_US;
use crate::keys::{Key, step};
use crate::options::Size;
use crate::state::Screen;
use crate::stb::Stb;

/// Names of the settings, from the top.
pub(crate) const NAMES: [&str; 6] = ["Picture", "Format", "Subtitles", "Banner", "Standby light", "Factory reset"];

/// What is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Settings {
    pub(crate) picture: Size,
    /// 4:3, with black at both sides.
    pub(crate) narrow: bool,
    pub(crate) subtitles: bool,
    pub(crate) banner_s: u8,
    pub(crate) standby_light: bool,
}

impl Settings {
    pub(crate) const fn new(picture: Size) -> Self {
        Self { picture, narrow: false, subtitles: false, banner_s: 4, standby_light: true }
    }

    pub(crate) const fn banner_us(self) -> u64 {
        self.banner_s as u64 * SECOND_US
    }

    pub(crate) fn value(self, index: usize) -> &'static str {
        let on = |set: bool| if set { "On" } else { "Off" };
        match index {
            0 => match self.picture {
                Size::Hd720 => "1280 x 720",
                Size::Hd1080 => "1920 x 1080",
            },
            1 if self.narrow => "4:3",
            1 => "16:9",
            2 => on(self.subtitles),
            3 => match self.banner_s {
                ..4 => "2 seconds",
                4 => "4 seconds",
                _ => "8 seconds",
            },
            4 => on(self.standby_light),
            _ => "Press OK",
        }
    }
}

impl Stb {
    pub(crate) fn settings_key(&mut self, key: Key, selected: usize, at_us: u64) {
        match key {
            Key::Up | Key::Down => {
                self.state.screen = Screen::Settings { selected: step(selected, NAMES.len(), key == Key::Down) };
            }
            Key::Back => self.state.screen = Screen::Menu { selected: 5 },
            Key::Ok | Key::Left | Key::Right => self.set(selected, key, at_us),
            _ => {}
        }
    }

    fn set(&mut self, selected: usize, key: Key, at_us: u64) {
        let settings = &mut self.state.settings;
        match selected {
            0 => {
                settings.picture = match settings.picture {
                    Size::Hd720 => Size::Hd1080,
                    Size::Hd1080 => Size::Hd720,
                };
            }
            1 => settings.narrow = !settings.narrow,
            2 => settings.subtitles = !settings.subtitles,
            3 => {
                settings.banner_s = match (settings.banner_s, key) {
                    (2, Key::Left) | (4, Key::Ok | Key::Right) => 8,
                    (4, _) | (8, Key::Ok | Key::Right) => 2,
                    _ => 4,
                };
            }
            4 => settings.standby_light = !settings.standby_light,
            _ if key == Key::Ok => self.reset(at_us),
            _ => {}
        }
    }

    /// As it came from the factory, but for what the rack gave it.
    fn reset(&mut self, at_us: u64) {
        self.say(at_us, "factory reset");
        let keys = self.state.keys;
        self.state = crate::state::State { keys, ..crate::state::State::new(self.options.picture) };
        self.start(at_us, true);
    }

    pub(crate) fn change_format(&mut self, at_us: u64) {
        self.state.settings.narrow = !self.state.settings.narrow;
        self.say(at_us, format!("format {}", self.state.settings.value(1)));
    }

    pub(crate) fn setting_words(&self, selected: usize) -> String {
        format!("{} {}", NAMES[selected % NAMES.len()], self.state.settings.value(selected))
    }
}

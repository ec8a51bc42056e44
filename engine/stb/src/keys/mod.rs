//! The remote control: what a key does, whatever is on the screen. What it does on a screen of its own stands with that screen.

mod live;
mod name;

use crate::serial::plain;
use crate::state::{Page, Power, Screen};
use crate::stb::Stb;
pub(crate) use name::Key;

/// How long the volume bar stays.
const VOLUME_US: u64 = 2_000_000;

/// Takes a key that got through, or a command of a mobile device.
pub(crate) fn take(stb: &mut Stb, name: &str, at_us: u64) {
    if let Some(command) = name::mobile(name) {
        stb.say(at_us, format!("mobile {}", plain(&command)));
        return;
    }
    let key = name::parse(name);
    match (stb.state.power, key) {
        (Power::Off, _) => {}
        (Power::Standby, Some(Key::Power)) => stb.start(at_us, false),
        (Power::Standby, _) => stb.say(at_us, format!("key {}: asleep", plain(name))),
        (Power::Starting { .. }, _) => stb.say(at_us, format!("key {}: starting", plain(name))),
        (Power::On, Some(Key::Power)) => stb.sleep(at_us),
        (Power::On, None) => stb.say(at_us, format!("key {}: unknown", plain(name))),
        (Power::On, Some(key)) => {
            stb.say(at_us, format!("key {}", plain(name)));
            awake(stb, key, at_us);
        }
    }
}

fn awake(stb: &mut Stb, key: Key, at_us: u64) {
    let (before, words) = (stb.state.screen, stb.screen_words(at_us));
    if !stb.anywhere(key, at_us) {
        stb.on_screen(key, at_us);
    }
    if before != Screen::Live {
        stb.click(at_us);
    }
    let now = stb.screen_words(at_us);
    if let Some(now) = now.filter(|now| words.as_ref() != Some(now)) {
        stb.say(at_us, format!("menu {now}"));
    }
}

impl Stb {
    /// Keys that do the same on every screen. `false`: this is none of them.
    fn anywhere(&mut self, key: Key, at_us: u64) -> bool {
        match key {
            Key::VolumeUp => self.turn(5, at_us),
            Key::VolumeDown => self.turn(-5, at_us),
            Key::Mute => self.mute(at_us),
            Key::Menu if matches!(self.state.screen, Screen::Menu { .. }) => self.state.screen = Screen::Live,
            Key::Menu | Key::Home => self.state.screen = Screen::Menu { selected: 0 },
            Key::Guide => self.open_guide(at_us),
            Key::Search => self.open_search(),
            Key::Apps => self.state.screen = Screen::Apps { selected: 0 },
            Key::Vod => self.open_app(crate::apps::VIDEO_STORE, at_us),
            Key::Mosaic => self.open_app(crate::apps::MOSAIC, at_us),
            Key::Interactive => self.open_app(crate::apps::INTERACTIVE, at_us),
            Key::List => self.state.screen = Screen::Recordings { selected: 0 },
            Key::Settings => self.state.screen = Screen::Settings { selected: 0 },
            Key::Help => self.state.screen = Screen::Page(Page::Help),
            Key::Text if self.state.screen == Screen::Page(Page::Teletext) => self.state.screen = Screen::Live,
            Key::Text => self.state.screen = Screen::Page(Page::Teletext),
            Key::Record => self.record(at_us),
            Key::Format => self.change_format(at_us),
            Key::Live => self.go_live(at_us),
            Key::Exit => self.state.screen = Screen::Live,
            _ => return false,
        }
        true
    }

    fn on_screen(&mut self, key: Key, at_us: u64) {
        match self.state.screen {
            Screen::Live if self.state.playing.is_some() => self.playback_key(key, at_us),
            Screen::Live => self.live_key(key, at_us),
            Screen::Menu { selected } => self.menu_key(key, selected, at_us),
            Screen::Guide(place) => self.guide_key(key, place, at_us),
            Screen::Recordings { selected } => self.recordings_key(key, selected, at_us),
            Screen::Search(place) => self.search_key(key, place, at_us),
            Screen::Apps { selected } => self.apps_key(key, selected, at_us),
            Screen::App(page) => self.app_key(key, page, at_us),
            Screen::Settings { selected } => self.settings_key(key, selected, at_us),
            Screen::Page(_) => {
                if matches!(key, Key::Back | Key::Left | Key::Ok) {
                    self.state.screen = Screen::Live;
                }
            }
        }
    }

    fn turn(&mut self, by: i8, at_us: u64) {
        self.state.volume = self.state.volume.saturating_add_signed(by).min(100);
        self.state.muted = false;
        self.state.volume_until_us = at_us + VOLUME_US;
        self.say(at_us, format!("volume {}", self.state.volume));
    }

    fn mute(&mut self, at_us: u64) {
        self.state.muted = !self.state.muted;
        self.state.volume_until_us = at_us + VOLUME_US;
        self.say(at_us, if self.state.muted { "mute on" } else { "mute off" });
    }

    /// What is on the screen, for the serial line; `None`: live television.
    pub(crate) fn screen_words(&self, at_us: u64) -> Option<String> {
        Some(match self.state.screen {
            Screen::Live => return None,
            Screen::Menu { selected } => format!("Main Menu: {}", crate::menu::item(selected)),
            Screen::Guide(place) => format!("TV Guide: {}", self.guide_words(place)),
            Screen::Recordings { selected } => format!("Recordings: {}", self.recording_words(selected, at_us)),
            Screen::Search(place) => format!("Search: {}", self.search_words(place, at_us)),
            Screen::Apps { selected } => format!("Apps: {}", crate::apps::name(selected)),
            Screen::App(page) => format!("App: {}", crate::apps::name(page.app)),
            Screen::Settings { selected } => format!("Settings: {}", self.setting_words(selected)),
            Screen::Page(Page::About) => "About".to_owned(),
            Screen::Page(Page::Help) => "Help".to_owned(),
            Screen::Page(Page::Teletext) => "Teletext".to_owned(),
        })
    }
}

/// One step through a list that goes round.
pub(crate) fn step(at: usize, of: usize, down: bool) -> usize {
    if of == 0 {
        return 0;
    }
    (at + if down { 1 } else { of - 1 }) % of
}

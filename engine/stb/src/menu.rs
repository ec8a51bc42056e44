//! The main menu.

use crate::keys::{Key, step};
use crate::state::{Page, Screen};
use crate::stb::Stb;

/// Its items, from the top.
pub(crate) const ITEMS: [&str; 7] = ["Live TV", "TV Guide", "Recordings", "Search", "Apps", "Settings", "About"];

pub(crate) fn item(selected: usize) -> &'static str {
    ITEMS[selected % ITEMS.len()]
}

impl Stb {
    pub(crate) fn menu_key(&mut self, key: Key, selected: usize, at_us: u64) {
        match key {
            Key::Up | Key::Down => {
                self.state.screen = Screen::Menu { selected: step(selected, ITEMS.len(), key == Key::Down) };
            }
            Key::Back | Key::Left => self.state.screen = Screen::Live,
            Key::Ok | Key::Right => self.open(selected, at_us),
            _ => {}
        }
    }

    fn open(&mut self, selected: usize, at_us: u64) {
        match selected {
            0 => self.state.screen = Screen::Live,
            1 => self.open_guide(at_us),
            2 => self.state.screen = Screen::Recordings { selected: 0 },
            3 => self.open_search(),
            4 => self.state.screen = Screen::Apps { selected: 0 },
            5 => self.state.screen = Screen::Settings { selected: 0 },
            _ => self.state.screen = Screen::Page(Page::About),
        }
    }
}

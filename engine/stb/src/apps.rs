//! Apps: tiles, and what they open.

use crate::keys::Key;
use crate::state::Screen;
use crate::stb::Stb;

/// Names of the apps, row by row.
pub(crate) const NAMES: [&str; 8] =
    ["Video Store", "Mosaic", "Interactive", "Weather", "Photos", "Radio", "Games", "Web"];
/// Tiles of a row.
pub(crate) const ACROSS: usize = 4;
pub(crate) const VIDEO_STORE: usize = 0;
pub(crate) const MOSAIC: usize = 1;
pub(crate) const INTERACTIVE: usize = 2;
/// How long an app takes to open.
pub(crate) const LOADING_US: u64 = 1_200_000;
/// Channels of the mosaic, and how many stand in a row.
pub(crate) const MOSAIC_CHANNELS: usize = 12;
pub(crate) const MOSAIC_ACROSS: usize = 4;

/// An app that is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AppPage {
    pub(crate) app: usize,
    pub(crate) since_us: u64,
    /// What is selected in it.
    pub(crate) selected: usize,
}

pub(crate) fn name(app: usize) -> &'static str {
    NAMES[app % NAMES.len()]
}

/// Lines of an app's page.
pub(crate) fn lines(app: usize) -> [&'static str; 4] {
    match app {
        VIDEO_STORE => ["Red Harbour", "Silent Valley", "Star Pilots", "Winter Garden"],
        INTERACTIVE => ["Vote for your song", "Scores and tables", "Play along", "Write to the studio"],
        3 => ["Today 18 degrees, sunny", "Tomorrow 15 degrees, rain", "Wind from the west", "Pollen low"],
        4 => ["Holiday by the sea", "Birthday", "Mountains in winter", "The new house"],
        5 => ["Radio One", "Classic Hall", "Jazz Cellar", "Morning Talk"],
        6 => ["Snake", "Four in a row", "Memory", "Chess"],
        _ => ["News of the day", "Encyclopedia", "Train times", "Recipes"],
    }
}

fn count(app: usize) -> usize {
    if app == MOSAIC { MOSAIC_CHANNELS } else { lines(app).len() }
}

impl Stb {
    pub(crate) fn open_app(&mut self, app: usize, at_us: u64) {
        self.state.screen = Screen::App(AppPage { app, since_us: at_us, selected: 0 });
    }

    pub(crate) fn apps_key(&mut self, key: Key, selected: usize, at_us: u64) {
        let selected = match key {
            Key::Ok => return self.open_app(selected, at_us),
            Key::Back => {
                self.state.screen = Screen::Menu { selected: 4 };
                return;
            }
            key => moved(key, selected, NAMES.len(), ACROSS),
        };
        self.state.screen = Screen::Apps { selected };
    }

    pub(crate) fn app_key(&mut self, key: Key, page: AppPage, at_us: u64) {
        match key {
            Key::Back => self.state.screen = Screen::Apps { selected: page.app },
            Key::Ok if page.app == MOSAIC => self.zap(page.selected, at_us),
            Key::Ok => {
                let chosen = lines(page.app)[page.selected % 4];
                self.say(at_us, format!("app {}: {chosen}", name(page.app)));
            }
            key => {
                let across = if page.app == MOSAIC { MOSAIC_ACROSS } else { 1 };
                let selected = moved(key, page.selected, count(page.app), across);
                self.state.screen = Screen::App(AppPage { selected, ..page });
            }
        }
    }
}

/// A step over tiles, which ends at the edges.
fn moved(key: Key, at: usize, of: usize, across: usize) -> usize {
    match key {
        Key::Up if at >= across => at - across,
        Key::Down if at + across < of => at + across,
        Key::Left if !at.is_multiple_of(across) => at - 1,
        Key::Right if !(at + 1).is_multiple_of(across) && at + 1 < of => at + 1,
        _ => at,
    }
}

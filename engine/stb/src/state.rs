//! What a box remembers and shows. Times are in microseconds of its own clock.

use std::sync::Arc;

use crate::apps::AppPage;
use crate::fault::Faults;
use crate::guide::GuidePlace;
use crate::options::Size;
use crate::recordings::{Playing, Recordings};
use crate::search::{Search, SearchPlace};
use crate::settings::Settings;

/// Power, from the wall to the picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Power {
    /// No mains.
    Off,
    /// Mains, and asleep.
    Standby,
    /// On the way to live pictures.
    Starting {
        since_us: u64,
        until_us: u64,
        /// From mains, with splash and boot messages; else from standby.
        cold: bool,
        /// Boot messages said so far.
        said: usize,
    },
    On,
}

/// What lies over the live picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Screen {
    Live,
    Menu { selected: usize },
    Guide(GuidePlace),
    Recordings { selected: usize },
    Search(SearchPlace),
    Apps { selected: usize },
    App(AppPage),
    Settings { selected: usize },
    Page(Page),
}

/// A page of text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Page {
    About,
    Help,
    Teletext,
}

/// A change of channel under way: black and silent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Zap {
    pub(crate) at_us: u64,
    pub(crate) until_us: u64,
}

/// Digits typed so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Digits {
    pub(crate) number: u32,
    pub(crate) at_us: u64,
}

/// How far live television lags behind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Shift {
    pub(crate) delay_us: u64,
    pub(crate) paused_us: Option<u64>,
}

impl Shift {
    /// What time of the channel is shown.
    pub(crate) fn content(self, at_us: u64) -> u64 {
        self.paused_us.unwrap_or(at_us).saturating_sub(self.delay_us)
    }
}

/// The whole of what decides picture and sound.
#[derive(Clone, Debug)]
pub(crate) struct State {
    pub(crate) power: Power,
    pub(crate) screen: Screen,
    /// Position in the line-up.
    pub(crate) channel: usize,
    /// The one before, for `Swap`.
    pub(crate) former: usize,
    pub(crate) zap: Option<Zap>,
    /// Banner, or the bar of a recording that plays, is seen until then.
    pub(crate) banner_until_us: u64,
    /// 0 to 100.
    pub(crate) volume: u8,
    pub(crate) muted: bool,
    pub(crate) volume_until_us: u64,
    pub(crate) digits: Option<Digits>,
    pub(crate) shift: Shift,
    pub(crate) playing: Option<Playing>,
    pub(crate) recordings: Arc<Recordings>,
    pub(crate) search: Search,
    pub(crate) settings: Settings,
    pub(crate) faults: Faults,
    /// Keys taken since the box was made.
    pub(crate) keys: u64,
    /// Zaps since the box was made.
    pub(crate) zaps: u64,
}

impl State {
    /// On and past its boot, on the first channel.
    pub(crate) fn new(picture: Size) -> Self {
        Self {
            power: Power::On,
            screen: Screen::Live,
            channel: 0,
            former: 0,
            zap: None,
            banner_until_us: 0,
            volume: 30,
            muted: false,
            volume_until_us: 0,
            digits: None,
            shift: Shift::default(),
            playing: None,
            recordings: Arc::default(),
            search: Search::default(),
            settings: Settings::new(picture),
            faults: Faults::default(),
            keys: 0,
            zaps: 0,
        }
    }

    /// Gone when the power goes.
    pub(crate) fn forget(&mut self) {
        self.screen = Screen::Live;
        self.zap = None;
        self.digits = None;
        self.shift = Shift::default();
        self.playing = None;
        self.banner_until_us = 0;
        self.volume_until_us = 0;
    }
}

//! What a box remembers. Times are in milliseconds of its own clock.

use super::lineup::CHANNELS;

/// Time from power to live pictures.
pub const BOOT_MS: u64 = 3_000;
/// Black after a change of channel, until the new one shows.
pub const ZAP_MS: u64 = 400;
/// How long the banner stays.
pub const BANNER_MS: u64 = 4_000;
/// How long the volume bar stays.
pub const VOLUME_MS: u64 = 2_000;
/// How long typed digits wait for more.
pub const DIGITS_MS: u64 = 1_500;
/// Items of the main menu.
pub const MENU: [&str; 5] = ["LIVE TV", "TV GUIDE", "RECORDINGS", "SETTINGS", "ABOUT THIS BOX"];
/// Rows of the guide seen at once.
pub const GUIDE_ROWS: usize = 6;

/// Power, from the wall to the picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Power {
    /// No mains.
    Off,
    /// Mains, and asleep.
    Standby,
    /// On.
    On {
        /// When it was switched on; `None`: so long ago that it does not matter.
        since: Option<u64>,
    },
}

/// What lies over the live picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Screen {
    /// Nothing.
    Live,
    /// The main menu.
    Menu {
        /// Selected item.
        selected: usize,
    },
    /// The guide.
    Guide {
        /// Selected channel, as a position of the line-up.
        selected: usize,
    },
    /// A page of text below the menu.
    Page {
        /// Which item of the menu it belongs to.
        item: usize,
    },
}

/// The whole state of a box.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BoxState {
    /// Decides its looks.
    pub seed: u64,
    /// Power.
    pub power: Power,
    /// What is shown over the picture.
    pub screen: Screen,
    /// Position in the line-up.
    pub channel: usize,
    /// The one before, for `Swap`.
    pub former: usize,
    /// When the channel was changed to; the picture comes [`ZAP_MS`] later.
    pub zapped: u64,
    /// The banner is seen until then.
    pub banner_until: u64,
    /// 0 to 100.
    pub volume: u8,
    /// Silent.
    pub muted: bool,
    /// The volume bar is seen until then.
    pub volume_until: u64,
    /// Digits typed so far and when the last one came.
    pub digits: Option<(u16, u64)>,
    /// Playback stands still since then.
    pub paused: Option<u64>,
    /// Keys taken since the box was made.
    pub keys: u64,
}

impl BoxState {
    /// On and past its boot, on the first channel.
    pub fn new(seed: u64) -> Self {
        Self {
            seed,
            power: Power::On { since: None },
            screen: Screen::Live,
            channel: 0,
            former: 0,
            zapped: 0,
            banner_until: 0,
            volume: 30,
            muted: false,
            volume_until: 0,
            digits: None,
            paused: None,
            keys: 0,
        }
    }

    /// Is the boot splash up?
    pub fn booting(&self, now: u64) -> bool {
        matches!(self.power, Power::On { since: Some(since) } if now < since + BOOT_MS)
    }

    /// Takes keys and shows pictures.
    pub fn live(&self, now: u64) -> bool {
        matches!(self.power, Power::On { .. }) && !self.booting(now)
    }

    /// Mains on starts the boot, as boxes do after a power cut; mains off is black at once.
    pub fn mains(&mut self, on: bool, now: u64) {
        match (on, self.power) {
            (true, Power::Off) => self.switch_on(now),
            (true, _) => {}
            (false, _) => self.power = Power::Off,
        }
    }

    /// From standby or off to the boot splash.
    pub fn switch_on(&mut self, now: u64) {
        self.power = Power::On { since: Some(now) };
        self.screen = Screen::Live;
        self.digits = None;
        self.paused = None;
        self.banner_until = now + BOOT_MS + BANNER_MS;
    }

    /// Changes to a position of the line-up.
    pub fn zap(&mut self, to: usize, now: u64) {
        self.former = self.channel;
        self.channel = to % CHANNELS;
        self.zapped = now;
        self.paused = None;
        self.banner_until = now + BANNER_MS;
    }

    /// Digits that have waited long enough become a change of channel.
    pub fn settle(&mut self, now: u64) {
        let Some((number, typed)) = self.digits else { return };
        if now < typed + DIGITS_MS {
            return;
        }
        self.digits = None;
        if let Some(to) = (number as usize).checked_sub(1).filter(|to| *to < CHANNELS) {
            self.zap(to, typed + DIGITS_MS);
        }
    }
}

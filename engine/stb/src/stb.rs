//! The box itself: what goes in and what comes out.

use std::sync::Arc;

use headend_media::Sound;

use crate::draw::View;
use crate::fault::{Fault, FaultError};
use crate::keys;
use crate::lineup::{Channel, channel};
use crate::options::{Options, Size};
use crate::programme::{Programme, programme};
use crate::serial::{News, Serial};
use crate::sound::Track;
use crate::state::{Digits, Power, Screen, Shift, State, Zap};
use crate::{SECOND_US, frame_at};

/// A virtual set-top box. Every call takes the time, in microseconds of the box's clock; one that lies before the latest counts as the latest.
///
/// A clone is a box of its own with the same past and, given the same story, the same future.
#[derive(Clone, Debug)]
pub struct Stb {
    pub(crate) options: Arc<Options>,
    pub(crate) state: State,
    /// What the picture of a time shows, if something has changed since that picture came up.
    held: Option<(u64, Arc<State>)>,
    pub(crate) serial: Serial,
    pub(crate) track: Track,
    /// Everything up to here has happened.
    pub(crate) now_us: u64,
    /// The next second to be thrown for.
    pub(crate) second: u64,
}

impl Stb {
    /// A box that has been on for a while and shows its first channel, at this time of its clock. Options that make no sense
    /// ([`Options::check`]) do no harm: probabilities over 1 are 1, those below are 0.
    pub fn new(options: Options, now_us: u64) -> Self {
        let state = State::new(options.picture);
        let mut stb = Self {
            options: Arc::new(options),
            state,
            held: None,
            serial: Serial::default(),
            track: Track::default(),
            now_us,
            second: now_us / SECOND_US + 1,
        };
        stb.changed(now_us);
        stb
    }

    /// The box as it is, without what it has said and played so far: it shows what this one shows, now and, given the same story, later.
    /// Small, so that it can be kept for a look back.
    #[must_use]
    pub fn without_records(&self) -> Self {
        Self {
            options: Arc::clone(&self.options),
            state: self.state.clone(),
            held: self.held.clone(),
            serial: self.serial.forgotten(),
            track: Track::default(),
            now_us: self.now_us,
            second: self.second,
        }
    }

    /// The latest time that it was told.
    pub fn now_us(&self) -> u64 {
        self.now_us
    }

    /// Its options.
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// The channel that it is on, whether or not that is to be seen.
    pub fn channel(&self) -> Channel {
        channel(self.options.lineup, self.state.channel)
    }

    /// Takes keys and shows pictures.
    pub fn is_on(&self) -> bool {
        self.state.power == Power::On
    }

    /// Switches mains. Mains on starts the boot, as boxes do after a power cut; mains off is black at once.
    pub fn mains(&mut self, on: bool, now_us: u64) {
        let at = self.begin(now_us);
        match (on, self.state.power) {
            (true, Power::Off) => self.start(at, true),
            (false, Power::Off) | (true, _) => {}
            (false, _) => {
                self.end_recordings(at);
                self.state.forget();
                self.state.power = Power::Off;
            }
        }
        self.changed(at);
    }

    /// Presses a key of the remote control, by any of its names, or sends a command of a mobile device. `false` only when there is no mains: a
    /// remote control does not know whether it was heard.
    pub fn press(&mut self, key: &str, now_us: u64) -> bool {
        let at = self.begin(now_us);
        if self.state.power == Power::Off {
            return false;
        }
        self.state.keys += 1;
        if !self.key_is_lost() {
            keys::take(self, key, at);
            self.changed(at);
        }
        true
    }

    /// Bytes of the serial line: lines of commands (`help` lists them). Without mains they are lost.
    pub fn send(&mut self, bytes: &[u8], now_us: u64) {
        let at = self.begin(now_us);
        for byte in bytes {
            if matches!(self.state.power, Power::Standby | Power::On)
                && let Some(command) = self.serial.typed(*byte)
            {
                self.command(command.trim(), at);
            }
        }
        self.changed(at);
    }

    /// Orders a fault by its text, such as `freeze 5s`.
    ///
    /// # Errors
    /// [`FaultError`], which lists the faults.
    pub fn inject(&mut self, fault: &str, now_us: u64) -> Result<(), FaultError> {
        let fault = fault.parse::<Fault>()?;
        self.order(fault, now_us);
        Ok(())
    }

    /// Orders a fault.
    pub fn order(&mut self, fault: Fault, now_us: u64) {
        let at = self.begin(now_us);
        self.befall(fault, at);
        self.changed(at);
    }

    /// What is seen at this time. Cheap: the picture is drawn by [`View::draw`], without the box.
    pub fn look(&mut self, now_us: u64) -> View {
        let at = self.advance(now_us);
        let frame_us = frame_at(at);
        View::new(Arc::clone(&self.options), self.seen(frame_us), frame_us)
    }

    /// What is heard from a time on, at 48 kHz in stereo. A time that is yet to come sounds as if nobody touched the box until then. `None`: that
    /// far back is not kept, or more than a minute was asked for.
    pub fn sound(&self, from_us: u64, length_us: u64) -> Option<Sound> {
        let end_us = from_us.checked_add(length_us)?;
        if length_us > 60 * SECOND_US {
            return None;
        }
        if end_us <= self.now_us {
            return self.track.render(from_us, end_us);
        }
        let mut ahead = self.clone();
        ahead.advance(end_us);
        ahead.track.render(from_us, end_us)
    }

    /// Lines of the serial line since a look that ended at `from`; 0: all that is kept.
    pub fn serial_since(&mut self, from: u64, now_us: u64) -> News {
        self.advance(now_us);
        self.serial.since(from)
    }

    /// Everything up to now happens; what follows changes the box.
    fn begin(&mut self, now_us: u64) -> u64 {
        let at = self.advance(now_us);
        self.hold(at);
        at
    }

    /// What the picture of the present shows.
    pub(crate) fn seen(&self, frame_us: u64) -> Arc<State> {
        match &self.held {
            Some((held_us, state)) if *held_us == frame_us => Arc::clone(state),
            _ => Arc::new(self.state.clone()),
        }
    }

    /// Keeps what the picture shows that is up: a change shows with the next one, unless it comes together with a picture.
    pub(crate) fn hold(&mut self, at_us: u64) {
        let frame_us = frame_at(at_us);
        if at_us > frame_us && self.held.as_ref().is_none_or(|(held_us, _)| *held_us != frame_us) {
            self.held = Some((frame_us, Arc::new(self.state.clone())));
        }
    }

    /// After a change: what is heard from now on.
    pub(crate) fn changed(&mut self, at_us: u64) {
        let heard = self.heard();
        self.track.note(at_us, heard);
    }

    pub(crate) fn say(&mut self, at_us: u64, text: impl AsRef<str>) {
        self.serial.say(at_us, text.as_ref());
    }

    /// From mains or standby towards live pictures.
    pub(crate) fn start(&mut self, at_us: u64, cold: bool) {
        self.state.forget();
        let time_us = if cold { self.options.boot_us() } else { self.options.wake_us() };
        self.state.power = Power::Starting { since_us: at_us, until_us: at_us + time_us, cold, said: 0 };
        if !cold {
            self.say(at_us, "wake up");
        }
    }

    pub(crate) fn sleep(&mut self, at_us: u64) {
        self.state.forget();
        self.state.power = Power::Standby;
        self.say(at_us, "standby");
    }

    /// Changes to a position of the line-up.
    pub(crate) fn zap(&mut self, to: usize, at_us: u64) {
        let (to, gap_us) = self.zap_fate(to);
        self.state.zaps += 1;
        self.state.former = self.state.channel;
        self.state.channel = to;
        self.state.zap = Some(Zap { at_us, until_us: at_us + gap_us });
        self.state.screen = Screen::Live;
        self.state.shift = Shift::default();
        self.state.playing = None;
        self.state.digits = None;
        self.state.banner_until_us = 0;
        let Channel { number, name, .. } = self.channel();
        self.say(at_us, format!("zap {number} {name}"));
    }

    pub(crate) fn show_banner(&mut self, at_us: u64) {
        self.state.banner_until_us = at_us + self.state.settings.banner_us();
    }

    /// Digits have waited long enough, or `Ok` was pressed.
    pub(crate) fn dial(&mut self, Digits { number, .. }: Digits, at_us: u64) {
        self.state.digits = None;
        match crate::lineup::position(number) {
            Some(to) => self.zap(to, at_us),
            None => self.say(at_us, format!("error: there is no channel {number}")),
        }
    }

    pub(crate) fn on_air(&self, channel: usize, at_us: u64) -> Programme {
        programme(self.options.lineup, channel, at_us)
    }

    /// Size of its pictures now.
    pub fn picture_size(&self) -> Size {
        self.state.settings.picture
    }
}

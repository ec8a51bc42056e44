//! Recordings: made by the record key, kept in a list, played.

use std::sync::Arc;

use crate::SECOND_US;
use crate::keys::{Key, step};
use crate::lineup::channel;
use crate::programme::{clock, programme};
use crate::state::Screen;
use crate::stb::Stb;

/// Recordings that fit on the disk.
const MOST: usize = 20;
/// How far a press skips in a recording.
const SKIP_US: u64 = 30 * SECOND_US;

/// One recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Recording {
    /// Position in the line-up.
    pub(crate) channel: usize,
    pub(crate) start_us: u64,
    /// When it ended, or will end by itself.
    pub(crate) end_us: u64,
    pub(crate) running: bool,
}

impl Recording {
    /// So much of it is there.
    pub(crate) fn length_us(self, at_us: u64) -> u64 {
        self.end_us.min(at_us).saturating_sub(self.start_us)
    }

    pub(crate) fn title(self, lineup: u64) -> &'static str {
        programme(lineup, self.channel, self.start_us).title
    }
}

/// What is on the disk, the newest first.
#[derive(Clone, Debug, Default)]
pub(crate) struct Recordings(pub(crate) Vec<Recording>);

impl Recordings {
    pub(crate) fn next_end_us(&self) -> Option<u64> {
        self.0.iter().filter(|recording| recording.running).map(|recording| recording.end_us).min()
    }
}

/// A recording that plays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Playing {
    pub(crate) recording: Recording,
    from_us: u64,
    since_us: u64,
    /// 0: it stands still; below: backwards.
    pub(crate) speed: i64,
}

impl Playing {
    /// Where in the recording it is.
    pub(crate) fn position(&self, at_us: u64) -> u64 {
        let passed = i64::try_from(at_us.saturating_sub(self.since_us)).unwrap_or(i64::MAX);
        let length_us = self.recording.length_us(at_us);
        self.from_us.saturating_add_signed(passed.saturating_mul(self.speed)).min(length_us)
    }

    /// What time of the channel is shown.
    pub(crate) fn content(&self, at_us: u64) -> u64 {
        self.recording.start_us + self.position(at_us)
    }

    /// How far the channel's time lies ahead of the box's clock, at plain speed.
    pub(crate) fn ahead_us(&self) -> i64 {
        (self.recording.start_us + self.from_us) as i64 - self.since_us as i64
    }

    /// When it comes to its end, or to its beginning.
    pub(crate) fn end_us(&self) -> Option<u64> {
        let speed = self.speed.unsigned_abs();
        match self.speed {
            0 => None,
            // One that runs grows as fast as it is played.
            1 if self.recording.running => None,
            1.. => {
                let left_us = self.recording.length_us(u64::MAX).saturating_sub(self.from_us);
                Some(self.since_us + left_us.div_ceil(speed))
            }
            _ => Some(self.since_us + self.from_us.div_ceil(speed)),
        }
    }

    fn at(&self, position_us: u64, speed: i64, at_us: u64) -> Self {
        let from_us = position_us.min(self.recording.length_us(at_us));
        Self { recording: self.recording, from_us, since_us: at_us, speed }
    }
}

impl Stb {
    /// Begins to record what is on until its programme ends; ends that if it is under way.
    pub(crate) fn record(&mut self, at_us: u64) {
        let index = self.state.channel;
        let running = |recording: &Recording| recording.running && recording.channel == index;
        if self.state.recordings.0.iter().any(running) {
            return self.end_which(at_us, |recording| recording.channel == index);
        }
        if self.state.recordings.0.len() == MOST {
            return self.say(at_us, "error: disk full, no recording made");
        }
        let shown = self.on_air(index, at_us);
        let recording = Recording { channel: index, start_us: at_us, end_us: shown.end_us, running: true };
        Arc::make_mut(&mut self.state.recordings).0.insert(0, recording);
        let tuned = channel(self.options.lineup, index);
        self.say(at_us, format!("record {} {}: {}", tuned.number, tuned.name, shown.title));
        self.show_banner(at_us);
    }

    fn end_which(&mut self, at_us: u64, which: impl Fn(&Recording) -> bool) {
        for recording in &mut Arc::make_mut(&mut self.state.recordings).0 {
            if recording.running && which(recording) {
                recording.running = false;
                recording.end_us = recording.end_us.min(at_us);
                let seconds = recording.length_us(at_us) / SECOND_US;
                let title = recording.title(self.options.lineup);
                // What plays of it knows its end now.
                if let Some(playing) = &mut self.state.playing
                    && (playing.recording.channel, playing.recording.start_us)
                        == (recording.channel, recording.start_us)
                {
                    playing.recording = *recording;
                }
                self.serial.say(at_us, &format!("recorded {title}, {seconds} s"));
            }
        }
    }

    /// Power goes.
    pub(crate) fn end_recordings(&mut self, at_us: u64) {
        self.end_which(at_us, |_| true);
    }

    /// The programme is over.
    pub(crate) fn recording_ends(&mut self, at_us: u64) {
        self.end_which(at_us, |recording| recording.end_us <= at_us);
    }

    pub(crate) fn recordings_key(&mut self, key: Key, selected: usize, at_us: u64) {
        let count = self.state.recordings.0.len();
        match key {
            Key::Up | Key::Down => {
                self.state.screen = Screen::Recordings { selected: step(selected, count, key == Key::Down) };
            }
            Key::Back | Key::Left => self.state.screen = Screen::Menu { selected: 2 },
            Key::Ok | Key::Play | Key::PlayPause => self.play(selected, at_us),
            Key::Red if selected < count => {
                let gone = Arc::make_mut(&mut self.state.recordings).0.remove(selected);
                self.state.screen = Screen::Recordings { selected: selected.min(count.saturating_sub(2)) };
                self.say(at_us, format!("deleted {}", gone.title(self.options.lineup)));
            }
            Key::Stop => self.end_which_selected(selected, at_us),
            _ => {}
        }
    }

    fn end_which_selected(&mut self, selected: usize, at_us: u64) {
        if let Some(chosen) = self.state.recordings.0.get(selected).copied() {
            self.end_which(at_us, |recording| *recording == chosen);
        }
    }

    fn play(&mut self, selected: usize, at_us: u64) {
        let Some(recording) = self.state.recordings.0.get(selected).copied() else { return };
        self.state.playing = Some(Playing { recording, from_us: 0, since_us: at_us, speed: 1 });
        self.state.zap = None;
        self.state.screen = Screen::Live;
        self.show_banner(at_us);
        self.say(at_us, format!("play {}", recording.title(self.options.lineup)));
    }

    pub(crate) fn playback_key(&mut self, key: Key, at_us: u64) {
        let Some(playing) = self.state.playing else { return };
        let (position_us, speed) = (playing.position(at_us), playing.speed);
        let next = match key {
            Key::Stop | Key::Back => return self.stop(at_us),
            Key::PlayPause if speed == 1 => playing.at(position_us, 0, at_us),
            Key::Pause => playing.at(position_us, 0, at_us),
            Key::Play | Key::PlayPause => playing.at(position_us, 1, at_us),
            Key::Forward => playing.at(position_us, if (2..8).contains(&speed) { speed * 2 } else { 2 }, at_us),
            Key::Rewind => playing.at(position_us, if (-7..-1).contains(&speed) { speed * 2 } else { -2 }, at_us),
            Key::Replay | Key::Left => playing.at(position_us.saturating_sub(SKIP_US), speed, at_us),
            Key::Advance | Key::Right => playing.at(position_us + SKIP_US, speed, at_us),
            Key::Ok | Key::Info => playing,
            _ => return,
        };
        if next.speed != speed {
            self.say(at_us, format!("playback speed {}", next.speed));
        }
        self.state.playing = Some(next);
        self.show_banner(at_us);
    }

    /// At its end it leads back to the list; at its beginning it plays on.
    pub(crate) fn playback_ends(&mut self, at_us: u64) {
        match self.state.playing {
            Some(playing) if playing.speed < 0 => self.state.playing = Some(playing.at(0, 1, at_us)),
            Some(_) => self.stop(at_us),
            None => {}
        }
    }

    fn stop(&mut self, at_us: u64) {
        self.state.playing = None;
        self.state.banner_until_us = 0;
        self.state.screen = Screen::Recordings { selected: 0 };
        self.say(at_us, "stop");
    }

    pub(crate) fn recording_words(&self, selected: usize, at_us: u64) -> String {
        self.state.recordings.0.get(selected).map_or_else(
            || "nothing".to_owned(),
            |recording| {
                let seconds = recording.length_us(at_us) / SECOND_US;
                let running = if recording.running { ", running" } else { "" };
                let title = recording.title(self.options.lineup);
                format!("{title}, {}, {seconds} s{running}", clock(recording.start_us))
            },
        )
    }
}

//! What is heard: a tone for each channel, clicks of keys in menus, and what was heard before.

use std::collections::VecDeque;
use std::sync::OnceLock;

use headend_media::Sound;

use crate::lineup::{Style, channel};
use crate::state::{Power, Screen};
use crate::stb::Stb;

/// Samples per second and side.
pub const RATE: u32 = 48_000;

/// Changes that are kept: some minutes of a busy box.
const CHANGES: usize = 256;
const CLICKS: usize = 64;
/// Samples of a click: 15 ms.
const CLICK: u64 = 720;
const CLICK_HZ: u64 = 2_500;
/// Of a tone at full volume: half of full scale.
const LOUD: f64 = 16_384.0;
/// How long the test card beeps at each full second, and flashes: three pictures.
pub(crate) const BEEP_US: u64 = 120_000;

/// What is heard while nothing changes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Heard {
    /// Tones of both sides, in hertz, and whether they are loud at full seconds only; `None`: silence.
    tones: Option<([u32; 2], bool)>,
    /// 0 to 100.
    volume: u8,
    /// What lies between the box's clock and that of what is played.
    ahead_us: i64,
}

/// What was heard and is kept.
#[derive(Clone, Debug, Default)]
pub(crate) struct Track {
    changes: VecDeque<(u64, Heard)>,
    /// When keys clicked.
    clicks: VecDeque<(u64, u8)>,
    /// Something was forgotten.
    cut: bool,
}

impl Track {
    pub(crate) fn note(&mut self, at_us: u64, heard: Heard) {
        if self.changes.back().is_some_and(|(_, last)| *last == heard) {
            return;
        }
        if self.changes.len() == CHANGES {
            self.changes.pop_front();
            self.cut = true;
        }
        self.changes.push_back((at_us, heard));
    }

    pub(crate) fn click(&mut self, at_us: u64, volume: u8) {
        if self.clicks.len() == CLICKS {
            self.clicks.pop_front();
        }
        self.clicks.push_back((at_us, volume));
    }

    /// Before the first change there was silence, unless that is forgotten.
    pub(crate) fn render(&self, from_us: u64, end_us: u64) -> Option<Sound> {
        if self.cut && self.changes.front().is_some_and(|(at_us, _)| from_us < *at_us) {
            return None;
        }
        let (first, end) = (sample_at(from_us), sample_at(end_us));
        let mut samples = vec![0_i16; (end - first) as usize * 2];
        for (place, (at_us, heard)) in self.changes.iter().enumerate() {
            let until = self.changes.get(place + 1).map_or(end, |(next_us, _)| sample_at(*next_us)).min(end);
            let begin = sample_at(*at_us).max(first);
            if begin < until {
                heard.render(begin, &mut samples[(begin - first) as usize * 2..(until - first) as usize * 2]);
            }
        }
        for (at_us, volume) in &self.clicks {
            click(sample_at(*at_us), *volume, first, &mut samples);
        }
        Sound::new(RATE, 2, samples)
    }
}

impl Heard {
    fn render(self, first: u64, samples: &mut [i16]) {
        let Some((hertz, beeps)) = self.tones else { return };
        let rate = u64::from(RATE);
        let ahead = self.ahead_us * i64::from(RATE / 1_000) / 1_000;
        // What is played keeps its own time: a tone does not jump when it is asked for piece by piece.
        let first = first.wrapping_add_signed(ahead).wrapping_add(rate * 3_600 * 24 * 365);
        let table = sine();
        let mut phases = hertz.map(|hertz| (u64::from(hertz) * (first % rate) % rate) as u32);
        let beep = BEEP_US * rate / 1_000_000;
        for (index, pair) in samples.chunks_exact_mut(2).enumerate() {
            let quiet = beeps && (first + index as u64) % rate >= beep;
            let volume = i32::from(self.volume) / if quiet { 10 } else { 1 };
            for ((sample, phase), hertz) in pair.iter_mut().zip(&mut phases).zip(hertz) {
                *sample = (i32::from(table[*phase as usize]) * volume / 100) as i16;
                *phase += hertz;
                if *phase >= RATE {
                    *phase -= RATE;
                }
            }
        }
    }
}

fn click(at: u64, volume: u8, first: u64, samples: &mut [i16]) {
    for step in first.saturating_sub(at)..CLICK {
        let Some(place) = (at + step).checked_sub(first).map(|place| place as usize * 2) else { continue };
        let Some(pair) = samples.get_mut(place..place + 2) else { return };
        let value = i32::from(sine()[(step * CLICK_HZ % u64::from(RATE)) as usize]);
        let value = value * (CLICK - step) as i32 / CLICK as i32 * i32::from(volume) / 100;
        for sample in pair {
            *sample = sample.saturating_add(value as i16);
        }
    }
}

/// The first sample that is not before a time.
fn sample_at(at_us: u64) -> u64 {
    (u128::from(at_us) * u128::from(RATE)).div_ceil(1_000_000) as u64
}

/// One turn of a sine in `RATE` steps: a tone of n hertz takes every nth.
fn sine() -> &'static [i16] {
    static TABLE: OnceLock<Box<[i16]>> = OnceLock::new();
    TABLE.get_or_init(|| {
        let step = std::f64::consts::TAU / f64::from(RATE);
        (0..RATE).map(|at| ((f64::from(at) * step).sin() * LOUD).round() as i16).collect()
    })
}

impl Stb {
    /// What is heard in the state that it is in.
    pub(crate) fn heard(&self) -> Heard {
        let state = &self.state;
        let volume = if state.muted { 0 } else { state.volume };
        if state.power != Power::On || state.faults.is_silent() || state.zap.is_some() || volume == 0 {
            return Heard::default();
        }
        let (index, ahead_us) = match state.playing {
            Some(playing) if playing.speed == 1 => (playing.recording.channel, playing.ahead_us()),
            Some(_) => return Heard::default(),
            None if state.shift.paused_us.is_some() => return Heard::default(),
            None => (state.channel, -(state.shift.delay_us as i64)),
        };
        let tuned = channel(self.options.lineup, index);
        let tones =
            if state.faults.is_swapped() { [tuned.right_hz, tuned.left_hz] } else { [tuned.left_hz, tuned.right_hz] };
        let ahead_us = ahead_us - state.faults.late_us as i64;
        Heard { tones: Some((tones, tuned.style == Style::TestCard)), volume, ahead_us }
    }

    /// A key in a menu.
    pub(crate) fn click(&mut self, at_us: u64) {
        let state = &self.state;
        if state.power == Power::On && !state.muted && state.screen != Screen::Live && !state.faults.is_silent() {
            self.track.click(at_us, state.volume);
        }
    }
}

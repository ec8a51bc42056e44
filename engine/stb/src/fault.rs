//! What goes wrong on order or by chance.

use std::str::FromStr;
use std::sync::Arc;

use crate::chance::{Stream, throw};
use crate::serial::plain;
use crate::state::{Power, State};
use crate::stb::Stb;
use crate::{SECOND_US, frame_at};

/// Time from one line of noise to the next.
const NOISE_US: u64 = 20_000;
/// Longest time of a fault.
const LONGEST_US: u64 = 86_400 * SECOND_US;

/// What a box can be made to do wrong. As text: [`Fault::from_str`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "`for_us` is how long in microseconds; the rest says what it counts")]
pub enum Fault {
    /// `freeze 5s`: the picture stands still; sound and keys go on.
    Freeze { for_us: u64 },
    /// `black 3s`: the whole picture is black; sound goes on.
    Black { for_us: u64 },
    /// `no-signal 10s`: a picture that says so in place of the channel, and silence.
    NoSignal { for_us: u64 },
    /// `macroblocks 4s`: damaged blocks in the picture of the channel.
    Macroblocks { for_us: u64 },
    /// `silence 5s`: no sound; the picture goes on.
    Silence { for_us: u64 },
    /// `swap-sound 5s`: left is right.
    SwapSound { for_us: u64 },
    /// `late-sound 200ms`: the sound lags behind by so much, until `clear`.
    LateSound { by_us: u64 },
    /// `crash`: it stops dead and boots.
    Crash,
    /// `lose-key 2`: the next keys are not heard.
    LoseKey { keys: u32 },
    /// `slow-zap 3s x2`: the next zaps are black for so long.
    SlowZap { gap_us: u64, zaps: u32 },
    /// `wrong-channel 1`: the next zaps land on the channel after.
    WrongChannel { zaps: u32 },
    /// `serial-noise 20`: so many lines of noise.
    SerialNoise { lines: u32 },
    /// `clear`: all is well again.
    Clear,
}

/// Why a fault was not ordered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{text:?} is no fault of a virtual box; there are: freeze 5s, black 3s, no-signal 10s, macroblocks 4s, silence 5s, swap-sound 5s, \
     late-sound 200ms, crash, lose-key 2, slow-zap 3s x2, wrong-channel 1, serial-noise 20, clear (times in s or ms, at most a day)"
)]
pub struct FaultError {
    text: String,
}

impl FromStr for Fault {
    type Err = FaultError;

    fn from_str(text: &str) -> Result<Self, FaultError> {
        parse(text).ok_or_else(|| FaultError { text: plain(text) })
    }
}

fn parse(text: &str) -> Option<Fault> {
    let mut words = text.split_whitespace();
    let (name, first, second) = (words.next()?, words.next(), words.next());
    if words.next().is_some() || second.is_some() && name != "slow-zap" {
        return None;
    }
    let time = || first.map_or(Some(5 * SECOND_US), time);
    let many = |text: Option<&str>| text.map_or(Some(1), |text| text.trim_start_matches('x').parse().ok());
    Some(match name {
        "freeze" => Fault::Freeze { for_us: time()? },
        "black" => Fault::Black { for_us: time()? },
        "no-signal" => Fault::NoSignal { for_us: time()? },
        "macroblocks" => Fault::Macroblocks { for_us: time()? },
        "silence" => Fault::Silence { for_us: time()? },
        "swap-sound" => Fault::SwapSound { for_us: time()? },
        "late-sound" => Fault::LateSound { by_us: time()? },
        "slow-zap" => Fault::SlowZap { gap_us: time()?, zaps: many(second)? },
        "lose-key" => Fault::LoseKey { keys: many(first)? },
        "wrong-channel" => Fault::WrongChannel { zaps: many(first)? },
        "serial-noise" => Fault::SerialNoise { lines: first.map_or(Some(20), |text| text.parse().ok())? },
        "crash" if first.is_none() => Fault::Crash,
        "clear" if first.is_none() => Fault::Clear,
        _ => return None,
    })
}

/// `5s`, `0.5s`, `200ms`, `2m`, or a number of seconds.
fn time(text: &str) -> Option<u64> {
    let (number, unit_us) = if let Some(number) = text.strip_suffix("ms") {
        (number, 1_000.0)
    } else if let Some(number) = text.strip_suffix('m') {
        (number, 60e6)
    } else {
        (text.strip_suffix('s').unwrap_or(text), 1e6)
    };
    let us = number.parse::<f64>().ok()? * unit_us;
    (us >= 1.0 && us <= LONGEST_US as f64).then_some(us as u64)
}

/// A picture that stands still.
#[derive(Clone, Debug)]
pub(crate) struct Frozen {
    until_us: u64,
    pub(crate) frame_us: u64,
    pub(crate) state: Arc<State>,
}

/// The faults that a box has now.
#[derive(Clone, Debug, Default)]
pub(crate) struct Faults {
    pub(crate) frozen: Option<Frozen>,
    black_us: u64,
    no_signal_us: u64,
    macroblocks_us: u64,
    silence_us: u64,
    swap_us: u64,
    pub(crate) late_us: u64,
    lose_keys: u32,
    slow_zaps: Option<(u32, u64)>,
    wrong_channels: u32,
    noise: Option<(u32, u64)>,
}

impl Faults {
    pub(crate) fn is_black(&self) -> bool {
        self.black_us > 0
    }

    pub(crate) fn has_no_signal(&self) -> bool {
        self.no_signal_us > 0
    }

    pub(crate) fn has_macroblocks(&self) -> bool {
        self.macroblocks_us > 0
    }

    pub(crate) fn is_silent(&self) -> bool {
        self.silence_us > 0 || self.no_signal_us > 0
    }

    pub(crate) fn is_swapped(&self) -> bool {
        self.swap_us > 0
    }

    /// When the first of those ends that end by themselves; 0 stands for what is not there.
    pub(crate) fn next_end_us(&self) -> Option<u64> {
        let frozen = self.frozen.as_ref().map_or(0, |frozen| frozen.until_us);
        let ends = [frozen, self.black_us, self.macroblocks_us, self.silence_us, self.swap_us];
        ends.into_iter().filter(|end_us| *end_us > 0).min()
    }

    pub(crate) fn end_at(&mut self, at_us: u64) {
        self.frozen.take_if(|frozen| frozen.until_us <= at_us);
        let ends = [&mut self.black_us, &mut self.macroblocks_us, &mut self.silence_us, &mut self.swap_us];
        ends.into_iter().filter(|end_us| **end_us <= at_us).for_each(|end_us| *end_us = 0);
    }

    pub(crate) fn signal_us(&self) -> Option<u64> {
        (self.no_signal_us > 0).then_some(self.no_signal_us)
    }

    pub(crate) fn noise_us(&self) -> Option<u64> {
        self.noise.map(|(_, at_us)| at_us)
    }

    pub(crate) fn lose_a_key(&mut self) -> bool {
        take_one(&mut self.lose_keys)
    }

    pub(crate) fn miss_a_channel(&mut self) -> bool {
        take_one(&mut self.wrong_channels)
    }

    pub(crate) fn slow_a_zap(&mut self) -> Option<u64> {
        let (zaps, gap_us) = self.slow_zaps?;
        self.slow_zaps = (zaps > 1).then_some((zaps - 1, gap_us));
        Some(gap_us)
    }
}

fn take_one(left: &mut u32) -> bool {
    let any = *left > 0;
    *left = left.saturating_sub(1);
    any
}

impl Stb {
    pub(crate) fn befall(&mut self, fault: Fault, at_us: u64) {
        match fault {
            Fault::Freeze { for_us } => self.freeze(at_us + for_us, at_us),
            Fault::Black { for_us } => self.state.faults.black_us = at_us + for_us,
            Fault::NoSignal { for_us } => {
                self.state.faults.no_signal_us = at_us + for_us;
                self.report(at_us, "error: tuner 0 has lost its signal");
            }
            Fault::Macroblocks { for_us } => {
                self.state.faults.macroblocks_us = at_us + for_us;
                self.report(at_us, "error: decoder: damaged blocks");
            }
            Fault::Silence { for_us } => self.state.faults.silence_us = at_us + for_us,
            Fault::SwapSound { for_us } => self.state.faults.swap_us = at_us + for_us,
            Fault::LateSound { by_us } => self.state.faults.late_us = by_us,
            Fault::Crash => self.crash(at_us),
            Fault::LoseKey { keys } => self.state.faults.lose_keys = keys,
            Fault::SlowZap { gap_us, zaps } => {
                self.state.faults.slow_zaps = (zaps > 0).then_some((zaps, gap_us));
            }
            Fault::WrongChannel { zaps } => self.state.faults.wrong_channels = zaps,
            Fault::SerialNoise { lines } => self.state.faults.noise = (lines > 0).then_some((lines, at_us)),
            Fault::Clear => self.state.faults = Faults::default(),
        }
    }

    /// On the serial line, if the box runs.
    fn report(&mut self, at_us: u64, text: &str) {
        if self.state.power == Power::On {
            self.say(at_us, text);
        }
    }

    /// One that is frozen already shows what it showed.
    fn freeze(&mut self, until_us: u64, at_us: u64) {
        let frozen = self.state.faults.frozen.take().map_or_else(
            || Frozen { until_us, frame_us: frame_at(at_us), state: self.seen(frame_at(at_us)) },
            |frozen| Frozen { until_us, ..frozen },
        );
        self.state.faults.frozen = Some(frozen);
    }

    fn crash(&mut self, at_us: u64) {
        if self.state.power == Power::Off {
            return;
        }
        self.say(at_us, "kernel panic: unable to handle access to 00000010");
        self.say(at_us, "rebooting");
        self.end_recordings(at_us);
        self.state.faults.frozen = None;
        self.start(at_us, true);
    }

    pub(crate) fn signal_is_back(&mut self, at_us: u64) {
        self.state.faults.no_signal_us = 0;
        self.report(at_us, "tuner 0 has a signal");
    }

    /// Letters and signs as a bad cable makes them.
    pub(crate) fn noise(&mut self, at_us: u64) {
        let Some((left, _)) = self.state.faults.noise else { return };
        self.state.faults.noise = (left > 1).then_some((left - 1, at_us + NOISE_US));
        let mut bits = throw(self.options.seed, Stream::Noise, at_us);
        let mut text = String::new();
        for _ in 0..8 + bits % 40 {
            bits = crate::chance::scramble(bits.wrapping_add(1));
            text.push(char::from(33 + (bits % 94) as u8));
        }
        self.say(at_us, text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_read_from_text() {
        let good = [
            ("freeze 5s", Fault::Freeze { for_us: 5_000_000 }),
            ("freeze", Fault::Freeze { for_us: 5_000_000 }),
            ("black 0.5s", Fault::Black { for_us: 500_000 }),
            ("no-signal 10", Fault::NoSignal { for_us: 10_000_000 }),
            ("late-sound 200ms", Fault::LateSound { by_us: 200_000 }),
            ("slow-zap 3s x2", Fault::SlowZap { gap_us: 3_000_000, zaps: 2 }),
            ("slow-zap 3s", Fault::SlowZap { gap_us: 3_000_000, zaps: 1 }),
            ("lose-key 2", Fault::LoseKey { keys: 2 }),
            ("serial-noise 20", Fault::SerialNoise { lines: 20 }),
            (" crash ", Fault::Crash),
        ];
        for (text, fault) in good {
            assert_eq!(text.parse(), Ok(fault), "{text}");
        }
        for text in [
            "",
            "explode",
            "freeze -1s",
            "freeze nan",
            "freeze 1e30s",
            "crash now",
            "lose-key many",
            "black 1s 2s",
            "slow-zap 1s x2 x3",
        ] {
            let error = text.parse::<Fault>().unwrap_err().to_string();
            assert!(error.contains("slow-zap 3s x2") && error.contains("clear"), "{error}");
        }
    }
}

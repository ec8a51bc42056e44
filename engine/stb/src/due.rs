//! What comes by itself, in the order in which it comes.

use crate::chance::{Stream, happens, throw};
use crate::fault::Fault;
use crate::state::{Power, State};
use crate::stb::Stb;
use crate::{CHANNELS, SECOND_US};

/// How long typed digits wait for more.
const DIGITS_US: u64 = 1_500_000;

/// Said while it boots, and how far the boot has got by then, in thousandths.
const BOOT: [(u64, &str); 8] = [
    (0, "boot: headend stb, loader 2.1"),
    (40, "boot: memory 512 MiB, flash 256 MiB, ok"),
    (120, "boot: kernel 5.10.0, 2 cores"),
    (300, "boot: file systems mounted"),
    (450, "boot: tuner 0 ready, tuner 1 ready"),
    (600, "boot: network up, 192.0.2.17"),
    (750, "boot: reading the programme guide"),
    (900, "boot: user interface"),
];

#[derive(Clone, Copy)]
enum Due {
    BootLine(usize),
    Started,
    Tuned,
    Dialled,
    PlayEnds,
    RecordingEnds,
    Noise,
    Signal,
    FaultEnds,
    Second,
}

impl Stb {
    /// Lets everything happen that is due by now, which is what all other calls do first; gives the time that it is now.
    pub fn advance(&mut self, now_us: u64) -> u64 {
        let now_us = now_us.max(self.now_us);
        while let Some((at_us, due)) = self.next_due().filter(|(at_us, _)| *at_us <= now_us) {
            let at_us = at_us.max(self.now_us);
            self.now_us = at_us;
            // A second in which nothing happens is no change.
            if !matches!(due, Due::Second | Due::Noise | Due::BootLine(_)) {
                self.hold(at_us);
            }
            self.happen(due, at_us);
            self.changed(at_us);
        }
        self.now_us = now_us;
        now_us
    }

    /// What comes first of all that is to come.
    fn next_due(&self) -> Option<(u64, Due)> {
        let state = &self.state;
        let own = [
            state.zap.map(|zap| (zap.until_us, Due::Tuned)),
            state.digits.map(|digits| (digits.at_us + DIGITS_US, Due::Dialled)),
            state.playing.and_then(|playing| playing.end_us()).map(|at_us| (at_us, Due::PlayEnds)),
            state.recordings.next_end_us().map(|at_us| (at_us, Due::RecordingEnds)),
            state.faults.noise_us().map(|at_us| (at_us, Due::Noise)),
            state.faults.signal_us().map(|at_us| (at_us, Due::Signal)),
            state.faults.next_end_us().map(|at_us| (at_us, Due::FaultEnds)),
            self.next_second(),
            starting(state),
        ];
        own.into_iter().flatten().min_by_key(|(at_us, _)| *at_us)
    }

    fn happen(&mut self, due: Due, at_us: u64) {
        match due {
            Due::BootLine(line) => self.boot_line(line, at_us),
            Due::Started => {
                self.state.power = Power::On;
                self.show_banner(at_us);
                let channel = self.channel();
                self.say(at_us, format!("live {} {}", channel.number, channel.name));
            }
            Due::Tuned => {
                if let Some(zap) = self.state.zap.take() {
                    self.show_banner(at_us);
                    self.say(at_us, format!("tuned in {} ms", (at_us - zap.at_us) / 1_000));
                }
            }
            Due::Dialled => {
                if let Some(digits) = self.state.digits {
                    self.dial(digits, at_us);
                }
            }
            Due::PlayEnds => self.playback_ends(at_us),
            Due::RecordingEnds => self.recording_ends(at_us),
            Due::Noise => self.noise(at_us),
            Due::Signal => self.signal_is_back(at_us),
            Due::FaultEnds => self.state.faults.end_at(at_us),
            Due::Second => self.second_passes(at_us),
        }
    }

    fn boot_line(&mut self, line: usize, at_us: u64) {
        if let Power::Starting { said, .. } = &mut self.state.power {
            *said = line + 1;
            self.say(at_us, BOOT[line].1);
        }
    }

    fn next_second(&self) -> Option<(u64, Due)> {
        let any = self.state.power == Power::On && self.options.chances.of_seconds().iter().any(|chance| *chance > 0.0);
        any.then_some((self.second.saturating_mul(SECOND_US), Due::Second))
    }

    /// Throws for each thing that may happen in this second.
    fn second_passes(&mut self, at_us: u64) {
        self.second = at_us / SECOND_US + 1;
        let (seed, chances) = (self.options.seed, self.options.chances.of_seconds());
        for (kind, chance) in chances.into_iter().enumerate() {
            let index = at_us / SECOND_US * chances.len() as u64 + kind as u64;
            if happens(chance, throw(seed, Stream::Second, index)) {
                let length_us = SECOND_US + throw(seed, Stream::Length, index) % 100 * FRAME_STEP_US;
                self.hold(at_us);
                self.befall(by_chance(kind, length_us), at_us);
            }
        }
    }

    /// Whether this key does not get through.
    pub(crate) fn key_is_lost(&mut self) -> bool {
        let by_order = self.state.faults.lose_a_key();
        let thrown = throw(self.options.seed, Stream::LoseKey, self.state.keys);
        by_order || happens(self.options.chances.lose_key, thrown)
    }

    /// Where a zap leads and how long it is black.
    pub(crate) fn zap_fate(&mut self, to: usize) -> (usize, u64) {
        let (seed, chances, zap) = (self.options.seed, self.options.chances, self.state.zaps);
        let wrong = self.state.faults.miss_a_channel()
            || happens(chances.wrong_channel, throw(seed, Stream::WrongChannel, zap));
        let slow = throw(seed, Stream::SlowZap, zap);
        let by_chance = if happens(chances.slow_zap, slow) { 2 * SECOND_US + slow % 75 * FRAME_STEP_US } else { 0 };
        let gap_us = self.state.faults.slow_a_zap().unwrap_or(self.options.zap_us() + by_chance);
        ((to + usize::from(wrong)) % CHANNELS, gap_us)
    }
}

/// Lengths by chance are whole pictures.
const FRAME_STEP_US: u64 = crate::FRAME_US;

/// In the order of `Chances::of_seconds`.
fn by_chance(kind: usize, for_us: u64) -> Fault {
    match kind {
        0 => Fault::Freeze { for_us },
        1 => Fault::Black { for_us },
        2 => Fault::NoSignal { for_us },
        3 => Fault::Macroblocks { for_us },
        4 => Fault::Silence { for_us },
        5 => Fault::Crash,
        _ => Fault::SerialNoise { lines: 10 },
    }
}

fn starting(state: &State) -> Option<(u64, Due)> {
    let Power::Starting { since_us, until_us, cold, said } = state.power else { return None };
    let line = BOOT.get(said).filter(|_| cold);
    Some(line.map_or((until_us, Due::Started), |(part, _)| {
        (since_us + (until_us - since_us) * part / 1_000, Due::BootLine(said))
    }))
}

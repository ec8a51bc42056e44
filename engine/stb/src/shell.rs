//! The little shell on the serial line.

use crate::SECOND_US;
use crate::lineup::position;
use crate::serial::plain;
use crate::state::Power;
use crate::stb::Stb;

const VERSION: &str = concat!("headend stb ", env!("CARGO_PKG_VERSION"), ", line-up of ");

impl Stb {
    /// A command and its answer.
    pub(crate) fn command(&mut self, command: &str, at_us: u64) {
        self.say(at_us, format!("> {}", plain(command)));
        let (name, rest) = command.split_once(' ').unwrap_or((command, ""));
        let rest = rest.trim();
        match (name, rest) {
            ("help", _) => self.say(at_us, "help, status, version, channel N, key NAME, standby, wake, reboot"),
            ("status", _) => {
                let status = self.status(at_us);
                self.say(at_us, status);
            }
            ("version", _) => self.say(at_us, format!("{VERSION}{} channels", crate::CHANNELS)),
            ("channel", number) => match number.parse().ok().and_then(position) {
                Some(to) if self.is_on() => self.zap(to, at_us),
                Some(_) => self.say(at_us, "error: asleep; `wake` first"),
                None => self.say(at_us, format!("error: channel 1 to {}", crate::CHANNELS)),
            },
            ("key", key) if !key.is_empty() => crate::keys::take(self, key, at_us),
            ("standby", _) if self.is_on() => self.sleep(at_us),
            ("wake", _) if self.state.power == Power::Standby => self.start(at_us, false),
            ("standby" | "wake", _) => {}
            ("reboot", _) => {
                self.end_recordings(at_us);
                self.start(at_us, true);
            }
            _ => self.say(at_us, format!("error: unknown command {}; try help", plain(name))),
        }
    }

    fn status(&self, at_us: u64) -> String {
        let power = match self.state.power {
            Power::Off => "off",
            Power::Standby => "standby",
            Power::Starting { .. } => "starting",
            Power::On => "on",
        };
        let channel = self.channel();
        let screen = self.screen_words(at_us).unwrap_or_else(|| "Live TV".to_owned());
        format!(
            "status: {power}, channel {} {}, volume {}{}, {screen}, recordings {}, up {} s",
            channel.number,
            channel.name,
            self.state.volume,
            if self.state.muted { " muted" } else { "" },
            self.state.recordings.0.len(),
            at_us / SECOND_US,
        )
    }
}

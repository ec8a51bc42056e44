//! What runs on a channel and when, for all times.

use crate::SECOND_US;
use crate::chance::{Stream, throw};

/// Half an hour: programmes begin at full and at half hours.
pub(crate) const HALF_HOUR_US: u64 = 1_800 * SECOND_US;
/// Programmes do not run over the ends of these: six hours.
const BLOCK: u64 = 12;
/// Time of day when a box's clock shows 0: six in the evening.
const FIRST_MINUTE: u64 = 18 * 60;

const TITLES: [&str; 40] = [
    "Morning Show",
    "The Weather",
    "City Tales",
    "The Long Road",
    "Quiz Time",
    "Deep Blue",
    "Late Kitchen",
    "Night Train",
    "First Half",
    "World Report",
    "Old Friends",
    "Mountain Light",
    "Ten Songs",
    "The Workshop",
    "Lost Island",
    "Good Evening",
    "Bread and Salt",
    "Paper Boats",
    "Red Harbour",
    "Silent Valley",
    "Star Pilots",
    "Winter Garden",
    "Open House",
    "The Big Match",
    "Street Music",
    "Hidden Rooms",
    "Bright Ideas",
    "River People",
    "Small Wonders",
    "Second Chance",
    "Golden Years",
    "Road Stories",
    "Market Day",
    "Dark Water",
    "Family Table",
    "Wild Coast",
    "Studio Live",
    "Space Week",
    "Hello Monday",
    "Last Orders",
];

const ABOUT: [&str; 10] = [
    "Two friends meet again after many years.",
    "News and views from around the world.",
    "A journey along the quiet side of the coast.",
    "Eight players, one prize and a hard question.",
    "The best moments of the season so far.",
    "An old house tells its story at last.",
    "Simple dishes for a long evening at home.",
    "Music from small rooms and large halls.",
    "What lives below the ice when winter comes.",
    "A stranger arrives and everything changes.",
];

/// What runs on a channel for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Programme {
    /// When it begins, in microseconds of the box's clock.
    pub start_us: u64,
    /// When the next one begins.
    pub end_us: u64,
    /// As shown in banner and guide.
    pub title: &'static str,
    /// A sentence about it.
    pub about: &'static str,
}

impl Programme {
    /// How far it has got, 0 to 1,000.
    pub(crate) fn progress(&self, at_us: u64) -> u64 {
        at_us.saturating_sub(self.start_us).min(self.end_us - self.start_us) * 1_000 / (self.end_us - self.start_us)
    }
}

/// What runs on a channel (position in the line-up) at a time.
pub fn programme(lineup: u64, channel: usize, at_us: u64) -> Programme {
    let slot = at_us / HALF_HOUR_US;
    let end_of_block = (slot / BLOCK + 1) * BLOCK;
    let mut first = slot / BLOCK * BLOCK;
    loop {
        let thrown = throw(lineup, Stream::Programme, first * 1_000 + channel as u64);
        let length = [1, 1, 1, 2, 2, 3][(thrown % 6) as usize];
        let next = (first + length).min(end_of_block);
        if slot < next {
            return Programme {
                start_us: first * HALF_HOUR_US,
                end_us: next * HALF_HOUR_US,
                title: TITLES[(thrown >> 8) as usize % TITLES.len()],
                about: ABOUT[(thrown >> 40) as usize % ABOUT.len()],
            };
        }
        first = next;
    }
}

/// Time of day, such as `18:05`.
pub(crate) fn clock(at_us: u64) -> String {
    let minutes = (FIRST_MINUTE + at_us / (60 * SECOND_US)) % (24 * 60);
    format!("{:02}:{:02}", minutes / 60, minutes % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_programme_follows_the_other() {
        let mut at = 0;
        let mut lengths = std::collections::BTreeSet::new();
        for _ in 0..200 {
            let shown = programme(0, 3, at);
            assert_eq!(shown.start_us, at);
            assert_eq!(programme(0, 3, shown.end_us - 1), shown);
            lengths.insert((shown.end_us - shown.start_us) / HALF_HOUR_US);
            at = shown.end_us;
        }
        assert!(lengths.len() == 3, "{lengths:?}");
        assert_ne!(programme(0, 3, 0), programme(0, 4, 0));
    }

    #[test]
    fn the_clock_begins_in_the_evening() {
        assert_eq!((clock(0).as_str(), clock(7 * 2 * HALF_HOUR_US).as_str()), ("18:00", "01:00"));
    }
}

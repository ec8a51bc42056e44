//! What is kept of the past, as flags.

use std::time::Duration;

use headend_server::OccurrencesKept;

/// What became of occurrences of schedules: `headend schedule past`.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(crate) struct KeptArgs {
    /// Keep what became of the occurrences of schedules for so many days; 0: for ever.
    #[arg(long, value_name = "DAYS", default_value_t = 730)]
    occurrence_days: u32,
    /// Keep so many occurrences of each schedule, the newest; 0: all.
    #[arg(long, value_name = "N", default_value_t = 100_000)]
    occurrences: u32,
}

impl KeptArgs {
    pub(crate) fn occurrences(self) -> OccurrencesKept {
        let days = Duration::from_hours(u64::from(self.occurrence_days) * 24);
        OccurrencesKept {
            age: (!days.is_zero()).then_some(days),
            count: (self.occurrences > 0).then_some(self.occurrences),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_flags_default_to_what_the_server_does_and_0_is_no_bound() {
        let of = |occurrence_days, occurrences| KeptArgs { occurrence_days, occurrences }.occurrences();
        assert_eq!(of(730, 100_000), OccurrencesKept::default());
        assert_eq!(of(0, 0), OccurrencesKept { age: None, count: None });
    }
}

//! What is kept of runs, as flags.

use std::time::Duration;

use headend_server::Retention;
use headend_store::PerClass;

use super::quotas::size;

/// What runs leave, by class. A class goes at the latest with the one after it: video with logs, logs with numbers.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(crate) struct RetentionArgs {
    /// Keep films and film strips of runs for so long: 30d, 12h; 0: for ever.
    #[arg(long, value_name = "TIME", default_value = "0", value_parser = age, env = "HEADEND_KEEP_VIDEO")]
    keep_video: Duration,
    /// Keep logs, captures and all other files of runs for so long; 0: for ever.
    #[arg(long, value_name = "TIME", default_value = "0", value_parser = age, env = "HEADEND_KEEP_LOGS")]
    keep_logs: Duration,
    /// Keep steps and measurements of runs for so long; 0: for ever.
    #[arg(long, value_name = "TIME", default_value = "0", value_parser = age, env = "HEADEND_KEEP_NUMBERS")]
    keep_numbers: Duration,
    /// Keep so many bytes of films and film strips, the newest: 500MiB, 2TiB; 0: no bound.
    #[arg(long, value_name = "SIZE", default_value = "0", value_parser = size, env = "HEADEND_VIDEO_SPACE")]
    video_space: u64,
    /// Keep so many bytes of other files; 0: no bound.
    #[arg(long, value_name = "SIZE", default_value = "0", value_parser = size, env = "HEADEND_LOGS_SPACE")]
    logs_space: u64,
    /// Keep so many bytes of steps and measurements in the database; 0: no bound.
    #[arg(long, value_name = "SIZE", default_value = "0", value_parser = size, env = "HEADEND_NUMBERS_SPACE")]
    numbers_space: u64,
    /// Look for what is to go every so many milliseconds.
    #[arg(long, value_name = "MS", env = "HEADEND_RETENTION_MS", hide = true)]
    retention_ms: Option<u64>,
}

impl RetentionArgs {
    pub(crate) fn retention(self) -> Retention {
        let age = |age: Duration| (!age.is_zero()).then_some(age);
        let space = |bytes: u64| (bytes > 0).then_some(bytes);
        let usual = Retention::default();
        let asked = self.retention_ms.map(|ms| Duration::from_millis(ms.max(1)));
        Retention {
            age: PerClass { video: age(self.keep_video), logs: age(self.keep_logs), numbers: age(self.keep_numbers) },
            space: PerClass {
                video: space(self.video_space),
                logs: space(self.logs_space),
                numbers: space(self.numbers_space),
            },
            every: asked.unwrap_or(usual.every),
            first: asked.unwrap_or(usual.first),
        }
    }
}

/// A whole number of seconds, minutes, hours, days or weeks: `90s`, `30m`, `12h`, `30d`, `8w`.
fn age(text: &str) -> Result<Duration, String> {
    let remedy = || "write a whole number with s, m, h, d or w: 12h, 30d, 8w; 0: for ever".to_owned();
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, unit) = text.split_at(end);
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        "w" => 604_800,
        _ => return Err(remedy()),
    };
    let number: u64 = digits.parse().map_err(|_| remedy())?;
    // Not more than the clock's own range: some 290,000 years.
    number.checked_mul(seconds).filter(|all| *all < 1 << 43).map(Duration::from_secs).ok_or_else(remedy)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_have_units() {
        for (text, seconds) in
            [("0", 0), ("90s", 90), ("30m", 1_800), ("12h", 43_200), ("30d", 2_592_000), ("1w", 604_800)]
        {
            assert_eq!(age(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for bad in ["", "30", "d", "-1d", "1.5h", "3y", "99999999999999999999d", "9999999999999w"] {
            assert!(age(bad).is_err(), "{bad} was taken");
        }
    }
}

//! Times as people write them.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

/// `2h`, `3d`, `90m`, `30s`: so long ago. `2030-01-31`: the beginning of that day here. Else a time with its zone.
pub(super) fn parse(text: &str) -> Result<Timestamp, String> {
    parse_at(text, Timestamp::now(), &TimeZone::system())
}

fn parse_at(text: &str, now: Timestamp, zone: &TimeZone) -> Result<Timestamp, String> {
    let remedy = || "write 2h or 3d for so long ago, a day as 2030-01-31, or a time as 2030-01-31T08:00:00Z".to_owned();
    if let Some(ago) = ago(text) {
        return now.checked_sub(ago).map_err(|_| remedy());
    }
    if let Ok(at) = text.parse() {
        return Ok(at);
    }
    let day: Date = text.parse().map_err(|_| remedy())?;
    day.to_zoned(zone.clone()).map(|day| day.timestamp()).map_err(|_| remedy())
}

fn ago(text: &str) -> Option<SignedDuration> {
    let unit = text.chars().last()?;
    let number: i64 = text.strip_suffix(unit)?.parse().ok().filter(|number| *number >= 0)?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        'w' => 604_800,
        _ => return None,
    };
    number.checked_mul(seconds).map(SignedDuration::from_secs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_ago_days_and_exact_times() {
        let now: Timestamp = "2030-01-31T12:00:00Z".parse().unwrap();
        let at = |text: &str| parse_at(text, now, &TimeZone::UTC).map(|at| at.to_string());
        assert_eq!(at("2h").unwrap(), "2030-01-31T10:00:00Z");
        assert_eq!(at("1w").unwrap(), "2030-01-24T12:00:00Z");
        assert_eq!(at("2030-01-30").unwrap(), "2030-01-30T00:00:00Z");
        assert_eq!(at("2030-01-30T08:00:00+02:00").unwrap(), "2030-01-30T06:00:00Z");
        for bad in ["", "h", "-2h", "2y", "soon", "99999999999999999d", "2030-13-01", "ä"] {
            assert!(at(bad).is_err_and(|error| error.contains("2030-01-31")), "{bad}");
        }
    }
}

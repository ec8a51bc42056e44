//! Names of schedules, which people choose freely, and of time zones.

use crate::ids::{BadName, as_text};

/// Longest name of a schedule, in characters.
const MOST_CHARACTERS: usize = 128;
/// Longest name of a zone, in bytes.
const MOST_ZONE_BYTES: usize = 64;

/// The name of a schedule, as people write it: `a weekday schedule`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(try_from = "String", into = "String")
)]
pub struct ScheduleName(String);

impl ScheduleName {
    /// Checks and takes the name.
    ///
    /// # Errors
    /// [`BadName`] when it is empty, longer than 128 characters, starts or ends with a space, or has control characters.
    pub fn new(text: impl Into<String>) -> Result<Self, BadName> {
        let text = text.into();
        match schedule_problem(&text) {
            None => Ok(Self(text)),
            Some(problem) => {
                Err(bad("schedule", &text, problem, "1 to 128 printed characters, no space at either end"))
            }
        }
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn schedule_problem(text: &str) -> Option<&'static str> {
    if text.is_empty() {
        Some("is empty")
    } else if text.chars().count() > MOST_CHARACTERS {
        Some("is too long")
    } else if text.trim() != text {
        Some("starts or ends with a space")
    } else if text.chars().any(char::is_control) {
        Some("has a control character")
    } else {
        None
    }
}

/// The name of a time zone: of the IANA database (`Europe/Dublin`, `UTC`), or a fixed offset (`+02:00`).
///
/// Only the form is checked here; whether there is such a zone is known where its rules are.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(try_from = "String", into = "String")
)]
pub struct ZoneName(String);

impl ZoneName {
    /// Checks and takes the name.
    ///
    /// # Errors
    /// [`BadName`] when it is empty, longer than 64 bytes, or has other characters than `A-Z a-z 0-9 _ + - / :`.
    pub fn new(text: impl Into<String>) -> Result<Self, BadName> {
        let text = text.into();
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '+' | '-' | '/' | ':');
        let problem = if text.is_empty() {
            "is empty"
        } else if text.len() > MOST_ZONE_BYTES {
            "is too long"
        } else if !text.chars().all(plain) {
            "has a character that is not allowed"
        } else {
            return Ok(Self(text));
        };
        Err(bad(
            "time zone",
            &text,
            problem,
            "a name of the IANA database such as Europe/Dublin, or an offset such as +02:00",
        ))
    }

    /// Coordinated Universal Time.
    pub fn utc() -> Self {
        Self("UTC".to_owned())
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// East of Greenwich, in seconds, if this is `UTC` or a fixed offset: such a zone needs no rules.
    pub fn fixed_offset(&self) -> Option<i32> {
        if self.0 == "UTC" || self.0 == "Z" {
            return Some(0);
        }
        let (sign, rest) = match self.0.split_at_checked(1)? {
            ("+", rest) => (1, rest),
            ("-", rest) => (-1, rest),
            _ => return None,
        };
        let (hours, minutes) = rest.split_once(':')?;
        let digits = |text: &&str| text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
        let number = |text: &str| Some(text).filter(digits).and_then(|text| text.parse::<i32>().ok());
        let (hours, minutes) = (number(hours)?, number(minutes)?);
        (hours <= 23 && minutes <= 59).then_some(sign * (hours * 3_600 + minutes * 60))
    }
}

fn bad(kind: &'static str, text: &str, problem: &'static str, remedy: &'static str) -> BadName {
    BadName { kind, value: text.chars().take(80).collect(), problem, remedy }
}

as_text!(ScheduleName);
as_text!(ZoneName);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schedule_is_named_as_people_like() {
        assert!(ScheduleName::new("a weekday schedule (nightly, ü)").is_ok());
        for refused in ["", " x", "x ", "a\nb", &"a".repeat(129)] {
            assert!(ScheduleName::new(refused).is_err(), "{refused:?} was taken");
        }
        assert_eq!(
            ScheduleName::new("").unwrap_err().to_string(),
            "schedule name \"\" is empty; use 1 to 128 printed characters, no space at either end"
        );
    }

    #[test]
    fn offsets_are_zones_without_rules() {
        let offset = |text: &str| ZoneName::new(text).unwrap().fixed_offset();
        assert_eq!(offset("+02:00"), Some(7_200));
        assert_eq!(offset("-03:30"), Some(-12_600));
        assert_eq!((offset("UTC"), offset("Etc/GMT+2"), offset("Europe/Dublin")), (Some(0), None, None));
        assert_eq!((offset("+2:00"), offset("+24:00"), offset("+02:60"), offset("++1:00")), (None, None, None, None));
    }
}

//! Ids and names. Numbers are what the document calls handles and ids; names are checked once, here.

use std::fmt;
use std::str::FromStr;

macro_rules! number {
    ($(#[$doc:meta])* $name:ident, $int:ty) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(transparent))]
        pub struct $name(pub $int);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = std::num::ParseIntError;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.trim().parse().map(Self)
            }
        }
    };
}

number!(
    /// A job; its number is the handle that `submitBatchJob` returns (document 4.4).
    JobId, u64
);
number!(
    /// One planned execution of a test on one target.
    RunId, u64
);
number!(
    /// A schedule (document 7.1.1). From the same numbers as jobs, so that no two things share one.
    ScheduleId, u64
);
number!(
    /// A test on a schedule; the document calls it a job id too (7.1.12). From the same numbers as jobs.
    ScheduledTestId, u64
);
number!(
    /// An occurrence of a schedule, counted from 1 over the schedule's whole life.
    OccurrenceNo, u64
);
number!(
    /// A person's reservation of a slot. Numbers only rise, so a late word about a former one reaches no later one.
    ReservationId, u64
);
number!(
    /// A rack, as the server numbers it. People use its [`RackName`].
    RackId, u32
);
number!(
    /// A place in a rack, numbered over the whole farm so that a DUT fits in no map of slots by mistake.
    SlotId, u32
);
number!(
    /// The number of a slot as its rack and the document count it, from 1.
    SlotNo, u16
);
number!(
    /// A device under test (the document's STB id, 4.5). Stays the same when the device moves.
    DutId, u64
);

/// A name that was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{kind} name {value:?} {problem}; use {remedy}")]
pub struct BadName {
    /// What was to be named.
    pub kind: &'static str,
    /// What was given, cut after 80 characters.
    pub value: String,
    /// What is wrong with it.
    pub problem: &'static str,
    /// What is taken.
    pub remedy: &'static str,
}

const PLAIN: &str = "1 to 64 letters, digits, `-`, `_` or `.`, starting with a letter or digit";

fn check_name(kind: &'static str, text: &str) -> Result<(), BadName> {
    let bad = |problem| Err(BadName { kind, value: text.chars().take(80).collect(), problem, remedy: PLAIN });
    match text.chars().next() {
        None => return bad("is empty"),
        Some(first) if !first.is_ascii_alphanumeric() => return bad("starts with a character that is not allowed"),
        Some(_) => {}
    }
    if text.len() > 64 {
        return bad("is too long");
    }
    if !text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.')) {
        return bad("has a character that is not allowed");
    }
    Ok(())
}

/// What is text, checked once in `new`: shown as it is, read by `new`.
macro_rules! as_text {
    ($name:ident) => {
        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }

        impl std::str::FromStr for $name {
            type Err = BadName;
            fn from_str(text: &str) -> Result<Self, BadName> {
                Self::new(text)
            }
        }

        impl TryFrom<String> for $name {
            type Error = BadName;
            fn try_from(text: String) -> Result<Self, BadName> {
                Self::new(text)
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> String {
                (*name.0).to_owned()
            }
        }
    };
}
pub(crate) use as_text;

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $kind:literal) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(try_from = "String", into = "String"))]
        // Names go along with every plan, lease and event: copies share the text.
        pub struct $name(std::sync::Arc<str>);

        impl $name {
            /// Checks and takes the name.
            ///
            /// # Errors
            /// [`BadName`] when it is empty, longer than 64 bytes, or has characters other than `A-Z a-z 0-9 - _ .`.
            pub fn new(text: impl Into<String>) -> Result<Self, BadName> {
                let text = text.into();
                check_name($kind, &text)?;
                Ok(Self(text.into()))
            }

            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        as_text!($name);
    };
}

name!(
    /// The name of a rack: what the document calls the StormTest server's address, as in `("rack1", 4)`.
    RackName, "rack"
);
name!(
    /// A user. Opaque: it is never a path on a disk (private areas are numbered).
    UserName, "user"
);
name!(
    /// The name of a policy plugin, for example `test-coverage`.
    PolicyName, "policy"
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_what_is_wrong_and_what_helps() {
        let error = RackName::new("rack 1").unwrap_err();
        assert_eq!(
            error.to_string(),
            "rack name \"rack 1\" has a character that is not allowed; \
             use 1 to 64 letters, digits, `-`, `_` or `.`, starting with a letter or digit"
        );
        for bad in ["", "..", "-x", "a/b", "a\\b", "é", &"a".repeat(65)] {
            assert!(UserName::new(bad).is_err(), "{bad:?} was taken");
        }
        assert!(RackName::new("rack1.lab-2_b").is_ok());
    }
}

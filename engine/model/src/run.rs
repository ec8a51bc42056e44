//! Runs and how they end.

use std::fmt;

use crate::ids::{PolicyName, UserName};

/// The result codes of the document and of the Client API's `TM` class.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum TestResult {
    /// 111
    Pass,
    /// 110
    PartialPass,
    /// 101
    NotRun,
    /// 100
    Fail,
}

impl TestResult {
    /// `TM` number.
    pub const fn code(self) -> u16 {
        match self {
            Self::Pass => 111,
            Self::PartialPass => 110,
            Self::NotRun => 101,
            Self::Fail => 100,
        }
    }

    /// From the `TM` number; `None` for numbers that `TM` does not have.
    pub const fn from_code(code: i64) -> Option<Self> {
        match code {
            111 => Some(Self::Pass),
            110 => Some(Self::PartialPass),
            101 => Some(Self::NotRun),
            100 => Some(Self::Fail),
            _ => None,
        }
    }

    /// The comment that the document shows beside the code ("Test has run to completion" for 111).
    pub const fn comment(self) -> &'static str {
        match self {
            Self::Pass => "Test has run to completion",
            Self::PartialPass => "Test has partly passed",
            Self::NotRun => "Test was not run",
            Self::Fail => "Test has failed",
        }
    }
}

impl fmt::Display for TestResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pass => "pass",
            Self::PartialPass => "partial pass",
            Self::NotRun => "not run",
            Self::Fail => "fail",
        })
    }
}

/// Why a run has no result of its own. All of these are code 1, "Incomplete test", in the document's numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum Incomplete {
    /// More slots were asked for than there are targets (document 4.4, 5.1): never executed.
    Surplus,
    /// Its script is not in the area it was said to be in (document 4.8): never executed.
    ScriptMissing,
    /// Its script was there when the job was accepted, and was deleted before the test began: never executed.
    ScriptDeleted {
        /// Revision of the area that deleted it.
        revision: u64,
        /// Who made that revision.
        by: UserName,
    },
    /// The script ended without a result; the text says how (exit code, signal, last words).
    NoResult(String),
    /// The rack could not start it, for the reason given.
    CannotStart(String),
    /// A limit stopped it (time, memory, operations, depth, source size, disk), named in the text.
    Limit(String),
    /// The script itself broke (trap, uncaught error, panic of a guest), as told in the text.
    Crashed(String),
    /// The rack was lost while the run was under way.
    RackLost,
    /// The rack stopped it because its lease ran out.
    LeaseExpired,
    /// No rack, for longer than the server's patience.
    NoDaemon,
    /// No DUT at the target, for longer than the server's patience.
    NoDut,
    /// Single-process test over several racks.
    SeveralRacks,
    /// The window of its schedule closed before it was started.
    WindowClosed,
    /// It, or its schedule, was deleted before it was started.
    Removed,
    /// Its coverage policy has left it out for good: never executed.
    LeftOut {
        /// Which policy.
        policy: PolicyName,
        /// Why, in its words.
        reason: String,
    },
}

impl fmt::Display for Incomplete {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Surplus => f.write_str("Incomplete test (more slots needed than given)"),
            Self::ScriptMissing => f.write_str("Incomplete test (script not found in its area)"),
            Self::ScriptDeleted { revision, by } => {
                write!(f, "Incomplete (script deleted at revision {revision} by {by})")
            }
            Self::NoResult(how) => write!(f, "Incomplete test (no result: {how})"),
            Self::CannotStart(why) => write!(f, "Incomplete test (cannot start: {why})"),
            Self::Limit(which) => write!(f, "Incomplete test (limit: {which})"),
            Self::Crashed(how) => write!(f, "Incomplete test (crashed: {how})"),
            Self::RackLost => f.write_str("Incomplete test (rack lost)"),
            Self::LeaseExpired => f.write_str("Incomplete test (lease expired)"),
            Self::NoDaemon => f.write_str("Incomplete test (no daemon on the rack)"),
            Self::NoDut => f.write_str("Incomplete test (no DUT at the target)"),
            Self::SeveralRacks => f.write_str("Incomplete test (single-process test over several racks)"),
            Self::WindowClosed => f.write_str("Incomplete (window closed)"),
            Self::Removed => f.write_str("Incomplete test (removed from its schedule)"),
            Self::LeftOut { policy, reason } if reason.is_empty() => {
                write!(f, "Incomplete test (left out by {policy})")
            }
            Self::LeftOut { policy, reason } => write!(f, "Incomplete test (left out by {policy}: {reason})"),
        }
    }
}

/// The one end of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum Outcome {
    /// The script reported a result.
    Done {
        /// What it reported.
        result: TestResult,
        /// What it said with it; may be empty.
        comment: String,
    },
    /// It did not get to a result.
    Incomplete(Incomplete),
    /// Stopped by a user.
    Killed,
}

impl Outcome {
    /// The document's "return status from the test": a `TM` code, or 1 for "Incomplete test".
    pub const fn code(&self) -> u16 {
        match self {
            Self::Done { result, .. } => result.code(),
            Self::Incomplete(_) | Self::Killed => 1,
        }
    }

    /// A pass or partial pass.
    pub const fn is_pass(&self) -> bool {
        matches!(self, Self::Done { result: TestResult::Pass | TestResult::PartialPass, .. })
    }
}

impl fmt::Display for Outcome {
    /// The document's "comment": human readable interpretation of the code.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Done { result, comment } if comment.is_empty() => f.write_str(result.comment()),
            Self::Done { comment, .. } => f.write_str(comment),
            Self::Incomplete(why) => why.fmt(f),
            Self::Killed => f.write_str("Incomplete test (stopped by user)"),
        }
    }
}

/// Test status of the document's chapter 5.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum RunState {
    /// 2: waiting to run.
    Queued,
    /// 1: leased; running, or about to.
    Running,
    /// 0: ended.
    Ended,
}

impl RunState {
    /// The document's number.
    pub const fn code(self) -> u8 {
        match self {
            Self::Queued => 2,
            Self::Running => 1,
            Self::Ended => 0,
        }
    }
}

//! A session whose script runs on a person's own machine: the calls of [`crate::session`] over a stream that the server
//! joins of two upgraded HTTP connections, one of the person and one of the rack (design 0026).
//!
//! ```text
//!  Python    ─ socket ─ `headend session` ─┐
//!  Rhai, WASM ─ guest ─ `headend run` ─────┴─ GET /reservations/N/session ─ server ─ GET /sessions/R/rack ── rack
//! ```
//!
//! Either side sends one JSON object per line, at most [`crate::session::MAX_LINE_BYTES`] long. A `file` line is followed by
//! its bytes. The rack speaks first ([`ToPerson::Welcome`]); then the person's side calls, one call at a time. Files that an answer
//! names come before the answer, all others at the end.

use serde::{Deserialize, Serialize};

use crate::session::{Call, CalledFrom, Reply, ScriptEnd, SessionInfo};

/// Protocol of the `Upgrade` header on both sides.
pub const UPGRADE: &str = "headend-session";

/// Largest file either side sends, in bytes.
pub const MAX_FILE_BYTES: u64 = 512 << 20;

/// A person's side says something at least that often, in seconds; after three times that in silence it is taken for gone.
pub const PING_SECONDS: u64 = 10;

/// From the person's side to the rack.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FromPerson {
    /// A call.
    Call {
        /// Number of the call, given back in the reply.
        id: u64,
        /// Where in the person's script it stands.
        #[serde(default, skip_serializing_if = "CalledFrom::is_empty")]
        source: CalledFrom,
        /// What is wanted.
        #[serde(flatten)]
        call: Call,
    },
    /// A picture that later calls name by this; its bytes follow.
    File {
        /// A plain file name.
        name: String,
        /// How many.
        bytes: u64,
    },
    /// Still there.
    Ping {},
    /// The script has come to its end.
    Done {
        /// How, where that is known: of a process of the person's own it is not.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        how: Option<Ended>,
    },
}

/// How a script ended on the person's side, for the session's log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ended {
    /// As its guest tells.
    Script(ScriptEnd),
    /// The person has stopped it.
    Stopped,
}

/// From the rack to the person's side.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ToPerson {
    /// The slot may be driven.
    Welcome(SessionInfo),
    /// A file of the session's output folder; its bytes follow.
    File {
        /// Below the folder, with `/` between its parts.
        path: String,
        /// How many.
        bytes: u64,
    },
    /// Answer to a call.
    Reply {
        /// Number of the call.
        id: u64,
        /// The answer.
        #[serde(flatten)]
        reply: Reply,
    },
    /// The last word: the session is over, and all its files were sent.
    Over {
        /// How it ended, for people.
        how: String,
    },
}

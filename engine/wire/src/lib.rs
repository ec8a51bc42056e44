//! What crosses a process boundary, and nothing else: versioned, strict, converted at once to model types.
//!
//! * [`api`]: REST under `/api/v1`, between clients and the server.
//! * [`files`]: the part of REST that is about files.
//! * [`inventory`]: the lab's devices as one document.
//! * [`schedules`]: the part of REST that is about schedules.
//! * [`rack`]: the exchange between a rack and the server.
//! * [`relay`]: a session whose script runs on a person's own machine.
//! * [`whatif`]: loads that can be played again, and answers about what is yet to come.
//! * [`session`]: between a rack's supervisor and a running script's process (guest or Python).
//! * [`zygote`]: between a rack's supervisor and a warm Python interpreter.
//! * [`xmlrpc`]: the text of the legacy wire, `POST /`.
//! * [`codes`]: every numbered code that users meet, with its text and remedy.
//!
//! Types of requests refuse unknown fields; types of answers may gain fields.

pub mod api;
pub mod codes;
pub mod files;
pub mod inventory;
pub mod plugins;
pub mod problem;
pub mod rack;
pub mod relay;
pub mod schedules;
pub mod session;
pub mod trials;
pub mod whatif;
pub mod xmlrpc;
pub mod zygote;

pub use problem::Problem;

/// Version of the rack exchange and of the session protocol. Both sides say theirs; a mismatch is refused by name.
pub const PROTOCOL: u32 = 1;

//! XML-RPC as text: calls in, answers out, and the other way round for tests and tools.
//!
//! ```text
//! bytes ─► tokens (quick-xml, checked) ─► Call { method, params } ─► whoever answers ─► Value ─► write_response ─► text
//! ```
//!
//! What Python's `xmlrpclib` and `xmlrpc.client` write is read, and what is written here they read. Known beyond the
//! original standard: `i8` (64 bits), `nil`, and both with the prefix `ex:`.
//!
//! Input is untrusted. It is bounded by [`Limits`], it must be UTF-8, and it has no way to make the reader do more work
//! than its own length: a document type is refused, and `&` stands only before `lt`, `gt`, `amp`, `quot`, `apos` or a
//! number of a character that XML allows. Nothing here panics.

mod error;
mod read;
mod tokens;
mod value;
mod write;

#[cfg(test)]
mod tests;

pub use error::{Problem, XmlRpcError};
pub use read::{parse_call, parse_response};
pub use value::Value;
pub use write::{write_call, write_fault, write_response};

/// Media type of calls and answers.
pub const MEDIA_TYPE: &str = "text/xml";

/// Bounds of one text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Longest text, in bytes.
    pub bytes: usize,
    /// Deepest nesting of arrays and structs; at most 64 is honoured, for the reader's stack.
    pub depth: usize,
    /// Most values: arguments, elements of arrays, members of structs, and the arrays and structs themselves.
    pub values: usize,
}

impl Default for Limits {
    /// 4 MiB, 16 deep, 200,000 values: many times the largest submission that is allowed.
    fn default() -> Self {
        Self { bytes: 4 << 20, depth: 16, values: 200_000 }
    }
}

/// A call.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// What is called: letters, digits and `_.:/`.
    pub method: String,
    /// The arguments, in order.
    pub params: Vec<Value>,
}

/// An answer.
#[derive(Clone, Debug, PartialEq)]
pub enum Response {
    /// The one value of a success.
    Value(Value),
    /// What was no call at all.
    Fault {
        /// `faultCode`.
        code: i64,
        /// `faultString`.
        text: String,
    },
}

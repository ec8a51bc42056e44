//! What can be wrong with a text, and where.

/// A text that is not XML-RPC, or too much of it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("at byte {at}: {problem}")]
pub struct XmlRpcError {
    /// Bytes before the place.
    pub at: usize,
    /// What is wrong there.
    pub problem: Problem,
}

/// What can be wrong. Names and values of the sender are cut after 40 characters.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "each message says it")]
pub enum Problem {
    #[error("the text is {bytes} bytes long; at most {most} are taken")]
    TooLong { bytes: usize, most: usize },
    #[error("arrays and structs are nested more than {0} deep")]
    TooDeep(usize),
    #[error("there are more than {0} values")]
    TooMany(usize),
    #[error("the text is declared as {0:?}; send UTF-8")]
    Encoding(String),
    #[error("the text is not UTF-8; send UTF-8")]
    NotUtf8,
    #[error("a document type is not taken; leave `<!DOCTYPE` out")]
    DocType,
    #[error("the entity {0:?} is not known; use &lt; &gt; &amp; &quot; &apos; or a number")]
    Entity(String),
    #[error("XML does not allow the character {0:?}; send such bytes as base64")]
    Character(char),
    #[error("it is not well-formed XML: {0}")]
    Xml(String),
    #[error("found {found} where {wanted} was expected")]
    Unexpected { found: String, wanted: &'static str },
    #[error("{text:?} is no {kind}")]
    BadValue { kind: &'static str, text: String },
    #[error("the struct has two members {0:?}")]
    TwoMembers(String),
    #[error("{0:?} is no name of a method; use 1 to 255 letters, digits and `_.:/`")]
    MethodName(String),
}

impl Problem {
    /// This problem, at that place.
    pub(super) fn at(self, at: usize) -> XmlRpcError {
        XmlRpcError { at, problem: self }
    }
}

/// The beginning of what a sender wrote, for a message.
pub(super) fn cut(text: &str) -> String {
    text.chars().take(40).collect()
}

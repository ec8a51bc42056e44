//! XML as the four things that matter here. Comments and processing instructions are passed over.

use std::borrow::Cow;

use quick_xml::Reader;
use quick_xml::events::{BytesDecl, BytesRef, BytesStart, Event};

use super::Limits;
use super::error::{Problem, XmlRpcError, cut};

/// A piece of the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Token<'a> {
    /// An element opens.
    Open(Cow<'a, str>),
    /// The element that was opened last closes; the parser has compared the names.
    Close,
    /// Part of the text between two tags.
    Text(Cow<'a, str>),
    /// There is no more.
    End,
}

impl Token<'_> {
    pub(super) fn shown(&self) -> String {
        match self {
            Self::Open(name) => format!("<{}>", cut(name)),
            Self::Close => "a closing tag".to_owned(),
            Self::Text(text) => format!("the text {:?}", cut(text)),
            Self::End => "the end of the text".to_owned(),
        }
    }

    /// White space between tags.
    pub(super) fn is_blank(&self) -> bool {
        matches!(self, Self::Text(text) if is_blank(text))
    }
}

/// White space of XML, which is less than that of Unicode.
pub(super) fn is_blank(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n'))
}

/// Reads tokens and knows where it is.
pub(super) struct Tokens<'a> {
    reader: Reader<&'a [u8]>,
    /// Bytes before `reader`'s text: those of a byte order mark.
    before: usize,
    /// Where the token that was read last began.
    at: usize,
    open: usize,
    most_open: usize,
}

impl<'a> Tokens<'a> {
    pub(super) fn new(bytes: &'a [u8], limits: &Limits) -> Result<Self, XmlRpcError> {
        if bytes.len() > limits.bytes {
            return Err(Problem::TooLong { bytes: bytes.len(), most: limits.bytes }.at(limits.bytes));
        }
        check_encoding(bytes)?;
        let text = std::str::from_utf8(bytes).map_err(|error| Problem::NotUtf8.at(error.valid_up_to()))?;
        let bare = text.strip_prefix('\u{feff}').unwrap_or(text);
        let mut reader = Reader::from_str(bare);
        reader.config_mut().expand_empty_elements = true;
        reader.config_mut().check_comments = true;
        // Around each value stand at most `<member><value><array><data>`; the document itself adds a handful.
        let most_open = limits.depth.saturating_mul(4).saturating_add(16);
        Ok(Self { reader, before: text.len() - bare.len(), at: 0, open: 0, most_open })
    }

    /// Where the token that was read last began.
    pub(super) const fn at(&self) -> usize {
        self.at
    }

    /// The problem, at the token that was read last.
    pub(super) fn error(&self, problem: Problem) -> XmlRpcError {
        problem.at(self.at)
    }

    /// The problem of a token that should not be here.
    pub(super) fn unexpected(&self, found: &Token<'_>, wanted: &'static str) -> XmlRpcError {
        self.error(Problem::Unexpected { found: found.shown(), wanted })
    }

    /// The next token.
    pub(super) fn next(&mut self) -> Result<Token<'a>, XmlRpcError> {
        loop {
            self.at = self.before + usize::try_from(self.reader.buffer_position()).unwrap_or(usize::MAX);
            let event = self.reader.read_event().map_err(|error| self.broken(&error.to_string()))?;
            if let Some(token) = self.token(event)? {
                return Ok(token);
            }
        }
    }

    /// The next token that is not white space.
    pub(super) fn next_tag(&mut self) -> Result<Token<'a>, XmlRpcError> {
        loop {
            let token = self.next()?;
            if !token.is_blank() {
                return Ok(token);
            }
        }
    }

    fn token(&mut self, event: Event<'a>) -> Result<Option<Token<'a>>, XmlRpcError> {
        let text = match event {
            Event::Start(start) => return self.opened(&start).map(Some),
            // Empty ones were asked to come as a start and an end.
            Event::Empty(empty) => return Err(self.broken(empty.name().as_ref())),
            Event::End(_) => {
                self.open = self.open.saturating_sub(1);
                return Ok(Some(Token::Close));
            }
            Event::Eof if self.open > 0 => return Err(self.broken("the text ends inside an element")),
            Event::Eof => return Ok(Some(Token::End)),
            Event::DocType(_) => return Err(self.error(Problem::DocType)),
            Event::Decl(decl) => return self.declared(&decl).map(|()| None),
            Event::Comment(_) | Event::PI(_) => return Ok(None),
            Event::Text(text) => own(text.xml10_content(), text.into_inner()),
            Event::CData(text) => own(text.xml10_content(), text.into_inner()),
            Event::GeneralRef(name) => Cow::Owned(self.entity(&name)?.to_string()),
        };
        if let Some(bad) = text.chars().find(|c| !is_allowed(*c)) {
            return Err(self.error(Problem::Character(bad)));
        }
        Ok(Some(Token::Text(text)))
    }

    /// Attributes mean nothing here, and some senders declare a name space; but they have to be well-formed.
    fn opened(&mut self, start: &BytesStart<'a>) -> Result<Token<'a>, XmlRpcError> {
        self.open += 1;
        if self.open > self.most_open {
            return Err(self.error(Problem::TooDeep(self.most_open)));
        }
        for attribute in start.attributes() {
            attribute.map_err(|error| self.broken(&error.to_string()))?;
        }
        let name = start.name().as_ref().to_owned();
        Ok(Token::Open(Cow::Owned(name.strip_prefix("ex:").map(str::to_owned).unwrap_or(name))))
    }

    fn declared(&self, decl: &BytesDecl<'_>) -> Result<(), XmlRpcError> {
        if self.at != self.before {
            return Err(self.broken("the declaration does not stand first"));
        }
        match decl.encoding() {
            None => Ok(()),
            Some(Ok(name)) if is_utf8(&name) => Ok(()),
            Some(Ok(name)) => Err(self.error(Problem::Encoding(cut(&name)))),
            Some(Err(error)) => Err(self.broken(&error.to_string())),
        }
    }

    fn entity(&self, name: &BytesRef<'_>) -> Result<char, XmlRpcError> {
        let unknown = || self.error(Problem::Entity(cut(name)));
        match name.as_ref() {
            "lt" => Ok('<'),
            "gt" => Ok('>'),
            "amp" => Ok('&'),
            "quot" => Ok('"'),
            "apos" => Ok('\''),
            _ => name.resolve_char_ref().ok().flatten().ok_or_else(unknown),
        }
    }

    fn broken(&self, what: &str) -> XmlRpcError {
        self.error(Problem::Xml(what.chars().take(200).collect()))
    }
}

/// The text with its line ends made plain; without a copy if there was nothing to do.
fn own<'a>(plain: Cow<'_, str>, raw: Cow<'a, str>) -> Cow<'a, str> {
    if *plain == *raw { raw } else { Cow::Owned(plain.into_owned()) }
}

/// What XML 1.0 calls a character.
pub(super) const fn is_allowed(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
}

fn is_utf8(name: &str) -> bool {
    ["utf-8", "utf8", "us-ascii", "ascii"].iter().any(|known| name.eq_ignore_ascii_case(known))
}

/// Looks for a declaration that names another encoding first: "not UTF-8" alone would hide what the sender did.
fn check_encoding(bytes: &[u8]) -> Result<(), XmlRpcError> {
    const LONGEST_DECLARATION: usize = 256;
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) || bytes.starts_with(&[b'<', 0]) {
        return Err(Problem::Encoding("UTF-16".to_owned()).at(0));
    }
    let head = String::from_utf8_lossy(bytes.get(..LONGEST_DECLARATION).unwrap_or(bytes));
    if let Ok(Event::Decl(decl)) = Reader::from_str(&head).read_event()
        && let Some(Ok(name)) = decl.encoding()
        && !is_utf8(&name)
    {
        return Err(Problem::Encoding(cut(&name)).at(0));
    }
    Ok(())
}

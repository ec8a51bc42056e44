//! From text to calls and answers.

use std::collections::BTreeMap;

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use jiff::civil::DateTime;

use super::error::{Problem, XmlRpcError, cut};
use super::tokens::{Token, Tokens, is_blank};
use super::value::Value;
use super::{Call, Limits, Response};

/// Deepest nesting whatever the limits say: the reader calls itself.
const DEEPEST: usize = 64;
const LONGEST_METHOD: usize = 255;

const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Reads a `methodCall`.
///
/// # Errors
/// [`XmlRpcError`] with the place and what is wrong.
pub fn parse_call(bytes: &[u8], limits: &Limits) -> Result<Call, XmlRpcError> {
    let mut reader = Parser::new(bytes, limits)?;
    reader.open("methodCall", "<methodCall>")?;
    reader.open("methodName", "<methodName>")?;
    let method = reader.text()?;
    let method = method.trim();
    if !is_method_name(method) {
        return Err(reader.tokens.error(Problem::MethodName(cut(method))));
    }
    let params = match reader.tokens.next_tag()? {
        Token::Open(name) if name == "params" => {
            let params = reader.params()?;
            reader.close("</methodCall>")?;
            params
        }
        Token::Close => Vec::new(),
        other => return Err(reader.tokens.unexpected(&other, "<params> or </methodCall>")),
    };
    reader.end()?;
    Ok(Call { method: method.to_owned(), params })
}

/// Reads a `methodResponse`.
///
/// # Errors
/// [`XmlRpcError`] with the place and what is wrong.
pub fn parse_response(bytes: &[u8], limits: &Limits) -> Result<Response, XmlRpcError> {
    let mut reader = Parser::new(bytes, limits)?;
    reader.open("methodResponse", "<methodResponse>")?;
    let response = match reader.tokens.next_tag()? {
        Token::Open(name) if name == "params" => {
            let mut params = reader.params()?;
            let (Some(value), true) = (params.pop(), params.is_empty()) else {
                let found = "another number of parameters".to_owned();
                return Err(reader.tokens.error(Problem::Unexpected { found, wanted: "one parameter" }));
            };
            Response::Value(value)
        }
        Token::Open(name) if name == "fault" => reader.fault()?,
        other => return Err(reader.tokens.unexpected(&other, "<params> or <fault>")),
    };
    reader.close("</methodResponse>")?;
    reader.end()?;
    Ok(response)
}

fn is_method_name(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_.:/".contains(&byte);
    (1..=LONGEST_METHOD).contains(&name.len()) && name.bytes().all(allowed)
}

struct Parser<'a> {
    tokens: Tokens<'a>,
    limits: Limits,
    values: usize,
}

impl<'a> Parser<'a> {
    fn new(bytes: &'a [u8], limits: &Limits) -> Result<Self, XmlRpcError> {
        let limits = Limits { depth: limits.depth.min(DEEPEST), ..*limits };
        Ok(Self { tokens: Tokens::new(bytes, &limits)?, limits, values: 0 })
    }

    fn open(&mut self, name: &str, wanted: &'static str) -> Result<(), XmlRpcError> {
        match self.tokens.next_tag()? {
            Token::Open(found) if found == name => Ok(()),
            other => Err(self.tokens.unexpected(&other, wanted)),
        }
    }

    /// Whether another `name` opens; else the element around it has closed.
    fn another(&mut self, name: &str, wanted: &'static str) -> Result<bool, XmlRpcError> {
        match self.tokens.next_tag()? {
            Token::Open(found) if found == name => Ok(true),
            Token::Close => Ok(false),
            other => Err(self.tokens.unexpected(&other, wanted)),
        }
    }

    fn close(&mut self, wanted: &'static str) -> Result<(), XmlRpcError> {
        match self.tokens.next_tag()? {
            Token::Close => Ok(()),
            other => Err(self.tokens.unexpected(&other, wanted)),
        }
    }

    fn end(&mut self) -> Result<(), XmlRpcError> {
        match self.tokens.next_tag()? {
            Token::End => Ok(()),
            other => Err(self.tokens.unexpected(&other, "the end")),
        }
    }

    /// All text up to the closing tag.
    fn text(&mut self) -> Result<String, XmlRpcError> {
        let mut whole = String::new();
        loop {
            match self.tokens.next()? {
                Token::Text(piece) => whole.push_str(&piece),
                Token::Close => return Ok(whole),
                other => return Err(self.tokens.unexpected(&other, "text")),
            }
        }
    }

    fn params(&mut self) -> Result<Vec<Value>, XmlRpcError> {
        let mut params = Vec::new();
        while self.another("param", "<param> or </params>")? {
            self.open("value", "<value>")?;
            params.push(self.value(0)?);
            self.close("</param>")?;
        }
        Ok(params)
    }

    fn fault(&mut self) -> Result<Response, XmlRpcError> {
        self.open("value", "<value>")?;
        let value = self.value(0)?;
        let fault = if let Value::Struct(members) = &value {
            let text = members.get("faultString").and_then(Value::as_text);
            members.get("faultCode").and_then(Value::as_int).zip(text)
        } else {
            None
        };
        let Some((code, text)) = fault else {
            let found = format!("a {}", value.kind());
            let wanted = "a struct of faultCode and faultString";
            return Err(self.tokens.error(Problem::Unexpected { found, wanted }));
        };
        let fault = Response::Fault { code, text: text.to_owned() };
        self.close("</fault>")?;
        Ok(fault)
    }

    /// What stands in a `value` that has been opened, up to its closing tag.
    fn value(&mut self, depth: usize) -> Result<Value, XmlRpcError> {
        self.values += 1;
        if self.values > self.limits.values {
            return Err(self.tokens.error(Problem::TooMany(self.limits.values)));
        }
        let mut untyped = String::new();
        let kind = loop {
            match self.tokens.next()? {
                Token::Text(piece) => untyped.push_str(&piece),
                Token::Close => return Ok(Value::Text(untyped)),
                Token::Open(kind) if is_blank(&untyped) => break kind,
                other => return Err(self.tokens.unexpected(&other, "</value> after text")),
            }
        };
        let value = self.typed(&kind, depth)?;
        self.close("</value>")?;
        Ok(value)
    }

    fn typed(&mut self, kind: &str, depth: usize) -> Result<Value, XmlRpcError> {
        match kind {
            "string" => self.text().map(Value::Text),
            "int" | "i4" | "i8" | "i2" | "i1" => self.parsed("whole number", integer),
            "boolean" => self.parsed("boolean; use 0 or 1", boolean),
            "double" => self.parsed("finite number", double),
            "dateTime.iso8601" => self.parsed("time such as 20130917T10:00:00, without a zone", date_time),
            "base64" => self.parsed("base64", base64),
            "nil" => self.parsed("nil; leave <nil/> empty", |text| text.is_empty().then_some(Value::Nil)),
            "array" => self.array(self.deeper(depth)?),
            "struct" => self.members(self.deeper(depth)?),
            other => Err(self.tokens.unexpected(&Token::Open(other.into()), "a type of XML-RPC")),
        }
    }

    fn deeper(&self, depth: usize) -> Result<usize, XmlRpcError> {
        if depth < self.limits.depth {
            Ok(depth + 1)
        } else {
            Err(self.tokens.error(Problem::TooDeep(self.limits.depth)))
        }
    }

    fn parsed(&mut self, kind: &'static str, read: impl Fn(&str) -> Option<Value>) -> Result<Value, XmlRpcError> {
        let at = self.tokens.at();
        let text = self.text()?;
        let bare = text.trim_matches([' ', '\t', '\r', '\n']);
        read(bare).ok_or_else(|| Problem::BadValue { kind, text: cut(bare) }.at(at))
    }

    fn array(&mut self, depth: usize) -> Result<Value, XmlRpcError> {
        self.open("data", "<data>")?;
        let mut items = Vec::new();
        while self.another("value", "<value> or </data>")? {
            items.push(self.value(depth)?);
        }
        self.close("</array>")?;
        Ok(Value::Array(items))
    }

    fn members(&mut self, depth: usize) -> Result<Value, XmlRpcError> {
        let mut members = BTreeMap::new();
        while self.another("member", "<member> or </struct>")? {
            self.open("name", "<name>")?;
            let name = self.text()?;
            self.open("value", "<value>")?;
            let value = self.value(depth)?;
            self.close("</member>")?;
            if members.contains_key(&name) {
                return Err(self.tokens.error(Problem::TwoMembers(cut(&name))));
            }
            members.insert(name, value);
        }
        Ok(Value::Struct(members))
    }
}

fn integer(text: &str) -> Option<Value> {
    text.parse().ok().map(Value::Int)
}

fn boolean(text: &str) -> Option<Value> {
    match text {
        "0" | "false" => Some(Value::Bool(false)),
        "1" | "true" => Some(Value::Bool(true)),
        _ => None,
    }
}

fn double(text: &str) -> Option<Value> {
    text.parse().ok().filter(|number: &f64| number.is_finite()).map(Value::Double)
}

/// `20130917T10:00:00`, and with the dashes that some senders put. Without a zone: it would be dropped in silence.
fn date_time(text: &str) -> Option<Value> {
    let (date, time) = text.split_once('T')?;
    let digits = |text: &str, count: usize| text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit());
    let plain: String = date.chars().filter(|c| *c != '-').collect();
    let dashed = date.len() == 10 && date.as_bytes().get(4) == Some(&b'-') && date.as_bytes().get(7) == Some(&b'-');
    if !digits(&plain, 8) || !(dashed || date.len() == 8) {
        return None;
    }
    let parts: Vec<&str> = time.split(':').collect();
    let &[hour, minute, second] = parts.as_slice() else { return None };
    if ![hour, minute, second].iter().all(|part| digits(part, 2)) {
        return None;
    }
    let number = |text: &str| text.parse::<i16>().ok();
    let small = |text: &str| text.parse::<i8>().ok();
    let (year, month, day) = (number(plain.get(..4)?)?, small(plain.get(4..6)?)?, small(plain.get(6..)?)?);
    let made = DateTime::new(year, month, day, small(hour)?, small(minute)?, small(second)?, 0);
    made.ok().map(Value::DateTime)
}

fn base64(text: &str) -> Option<Value> {
    let packed: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    BASE64.decode(packed).ok().map(Value::Bytes)
}

//! From calls and answers to text.

use std::fmt::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::civil::DateTime;

use super::tokens::is_allowed;
use super::value::Value;

const DECLARATION: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";

/// The text of a call.
pub fn write_call(method: &str, params: &[Value]) -> String {
    let mut out = String::from(DECLARATION);
    out.push_str("<methodCall><methodName>");
    text(&mut out, method);
    out.push_str("</methodName><params>");
    for value in params {
        param(&mut out, value);
    }
    out.push_str("</params></methodCall>\n");
    out
}

/// The text of an answer.
pub fn write_response(answer: &Value) -> String {
    let mut out = String::from(DECLARATION);
    out.push_str("<methodResponse><params>");
    param(&mut out, answer);
    out.push_str("</params></methodResponse>\n");
    out
}

/// The text of a fault: for what was no call at all.
pub fn write_fault(code: i32, what: &str) -> String {
    let mut out = String::from(DECLARATION);
    out.push_str("<methodResponse><fault>");
    let members = [("faultCode".to_owned(), code.into()), ("faultString".to_owned(), what.into())];
    write_value(&mut out, &Value::Struct(members.into()));
    out.push_str("</fault></methodResponse>\n");
    out
}

fn param(out: &mut String, value: &Value) {
    out.push_str("<param>");
    write_value(out, value);
    out.push_str("</param>");
}

fn write_value(out: &mut String, value: &Value) {
    out.push_str("<value>");
    match value {
        Value::Int(number) if i32::try_from(*number).is_ok() => element(out, "int", &number.to_string()),
        Value::Int(number) => element(out, "i8", &number.to_string()),
        Value::Bool(flag) => element(out, "boolean", if *flag { "1" } else { "0" }),
        Value::Text(content) => element(out, "string", content),
        // The standard has no exponents, and its `Display` writes none.
        Value::Double(number) if number.is_finite() => element(out, "double", &number.to_string()),
        Value::Double(number) => element(out, "string", &number.to_string()),
        Value::DateTime(time) => element(out, "dateTime.iso8601", &stamp(*time)),
        Value::Bytes(bytes) => element(out, "base64", &STANDARD.encode(bytes)),
        Value::Array(items) => {
            out.push_str("<array><data>");
            for item in items {
                write_value(out, item);
            }
            out.push_str("</data></array>");
        }
        Value::Struct(members) => {
            out.push_str("<struct>");
            for (name, member) in members {
                out.push_str("<member>");
                element(out, "name", name);
                write_value(out, member);
                out.push_str("</member>");
            }
            out.push_str("</struct>");
        }
        Value::Nil => out.push_str("<nil/>"),
    }
    out.push_str("</value>");
}

fn element(out: &mut String, name: &str, content: &str) {
    // Writing to a `String` cannot fail.
    let _ = write!(out, "<{name}>");
    text(out, content);
    let _ = write!(out, "</{name}>");
}

/// Characters that XML has no way to write become U+FFFD: an answer must go out whatever name somebody gave.
fn text(out: &mut String, content: &str) {
    for c in content.chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            // A reader would make a line feed of it.
            '\r' => out.push_str("&#13;"),
            c if is_allowed(c) => out.push(c),
            _ => out.push('\u{fffd}'),
        }
    }
}

fn stamp(time: DateTime) -> String {
    let year = time.year().max(0);
    let (month, day, hour, minute, second) = (time.month(), time.day(), time.hour(), time.minute(), time.second());
    format!("{year:04}{month:02}{day:02}T{hour:02}:{minute:02}:{second:02}")
}

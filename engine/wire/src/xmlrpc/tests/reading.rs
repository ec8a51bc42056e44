//! What is read, and what is not.

use std::collections::BTreeMap;

use super::super::{Limits, Problem, Response, Value, parse_response, write_fault};
use super::{problem, read, value};

#[test]
fn every_kind_is_read() {
    for (inside, wanted) in [
        ("<int>7</int>", Value::Int(7)),
        ("\n  <i4> -7 </i4>\n", Value::Int(-7)),
        ("<i8>9223372036854775807</i8>", Value::Int(i64::MAX)),
        ("<ex:i8 xmlns:ex=\"x\">5000000000</ex:i8>", Value::Int(5_000_000_000)),
        ("<boolean>1</boolean>", Value::Bool(true)),
        ("<string>a&lt;b&#x41;<![CDATA[<x>]]>c<!-- no -->d</string>", "a<bA<x>cd".into()),
        ("  plain text ", "  plain text ".into()),
        ("", "".into()),
        ("<string/>", "".into()),
        ("<string>a\r\nb&#13;c</string>", "a\nb\rc".into()),
        ("<double>-1.5e3</double>", Value::Double(-1500.0)),
        (
            "<dateTime.iso8601>20130917T10:00:39</dateTime.iso8601>",
            jiff::civil::date(2013, 9, 17).at(10, 0, 39, 0).into(),
        ),
        (
            "<dateTime.iso8601>2013-09-17T10:00:39</dateTime.iso8601>",
            jiff::civil::date(2013, 9, 17).at(10, 0, 39, 0).into(),
        ),
        ("<base64>AP\n9h</base64>", Value::Bytes(vec![0, 0xff, b'a'])),
        ("<base64>AA</base64>", Value::Bytes(vec![0])),
        ("<nil/>", Value::Nil),
        ("<ex:nil/>", Value::Nil),
        ("<array><data/></array>", Value::Array(Vec::new())),
        (
            "<array><data><value><int>1</int></value> <value>x</value></data></array>",
            Value::Array(vec![1.into(), "x".into()]),
        ),
        (
            "<struct><member><name>a b</name><value>x</value></member></struct>",
            Value::Struct(BTreeMap::from([("a b".to_owned(), "x".into())])),
        ),
    ] {
        assert_eq!(value(inside), wanted, "{inside}");
    }
}

#[test]
fn calls_come_with_and_without_arguments() {
    for text in [
        "<methodCall><methodName>GetServerList</methodName></methodCall>",
        "\u{feff}<?xml version='1.0' encoding='utf-8'?>\n<!-- x --><methodCall>\n<methodName> GetServerList </methodName>\n<params/></methodCall>\n<!-- y -->\n",
    ] {
        let call = read(text).unwrap();
        assert_eq!((call.method.as_str(), call.params.len()), ("GetServerList", 0), "{text}");
    }
}

#[test]
fn a_wrong_value_is_named_with_its_place() {
    let text = super::call_with("<int>seven</int>");
    let error = read(&text).unwrap_err();
    assert_eq!(error.problem, Problem::BadValue { kind: "whole number", text: "seven".to_owned() });
    assert_eq!(error.at, text.find("<int>").unwrap());
    assert_eq!(error.to_string(), "at byte 60: \"seven\" is no whole number");
}

#[test]
fn what_is_no_value_is_refused() {
    for inside in [
        "<int></int>",
        "<int>1 2</int>",
        "<int>99999999999999999999</int>",
        "<boolean>yes</boolean>",
        "<double>nan</double>",
        "<double>1e999</double>",
        "<dateTime.iso8601>20130917T10:00:39Z</dateTime.iso8601>",
        "<dateTime.iso8601>20130931T10:00:39</dateTime.iso8601>",
        "<dateTime.iso8601>2013-0917T10:00:39</dateTime.iso8601>",
        "<dateTime.iso8601>20130917T+1:00:39</dateTime.iso8601>",
        "<base64>!</base64>",
        "<nil>x</nil>",
    ] {
        assert!(matches!(problem(inside), Problem::BadValue { .. }), "{inside}: {:?}", problem(inside));
    }
    for inside in [
        "<text>x</text>",
        "x<int>1</int>",
        "<int>1</int>x",
        "<int>1</int><int>2</int>",
        "<int><int>1</int></int>",
        "<array><value>1</value></array>",
        "<array><data>x</data></array>",
        "<array><data/><data/></array>",
        "<struct><member><value>x</value></member></struct>",
        "<struct><member><name>x</name></member></struct>",
    ] {
        assert!(matches!(problem(inside), Problem::Unexpected { .. }), "{inside}: {:?}", problem(inside));
    }
    let twice = "<struct><member><name>a</name><value/></member><member><name>a</name><value/></member></struct>";
    assert_eq!(problem(twice), Problem::TwoMembers("a".to_owned()));
}

#[test]
fn names_of_methods_are_plain() {
    for bad in ["", " ", "a b", "a(b)", "é", "&lt;x", &"m".repeat(256)] {
        let text = format!("<methodCall><methodName>{bad}</methodName></methodCall>");
        assert!(matches!(read(&text).unwrap_err().problem, Problem::MethodName(_)), "{bad:?}");
    }
    assert!(read("<methodCall><methodName>system.listMethods</methodName></methodCall>").is_ok());
}

#[test]
fn answers_have_one_value_or_a_fault() {
    let read = |text: &str| parse_response(text.as_bytes(), &Limits::default());
    let fault = read(&write_fault(1, "no call <x>")).unwrap();
    assert_eq!(fault, Response::Fault { code: 1, text: "no call <x>".to_owned() });
    for bad in [
        "<methodResponse/>",
        "<methodResponse><params/></methodResponse>",
        "<methodResponse><params><param><value/></param><param><value/></param></params></methodResponse>",
        "<methodResponse><fault><value>x</value></fault></methodResponse>",
        "<methodCall><methodName>m</methodName></methodCall>",
    ] {
        assert!(matches!(read(bad).unwrap_err().problem, Problem::Unexpected { .. }), "{bad}");
    }
}

//! Input that means harm, and input that means nothing.

use proptest::prelude::*;

use super::super::{Limits, Problem, parse_call, parse_response};
use super::{call_with, problem, read};

#[test]
fn entities_expand_to_one_character_or_not_at_all() {
    let bomb = "<?xml version='1.0'?><!DOCTYPE x [<!ENTITY a 'aaaa'><!ENTITY b '&a;&a;'>]>\
                <methodCall><methodName>m</methodName></methodCall>";
    assert_eq!(read(bomb).unwrap_err().problem, Problem::DocType);
    assert_eq!(problem("&b;"), Problem::Entity("b".to_owned()));
    for forbidden in ["&#0;", "&#xD800;", "&#x110000;", "&#99999999999;", "&#;", "&#x;", "&#-1;"] {
        assert!(matches!(problem(forbidden), Problem::Entity(_)), "{forbidden}: {:?}", problem(forbidden));
    }
    for forbidden in ["&#1;", "&#xFFFE;", "\u{1}", "\u{fffe}", "<![CDATA[\u{1f}]]>"] {
        assert!(matches!(problem(forbidden), Problem::Character(_)), "{forbidden:?}: {:?}", problem(forbidden));
    }
    assert!(matches!(problem("a & b"), Problem::Xml(_)));
}

#[test]
fn other_encodings_are_named() {
    let body = "<methodCall><methodName>m</methodName></methodCall>";
    for (declaration, bytes) in [("iso-8859-1", b"\xe9".as_slice()), ("UTF-16", b""), ("windows-1252", b"")] {
        let text = [format!("<?xml version='1.0' encoding='{declaration}'?>{body}").as_bytes(), bytes].concat();
        let error = parse_call(&text, &Limits::default()).unwrap_err();
        assert_eq!(error.problem, Problem::Encoding(declaration.to_owned()));
    }
    let wide: Vec<u8> = body.encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert_eq!(parse_call(&wide, &Limits::default()).unwrap_err().problem, Problem::Encoding("UTF-16".to_owned()));
    let text = [b"<methodCall>".as_slice(), b"\xe9"].concat();
    let error = parse_call(&text, &Limits::default()).unwrap_err();
    assert_eq!((error.at, error.problem), (12, Problem::NotUtf8));
}

#[test]
fn nesting_is_bounded() {
    let nested = |depth: usize| {
        let (open, close) = ("<value><array><data>".repeat(depth), "</data></array></value>".repeat(depth));
        call_with(&format!("<array><data>{open}{close}</data></array>"))
    };
    let limits = Limits { depth: 5, ..Limits::default() };
    assert!(parse_call(nested(4).as_bytes(), &limits).is_ok());
    assert_eq!(parse_call(nested(5).as_bytes(), &limits).unwrap_err().problem, Problem::TooDeep(5));
    let endless = Limits { depth: usize::MAX, bytes: usize::MAX, values: usize::MAX };
    for deep in [nested(30_000), "<a>".repeat(100_000), call_with(&"<value>".repeat(100_000))] {
        assert!(parse_call(deep.as_bytes(), &endless).is_err());
    }
}

#[test]
fn numbers_of_values_and_bytes_are_bounded() {
    let limits = Limits { values: 10, bytes: 1_000, ..Limits::default() };
    let many = |count: usize| call_with(&format!("<array><data>{}</data></array>", "<value/>".repeat(count)));
    assert!(parse_call(many(9).as_bytes(), &limits).is_ok());
    assert_eq!(parse_call(many(10).as_bytes(), &limits).unwrap_err().problem, Problem::TooMany(10));
    let long = call_with(&"x".repeat(1_000));
    let error = parse_call(long.as_bytes(), &limits).unwrap_err();
    assert_eq!(error.problem, Problem::TooLong { bytes: long.len(), most: 1_000 });
}

#[test]
fn broken_xml_is_refused() {
    let good = call_with("<struct><member><name>a</name><value><int>1</int></value></member></struct>");
    for end in 0..good.len() {
        assert!(parse_call(&good.as_bytes()[..end], &Limits::default()).is_err(), "the first {end} bytes were taken");
    }
    for bad in [
        "",
        "hello",
        "{}",
        "<methodCall></methodcall>",
        "<methodCall a=b><methodName>m</methodName></methodCall>",
        "<methodCall a='1' a='2'><methodName>m</methodName></methodCall>",
        "<methodCall><methodName>m</methodName></methodCall>x",
        "<methodCall><methodName>m</methodName></methodCall><methodCall/>",
        " <?xml version='1.0'?><methodCall><methodName>m</methodName></methodCall>",
        "<methodCall><methodName>m</methodName><params/><params/></methodCall>",
        "<methodCall><params/><methodName>m</methodName></methodCall>",
    ] {
        assert!(read(bad).is_err(), "{bad:?} was taken");
    }
}

/// Pieces of XML-RPC in any order come further than random bytes.
fn any_pieces() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        proptest::sample::select(vec![
            "<?xml version='1.0'?>",
            "<?xml version='1.0' encoding='latin-1'?>",
            "<methodCall>",
            "</methodCall>",
            "<methodName>",
            "</methodName>",
            "<params>",
            "</params>",
            "<params/>",
            "<param>",
            "</param>",
            "<value>",
            "</value>",
            "<value/>",
            "<int>",
            "</int>",
            "<array>",
            "</array>",
            "<data>",
            "</data>",
            "<struct>",
            "</struct>",
            "<member>",
            "</member>",
            "<name>",
            "</name>",
            "<base64>",
            "</base64>",
            "<dateTime.iso8601>",
            "</dateTime.iso8601>",
            "20130917T10:00:00",
            "<nil/>",
            "<ex:nil/>",
            "&",
            "&amp;",
            "&#",
            "&#x1F600;",
            "<!--",
            "-->",
            "<![CDATA[",
            "]]>",
            "<!DOCTYPE x",
            "<",
            ">",
            "7",
            " ",
            "\r\n",
            "é",
            "\u{feff}",
            "<methodResponse>",
            "</methodResponse>",
            "<fault>",
            "</fault>",
        ])
        .prop_map(|text| text.as_bytes().to_vec()),
        proptest::collection::vec(any::<u8>(), 0..6),
    ];
    proptest::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat())
}

fn check(bytes: &[u8]) {
    for read in [parse_call(bytes, &Limits::default()).err(), parse_response(bytes, &Limits::default()).err()] {
        assert!(read.is_none_or(|error| error.at <= bytes.len() && !error.to_string().is_empty()));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8_000, ..ProptestConfig::default() })]

    #[test]
    fn nothing_makes_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400), pieces in any_pieces()) {
        check(&bytes);
        check(&pieces);
    }

    #[test]
    fn a_good_call_with_bytes_changed_does_not_panic(
        at in any::<proptest::sample::Index>(), put in proptest::collection::vec(any::<u8>(), 0..4), cut in 0..4_usize,
    ) {
        let good = call_with("<array><data><value><i8>5</i8></value><value>&lt;é</value><value><nil/></value>\
                              <value><base64>AAAA</base64></value></data></array>");
        let mut bytes = good.into_bytes();
        let at = at.index(bytes.len());
        let end = (at + cut).min(bytes.len());
        bytes.splice(at..end, put);
        check(&bytes);
    }
}

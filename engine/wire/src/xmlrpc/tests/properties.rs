//! Whatever is written is read back the same.

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;

use super::super::tokens::is_allowed;
use super::super::{
    Call, Limits, Response, Value, parse_call, parse_response, write_call, write_fault, write_response,
};

fn any_text() -> impl Strategy<Value = String> {
    let character = prop_oneof![
        any::<char>(),
        proptest::sample::select(vec!['<', '>', '&', '"', '\'', '\r', '\n', '\t', ' ', ']', '\u{85}', '\u{2028}']),
    ];
    vec(character.prop_filter("XML has it", |c| is_allowed(*c)), 0..12).prop_map(|all| all.into_iter().collect())
}

fn any_time() -> impl Strategy<Value = Value> {
    (0..=9999_i16, 1..=12_i8, 1..=28_i8, 0..=23_i8, 0..=59_i8, 0..=59_i8).prop_map(
        |(year, month, day, hour, minute, second)| {
            Value::DateTime(jiff::civil::datetime(year, month, day, hour, minute, second, 0))
        },
    )
}

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        any::<i64>().prop_map(Value::Int),
        any::<i32>().prop_map(Value::from),
        any::<bool>().prop_map(Value::Bool),
        any_text().prop_map(Value::Text),
        any::<f64>().prop_filter("finite", |number| number.is_finite()).prop_map(Value::Double),
        any_time(),
        vec(any::<u8>(), 0..40).prop_map(Value::Bytes),
        Just(Value::Nil),
    ];
    leaf.prop_recursive(5, 40, 6, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..6).prop_map(Value::Array),
            btree_map(any_text(), inner, 0..6).prop_map(Value::Struct),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn calls_come_back(params in vec(any_value(), 0..5)) {
        let text = write_call("a.b:c/d_1", &params);
        let call = parse_call(text.as_bytes(), &Limits::default()).unwrap();
        prop_assert_eq!(call, Call { method: "a.b:c/d_1".to_owned(), params });
    }

    #[test]
    fn answers_come_back(value in any_value()) {
        let text = write_response(&value);
        prop_assert_eq!(parse_response(text.as_bytes(), &Limits::default()).unwrap(), Response::Value(value));
    }

    #[test]
    fn faults_come_back(code in any::<i32>(), text in any_text()) {
        let read = parse_response(write_fault(code, &text).as_bytes(), &Limits::default()).unwrap();
        prop_assert_eq!(read, Response::Fault { code: code.into(), text });
    }

    #[test]
    fn what_xml_cannot_say_is_still_written(text in any::<String>()) {
        let shown: String = text.chars().map(|c| if is_allowed(c) { c } else { '\u{fffd}' }).collect();
        let read = parse_response(write_response(&text.into()).as_bytes(), &Limits::default()).unwrap();
        prop_assert_eq!(read, Response::Value(shown.into()));
    }
}

#[test]
fn infinities_are_written_as_text() {
    let read = |number| parse_response(write_response(&Value::Double(number)).as_bytes(), &Limits::default()).unwrap();
    assert_eq!(read(f64::NAN), Response::Value("NaN".into()));
    assert_eq!(read(f64::NEG_INFINITY), Response::Value("-inf".into()));
}

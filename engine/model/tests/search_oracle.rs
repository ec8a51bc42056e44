//! The filter language of `findStb` against an oracle that is written from the document's chapter 4.5 alone: it has its own
//! list of fields, its own reader of conditions, and matches stars by trying all that they could stand for.
#![allow(clippy::unwrap_used, reason = "tests")]

use headend_model::search::BadFilter;
use headend_model::{DutFields, Filter};
use proptest::prelude::*;

/// The 17 names, as the document prints them; the last is not a text of the device.
const NAMES: [&str; 17] = [
    "Name",
    "Description",
    "SerialNumber",
    "ModelName",
    "ModelDescription",
    "Manufacturer",
    "ManufactureModel",
    "HardwareVersion",
    "TypeName",
    "TypeDescription",
    "Broadcaster",
    "IRName",
    "IRDescription",
    "SmartcardNumber",
    "SmartcardParamName",
    "SmartcardParamValue",
    "ModelId",
];

/// A device with these 17 values; the last one is given beside it.
fn device(values: &[String]) -> DutFields {
    let value = |at: usize| values[at].clone();
    DutFields {
        name: value(0),
        description: value(1),
        serial_number: value(2),
        model_name: value(3),
        model_description: value(4),
        manufacturer: value(5),
        manufacturer_model: value(6),
        hardware_version: value(7),
        type_name: value(8),
        type_description: value(9),
        broadcaster: value(10),
        ir_name: value(11),
        ir_description: value(12),
        smartcard_number: value(13),
        smartcard_param_name: value(14),
        smartcard_param_value: value(15),
    }
}

/// What one condition says of a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Holds,
    Fails,
    NoOperator,
    NoField,
    Quote,
}

fn trimmed(text: &[char]) -> &[char] {
    let start = text.iter().position(|c| !c.is_whitespace()).unwrap_or(text.len());
    let end = text.iter().rposition(|c| !c.is_whitespace()).map_or(start, |at| at + 1);
    &text[start..end]
}

/// The condition by the document: what stands before the first `==` is the field, what stands behind it the pattern.
fn by_hand(condition: &str, values: &[String]) -> Verdict {
    let text: Vec<char> = condition.chars().collect();
    let Some(at) = text.windows(2).position(|pair| pair == ['=', '=']) else { return Verdict::NoOperator };
    let (name, pattern) = (trimmed(&text[..at]), trimmed(&text[at + 2..]));
    let lower = |text: &[char]| text.iter().map(char::to_ascii_lowercase).collect::<String>();
    let Some(field) = NAMES.iter().position(|known| known.to_ascii_lowercase() == lower(name)) else {
        return Verdict::NoField;
    };
    let is_quote = |c: Option<&char>| matches!(c, Some('"' | '\''));
    if is_quote(pattern.first()) || is_quote(pattern.last()) {
        return Verdict::Quote;
    }
    let folded = |text: &str| text.to_lowercase().chars().collect::<Vec<char>>();
    let pattern = folded(&pattern.iter().collect::<String>());
    if fits(&pattern, &folded(&values[field])) { Verdict::Holds } else { Verdict::Fails }
}

/// The definition: a star is any text, all else is itself.
fn fits(pattern: &[char], text: &[char]) -> bool {
    // `reached[at]`: what has been read of the pattern can stand for the first `at` signs.
    let mut reached = vec![false; text.len() + 1];
    reached[0] = true;
    for sign in pattern {
        let mut next = vec![false; text.len() + 1];
        for at in 0..=text.len() {
            next[at] = match sign {
                '*' => reached[at] || at > 0 && next[at - 1],
                sign => at > 0 && reached[at - 1] && text[at - 1] == *sign,
            };
        }
        reached = next;
    }
    reached[text.len()]
}

/// Few letters, so that patterns fit now and then.
fn value() -> impl Strategy<Value = String> {
    prop_oneof![2 => "[abA]{0,4}", 1 => "[aB ü=\"'Σ*-]{0,5}", 1 => Just(String::new())]
}

fn name() -> impl Strategy<Value = String> {
    let known = (0..NAMES.len()).prop_map(|at| NAMES[at].to_owned());
    prop_oneof![
        8 => known.clone(),
        2 => known.clone().prop_map(|name| name.to_uppercase()),
        2 => known.clone().prop_map(|name| format!(" {name}\t")),
        1 => known.prop_map(|name| format!("\"{name}")),
        1 => "[A-Za-z=]{0,6}",
    ]
}

fn condition() -> impl Strategy<Value = String> {
    let operator = prop_oneof![9 => Just("=="), 1 => Just(" == "), 1 => Just("="), 1 => Just("==="), 1 => Just("!="), 1 => Just("")];
    let pattern = prop_oneof![
        4 => "[ab*]{0,5}",
        2 => "[aAbBüÜσς Σ*-]{0,5}",
        1 => "[\"']?[ab*]{0,3}[\"']?",
        1 => "[ =\u{a0}\u{3000}\t\"'*a]{0,4}",
    ];
    (name(), operator, pattern).prop_map(|(name, operator, pattern)| format!("{name}{operator}{pattern}"))
}

/// Patterns with something of the device in them, which fit more often.
fn near(values: &[String]) -> impl Strategy<Value = String> + use<> {
    let values = values.to_vec();
    (0..NAMES.len(), 0..4_u8).prop_map(move |(at, kind)| {
        let value = &values[at];
        let half: String = value.chars().take(value.chars().count() / 2).collect();
        let pattern = match kind {
            0 => value.clone(),
            1 => format!("{half}*"),
            2 => format!("*{}", value.to_uppercase()),
            _ => "*".to_owned(),
        };
        format!("{}=={pattern}", NAMES[at])
    })
}

fn case() -> impl Strategy<Value = (Vec<String>, Vec<String>)> {
    prop::collection::vec(value(), NAMES.len()).prop_flat_map(|values| {
        let one = prop_oneof![2 => near(&values).boxed(), 1 => condition().boxed()];
        (Just(values), prop::collection::vec(one, 0..5))
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20_000))]

    #[test]
    fn filters_find_what_the_document_says((values, conditions) in case()) {
        let verdicts: Vec<Verdict> = conditions.iter().map(|one| by_hand(one, &values)).collect();
        let bad = verdicts.iter().find(|verdict| !matches!(verdict, Verdict::Holds | Verdict::Fails));
        match (Filter::parse(conditions.iter().map(String::as_str)), bad) {
            (Ok(filter), None) => {
                let found = verdicts.iter().all(|verdict| *verdict == Verdict::Holds);
                prop_assert_eq!(filter.matches(&device(&values), &values[16]), found);
            }
            // The first one that cannot be read is told, with what is wrong with it.
            (Err(BadFilter::NoOperator(_)), Some(Verdict::NoOperator))
            | (Err(BadFilter::UnknownField(..)), Some(Verdict::NoField))
            | (Err(BadFilter::StrayQuote(..)), Some(Verdict::Quote)) => {}
            (found, wanted) => prop_assert!(false, "{:?} by the filter, {:?} by hand", found, wanted),
        }
    }

    /// The remedy that an error prints is one: what it offers is read.
    #[test]
    fn what_is_offered_for_a_stray_quote_can_be_read(pattern in "[\"']{1,3}[ab*]{0,4}[\"' ]{0,3}", at in 0..17_usize) {
        let given = format!("{}=={pattern}", NAMES[at]);
        if let Err(BadFilter::StrayQuote(_, better)) = Filter::parse([given.as_str()]) {
            prop_assert!(Filter::parse([better.as_str()]).is_ok(), "{} was offered for {}", better, given);
        }
    }
}

#[test]
fn each_field_is_searched_by_its_own_name_alone() {
    for (at, name) in NAMES.iter().enumerate() {
        let values: Vec<String> = (0..NAMES.len()).map(|other| format!("v{other}")).collect();
        for (other, value) in values.iter().enumerate() {
            let filter = Filter::parse([format!("{name}=={value}").as_str()]).unwrap();
            assert_eq!(filter.matches(&device(&values), &values[16]), at == other, "{name}=={value}");
        }
    }
}

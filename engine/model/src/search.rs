//! The filter language of `findStb` (document 4.5): conditions `Field==pattern`, all of which must hold.
//!
//! `*` stands for any text, also for none. Letter case makes no difference, neither in the field's name nor in the
//! pattern: labs write `Pace` and `PACE` for one maker. There is no escape: a value with a `*` in it is found by the pattern `*`
//! in its place.

use std::fmt;

use crate::inventory::DutFields;
use crate::pattern::Pattern;

/// The fields of a DUT that are not blank, under the document's names and in its order.
pub fn fields_of(dut: &DutFields) -> impl Iterator<Item = (&'static str, &str)> {
    let of = |(field, name): (Field, &'static str)| (name, field.of(dut, ""));
    Field::ALL.into_iter().map(of).filter(|(_, value)| !value.is_empty())
}

/// What `findStb` can look at: the document's 17 names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs, reason = "the names are the document's own")]
pub enum Field {
    Name,
    Description,
    SerialNumber,
    ModelName,
    ModelDescription,
    Manufacturer,
    ManufactureModel,
    HardwareVersion,
    TypeName,
    TypeDescription,
    Broadcaster,
    IrName,
    IrDescription,
    SmartcardNumber,
    SmartcardParamName,
    SmartcardParamValue,
    ModelId,
}

impl Field {
    /// All of them, in the document's order, with the document's spelling.
    pub const ALL: [(Self, &'static str); 17] = [
        (Self::Name, "Name"),
        (Self::Description, "Description"),
        (Self::SerialNumber, "SerialNumber"),
        (Self::ModelName, "ModelName"),
        (Self::ModelDescription, "ModelDescription"),
        (Self::Manufacturer, "Manufacturer"),
        (Self::ManufactureModel, "ManufactureModel"),
        (Self::HardwareVersion, "HardwareVersion"),
        (Self::TypeName, "TypeName"),
        (Self::TypeDescription, "TypeDescription"),
        (Self::Broadcaster, "Broadcaster"),
        (Self::IrName, "IRName"),
        (Self::IrDescription, "IRDescription"),
        (Self::SmartcardNumber, "SmartcardNumber"),
        (Self::SmartcardParamName, "SmartcardParamName"),
        (Self::SmartcardParamValue, "SmartcardParamValue"),
        (Self::ModelId, "ModelId"),
    ];

    fn by_name(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, known)| known.eq_ignore_ascii_case(name)).map(|(field, _)| *field)
    }

    /// What the field holds; the model's id comes beside the texts.
    fn of<'a>(self, dut: &'a DutFields, model_id: &'a str) -> &'a str {
        match self {
            Self::Name => &dut.name,
            Self::Description => &dut.description,
            Self::SerialNumber => &dut.serial_number,
            Self::ModelName => &dut.model_name,
            Self::ModelDescription => &dut.model_description,
            Self::Manufacturer => &dut.manufacturer,
            Self::ManufactureModel => &dut.manufacturer_model,
            Self::HardwareVersion => &dut.hardware_version,
            Self::TypeName => &dut.type_name,
            Self::TypeDescription => &dut.type_description,
            Self::Broadcaster => &dut.broadcaster,
            Self::IrName => &dut.ir_name,
            Self::IrDescription => &dut.ir_description,
            Self::SmartcardNumber => &dut.smartcard_number,
            Self::SmartcardParamName => &dut.smartcard_param_name,
            Self::SmartcardParamValue => &dut.smartcard_param_value,
            Self::ModelId => model_id,
        }
    }
}

/// A condition that cannot be read. Each kind carries the condition as it was given, cut to a readable length.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BadFilter {
    /// There is no `==`.
    NoOperator(String),
    /// The field is none of the 17: the condition, and the name that was given.
    UnknownField(String, String),
    /// The pattern begins or ends with a quote: the condition, and how it is meant to be written.
    StrayQuote(String, String),
    /// More conditions than [`Filter::MAX_CONDITIONS`].
    TooMany(usize),
    /// Longer than [`Filter::MAX_LENGTH`].
    TooLong(String),
}

impl fmt::Display for BadFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoOperator(given) => write!(f, "filter {given:?} has no `==`; write it as \"Field==pattern\""),
            Self::UnknownField(given, name) => {
                write!(f, "filter {given:?} names the field {name:?}, which there is not; use one of ")?;
                let names = Field::ALL.map(|(_, name)| name);
                f.write_str(&names.join(", "))
            }
            Self::StrayQuote(given, better) => {
                write!(f, "filter {given:?} has a quote around its pattern; write it without: {better:?}")
            }
            Self::TooMany(count) => {
                write!(f, "{count} filters were given; at most {} are taken at once", Filter::MAX_CONDITIONS)
            }
            Self::TooLong(given) => {
                write!(
                    f,
                    "the filter that begins {given:?} is longer than {} characters; shorten it",
                    Filter::MAX_LENGTH
                )
            }
        }
    }
}

impl std::error::Error for BadFilter {}

/// Conditions of which all must hold; without any, every DUT is found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    conditions: Vec<Condition>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Condition {
    field: Field,
    pattern: Pattern,
}

impl Filter {
    /// Most conditions of one search.
    pub const MAX_CONDITIONS: usize = 64;
    /// Most characters of one condition.
    pub const MAX_LENGTH: usize = 500;

    /// Reads conditions as `findStb` takes them.
    ///
    /// # Errors
    /// [`BadFilter`], for the first condition that cannot be read.
    pub fn parse<'a>(conditions: impl IntoIterator<Item = &'a str>) -> Result<Self, BadFilter> {
        let conditions: Vec<Condition> = conditions.into_iter().map(Condition::parse).collect::<Result<_, _>>()?;
        if conditions.len() > Self::MAX_CONDITIONS {
            return Err(BadFilter::TooMany(conditions.len()));
        }
        Ok(Self { conditions })
    }

    /// Whether a DUT is found. `model_id`: the id of its model in decimal digits, or nothing.
    pub fn matches(&self, dut: &DutFields, model_id: &str) -> bool {
        self.conditions.iter().all(|condition| condition.pattern.matches(condition.field.of(dut, model_id)))
    }
}

impl Condition {
    fn parse(given: &str) -> Result<Self, BadFilter> {
        if given.chars().count() > Filter::MAX_LENGTH {
            return Err(BadFilter::TooLong(given.chars().take(60).collect()));
        }
        let (name, pattern) = given.split_once("==").ok_or_else(|| BadFilter::NoOperator(given.into()))?;
        let (name, pattern) = (name.trim(), pattern.trim());
        let field = Field::by_name(name).ok_or_else(|| BadFilter::UnknownField(given.into(), name.into()))?;
        let quote = |c| c == '"' || c == '\'';
        if pattern.starts_with(quote) || pattern.ends_with(quote) {
            let bare = pattern.trim_matches(|c: char| quote(c) || c.is_whitespace());
            return Err(BadFilter::StrayQuote(given.into(), format!("{name}=={bare}")));
        }
        Ok(Self { field, pattern: Pattern::new(pattern) })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use proptest::prelude::*;

    use super::*;

    fn dut(name: &str, manufacturer: &str) -> DutFields {
        DutFields { name: name.into(), manufacturer: manufacturer.into(), ..DutFields::default() }
    }

    fn found(conditions: &[&str], dut: &DutFields) -> bool {
        Filter::parse(conditions.iter().copied()).unwrap().matches(dut, "7")
    }

    #[test]
    fn all_conditions_must_hold() {
        let box1 = dut("TP200686A-L-80", "Pace");
        assert!(found(&[], &box1));
        assert!(found(&["Name==TP*", "Manufacturer==*"], &box1));
        assert!(found(&["Name==TP*80", "manufacturer==PACE", "ModelId==7"], &box1));
        assert!(!found(&["Name==TP*", "Manufacturer==Grundig"], &box1));
        assert!(!found(&["Name==TP"], &box1), "without a star the whole text is meant");
    }

    #[test]
    fn a_star_finds_blank_fields_and_an_empty_pattern_only_those() {
        let blank = dut("box", "");
        assert!(found(&["Manufacturer==*"], &blank));
        assert!(found(&["Manufacturer=="], &blank));
        assert!(!found(&["Name=="], &blank));
    }

    #[test]
    fn every_field_of_the_document_can_be_searched() {
        let fields: Vec<String> = Field::ALL.iter().map(|(_, name)| format!("{name}==*")).collect();
        assert!(found(&fields.iter().map(String::as_str).collect::<Vec<_>>(), &DutFields::default()));
    }

    #[test]
    fn what_cannot_be_read_is_named_with_the_remedy() {
        let text = |condition: &str| Filter::parse([condition]).unwrap_err().to_string();
        assert_eq!(
            text("Name==\"TP*"),
            r#"filter "Name==\"TP*" has a quote around its pattern; write it without: "Name==TP*""#
        );
        assert!(text("Name=TP").contains("has no `==`"));
        assert!(text("Colour==red").contains("\"Colour\"") && text("Colour==red").contains("SmartcardParamValue"));
        assert!(Filter::parse(vec!["Name==*"; 65]).is_err());
        assert!(text(&"x".repeat(501)).contains("longer than 500"));
    }

    proptest! {
        #[test]
        fn anything_is_read_or_refused(conditions in proptest::collection::vec(".{0,40}", 0..5)) {
            let _ = Filter::parse(conditions.iter().map(String::as_str)).map(|filter| filter.matches(&dut("a", "b"), ""));
        }
    }
}

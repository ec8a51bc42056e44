//! Parameters of a plugin: what it takes is a JSON Schema in its manifest, what it gets is checked against it and has its defaults.
//!
//! ```toml
//! [parameters]
//! type = "object"
//! additionalProperties = false
//!
//! [parameters.properties.weight]
//! description = "How much a failure counts."
//! type = "integer"
//! minimum = 1
//! default = 10
//! ```
//!
//! What a schema requires and has no default for may be missing from a coverage policy when it is loaded: each job may bring it, and is refused
//! without. The self-check, and `headend plugin check`, then ask with the schema's `examples` (or those of the required properties);
//! with none of these nothing of the policy is tried before the first job. A queue policy has nobody else to ask: it is loaded with all that it requires.
//!
//! The schema is foreign, and is worked with in the server's process. So it has no references (they may run in circles), and its
//! patterns are those of an engine whose time is bounded by the length of the text.

use std::sync::Arc;

use jsonschema::error::ValidationErrorKind;
use jsonschema::{PatternOptions, ValidationError, Validator};
use serde_json::{Map, Value};

/// Keywords of JSON Schema (2020-12) that are taken. `$ref` and its kin are not: schemas are short, and circles are not.
pub(super) const KEYWORDS: &[&str] = &[
    "type",
    "title",
    "description",
    "default",
    "examples",
    "deprecated",
    "enum",
    "const",
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "multipleOf",
    "minLength",
    "maxLength",
    "pattern",
    "items",
    "prefixItems",
    "contains",
    "minContains",
    "maxContains",
    "minItems",
    "maxItems",
    "uniqueItems",
    "properties",
    "patternProperties",
    "additionalProperties",
    "propertyNames",
    "required",
    "minProperties",
    "maxProperties",
    "dependentRequired",
    "dependentSchemas",
    "allOf",
    "anyOf",
    "oneOf",
    "not",
    "if",
    "then",
    "else",
];

/// Most bytes of JSON text that one set of parameters may have.
pub const MAX_PARAMETERS: usize = 16 << 10;
/// A pattern may become an automaton of this many bytes.
const MAX_PATTERN: usize = 1 << 20;

/// What a plugin takes as parameters.
#[derive(Clone)]
pub struct Parameters {
    schema: Arc<Value>,
    /// `None`: no schema, no parameters.
    pub(super) check: Option<Arc<Validator>>,
    /// The same schema without its `required`; `None`: it has none.
    pub(super) open: Option<Arc<Validator>>,
}

/// Parameters that a plugin does not take.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("parameter {pointer:?} {what}")]
pub struct ParameterError {
    /// Where, as a JSON pointer; empty: the whole.
    pub pointer: String,
    /// What is wrong with it.
    pub what: String,
}

impl ParameterError {
    fn whole(what: impl Into<String>) -> Self {
        Self { pointer: String::new(), what: what.into() }
    }
}

impl Default for Parameters {
    /// A plugin that takes none.
    fn default() -> Self {
        Self { schema: Arc::new(Value::Null), check: None, open: None }
    }
}

impl std::fmt::Debug for Parameters {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Parameters").field(&self.schema).finish()
    }
}

impl PartialEq for Parameters {
    fn eq(&self, other: &Self) -> bool {
        self.schema == other.schema
    }
}

impl Eq for Parameters {}

impl Parameters {
    /// A schema as the manifest has it; its keywords have been looked at.
    pub(super) fn new(schema: Value) -> Result<Self, String> {
        match schema.get("type") {
            Some(Value::String(kind)) if kind == "object" => {}
            _ => return Err("parameters must have type = \"object\": they are set by name".into()),
        }
        let options = jsonschema::options()
            .with_draft(jsonschema::Draft::Draft202012)
            .with_pattern_options(PatternOptions::regex().size_limit(MAX_PATTERN).dfa_size_limit(MAX_PATTERN));
        let build = |schema: &Value| {
            options.build(schema).map(Arc::new).map_err(|error| {
                let place = error.instance_path().to_string();
                format!("parameters is no good JSON Schema at {place:?}: {}", cut(&error.to_string()))
            })
        };
        let check = build(&schema)?;
        let mut open = schema.clone();
        let has_required = open.as_object_mut().is_some_and(|open| open.remove("required").is_some());
        let open = if has_required { Some(build(&open)?) } else { None };
        Ok(Self { schema: Arc::new(schema), check: Some(check), open })
    }

    /// The schema; `null` for a plugin that takes no parameters.
    pub fn schema(&self) -> &Value {
        &self.schema
    }

    /// What the plugin gets: `asked` over `set` (both objects or null, member by member), with the schema's defaults where neither says
    /// anything. Defaults of members of members count when the member is there.
    ///
    /// # Errors
    /// [`ParameterError`] with the place of the first mistake.
    pub fn effective(&self, set: &Value, asked: &Value) -> Result<Value, ParameterError> {
        let all = self.merged(set, asked)?;
        match self.check.as_ref().map(|check| check.validate(&all)) {
            None | Some(Ok(())) => Ok(all),
            Some(Err(error)) => Err(self.misfit(&all, &error)),
        }
    }

    /// `asked` over `set` over the defaults, with names that the plugin knows.
    pub(super) fn merged(&self, set: &Value, asked: &Value) -> Result<Value, ParameterError> {
        let mut all = Map::new();
        for given in [set, asked] {
            match given {
                Value::Null => {}
                Value::Object(members) => all.extend(members.iter().map(|(name, value)| (name.clone(), value.clone()))),
                _ => return Err(ParameterError::whole("is not an object; write {\"name\": value}")),
            }
        }
        let mut all = Value::Object(all);
        if self.check.is_none() {
            return match all.as_object().and_then(|all| all.keys().next()) {
                None => Ok(all),
                Some(name) => Err(ParameterError {
                    pointer: format!("/{}", escaped(name)),
                    what: "is not known: the plugin takes no parameters (its manifest has no `parameters`)".into(),
                }),
            };
        }
        fill(&self.schema, &mut all);
        if all.to_string().len() > MAX_PARAMETERS {
            return Err(ParameterError::whole(format!("has more than {MAX_PARAMETERS} bytes of JSON")));
        }
        self.check_members(&all)?;
        Ok(all)
    }

    /// Names the parameter, its value, and what the schema wants of it.
    fn misfit(&self, all: &Value, error: &ValidationError<'_>) -> ParameterError {
        let at = error.instance_path().to_string();
        if let ValidationErrorKind::Required { property: Value::String(name) } = error.kind() {
            let pointer = format!("{at}/{}", escaped(name));
            let what = format!("is missing: the plugin cannot do without it{}", self.wish(&pointer));
            return ParameterError { pointer, what };
        }
        let what = match all.pointer(&at) {
            Some(value) if !at.is_empty() => {
                format!("is {}, and the schema says no: {}{}", shown(value), cut(&error.to_string()), self.wish(&at))
            }
            _ => format!("does not fit the plugin's schema: {}", cut(&error.to_string())),
        };
        ParameterError { pointer: at, what }
    }

    /// What the schema says of the place, without its prose.
    fn wish(&self, pointer: &str) -> String {
        let mut schema = &*self.schema;
        for name in pointer.split('/').skip(1) {
            let name = name.replace("~1", "/").replace("~0", "~");
            let members = schema.get("properties").and_then(|named| named.get(&name));
            let items = || schema.get("items").filter(|_| name.parse::<usize>().is_ok());
            let Some(inner) = members.or_else(items) else { return String::new() };
            schema = inner;
        }
        let mut wish = schema.clone();
        if let Some(wish) = wish.as_object_mut() {
            wish.retain(|keyword, _| !matches!(keyword.as_str(), "title" | "description" | "examples"));
        }
        format!("; it takes {}", shown(&wish))
    }

    /// A name that the schema does not know is refused with the nearest one that it does.
    fn check_members(&self, all: &Value) -> Result<(), ParameterError> {
        let closed = self.schema.get("additionalProperties") == Some(&Value::Bool(false));
        let known = self.schema.get("properties").and_then(Value::as_object);
        let (true, Some(known), Some(all)) = (closed, known, all.as_object()) else { return Ok(()) };
        if self.schema.get("patternProperties").is_some() {
            return Ok(());
        }
        let Some(name) = all.keys().find(|name| !known.contains_key(*name)) else { return Ok(()) };
        let words: Vec<&str> = known.keys().map(String::as_str).collect();
        let near = match super::keys::nearest(name, &words) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("the plugin takes: {}", words.join(", ")),
        };
        Err(ParameterError { pointer: format!("/{}", escaped(name)), what: format!("is not known; {near}") })
    }
}

fn escaped(name: &str) -> String {
    let name: String = name.chars().take(60).collect();
    name.replace('~', "~0").replace('/', "~1")
}

fn cut(text: &str) -> String {
    text.chars().take(300).collect()
}

/// JSON text for people: the beginning of what is long.
fn shown(value: &Value) -> String {
    let text = value.to_string();
    if text.chars().count() <= 200 { text } else { text.chars().take(200).chain("...".chars()).collect() }
}

/// Puts in the defaults of the members that are not there.
fn fill(schema: &Value, value: &mut Value) {
    let (Some(properties), Some(members)) =
        (schema.get("properties").and_then(Value::as_object), value.as_object_mut())
    else {
        return;
    };
    for (name, schema) in properties {
        if let (None, Some(default)) = (members.get(name), schema.get("default")) {
            members.insert(name.clone(), default.clone());
        }
        if let Some(member) = members.get_mut(name) {
            fill(schema, member);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn parameters() -> Parameters {
        Parameters::new(json!({
            "type": "object",
            "additionalProperties": false,
            "required": ["field"],
            "properties": {
                "field": { "type": "string", "pattern": "^[A-Z]" },
                "weight": { "type": "integer", "minimum": 1, "default": 10 },
                "night": { "type": "object", "properties": { "hours": { "type": "number", "default": 8 } } },
            },
        }))
        .unwrap()
    }

    #[test]
    fn what_is_left_out_gets_its_default_and_the_job_overrides_what_is_set() {
        let effective =
            parameters().effective(&json!({"field": "A", "weight": 2, "night": {}}), &json!({"field": "B"}));
        assert_eq!(effective.unwrap(), json!({"field": "B", "weight": 2, "night": {"hours": 8}}));
    }

    #[test]
    fn each_mistake_has_its_place_and_words() {
        let cases = [
            (
                json!({}),
                "/field",
                "is missing: the plugin cannot do without it; it takes {\"pattern\":\"^[A-Z]\",\"type\":\"string\"}",
            ),
            (json!({"field": 5}), "/field", "not of type \"string\""),
            (json!({"field": "a"}), "/field", "does not match"),
            (
                json!({"field": "A", "weight": 0}),
                "/weight",
                "is 0, and the schema says no: 0 is less than the minimum of 1; it takes {\"default\":10,\"minimum\":1,\"type\":\"integer\"}",
            ),
            (
                json!({"field": "A", "night": {"hours": "x"}}),
                "/night/hours",
                "it takes {\"default\":8,\"type\":\"number\"}",
            ),
            (json!({"field": "A", "wieght": 2}), "/wieght", "did you mean `weight`?"),
            (json!({"field": "A", "colour": 2}), "/colour", "the plugin takes: field, night, weight"),
            (json!([1]), "", "is not an object"),
            (json!({"field": "A".repeat(20_000)}), "", "more than 16384 bytes"),
        ];
        for (given, pointer, words) in cases {
            let error = parameters().effective(&Value::Null, &given).unwrap_err();
            assert_eq!(error.pointer, pointer, "{given}: {error}");
            assert!(error.what.contains(words), "{given}: {error}");
        }
    }

    #[test]
    fn a_plugin_without_a_schema_takes_nothing() {
        let none = Parameters::default();
        assert_eq!(none.effective(&Value::Null, &json!({})), Ok(json!({})));
        let error = none.effective(&Value::Null, &json!({"a/b": 1})).unwrap_err();
        assert_eq!(error.pointer, "/a~1b");
    }

    #[test]
    fn a_pattern_that_explodes_is_refused_or_harmless() {
        let schema = json!({"type": "object", "properties": {"a": {"type": "string", "pattern": "^(a+)+$"}}});
        let bomb = json!({"type": "object", "properties": {"a": {"pattern": "(((a{100}){100}){100}){100}"}}});
        assert!(Parameters::new(bomb).is_err());
        let text = format!("{}b", "a".repeat(10_000));
        assert!(Parameters::new(schema).unwrap().effective(&Value::Null, &json!({"a": text})).is_err());
    }
}

//! Parameters of a plugin that cannot do without some: what is known of them before a job has named them.

use serde_json::{Map, Value};

use super::{ParameterError, Parameters};

/// What there is of parameters when a plugin is loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AtLoad {
    /// All that the plugin needs.
    Whole(Value),
    /// Something that the schema requires has to come with each job.
    Partial(Value),
}

impl Parameters {
    /// What is set, with the schema's defaults; right as far as it goes.
    ///
    /// # Errors
    /// [`ParameterError`] when something is wrong that no job could make good.
    pub fn at_load(&self, set: &Value) -> Result<AtLoad, ParameterError> {
        let error = match self.effective(set, &Value::Null) {
            Ok(all) => return Ok(AtLoad::Whole(all)),
            Err(error) => error,
        };
        let Some(open) = &self.open else { return Err(error) };
        let all = self.merged(set, &Value::Null)?;
        if open.is_valid(&all) { Ok(AtLoad::Partial(all)) } else { Err(error) }
    }

    /// Whole parameters to try the plugin with: what is set, made whole by the schema's `examples`, or by those of its required properties
    /// (their first example, constant or choice). `None`: it has none, or they do not fit.
    pub fn example(&self, set: &Value) -> Option<Value> {
        let given = self.schema().get("examples").and_then(Value::as_array).into_iter().flatten().cloned();
        given.chain(self.assembled()).find_map(|example| self.effective(&example, set).ok())
    }

    fn assembled(&self) -> Option<Value> {
        let properties = self.schema().get("properties")?.as_object()?;
        let required = self.schema().get("required")?.as_array()?.iter().filter_map(Value::as_str);
        let one = |name: &str| {
            let schema = properties.get(name)?;
            let first = |of: &str| schema.get(of).and_then(|all| all.get(0));
            let value = schema.get("default").or_else(|| first("examples")).or_else(|| schema.get("const"));
            Some((name.to_owned(), value.or_else(|| first("enum"))?.clone()))
        };
        required.map(one).collect::<Option<Map<_, _>>>().map(Value::Object)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn needs_fields(more: &Value) -> Parameters {
        let mut schema = json!({
            "type": "object",
            "additionalProperties": false,
            "required": ["fields"],
            "properties": {
                "fields": { "type": "array", "items": { "type": "string" }, "minItems": 1 },
                "weight": { "type": "integer", "default": 3 },
            },
        });
        for (pointer, value) in more.as_object().into_iter().flatten() {
            let (place, name) = pointer.rsplit_once('/').unwrap();
            schema.pointer_mut(place).unwrap()[name] = value.clone();
        }
        Parameters::new(schema).unwrap()
    }

    #[test]
    fn what_a_job_has_to_name_may_be_missing_and_nothing_else_may_be_wrong() {
        let parameters = needs_fields(&json!({}));
        assert_eq!(parameters.at_load(&Value::Null), Ok(AtLoad::Partial(json!({"weight": 3}))));
        assert_eq!(
            parameters.at_load(&json!({"fields": ["a"]})),
            Ok(AtLoad::Whole(json!({"fields": ["a"], "weight": 3})))
        );
        for wrong in [json!({"weight": "x"}), json!({"fields": []}), json!({"feilds": ["a"]})] {
            assert!(parameters.at_load(&wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn an_example_is_whole_and_has_what_is_set() {
        assert_eq!(needs_fields(&json!({})).example(&Value::Null), None);
        let whole = needs_fields(&json!({"/examples": [{"fields": 1}, {"fields": ["a"], "weight": 5}]}));
        assert_eq!(whole.example(&json!({"weight": 7})), Some(json!({"fields": ["a"], "weight": 7})));
        let assembled = needs_fields(&json!({"/properties/fields/examples": [["b"], ["c"]]}));
        assert_eq!(assembled.example(&Value::Null), Some(json!({"fields": ["b"], "weight": 3})));
    }
}

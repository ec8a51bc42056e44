//! The rack file as JSON Schema: what editors complete and underline.

/// JSON Schema (draft 2020-12) of a rack file. It says less than [`Look`](super::Look): not what one port can serve, nor what is
/// there on this machine.
pub const fn schema() -> &'static str {
    include_str!("schema.json")
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use serde_json::{Value, json};
    use toml::de::DeTable;

    use super::*;
    use crate::driver::wired::Face;
    use crate::wiring::fault::{At, Source};
    use crate::wiring::tools::KINDS;
    use crate::wiring::typed::typed;
    use crate::wiring::virtual_table::VirtualTable;
    use crate::wiring::{Look, RackTable};

    fn known() -> Value {
        serde_json::from_str(schema()).unwrap()
    }

    fn keys(of: &Value) -> Vec<String> {
        let mut keys: Vec<String> = of["properties"].as_object().unwrap().keys().cloned().collect();
        keys.sort();
        keys
    }

    /// The keys that a table takes, as its reader tells them to whoever writes another one.
    fn taken(read: impl Fn(&mut Source<'_>, &At, &DeTable<'_>)) -> Vec<String> {
        let text = "no_key_has_such_a_name = 0";
        let mut source = Source::new(text);
        let at = At { slot: None, key: String::new(), span: 0..0 };
        read(&mut source, &at, DeTable::parse(text).unwrap().get_ref());
        let names = source.faults[0].remedy.strip_prefix("known: ").unwrap();
        let mut names: Vec<String> = names.split(", ").map(str::to_owned).collect();
        names.sort();
        names
    }

    #[test]
    fn it_names_every_key_of_every_table_and_no_other() {
        let schema = known();
        let tools = KINDS.iter().filter(|kind| !["fake", "port"].contains(&kind.name));
        for kind in tools {
            let read = |source: &mut Source<'_>, at: &At, table: &DeTable<'_>| drop((kind.read)(source, at, table));
            assert_eq!(keys(&schema["$defs"][kind.name]), taken(read), "{}", kind.name);
            assert_eq!(schema["$defs"][kind.name]["additionalProperties"], false, "{}", kind.name);
            for face in Face::ALL {
                let there = schema["$defs"]["slot"]["properties"][face.name()]["properties"].get(kind.name).is_some();
                assert_eq!(there, kind.alone && kind.faces.contains(&face), "{} as {face}", kind.name);
            }
            // `serial` is a face there.
            let machine = schema["$defs"]["slot"]["properties"].get(kind.name).is_some();
            let is_face = Face::ALL.iter().any(|face| face.name() == kind.name);
            assert_eq!(machine, kind.machine || is_face, "{}", kind.name);
        }
        let table = taken(|source, at, table| drop(typed::<RackTable>(source, at, table)));
        assert_eq!(keys(&schema["$defs"]["rack"]), table);
        let table = taken(|source, at, table| {
            let _read: Option<VirtualTable> = typed(source, at, table);
        });
        assert_eq!(keys(&schema["$defs"]["virtual"]), table);
    }

    /// The example of the docs, and what is a mistake in it.
    #[test]
    fn it_takes_the_example_and_refuses_mistakes() {
        let validator = jsonschema::validator_for(&known()).unwrap();
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/rack.toml");
        let text = std::fs::read_to_string(&path).unwrap();
        let example: Value = toml::from_str(&text).unwrap();
        let errors: Vec<_> = validator.iter_errors(&example).map(|error| error.to_string()).collect();
        assert_eq!(errors, [] as [&str; 0]);
        let look = Look::at(&text);
        // Ports and cards of the example need not be on this machine.
        let faults: Vec<_> = look.faults.iter().filter(|fault| !fault.problem.contains(" not ")).collect();
        assert!(faults.is_empty(), "{faults:#?}");
        for mistake in [
            json!({}),
            json!({ "slot": [{ "virtual": {} }] }),
            json!({ "slot": [{ "no": 0, "virtual": {} }] }),
            json!({ "slot": [{ "no": 1, "virtual": { "sede": 1 } }] }),
            json!({ "slot": [{ "no": 1, "serial": {} }] }),
            json!({ "slot": [{ "no": 1, "virtual": {} }], "rak": {} }),
        ] {
            assert!(!validator.is_valid(&mistake), "{mistake}");
        }
    }
}

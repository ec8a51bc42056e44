//! Coverage policies that cannot do without something that each job has to say.

use headend_plugin_host::PolicyFault;
use headend_plugin_host::lifecycle::LoadError;
use headend_plugin_host::policy::PluginInfo;
use headend_scheduler::view::PlanView;

use super::support::{Lab, name, plan};

/// Throws when it is asked with the field `bad`.
const PICKY: &str = r#"fn propose(plan, free) { if plan.parameters.fields[0] == "bad" { throw "bad" } [] }"#;

fn load(lab: &Lab, source: &str, examples: &str) -> Result<PluginInfo, LoadError> {
    let schema = format!(
        "[limits]\ndeadline_ms = 30000\n[parameters]\ntype = \"object\"\nadditionalProperties = false\nrequired = [\"fields\"]\n{examples}\n\
         properties.fields = {{ type = \"array\", items = {{ type = \"string\" }}, minItems = 1 }}\n\
         properties.weight = {{ type = \"integer\", default = 3 }}\n"
    );
    let folder = lab.write("picky", "p.rhai", source.as_bytes(), &schema);
    let manifest = folder.join("headend-plugin.toml");
    let second = std::fs::read_to_string(&manifest).unwrap().replace("world = \"1.0.0\"", "world = \"2.0.0\"");
    std::fs::write(manifest, second).unwrap();
    lab.host.load(&folder)
}

fn asking(parameters: &str) -> PlanView {
    PlanView { parameters: parameters.to_owned(), ..plan(&[1], 1) }
}

#[test]
fn it_is_loaded_and_each_job_says_what_it_wants() {
    let lab = Lab::new();
    let info = load(&lab, PICKY, "").unwrap();
    assert_eq!(info.parameters, serde_json::json!({ "weight": 3 }), "as far as they are known");
    let declined = lab.host.instance(&name("picky"), &asking("")).err().unwrap();
    assert!(matches!(&declined, PolicyFault::Declined { what, .. } if what.contains("/fields")), "{declined}");
    let missing = lab.host.check_parameters(&name("picky"), "").unwrap_err();
    assert_eq!(missing.pointer, "/fields");
    assert!(lab.host.check_parameters(&name("picky"), r#"{"fields": ["a"], "weight": "x"}"#).is_err());
    assert_eq!(lab.host.check_parameters(&name("picky"), r#"{"fields": ["a"]}"#), Ok(()));
    assert!(lab.host.instance(&name("picky"), &asking(r#"{"fields": ["a"]}"#)).is_ok());
}

#[test]
fn its_example_is_what_the_self_check_asks_with() {
    let lab = Lab::new();
    let error = load(&lab, PICKY, "examples = [{ fields = [\"bad\"] }]").unwrap_err();
    assert!(matches!(&error, LoadError::SelfCheck { what, .. } if what.contains("bad")), "{error}");
    load(&lab, PICKY, "examples = [{ fields = [\"good\"] }]").unwrap();
    let example = lab.host.example_parameters(&name("picky")).unwrap();
    assert_eq!(serde_json::from_str::<serde_json::Value>(&example).unwrap()["fields"][0], "good");
}

#[test]
fn without_an_example_nothing_of_it_is_tried() {
    let lab = Lab::new();
    assert!(load(&lab, "fn propose(plan, free) { throw \"always\" }", "").is_ok());
}

//! Manifests: what is taken, written again, reads as the same; what is refused is refused in one short line.
#![no_main]

use headend_plugin_host::{Manifest, fuzz};
use libfuzzer_sys::fuzz_target;
use toml::{Table, Value};

fuzz_target!(|text: &str| {
    let Ok(manifest) = fuzz::manifest(text) else { return };
    let written = print(&manifest);
    assert_eq!(fuzz::manifest(&written).as_ref(), Ok(&manifest), "{written}");
});

fn print(manifest: &Manifest) -> String {
    let Manifest { name, version, kind, world, file, description, capabilities, limits, sha256, parameters, .. } =
        manifest;
    let mut all = Table::new();
    let words = [
        ("name", name.to_string()),
        ("version", version.clone()),
        ("kind", kind.to_string()),
        ("world", world.to_string()),
        ("file", file.clone()),
        ("description", description.clone()),
    ];
    all.extend(words.map(|(key, value)| (key.to_owned(), Value::String(value))));
    all.extend(sha256.clone().map(|hash| ("sha256".to_owned(), Value::String(hash))));
    all.insert(
        "capabilities".into(),
        capabilities.iter().map(|asked| asked.to_string().into()).collect::<Vec<Value>>().into(),
    );
    let mut most = Table::new();
    most.insert("memory_mib".into(), i64::from(limits.memory_mib).into());
    most.insert("deadline_ms".into(), (limits.deadline_ms as i64).into());
    most.insert("host_calls".into(), i64::from(limits.host_calls).into());
    most.extend(limits.fuel.map(|fuel| ("fuel".to_owned(), Value::Integer(fuel as i64))));
    all.insert("limits".into(), most.into());
    // A schema with a null in it has no TOML; none can come from one.
    if let Ok(schema) = Value::try_from(parameters.schema()) {
        all.insert("parameters".into(), schema);
    }
    toml::to_string(&all).expect("a table of plain values")
}

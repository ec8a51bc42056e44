//! The hostile guests of `tests/guests`, for labs: policies that are put together and loaded, scripts that are uploaded, and a module
//! that is too much for its compiler.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use serde::Deserialize;
use serde_json::json;

use crate::lab::repository;
use crate::{Lab, eventually};

#[path = "../../../engine/plugin-host/tests/policy/assemble.rs"]
#[allow(unreachable_pub, reason = "shared with tests of another crate")]
mod assemble;

#[derive(Deserialize)]
struct Cases {
    case: Vec<Case>,
}

/// Of a case of `tests/guests/policies` what is needed here.
#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Case {
    pub name: String,
    rhai: Option<String>,
    limits: BTreeMap<String, i64>,
    pages: Option<u32>,
    module: String,
    realloc: String,
    build: String,
    propose: String,
}

fn corpus() -> PathBuf {
    repository().join("tests/guests")
}

/// The policies of these names. Each wants three targets to become hostile.
pub fn policies(names: &[&str]) -> Vec<Case> {
    let files = fs::read_dir(corpus().join("policies")).unwrap().map(|entry| entry.unwrap().path());
    let files = files.filter(|file| file.extension().is_some_and(|ending| ending == "toml"));
    let cases = files.flat_map(|file| toml::from_str::<Cases>(&fs::read_to_string(file).unwrap()).unwrap().case);
    let wanted: Vec<Case> = cases.filter(|case| names.contains(&case.name.as_str())).collect();
    assert_eq!(wanted.len(), names.len(), "each is in the corpus");
    wanted
}

impl Case {
    fn file(&self) -> (&'static str, Vec<u8>) {
        if let Some(source) = &self.rhai {
            return ("p.rhai", source.clone().into_bytes());
        }
        let frame = fs::read_to_string(corpus().join("policies/frames/coverage.wat")).unwrap();
        let text: String = frame.lines().filter(|line| !line.trim_start().starts_with(";;")).collect();
        let armed = |body: &str| format!("(if (global.get $armed) (then {body}))");
        let text = text.replace("{build}", &armed(&self.build)).replace("{propose}", &armed(&self.propose));
        let text = text.replace("{module}", &self.module).replace("{realloc}", &self.realloc);
        let text = text.replace("{pages}", &self.pages.unwrap_or(1).to_string());
        let text =
            ["{imports}", "{note}", "{reason}", "{report}"].iter().fold(text, |text, part| text.replace(part, ""));
        ("p.wasm", assemble::embed(&text, "v2", "coverage-policy"))
    }

    /// Loads it; a manifest without a deadline gets one second.
    pub async fn load(&self, lab: &Lab) {
        let (file, code) = self.file();
        let mut limits = self.limits.clone();
        limits.entry("deadline_ms".into()).or_insert(1_000);
        load(lab, &self.name, file, &code, &limits).await;
    }
}

/// Loads a coverage policy from a folder of the lab.
pub async fn load(lab: &Lab, name: &str, file: &str, code: &[u8], limits: &BTreeMap<String, i64>) {
    let folder = lab.folder.path().join("plugins").join(name);
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join(file), code).unwrap();
    let limits: Vec<String> = limits.iter().map(|(name, value)| format!("{name} = {value}")).collect();
    let limits = limits.join("\n");
    let manifest = format!(
        "name = \"{name}\"\nversion = \"1.0.0\"\nkind = \"coverage-policy\"\nworld = \"2.0.0\"\nfile = \"{file}\"\n[limits]\n{limits}"
    );
    fs::write(folder.join("headend-plugin.toml"), manifest).unwrap();
    // A short deadline may be missed on a busy machine while the plugin is tried, without any fault of it.
    eventually(&format!("{name} to be let in"), || async {
        let answer = lab.client.post("/plugins/load", &json!({ "path": folder })).await;
        answer.status.is_success().then_some(())
    })
    .await;
}

/// A script of the corpus, as it is uploaded: its name, and what is in it.
pub fn script(script: &str) -> (String, Vec<u8>) {
    let path = corpus().join(script);
    let is_text = path.extension().is_some_and(|ending| ending == "wat");
    (uploaded(script), if is_text { wat::parse_file(&path).unwrap() } else { fs::read(&path).unwrap() })
}

/// Its name in an area.
pub fn uploaded(script: &str) -> String {
    script.replace('/', "-").replace(".wat", ".wasm")
}

/// A component with one function of so many instructions that compiling it takes more memory than a compiler may have.
pub fn bomb() -> Vec<u8> {
    let mut body = vec![0x00, 0x20, 0x00];
    while body.len() < 7_200_000 {
        // local.get 0, i32.add, i32.const 7, i32.mul
        body.extend([0x20, 0x00, 0x6a, 0x41, 0x07, 0x6c]);
    }
    body.push(0x0b);
    let module = [
        b"\0asm\x01\0\0\0".to_vec(),
        section(1, &[0x01, 0x60, 0x01, 0x7f, 0x01, 0x7f]),
        section(3, &[0x01, 0x00]),
        section(10, &[vec![1], leb(body.len()), body].concat()),
    ];
    [b"\0asm\x0d\0\x01\0".to_vec(), section(1, &module.concat())].concat()
}

fn section(id: u8, content: &[u8]) -> Vec<u8> {
    [vec![id], leb(content.len()), content.to_vec()].concat()
}

/// A number as WebAssembly writes it.
fn leb(mut n: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while n >= 0x80 {
        bytes.push(n as u8 | 0x80);
        n >>= 7;
    }
    bytes.push(n as u8);
    bytes
}

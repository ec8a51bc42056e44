//! What the log of a run says about its captures.

use headend_wire::api::ArtifactItem;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::client::segment;

/// The events of a run, one a line.
pub(super) const LOG: &str = "log.jsonl";

/// What was said then.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Was {
    pub(super) passed: bool,
    pub(super) score: f64,
    pub(super) sentence: String,
    /// Of the analyser; the log may not know.
    pub(super) version: Option<String>,
}

/// A capture, and what an analyser was asked about it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Asked {
    pub(super) slot: Option<u32>,
    /// Where the capture was on the rack.
    pub(super) path: String,
    /// Of the device's clock, in microseconds.
    pub(super) at_us: i64,
    pub(super) parameters: Map<String, Value>,
    /// Pictures to compare with, by name.
    pub(super) references: Vec<String>,
    /// Where they are, below the run's folder.
    pub(super) reference_files: Vec<ReferenceFile>,
    /// `None`: nobody was asked about it.
    pub(super) was: Option<Was>,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(super) struct ReferenceFile {
    pub(super) name: String,
    pub(super) path: String,
}

/// Events as racks write them: what is not of interest here is passed over, what an older rack did not write is left out.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Event {
    kind: String,
    slot: Option<u32>,
    analyser: Option<String>,
    name: String,
    version: String,
    path: Option<String>,
    at_us: i64,
    parameters: Value,
    references: Vec<String>,
    reference_files: Vec<ReferenceFile>,
    passed: bool,
    score: f64,
    sentence: String,
}

/// What this analyser was asked, in the order of the log. `captures`: and every capture that it was not asked about.
pub(super) fn asked(log: &[u8], analyser: &str, captures: bool) -> Vec<Asked> {
    let (mut found, mut version): (Vec<Asked>, Option<String>) = (Vec::new(), None);
    // A line that is cut off, or not ours, says nothing.
    let events = log.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice::<Event>(line).ok());
    for event in events {
        if event.kind == "analyser" && event.name == analyser {
            version = Some(event.version.clone());
        }
        let ours = event.analyser.as_deref() == Some(analyser);
        if ours || captures {
            found.extend(of(event, ours, version.clone()));
        }
    }
    if captures { once(found) } else { found }
}

fn of(event: Event, ours: bool, version: Option<String>) -> Option<Asked> {
    let Event { slot, path, at_us, passed, score, sentence, .. } = event;
    let path = path.filter(|path| is_picture(path))?;
    if !ours {
        let (parameters, references) = (Map::new(), Vec::new());
        return Some(Asked { slot, path, at_us, parameters, references, reference_files: Vec::new(), was: None });
    }
    let parameters = match event.parameters {
        Value::Object(parameters) => parameters,
        _ => Map::new(),
    };
    let was = Some(Was { passed, score, sentence, version });
    let (references, reference_files) = (event.references, event.reference_files);
    Some(Asked { slot, path, at_us, parameters, references, reference_files, was })
}

fn is_picture(path: &str) -> bool {
    let ending = path.rsplit_once('.').map(|(_, ending)| ending.to_ascii_lowercase());
    matches!(ending.as_deref(), Some("png" | "jpg" | "jpeg"))
}

/// A capture of which something was said is not there a second time as one of which nothing was.
fn once(found: Vec<Asked>) -> Vec<Asked> {
    let said: std::collections::BTreeSet<String> =
        found.iter().filter(|asked| asked.was.is_some()).map(|asked| asked.path.clone()).collect();
    let mut seen = std::collections::BTreeSet::new();
    let is_new =
        |asked: &Asked| asked.was.is_some() || (!said.contains(&asked.path) && seen.insert(asked.path.clone()));
    found.into_iter().filter(is_new).collect()
}

/// The file of a run that was here on the rack: the longest path that it ends with.
pub(super) fn on_the_server<'a>(files: &'a [ArtifactItem], path: &str) -> Option<&'a str> {
    let ends = |file: &&ArtifactItem| {
        path.strip_suffix(file.path.as_str()).is_some_and(|above| above.is_empty() || above.ends_with('/'))
    };
    files.iter().filter(ends).map(|file| file.path.as_str()).max_by_key(|path| path.len())
}

/// Of a file of a run, on the server.
pub(super) fn address(run: u64, path: &str) -> String {
    format!("/runs/{run}/files/{}", path.split('/').map(segment).collect::<Vec<_>>().join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVENTS: &str = r#"{"at":1,"kind":"analyser","name":"colour","version":"1.0.0 (abc)"}
{"at":2,"kind":"watch","slot":1,"analyser":"colour","parameters":{"value":[1,2,3]},"references":[],"reference_files":[],"passed":true,"score":0.9,"sentence":"it is","at_us":40000,"path":"/rack/runs/7-1/colour_1.png"}
{"at":3,"kind":"watch","slot":1,"analyser":"black","parameters":{},"passed":false,"score":0.1,"sentence":"no","at_us":80000,"path":"/rack/runs/7-1/black_1.png"}
{"at":4,"kind":"capture","slot":1,"path":"/rack/runs/7-1/menu.png","at_us":90000}
{"at":5,"kind":"analyse","slot":null,"analyser":"colour","parameters":null,"references":["logo"],"reference_files":[{"name":"logo","path":"references/ab.png"}],"passed":false,"score":0,"sentence":"no","path":"/rack/runs/7-1/menu.png"}
{"at":6,"kind":"watch","analyser":"colour","path":null}
not ours
{"at":7,"ki"#;

    #[test]
    fn what_was_asked_stands_with_what_was_said() {
        let asked = asked(EVENTS.as_bytes(), "colour", false);
        let [first, second] = asked.as_slice() else { panic!("{asked:?}") };
        let was = first.was.as_ref().unwrap();
        assert!(was.passed && was.sentence == "it is" && was.version.as_deref() == Some("1.0.0 (abc)"));
        assert_eq!((first.slot, first.at_us, &first.parameters["value"][2]), (Some(1), 40_000, &Value::from(3)));
        assert_eq!((second.slot, second.parameters.len(), second.reference_files[0].name.as_str()), (None, 0, "logo"));
    }

    #[test]
    fn every_capture_is_there_once_if_all_are_wanted() {
        let asked = asked(EVENTS.as_bytes(), "colour", true);
        let names: Vec<_> = asked.iter().map(|asked| (asked.path.rsplit('/').next(), asked.was.is_some())).collect();
        assert_eq!(names, [(Some("colour_1.png"), true), (Some("black_1.png"), false), (Some("menu.png"), true)]);
    }

    #[test]
    fn a_path_of_the_rack_is_found_among_the_files() {
        let file = |path: &str| ArtifactItem { path: path.to_owned(), size: 1 };
        let files = [file("a.png"), file("sub/a.png"), file("x-a.png")];
        assert_eq!(on_the_server(&files, "/rack/7-1/sub/a.png"), Some("sub/a.png"));
        assert_eq!(on_the_server(&files, "/rack/7-1/a.png"), Some("a.png"));
        assert_eq!(on_the_server(&files, "/rack/7-1/b-a.png"), None);
        assert_eq!(address(7, "sub/a b.png"), "/runs/7/files/sub/a%20b.png");
    }
}

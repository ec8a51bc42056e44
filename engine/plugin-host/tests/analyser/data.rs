//! Cases told in files, on stories of the virtual box: `tests/data/analysers/README.md` says how.

mod expect;
mod story;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use headend_model::PolicyName;
use headend_plugin_host::analyser::media::Rect;
use headend_plugin_host::analyser::{Reference, Verdict};
use headend_stb::Options;
use serde::Deserialize;

use crate::cases::{go_through, only};
use crate::ocr::{granted, is_here};
use crate::support::{Lab, workspace};
use expect::Expected;
use story::{Event, Senses, Story};

/// What an analyser is tried with.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Cases {
    case: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    /// What is so, in a few words.
    name: String,
    kind: Kind,
    #[serde(default)]
    parameters: toml::Table,
    #[serde(default, rename = "box")]
    options: Options,
    #[serde(default)]
    story: Story,
    /// So much is looked at when the story is over.
    #[serde(default)]
    seconds: f64,
    #[serde(default)]
    references: Vec<Stored>,
    expect: Expected,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Kind {
    /// It is so.
    Positive,
    /// It is nothing like that.
    Negative,
    /// It nearly is, or looks as if it were.
    NearMiss,
}

/// A picture to compare with: of the last frame of a story, or a part of it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    name: String,
    #[serde(default, rename = "box")]
    options: Options,
    story: Story,
    part: Option<[u32; 4]>,
}

impl Stored {
    fn picture(&self) -> Result<Reference, String> {
        let mut last = None;
        let sight = Senses { sight: true, sound: false, serial: false };
        self.story.play(self.options.clone(), 0.0, sight, &mut |event| {
            if let Event::Shown(frame) = event {
                last = Some(frame.picture);
            }
            Ok(())
        })?;
        let whole = last.ok_or_else(|| format!("the story of reference {:?} shows no picture", self.name))?;
        let part = self.part.map_or(whole.bounds(), rect);
        let picture = whole.crop(part).map_err(|fault| format!("reference {:?}: {part:?}: {fault:?}", self.name))?;
        Ok(Reference { name: self.name.clone(), picture, mask: None })
    }
}

fn rect([x, y, width, height]: [u32; 4]) -> Rect {
    Rect { x, y, width, height }
}

impl Case {
    fn judge(&self, lab: &Lab, analyser: &str, senses: Senses) -> Result<(), String> {
        let verdicts = self.verdicts(lab, analyser, senses)?;
        self.expect.held_against(&verdicts)
    }

    fn verdicts(&self, lab: &Lab, analyser: &str, senses: Senses) -> Result<Vec<Verdict>, String> {
        let references = self.references.iter().map(Stored::picture).collect::<Result<Vec<_>, _>>()?;
        let parameters = serde_json::to_string(&self.parameters).map_err(|error| error.to_string())?;
        let name = PolicyName::new(analyser).map_err(|error| error.to_string())?;
        let mut instance = lab.host.instance(&name, &references, &parameters).map_err(|fault| fault.to_string())?;
        let mut verdicts = Vec::new();
        self.story.play(self.options.clone(), self.seconds, senses, &mut |event| {
            let said = match event {
                Event::Shown(frame) => instance.feed(&frame),
                Event::Heard(heard) => instance.hear(&heard),
                Event::Said(news) => instance.read(&news),
            };
            verdicts.extend(said.map_err(|fault| fault.to_string())?);
            Ok(())
        })?;
        verdicts.extend(instance.finish().map_err(|fault| fault.to_string())?);
        Ok(verdicts)
    }
}

fn folder() -> PathBuf {
    workspace().join("tests/data/analysers")
}

/// Names of what lies in a folder and ends like this, without the ending.
fn names(folder: &Path, ending: &str) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let entries = entries.filter(|path| ending.is_empty() == path.is_dir());
    let name = |path: PathBuf| path.file_name()?.to_str()?.strip_suffix(ending).map(str::to_owned);
    entries.filter_map(name).collect()
}

fn read(analyser: &str) -> Vec<Case> {
    let file = folder().join(format!("{analyser}.toml"));
    let text = fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    toml::from_str::<Cases>(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display())).case
}

/// All cases of an analyser; what is wrong, a line for each.
fn try_out(analyser: &str) -> Result<(), String> {
    let mut cases = read(analyser);
    cases.retain(|case| only().is_none_or(|part| case.name.contains(&part)));
    if cases.is_empty() || (analyser == "ocr" && !is_here()) {
        return Ok(());
    }
    let lab = granted().and(analyser);
    let senses = lab.host.list().remove(0).senses;
    let wrong = |case: &Case| {
        let what = case.judge(&lab, analyser, senses).err()?;
        Some(format!("\n  {analyser}.toml, {}: {what}", case.name))
    };
    let wrong: String = cases.iter().filter_map(wrong).collect();
    if wrong.is_empty() { Ok(()) } else { Err(wrong) }
}

#[test]
fn what_the_files_tell_is_so() {
    let analysers: Vec<String> = names(&folder(), ".toml").into_iter().collect();
    let at_once = std::thread::available_parallelism().map_or(2, usize::from);
    go_through(&analysers, at_once, String::as_str, |analyser| try_out(analyser), |_| {});
}

#[test]
fn each_analyser_has_cases_of_each_kind_and_each_case_a_name_of_its_own() {
    let analysers = names(&workspace().join("plugins/analysers"), "");
    assert_eq!(names(&folder(), ".toml"), analysers, "a file for each analyser, and no other");
    let mut count = 0;
    for analyser in analysers {
        let cases = read(&analyser);
        let kinds: BTreeSet<Kind> = cases.iter().map(|case| case.kind).collect();
        assert_eq!(kinds.len(), 3, "{analyser}.toml has only {kinds:?}");
        let names: BTreeSet<&str> = cases.iter().map(|case| case.name.as_str()).collect();
        assert_eq!(names.len(), cases.len(), "{analyser}.toml has a name twice");
        count += cases.len();
    }
    assert!(count >= 60, "{count} cases");
}

#[test]
fn what_a_file_must_not_say_is_refused_and_what_is_not_so_is_told() {
    let case = |more: &str| {
        let text = format!("[[case]]\nname = 'a'\nkind = 'negative'\nexpect = {{ passed = false }}\n{more}");
        toml::from_str::<Cases>(&text).map(|cases| cases.case).map_err(|error| error.to_string())
    };
    for (more, words) in [
        ("secnds = 1", "unknown field `secnds`"),
        ("story = 'roll 1; dance 2'", "\"dance 2\" is no step"),
        ("story = ['roll 1', 'fault flood 2s']", "is no fault of a virtual box"),
        ("story = 'roll 90000'", "is no step"),
        ("box = { colour = 'red' }", "unknown field `colour`"),
        ("references = [{ name = 'a', story = '', picture = 'a.png' }]", "unknown field `picture`"),
    ] {
        let error = case(more).err().unwrap_or_else(|| panic!("{more} was taken"));
        assert!(error.contains(words), "{more}: {error}");
    }
    for text in ["name = 'a'", "name = 'a'\nkind = 'neutral'\nexpect = { passed = true }"] {
        assert!(toml::from_str::<Cases>(&format!("[[case]]\n{text}")).is_err(), "{text}");
    }
    let lab = Lab::own("black");
    let told = |expect: &str| {
        let text =
            format!("case = [{{ name = 'a', kind = 'positive', story = 'plain 0 0 0 0.04', expect = {expect} }}]");
        toml::from_str::<Cases>(&text).unwrap().case[0].judge(&lab, "black", lab.host.list().remove(0).senses)
    };
    assert_eq!(told("{ passed = true, values = { share_black = { min = 1 } }, region = [0, 0, 1280, 720] }"), Ok(()));
    for (expect, words) in [
        ("{ passed = false }", "it passed: 100.0 % of it is black"),
        ("{ passed = true, sentence = 'white' }", "the sentence has no \"white\": 100.0 %"),
        ("{ passed = true, values = { share_black = { max = 0.9 } } }", "share_black is 1"),
        ("{ passed = true, values = { red = { min = 0 } } }", "there is no value red"),
        ("{ passed = true, region = [0, 0, 1280, 300] }", "the area is"),
    ] {
        let error = told(expect).unwrap_err();
        assert!(error.contains(words), "{expect}: {error}");
    }
}

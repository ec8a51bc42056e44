//! The hostile analysers of `tests/guests/analysers`: each ends as its verdict says, in one host, beside an analyser that does not notice.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use headend_model::PolicyName;
use headend_plugin_host::AnalyserFault;
use headend_plugin_host::analyser::drawn::{card, stream};
use headend_plugin_host::analyser::media::Sound;
use headend_plugin_host::analyser::serial::{Line, News};
use headend_plugin_host::analyser::{Heard, Verdict};
use headend_plugin_host::lifecycle::LoadError;
use serde::Deserialize;
use wit_component::{StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

use crate::cases;
use crate::support::{Lab, workspace};

/// Cases at a time.
const AT_ONCE: usize = 2;
const KIND: &str = "analysers";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    #[serde(default)]
    always: bool,
    #[serde(default)]
    limits: BTreeMap<String, i64>,
    #[serde(default)]
    capabilities: Vec<String>,
    senses: Option<Vec<String>>,
    pages: Option<u32>,
    rhai: Option<String>,
    component: Option<String>,
    #[serde(default)]
    imports: String,
    #[serde(default)]
    module: String,
    #[serde(default)]
    build: String,
    #[serde(default)]
    feed: String,
    #[serde(default)]
    hear: String,
    #[serde(default)]
    read: String,
    #[serde(default)]
    finish: String,
    end: End,
    call: Option<String>,
    text: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum End {
    /// It is not let in.
    Refused,
    Deadline,
    Fuel,
    Memory,
    HostCalls,
    Failed,
    /// No fault: it does no harm.
    Contained,
}

#[derive(Debug)]
struct Found {
    end: End,
    call: String,
    text: String,
}

/// A core module as text, made what an SDK makes of it: with the contract's WIT embedded.
fn embed(text: &str) -> Vec<u8> {
    let mut module = wat::parse_str(text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    let mut resolve = Resolve::default();
    let (package, _files) = resolve.push_dir(workspace().join("sdk/wit/v1/analyser")).unwrap();
    let world = resolve.select_world(&[package], Some("analyser")).unwrap();
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).unwrap();
    module
}

impl Case {
    fn file(&self) -> (&'static str, Vec<u8>) {
        if let Some(source) = &self.rhai {
            return ("a.rhai", source.clone().into_bytes());
        }
        if let Some(text) = &self.component {
            return ("a.wasm", wat::parse_str(text).unwrap());
        }
        ("a.wasm", embed(&self.fill()))
    }

    /// The frame with the parts of the case.
    fn fill(&self) -> String {
        let guarded =
            [("{feed}", &*self.feed), ("{hear}", &self.hear), ("{read}", &self.read), ("{finish}", &self.finish)];
        let pages = self.pages.unwrap_or(1).to_string();
        let plain =
            [("{build}", &*self.build), ("{imports}", &self.imports), ("{module}", &self.module), ("{pages}", &pages)];
        cases::fill((KIND, "analyser.wat"), self.always, &guarded, &plain)
    }

    fn run(&self, lab: &Lab) -> Found {
        let (file, code) = self.file();
        let senses = self.senses.as_ref().map(|senses| format!("senses = {senses:?}\n")).unwrap_or_default();
        let more = format!("{senses}{}", cases::grants(&self.capabilities, &self.limits));
        let folder = lab.write(&self.name, file, &code, &more);
        let manifest = folder.join("headend-plugin.toml");
        let text = fs::read_to_string(&manifest).unwrap().replace("world = \"1.0.0\"", "world = \"1.2.0\"");
        fs::write(&manifest, text).unwrap();
        let found = match cases::let_in(self.end == End::Refused, || lab.host.load(&folder).map(drop)) {
            Err(error) => refused(&error),
            Ok(()) => match self.play(lab) {
                Ok(verdicts) => contained(&verdicts),
                Err(fault) => found(&fault),
            },
        };
        let _gone = lab.host.remove(&PolicyName::new(&self.name).unwrap());
        fs::remove_dir_all(folder).unwrap();
        found
    }

    /// A small frame, a large one, sound, lines, and the end. After a fault there is nothing but that fault.
    fn play(&self, lab: &Lab) -> Result<Vec<Verdict>, AnalyserFault> {
        let mut instance = lab.host.instance(&PolicyName::new(&self.name).unwrap(), &[], "")?;
        let frames = stream([card(64, 36, 0), card(128, 72, 1)]);
        let heard = Heard { at_us: 80_000, sound: Sound::new(48_000, 2, vec![0; 1_920]).unwrap() };
        let line = |at_us| Line { at_us, text: "boot: ok".into() };
        let news = News::of([90_000, 100_000].map(line), 0, 120_000);
        let mut verdicts = Vec::new();
        let mut all = || {
            for frame in &frames {
                verdicts.extend(instance.feed(frame)?);
            }
            verdicts.extend(instance.hear(&heard)?);
            for news in &news {
                verdicts.extend(instance.read(news)?);
            }
            verdicts.extend(instance.finish()?);
            Ok(())
        };
        if let Err(fault) = all() {
            assert_eq!(instance.feed(&frames[0]), Err(AnalyserFault::clone(&fault)), "{}", self.name);
            return Err(fault);
        }
        Ok(verdicts)
    }

    fn judge(&self, found: &Found) -> Result<(), String> {
        let call = self.call.as_ref().is_none_or(|call| *call == found.call);
        if found.end == self.end && call && cases::is_about(&found.text, self.text.as_ref()) {
            return Ok(());
        }
        Err(format!("{found:?}; expected {:?} in {:?} with {:?}", self.end, self.call, self.text))
    }
}

fn contained(verdicts: &[Verdict]) -> Found {
    for verdict in verdicts {
        assert!(verdict.sentence.len() <= 300 && (0.0..=1.0).contains(&verdict.score), "{verdict:?}");
    }
    Found { end: End::Contained, call: String::new(), text: String::new() }
}

fn refused(error: &LoadError) -> Found {
    let (call, text) = cases::refusal(error);
    Found { end: End::Refused, call, text }
}

fn found(fault: &AnalyserFault) -> Found {
    let (end, call) = match fault {
        AnalyserFault::Deadline { call, .. } => (End::Deadline, *call),
        AnalyserFault::Fuel { call, .. } => (End::Fuel, *call),
        AnalyserFault::Memory { call, .. } => (End::Memory, *call),
        AnalyserFault::HostCalls { call, .. } => (End::HostCalls, *call),
        AnalyserFault::Failed { call, .. } => (End::Failed, *call),
        AnalyserFault::Unknown(_) | AnalyserFault::Declined { .. } => panic!("no fault of an analyser: {fault}"),
    };
    Found { end, call: call.into(), text: fault.to_string() }
}

/// Asked all the while, by a thread of its own.
fn bystander(lab: &Lab, done: &dyn Fn() -> bool) {
    let mut instance = lab.host.instance(&PolicyName::new("black").unwrap(), &[], "").unwrap();
    let frames = stream([card(64, 36, 0)]);
    let first = instance.feed(&frames[0]).unwrap();
    while !done() {
        assert_eq!(instance.feed(&frames[0]).unwrap(), first, "as ever");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn every_hostile_analyser_ends_as_its_verdict_says() {
    let mut all: Vec<Case> = cases::read(KIND);
    if let Some(only) = cases::only() {
        all.retain(|case| case.name.contains(&only));
    } else {
        assert!(all.len() >= 60, "{} cases", all.len());
    }
    let before = cases::Before::now();
    let lab = Lab::new();
    lab.host.load(&workspace().join("tests/guests/released/black-1.0.0")).unwrap();
    let judge = |case: &Case| case.judge(&case.run(&lab));
    cases::go_through(&all, AT_ONCE, |case| &case.name, judge, |done| bystander(&lab, done));
    let left: Vec<_> = lab.host.list().into_iter().map(|info| info.name.to_string()).collect();
    assert_eq!(left, ["black"]);
    cases::Before::nothing_is_half_made(lab.home.path());
    drop(lab);
    before.nothing_is_left();
}

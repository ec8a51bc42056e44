//! The rules of the fuzz targets in the suite, without a nightly: each committed seed as it is, then cut and with a few bytes changed.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use super::{Mirror, code, componentize, manifest, package, policy_source, script_source};

#[path = "../../tests/policy/assemble.rs"]
#[allow(unreachable_pub, reason = "shared with targets outside of the workspace")]
mod assemble;

fn folder(of: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests").join(of)
}

/// The seeds of a target, by name.
fn seeds(target: &str) -> Vec<Vec<u8>> {
    let mut files: Vec<_> =
        fs::read_dir(folder("fuzz/seeds").join(target)).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(!files.is_empty());
    files.iter().map(|file| fs::read(file).unwrap()).collect()
}

/// Every committed seed, as it is: so many of them pass.
fn each_seed(target: &str, rule: impl Fn(&[u8]) -> bool) -> usize {
    seeds(target).iter().filter(|seed| rule(seed)).count()
}

/// A seed with some bytes changed, or cut, or with a part of another seed in it.
fn mutated(seeds: Vec<Vec<u8>>) -> impl Strategy<Value = Vec<u8>> {
    let flips = prop::collection::vec((any::<Index>(), any::<u8>()), 0..6);
    let two = (0..seeds.len(), 0..seeds.len());
    (two, flips, any::<Index>(), 0..4_u8).prop_map(move |((one, other), flips, at, how)| {
        let (mut bytes, other) = (seeds[one].clone(), &seeds[other]);
        for (place, byte) in flips.into_iter().filter(|_| !bytes.is_empty()).collect::<Vec<_>>() {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        let cut = at.index(bytes.len() + 1);
        match how {
            0 => bytes.truncate(cut),
            1 => drop(bytes.splice(cut..cut, other.iter().copied().take(200))),
            _ => {}
        }
        bytes
    })
}

/// `HEADEND_CASES_TIMES` makes it a long run: so many times the cases.
fn hold(cases: u32, strategy: impl Strategy<Value = Vec<u8>>, rule: impl Fn(&[u8])) {
    let times = std::env::var("HEADEND_CASES_TIMES").ok().and_then(|times| times.parse().ok()).unwrap_or(1);
    let config = Config { cases: cases.saturating_mul(times), failure_persistence: None, ..Config::default() };
    // The same cases each time, unless somebody is looking for new ones.
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut runner = if times == 1 { TestRunner::new_with_rng(config, rng) } else { TestRunner::new(config) };
    runner
        .run(&strategy, |bytes| {
            rule(&bytes);
            Ok(())
        })
        .unwrap();
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn code_that_was_tampered_with_is_refused_or_still_sound() {
    assert_eq!(each_seed("component", code), seeds("component").len(), "seeds are policies");
    hold(300, mutated(seeds("component")), |bytes| {
        code(bytes);
    });
}

#[test]
fn a_module_whose_wit_is_cut_short_is_refused_in_words() {
    // A custom section of the name that tells where the WIT is, with a length that goes past its end.
    let name = b"component-type:x";
    let section = [&[name.len() as u8][..], name, b"\x00\x04\xff\xff\x7f"].concat();
    let module = [b"\0asm\x01\0\0\0\0", &[section.len() as u8][..], &section].concat();
    let what = componentize(module).unwrap_err();
    assert!(what.starts_with("cannot make a component of this core module"), "{what}");
}

#[test]
fn files_that_are_sent_are_unpacked_within_bounds() {
    // As whatever the name says that it is.
    let sent = |bytes: &[u8]| {
        let files = ["p.wasm", "p.rhai", "p.tar", "p.tgz", "p.zip"];
        files.iter().filter(|file| package(file, bytes)).count() > 0
    };
    assert!(each_seed("package", sent) > 0, "some seeds are packages");
    hold(300, mutated(seeds("package")), |bytes| {
        sent(bytes);
    });
}

#[test]
fn a_manifest_is_taken_whole_or_refused_in_one_line() {
    assert!(each_seed("manifest", |seed| manifest(&text(seed)).is_ok()) > 0);
    hold(2_000, mutated(seeds("manifest")), |bytes| drop(manifest(&text(bytes))));
}

#[test]
fn whatever_a_policy_answers_is_an_answer_or_its_fault() {
    let frame = |name: &str| fs::read_to_string(folder("guests/policies/frames").join(name)).unwrap();
    let mirror = Mirror::new(
        &assemble::embed(&frame("mirror-coverage.wat"), "v2", "coverage-policy"),
        &assemble::embed(&frame("mirror-queue.wat"), "v2", "queue-policy"),
    );
    assert!(each_seed("answers", |seed| !mirror.ask(seed).is_empty()) > 0, "some seeds are answers that come through");
    hold(1_000, mutated(seeds("answers")), |bytes| drop(mirror.ask(bytes)));
    hold(500, prop::collection::vec(any::<u8>(), 0..400), |bytes| drop(mirror.ask(bytes)));
}

/// Interpreters recurse; the guests' threads have this much stack, too.
fn with_stack(work: impl FnOnce() + Send + 'static) {
    std::thread::Builder::new().stack_size(64 << 20).spawn(work).unwrap().join().unwrap();
}

#[test]
fn any_text_as_a_policy_in_rhai_ends_in_answers() {
    with_stack(|| {
        assert!(each_seed("rhai", |seed| policy_source(&text(seed))) > 0);
        hold(300, mutated(seeds("rhai")), |bytes| {
            policy_source(&text(bytes));
        });
    });
}

#[test]
fn any_text_as_a_test_in_rhai_comes_to_an_end() {
    with_stack(|| {
        assert!(each_seed("rhai", |seed| script_source(&text(seed))) > 0);
        hold(300, mutated(seeds("rhai")), |bytes| {
            script_source(&text(bytes));
        });
    });
}

//! `headend plugin definitions`: what scripts in Rhai may call, in files that editors read. Needs no server.

use std::path::{Path, PathBuf};

use headend_plugin_host::{analyser, policy, script};

use crate::exit::Exit;
use crate::failure::{Failure, Result};
use crate::ui::Ui;

const COVERAGE: &str = "\
// A coverage policy in Rhai (contract 2). It defines `propose`, and what it needs of the others:
//
//   fn propose(plan, free)              pairs [[test, target], ...], or #{ start: [[test, target]], skip: [[test, runs, \"why\"]] }
//   fn build(plan)                      () or a sentence: it cannot serve this plan
//   fn reason(test, target)             one sentence for people
//   fn started(test, target, at)        fn ended(test, target, code, at)
//   fn dropped(test, runs)              fn lost(target)
//   fn report(plan)                     what came of the plan: a map
//
// `this` is a map of its own for as long as the job lasts. plugins/policies/spread/README.md tells what is in `plan`.
";
const QUEUE: &str = "\
// A queue policy in Rhai (contract 2). It defines `rank`, and what it needs of the others:
//
//   fn rank(job, parameters)            a whole number: smaller ones get slots first
//   fn slot_rank(slot, parameters)      a whole number: smaller ones are taken first
//   fn build(parameters)                may throw: it does not take these parameters
//
// plugins/policies/{fair-share,least-worn}/README.md tell what is in `job` and `slot`.
";
const ANALYSER: &str = "\
// An analyser in Rhai (contract 1). It defines `feed`, `hear` or `read`, and what it needs of the others:
//
//   fn feed(frame)                      () or a verdict: #{ passed, score, sentence, area, values, overlay }
//   fn hear(sound)                      the same for sound
//   fn read(news)                       the same for lines of the serial port: #{ lines: [#{ at, text }], lost, now }
//   fn finish()                         the same at the end of the stream
//   fn build(setup)                     () or a sentence: it cannot work with these parameters and references
//
// `this` is a map of its own for as long as the stream lasts. plugins/analysers/motion/README.md tells what is in each.
";
const SCRIPT: &str = "// A test in Rhai. sdk/wit/v1/script/script.wit tells what each call of the session does.\n";

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Where the files go; those of an earlier release are replaced.
    #[arg(long, value_name = "DIR", default_value = "definitions")]
    out: PathBuf,
}

/// Writes a file per kind.
pub(crate) fn run(args: &Args, ui: Ui) -> Result<()> {
    let calls = script::definitions()
        .map_err(|error| Failure::new(Exit::Fault, "plugins", "the calls of a test cannot be listed").because(error))?;
    let files = [
        ("coverage-policy.d.rhai", format!("{COVERAGE}{}", policy::definitions())),
        ("queue-policy.d.rhai", format!("{QUEUE}{}", policy::definitions())),
        ("analyser.d.rhai", format!("{ANALYSER}{}", analyser::definitions())),
        ("script.d.rhai", format!("{SCRIPT}{calls}")),
    ];
    std::fs::create_dir_all(&args.out).map_err(|error| Failure::file("make", &args.out, error))?;
    let mut made = Vec::new();
    for (name, text) in &files {
        made.push(write(&args.out.join(name), &tidy(text))?);
    }
    ui.show(&made, |made| made.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join("\n"))
}

fn write(path: &Path, text: &str) -> Result<PathBuf> {
    std::fs::write(path, text).map_err(|error| Failure::file("write", path, error))?;
    Ok(path.to_owned())
}

/// The library writes some results by names of Rust that no editor of scripts knows; `?` is its own word for any type.
fn tidy(text: &str) -> String {
    let mut tidied = String::with_capacity(text.len());
    for line in text.lines() {
        let known = [
            ("EvalAltResult>>", "?"),
            ("RhaiResult", "?"),
            ("", "?"),
            ("String", "string"),
            ("Array", "array"),
            ("Map", "map"),
            ("Blob", "blob"),
        ];
        let ending = |(found, _): &&(&str, &str)| line.ends_with(&format!("-> {found};"));
        match known.iter().find(ending) {
            Some((found, better)) => {
                tidied.push_str(&line[..line.len() - found.len() - 1]);
                tidied.push_str(better);
                tidied.push(';');
            }
            None => tidied.push_str(line),
        }
        tidied.push('\n');
    }
    tidied
}

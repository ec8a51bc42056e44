//! `headend plugin new`: a project that builds at once. Needs no server.

mod files;
mod freestanding;
mod sdk;

use std::path::{Path, PathBuf};

use headend_c_sdk::SdkFile;
use headend_model::PolicyName;

use crate::exit::Exit;
use crate::failure::{Failure, Result};
use crate::ui::Ui;

const AFTER: &str = "\
Rust projects use the SDK of a clone of the repository: the one that this program lies in or was built from, or the one \
that --sdk names (the folder sdk/rust). They build for wasm32-unknown-unknown.
Projects in C and Zig bring their SDK along. C needs clang and wasm-ld, Zig its own compiler.
Nothing is written into a folder that holds something.";

#[derive(Debug, clap::Args)]
#[command(after_help = AFTER)]
pub(crate) struct Args {
    /// What jobs and people will call it: lower-case letters, digits and dashes.
    name: String,
    /// What it is for.
    #[arg(long, value_enum)]
    kind: Kind,
    /// What it is written in.
    #[arg(long, value_enum)]
    lang: Lang,
    /// Where the project goes [default: a new folder of that name].
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// The SDK for Rust: folder `sdk/rust` of a clone.
    #[arg(long, value_name = "DIR")]
    sdk: Option<PathBuf>,
}

/// What can be begun here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Kind {
    /// Which test of a job next on a free device.
    CoveragePolicy,
    /// Which job gets a free device first.
    QueuePolicy,
    /// What a picture or sound shows.
    Analyser,
    /// A test.
    Script,
}

/// In which language.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Lang {
    /// Becomes WebAssembly.
    Rust,
    /// Runs as it is written.
    Rhai,
    /// Becomes WebAssembly. Coverage policies and scripts.
    C,
    /// Becomes WebAssembly. Coverage policies and scripts.
    Zig,
}

/// Longest name: it becomes names of files and crates.
const MAX_NAME: usize = 64;

/// Makes the project.
pub(crate) fn run(args: &Args, ui: Ui) -> Result<()> {
    check_name(&args.name)?;
    let folder = args.dir.clone().unwrap_or_else(|| PathBuf::from(&args.name));
    let sdk = match args.lang {
        Lang::Rust => Some(sdk::find(args.sdk.as_deref())?),
        Lang::Rhai | Lang::C | Lang::Zig => None,
    };
    let brought = brought(args.kind, args.lang)?;
    refuse_what_is_there(&folder)?;
    let made = files::of(&args.name, args.kind, args.lang, sdk.as_deref());
    for (path, text) in &made {
        write(&folder.join(path), text.as_bytes())?;
    }
    let mut names: Vec<&str> = made.iter().map(|(path, _)| *path).collect();
    for file in &brought {
        write(&folder.join(&file.path), &file.bytes)?;
        // A folder full of files stands for them.
        let name = file.path.split_once('/').map_or(file.path.as_str(), |(folder, _)| folder);
        if !names.contains(&name) {
            names.push(name);
        }
    }
    if ui.json {
        return ui.print_json(&serde_json::json!({ "name": args.name, "folder": folder, "files": names }));
    }
    ui.print(&format!("{} holds {}", folder.display(), names.join(", ")))?;
    ui.say(&format!("what comes next is in {}", folder.join("README.md").display()));
    Ok(())
}

/// The files of an SDK that the project takes along.
fn brought(kind: Kind, lang: Lang) -> Result<Vec<SdkFile>> {
    if matches!(lang, Lang::Rust | Lang::Rhai) {
        return Ok(Vec::new());
    }
    let Some(begin) = freestanding::of(kind, lang) else {
        return Err(Failure::usage("there is no SDK for this kind in this language")
            .help("C and Zig serve coverage policies and scripts; Rust and Rhai serve every kind"));
    };
    headend_c_sdk::files(begin.world, begin.language)
        .map_err(|error| Failure::new(Exit::Fault, "sdk", "the SDK cannot be written").because(error))
}

/// A name that is good for a policy, a file, and a crate.
fn check_name(name: &str) -> Result<()> {
    let starts_well = name.starts_with(|c: char| c.is_ascii_lowercase());
    let plain = name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
    if starts_well && plain && !name.ends_with('-') && name.len() <= MAX_NAME && PolicyName::new(name).is_ok() {
        return Ok(());
    }
    let what = format!("{name:?} is no name for a plugin");
    Err(Failure::usage(what).help("write lower-case letters, digits and dashes, such as my-policy"))
}

fn refuse_what_is_there(folder: &Path) -> Result<()> {
    let taken = match std::fs::read_dir(folder) {
        Ok(mut entries) => entries.next().is_some(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => false,
        Err(error) if error.kind() == std::io::ErrorKind::NotADirectory => true,
        Err(error) => return Err(Failure::file("look into", folder, error)),
    };
    if !taken {
        return Ok(());
    }
    let what = format!("{} is there already; nothing was written", folder.display());
    Err(Failure::new(Exit::Conflict, "taken", what).help("take another name, or name an empty folder with --dir"))
}

fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(|error| Failure::file("make", folder, error))?;
    }
    // `create_new`: whatever came here meanwhile is somebody's.
    let file = std::fs::File::options().write(true).create_new(true).open(path);
    file.and_then(|mut file| std::io::Write::write_all(&mut file, bytes))
        .map_err(|error| Failure::file("write", path, error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_must_do_for_policy_file_and_crate() {
        for good in ["a", "my-policy", "pairs2"] {
            assert!(check_name(good).is_ok(), "{good}");
        }
        for bad in ["", "My", "2x", "-a", "a-", "a_b", "a b", "../a", "ä", &"a".repeat(65)] {
            assert!(check_name(bad).is_err(), "{bad}");
        }
    }
}

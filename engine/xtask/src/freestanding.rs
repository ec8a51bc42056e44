//! Examples in C and Zig: built as a project that `headend plugin new` makes is built, from the same files.

use std::path::{Path, PathBuf};
use std::process::Command;

use headend_c_sdk::{Language, World};

use crate::compilers;
use crate::guests::Guest;
use crate::shell::{self, Context, Result, Shell};

struct Example {
    /// Below `examples`.
    folder: &'static str,
    source: &'static str,
    /// The module, without its extension.
    name: &'static str,
    language: Language,
    world: World,
}

const EXAMPLES: [Example; 3] = [
    Example {
        folder: "c-coverage",
        source: "policy.c",
        name: "c_coverage",
        language: Language::C,
        world: World::CoveragePolicy,
    },
    Example { folder: "c-menu", source: "menu.c", name: "menu", language: Language::C, world: World::Script },
    Example {
        folder: "zig-coverage",
        source: "policy.zig",
        name: "zig_coverage",
        language: Language::Zig,
        world: World::CoveragePolicy,
    },
];

/// Builds those whose compiler is here, and says which are left out.
pub(crate) fn build(shell: &Shell) -> Result<Vec<Guest>> {
    let mut guests = Vec::new();
    for language in [Language::C, Language::Zig] {
        let found = match language {
            Language::C => compilers::clang(shell).is_some(),
            Language::Zig => compilers::zig(shell).is_some(),
        };
        if !found {
            eprintln!("{language:?}: {}", missing(language));
            continue;
        }
        for example in EXAMPLES.iter().filter(|example| example.language == language) {
            guests.push(example.build(shell)?);
        }
    }
    Ok(guests)
}

const fn missing(language: Language) -> &'static str {
    match language {
        Language::C => compilers::C_MISSING,
        Language::Zig => compilers::ZIG_MISSING,
    }
}

impl Example {
    fn build(&self, shell: &Shell) -> Result<Guest> {
        let folder = shell.path("examples").join(self.folder);
        let project = shell.target().join("freestanding").join(self.folder);
        let mut inputs = vec![self.source.to_owned()];
        for file in headend_c_sdk::files(self.world, self.language).context(self.folder)? {
            put(&project.join(&file.path), &file.bytes)?;
            if file.is_input() {
                inputs.push(file.path);
            }
        }
        let source = folder.join(self.source);
        put(&project.join(self.source), &std::fs::read(&source).context(source.display())?)?;
        let module = project.join(format!("{}.wasm", self.name));
        shell::run(self.compile(shell, &module)?.args(inputs).current_dir(&project))?;
        Ok(Guest { folder, module, name: self.name.to_owned() })
    }

    /// The compiler's command line, but for what it is to compile.
    fn compile(&self, shell: &Shell, module: &Path) -> Result<Command> {
        let mut command = match self.language {
            Language::C => compilers::clang(shell),
            Language::Zig => compilers::zig(shell),
        }
        .context(missing(self.language))?;
        match self.language {
            // A warning in the SDK or in an example is a fault of ours.
            Language::C => command.args(["@compile_flags.txt", "-Werror", "-o"]).arg(module),
            Language::Zig => {
                let mut emit = std::ffi::OsString::from("-femit-bin=");
                emit.push(module);
                command.args(["build-exe", "@build_flags.txt"]).arg(emit)
            }
        };
        Ok(command)
    }
}

fn put(path: &PathBuf, bytes: &[u8]) -> Result<()> {
    let folder = path.parent().context("a file without a folder")?;
    std::fs::create_dir_all(folder).context(folder.display())?;
    std::fs::write(path, bytes).context(path.display())
}

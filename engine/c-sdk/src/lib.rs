//! The SDKs for C and Zig, as the files that lie in a project's folder `headend`.
//!
//! The sources are in `sdk/c` and `sdk/zig`. What depends on the contract is made from `sdk/wit` when it is asked for, so it cannot fall behind:
//! declarations in C, the code that lifts and lowers, and an object file with the contract itself, from which a host
//! makes a component of the module.

use wit_bindgen_core::Files;
use wit_bindgen_core::wit_parser::Resolve;

/// Which contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum World {
    /// `headend:policy/coverage-policy`, version 2.
    CoveragePolicy,
    /// `headend:script/script`, version 1.
    Script,
}

/// In which language the project is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// C, by clang and wasm-ld.
    C,
    /// Zig, on top of the SDK for C, which its compiler compiles as well.
    Zig,
}

/// A file of the SDK.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SdkFile {
    /// Path in the project's folder, with `/`.
    pub path: String,
    /// What is in it.
    pub bytes: Vec<u8>,
}

impl SdkFile {
    /// The compiler has to be given this file: C source, or an object file.
    pub fn is_input(&self) -> bool {
        matches!(self.path.rsplit('.').next(), Some("c" | "o"))
    }
}

/// The contract cannot be read: a fault of this build.
#[derive(Debug, thiserror::Error)]
#[error("no bindings for C can be made of the contract {world}: {said}")]
pub struct BindingsError {
    world: &'static str,
    said: String,
}

const POLICY_WIT: &str = include_str!("../../../sdk/wit/v2/policy/policy.wit");
const SCRIPT_WIT: &str = include_str!("../../../sdk/wit/v1/script/script.wit");

/// Path in the folder `headend`, and text.
type Source = (&'static str, &'static str);

const BASE: &[Source] = &[
    ("base.h", include_str!("../../../sdk/c/headend/base.h")),
    ("base.c", include_str!("../../../sdk/c/headend/base.c")),
    ("include/stdlib.h", include_str!("../../../sdk/c/headend/include/stdlib.h")),
    ("include/string.h", include_str!("../../../sdk/c/headend/include/string.h")),
];
const POLICY: &[Source] = &[
    ("policy.h", include_str!("../../../sdk/c/headend/policy.h")),
    ("policy.c", include_str!("../../../sdk/c/headend/policy.c")),
    ("parameters.c", include_str!("../../../sdk/c/headend/parameters.c")),
];
const SCRIPT: &[Source] = &[
    ("script.h", include_str!("../../../sdk/c/headend/script.h")),
    ("script.c", include_str!("../../../sdk/c/headend/script.c")),
];
const ZIG: &str = include_str!("../../../sdk/zig/headend/text.zig");
const POLICY_ZIG: &str = include_str!("../../../sdk/zig/headend/policy.zig");
const SCRIPT_ZIG: &str = include_str!("../../../sdk/zig/headend/script.zig");

impl World {
    const fn name(self) -> &'static str {
        match self {
            Self::CoveragePolicy => "coverage-policy",
            Self::Script => "script",
        }
    }

    const fn wit(self) -> &'static str {
        match self {
            Self::CoveragePolicy => POLICY_WIT,
            Self::Script => SCRIPT_WIT,
        }
    }

    const fn sources(self) -> &'static [Source] {
        match self {
            Self::CoveragePolicy => POLICY,
            Self::Script => SCRIPT,
        }
    }

    const fn zig(self) -> [Source; 2] {
        match self {
            Self::CoveragePolicy => [("text.zig", ZIG), ("policy.zig", POLICY_ZIG)],
            Self::Script => [("text.zig", ZIG), ("script.zig", SCRIPT_ZIG)],
        }
    }
}

/// Every file that a project needs beside its own: the folder `headend`, and the compiler's options for [`Language::C`] in
/// `compile_flags.txt`, where editors look for them too, and for [`Language::Zig`] in `build_flags.txt`.
///
/// # Errors
/// [`BindingsError`] when the contract that was built into this program is not valid; a test sees to it that it is.
pub fn files(world: World, language: Language) -> Result<Vec<SdkFile>, BindingsError> {
    let text = |path: String, text: &str| SdkFile { path, bytes: text.as_bytes().to_vec() };
    let mut files = match language {
        Language::C => vec![text("compile_flags.txt".into(), include_str!("../../../sdk/c/compile_flags.txt"))],
        Language::Zig => vec![text("build_flags.txt".into(), include_str!("../../../sdk/zig/build_flags.txt"))],
    };
    let mut sources = [BASE, world.sources()].concat();
    if language == Language::Zig {
        sources.extend(world.zig());
    }
    files.extend(sources.into_iter().map(|(path, source)| text(format!("headend/{path}"), source)));
    let generated = generate(world).map_err(|said| BindingsError { world: world.name(), said })?;
    files.extend(
        generated.iter().map(|(path, bytes)| SdkFile { path: format!("headend/wit/{path}"), bytes: bytes.to_vec() }),
    );
    Ok(files)
}

fn generate(world: World) -> Result<Files, String> {
    let mut resolve = Resolve::default();
    let package = resolve.push_str(format!("{}.wit", world.name()), world.wit()).map_err(|e| format!("{e:#}"))?;
    let id = resolve.select_world(&[package], Some(world.name())).map_err(|e| format!("{e:#}"))?;
    let mut files = Files::default();
    let mut generator = wit_bindgen_c::Opts::default().build();
    generator.generate(&mut resolve, id, &mut files).map_err(|e| format!("{e:#}"))?;
    Ok(files)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn a_project_gets_what_its_headers_name() {
        for (world, wit) in [(World::CoveragePolicy, "coverage_policy"), (World::Script, "script")] {
            for language in [Language::C, Language::Zig] {
                let files = files(world, language).unwrap();
                let paths: Vec<&str> = files.iter().map(|file| file.path.as_str()).collect();
                for path in ["headend/base.h".into(), format!("headend/wit/{wit}.h"), format!("headend/wit/{wit}.c")] {
                    assert!(paths.contains(&path.as_str()), "{path} is not among {paths:?}");
                }
                let object = files.iter().find(|file| file.path.ends_with("component_type.o")).unwrap();
                assert!(object.bytes.starts_with(b"\0asm"), "{}", object.path);
                // Sources of the SDK, the generated one, and the contract.
                assert!(files.iter().filter(|file| file.is_input()).count() >= 4, "{paths:?}");
            }
        }
    }

    #[test]
    fn the_same_contract_gives_the_same_files() {
        assert_eq!(files(World::Script, Language::C).unwrap(), files(World::Script, Language::C).unwrap());
    }
}

//! What a project in C or Zig begins with: these languages bring their SDK along, so that only a compiler is missing.

use headend_c_sdk::{Language, World};

use super::{Kind, Lang};

/// A project's own files.
pub(super) struct Begin {
    pub(super) world: World,
    pub(super) language: Language,
    /// Its source, and what is in it.
    pub(super) file: &'static str,
    pub(super) code: &'static str,
    pub(super) readme: &'static str,
    pub(super) gitignore: &'static str,
}

const IGNORED_OF_C: &str = "/*.wasm\n";
const IGNORED_OF_ZIG: &str = "/*.wasm\n/.zig\n/.zig-cache\n";

/// What this kind begins with in this language. `None`: another language, or a kind that it has no SDK for.
pub(super) const fn of(kind: Kind, lang: Lang) -> Option<Begin> {
    Some(match (kind, lang) {
        (Kind::CoveragePolicy, Lang::C) => Begin {
            world: World::CoveragePolicy,
            language: Language::C,
            file: "policy.c",
            code: include_str!("templates/coverage.c"),
            readme: include_str!("templates/coverage-c.md"),
            gitignore: IGNORED_OF_C,
        },
        (Kind::Script, Lang::C) => Begin {
            world: World::Script,
            language: Language::C,
            file: "test.c",
            code: include_str!("templates/script.c"),
            readme: include_str!("templates/script-c.md"),
            gitignore: IGNORED_OF_C,
        },
        (Kind::CoveragePolicy, Lang::Zig) => Begin {
            world: World::CoveragePolicy,
            language: Language::Zig,
            file: "policy.zig",
            code: include_str!("templates/coverage.zig"),
            readme: include_str!("templates/coverage-zig.md"),
            gitignore: IGNORED_OF_ZIG,
        },
        (Kind::Script, Lang::Zig) => Begin {
            world: World::Script,
            language: Language::Zig,
            file: "test.zig",
            code: include_str!("templates/script.zig"),
            readme: include_str!("templates/script-zig.md"),
            gitignore: IGNORED_OF_ZIG,
        },
        _ => return None,
    })
}

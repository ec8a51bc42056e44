//! The files of a new project, from templates.

use std::path::Path;

use super::{Kind, Lang, freestanding};

/// Path and text of each file.
pub(super) fn of(name: &str, kind: Kind, lang: Lang, sdk: Option<&Path>) -> Vec<(&'static str, String)> {
    let fill = Fill { name, kind, sdk };
    let mut files = match lang {
        Lang::Rust => vec![
            ("Cargo.toml", fill.cargo()),
            ("src/lib.rs", fill.text(code(kind).0)),
            (".gitignore", "/target\n".to_owned()),
        ],
        Lang::Rhai => vec![(file_of(kind), fill.text(code(kind).1))],
        Lang::C | Lang::Zig => {
            let begin = freestanding::of(kind, lang);
            let own = begin.map(|b| [(b.file, fill.text(b.code)), (".gitignore", b.gitignore.to_owned())]);
            own.into_iter().flatten().collect()
        }
    };
    // What a rack runs as a test is a file of somebody's area; no server loads it as a plugin.
    if kind != Kind::Script {
        files.insert(0, ("headend-plugin.toml", fill.manifest(lang)));
    }
    files.push(("README.md", fill.readme(lang)));
    files
}

const fn code(kind: Kind) -> (&'static str, &'static str) {
    match kind {
        Kind::CoveragePolicy => (include_str!("templates/coverage.rs.in"), include_str!("templates/coverage.rhai")),
        Kind::QueuePolicy => (include_str!("templates/queue.rs.in"), include_str!("templates/queue.rhai")),
        Kind::Analyser => (include_str!("templates/analyser.rs.in"), include_str!("templates/analyser.rhai")),
        Kind::Script => (include_str!("templates/script.rs.in"), include_str!("templates/script.rhai")),
    }
}

const fn file_of(kind: Kind) -> &'static str {
    match kind {
        Kind::CoveragePolicy | Kind::QueuePolicy => "policy.rhai",
        Kind::Analyser => "analyser.rhai",
        Kind::Script => "test.rhai",
    }
}

struct Fill<'a> {
    name: &'a str,
    kind: Kind,
    sdk: Option<&'a Path>,
}

impl Fill<'_> {
    fn text(&self, template: &str) -> String {
        let sdk = self.sdk.map(|sdk| sdk.display().to_string()).unwrap_or_default();
        template
            .replace("{{name}}", self.name)
            .replace("{{crate}}", &self.name.replace('-', "_"))
            // A TOML string in double quotes.
            .replace("{{sdk}}", &sdk.replace('\\', "\\\\").replace('"', "\\\""))
    }

    fn cargo(&self) -> String {
        let text = self.text(include_str!("templates/Cargo.toml.in"));
        match self.kind {
            Kind::CoveragePolicy | Kind::QueuePolicy | Kind::Analyser => text,
            // A test has no settings to read.
            Kind::Script => text.replace("serde = { version = \"1\", features = [\"derive\"] }\n", ""),
        }
    }

    fn manifest(&self, lang: Lang) -> String {
        let kind = match self.kind {
            Kind::QueuePolicy => include_str!("templates/queue.toml"),
            Kind::Analyser => include_str!("templates/analyser.toml"),
            Kind::CoveragePolicy | Kind::Script => include_str!("templates/coverage.toml"),
        };
        let (file, deadline) = match lang {
            Lang::Rust | Lang::C | Lang::Zig => ("{{crate}}.wasm", "100"),
            Lang::Rhai => (file_of(self.kind), "500"),
        };
        self.text(&kind.replace("{{file}}", file).replace("{{deadline}}", deadline))
    }

    fn readme(&self, lang: Lang) -> String {
        let text = match (self.kind, lang) {
            (Kind::CoveragePolicy, Lang::Rhai) => include_str!("templates/coverage-rhai.md"),
            (Kind::QueuePolicy, Lang::Rhai) => include_str!("templates/queue-rhai.md"),
            (Kind::Analyser, Lang::Rhai) => include_str!("templates/analyser-rhai.md"),
            (Kind::Script, Lang::Rhai) => include_str!("templates/script-rhai.md"),
            (Kind::CoveragePolicy, Lang::Rust) => include_str!("templates/coverage-rust.md"),
            (Kind::QueuePolicy, Lang::Rust) => include_str!("templates/queue-rust.md"),
            (Kind::Analyser, Lang::Rust) => include_str!("templates/analyser-rust.md"),
            (Kind::Script, Lang::Rust) => include_str!("templates/script-rust.md"),
            (kind, Lang::C | Lang::Zig) => freestanding::of(kind, lang).map_or("", |begin| begin.readme),
        };
        self.text(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_template_keeps_a_blank() {
        for kind in [Kind::CoveragePolicy, Kind::QueuePolicy, Kind::Analyser, Kind::Script] {
            for lang in [Lang::Rust, Lang::Rhai, Lang::C, Lang::Zig] {
                for (path, text) in of("my-one", kind, lang, Some(Path::new("/clone/sdk/rust"))) {
                    assert!(!text.contains("{{"), "{kind:?} {lang:?} {path}: {text}");
                }
            }
        }
    }
}

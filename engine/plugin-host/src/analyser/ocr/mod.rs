//! Text in pictures: the program `tesseract` of the host, started for each reading and ended with it.
//!
//! No shell, an empty environment, the picture as PNG on its standard input, a table of words from its standard output, both bounded; a limit of
//! memory, and the deadline of the analyser's call. What it says wrong is for people: which program or language is missing, and what helps.

mod child;
mod table;

use std::path::{Path, PathBuf};
use std::time::Duration;

use headend_media::{Picture, Rect};
use serde::{Deserialize, Serialize};

use child::{Ended, Spoken};

/// Most languages at once.
const MAX_LANGUAGES: usize = 8;
/// Most bytes of a language's name.
const MAX_NAME: usize = 32;
/// Most characters of a white list.
const MAX_WHITELIST: usize = 256;
/// Where its dictionaries are, when not where it was built for.
const DATA_FOLDER: &str = "TESSDATA_PREFIX";

/// How to read. `sdk/wit/v1/analyser` says more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Reading {
    pub(super) languages: Vec<String>,
    pub(super) whitelist: String,
    pub(super) layout: Layout,
}

/// What is to be expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Layout {
    Page,
    Block,
    Line,
    Word,
    Sparse,
}

impl Layout {
    /// Tesseract's page segmentation mode.
    const fn mode(self) -> &'static str {
        match self {
            Self::Page => "3",
            Self::Block => "6",
            Self::Line => "7",
            Self::Word => "8",
            Self::Sparse => "11",
        }
    }
}

/// A word that was read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Word {
    pub(super) text: String,
    pub(super) area: Rect,
    pub(super) confidence: f64,
    pub(super) line: u32,
}

/// Why nothing was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Unread {
    /// A sentence for people.
    Said(String),
    /// The time of the call is over.
    Late,
}

/// Reads text by a program of the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ocr {
    program: PathBuf,
}

impl Ocr {
    /// By this program: a path, or a name that is looked for in `PATH` at each reading, so that it may be installed later.
    pub(super) const fn new(program: PathBuf) -> Self {
        Self { program }
    }

    /// The words of a part, in the coordinates of the picture.
    pub(super) fn read(
        &self,
        picture: &Picture,
        area: Rect,
        how: &Reading,
        within: Duration,
    ) -> Result<Vec<Word>, Unread> {
        let said = |what: &str| Unread::Said(what.to_owned());
        checked(how).map_err(Unread::Said)?;
        let part = picture.crop(area).map_err(|_| said("the part that is to be read lies outside of the picture"))?;
        let program = found(&self.program).ok_or_else(|| Unread::Said(self.missing()))?;
        let png = png(&part).ok_or_else(|| said("the picture could not be handed to tesseract"))?;
        let arguments = arguments(how);
        let answer = match child::ask(&program, &arguments, std::env::var_os(DATA_FOLDER), &png, within) {
            Ok(Ended::Late) => return Err(Unread::Late),
            Ok(Ended::Spoken(answer)) => answer,
            Err(error) => return Err(Unread::Said(format!("cannot run {}: {error}", program.display()))),
        };
        // With several languages it goes on without those that it lacks, and would read something else.
        if let Some(language) = lacking(&answer.aside, &how.languages) {
            return Err(Unread::Said(no_language(language)));
        }
        words(&answer).map(|words| placed(words, area)).map_err(Unread::Said)
    }

    fn missing(&self) -> String {
        format!(
            "there is no program `{}` to read text with; install Tesseract (Debian: apt-get install tesseract-ocr tesseract-ocr-eng)",
            self.program.display()
        )
    }
}

fn no_language(language: &str) -> String {
    let package = language.replace('_', "-").to_lowercase();
    format!("tesseract lacks the language `{language}`; install it (Debian: apt-get install tesseract-ocr-{package})")
}

/// Names end up on a command line and in paths.
fn checked(how: &Reading) -> Result<(), String> {
    if how.languages.is_empty() || how.languages.len() > MAX_LANGUAGES {
        return Err(format!("{} languages are given; it must be 1 to {MAX_LANGUAGES}", how.languages.len()));
    }
    let good = |name: &str| {
        (1..=MAX_NAME).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    };
    if let Some(bad) = how.languages.iter().find(|name| !good(name)) {
        let bad: String = bad.chars().take(MAX_NAME).collect();
        return Err(format!("{bad:?} is no language; write one as `eng`, `deu`, `chi_sim`"));
    }
    if how.whitelist.chars().count() > MAX_WHITELIST || how.whitelist.chars().any(char::is_control) {
        return Err(format!("a whitelist has at most {MAX_WHITELIST} characters, none of them for control"));
    }
    Ok(())
}

fn arguments(how: &Reading) -> Vec<String> {
    let mut arguments: Vec<String> = ["stdin", "stdout", "-l"].map(str::to_owned).into();
    arguments.push(how.languages.join("+"));
    arguments.extend(["--psm".to_owned(), how.layout.mode().to_owned()]);
    if !how.whitelist.is_empty() {
        arguments.extend(["-c".to_owned(), format!("tessedit_char_whitelist={}", how.whitelist)]);
    }
    // Screens have no resolution, and it would guess one.
    arguments.extend(["--dpi", "96", "-c", "tessedit_create_tsv=1"].map(str::to_owned));
    arguments
}

/// The program, as a file that is there.
fn found(program: &Path) -> Option<PathBuf> {
    if program.components().count() > 1 {
        return program.is_file().then(|| program.to_owned());
    }
    let folders = std::env::var_os("PATH")?;
    std::env::split_paths(&folders).map(|folder| folder.join(program)).find(|file| file.is_file())
}

fn png(part: &Picture) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, part.width(), part.height());
    encoder.set_color(if part.is_grey() { png::ColorType::Grayscale } else { png::ColorType::Rgb });
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_compression(png::Compression::Fast);
    let mut writer = encoder.write_header().ok()?;
    writer.write_image_data(&part.read(part.bounds())).ok()?;
    writer.finish().ok()?;
    Some(bytes)
}

/// The first of the languages that it complains about.
fn lacking<'a>(aside: &str, languages: &'a [String]) -> Option<&'a str> {
    let complaints = || aside.lines().filter(|line| line.starts_with("Failed loading language"));
    languages.iter().map(String::as_str).find(|name| complaints().any(|line| line.contains(&format!("'{name}'"))))
}

fn words(answer: &Spoken) -> Result<Vec<Word>, String> {
    if answer.success {
        return table::words(&answer.said);
    }
    let why = answer.aside.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("it does not say why");
    Err(format!("tesseract failed: {}", super::verdict::cut(why, 200)))
}

fn placed(mut words: Vec<Word>, area: Rect) -> Vec<Word> {
    for word in &mut words {
        word.area.x = word.area.x.saturating_add(area.x);
        word.area.y = word.area.y.saturating_add(area.y);
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn how(languages: &[&str]) -> Reading {
        let languages = languages.iter().map(|name| (*name).to_owned()).collect();
        Reading { languages, whitelist: String::new(), layout: Layout::Block }
    }

    fn white() -> Picture {
        Picture::of_grey(64, 32, vec![255; 64 * 32]).unwrap()
    }

    fn read(program: &str, how: &Reading) -> Result<Vec<Word>, Unread> {
        Ocr::new(program.into()).read(&white(), Rect::of_size(64, 32), how, Duration::from_mins(1))
    }

    fn said(result: Result<Vec<Word>, Unread>) -> String {
        match result {
            Err(Unread::Said(what)) => what,
            other => panic!("{other:?}"),
        }
    }

    /// A program of our own that does as it is told.
    fn script(body: &str) -> (tempfile::TempDir, String) {
        use std::os::unix::fs::PermissionsExt;
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("tesseract");
        // Written elsewhere and moved: a file that is open for writing in a process just being started cannot be run.
        std::fs::write(home.path().join("new"), format!("#!/bin/sh\n{body}\n")).unwrap();
        std::fs::set_permissions(home.path().join("new"), std::fs::Permissions::from_mode(0o700)).unwrap();
        std::fs::rename(home.path().join("new"), &file).unwrap();
        let path = file.display().to_string();
        (home, path)
    }

    #[test]
    fn what_is_missing_is_named_with_its_remedy() {
        let no_program = said(read("/nowhere/tesseract", &how(&["eng"])));
        assert!(no_program.contains("apt-get install tesseract-ocr tesseract-ocr-eng"), "{no_program}");
        let (_home, program) = script("cat >/dev/null; echo \"Failed loading language 'chi_sim'\" >&2; exit 0");
        let no_language = said(read(&program, &how(&["eng", "chi_sim"])));
        assert!(no_language.contains("`chi_sim`") && no_language.contains("tesseract-ocr-chi-sim"), "{no_language}");
        let (_home, program) = script("cat >/dev/null; echo 'Error in pixRead: no' >&2; exit 1");
        assert_eq!(said(read(&program, &how(&["eng"]))), "tesseract failed: Error in pixRead: no");
    }

    #[test]
    fn languages_and_whitelists_are_no_way_to_its_options() {
        for bad in [&[][..], &["-h"], &["../eng"], &["eng+deu"], &[""], &["e"; 9]] {
            assert!(read("/bin/false", &how(bad)).is_err_and(|unread| unread != Unread::Late), "{bad:?}");
        }
        let long = Reading { whitelist: "a".repeat(257), ..how(&["eng"]) };
        assert!(said(read("/bin/false", &long)).contains("256"));
        let (_home, program) = script("cat >/dev/null; for a in \"$@\"; do echo \"$a\" >&2; done; exit 1");
        let trick = Reading { whitelist: "a -c x; rm".into(), ..how(&["eng"]) };
        assert_eq!(
            said(read(&program, &trick)),
            "tesseract failed: tessedit_create_tsv=1",
            "it is one argument of many"
        );
    }

    #[test]
    fn a_program_that_hangs_floods_or_talks_nonsense_does_no_harm() {
        let (_home, program) = script("sleep 600");
        let late =
            Ocr::new(program.into()).read(&white(), Rect::of_size(9, 9), &how(&["eng"]), Duration::from_millis(200));
        assert_eq!(late, Err(Unread::Late));
        let (_home, program) = script("exec cat /dev/zero");
        let flood = said(read(&program, &how(&["eng"])));
        assert!(flood.contains("too much"), "{flood}");
        let (_home, program) = script("cat >/dev/null; echo hello");
        assert!(said(read(&program, &how(&["eng"]))).contains("table"));
        let (_home, program) = script("echo none >/dev/null");
        assert!(read(&program, &how(&["eng"])).is_err(), "it does not even read the picture");
        let outside = Ocr::new("/bin/false".into()).read(
            &white(),
            Rect { x: 99, ..Rect::of_size(9, 9) },
            &how(&["eng"]),
            Duration::ZERO,
        );
        assert!(said(outside).contains("outside"));
    }
}

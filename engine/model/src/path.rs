//! The one parser of names inside a file area (document 3.4, 4.3; both slashes are taken).
//!
//! A name is refused or kept as parsed, never cleaned up: what is stored is the list of components.

use std::fmt;
use std::str::FromStr;

/// Longest accepted path, in bytes: leaves room below the 260 of Windows for a rack's folder (document 3.4).
pub const MAX_PATH_BYTES: usize = 200;
/// Deepest accepted path.
pub const MAX_DEPTH: usize = 32;
/// Longest component, in bytes.
pub const MAX_COMPONENT_BYTES: usize = 128;

/// A relative path inside an area: one or more plain components, shown with `/`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(try_from = "String", into = "String")
)]
pub struct TreePath(String);

/// A path that was refused, and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("path {path:?} {problem}")]
pub struct BadPath {
    /// What was given, cut after 80 characters.
    pub path: String,
    /// What is wrong and what helps.
    pub problem: PathProblem,
}

/// What can be wrong with a path.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "each message says it")]
pub enum PathProblem {
    #[error("is empty; name a file")]
    Empty,
    #[error("is {0} bytes long; at most {MAX_PATH_BYTES} are taken")]
    TooLong(usize),
    #[error("is {0} folders deep; at most {MAX_DEPTH} are taken")]
    TooDeep(usize),
    #[error("is absolute or names a drive or host; give it relative to the area")]
    Absolute,
    #[error("has an empty component; remove the doubled or trailing slash")]
    EmptyComponent,
    #[error("has a `.` or `..` component; give the plain path")]
    Dots,
    #[error("has a component of {0} bytes; at most {MAX_COMPONENT_BYTES} are taken")]
    LongComponent(usize),
    #[error("has the character {0:?}, which some rack's file system cannot store; rename the file")]
    Character(char),
    #[error(
        "has the wildcard {0:?}, where only `*` in the last component stands for any text; give the plain name of each folder"
    )]
    Wildcard(char),
    #[error("has a component that ends in a dot or space, which Windows drops; rename the file")]
    TrailingDotOrSpace,
    #[error("has the component {0:?}, a device name on Windows; rename the file")]
    DeviceName(String),
}

impl TreePath {
    /// Parses a path given with `/` or `\`. A single leading slash is taken, as the document writes `\samples`.
    ///
    /// # Errors
    /// [`BadPath`] naming the path and what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, BadPath> {
        parse(text).map(Self).map_err(|problem| BadPath { path: text.chars().take(80).collect(), problem })
    }

    /// The path with `/` between components.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The components, at least one.
    pub fn components(&self) -> impl Iterator<Item = &str> {
        self.0.split('/')
    }

    /// The last component.
    pub fn file_name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or(&self.0)
    }

    /// The part after the last dot of the file name, in lower case.
    pub fn extension(&self) -> Option<String> {
        self.file_name().rsplit_once('.').map(|(_, ext)| ext.to_ascii_lowercase())
    }

    /// The folder it is in, if any.
    pub fn parent(&self) -> Option<Self> {
        self.0.rsplit_once('/').map(|(parent, _)| Self(parent.to_owned()))
    }

    /// Key under which two names count as the same file on a case-folding file system.
    pub fn folded(&self) -> String {
        self.0.to_lowercase()
    }
}

fn parse(text: &str) -> Result<String, PathProblem> {
    if text.is_empty() {
        return Err(PathProblem::Empty);
    }
    let slashed = text.replace('\\', "/");
    let relative = slashed.strip_prefix('/').unwrap_or(&slashed);
    if relative.len() > MAX_PATH_BYTES {
        return Err(PathProblem::TooLong(relative.len()));
    }
    if relative.starts_with('/') || relative.as_bytes().get(1) == Some(&b':') {
        return Err(PathProblem::Absolute);
    }
    if relative.is_empty() {
        return Err(PathProblem::Empty);
    }
    let components: Vec<&str> = relative.split('/').collect();
    if components.len() > MAX_DEPTH {
        return Err(PathProblem::TooDeep(components.len()));
    }
    components.iter().try_for_each(|component| check_component(component))?;
    Ok(components.join("/"))
}

fn check_component(component: &str) -> Result<(), PathProblem> {
    if component.is_empty() {
        return Err(PathProblem::EmptyComponent);
    }
    if component == "." || component == ".." {
        return Err(PathProblem::Dots);
    }
    if component.len() > MAX_COMPONENT_BYTES {
        return Err(PathProblem::LongComponent(component.len()));
    }
    if let Some(bad) = component.chars().find(|c| is_refused(*c)) {
        return Err(PathProblem::Character(bad));
    }
    if component.ends_with(['.', ' ']) {
        return Err(PathProblem::TrailingDotOrSpace);
    }
    let stem = component.split('.').next().unwrap_or(component).trim_end().to_ascii_uppercase();
    if is_device_name(&stem) {
        return Err(PathProblem::DeviceName(component.to_owned()));
    }
    Ok(())
}

/// Control characters, what Windows refuses, and `%`: an escaped slash must not become one later.
fn is_refused(c: char) -> bool {
    c.is_control()
        || matches!(c, '<' | '>' | ':' | '"' | '|' | '?' | '*' | '%' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn is_device_name(stem: &str) -> bool {
    matches!(stem, "CON" | "PRN" | "AUX" | "NUL" | "CONIN$" | "CONOUT$")
        || (stem.len() == 4
            && (stem.starts_with("COM") || stem.starts_with("LPT"))
            && stem.ends_with(|c: char| c.is_ascii_digit()))
}

impl fmt::Display for TreePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for TreePath {
    type Err = BadPath;
    fn from_str(text: &str) -> Result<Self, BadPath> {
        Self::parse(text)
    }
}

impl TryFrom<String> for TreePath {
    type Error = BadPath;
    fn try_from(text: String) -> Result<Self, BadPath> {
        Self::parse(&text)
    }
}

impl From<TreePath> for String {
    fn from(path: TreePath) -> String {
        path.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_slashes_are_one_path() {
        let path = TreePath::parse("samples\\test1/script_one.py").unwrap();
        assert_eq!(path.as_str(), "samples/test1/script_one.py");
        assert_eq!(TreePath::parse("\\samples").unwrap().as_str(), "samples");
        assert_eq!((path.file_name(), path.extension().as_deref()), ("script_one.py", Some("py")));
    }

    #[test]
    fn hostile_paths_are_refused() {
        let long = "a".repeat(300);
        let deep = ["a"; 40].join("/");
        for bad in [
            "",
            "/",
            "//host/share",
            "\\\\?\\C:\\x",
            "C:\\x",
            "c:x",
            "../x",
            "a/../b",
            "a\\..\\b",
            "a/./b",
            "a//b",
            "a/",
            "a\0b",
            "a\nb",
            "%2e%2e%2fx",
            "CON",
            "nul.txt",
            "com1",
            "a.",
            "a ",
            "a:b",
            "<x",
            "x|y",
            "x?",
            "x*",
            &long,
            &deep,
        ] {
            assert!(TreePath::parse(bad).is_err(), "{bad:?} was taken");
        }
    }

    #[test]
    fn the_longest_path_has_room_for_a_leading_slash() {
        let longest = format!("{}/{}", "a".repeat(99), "b".repeat(100));
        assert_eq!(longest.len(), MAX_PATH_BYTES);
        assert!(TreePath::parse(&format!("\\{longest}")).is_ok());
        assert!(TreePath::parse(&format!("{longest}b")).is_err());
    }

    #[test]
    fn what_was_taken_parses_to_itself() {
        for good in ["a", "Ünïcode/x.py", "x~1", "a b/c.d.e"] {
            let path = TreePath::parse(good).unwrap();
            assert_eq!(TreePath::parse(path.as_str()).unwrap(), path);
        }
    }
}

//! What went wrong, as people read it: what was tried, on what, what helps, and the exit code.
//!
//! Printed once, by `main`.

use std::fmt;
use std::io;
use std::path::Path;

use headend_wire::Problem;
use headend_wire::codes;

use crate::exit::Exit;

/// Fields at fault that are shown: of an upload thousands may be.
const FIELDS: usize = 5;

/// Why a command ended early.
#[derive(Debug)]
pub(crate) struct Failure {
    code: String,
    message: String,
    help: Option<String>,
    cause: Option<Box<dyn std::error::Error + Send + Sync>>,
    exit: Exit,
    quiet: bool,
}

/// Short for results of commands.
pub(crate) type Result<T> = std::result::Result<T, Failure>;

impl Failure {
    /// A failure of our own finding.
    pub(crate) fn new(exit: Exit, code: &str, message: impl Into<String>) -> Self {
        Self { code: code.to_owned(), message: message.into(), help: None, cause: None, exit, quiet: false }
    }

    /// The command line asks for something that makes no sense.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, "usage", message)
    }

    /// A local file or folder.
    pub(crate) fn file(what: &str, path: &Path, error: io::Error) -> Self {
        let message = format!("cannot {what} {}", path.display());
        if what == "read" && error.kind() == io::ErrorKind::NotFound {
            return Self::new(Exit::NotFound, "file", message).because(error).help("check the path");
        }
        Self::new(Exit::Io, "file", message).because(error)
    }

    /// Ends the program with this code, saying nothing: all has been said.
    pub(crate) fn silent(exit: Exit) -> Self {
        Self { quiet: true, ..Self::new(exit, "", "") }
    }

    /// The server turned a request down.
    pub(crate) fn problem(problem: Problem) -> Self {
        let exit = Exit::for_status(problem.status);
        let remedy =
            codes::by_name(&problem.code).map(|row| row.remedy).filter(|remedy| !remedy.starts_with("see the"));
        let mut message = if problem.detail.is_empty() { problem.title } else { problem.detail };
        if !problem.fields.is_empty() {
            let more = problem.fields.len().saturating_sub(FIELDS);
            let shown = problem.fields.iter().take(FIELDS).cloned().collect::<Vec<_>>().join(", ");
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            message = format!("{message} (at {shown}{more})");
        }
        let mut failure = Self::new(exit, &problem.code, message);
        let remedy = match problem.code.as_str() {
            // The table speaks to clients of all kinds; these two have something of their own to say here.
            "unauthenticated" => {
                Some("set HEADEND_TOKEN, or name the credentials file that `headend up` wrote with --config")
            }
            "bad_plugin" => Some("`headend plugin verify` tries a plugin and shows how each step went"),
            _ => remedy,
        };
        failure.help = remedy.filter(|remedy| !remedy.is_empty()).map(str::to_owned);
        failure
    }

    /// Adds what helps.
    #[must_use]
    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Adds the cause.
    #[must_use]
    pub(crate) fn because(mut self, cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.cause = Some(cause.into());
        self
    }

    /// The exit code.
    pub(crate) const fn exit(&self) -> Exit {
        self.exit
    }

    /// Nothing is to be printed.
    pub(crate) const fn is_quiet(&self) -> bool {
        self.quiet
    }

    /// The stable name of what went wrong.
    pub(crate) fn name(&self) -> &str {
        &self.code
    }

    /// For `--json`.
    pub(crate) fn as_json(&self) -> serde_json::Value {
        serde_json::json!({
            "error": self.code, "message": self.message, "causes": self.causes(), "help": self.help, "exit": self.exit as u8,
        })
    }

    /// Each with what it says, the nearest first.
    fn causes(&self) -> Vec<String> {
        let first = std::error::Error::source(self);
        std::iter::successors(first, |cause| cause.source()).map(ToString::to_string).collect()
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.cause.as_deref().map(|cause| cause as _)
    }
}

impl miette::Diagnostic for Failure {
    fn code<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        Some(Box::new(&self.code))
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.help.as_ref().map(|help| Box::new(help) as _)
    }
}

/// Standard output failed. A reader that has seen enough (`| head`) is no failure.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            return Self::silent(Exit::Ok);
        }
        Self::new(Exit::Io, "output", "cannot write to standard output").because(error)
    }
}

//! What can keep a rack from starting.

use std::io;
use std::path::PathBuf;

/// Why a rack did not start.
#[derive(Debug, thiserror::Error)]
pub enum RackError {
    /// Another daemon uses the folder.
    #[error(
        "data folder {} is in use by the rack daemon with process id {pid}; stop it, or give this one a folder of its own",
        folder.display()
    )]
    FolderInUse {
        /// The folder.
        folder: PathBuf,
        /// As the other one wrote it; `unknown` if it could not be read.
        pid: String,
    },
    /// A file or folder could not be used.
    #[error("cannot {what} {}; check that the folder exists, is writable and has room", path.display())]
    Io {
        /// What was tried.
        what: &'static str,
        /// On what.
        path: PathBuf,
        /// Cause.
        #[source]
        source: io::Error,
    },
    /// The journal is damaged before its end: more than a torn tail.
    #[error(
        "journal {} is damaged in line {line} ({problem}); \
         move the file away only if nothing of this rack runs any more, then start again",
        path.display()
    )]
    Journal {
        /// The file.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
        /// What is wrong.
        problem: String,
    },
    /// The folder for working copies cannot be used.
    #[error("cannot keep working copies in {}", folder.display())]
    Files {
        /// The folder.
        folder: PathBuf,
        /// Cause.
        #[source]
        source: headend_files::FilesError,
    },
    /// The name is not a name.
    #[error(transparent)]
    Name(#[from] headend_model::BadName),
    /// Neither an enrol token nor a saved one.
    #[error(
        "rack `{name}` has no token in {} yet; give the one-use token of `headend racks token` with --token",
        folder.display()
    )]
    NoToken {
        /// Name of the rack.
        name: String,
        /// Its data folder.
        folder: PathBuf,
    },
    /// The token file can be read by others.
    #[error("token file {} can be read by others (mode {mode:o}); run `chmod 600` on it", path.display())]
    TokenMode {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The server refused.
    #[error("server {server} refused rack `{name}`: {reason}")]
    Refused {
        /// Address of the server.
        server: String,
        /// Name of the rack.
        name: String,
        /// Status and text of the answer.
        reason: String,
    },
    /// The server was not reached in time.
    #[error("server {server} was not reached for {seconds} s; check the address and that `headend serve` runs there")]
    Unreachable {
        /// Address of the server.
        server: String,
        /// How long it was tried.
        seconds: u64,
        /// The last cause.
        #[source]
        source: reqwest::Error,
    },
    /// The HTTP client could not be built.
    #[error("cannot set up the HTTP client")]
    Client(#[source] reqwest::Error),
    /// Something of a former life cannot be killed.
    #[error(
        "processes of a former life are still there and cannot be killed: {pids:?}; \
         they may drive a device, so the rack does not start; end them or restart the host"
    )]
    Leftovers {
        /// Process ids.
        pids: Vec<u32>,
    },
    /// The options contradict themselves.
    #[error("option {option} is {value}: {problem}")]
    Option {
        /// Which.
        option: &'static str,
        /// What was given.
        value: String,
        /// What is wrong and what helps.
        problem: &'static str,
    },
}

impl RackError {
    /// For `map_err`: names what was tried on which path.
    pub(crate) fn io(what: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { what, path, source }
    }
}

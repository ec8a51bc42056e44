//! Exit codes: what a script that calls `headend` may rely on.

/// An exit code with a meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    /// Done; with `watch` and `submit --wait`, every run passed.
    Ok = 0,
    /// It ran, and not every run passed.
    Failed = 1,
    /// The command line or the request is not valid.
    Usage = 2,
    /// The job could not run: no rack, no DUT.
    CouldNotRun = 3,
    /// No such job, file, slot, DUT or plugin.
    NotFound = 4,
    /// Refused: no valid token, or not allowed for it.
    Refused = 5,
    /// In conflict with what is there.
    Conflict = 6,
    /// The server cannot be reached, or cannot answer now.
    Unavailable = 69,
    /// A fault of the server or of this program.
    Fault = 70,
    /// A local file cannot be read or written, or the disk of the server failed.
    Io = 74,
    /// Timed out.
    TimedOut = 124,
    /// Interrupted by Ctrl-C.
    Interrupted = 130,
}

impl Exit {
    /// What to give for a refused request.
    pub(crate) const fn for_status(status: u16) -> Self {
        match status {
            401 | 403 | 421 => Self::Refused,
            404 | 410 => Self::NotFound,
            409 | 412 => Self::Conflict,
            400..=499 => Self::Usage,
            502..=504 | 507 => Self::Unavailable,
            _ => Self::Fault,
        }
    }
}

impl From<Exit> for std::process::ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Shown by `headend help exit-codes`.
pub(crate) const HELP: &str = "\
What the exit codes mean.

    0  done; with `watch` and `submit --wait`: every run passed
    1  it ran, and not every run passed (`run`: the script did not pass)
    2  the command line or the request is not valid
    3  the job could not run: no rack, no DUT; `run`: the script could not be started
    4  no such job, file, slot, DUT or plugin
    5  refused: no valid token, or not allowed for it
    6  in conflict with what is there
   69  the server cannot be reached, or cannot answer now
   70  a fault of the server or of this program
   74  a local file cannot be read or written; `serve` and `up`: so with their data folder
  124  timed out
  130  interrupted by Ctrl-C";

//! What is told to a client whose files are refused.

use headend_files::FilesError;
use headend_model::{Timestamp, TreePath, path::BadPath};
use headend_wire::codes;

use crate::http::ApiError;

/// What went wrong with files, for the client.
pub(super) fn problem(error: &FilesError) -> ApiError {
    let code = match error {
        FilesError::Full { .. } => &codes::STORAGE_FULL,
        FilesError::CutOff { source, .. } if source.kind() == std::io::ErrorKind::TimedOut => &codes::TOO_SLOW,
        FilesError::CutOff { .. } => &codes::BAD_REQUEST,
        FilesError::TooLarge { .. } => &codes::TOO_LARGE,
        FilesError::NoBlob { .. } | FilesError::NoFile { .. } => &codes::NOT_FOUND,
        FilesError::Collision { .. } => &codes::CASE_CLASH,
        FilesError::WrongOffset { .. } | FilesError::UnderWay => &codes::CONFLICT,
        FilesError::TooManyUploads { .. } => &codes::TOO_MANY,
        FilesError::WrongHash { .. }
        | FilesError::WrongSize { .. }
        | FilesError::TooManyFiles { .. }
        | FilesError::BadHash { .. } => &codes::INVALID,
        FilesError::Io { .. }
        | FilesError::DamagedBlob { .. }
        | FilesError::BadTree { .. }
        | FilesError::Fetch { .. } => return ApiError::internal("files could not be read or written", error),
    };
    ApiError::new(code, error.to_string())
}

/// A path that is none.
pub(crate) fn bad_path(error: &BadPath) -> ApiError {
    ApiError::new(&codes::BAD_PATH, error.to_string())
}

/// A time that a client says a file was edited at.
///
/// # Errors
/// A sentence.
pub(crate) fn edited_of(path: &TreePath, text: &str) -> Result<Timestamp, String> {
    let read: Result<jiff::Timestamp, _> = text.parse();
    read.map(|at| Timestamp::from_micros(at.as_microsecond())).map_err(|_| {
        format!("{path} is said to be edited at {:?}; write it as RFC 3339", crate::edge::names::cut(text))
    })
}

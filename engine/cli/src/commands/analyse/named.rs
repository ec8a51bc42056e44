//! An analyser by its path, or by its name among those that are installed.

use std::path::{Path, PathBuf};

use headend_rack::analysers::installed_folder;

use crate::exit::Exit;
use crate::failure::{Failure, Result};

/// Where it is, and which version was asked for.
pub(super) struct Named {
    pub(super) path: PathBuf,
    version: Option<String>,
}

/// What is there as a file or folder is that; other words are `NAME` or `NAME@VERSION`.
pub(super) fn find(wanted: &Path) -> Result<Named> {
    let text = wanted.to_str().filter(|_| !wanted.exists());
    let Some(text) = text else { return Ok(Named { path: wanted.to_owned(), version: None }) };
    let (name, version) = match text.split_once('@') {
        Some((name, version)) => (name, Some(version.to_owned())),
        None => (text, None),
    };
    match installed_folder(name) {
        Some(path) => Ok(Named { path, version }),
        None => Err(Failure::new(Exit::NotFound, "plugin", format!("there is no analyser {text}"))
            .help("name its folder or file, or put the folder that holds it into HEADEND_ANALYSERS")),
    }
}

impl Named {
    /// It is the version that was asked for.
    pub(super) fn check(&self, version: &str) -> Result<()> {
        match &self.version {
            Some(wanted) if wanted != version => {
                let what = format!("{} holds version {version}, not {wanted}", self.path.display());
                Err(Failure::new(Exit::NotFound, "plugin", what).help("name the folder or file of that version"))
            }
            _ => Ok(()),
        }
    }
}

//! Source files of the script that has run: how calls name them, and the copies that are kept of them in `src`.

use std::fs;
use std::io::{ErrorKind, Write};
use std::path::{Component, Path, PathBuf};

use super::pictures::{new_file, own_folder};

/// Folder of the copies, below the run's folder.
const FOLDER: &str = "src";
/// Longest name of a source file, in bytes.
const LONGEST_NAME: usize = 200;

/// A file that has run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// As calls name it.
    pub name: String,
    /// BLAKE3 of what was found at the end of the run, in hex digits.
    pub hash: String,
    /// Its size.
    pub bytes: u64,
    /// What people read of it; `None`: it is no text.
    pub text: Option<String>,
    /// It was written to after the run had begun: what has run may have been another text.
    pub changed: bool,
}

impl Source {
    /// Of these bytes.
    pub fn of(name: String, bytes: &[u8], changed: bool) -> Self {
        let text = (!bytes.contains(&0)).then(|| String::from_utf8_lossy(bytes).into_owned());
        let hash = blake3::hash(bytes).to_hex().to_string();
        Self { name, hash, bytes: bytes.len() as u64, text, changed }
    }
}

/// File and line of a place that a call names, such as `lib/keys.py:12`. `None`: no place below a folder of the script.
pub fn place(text: &str) -> Option<(&str, usize)> {
    let (name, line) = text.rsplit_once(':')?;
    let line = line.parse().ok().filter(|line| *line > 0)?;
    let plain = Path::new(name).components().all(|part| matches!(part, Component::Normal(_)));
    let known = plain && !name.is_empty() && name.len() <= LONGEST_NAME && !name.contains(char::is_control);
    known.then_some((name, line))
}

/// Keeps a copy below the run's folder, in the place of what a script may have put there. Its name, below that folder.
///
/// # Errors
/// The disk's.
pub fn write(folder: &Path, name: &str, bytes: &[u8]) -> std::io::Result<String> {
    let below = Path::new(FOLDER).join(name);
    let mut above = PathBuf::new();
    for part in below.parent().into_iter().flat_map(Path::components) {
        above.push(part);
        own_folder(&folder.join(&above))?;
    }
    let path = folder.join(&below);
    match fs::remove_file(&path) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    new_file(&path)?.write_all(bytes)?;
    Ok(below.display().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_lie_below_the_script() {
        assert_eq!(place("zap.py:12"), Some(("zap.py", 12)));
        assert_eq!(place("lib/a b:c.py:3"), Some(("lib/a b:c.py", 3)));
        let long = format!("{}:1", "x".repeat(LONGEST_NAME + 1));
        for odd in ["", "zap.py", "zap.py:0", "zap.py:x", ":1", "/etc/passwd:1", "../a.py:1", "a\n.py:1", &long] {
            assert_eq!(place(odd), None, "{odd}");
        }
    }

    #[test]
    fn copies_replace_what_lies_there_and_follow_no_link() {
        let (folder, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let secret = elsewhere.path().join("secret");
        fs::write(&secret, "secret").unwrap();
        assert_eq!(write(folder.path(), "lib/keys.py", b"one").unwrap(), "src/lib/keys.py");
        fs::remove_file(folder.path().join("src/lib/keys.py")).unwrap();
        std::os::unix::fs::symlink(&secret, folder.path().join("src/lib/keys.py")).unwrap();
        write(folder.path(), "lib/keys.py", b"two").unwrap();
        assert_eq!(fs::read(folder.path().join("src/lib/keys.py")).unwrap(), b"two");
        assert_eq!(fs::read(&secret).unwrap(), b"secret");
        std::os::unix::fs::symlink(elsewhere.path(), folder.path().join("src/more")).unwrap();
        assert!(write(folder.path(), "more/new.py", b"x").is_err());
        assert_eq!(fs::read_dir(elsewhere.path()).unwrap().count(), 1);
    }
}

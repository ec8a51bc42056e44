//! Pictures that a script names: where they may lie, and how much of them is read.
//!
//! The rack reads them for the script, so a run gets no more to see than what is its own: its script's folder, the public area, its output and
//! its temporary files. A script that a person runs by hand reads what that person may.

use std::fs::OpenOptions;
use std::io::Read;
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use headend_plugin_host::analyser::stored::{self, Stored};
use headend_wire::session::{CallError, PUBLIC_SOURCES, SessionInfo};

/// Largest file, in bytes.
const LARGEST: u64 = 64 << 20;

/// Where pictures may be read from.
#[derive(Clone, Debug)]
pub(crate) struct Places {
    beside: PathBuf,
    public: Option<PathBuf>,
    /// `None`: anywhere.
    within: Option<Vec<PathBuf>>,
}

impl Places {
    pub(super) fn of(info: &SessionInfo, more: &[PathBuf]) -> Self {
        let beside = Path::new(&info.script).parent().unwrap_or(Path::new("/")).to_owned();
        let own = [Some(info.out.clone()), info.public.clone()].into_iter().flatten().map(PathBuf::from);
        let all = own.chain([beside.clone()]).chain(more.iter().cloned());
        // A run of 0 is a person's by hand, here. One with a number may be steered from another machine (design 0026).
        let confined = info.under_daemon || info.run != 0;
        let within = confined.then(|| all.filter_map(|path| path.canonicalize().ok()).collect());
        Self { beside, public: info.public.clone().map(PathBuf::from), within }
    }

    /// Of a script that a person runs by hand: files in this folder go by their names, others by their paths.
    pub(crate) fn by_hand(beside: &Path) -> Self {
        Self { beside: beside.to_owned(), public: None, within: None }
    }

    /// Where a picture is that goes by this name. Not for an event loop.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        // Scripts that were written on Windows join paths with backslashes.
        let plain = name.replace('\\', "/");
        self.beside.join(if self.beside.join(name).exists() { name } else { plain.as_str() })
    }

    /// Reads and decodes a picture. Not for an event loop.
    pub(crate) fn read(&self, name: &str) -> Result<Stored, CallError> {
        let bytes = self
            .bytes(&self.path(name), LARGEST)
            .map_err(|why| bad(format!("cannot read the picture {name:?}: {why}")))?
            .0;
        stored::decode(&bytes).map_err(|why| bad(format!("{name:?} is no picture that can be taken: {why}")))
    }

    /// Reads a text file that a script names, such as a screen. Not for an event loop.
    pub(crate) fn text(&self, path: &Path, most: u64) -> Result<String, String> {
        let (bytes, _) = self.bytes(path, most)?;
        String::from_utf8(bytes).map_err(|_| "it is not UTF-8 text".to_owned())
    }

    /// Folders of this name that tests share, the nearest to the public area first; they need not be there.
    pub(crate) fn shared(&self, name: &str) -> Vec<PathBuf> {
        let public = self.beside.ancestors().find(|folder| folder.ends_with("public"));
        let bases = [self.public.as_deref(), public, Some(&self.beside)].into_iter().flatten();
        let mut folders: Vec<PathBuf> = bases.map(|base| base.join(name)).collect();
        // Two of them may be one, which comes right after it then.
        folders.dedup();
        folders
    }

    /// A source file of the script by its name in calls, and when it was written. Not for an event loop.
    pub(super) fn source(&self, name: &str, most: u64) -> Result<(Vec<u8>, Option<SystemTime>), String> {
        let shared = name.strip_prefix(PUBLIC_SOURCES).and_then(|name| name.strip_prefix('/'));
        let path = match shared.zip(self.public.as_ref()) {
            Some((name, public)) => public.join(name),
            None => self.beside.join(name),
        };
        self.bytes(&path, most)
    }

    fn bytes(&self, path: &Path, most: u64) -> Result<(Vec<u8>, Option<SystemTime>), String> {
        // A FIFO would hold us up at the door.
        let wait_for_nobody = rustix::fs::OFlags::NONBLOCK.bits() as i32;
        let opened = OpenOptions::new().read(true).custom_flags(wait_for_nobody).open(path);
        let file = opened.map_err(|error| format!("{} ({error})", path.display()))?;
        self.check(&file)?;
        let meta = file.metadata().map_err(|error| error.to_string())?;
        if !meta.is_file() {
            return Err(format!("{} is no plain file", path.display()));
        }
        let mut bytes = Vec::new();
        (&file).take(most + 1).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
        if bytes.len() as u64 > most {
            return Err(format!("{} is larger than {} KiB", path.display(), most >> 10));
        }
        Ok((bytes, meta.modified().ok()))
    }

    /// Where the open file really lies: what a name led to while it was opened cannot be changed any more.
    fn check(&self, file: &std::fs::File) -> Result<(), String> {
        let Some(within) = &self.within else { return Ok(()) };
        let real =
            std::fs::read_link(format!("/proc/self/fd/{}", file.as_raw_fd())).map_err(|error| error.to_string())?;
        if within.iter().any(|folder| real.starts_with(folder)) {
            return Ok(());
        }
        Err(format!(
            "{} lies outside of what a run may read; put it beside the script, into the public area or the output folder",
            real.display()
        ))
    }
}

fn bad(message: String) -> CallError {
    CallError { code: "bad_call".to_owned(), message }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info(folder: &Path, under_daemon: bool) -> SessionInfo {
        SessionInfo {
            job: 1,
            run: 1,
            attempt: 1,
            script: folder.join("script/a.py").display().to_string(),
            args: Vec::new(),
            public: None,
            out: folder.join("out").display().to_string(),
            rack: String::new(),
            port: 0,
            slots: Vec::new(),
            under_daemon,
        }
    }

    #[test]
    fn a_run_reads_its_own_pictures_and_no_others() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["script/sub", "out", "other", "more"] {
            std::fs::create_dir_all(folder.path().join(name)).unwrap();
        }
        let picture = headend_media::Picture::colour(4, 4, vec![9; 48]).unwrap();
        let jpeg = crate::record::pictures::jpeg(&picture, 90).unwrap();
        for name in ["script/sub/a.jpg", "out/b.jpg", "other/c.jpg", "more/d.jpg"] {
            std::fs::write(folder.path().join(name), &jpeg).unwrap();
        }
        std::os::unix::fs::symlink(folder.path().join("other/c.jpg"), folder.path().join("out/link.jpg")).unwrap();
        let path = |name: &str| folder.path().join(name).display().to_string();
        let places = Places::of(&info(folder.path(), true), &[folder.path().join("more")]);
        for good in ["sub/a.jpg", "sub\\a.jpg", "../out/b.jpg", &path("out/b.jpg"), &path("more/d.jpg")] {
            assert!(places.read(good).is_ok(), "{good}");
        }
        for bad in [&path("other/c.jpg"), "../other/c.jpg", &path("out/link.jpg"), "/dev/zero", "none.png", "sub"] {
            assert_eq!(places.read(bad).unwrap_err().code, "bad_call", "{bad}");
        }
        let from_afar = Places::of(&info(folder.path(), false), &[]);
        assert!(from_afar.read(&path("other/c.jpg")).is_err());
        let by_hand = Places::of(&SessionInfo { run: 0, ..info(folder.path(), false) }, &[]);
        assert!(by_hand.read(&path("other/c.jpg")).is_ok());
    }
}

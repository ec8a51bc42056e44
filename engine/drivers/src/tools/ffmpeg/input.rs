//! Where pictures and sound come from.

use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::words::without_secrets;
use crate::DriverError;

/// One source. In the rack file its kind is the key that names it: `{ v4l2 = "/dev/video0", alsa = "hw:1" }`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Table", into = "Table")]
pub enum Input {
    /// A capture card or camera of the kernel.
    Card {
        /// Its video device, such as `/dev/video0`.
        v4l2: PathBuf,
        /// The sound card that belongs to it, in ALSA's words, such as `hw:1`.
        alsa: Option<String>,
    },
    /// A stream: `rtsp`, `rtsps`, `http`, `https` (HLS too), `rtmp`, `udp`, `rtp`, `srt` or `tcp`.
    Stream {
        /// Its address. What stands before an `@` in it is never shown, but for the list of processes.
        url: String,
        /// Whether ffmpeg slows it down to its own pace. Files and HLS come as fast as the network is, and need it; live streams do not.
        /// Unless told: for `http` and `https`.
        paced: Option<bool>,
    },
    /// A film, at its own pace.
    File {
        /// Its path.
        file: PathBuf,
        /// From the beginning again when it ends. Unless told: yes.
        repeat: Option<bool>,
    },
    /// What ffmpeg draws and plays itself.
    Graph {
        /// A filter graph that gives pictures, such as `testsrc2=size=1280x720:rate=25`.
        lavfi: String,
        /// A filter graph that gives sound, such as `sine=frequency=440`.
        audio: Option<String>,
    },
}

/// As it is written.
#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    #[serde(skip_serializing_if = "Option::is_none")]
    v4l2: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    alsa: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    paced: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    repeat: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lavfi: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    audio: Option<String>,
}

impl Table {
    /// A key that is there and belongs to another source than this.
    fn stray(&self, source: &str) -> Option<(&'static str, &'static str)> {
        let keys = [
            ("alsa", "v4l2", self.alsa.is_some()),
            ("paced", "url", self.paced.is_some()),
            ("repeat", "file", self.repeat.is_some()),
            ("audio", "lavfi", self.audio.is_some()),
        ];
        keys.into_iter().find(|(_, home, there)| *there && *home != source).map(|(key, home, _)| (key, home))
    }
}

impl TryFrom<Table> for Input {
    type Error = String;

    fn try_from(table: Table) -> Result<Self, String> {
        let sources = [
            ("v4l2", table.v4l2.is_some()),
            ("url", table.url.is_some()),
            ("file", table.file.is_some()),
            ("lavfi", table.lavfi.is_some()),
        ];
        let named: Vec<&str> = sources.into_iter().filter_map(|(name, there)| there.then_some(name)).collect();
        let [source] = named[..] else {
            let have = if named.is_empty() { "no source".to_owned() } else { named.join(" and ") };
            return Err(format!("input has {have}: name exactly one of v4l2, url, file and lavfi"));
        };
        if let Some((key, home)) = table.stray(source) {
            return Err(format!("input has {key}, which goes with {home}, not with {source}: take one of them out"));
        }
        Ok(match table {
            Table { v4l2: Some(v4l2), alsa, .. } => Self::Card { v4l2, alsa },
            Table { url: Some(url), paced, .. } => Self::Stream { url, paced },
            Table { file: Some(file), repeat, .. } => Self::File { file, repeat },
            Table { lavfi, audio, .. } => Self::Graph { lavfi: lavfi.unwrap_or_default(), audio },
        })
    }
}

impl From<Input> for Table {
    fn from(input: Input) -> Self {
        let none = Self::default();
        match input {
            Input::Card { v4l2, alsa } => Self { v4l2: Some(v4l2), alsa, ..none },
            Input::Stream { url, paced } => Self { url: Some(url), paced, ..none },
            Input::File { file, repeat } => Self { file: Some(file), repeat, ..none },
            Input::Graph { lavfi, audio } => Self { lavfi: Some(lavfi), audio, ..none },
        }
    }
}

/// As it may be shown.
impl fmt::Display for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Card { v4l2, .. } => write!(f, "{}", v4l2.display()),
            Self::Stream { url, .. } => f.write_str(&without_secrets(url)),
            Self::File { file, .. } => write!(f, "{}", file.display()),
            Self::Graph { lavfi, .. } => write!(f, "lavfi {lavfi}"),
        }
    }
}

const SCHEMES: [&str; 9] = ["rtsp", "rtsps", "http", "https", "rtmp", "udp", "rtp", "srt", "tcp"];

impl Input {
    /// Such as `rtsp`; empty if it has none.
    pub(super) fn scheme(url: &str) -> &str {
        url.split_once("://").map_or("", |(scheme, _)| scheme)
    }

    /// Whether it can have sound at all.
    pub(super) fn may_sound(&self) -> bool {
        match self {
            Self::Card { alsa, .. } => alsa.is_some(),
            Self::Graph { audio, .. } => audio.is_some(),
            Self::Stream { .. } | Self::File { .. } => true,
        }
    }

    /// Whether it has an end, after which nothing comes.
    pub(super) fn ends(&self) -> bool {
        matches!(self, Self::File { repeat: Some(false), .. })
    }

    pub(super) fn check(&self) -> Result<(), DriverError> {
        match self {
            Self::Card { v4l2, .. } if !v4l2.is_absolute() => {
                let say = "name the device by its whole path, such as /dev/video0";
                Err(DriverError(format!("input.v4l2 = \"{}\": {say}", v4l2.display())))
            }
            Self::Stream { url, .. } if !SCHEMES.contains(&Self::scheme(url)) => {
                let (url, known) = (without_secrets(url), SCHEMES.join(", "));
                Err(DriverError(format!("input.url = {url:?}: begin it with one of {known}, and ://")))
            }
            Self::File { file, .. } if !file.is_file() => {
                let say = "is no file: name one that is there";
                Err(DriverError(format!("input.file = \"{}\" {say}", file.display())))
            }
            Self::Graph { lavfi, .. } if lavfi.trim().is_empty() => {
                Err(DriverError("input.lavfi is empty: name a filter graph, such as testsrc2".to_owned()))
            }
            Self::Card { .. } | Self::Stream { .. } | Self::File { .. } | Self::Graph { .. } => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Input, String> {
        toml::from_str(text).map_err(|error| error.message().to_owned())
    }

    #[test]
    fn the_key_names_the_kind() {
        assert!(matches!(read("v4l2 = '/dev/video0'\nalsa = 'hw:1'").unwrap(), Input::Card { alsa: Some(_), .. }));
        assert!(matches!(read("url = 'rtsp://cam/1'").unwrap(), Input::Stream { paced: None, .. }));
        assert!(matches!(read("file = 'a.mp4'\nrepeat = false").unwrap(), Input::File { repeat: Some(false), .. }));
        assert!(matches!(read("lavfi = 'testsrc2'").unwrap(), Input::Graph { audio: None, .. }));
    }

    #[test]
    fn two_sources_and_stray_keys_are_told() {
        for (text, said) in [
            ("", "input has no source: name exactly one of v4l2, url, file and lavfi"),
            ("url = 'rtsp://a'\nfile = 'b'", "input has url and file: name exactly one"),
            ("url = 'rtsp://a'\nalsa = 'hw:0'", "input has alsa, which goes with v4l2, not with url"),
            ("lavfi = 'a'\nloop = true", "unknown field `loop`"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.contains(said), "{text:?}: {error}");
        }
    }

    #[test]
    fn bad_values_are_told_without_secrets() {
        for (text, said) in [
            ("v4l2 = 'video0'", "input.v4l2 = \"video0\": name the device by its whole path"),
            ("url = 'gopher://me:secret@cam/1'", "input.url = \"gopher://…@cam/1\": begin it with one of rtsp"),
            ("url = 'cam'", "begin it with one of"),
            ("file = '/nowhere/a.mp4'", "input.file = \"/nowhere/a.mp4\" is no file"),
            ("lavfi = ' '", "input.lavfi is empty"),
        ] {
            let error = read(text).unwrap().check().unwrap_err().to_string();
            assert!(error.contains(said), "{text:?}: {error}");
        }
    }
}

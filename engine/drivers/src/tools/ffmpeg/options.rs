//! What the rack file says of a source.

use std::path::{Path, PathBuf};

use headend_media::MAX_SIDE;
use serde::{Deserialize, Serialize};

use super::input::Input;
use crate::{DriverError, programs};

/// A source of pictures and sound, and the form in which they are wanted.
///
/// ```toml
/// input = { v4l2 = "/dev/video0", alsa = "hw:1" }
/// width = 1280
/// height = 720
/// fps = 25
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Options {
    /// Where pictures and sound come from: exactly one of `v4l2`, `url`, `file` and `lavfi`, with what goes with it.
    pub input: Input,
    /// Width of the pictures, in pixels, 16 to 4096. 1280 unless told. Pictures of another form are stretched.
    #[serde(default = "width")]
    pub width: u32,
    /// Height of the pictures, in pixels, 16 to 4096. 720 unless told.
    #[serde(default = "height")]
    pub height: u32,
    /// Most pictures a second, 1 to 120. 25 unless told. A slower source gives fewer: none is invented.
    #[serde(default = "fps")]
    pub fps: u32,
    /// `true`: without sound the source is no good. `false`: its sound is left alone. Unless told: taken if there is any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sound: Option<bool>,
    /// The newest picture is "no signal" when it is older than this, in milliseconds, 100 to 60000. 1000 unless told.
    #[serde(default = "stale_ms")]
    pub stale_ms: u32,
    /// ffmpeg is started anew when no picture came for this long, in milliseconds, 1000 to 600000. 10000 unless told. A stream needs some
    /// seconds before its first picture.
    #[serde(default = "restart_after_ms")]
    pub restart_after_ms: u32,
    /// The program: a name on `PATH` or a path. `ffmpeg` unless told.
    #[serde(default = "program")]
    pub program: String,
    /// More of ffmpeg's own options, put before the input: `["-framerate", "50", "-video_size", "1920x1080"]`. At most 64.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub arguments: Vec<String>,
}

fn width() -> u32 {
    1280
}

fn height() -> u32 {
    720
}

fn fps() -> u32 {
    25
}

fn stale_ms() -> u32 {
    1000
}

fn restart_after_ms() -> u32 {
    10_000
}

fn program() -> String {
    "ffmpeg".to_owned()
}

/// What helps if the program is missing.
pub(super) const REMEDY: &str = "install it (`apt install ffmpeg` on Debian), or name its path";
/// Most of `arguments`.
const MAX_ARGUMENTS: usize = 64;

impl Options {
    /// All as usual, from this input.
    pub fn of(input: Input) -> Self {
        Self {
            input,
            width: width(),
            height: height(),
            fps: fps(),
            sound: None,
            stale_ms: stale_ms(),
            restart_after_ms: restart_after_ms(),
            program: program(),
            arguments: Vec::new(),
        }
    }

    /// Looks for what makes no sense, without any device: numbers, files, the program.
    ///
    /// # Errors
    /// The key, its value and what helps.
    pub fn check(&self) -> Result<(), DriverError> {
        let numbers = [
            ("width", self.width, 16, MAX_SIDE, "pixels"),
            ("height", self.height, 16, MAX_SIDE, "pixels"),
            ("fps", self.fps, 1, 120, "pictures a second"),
            ("stale_ms", self.stale_ms, 100, 60_000, "milliseconds"),
            ("restart_after_ms", self.restart_after_ms, 1_000, 600_000, "milliseconds"),
        ];
        for (key, value, least, most, unit) in numbers {
            if !(least..=most).contains(&value) {
                return Err(DriverError(format!("{key} = {value}: set {least} to {most} {unit}")));
            }
        }
        if self.restart_after_ms < self.stale_ms {
            let (restart, stale) = (self.restart_after_ms, self.stale_ms);
            let say = format!("restart_after_ms = {restart} is less than stale_ms = {stale}: set at least as much");
            return Err(DriverError(say));
        }
        if self.arguments.len() > MAX_ARGUMENTS {
            return Err(DriverError(format!("arguments has {}: set at most {MAX_ARGUMENTS}", self.arguments.len())));
        }
        if self.sound == Some(true) && !self.input.may_sound() {
            let say = "sound = true, and the input has none: name the sound card by `alsa`, or a graph by `audio`";
            return Err(DriverError(say.to_owned()));
        }
        self.input.check()?;
        self.program_path().map(drop)
    }

    /// The card that it takes, which no other slot can have.
    pub fn device(&self) -> Option<&Path> {
        match &self.input {
            Input::Card { v4l2, .. } => Some(v4l2),
            Input::Stream { .. } | Input::File { .. } | Input::Graph { .. } => None,
        }
    }

    /// Where the program is.
    pub(super) fn program_path(&self) -> Result<PathBuf, DriverError> {
        programs::find(&self.program, REMEDY)
    }

    /// Whether sound is asked for, until it turns out that there is none.
    pub(super) fn listens(&self) -> bool {
        self.sound != Some(false) && self.input.may_sound()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Options, String> {
        toml::from_str(text).map_err(|error| error.message().to_owned())
    }

    #[test]
    fn a_card_needs_one_line() {
        let options = read(r#"input = { v4l2 = "/dev/video0" }"#).unwrap();
        assert_eq!((options.width, options.height, options.fps, options.stale_ms), (1280, 720, 25, 1000));
        assert_eq!(options.device(), Some(Path::new("/dev/video0")));
        assert!(!options.listens());
        assert_eq!(options, Options::of(options.input.clone()));
        let again: Options = toml::from_str(&toml::to_string(&options).unwrap()).unwrap();
        assert_eq!(again, options);
    }

    #[test]
    fn what_makes_no_sense_is_told_with_key_value_and_remedy() {
        let lavfi = |more: &str| read(&format!("input = {{ lavfi = \"testsrc2\" }}\n{more}")).unwrap();
        for (more, said) in [
            ("width = 8", "width = 8: set 16 to 4096 pixels"),
            ("height = 5000", "height = 5000: set 16 to 4096 pixels"),
            ("fps = 0", "fps = 0: set 1 to 120 pictures a second"),
            ("stale_ms = 5", "stale_ms = 5: set 100 to 60000 milliseconds"),
            ("stale_ms = 2000\nrestart_after_ms = 1000", "is less than stale_ms = 2000"),
            ("sound = true", "sound = true, and the input has none"),
            ("program = \"ffmpeg-of-nowhere\"", "program = \"ffmpeg-of-nowhere\" is not on PATH; install it"),
        ] {
            let error = lavfi(more).check().unwrap_err().to_string();
            assert!(error.contains(said), "{more}: {error}");
        }
        let many = Options { arguments: vec!["-re".to_owned(); 65], ..lavfi("") };
        assert_eq!(many.check().unwrap_err().to_string(), "arguments has 65: set at most 64");
    }

    #[test]
    fn unknown_keys_are_refused() {
        let error = read("input = { lavfi = \"testsrc2\" }\nframerate = 25").unwrap_err();
        assert!(error.contains("framerate") && error.contains("fps"), "{error}");
    }
}

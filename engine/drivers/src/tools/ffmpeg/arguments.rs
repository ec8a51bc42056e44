//! The command line of ffmpeg.

use std::ffi::OsString;

use super::input::Input;
use super::options::Options;
use super::recording::RATE;

/// How long ffmpeg waits for the network, in microseconds.
const NETWORK_US: &str = "5000000";

/// How much of a stream it looks at before the first picture, in microseconds. Its own five to seven seconds are lost time at every cut.
const ANALYSE_US: &str = "2000000";

/// Pictures as rows of red, green, blue on standard output; sound, if it is wanted, as 16 bit samples of two channels on descriptor 3.
pub(super) fn arguments(options: &Options, sound: bool) -> Vec<OsString> {
    let mut line = Line(Vec::new());
    line.words("-hide_banner -nostdin -nostats -loglevel warning");
    if matches!(options.input, Input::Stream { .. }) {
        line.words("-analyzeduration").word(ANALYSE_US);
    }
    // The last of two that contradict each other counts.
    line.0.extend(options.arguments.iter().map(OsString::from));
    let heard = input(&mut line, &options.input, sound);
    line.words("-map 0:v:0 -vf");
    let Options { width, height, fps, .. } = options;
    line.word(format!("scale={width}:{height}:flags=bicubic"));
    // As they come, at most so many: one that came is told of at once, and none is shown twice as if it were new.
    line.words("-fps_mode vfr -r").word(fps.to_string());
    line.words("-c:v rawvideo -pix_fmt rgb24 -f rawvideo -flush_packets 1 pipe:1");
    if sound {
        line.words("-map").word(heard);
        line.words("-c:a pcm_s16le -ac 2 -ar").word(RATE.to_string());
        line.words("-f s16le -flush_packets 1 pipe:3");
    }
    line.0
}

/// Adds the input, or the two of them; which stream of them is the sound.
fn input(line: &mut Line, input: &Input, sound: bool) -> &'static str {
    match input {
        Input::Card { v4l2, alsa } => {
            line.words("-use_wallclock_as_timestamps 1 -thread_queue_size 16 -f v4l2 -i").word(v4l2);
            if let Some(alsa) = alsa.as_ref().filter(|_| sound) {
                line.words("-thread_queue_size 1024 -f alsa -i").word(alsa);
            }
            "1:a:0"
        }
        Input::Stream { url, paced } => {
            let scheme = Input::scheme(url);
            let http = matches!(scheme, "http" | "https");
            match scheme {
                // Lost packets of UDP would be macroblocks that the device never showed.
                "rtsp" | "rtsps" => line.words("-rtsp_transport tcp -timeout").word(NETWORK_US),
                "http" | "https" | "rtmp" | "tcp" => line.words("-rw_timeout").word(NETWORK_US),
                _ => line,
            };
            line.words(if paced.unwrap_or(http) { "-re -i" } else { "-i" }).word(url);
            "0:a:0"
        }
        Input::File { file, repeat } => {
            if repeat.unwrap_or(true) {
                line.words("-stream_loop -1");
            }
            // A name with a colon in it is no protocol.
            let mut name = OsString::from("file:");
            name.push(file);
            line.words("-re -i").word(name);
            "0:a:0"
        }
        Input::Graph { lavfi, audio } => {
            line.words("-re -f lavfi -i").word(lavfi);
            if let Some(audio) = audio.as_ref().filter(|_| sound) {
                line.words("-re -f lavfi -i").word(audio);
            }
            "1:a:0"
        }
    }
}

struct Line(Vec<OsString>);

impl Line {
    /// Several, of our own.
    fn words(&mut self, words: &str) -> &mut Self {
        self.0.extend(words.split_whitespace().map(OsString::from));
        self
    }

    /// One, whatever is in it.
    fn word(&mut self, word: impl Into<OsString>) -> &mut Self {
        self.0.push(word.into());
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(input: &str, sound: bool) -> String {
        let input: Input = toml::from_str(input).unwrap();
        let options = Options { width: 640, height: 360, arguments: vec!["-xtra".to_owned()], ..Options::of(input) };
        let words: Vec<_> = arguments(&options, sound).into_iter().map(|word| word.into_string().unwrap()).collect();
        words.join(" ")
    }

    const BEGIN: &str = "-hide_banner -nostdin -nostats -loglevel warning -xtra ";
    const STREAM: &str = "-hide_banner -nostdin -nostats -loglevel warning -analyzeduration 2000000 -xtra ";
    const PICTURES: &str = " -map 0:v:0 -vf scale=640:360:flags=bicubic -fps_mode vfr -r 25 -c:v rawvideo -pix_fmt rgb24 -f rawvideo -flush_packets 1 pipe:1";

    fn sounds(stream: &str) -> String {
        format!(" -map {stream} -c:a pcm_s16le -ac 2 -ar 48000 -f s16le -flush_packets 1 pipe:3")
    }

    #[test]
    fn a_card_with_its_sound_card() {
        let card = "-use_wallclock_as_timestamps 1 -thread_queue_size 16 -f v4l2 -i /dev/video0";
        let text = "v4l2 = '/dev/video0'\nalsa = 'hw:1'";
        let heard = " -thread_queue_size 1024 -f alsa -i hw:1";
        assert_eq!(line(text, true), format!("{BEGIN}{card}{heard}{PICTURES}{}", sounds("1:a:0")));
        assert_eq!(line(text, false), format!("{BEGIN}{card}{PICTURES}"));
    }

    #[test]
    fn streams_by_their_scheme() {
        let with = |url: &str| {
            let line = line(&format!("url = '{url}'"), true);
            line.strip_prefix(STREAM).and_then(|line| line.split_once(" -map")).unwrap().0.to_owned()
        };
        assert_eq!(with("rtsp://cam/1"), "-rtsp_transport tcp -timeout 5000000 -i rtsp://cam/1");
        assert_eq!(with("https://cdn/live.m3u8"), "-rw_timeout 5000000 -re -i https://cdn/live.m3u8");
        assert_eq!(with("udp://239.0.0.1:5000"), "-i udp://239.0.0.1:5000");
        let live = line("url = 'http://box/live.ts'\npaced = false", true);
        assert!(live.contains("-rw_timeout 5000000 -i http") && live.ends_with(&sounds("0:a:0")), "{live}");
    }

    #[test]
    fn files_and_graphs_go_at_their_own_pace() {
        let file = line("file = '/films/a:b.mp4'", true);
        assert_eq!(file, format!("{BEGIN}-stream_loop -1 -re -i file:/films/a:b.mp4{PICTURES}{}", sounds("0:a:0")));
        assert!(!line("file = 'a.mp4'\nrepeat = false", true).contains("loop"));
        let graph = line("lavfi = 'testsrc2'\naudio = 'sine'", true);
        assert_eq!(graph, format!("{BEGIN}-re -f lavfi -i testsrc2 -re -f lavfi -i sine{PICTURES}{}", sounds("1:a:0")));
    }
}

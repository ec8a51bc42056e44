//! What the pools save: processes started from nothing, timed one by one.

use std::io::{BufRead, BufReader};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};
use std::time::Instant;

use headend_integration::lab::program;

/// Milliseconds, the median of so many tries.
fn median(tries: usize, mut one: impl FnMut() -> f64) -> f64 {
    let mut times: Vec<f64> = (0..tries).map(|_| one()).collect();
    times.sort_by(f64::total_cmp);
    times[tries / 2]
}

/// From the start of a guest process to its first word, in milliseconds.
pub(crate) fn guest_ms() -> f64 {
    median(20, || {
        let began = Instant::now();
        let (ours, theirs) = UnixStream::pair().expect("a socket pair");
        let mut guest = Command::new("sh")
            .args(["-c", "exec \"$0\" guest script 3<&0 </dev/null"])
            .arg(program())
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            .spawn()
            .expect("a guest starts");
        let mut word = String::new();
        BufReader::new(&ours).read_line(&mut word).expect("a guest speaks");
        assert!(word.contains("ready"), "{word}");
        let time = began.elapsed().as_secs_f64() * 1e3;
        drop(ours);
        let _ = guest.wait();
        time
    })
}

/// From the start of `python3 -c pass` to its end, in milliseconds.
pub(crate) fn python_ms() -> f64 {
    median(20, || {
        let began = Instant::now();
        let status = Command::new("python3").args(["-c", "pass"]).status().expect("python3 is there");
        assert!(status.success());
        began.elapsed().as_secs_f64() * 1e3
    })
}

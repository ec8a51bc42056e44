//! A film coded anew for players of browsers, which take H.264 in MP4 and no motion JPEG.

use std::fs::File;
use std::io;
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, setpriority_process};
use tokio::io::AsyncReadExt;
use tokio::process::Command;

use super::options::REMEDY;
use crate::nursery::{self, Offspring};
use crate::{DriverError, programs};

/// Nicer than whatever runs beside it: nobody waits for a film as for a picture.
const NICE: i32 = 10;
/// What is read of its complaints, in bytes.
const WORDS: u64 = 4 << 10;
/// The open files by number: so ffmpeg can go back in them, and whatever lies under their names meanwhile does not matter. No other kind of
/// source is opened and nothing but motion JPEG decoded, whatever the film says: a script may have written it.
const ARGUMENTS: &str = "-hide_banner -nostdin -loglevel error -y -protocol_whitelist file -f avi -c:v mjpeg -i file:/dev/stdin -an -sn -dn \
     -c:v libx264 -preset veryfast -crf 26 -pix_fmt yuv420p -vf scale=trunc(iw/2)*2:trunc(ih/2)*2 -threads 1 -movflags +faststart -f mp4 \
     file:/dev/stdout";

/// Whether there is an ffmpeg to do it.
pub fn can_make_mp4() -> bool {
    programs::find("ffmpeg", REMEDY).is_ok()
}

/// Codes `film` (motion JPEG in AVI) into `to`, an empty file that is open for reading and writing, on one thread. Its process ends with this future.
///
/// # Errors
/// There is no ffmpeg, it cannot do that, or it has not done it in time. `to` is of no use then.
pub async fn to_mp4(film: File, to: File, within: Duration) -> Result<(), DriverError> {
    let program = programs::find("ffmpeg", REMEDY)?;
    let mut command = Command::new(&program);
    command.args(ARGUMENTS.split_whitespace()).stdin(film).stdout(to).stderr(Stdio::piped());
    let trouble = |what: String| DriverError(format!("{} makes no MP4: {what}", program.display()));
    let coded = tokio::time::timeout(within, code(command)).await;
    coded
        .map_err(|_| trouble(format!("not done within {} s", within.as_secs())))?
        .map_err(|error| trouble(error.to_string()))
}

async fn code(command: Command) -> io::Result<()> {
    let Offspring(child) = &mut nursery::spawn(command, None).await?;
    let id = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
    // Without it the film is made all the same.
    let _ = id.map(|id| setpriority_process(Some(id), NICE));
    let mut words = String::new();
    if let Some(stderr) = child.stderr.take() {
        // What is no text is of no help.
        let _ = stderr.take(WORDS).read_to_string(&mut words).await;
    }
    let status = child.wait().await?;
    if status.success() { Ok(()) } else { Err(io::Error::other(format!("{status}: {}", words.trim()))) }
}

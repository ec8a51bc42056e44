//! How bytes get to the server: small files many at once, large ones in parts that stay when the connection is cut.

use std::path::Path;
use std::time::Duration;

use futures::{StreamExt, TryStreamExt};
use headend_wire::files::{PackAnswer, UploadAnswer};
use indicatif::{ProgressBar, ProgressStyle};
use reqwest::{Body, Method};
use tokio::io::{AsyncReadExt, AsyncSeekExt};
use tokio_util::io::ReaderStream;

use super::Context;
use super::upload::Local;
use crate::exit::Exit;
use crate::failure::{Failure, Result};
use crate::ui::Ui;

/// Packs and large files on their way at once.
const AT_ONCE: usize = 4;
/// Largest file that goes into a pack.
const SMALL: u64 = 256 << 10;
/// A pack is sent when it has so many bytes or records. The server takes twice that, and 1,000.
const PACK_BYTES: u64 = 4 << 20;
const PACK_RECORDS: usize = 1_000;
/// What a record takes besides its bytes, at most.
const RECORD_HEAD: u64 = 96;
/// What is sent of a large file in one go.
const PART: u64 = 16 << 20;
/// Pauses before an upload that was cut goes on; each part that arrives starts them anew.
const PAUSES: [Duration; 4] =
    [Duration::from_millis(200), Duration::from_secs(1), Duration::from_secs(3), Duration::from_secs(10)];

/// Sends the bytes of these files.
pub(crate) async fn all(context: &Context, files: &[&Local]) -> Result<()> {
    let bar = bar(context.ui, files.iter().map(|file| file.item.size).sum());
    let (small, large): (Vec<&Local>, Vec<&Local>) = files.iter().partition(|file| file.item.size <= SMALL);
    let packs = packs(&small);
    let packs = packs.iter().map(|pack| send_pack(context, pack, &bar));
    futures::stream::iter(packs).buffer_unordered(AT_ONCE).try_collect::<()>().await?;
    let parts = large.iter().map(|file| send_parts(context, file, &bar));
    futures::stream::iter(parts).buffer_unordered(AT_ONCE).try_collect::<()>().await?;
    bar.finish_and_clear();
    Ok(())
}

/// Small files, so many together as one request takes.
fn packs<'a>(small: &[&'a Local]) -> Vec<Vec<&'a Local>> {
    let (mut packs, mut pack, mut bytes) = (Vec::new(), Vec::new(), 0);
    for file in small {
        let more = file.item.size + RECORD_HEAD;
        if !pack.is_empty() && (bytes + more > PACK_BYTES || pack.len() == PACK_RECORDS) {
            packs.push(std::mem::take(&mut pack));
            bytes = 0;
        }
        pack.push(*file);
        bytes += more;
    }
    if !pack.is_empty() {
        packs.push(pack);
    }
    packs
}

async fn send_pack(context: &Context, pack: &[&Local], bar: &ProgressBar) -> Result<()> {
    let mut body = Vec::new();
    for file in pack {
        let bytes = tokio::fs::read(&file.disk).await.map_err(|error| Failure::file("read", &file.disk, error))?;
        if bytes.len() as u64 != file.item.size {
            return Err(changed(&file.disk));
        }
        body.extend_from_slice(format!("{} {}\n", file.item.hash, bytes.len()).as_bytes());
        body.extend_from_slice(&bytes);
    }
    let request = context.client.request(Method::POST, "/blobs").header("content-type", "application/x-headend-pack");
    let answer: Result<PackAnswer> = context.client.fetch(request.body(body)).await;
    answer.map_err(|failure| {
        let (first, more) = (pack.first().map(|file| file.disk.display().to_string()), pack.len().saturating_sub(1));
        let message = format!("cannot upload {} and {more} more files", first.unwrap_or_default());
        wrapped(failure, message)
    })?;
    bar.inc(pack.iter().map(|file| file.item.size).sum());
    Ok(())
}

/// Sends a large file from where a former try has stopped.
async fn send_parts(context: &Context, file: &Local, bar: &ProgressBar) -> Result<()> {
    let failed = |failure| wrapped(failure, format!("cannot upload {}", file.disk.display()));
    let path = format!("/uploads/{}?size={}", file.item.hash, file.item.size);
    let mut received = progress(context, &path).await.map_err(failed)?.received;
    bar.inc(received);
    let mut pauses = PAUSES.into_iter();
    while received < file.item.size {
        let now = match send_part(context, file, &path, received).await {
            Ok(answer) => answer.received,
            Err(failure) if goes_on(&failure) => {
                let Some(pause) = pauses.next() else { return Err(failed(failure)) };
                tokio::time::sleep(pause).await;
                // A server that is still away says so at the next part.
                progress(context, &path).await.map_or(received, |answer| answer.received)
            }
            Err(failure) => return Err(failed(failure)),
        };
        if now > received {
            pauses = PAUSES.into_iter();
        }
        bar.inc(now.saturating_sub(received));
        received = now;
    }
    Ok(())
}

async fn progress(context: &Context, path: &str) -> Result<UploadAnswer> {
    context.client.get(path).await
}

async fn send_part(context: &Context, file: &Local, path: &str, offset: u64) -> Result<UploadAnswer> {
    let unreadable = |error| Failure::file("read", &file.disk, error);
    let mut open = tokio::fs::File::open(&file.disk).await.map_err(unreadable)?;
    if open.metadata().await.map_err(unreadable)?.len() != file.item.size {
        return Err(changed(&file.disk));
    }
    open.seek(std::io::SeekFrom::Start(offset)).await.map_err(unreadable)?;
    let length = PART.min(file.item.size - offset);
    let body = Body::wrap_stream(ReaderStream::with_capacity(open.take(length), 1 << 16));
    let request = context.client.request(Method::PUT, &format!("{path}&offset={offset}"));
    let request = request.header("content-type", "application/octet-stream").header("content-length", length);
    context.client.fetch_patiently(request.body(body)).await
}

/// Whether what has arrived is still there, so that it is worth to go on.
fn goes_on(failure: &Failure) -> bool {
    matches!(failure.name(), "broken_off" | "unreachable" | "timed_out" | "conflict" | "unavailable" | "too_slow")
}

fn changed(disk: &Path) -> Failure {
    Failure::new(Exit::Io, "changed", format!("{} has changed since it was looked at", disk.display()))
        .help("upload again; what has arrived is not sent twice")
}

fn wrapped(failure: Failure, message: String) -> Failure {
    Failure::new(failure.exit(), failure.name(), message)
        .because(failure)
        .help("if a file changed meanwhile, upload again; what has arrived is not sent twice")
}

fn bar(ui: Ui, bytes: u64) -> ProgressBar {
    if !ui.has_bars() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(bytes);
    if let Ok(style) = ProgressStyle::with_template("{bar:30.green} {bytes}/{total_bytes}, {bytes_per_sec}") {
        bar.set_style(style);
    }
    bar
}

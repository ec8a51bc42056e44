//! One run of a command: no shell, a process group of its own, a deadline, and the end of what it said.

use std::io;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use futures::FutureExt;
use futures::future::FusedFuture;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::Command;

use crate::nursery;

/// Bytes kept of what a command says, from the end.
const KEPT: usize = 2 << 10;
/// From its end to that of its output, which something that it left behind may hold open.
const GRACE: Duration = Duration::from_millis(200);

/// How it ended, if it did in time, and the end of what it said.
pub(super) struct Ended {
    pub(super) status: Option<ExitStatus>,
    pub(super) said: String,
}

/// Runs a program until it ends or is late.
pub(super) async fn run(program: &Path, arguments: &[String], within: Duration) -> io::Result<Ended> {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut group = nursery::spawn(command, None).await?;
    let (mut said, mut complaints) = (Vec::new(), Vec::new());
    let (stdout, stderr) = (group.0.stdout.take(), group.0.stderr.take());
    let status = {
        let heard = async {
            tokio::join!(keep_end(stdout, &mut said), keep_end(stderr, &mut complaints));
        };
        let heard = heard.fuse();
        tokio::pin!(heard);
        let ended = tokio::time::timeout(within, async {
            loop {
                tokio::select! {
                    status = group.0.wait() => break status,
                    // It closed its output, which is no end yet.
                    () = &mut heard => {}
                }
            }
        });
        let status = ended.await.ok().transpose()?;
        if status.is_some() && !heard.is_terminated() {
            let _ = tokio::time::timeout(GRACE, &mut heard).await;
        }
        status
    };
    Ok(Ended { status, said: text(&said, &complaints) })
}

/// Reads to the end, and keeps the end.
async fn keep_end(from: Option<impl AsyncRead + Unpin>, kept: &mut Vec<u8>) {
    let Some(mut from) = from else { return };
    let mut bytes = [0; 1024];
    while let Ok(count @ 1..) = from.read(&mut bytes).await {
        kept.extend_from_slice(&bytes[..count]);
        let surplus = kept.len().saturating_sub(KEPT);
        kept.drain(..surplus);
    }
}

fn text(said: &[u8], complaints: &[u8]) -> String {
    let parts = [complaints, said].map(|part| String::from_utf8_lossy(part).trim().to_owned());
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("; ")
}

//! A client of QEMU's monitor protocol: a JSON object a line; a greeting, then answers matched to commands by their id, with events between.
//!
//! A thread reads; commands are written where they are given, by tasks and by threads alike, since a picture is asked for without a runtime.

use std::collections::HashMap;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::oneshot;

/// Longest line of QEMU's. Answers to what is asked here are far shorter.
const WIDTH: u64 = 1 << 20;
/// For the greeting, and for a command to be taken.
const HANDSHAKE: Duration = Duration::from_secs(5);

/// QEMU's answer, or what went wrong in words.
type Answer = Result<Value, String>;
/// Gets the answer.
type Waiter = Box<dyn FnOnce(Answer) + Send>;

/// A connection to a machine's monitor.
pub(super) struct Qmp {
    /// One command at a time is written.
    writer: Mutex<UnixStream>,
    waiting: Arc<Mutex<Waiting>>,
    next: AtomicU64,
    version: String,
    reader: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Waiting {
    by_id: HashMap<u64, Waiter>,
    /// Why nothing will be answered any more.
    ended: Option<String>,
}

impl std::fmt::Debug for Qmp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Qmp").field("version", &self.version).finish_non_exhaustive()
    }
}

impl Qmp {
    /// Takes up a connection: reads the greeting and begins to read answers. Blocks for some seconds at most.
    pub(super) fn over(stream: UnixStream) -> io::Result<Self> {
        stream.set_read_timeout(Some(HANDSHAKE))?;
        stream.set_write_timeout(Some(HANDSHAKE))?;
        let mut reader = BufReader::new(stream.try_clone()?);
        let greeting = line_of(&mut reader)?.ok_or_else(|| io::Error::other("it hung up without a greeting"))?;
        let version = version_of(&greeting).ok_or_else(|| io::Error::other("what answers is no monitor of QEMU"))?;
        stream.set_read_timeout(None)?;
        let waiting = Arc::<Mutex<Waiting>>::default();
        let shared = Arc::clone(&waiting);
        let reader = std::thread::Builder::new().name("qmp".into()).spawn(move || read(reader, &shared))?;
        Ok(Self { writer: Mutex::new(stream), waiting, next: AtomicU64::new(1), version, reader: Some(reader) })
    }

    /// Such as `7.2.22`.
    pub(super) fn version(&self) -> &str {
        &self.version
    }

    /// Runs a command and waits for its answer.
    pub(super) async fn ask(&self, command: &str, arguments: Value, limit: Duration) -> Answer {
        let (tell, told) = oneshot::channel();
        let id = self.write(command, &arguments, Box::new(move |answer| drop(tell.send(answer))))?;
        match tokio::time::timeout(limit, told).await {
            Ok(answer) => answer.unwrap_or_else(|_| Err("the connection ended".to_owned())),
            Err(_) => Err(self.late(id, command, limit)),
        }
    }

    /// The same, for a caller that may block.
    pub(super) fn ask_blocking(&self, command: &str, arguments: &Value, limit: Duration) -> Answer {
        let (tell, told) = mpsc::sync_channel(1);
        let id = self.write(command, arguments, Box::new(move |answer| drop(tell.try_send(answer))))?;
        match told.recv_timeout(limit) {
            Ok(answer) => answer,
            Err(mpsc::RecvTimeoutError::Disconnected) => Err("the connection ended".to_owned()),
            Err(mpsc::RecvTimeoutError::Timeout) => Err(self.late(id, command, limit)),
        }
    }

    fn late(&self, id: u64, command: &str, limit: Duration) -> String {
        lock(&self.waiting).by_id.remove(&id);
        format!("QEMU did not answer {command} within {} ms", limit.as_millis())
    }

    fn write(&self, command: &str, arguments: &Value, waiter: Waiter) -> Result<u64, String> {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let mut line = json!({ "execute": command, "arguments": arguments, "id": id }).to_string();
        line.push('\n');
        {
            // In the table before it is written: the answer may come at once.
            let mut waiting = lock(&self.waiting);
            if let Some(why) = &waiting.ended {
                return Err(why.clone());
            }
            waiting.by_id.insert(id, waiter);
        }
        let written = self.writer.lock().unwrap_or_else(PoisonError::into_inner).write_all(line.as_bytes());
        written.map(|()| id).map_err(|error| {
            lock(&self.waiting).by_id.remove(&id);
            format!("QEMU's monitor takes no commands: {error}")
        })
    }
}

impl Drop for Qmp {
    fn drop(&mut self) {
        // The reader sees the end and returns; so does QEMU.
        let _ = self.writer.lock().unwrap_or_else(PoisonError::into_inner).shutdown(Shutdown::Both);
        let _ = self.reader.take().map(JoinHandle::join);
    }
}

/// Connects to a socket that may not be there yet.
pub(super) fn connect(socket: &Path) -> io::Result<Qmp> {
    UnixStream::connect(socket).and_then(Qmp::over)
}

fn lock(waiting: &Mutex<Waiting>) -> MutexGuard<'_, Waiting> {
    waiting.lock().unwrap_or_else(PoisonError::into_inner)
}

fn read(mut from: impl BufRead, waiting: &Mutex<Waiting>) {
    let why = loop {
        match line_of(&mut from) {
            Ok(Some(said)) => take(&said, waiting),
            Ok(None) => break "QEMU closed its monitor".to_owned(),
            Err(error) => break format!("QEMU's monitor: {error}"),
        }
    };
    let left = {
        let mut waiting = lock(waiting);
        waiting.ended = Some(why.clone());
        std::mem::take(&mut waiting.by_id)
    };
    for waiter in left.into_values() {
        waiter(Err(why.clone()));
    }
}

fn take(said: &Value, waiting: &Mutex<Waiting>) {
    if let Some(event) = said.get("event").and_then(Value::as_str) {
        tracing::debug!(event, "QEMU");
        return;
    }
    let waiter = said.get("id").and_then(Value::as_u64).and_then(|id| lock(waiting).by_id.remove(&id));
    // Nobody: whoever asked did not wait so long.
    let Some(waiter) = waiter else { return };
    let answer = match said.get("error") {
        Some(error) => Err(error.get("desc").and_then(Value::as_str).unwrap_or("QEMU refused").to_owned()),
        None => Ok(said.get("return").cloned().unwrap_or_default()),
    };
    waiter(answer);
}

/// A line, at its end nothing.
fn line_of(from: &mut impl BufRead) -> io::Result<Option<Value>> {
    let mut line = Vec::new();
    from.take(WIDTH).read_until(b'\n', &mut line)?;
    if line.is_empty() {
        return Ok(None);
    }
    if line.last() != Some(&b'\n') {
        return Err(io::Error::other(if line.len() as u64 == WIDTH {
            "a line is too long"
        } else {
            "it hung up in a line"
        }));
    }
    serde_json::from_slice(&line).map(Some).map_err(|error| io::Error::other(format!("a line is no JSON: {error}")))
}

fn version_of(greeting: &Value) -> Option<String> {
    let version = greeting.pointer("/QMP/version/qemu")?;
    let part = |name: &str| version.get(name).and_then(Value::as_u64);
    Some(format!("{}.{}.{}", part("major")?, part("minor")?, part("micro")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GREETING: &str =
        r#"{"QMP":{"version":{"qemu":{"micro":22,"minor":2,"major":7},"package":"x"},"capabilities":["oob"]}}"#;
    const LIMIT: Duration = Duration::from_secs(30);

    /// A monitor that answers each command by `say`.
    fn monitor(say: impl Fn(&Value) -> Vec<String> + Send + 'static) -> (Qmp, JoinHandle<()>) {
        let (near, far) = UnixStream::pair().unwrap();
        let speaker = std::thread::spawn(move || {
            let mut from = BufReader::new(far.try_clone().unwrap());
            let mut far = far;
            writeln!(far, "{GREETING}").unwrap();
            while let Ok(Some(command)) = line_of(&mut from) {
                for line in say(&command) {
                    // The client may have had enough.
                    if writeln!(far, "{line}").is_err() {
                        return;
                    }
                }
                if command["execute"] == "leave" {
                    return;
                }
            }
        });
        (Qmp::over(near).unwrap(), speaker)
    }

    #[test]
    fn answers_find_their_commands_among_events_and_late_answers() {
        let (qmp, speaker) = monitor(|command| {
            vec![
                r#"{"event":"RESUME","timestamp":{"seconds":1,"microseconds":2}}"#.into(),
                r#"{"return":"late","id":77}"#.into(),
                json!({ "return": command["execute"], "id": command["id"] }).to_string(),
            ]
        });
        assert_eq!(qmp.version(), "7.2.22");
        for command in ["first", "second"] {
            assert_eq!(qmp.ask_blocking(command, &json!({}), LIMIT).unwrap(), command);
        }
        drop(qmp);
        speaker.join().unwrap();
    }

    #[tokio::test]
    async fn errors_lateness_and_the_end_are_told_apart() {
        let (qmp, speaker) = monitor(|command| match command["execute"].as_str() {
            Some("wrong") => vec![
                json!({ "error": { "class": "GenericError", "desc": "no such key" }, "id": command["id"] }).to_string(),
            ],
            _ => Vec::new(),
        });
        assert_eq!(qmp.ask("wrong", json!({}), LIMIT).await.unwrap_err(), "no such key");
        let late = qmp.ask("sleep", json!({}), Duration::from_millis(20)).await.unwrap_err();
        assert!(late.contains("did not answer sleep within 20 ms"), "{late}");
        assert!(lock(&qmp.waiting).by_id.is_empty());
        let ended = qmp.ask("leave", json!({}), LIMIT).await.unwrap_err();
        assert!(ended.contains("closed its monitor"), "{ended}");
        assert!(qmp.ask("more", json!({}), LIMIT).await.is_err());
        speaker.join().unwrap();
    }

    #[test]
    fn what_is_no_monitor_is_refused() {
        for said in [&b"SSH-2.0\n"[..], b"{}\n", b"", b"{\"QMP\":1}\n", b"{\"QMP"] {
            let (near, mut far) = UnixStream::pair().unwrap();
            far.write_all(said).unwrap();
            drop(far);
            assert!(Qmp::over(near).is_err());
        }
    }

    #[test]
    fn an_endless_line_ends_the_connection() {
        let (qmp, speaker) = monitor(|_| vec![format!("\"{}\"", "x".repeat(WIDTH as usize))]);
        let error = qmp.ask_blocking("say", &json!({}), LIMIT).unwrap_err();
        assert!(error.contains("too long"), "{error}");
        drop(qmp);
        speaker.join().unwrap();
    }
}

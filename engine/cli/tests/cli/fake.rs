//! A tiny HTTP server with fixed answers, and the `headend` binary pointed at it.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Output};
use std::sync::{Arc, Mutex};

/// Answers by `METHOD path` (the query cut off): status and body.
type Answers = BTreeMap<String, (u16, String)>;

/// A request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    /// `METHOD path?query`.
    pub(crate) line: String,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: Vec<u8>,
}

/// Serves until the process ends.
pub(crate) struct Fake {
    base: String,
    answers: Arc<Mutex<Answers>>,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Fake {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let fake = Self { base, answers: Arc::default(), seen: Arc::default() };
        let (answers, seen) = (fake.answers.clone(), fake.seen.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (answers, seen) = (answers.clone(), seen.clone());
                std::thread::spawn(move || serve(stream, &answers, &seen));
            }
        });
        fake
    }

    /// This answer from now on.
    pub(crate) fn on(self, request: &str, status: u16, body: &serde_json::Value) -> Self {
        self.answers.lock().unwrap().insert(request.to_owned(), (status, body.to_string()));
        self
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// Runs `headend` against this server and gives all it said, ready for a snapshot.
    pub(crate) fn headend(&self, arguments: &[&str]) -> String {
        let text = show(
            &headend(arguments).env("HEADEND_SERVER", &self.base).env("HEADEND_TOKEN", "secret-1").output().unwrap(),
        );
        text.replace(&self.base, "http://SERVER")
    }
}

/// `headend` in an environment that is the same everywhere.
pub(crate) fn headend(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_headend"));
    command.args(arguments).env_clear();
    command.envs([("NO_COLOR", "1"), ("TZ", "UTC"), ("LANG", "C.UTF-8"), ("COLUMNS", "100"), ("HOME", "/nonexistent")]);
    command
}

/// Both streams and the exit code.
pub(crate) fn show(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    format!(
        "exit {}\n--- out\n{}--- err\n{}",
        output.status.code().unwrap_or(-1),
        text(&output.stdout),
        text(&output.stderr)
    )
}

fn serve(stream: TcpStream, answers: &Mutex<Answers>, seen: &Mutex<Vec<Seen>>) {
    let mut reader = BufReader::new(stream);
    while let Some(request) = read(&mut reader) {
        let path = request.line.split('?').next().unwrap_or_default().to_owned();
        seen.lock().unwrap().push(request);
        let missing = || {
            (404, r#"{"type":"/problems/not_found","title":"Not found","status":404,"detail":"no such thing","code":"not_found"}"#.to_owned())
        };
        let (status, body) = answers.lock().unwrap().get(&path).cloned().unwrap_or_else(missing);
        let head =
            format!("HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n", body.len());
        if reader.get_mut().write_all(format!("{head}{body}").as_bytes()).is_err() {
            return;
        }
    }
}

fn read(reader: &mut BufReader<TcpStream>) -> Option<Seen> {
    let line = read_line(reader).filter(|line| !line.is_empty())?;
    let mut headers = BTreeMap::new();
    while let Some(line) = read_line(reader).filter(|line| !line.is_empty()) {
        let (name, value) = line.split_once(':')?;
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let length = headers.get("content-length").and_then(|text| text.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let line = line.strip_suffix(" HTTP/1.1").unwrap_or(&line).to_owned();
    Some(Seen { line, headers, body })
}

fn read_line(reader: &mut BufReader<TcpStream>) -> Option<String> {
    let mut line = String::new();
    let read = reader.read_line(&mut line).ok()?;
    (read > 0).then(|| line.trim_end().to_owned())
}
